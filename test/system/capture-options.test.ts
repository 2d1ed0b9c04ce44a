/** What the options of `podwire capture` do, and tcpdump in a pod as a second witness of the same packets. */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readCaptureFile } from '../../src/capture/read-capture.ts';
import { capinfos, fields, packetCount, RANDOM_TCP_PORT, RANDOM_UDP_PORT, TestCapture } from '../support/capturing.ts';
import { kill, PODWIRE, type Running, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { expectAccounted, ping, program, transfer } from './programs.ts';
import { describeUnless, testUnless } from './skipping.ts';
import { addresses, twoNodes } from './worlds.ts';

const lacks = missing(
  ...(['linux', 'built', 'tun', 'vessel', 'program:nsenter', 'program:ping', 'program:ip'] as const),
  ...(['program:tshark', 'program:capinfos'] as const),
);

const { a, b, c } = addresses;
const FOREIGN = '10.99.0.1';
/** `epb_flags` */
const INBOUND = 1;
const OUTBOUND = 2;
/** A packet is at its reader so soon. */
const LIVE_MS = 200;

/** One Ethernet frame as two witnesses may see it: checksums that the sender's kernel has left open count for nothing. */
function withoutChecksum(frame: Uint8Array): string {
  const bytes = Buffer.from(frame);
  const v6 = bytes.readUInt16BE(12) === 0x86dd;
  const protocol = bytes[14 + (v6 ? 6 : 9)];
  const transportAt = 14 + (v6 ? 40 : 20);
  const first = v6 || (bytes.readUInt16BE(20) & 0x1fff) === 0;
  if (bytes.readUInt16BE(12) !== 0x0806 && first) {
    if (protocol === 6) bytes.writeUInt16BE(0, transportAt + 16);
    if (protocol === 17) bytes.writeUInt16BE(0, transportAt + 6);
  }
  return bytes.toString('hex');
}

/** @param flags of the packets that are wanted (`epb_flags`); all without. */
async function frames(path: string, flags?: number): Promise<string[]> {
  const found: string[] = [];
  for await (const record of readCaptureFile(path)) {
    if (record.kind !== 'packet' || (flags !== undefined && record.flags !== flags)) continue;
    found.push(withoutChecksum(record.bytes));
  }
  return found;
}

/** From the ping of 99 bytes to the one of 98: both witnesses were there all the while. */
function between(all: readonly string[]): readonly string[] {
  const first = all.findIndex((frame) => frame.length === 2 * (99 + 42));
  const last = all.findIndex((frame) => frame.length === 2 * (98 + 42));
  expect([first >= 0, last > first]).toEqual([true, true]);
  return all.slice(first, last + 1);
}

describeUnless(lacks, 'capture: options', () => {
  const cluster = testCluster();
  let files = 0;

  beforeAll(async () => {
    await cluster.up(twoNodes());
    await ping(cluster, 'a', b.v4);
    expect((await cluster.exec('a', ['ip', 'address', 'add', `${FOREIGN}/32`, 'dev', 'lo'])).code).toBe(0);
  });

  const start = (...flags: string[]) => new TestCapture(cluster, `f${++files}.pcapng`, flags);
  const pings = (to: string = b.v4) => cluster.exec('a', ['ping', '-c', '3', '-i', '0.01', '-W', '1', to]);
  const spoofed = () => cluster.exec('a', ['ping', '-c', '1', '-W', '0.2', '-I', FOREIGN, b.v4]);

  test('-c: exactly so many', async () => {
    const capture = start('-c', '7');
    await until(async () => {
      await pings();
      return capture.running.child.exitCode !== null;
    }, 20_000);
    expect(await capture.running.result).toMatchObject({
      code: 0,
      stdout: '',
      stderr: expect.stringMatching(/Ctrl-C ends\n7 packets captured\n$/),
    });
    expect(await packetCount(capture.path)).toBe(7);
  });

  test('-s: no more of each, and their lengths are known', async () => {
    const capture = start('-s', '100', 'tcp', 'or', 'icmp');
    await capture.begun(pings);
    await transfer(cluster, 'a', 'b', b.v4, RANDOM_TCP_PORT, 1 << 20);
    await capture.end();
    const rows = await fields(capture.path, ['frame.cap_len', 'frame.len', 'frame.interface_name']);
    for (const row of rows) {
      expect(Number(row['frame.cap_len'])).toBe(Math.min(100, Number(row['frame.len'])));
      if (row['frame.interface_name'].endsWith('underlay')) expect(Number(row['frame.len'])).toBeLessThanOrEqual(1514);
    }
    // The server sends its MiB too; what was cut off is in no file, but in the lengths.
    const sent = rows.filter((row) => row['frame.interface_name'] === 'node/n1:underlay');
    expect(sent.reduce((sum, row) => sum + Number(row['frame.len']), 0)).toBeGreaterThan(2 << 20);
  });

  test('--duration: ends by itself', async () => {
    const capture = start('--duration', '1s');
    const { code, ms, stderr } = await capture.running.result;
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/^podwire capture: listening at \d+ hops; Ctrl-C ends\n\d+ packets? captured\n$/),
    ]);
    expect(ms).toBeGreaterThan(1000);
    expect(ms).toBeLessThan(6000);
    expect(await capinfos(capture.path)).toContain('Number of interfaces in file: 9');
  });

  test('-D lists what -i takes', async () => {
    const { code, stdout } = await cluster.run(['capture', '-D', '--name', cluster.name]);
    const names = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ')[0]);
    expect(names.filter((name) => /^pod\/kube-system\/coredns-/.test(name!))).toHaveLength(2);
    expect([code, ...names.filter((name) => !/^pod\/kube-system\//.test(name!))]).toEqual([
      0,
      ...['pod/default/a', 'pod/default/b', 'pod/default/c', 'node/n1:host', 'node/n1:underlay'],
      ...['node/n2:host', 'node/n2:underlay', 'link/n1-n2'],
    ]);
  });

  test('-i: these hops and no others', async () => {
    const flags = ['-i', 'pod/default/b,node/n1:underlay', '-i', 'node/n2:host'];
    const capture = start(...flags);
    await capture.begun(pings);
    await ping(cluster, 'node/n2', a.v4);
    await capture.end();
    const text = await capinfos(capture.path);
    const hops = ['pod/default/b', 'node/n1:underlay', 'node/n2:host'];
    expect([...text.matchAll(/Name = (.*)/g)].map(([, name]) => name)).toEqual(hops);
    for (const [, count] of text.matchAll(/Number of packets = (\d+)/g)) expect(Number(count)).toBeGreaterThan(1);
  });

  test('link/A-B: what both send, once', async () => {
    const capture = start('-i', 'link/n1-n2', 'icmp');
    await capture.begun(pings);
    await capture.end();
    const wanted = ['frame.interface_name', 'icmp.type', 'icmp.ident', 'icmp.seq', 'frame.comment'];
    const rows = await fields(capture.path, wanted);
    const requests = rows.filter((row) => row['icmp.type'] === '8');
    const replies = rows.filter((row) => row['icmp.type'] === '0');
    expect(new Set(rows.map((row) => row['frame.interface_name']))).toEqual(new Set(['link/n1-n2']));
    expect(replies.length).toBe(requests.length);
    expect(new Set(requests.map((row) => `${row['icmp.ident']} ${row['icmp.seq']}`)).size).toBe(requests.length);
    for (const row of requests) expect(row['frame.comment']).toMatch(/^n1: to n2, from pod\/default\/a \| sent/);
    for (const row of replies) expect(row['frame.comment']).toMatch(/^n2: to n1, from pod\/default\/b \| sent/);
  });

  test('drops: only what was dropped', async () => {
    const capture = start('-i', 'drops');
    await capture.begun(async () => {
      await pings();
      await spoofed();
    });
    await capture.end();
    const rows = await fields(capture.path, ['frame.comment', 'ip.src']);
    for (const row of rows) expect(row['frame.comment']).toContain('DROPPED at antiSpoof: SpoofedSource');
  });

  test('--last: what was before, without a capture', async () => {
    await pings(b.v6);
    const capture = start('--last', '20s', 'icmp6', 'and', 'host', b.v6);
    expect(await capture.running.result).toMatchObject({ code: 0 });
    const rows = await fields(capture.path, ['frame.interface_name', 'icmpv6.type', 'frame.comment']);
    const requests = rows.filter((row) => row['icmpv6.type'] === '128');
    expect(new Set(requests.map((row) => row['frame.interface_name']))).toEqual(
      new Set(['pod/default/a', 'node/n2:underlay']),
    );
    expect(requests.length).toBe(6);
    // Recorders know times to a round of the loop: only on one node is the order certain.
    const left = requests.find((row) => row['frame.interface_name'] === 'pod/default/a');
    expect(left!['frame.comment']).toBe('n1: from pod/default/a | forwarded to n2 | conntrack NEW, original');
  });

  test('filters', async () => {
    const underlays = ['node/n1:underlay', 'node/n2:underlay'];
    const cases = (
      [
        [`icmp and host ${b.v4}`, [...underlays, 'pod/default/a', 'pod/default/b']],
        [`outer:host ${addresses.n1.v4}`, underlays],
        ['outer:udp port 4789', underlays],
        [`inner:icmp and host ${b.v4} and outer:udp`, underlays],
        [`inner:icmp and inner:host ${b.v4}`, [...underlays, 'pod/default/a', 'pod/default/b']],
        [`icmp and host ${c.v4}`, ['pod/default/a', 'pod/default/c']],
        [`icmp and host ${FOREIGN}`, ['pod/default/a']],
        [`udp port ${RANDOM_UDP_PORT}`, [...underlays, 'pod/default/a', 'pod/default/b']],
      ] as const
    ).map(([filter, hops]) => ({ filter, hops, capture: start(filter) }));
    const server = cluster.startExec('b', [...program('udp-echo'), 'serve', String(RANDOM_UDP_PORT)]);
    await server.says(/listening/);
    const cause = async () => {
      await pings();
      await pings(c.v4);
      await spoofed();
      await cluster.exec('a', [...program('udp-echo'), 'ask', b.v4, String(RANDOM_UDP_PORT), '1']);
    };
    await Promise.all(cases.map(({ capture }) => capture.begun(cause)));
    await cause(); // some may have begun with the last of them
    kill(server.child.pid!, 'SIGTERM');
    for (const { filter, hops, capture } of cases) {
      expect((await capture.end()).code).toBe(0);
      const rows = await fields(capture.path, ['frame.interface_name']);
      expect([...new Set(rows.map((row) => row['frame.interface_name']))].sort(), filter).toEqual([...hops].sort());
    }
    const port = `not udp.port == ${RANDOM_UDP_PORT}`;
    expect(await fields(cases.at(-1)!.capture.path, ['frame.number'], port)).toEqual([]);
  });

  test('--noise: what kernels say unasked, and nobody hears without it', async () => {
    const quiet = start();
    const noisy = start('--noise');
    let joined = 0;
    const joinGroup = () => cluster.exec('a', ['ip', 'address', 'add', `fd99::${++joined}/128`, 'dev', 'eth0']);
    await quiet.begun(pings);
    await noisy.begun(joinGroup);
    await until(async () => (await fields(noisy.path, ['frame.number'], 'icmpv6.type == 143')).length > 0, 10_000);
    for (const capture of [quiet, noisy]) expect((await capture.end()).code).toBe(0);
    expect((await fields(noisy.path, ['frame.number'], 'icmpv6.type == 143')).length).toBeGreaterThan(0);
    expect(await fields(quiet.path, ['frame.number'], 'icmpv6.type == 143')).toEqual([]);
  });

  test('.pcap: readable, with a word on what it lacks', async () => {
    const capture = new TestCapture(cluster, 'classic.pcap');
    await until(async () => (await pings()).code === 0 && (await packetCount(capture.path)) > 0, 20_000);
    const { code, stderr } = await capture.end('SIGTERM');
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /a \.pcap file has no room for interfaces and comments; \.pcapng has\n.*\n(\d+) packets captured/,
    );
    expect(await packetCount(capture.path)).toBe(Number(/(\d+) packets/.exec(stderr)![1]));
    expect(await capinfos(capture.path)).toMatch(/File type: +pcap\n/);
  });

  test('SIGTERM ends with a whole file, as Ctrl-C does', async () => {
    const capture = start();
    await capture.begun(pings);
    const { code, stderr } = await capture.end('SIGTERM');
    expect([code, stderr]).toEqual([
      0,
      `podwire capture: listening at 9 hops; Ctrl-C ends\n${await packetCount(capture.path)} packets captured\n`,
    ]);
    expect(await capinfos(capture.path)).toContain('Number of stat entries = 1');
  });

  test('-w -: a reader has each packet at once', { retry: 2 }, async () => {
    const shell = '"$@" | exec tshark -n -l -r - -Y "icmp.type == 0 && eth.dst == 0a:58:0a:f4:00:02"';
    const command = [process.execPath, PODWIRE, 'capture', '-w', '-', '--name', cluster.name];
    const reader = cluster.start(['bash', '-c', shell, 'bash', ...command]);
    await until(async () => (await pings()).code === 0 && reader.stdout.includes('reply'), 20_000);
    const pinging = cluster.startExec('a', ['ping', '-c', '10', '-i', '0.2', '-s', '77', b.v4]);
    const told = arrivals(reader, /ICMP 119 Echo \(ping\) reply +id=\S+, seq=(\d+)/g);
    const answered = arrivals(pinging, /icmp_seq=(\d+)/g);
    await pinging.result;
    await until(
      () => told.size === 10,
      5000,
      () => `ten replies: ${reader.stdout}`,
    );
    for (const [seq, ms] of answered) expect(told.get(seq)! - ms, `seq ${seq}`).toBeLessThan(LIVE_MS);
    const capture = cluster.processes().find(({ words }) => words[1] === PODWIRE && words[2] === 'capture');
    kill(capture!.pid, 'SIGINT');
    expect((await reader.result).code).toBe(0);
  });

  testUnless(missing('program:tcpdump'), 'tcpdump in the pod has seen the same, in the same direction', async () => {
    const capture = start('-i', 'pod/default/b', '--noise');
    const witnesses = (['in', 'out'] as const).map((direction) => {
      const path = join(cluster.home, `${direction}.pcap`);
      const words = [
        'tcpdump',
        '-i',
        'eth0',
        '-U',
        '--immediate-mode',
        '-s',
        '0',
        '-B',
        '8192',
        '-Q',
        direction,
        '-w',
        path,
      ];
      return { direction, path, running: cluster.startExec('b', words) };
    });
    for (const { running } of witnesses) await until(() => running.stderr.includes('listening on'), 10_000);
    await capture.begun(pings);
    await ping(cluster, 'a', b.v4, ['-s', '99']);
    await ping(cluster, 'a', b.v6, ['-s', '4000']);
    await transfer(cluster, 'a', 'b', b.v4, RANDOM_TCP_PORT, 1 << 20);
    await ping(cluster, 'a', b.v4, ['-s', '98']);
    await capture.end();
    for (const { running } of witnesses) {
      for (const { pid } of cluster.processes().filter(({ words }) => words[0] === 'tcpdump')) kill(pid, 'SIGINT');
      await running.result;
    }
    for (const { direction, path } of witnesses) {
      const theirs = between(await frames(path));
      expect(theirs.length).toBeGreaterThan(20);
      expect(between(await frames(capture.path, direction === 'in' ? INBOUND : OUTBOUND))).toEqual(theirs);
    }
  });

  describe('wrong usage says what is wrong', () => {
    const full = join('/dev', 'null');
    for (const [words, message] of [
      [['-w', full, '-i', 'pod/default/z'], 'no hop "pod/default/z"; did you mean pod/default/'],
      [['-w', full, '-c', '0'], '-c takes a number from 1'],
      [['-w', full, '-c', 'ten'], '-c takes a whole number, found "ten"'],
      [['-w', full, '-s', '300000'], '-s takes at most 262144, found 300000'],
      [['-w', full, '--duration', '10'], '--duration takes a time such as 20ms or 1.5s, found "10"'],
      [['-w', full, '--last', '1s', '--duration', '1s'], '--last looks back and ends'],
      [['-w', full, '--packets', '3'], "Unknown option '--packets'"],
      [['-w', full, 'tcp', 'prot', '80'], 'column 5: expected "and", "or" or the end, found "prot"'],
      [['-w', '/'], '/: a directory; name a file in it'],
      [['-w', '/nowhere/x.pcapng'], '/nowhere/x.pcapng: its folder is not there'],
      [['-i'], "Option '-i' argument"],
    ] as const) {
      test(words.join(' '), async () => {
        const { code, stdout, stderr } = await cluster.run(['capture', ...words, '--name', cluster.name]);
        expect([code, stdout], stderr).toEqual([2, '']);
        expect(stderr).toContain(message);
      });
    }

    test('a cluster that is not there', async () => {
      const { code, stderr } = await cluster.run(['capture', '-w', full, '--name', 'nobody']);
      expect([code, stderr]).toEqual([2, expect.stringContaining('no cluster named "nobody" is running')]);
    });
  });

  test('nothing was harmed', async () => {
    await expectAccounted(cluster, ['SpoofedSource']);
  });
});

/** When the lines with these numbers were said; ms. */
function arrivals(running: Running, pattern: RegExp): Map<string, number> {
  const seen = new Map<string, number>();
  running.child.stdout!.on('data', () => {
    for (const [, number] of running.stdout.matchAll(pattern)) {
      if (!seen.has(number!)) seen.set(number!, performance.now());
    }
  });
  return seen;
}
