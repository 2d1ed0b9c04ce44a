/** Frames of any kind: nothing is thrown, nothing grows, and what is open goes on. */
import { expect, test } from 'vitest';
import { ChecksumState, type Packet } from '../../src/packet/packet.ts';
import { Endpoint } from '../../src/stack/endpoint.ts';
import { serveEcho } from '../../src/stack/probe.ts';
import { buildFrame, newPacket, writeBytes } from '../support/frames.ts';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';
import { Wire } from './wire.ts';

/** `PODWIRE_PACKETS=1000000` makes it 100,000. */
const FRAMES = PACKETS / 10;
const A = ['10.244.0.2', 'fd00::2'];
const B = ['10.244.1.2', 'fd00::1:2'];
const IPV4 = 0x0800;

/** All frames of conversations in every protocol, with loss. */
function conversations(): Uint8Array[] {
  const wire = new Wire({ lossOnceIn: 8, jitterMs: 10, mtu: 1280 });
  const [a, b] = [wire.endpoint('a', A), wire.endpoint('b', B)];
  for (const protocol of ['tcp', 'udp', 'sctp'] as const) serveEcho(b, protocol, 7);
  for (const address of B) {
    for (const port of [7, 8]) {
      const client = a.connect(address, port, {})!;
      client.write(new Uint8Array(5000));
      client.end();
      a.openUdp(0, {}).send(address, port, new Uint8Array(2500));
      const association = a.connectSctp(address, port, { open: () => association?.shutdown() });
    }
    a.openPing({}).send(address, 1, new Uint8Array(30));
  }
  wire.advance(60_000);
  return wire.sent.map(({ bytes }) => bytes);
}

/** Addresses such that the endpoint feels meant, a few changes, and mostly right checksums all the same. */
function mutated(random: Random, frames: readonly Uint8Array[], mac: string): Uint8Array {
  const frame = random.pick(frames).slice(0, random.once(20) ? random.between(6, 80) : undefined);
  frame.set(mac.split(':').map((octet) => Number.parseInt(octet, 16)));
  const ipv4 = frame[12]! * 256 + frame[13]! === IPV4;
  for (let i = random.below(4); i > 0; i--) {
    const at = random.once(2) ? random.between(14, 75) : random.below(frame.length);
    if (at < frame.length) frame[at] = random.once(2) ? frame[at]! ^ (1 << random.below(8)) : random.word();
  }
  const headerLen = ipv4 ? (frame[14]! & 15) * 4 : 40;
  if (ipv4 && headerLen >= 20 && frame.length >= 14 + headerLen) patch(frame, 14, headerLen, 10, 0);
  return frame;
}

function patch(frame: Uint8Array, at: number, len: number, field: number, initial: number): void {
  frame.fill(0, at + field, at + field + 2);
  let sum = initial;
  for (let i = at; i < at + len; i++) sum += (i - at) % 2 === 0 ? frame[i]! << 8 : frame[i]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  frame.set([~sum >> 8, ~sum], at + field);
}

/** Half of them say that their checksum is nobody's business (partial): most changes get past `validate`. */
function load(random: Random, pkt: Packet, frame: Uint8Array): void {
  writeBytes(pkt, frame);
  if (random.once(50)) pkt.gsoSize = random.below(2000);
  if (random.once(2)) return;
  const ipv4 = frame[12] === 8;
  pkt.checksum = ChecksumState.Partial;
  pkt.partialStart = ipv4 ? 34 : 54;
  pkt.partialOffset = frame[ipv4 ? 23 : 20] === 17 ? 6 : 16;
}

/** Lets everything time out. */
function drain(endpoint: Endpoint, fromMs: number): void {
  let nowMs = fromMs;
  for (let i = 0; i < 20_000 && endpoint.nextDueMs !== Infinity; i++) {
    nowMs = Math.max(nowMs, endpoint.nextDueMs);
    endpoint.wake(nowMs);
  }
}

test(`RFC 1122 section 1.2.2: ${FRAMES} mutations of real frames neither throw nor pile up`, { timeout: 120_000 }, () =>
  withRandom((random) => {
    const frames = conversations();
    expect(frames.length).toBeGreaterThan(50);
    const mac = '0a:58:0a:f4:00:02';
    let sent = 0;
    // An endpoint with the addresses of both ends: every frame concerns it.
    const addresses = [...A, ...B];
    const endpoint = new Endpoint({ mac, addresses, mtu: 1280, random: () => random.word() | 0, send: () => sent++ });
    for (const protocol of ['tcp', 'udp', 'sctp'] as const) serveEcho(endpoint, protocol, 7);
    const pkt = newPacket();
    let nowMs = 0;
    let [mostSent, mostConnections] = [0, 0];
    for (let i = 0; i < FRAMES; i++) {
      const before = sent;
      load(random, pkt, mutated(random, frames, mac));
      endpoint.receive(pkt, nowMs);
      if (random.once(10)) {
        nowMs += random.below(200);
        endpoint.wake(nowMs);
      }
      mostSent = Math.max(mostSent, sent - before);
      mostConnections = Math.max(mostConnections, endpoint.connectionCount);
    }
    expect(sent).toBeGreaterThan(FRAMES / 100);
    expect(mostSent).toBeLessThan(200);
    expect(mostConnections).toBeLessThanOrEqual(1024);
    drain(endpoint, nowMs);
    expect(endpoint.nextDueMs).toBe(Infinity);
  }),
);

test('RFC 4987: a flood of SYNs is bounded, and who is connected stays connected', () => {
  const wire = new Wire({ delayMs: 0 });
  const [a, b] = [wire.endpoint('a', A), wire.endpoint('b', B)];
  serveEcho(b, 'tcp', 7);
  let echoed = 0;
  const client = a.connect(B[0]!, 7, { data: (bytes) => (echoed += bytes.length) })!;
  wire.advance(10);
  const destinationMac = wire.macOf('b');
  for (let i = 0; i < 3000; i++) {
    const source = `10.9.${i >> 8}.${i & 255}`;
    wire.deliver('b', buildFrame({ destinationMac, source, destination: B[0]!, destinationPort: 7, flags: 2 }));
  }
  expect(b.connectionCount).toBe(257);
  client.write(new Uint8Array(100));
  wire.advance(10);
  expect(echoed).toBe(100);
  wire.advance(100_000);
  expect(b.connectionCount).toBe(1);
});
