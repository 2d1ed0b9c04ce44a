import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Workloads } from '../../src/nodes/workloads.ts';
import { close } from '../../src/sys/io.ts';
import { bindUdp } from '../../src/sys/listen.ts';
import { inNamespace } from '../../src/sys/namespace.ts';
import { missing } from '../support/requires.ts';
import { TestPod, tcp, udp } from './workload-pod.ts';

const lacks = missing('linux', 'root', 'tun', 'program:nsenter', 'program:curl', 'program:python3');
const dual = ['10.244.0.2', 'fd00:10:244::2'];

/** Sends datagrams from a socket bound to `from` and prints what comes back. */
const udpClient = `
import socket, sys
address, port, own, sizes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), [int(n) for n in sys.argv[4].split(',')]
s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.bind(('', own))
for size in sizes:
    s.sendto(bytes(i % 251 for i in range(size)), (address, port))
    back, sender = s.recvfrom(70000)
    print(len(back), back == bytes(i % 251 for i in range(size)), sender[0], sender[1])
`;

/** One UDP datagram from port 0, which only a raw socket can send. */
const fromPortZero = `
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
s.sendto(struct.pack('>HHHH', 0, int(sys.argv[2]), 8 + 4, 0) + b'zero', (sys.argv[1], 0))
`;

/** UDP and TCP from a link-local address on an interface whose number no other namespace has. */
const fromLinkLocal = `
ip link add v0 type veth peer name v1
for i in 2 3 4 5 6 7 8 9; do ip link add a$i type veth peer name b$i; done
ip link set v1 up; ip link set b9 up; ip link set a9 up; ip -6 addr add fe80::99/64 dev a9 nodad
python3 - <<'END'
import socket
for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
    s = socket.socket(socket.AF_INET6, kind)
    s.settimeout(1)
    s.connect(('fe80::99', 9000, 0, socket.if_nametoindex('a9')))
    s.send(b'hello')
    try:
        print(s.recv(10))
    except TimeoutError:
        print('nothing')
END
`;

/** Connections to port 80 whose clients have got FIN and sent none: state 8, CLOSE_WAIT, of /proc/net/tcp. */
async function halfClosed(pod: TestPod): Promise<number> {
  const { stdout } = await pod.run('cat', '/proc/net/tcp');
  return stdout.match(/:0050 08 /g)?.length ?? 0;
}

describe.skipIf(lacks)(`workloads${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  test('HTTP, on every address of the pod, and not outside its namespace', async () => {
    const pod = new TestPod('web', dual, [tcp(8080)]);
    const workloads = new Workloads();
    expect(workloads.start(pod.spec)).toEqual([]);
    for (const host of ['10.244.0.2', '127.0.0.1', '[fd00:10:244::2]', '[::1]']) {
      expect(await pod.curl(`http://${host}:8080/hostname`)).toEqual({ code: 0, stdout: 'web', stderr: '' });
    }
    expect((await pod.curl('http://10.244.0.2:8080/clientip')).stdout).toMatch(/^10\.244\.0\.2:\d+$/);
    expect((await pod.curl('http://[::1]:8080/clientip')).stdout).toMatch(/^\[::1\]:\d+$/);
    const { stdout } = await pod.curl('--data', 'x'.repeat(5000), '-H', 'X-A: b', 'http://10.244.0.2:8080/a?b');
    expect(JSON.parse(stdout)).toMatchObject({ method: 'POST', bodyBytes: 5000, pod: 'web', node: 'n1', ip: dual[0] });
    expect((await pod.curl('--head', 'http://10.244.0.2:8080/hostname')).stdout).toMatch(/content-length: 3/);

    const outside = new TestPod('other', dual, []);
    expect((await outside.curl('http://10.244.0.2:8080/hostname')).code).toBe(7);
    expect(workloads.logs(pod.spec)).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z 10\.244\.0\.2:\d+ GET \/hostname 200\n/);
    await workloads.stop(pod.spec);
  });

  test('readiness', async () => {
    const pod = new TestPod('web', ['10.244.0.2'], [tcp(80)]);
    const workloads = new Workloads();
    workloads.start(pod.spec);
    const health = async () => (await pod.curl('--write-out', ' %{http_code}', 'http://10.244.0.2/healthz')).stdout;
    expect(await health()).toBe('ok 200');
    workloads.setReady(pod.spec, false);
    expect(await health()).toBe('not ready 503');
    workloads.setReady(pod.spec, true);
    expect(await health()).toBe('ok 200');
    await workloads.stop(pod.spec);
    workloads.start({ ...pod.spec, ready: false });
    expect(await health()).toBe('not ready 503');
    await workloads.stop(pod.spec);
  });

  test.each(['10.244.0.2', 'fd00:10:244::2'])('TCP echo, FIN for FIN: %s', async (address) => {
    const pod = new TestPod('echo', dual, [tcp(9000)]);
    const workloads = new Workloads();
    workloads.start(pod.spec);
    const connection = pod.connect(address, 9000).write('hello\n');
    // The kernel makes ready a new IPv6 address in the background: the first SYN may be lost, the next is a second later.
    await expect.poll(() => connection.received, { timeout: 30_000 }).toBe('hello\n');
    const big = 'abcdefghij'.repeat(200_000);
    connection.write(big).socket.end();
    await connection.closed;
    expect(connection.end).toBe('FIN');
    expect(connection.received === `hello\n${big}`).toBe(true);
    await workloads.stop(pod.spec);
  });

  test('FIN right behind what could have become a request: it is echoed', async () => {
    const pod = new TestPod('echo', ['10.244.0.2'], [tcp(9000)]);
    const workloads = new Workloads();
    workloads.start(pod.spec);
    const connection = pod.connect('10.244.0.2', 9000).write('GET');
    connection.socket.end();
    await connection.closed;
    expect([connection.received, connection.end]).toEqual(['GET', 'FIN']);
    await workloads.stop(pod.spec);
  });

  test.each(['10.244.0.2', '127.0.0.1', 'fd00:10:244::2'])(
    'UDP echo, from the address that was asked: %s',
    async (address) => {
      const pod = new TestPod('echo', dual, [udp(9000)]);
      const workloads = new Workloads();
      workloads.start(pod.spec);
      const { stdout, stderr } = await pod.run('python3', '-c', udpClient, address, '9000', '7777', '5,0,1400,60000');
      expect(stdout, stderr).toBe([5, 0, 1400, 60000].map((size) => `${size} True ${address} 9000\n`).join(''));
      expect(workloads.logs(pod.spec)).toContain(`7777 UDP 9000: 1400 bytes\n`);
      await workloads.stop(pod.spec);
    },
  );

  test('a pod without IPv6 does not listen on it; a hundred ports of both protocols answer', async () => {
    const ports = Array.from({ length: 100 }, (_, i) => i + 1000);
    const pod = new TestPod('many', ['10.244.0.2'], [...ports.map(tcp), ...ports.map(udp)]);
    const workloads = new Workloads();
    expect(workloads.start(pod.spec)).toEqual([]);
    const { stdout } = await pod.curl('http://10.244.0.2:[1000-1099]/hostname', '--globoff', '--no-globoff');
    expect(stdout).toBe('many'.repeat(100));
    const refused = pod.connect('::1', 1000);
    await refused.closed;
    expect(refused.end).toBe('ECONNREFUSED');
    await workloads.stop(pod.spec);
  });

  test('what cannot be listened on is told, and the rest listens', async () => {
    const pod = new TestPod(
      'web',
      ['10.244.0.2'],
      [tcp(80), tcp(80), udp(53), { port: 9, protocol: 'SCTP' as const }, tcp(81)],
    );
    const taken = inNamespace(pod.network, 'net', () => bindUdp('0.0.0.0', 53));
    const workloads = new Workloads();
    const problems = workloads.start(pod.spec);
    expect(problems).toEqual([
      '80/TCP: nobody answers: bind(0.0.0.0 port 80): EADDRINUSE, address already in use',
      '53/UDP: nobody answers: bind(0.0.0.0 port 53): EADDRINUSE, address already in use',
      '9/SCTP: nobody answers: workloads speak TCP and UDP only',
    ]);
    for (const problem of problems) expect(workloads.logs(pod.spec)).toContain(` ${problem}\n`);
    expect(workloads.start(pod.spec)).toEqual([]); // it runs already
    expect((await pod.curl('http://10.244.0.2:81/hostname')).stdout).toBe('web');
    close(taken);
    await workloads.stop(pod.spec);

    expect(workloads.start({ ...pod.spec, namespacePath: '/nonexistent' })).toEqual([
      'no port answers: open(/nonexistent): ENOENT, no such file or directory',
    ]);
    const file = workloads.start({ ...pod.spec, name: 'file', namespacePath: '/proc/self/status' });
    expect(file).toEqual(['no port answers: setns(net): EINVAL, invalid argument']);
  });

  test('stopping: ports close at once, connections get FIN, and RST after the grace; the name is free', async () => {
    const pod = new TestPod('web', ['10.244.0.2'], [tcp(80), udp(80)]);
    const workloads = new Workloads({ graceMs: 300 });
    workloads.start(pod.spec);
    const [polite, stubborn, silent] = [1, 2, 3].map(() => pod.connect('10.244.0.2', 80));
    polite!.socket.on('end', () => polite!.socket.end());
    polite!.write('p');
    stubborn!.write('s');
    await expect.poll(() => `${polite!.received}${stubborn!.received}`).toBe('ps');
    const started = performance.now();
    const stopped = workloads.stop(pod.spec);
    const late = pod.connect('10.244.0.2', 80);
    await late.closed;
    expect(late.end).toBe('ECONNREFUSED');
    await expect.poll(() => [polite!.end, stubborn!.end, silent!.end]).toEqual(['FIN', 'FIN', 'FIN']);
    stubborn!.write('after FIN');
    await sleep(50);
    expect(await halfClosed(pod)).toBe(2);
    expect(workloads.logs(pod.spec)).toBeUndefined();
    expect(workloads.start(pod.spec)).toEqual([]);
    await stopped;
    expect(performance.now() - started).toBeGreaterThan(290);
    // Node has read these to the end and does not look again: their kernel knows that they were reset.
    expect(await halfClosed(pod)).toBe(0);
    expect((await pod.curl('http://10.244.0.2/hostname')).stdout).toBe('web');
    await workloads.stop(pod.spec);
    await workloads.stop(pod.spec);
  });

  test('a flooded pod stops at half of the connections, and leaves the rest to others', async () => {
    const pods = [1, 2].map((i) => new TestPod(`p${i}`, ['10.244.0.2'], [tcp(80)]));
    const workloads = new Workloads({ connectionsMax: 40, graceMs: 10 });
    for (const { spec } of pods) workloads.start(spec);
    const connect = (i: number) => Array.from({ length: 50 }, () => pods[i]!.connect('10.244.0.2', 80));
    const first = connect(0);
    await expect.poll(() => first.filter(({ end }) => end === 'ECONNRESET').length).toBe(30);
    const second = connect(1);
    await expect.poll(() => second.filter(({ end }) => end === 'ECONNRESET').length).toBe(40);
    expect(workloads.logs(pods[0]!.spec)?.match(/20 connections are open: more are reset/g)).toHaveLength(1);
    for (const { socket } of first) socket.destroy();
    for (const { socket } of second) socket.destroy();
    await expect.poll(async () => (await pods[0]!.curl('http://10.244.0.2/hostname')).stdout).toBe('p1');
    const again = Array.from({ length: 15 }, () => pods[0]!.connect('10.244.0.2', 80).write('x'));
    await expect.poll(() => again.map(({ received }) => received).join('')).toBe('x'.repeat(15));
    await Promise.all(pods.map(({ spec }) => workloads.stop(spec)));
  });
});

describe.skipIf(lacks)(`workloads and hostile clients${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  test('a datagram from port 0 is not answered, and the next is', async () => {
    const pod = new TestPod('echo', ['10.244.0.2'], [udp(9000)]);
    const workloads = new Workloads();
    workloads.start(pod.spec);
    expect((await pod.run('python3', '-c', fromPortZero, '10.244.0.2', '9000')).stderr).toBe('');
    await expect.poll(() => workloads.logs(pod.spec)).toContain('10.244.0.2:0 UDP 9000: 4 bytes');
    expect((await pod.run('python3', '-c', udpClient, '10.244.0.2', '9000', '0', '5')).stdout).toContain('5 True');
    await workloads.stop(pod.spec);
  });

  test('clients with link-local addresses, whose interface Node does not find', async () => {
    const pod = new TestPod('echo', dual, [udp(9000), tcp(9000)]);
    const workloads = new Workloads();
    workloads.start(pod.spec);
    const { stdout, stderr } = await pod.run('sh', '-c', fromLinkLocal);
    expect(stdout, stderr).toBe("nothing\nb'hello'\n");
    expect(workloads.logs(pod.spec)).toMatch(/9000\/UDP: .*ENXIO.*\n.*link-local echo/);
    expect((await pod.run('python3', '-c', udpClient, '10.244.0.2', '9000', '0', '5')).stdout).toContain('5 True');
    await workloads.stop(pod.spec);
  });

  test.each([
    ['echo', 'x'.repeat(1 << 20)],
    ['pipelined requests', 'GET / HTTP/1.1\r\nHost: web\r\n\r\n'.repeat(5000)],
    ['a body', `PUT / HTTP/1.1\r\nHost: web\r\nContent-Length: 9999999\r\n\r\n${'x'.repeat(1 << 20)}`],
  ])('connections that are reset in the middle: %s', async (_, bytes) => {
    const pod = new TestPod('web', ['10.244.0.2'], [tcp(80)]);
    const workloads = new Workloads({ graceMs: 10 });
    workloads.start(pod.spec);
    const connections = Array.from({ length: 40 }, () => pod.connect('10.244.0.2', 80).write(bytes));
    for (const [i, { socket }] of connections.entries()) setTimeout(() => socket.resetAndDestroy(), i);
    await Promise.all(connections.map(({ closed }) => closed));
    expect((await pod.curl('http://10.244.0.2/hostname')).stdout).toBe('web');
    await workloads.stop(pod.spec);
  });

  test('a connection that is reset while its echo waits to be read', async () => {
    const pod = new TestPod('web', ['10.244.0.2'], [tcp(80)]);
    const workloads = new Workloads({ graceMs: 10 });
    workloads.start(pod.spec);
    const connections = Array.from({ length: 5 }, () => pod.connect('10.244.0.2', 80).write('x'.repeat(30 << 20)));
    for (const { socket } of connections) socket.pause();
    await sleep(200);
    for (const { socket } of connections) socket.resetAndDestroy();
    await sleep(50);
    expect((await pod.curl('http://10.244.0.2/hostname')).stdout).toBe('web');
    await workloads.stop(pod.spec);
  });

  test('connections that are in full flow when the pod stops', async () => {
    const pod = new TestPod('web', ['10.244.0.2'], [tcp(80)]);
    const workloads = new Workloads({ graceMs: 100 });
    workloads.start(pod.spec);
    const request = 'GET / HTTP/1.1\r\nHost: web\r\n\r\n';
    const connections = ['x', request].flatMap((bytes) =>
      Array.from({ length: 5 }, () => pod.connect('10.244.0.2', 80).write(bytes.repeat(30_000))),
    );
    await expect.poll(() => connections.every(({ received }) => received !== '')).toBe(true);
    await workloads.stop(pod.spec);
    await expect.poll(() => connections.every(({ end }) => end !== '')).toBe(true);
  });

  test('a hundred megabytes of headers are refused without being kept', async () => {
    const pod = new TestPod('web', ['10.244.0.2'], [tcp(80)]);
    const workloads = new Workloads({ graceMs: 10 });
    workloads.start(pod.spec);
    const garbage = `GET / HTTP/1.1\r\nX: ${'g'.repeat(1 << 20)}`;
    const before = process.memoryUsage().rss;
    const connections = Array.from({ length: 100 }, () => pod.connect('10.244.0.2', 80).write(garbage));
    await expect.poll(() => connections.filter(({ end }) => end === '').length, { timeout: 10_000 }).toBe(0);
    // The clients are in this process too, so this is an upper limit.
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(200);
    expect((await pod.curl('http://10.244.0.2/hostname')).stdout).toBe('web');
    await workloads.stop(pod.spec);
  });
});
