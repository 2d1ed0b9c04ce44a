/** Real resolvers ask the name server: glibc through getent and Python, dig and host; in a network of their own. */
import { type SpawnSyncReturns, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolvConf } from '../../src/dns/resolv-conf.ts';
import { DnsServer } from '../../src/dns/server.ts';
import { close } from '../../src/sys/io.ts';
import { bindUdp, listenTcp } from '../../src/sys/listen.ts';
import { createNamespace, inNamespace } from '../../src/sys/namespace.ts';
import { Netlink } from '../../src/sys/netlink.ts';
import { readAnswer } from '../dns/messages.ts';
import { Client, endpoint, service, shop, shopZone } from '../dns/shop.ts';
import { Random } from '../support/random.ts';
import { missing } from '../support/requires.ts';

/** Of the cluster's, since an address of 127.0.0.0/8 is none to glibc (getaddrinfo(3), AI_ADDRCONFIG). */
const ADDRESS = '10.96.0.10';
const lacks = missing('linux', 'root');
const lacksDig = lacks ?? missing('program:dig', 'program:host');
const wide = service('wide', {
  headless: true,
  endpoints: Array.from({ length: 60 }, (_, i) => endpoint(`10.50.0.${i + 1}`)),
});

/** A second server, which writes down what it is asked. */
const LISTENER = '10.96.0.11';

let server: DnsServer;
let listener: Socket;
const asked: string[] = [];
const client = new Client();
let network: number;
let directory: string;

beforeAll(async () => {
  if (lacks !== undefined) return;
  network = createNamespace('net');
  const { udp, tcp, heard } = inNamespace(network, 'net', () => {
    const netlink = new Netlink();
    const { index } = netlink.link('lo');
    netlink.setLink(index, { up: true });
    for (const address of [ADDRESS, LISTENER]) netlink.addAddress(index, { address, prefixLen: 32 });
    netlink.addAddress(index, { address: 'fd00:10:96::10', prefixLen: 128, noDad: true });
    netlink.close();
    return { udp: bindUdp(ADDRESS, 53), tcp: listenTcp(ADDRESS, 53, 16), heard: bindUdp(LISTENER, 53) };
  });
  const random = new Random(1);
  const failed = (error: Error) => {
    throw error;
  };
  server = new DnsServer({ random: () => random.word(), failed });
  server.setZone(shopZone({ pods: 'insecure' }, [...shop, wide]));
  await Promise.all([server.serveUdp(udp, 'udp4'), server.serveTcp(tcp)]);
  listener = createSocket('udp4').bind({ fd: heard });
  listener.on('message', (bytes, { port, address }) => {
    const answer = client.responder.respond(bytes, 'udp')!;
    asked.push(readAnswer(answer).question!);
    listener.send(answer, port, address);
  });

  directory = mkdtempSync(join(tmpdir(), 'podwire-dns-'));
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default' },
    spec: { containers: [] },
  };
  for (const address of [ADDRESS, LISTENER]) {
    const cluster = { clusterDns: [address], clusterDomain: 'cluster.local', nodeResolvConf: undefined };
    writeFileSync(join(directory, address), resolvConf(pod, cluster));
  }
  writeFileSync(join(directory, 'nsswitch.conf'), 'hosts: files dns\n');
});

afterAll(async () => {
  if (lacks !== undefined) return;
  await server.close();
  listener.close();
  close(network);
  rmSync(directory, { recursive: true });
});

type Finished = Pick<SpawnSyncReturns<string>, 'status' | 'stdout' | 'stderr'>;

/** Runs a program as a pod would: in the network, with the resolv.conf. */
function run(...command: readonly string[]): Promise<Finished> {
  return runWith(ADDRESS, ...command);
}

function runWith(nameServer: string, ...command: readonly string[]): Promise<Finished> {
  const bind = (file: string, target: string) => `mount --bind ${join(directory, file)} /etc/${target} && `;
  const files = [bind(nameServer, 'resolv.conf'), bind('nsswitch.conf', 'nsswitch.conf')];
  const inside = ['unshare', '--mount', 'sh', '-c', `${files.join('')}exec "$@"`, 'sh', ...command];
  const child = spawn('nsenter', [`--net=/proc/${process.pid}/fd/${network}`, ...inside], { stdio: 'pipe' });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, stdout, stderr })));
}

async function output(...command: readonly string[]): Promise<string> {
  return (await run(...command)).stdout.trim();
}

async function timed<T>(action: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const start = performance.now();
  const result = await action();
  return { result, ms: performance.now() - start };
}

describe.skipIf(lacks)(`glibc${lacks === undefined ? '' : ` (needs ${lacks})`}`, () => {
  test.each([
    ['DN-048 a service of the own namespace', 'kubernetes', '10.96.0.1'],
    ['DN-048 a service of another namespace', 'kube-dns.kube-system', '10.96.0.10'],
    ['DN-048 with svc', 'kube-dns.kube-system.svc', '10.96.0.10'],
    ['DN-048 a whole name', 'kubernetes.default.svc.cluster.local.', '10.96.0.1'],
    ['DN-001 in capitals', 'KUBERNETES', '10.96.0.1'],
    ['DN-009 a pod of a headless service', 'db-1.db', '10.244.2.10'],
    ['DN-034 an alias', 'alias', '10.96.0.20'],
    ['DN-032 a pod by its address', '10-1-2-3.default.pod', '10.1.2.3'],
  ])('%s: getent ahostsv4 %s', async (_rule, name, address) => {
    expect((await output('getent', 'ahostsv4', name)).split(/\s/)[0]).toBe(address);
  });

  test('DN-003 both families', async () => {
    const lines = (await output('getent', 'ahosts', 'web')).split('\n');
    expect(new Set(lines.map((line) => line.split(/\s/)[0]))).toEqual(new Set(['10.96.0.20', 'fd00:10:96::20']));
  });

  test('DN-006 names of addresses', async () => {
    expect((await output('getent', 'hosts', '10.96.0.20')).split(/\s+/)[1]).toBe('web.default.svc.cluster.local');
    expect((await output('getent', 'hosts', 'fd00:10:96::20')).split(/\s+/)[1]).toBe('web.default.svc.cluster.local');
  });

  test('DN-054 what UDP has no room for comes over TCP', async () => {
    const script = "import socket; print(len(socket.gethostbyname_ex('wide')[2]))";
    // gethostbyname has room for 35 addresses; getaddrinfo for all.
    const all = "import socket; print(len(socket.getaddrinfo('wide', 80, socket.AF_INET, socket.SOCK_STREAM)))";
    expect(Number(await output('/usr/bin/python3', '-c', script))).toBeGreaterThanOrEqual(35);
    expect(await output('/usr/bin/python3', '-c', all)).toBe('60');
  });

  test.each([
    ['no such service', 'nobody', 2],
    ['another zone', 'www.example.com', 2],
    ['another zone, at once', 'www.example.com.', 2],
    ['an alias to another zone', 'outside', 2],
  ])('%s fails, and fast: %s', async (_what, name, status) => {
    const { result, ms } = await timed(() => run('getent', 'ahosts', name));
    expect(result.status).toBe(status);
    expect(ms).toBeLessThan(1500);
  });
});

/** As `web.default A`, in order; both families go out together, in one order or the other. */
async function questionsFor(name: string): Promise<string[]> {
  asked.length = 0;
  await runWith(LISTENER, 'getent', 'ahosts', name);
  const names = asked.map((question) => question.split(' '));
  return names.flatMap(([first, type], i) =>
    i % 2 === 0 ? [`${first} ${[type, names[i + 1]?.[1]].sort().join(' ')}`] : [],
  );
}

describe.skipIf(lacks)(`what glibc asks${lacks === undefined ? '' : ` (needs ${lacks})`}`, () => {
  const inZone = (name: string) =>
    ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'].map((domain) => `${name}.${domain}. A AAAA`);

  test('DN-048 a name with fewer than five dots: the search list first, stopping where it is found', async () => {
    expect(await questionsFor('kube-dns.kube-system')).toEqual(inZone('kube-dns.kube-system').slice(0, 2));
  });

  test('DN-048 a name with a dot at the end: as it is', async () => {
    expect(await questionsFor('web.default.svc.cluster.local.')).toEqual(['web.default.svc.cluster.local. A AAAA']);
  });

  test('DN-048 a name with five dots: as it is first', async () => {
    expect((await questionsFor('a.b.c.d.cluster.local'))[0]).toBe('a.b.c.d.cluster.local. A AAAA');
  });

  test('DN-049 api.example.com: three pairs in the zone, then the real one', async () => {
    const questions = await questionsFor('api.example.com');
    expect(questions.slice(0, 4)).toEqual([...inZone('api.example.com'), 'api.example.com. A AAAA']);
  });
});

describe.skipIf(lacksDig)(`dig and host${lacksDig === undefined ? '' : ` (needs ${lacksDig})`}`, () => {
  const dig = (...question: readonly string[]) => output('dig', '+tries=1', '+time=2', `@${ADDRESS}`, ...question);
  const web = 'web.default.svc.cluster.local';

  test.each([
    ['DN-003 A', [web, 'A'], '10.96.0.20'],
    ['DN-003 AAAA', [web, 'AAAA'], 'fd00:10:96::20'],
    ['DN-004 SRV', [`_http._tcp.${web}`, 'SRV'], '0 50 80 web.default.svc.cluster.local.'],
    ['DN-006 PTR', ['-x', '10.96.0.20'], 'web.default.svc.cluster.local.'],
    ['DN-006 PTR, IPv6', ['-x', 'fd00:10:96::20'], 'web.default.svc.cluster.local.'],
    ['DN-002 TXT', ['dns-version.cluster.local', 'TXT'], '"1.1.0"'],
    ['DN-013 CNAME', ['outside.default.svc.cluster.local', 'CNAME'], 'www.example.com.'],
    ['DN-001 capitals', ['WEB.Default.SVC.cluster.local', 'A'], '10.96.0.20'],
    ['RFC 8482 ANY', [web, 'ANY', '+notcp'], '"RFC8482" ""'],
    ['over TCP', ['+tcp', web, 'A'], '10.96.0.20'],
    ['several queries on one connection', ['+tcp', '+keepopen', web, 'A', web, 'AAAA'], '10.96.0.20\nfd00:10:96::20'],
  ])('%s', async (_what, question, answer) => {
    expect(await dig('+short', ...question)).toBe(answer);
  });

  test.each([
    ['DN-020', ['nope.cluster.local'], /status: NXDOMAIN/],
    [
      'DN-021',
      ['nope.cluster.local'],
      /^cluster\.local\.\s+5\s+IN\s+SOA\s+ns\.dns\.cluster\.local\. hostmaster\.cluster\.local\. 4711 7200 1800 86400 5$/m,
    ],
    ['DN-018', [web], /flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1/],
    ['DN-019', ['kubernetes.default.svc.cluster.local', 'AAAA'], /status: NOERROR[\s\S]*ANSWER: 0, AUTHORITY: 1/],
    ['DN-041', ['cluster.local', 'AXFR'], /Transfer failed|failed/],
    ['another zone', ['www.example.com'], /status: REFUSED/],
    ['DN-054 without EDNS', ['+noedns', '+ignore', 'wide.default.svc.cluster.local'], /flags: qr aa tc rd/],
    [
      'DN-054 with EDNS',
      ['+bufsize=4096', '+ignore', 'wide.default.svc.cluster.local'],
      /flags: qr aa rd; QUERY: 1, ANSWER: 60/,
    ],
    ['a cookie', ['+cookie', web], /status: NOERROR/],
    ['EDNS of another version', ['+edns=1', '+noednsnegotiation', web], /status: BADVERS/],
  ])('%s: %s', async (_what, question, pattern) => {
    const text = await dig(...question);
    expect(text).toMatch(pattern);
    expect(text).not.toMatch(/malformed|WARNING: .*(extra|mismatch)|Got bad/i);
  });

  test('DN-054 dig turns to TCP by itself', async () => {
    expect((await dig('+noedns', '+short', 'wide.default.svc.cluster.local')).split('\n')).toHaveLength(60);
  });

  test('DN-048 host walks the search list', async () => {
    expect(await output('host', '-t', 'A', 'kube-dns.kube-system')).toContain('has address 10.96.0.10');
  });
});
