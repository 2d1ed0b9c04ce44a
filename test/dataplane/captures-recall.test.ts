/** What the flight recorder still knows, told as a capture would have; and translated flows. */
import { describe, expect, test } from 'vitest';
import { HopFrames } from '../../src/capture/hop-frames.ts';
import { Verdicts } from '../../src/dataplane/capture.ts';
import { RECORDS } from '../../src/dataplane/flight-recorder.ts';
import { ChecksumState } from '../../src/packet/packet.ts';
import { layoutOf } from '../oracle/slow-segmenter.ts';
import { writeBytes } from '../support/frames.ts';
import { servicesOf } from '../support/services.ts';
import { API, CapturedWorld, HOST, N2, type Seen, UNDERLAY, WEB } from './captured-world.ts';
import { arp } from './link-frames.ts';
import { encapsulated, nodes, places, World, words } from './world.ts';

const SNAP = 128;
const SYN = 2;

/** One packet of every kind. */
function scene({ world }: CapturedWorld): void {
  world.send('web', { flags: SYN, checksum: 'partial' });
  world.send('web', { destination: nodes.n2.pod[1], payload: 900, protocol: 'udp' });
  world.send('web', { destination: nodes.n2.pod[0], payload: 5000, gsoSize: 1000, sourcePort: 3 });
  world.send('host', { destination: places.web.addresses[0], protocol: 'icmp' });
  world.sendBytes('web', arp({ sourceMac: places.web.mac, sender: '10.244.1.2', target: '169.254.1.1' }));
  world.send('web', { destination: '8.8.8.8' });
  world.send('web', { flags: 0 });
  world.pkt.outerPort = 51_234;
  world.tunnel('n2', { payload: 700, sourcePort: 6 });
  world.tunnel('n3', { destination: places.api.addresses[1], protocol: 'udp', payload: 20 });
  const big = encapsulated('n2', { payload: 3000, gsoSize: 1000, sourcePort: 9 });
  writeBytes(world.pkt, big);
  const { l4 } = layoutOf(big.slice(8));
  Object.assign(world.pkt, { gsoSize: 1000, checksum: ChecksumState.Partial, partialStart: l4, partialOffset: 16 });
  world.tunnelStory(nodes.n2.underlay, 0);
  world.tunnelBytes(nodes.n2.underlay, encapsulated('n2', { destinationMac: '02:70:00:00:00:77' }));
}

function framesOf({ sighting }: Seen): string[] {
  const frames = new HopFrames();
  const all: string[] = [];
  frames.begin(sighting, SNAP);
  while (frames.next()) {
    const bytes = frames.bytes.slice(frames.at, frames.at + frames.len);
    all.push(`${Buffer.from(bytes).toString('hex')} of ${frames.wireLen}`);
  }
  return all;
}

describe('recall', () => {
  test('tells of what came in as a live capture of 128 bytes does', () => {
    const one = new CapturedWorld();
    const live = one.tap({ snapLen: SNAP });
    scene(one);
    const past = one.create({ snapLen: SNAP });
    one.captures.recall(past.capture, 60_000, one.world.nowMs);
    const came = live.seen().filter(({ outgoing }) => !outgoing);
    const recalled = past.seen();
    expect(recalled).toHaveLength(11);
    for (const [i, seen] of recalled.entries()) {
      const { hop, outcome, ingress, egress, wireLen, gsoSize, connection, innerOffset, originated } = came[i]!;
      expect(seen).toMatchObject({
        hop,
        outcome,
        ingress,
        egress,
        wireLen,
        gsoSize,
        connection,
        innerOffset,
        originated,
      });
      // Of a long tunnelled frame 128 bytes were kept from the VXLAN header on; outer headers are made for it.
      const [mine, wanted] = [framesOf(seen), framesOf(came[i]!)];
      if (seen.gsoSize > 0 && innerOffset > 0) {
        expect(mine).toHaveLength(3);
        for (const [piece, text] of mine.entries()) {
          expect(wanted[piece]!.startsWith(text.slice(0, 2 * 104)), text).toBe(true);
          expect(text.split(' of ')[0]).toHaveLength(2 * 104); // its headers: what is behind them is not known
          expect(text.split(' of ')[1]).toBe(wanted[piece]!.split(' of ')[1]);
        }
      } else expect(mine).toEqual(wanted);
    }
  });

  test('only the last so many milliseconds, at the times of then, each with a number of its own', () => {
    const one = new CapturedWorld();
    for (const nowMs of [1000, 1500, 2000]) {
      one.world.nowMs = nowMs;
      one.world.send('web');
    }
    const live = one.create();
    one.captures.recall(live.capture, 500, 2000);
    one.captures.start(live.capture);
    const now = one.timeNs;
    one.world.send('web');
    const seen = live.seen().filter(({ outgoing }) => !outgoing);
    expect(seen.map(({ timeNs }) => timeNs)).toEqual([now - 500e6, now, now + 1]);
    expect(new Set(seen.map(({ number }) => number)).size).toBe(3);
  });

  test('never more than was kept, and how long it was', () => {
    const one = new CapturedWorld();
    one.world.send('web', { payload: 900 });
    one.world.tunnel('n2', { payload: 900 });
    one.world.send('web', { payload: 20 });
    const tap = one.create();
    one.captures.recall(tap.capture, 1000, one.world.nowMs);
    const lengths = tap.seen().map(({ bytes, wireLen }) => [bytes.length, wireLen]);
    expect(lengths).toEqual([
      [128, 954],
      [128 + 42, 954 + 50],
      [74, 74],
    ]);
  });

  test('numbers are not those of packets that are told later', () => {
    const one = new CapturedWorld();
    for (let i = 0; i < RECORDS + 50; i++) one.world.send('web');
    const tap = one.create({ ringBytes: 1 << 22, snapLen: 30 });
    one.captures.recall(tap.capture, 1e6, one.world.nowMs);
    one.captures.start(tap.capture);
    for (let i = 0; i < 300; i++) one.world.send('web');
    const numbers = tap
      .seen()
      .filter(({ outgoing }) => !outgoing)
      .map(({ number }) => number);
    expect(numbers).toHaveLength(RECORDS + 300);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test('asks hops, verdicts and noise, and loses what does not fit', () => {
    const one = new CapturedWorld();
    scene(one);
    one.world.send('web', { destination: '224.0.0.22', protocol: 2, payload: 8, ttl: 1 });
    const outcomes = (options: object) => {
      const tap = one.create(options);
      one.captures.recall(tap.capture, 60_000, one.world.nowMs);
      return tap.seen().map(({ hop, outcome }) => `${hop} ${outcome}`);
    };
    expect(outcomes({ verdicts: Verdicts.Dropped })).toEqual([
      `${WEB} dropped: NoRoute`,
      `${WEB} dropped: Invalid`,
      `${N2} dropped: WrongTunnelMac`,
    ]);
    expect(outcomes({ hops: [HOST] })).toEqual([`${HOST} delivered`]);
    expect(outcomes({ hops: [N2] })).toHaveLength(3);
    expect(outcomes({ hops: [UNDERLAY] })).toHaveLength(4);
    expect(outcomes({ hops: [API] })).toEqual([]);
    expect(outcomes({ hops: [WEB], noise: false })).toHaveLength(6);
    expect(outcomes({ hops: [WEB] })).toHaveLength(7);
    expect(outcomes({ verdicts: Verdicts.Events, hops: [WEB] })).toHaveLength(5);
    for (let i = 0; i < RECORDS; i++) one.world.send('web', { payload: 200 });
    const tap = one.create({ ringBytes: 1 << 18 });
    one.captures.recall(tap.capture, 60_000, one.world.nowMs);
    const told = tap.seen().length;
    expect(tap.capture.losses()).toEqual([{ hop: WEB, count: RECORDS - told }]);
  });
});

describe('translated flows', () => {
  const key = (from: string, to: string, ports: number) => [...words(from), ...words(to), ports | 0, (4 << 8) | 6];
  const client = '10.244.1.2';

  test('tell their keys before and after, at both hops and in both directions', () => {
    const world = new World();
    const backends = [{ address: words('10.244.1.3'), port: 8080 }];
    world.dp.services = servicesOf(
      [{ address: words('10.96.0.1'), port: 80, protocolWord: (4 << 8) | 6, backends }],
      3,
    );
    const one = new CapturedWorld(world);
    const tap = one.tap();
    world.send('web', { destination: '10.96.0.1', destinationPort: 80, flags: SYN });
    const before = key(client, '10.96.0.1', (40_000 << 16) | 80);
    const after = key(client, '10.244.1.3', (40_000 << 16) | 8080);
    expect(tap.seen().map(({ keys }) => keys)).toEqual([
      [...before, ...after],
      [...before, ...after],
    ]);
    world.send('api', { destination: client, sourcePort: 8080, destinationPort: 40_000, flags: 0x12 });
    const back = [
      ...key('10.244.1.3', client, (8080 << 16) | 40_000),
      ...key('10.96.0.1', client, (80 << 16) | 40_000),
    ];
    expect(tap.seen().map(({ keys }) => keys)).toEqual([back, back]);
  });

  test('a source port that moved', () => {
    const world = new World();
    const backends = [{ address: words('10.244.1.3'), port: 8080 }];
    world.dp.services = servicesOf(
      [{ address: words('10.96.0.1'), port: 80, protocolWord: (4 << 8) | 6, backends }],
      3,
    );
    const one = new CapturedWorld(world);
    world.send('web', { destination: '10.96.0.1', destinationPort: 80, flags: SYN });
    world.randomWord = 5000;
    const tap = one.tap();
    world.send('web', { flags: SYN, destinationPort: 8080 });
    const [came, left] = tap.seen();
    const after = key(client, '10.244.1.3', (6024 << 16) | 8080);
    expect(came!.keys).toEqual([...key(client, '10.244.1.3', (40_000 << 16) | 8080), ...after]);
    expect(left!.keys).toEqual(came!.keys);
  });

  test('others tell none', () => {
    const one = new CapturedWorld();
    const tap = one.tap();
    one.world.send('web');
    one.world.send('web', { destination: '8.8.8.8' });
    expect(tap.seen().map(({ keys }) => keys)).toEqual(Array(4).fill(undefined));
  });
});
