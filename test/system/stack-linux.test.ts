/**
 * Linux as the referee of `src/stack`: its kernel, at the other end of a TAP, opens connections to an endpoint and answers
 * those of an endpoint, with all offloads on, and loss on the wire; tshark looks at every frame that the endpoint has sent.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPodNetwork, POD_INTERFACE } from '../../src/cluster/pod-network.ts';
import { PodEnd } from '../../src/sim/pod-end.ts';
import { type ProbeProtocol, type ProbeResult, serveEcho, startProbe } from '../../src/stack/probe.ts';
import { close, read, write } from '../../src/sys/io.ts';
import { addressOf } from '../../src/sys/libc.ts';
import { inNamespace } from '../../src/sys/namespace.ts';
import { openTap, POD_OFFLOADS } from '../../src/sys/tap.ts';
import { VNET_HEADER_LEN } from '../../src/wire/virtio.ts';
import { NODE_MAC, neighbourAnswer, Wire } from '../stack/wire.ts';
import { joined } from '../support/frames.ts';
import { Random } from '../support/random.ts';
import { missing } from '../support/requires.ts';
import { describeUnless } from './skipping.ts';

const lacks = missing('linux', 'root', 'tun', 'program:tshark', 'program:python3');

const LINUX = { mac: '0a:58:0a:f4:00:02', addresses: ['10.244.0.2', 'fd00::2'] };
const ENDPOINT = { mac: '0a:58:0a:f4:01:02', addresses: ['10.244.1.2', 'fd00::1:2'] };
const MTU = 1400;

/** Echo servers of the kernel, TCP and UDP, both families. */
const SERVER = `
import socket, threading
t = socket.create_server(('::', 7), family=socket.AF_INET6, dualstack_ipv6=True, backlog=100)
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); u.setsockopt(41, 26, 0); u.bind(('::', 7))
def udp():
  while True:
    d, a = u.recvfrom(65535); u.sendto(d, a)
def echo(c):
  while True:
    d = c.recv(65536)
    if not d: break
    c.sendall(d)
  c.close()
threading.Thread(target=udp, daemon=True).start()
print('ready', flush=True)
while True:
  threading.Thread(target=echo, args=(t.accept()[0],), daemon=True).start()
`;

/** Sends so many bytes to an endpoint's echo, reads them back, and says what it has seen. */
const CLIENT = `
import socket, sys, threading, hashlib, os
address, count = sys.argv[1], int(sys.argv[2])
data = os.urandom(count)
c = socket.create_connection((address, 7), 20)
def send():
  c.sendall(data); c.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
back = b''
while True:
  d = c.recv(65536)
  if not d: break
  back += d
print(back == data)
if sys.argv[3] == 'stream': sys.exit()
u = socket.socket(c.family, socket.SOCK_DGRAM); u.settimeout(20); u.connect((address, 7)); u.send(data[:9000])
same = u.recv(65535) == data[:9000]
u.connect((address, 9)); u.send(b'x')
try: u.recv(1); refused = False
except ConnectionRefusedError: refused = True
try: socket.create_connection((address, 9), 20); reset = False
except ConnectionRefusedError: reset = True
print(same, refused, reset)
`;

function mac(text: string): number[] {
  return text.split(':').map((octet) => Number.parseInt(octet, 16));
}

describeUnless(lacks, 'an endpoint and Linux', () => {
  const random = new Random(1);
  const sent: Uint8Array[] = [];
  const buffer = Buffer.alloc(70_000);
  let lossOnceIn = 0;
  let namespace: number;
  let tap: number;
  let pump: NodeJS.Timeout;
  let server: ChildProcess;
  let end: PodEnd;

  const toLinux = (bytes: Uint8Array) => write(tap, addressOf(bytes), bytes.length);
  const lost = () => lossOnceIn > 0 && random.once(lossOnceIn);
  const readdressed = (bytes: Uint8Array, to: string) =>
    joined(bytes.subarray(0, VNET_HEADER_LEN), mac(to), mac(NODE_MAC), bytes.subarray(VNET_HEADER_LEN + 12));

  function fromEndpoint(bytes: Uint8Array): void {
    sent.push(bytes.slice(VNET_HEADER_LEN));
    const answer = neighbourAnswer(bytes.subarray(VNET_HEADER_LEN), ENDPOINT.mac);
    if (answer !== undefined) setImmediate(() => end.receive(joined(new Uint8Array(VNET_HEADER_LEN), answer)));
    else if (!lost()) toLinux(readdressed(bytes, LINUX.mac));
  }

  function drain(): void {
    for (let length = 0; ; ) {
      length = read(tap, addressOf(buffer), buffer.length);
      if (length <= 0) return;
      const bytes = buffer.subarray(0, length);
      const answer = neighbourAnswer(bytes.subarray(VNET_HEADER_LEN), LINUX.mac);
      if (answer !== undefined) toLinux(joined(new Uint8Array(VNET_HEADER_LEN), answer));
      else if (!lost()) end.receive(readdressed(bytes, ENDPOINT.mac));
    }
  }

  function python(script: string, ...args: string[]): ChildProcess {
    return inNamespace(namespace, 'net', () =>
      spawn('python3', ['-c', script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] }),
    );
  }

  async function output(child: ChildProcess): Promise<string> {
    let text = '';
    child.stdout!.on('data', (data: Buffer) => {
      text += data.toString();
    });
    await new Promise((resolve) => child.once('close', resolve));
    return text.trim();
  }

  beforeAll(async () => {
    namespace = createPodNetwork({ ...LINUX, mtu: MTU, gsoMaxSize: 65_536 });
    tap = inNamespace(namespace, 'net', () => openTap(POD_INTERFACE, { offload: POD_OFFLOADS }));
    end = new PodEnd({
      ...ENDPOINT,
      mtu: MTU,
      random: () => random.word() | 0,
      send: fromEndpoint,
      nowMs: () => performance.now(),
      plan: (timeMs, action) => setTimeout(action, Math.min(timeMs - performance.now(), 1 << 30)),
    });
    end.use((endpoint) => {
      for (const protocol of ['tcp', 'udp', 'sctp'] as const) serveEcho(endpoint, protocol, 7);
    });
    pump = setInterval(drain, 1);
    server = python(SERVER);
    await new Promise((resolve) => server.stdout!.once('data', resolve));
  });

  afterAll(() => {
    clearInterval(pump);
    server?.kill();
    close(tap);
    close(namespace);
  });

  test.each([
    ['10.244.1.2', 0],
    ['fd00::1:2', 0],
    ['10.244.1.2', 20],
    ['fd00::1:2', 20],
  ] as const)('the kernel connects to %s, 1 frame in %i is lost', async (address, loss) => {
    // Nobody sends a lost datagram again: no datagrams where frames are lost.
    const words = await output(python(CLIENT, address, '300000', loss > 0 ? 'stream' : 'all'));
    expect(words).toBe(loss > 0 ? 'True' : 'True\nTrue True True');
  });

  test.each(LINUX.addresses)('probes of the kernel at %s', async (address) => {
    lossOnceIn = 0;
    const probe = (protocol: ProbeProtocol, port: number) =>
      new Promise<ProbeResult>((resolve) => {
        end.use((endpoint) => startProbe(endpoint, { protocol, address, port, timeoutMs: 5000 }, resolve));
      });
    expect((await probe('tcp', 7)).outcome).toBe('delivered');
    expect((await probe('udp', 7)).outcome).toBe('delivered');
    expect((await probe('icmp', 0)).outcome).toBe('delivered');
    expect((await probe('tcp', 9)).outcome).toBe('refused');
    expect((await probe('udp', 9)).outcome).toBe('refused');
  });

  test.each([
    [LINUX.addresses[0]!, 0],
    [LINUX.addresses[1]!, 15],
  ] as const)(
    'an endpoint sends 400 KB to the kernel at %s and reads them back, 1 frame in %i is lost',
    async (address, loss) => {
      lossOnceIn = loss;
      const bytes = random.bytes(400_000);
      const back = createHash('sha256');
      const reason = await new Promise<string>((resolve) => {
        end.use((endpoint) => {
          const connection = endpoint.connect(address, 7, { data: (part) => back.update(part), closed: resolve })!;
          connection.write(bytes);
          connection.end();
        });
      });
      expect(reason).toBe('done');
      expect(back.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
    },
  );

  test('tshark finds no malformed frame and no bad checksum in what the endpoint has sent', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'podwire-stack-'));
    const file = join(directory, 'sent.pcap');
    const frames = [...sent, ...associations()];
    writeFileSync(file, pcap(frames));
    const checked = ['ip', 'tcp', 'udp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);
    const statuses = ['ip', 'tcp', 'udp', 'icmp', 'icmpv6', 'sctp'].map((name) => `${name}.checksum.status`);
    const shown = (filter: string) => {
      const args = ['-n', '-r', file, ...checked, '-o', 'sctp.checksum:crc-32c', '-Y', filter];
      const lines = execFileSync('tshark', args, { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' });
      return lines.split('\n').filter((line) => line !== '');
    };
    expect(sent.length).toBeGreaterThan(1000);
    expect(shown(['_ws.malformed', ...statuses.map((status) => `${status} == 0`)].join(' || '))).toEqual([]);
    // It has looked: all but ARP and fragments have a checksum that it calls good.
    const good = shown([...statuses.slice(1).map((status) => `${status} == 1`)].join(' || '));
    expect(good.length).toBeGreaterThan(frames.length * 0.9);
    expect(shown('sctp.checksum.status == 1').length).toBe(7);
    rmSync(directory, { recursive: true });
  });
});

/** Seven frames of SCTP, which few kernels have. */
function associations(): Uint8Array[] {
  const wire = new Wire();
  const a = wire.endpoint('a', LINUX.addresses);
  wire.endpoint('b', ENDPOINT.addresses).listenSctp(7);
  const association = a.connectSctp(ENDPOINT.addresses[0]!, 7, { open: () => association?.shutdown() });
  wire.advance(100);
  return wire.sent.map(({ bytes }) => bytes);
}

/** draft-ietf-opsawg-pcap. */
function pcap(frames: readonly Uint8Array[]): Uint8Array {
  const header = new Uint8Array(new Uint32Array([0xa1b2c3d4, 0x0004_0002, 0, 0, 262_144, 1]).buffer);
  return joined(
    header,
    ...frames.flatMap((frame) => [new Uint8Array(new Uint32Array([0, 0, frame.length, frame.length]).buffer), frame]),
  );
}
