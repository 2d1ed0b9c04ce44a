/** Frames of sightings as they are in a file: whole at a pod, wire packets in a tunnel, checksums right. */
import { describe, expect, test } from 'vitest';
import { HopFrames } from '../../src/capture/hop-frames.ts';
import { ChecksumState } from '../../src/packet/packet.ts';
import { type Sighting, SightingBit } from '../../src/recording/sighting.ts';
import { CapturedWorld, OUTER_LEN, putOuter, UNDERLAY, WEB } from '../dataplane/captured-world.ts';
import { encapsulated, nodes, places } from '../dataplane/world.ts';
import { layoutOf, slowSegments } from '../oracle/slow-segmenter.ts';
import { buildFrame, type FrameSpec, writeBytes } from '../support/frames.ts';
import { parseFrame } from '../support/read-frame.ts';

const INNER = OUTER_LEN + 8;
const WHOLE = 1 << 18;
const frames = new HopFrames();

interface Shown {
  readonly bytes: Uint8Array;
  readonly wireLen: number;
}

function shown(sighting: Sighting, snapLen = WHOLE): Shown[] {
  const all: Shown[] = [];
  frames.begin(sighting, snapLen);
  while (frames.next()) {
    all.push({ bytes: frames.bytes.slice(frames.at, frames.at + frames.len), wireLen: frames.wireLen });
  }
  expect(frames.next()).toBe(false);
  return all;
}

/** One world for all: what is sent twice is sent as well as the first time. */
const one = new CapturedWorld();

/** The only sighting at the underlay while `run` runs. */
function sightingOf(snapLen: number, run: () => string): Sighting {
  const tap = one.tap({ hops: [UNDERLAY], snapLen, ringBytes: 1 << 18 });
  expect(run()).toBe('delivered');
  one.captures.stop(tap.capture);
  return tap.seen()[0]!.sighting;
}

/** What the underlay's hop tells of a superframe that web sends to n2, and what was sent. */
function sent(spec: FrameSpec, snapLen = WHOLE): { sighting: Sighting; inner: Uint8Array } {
  const sighting = sightingOf(snapLen, () => one.world.send('web', spec));
  return { sighting, inner: one.world.underlay.sent.splice(0).at(-1)!.bytes.slice(8) };
}

/** The same of one that comes from n2. @param outer headers that it comes with; none where a socket has taken them. */
function received(spec: FrameSpec, snapLen = WHOLE, outer?: Uint8Array): { sighting: Sighting; inner: Uint8Array } {
  const { world } = one;
  const { pkt } = world;
  const bytes = encapsulated('n2', spec);
  writeBytes(pkt, bytes);
  const { l4, protocol } = layoutOf(bytes.slice(8));
  pkt.checksum = ChecksumState.Partial;
  pkt.gsoSize = spec.gsoSize!;
  pkt.partialStart = l4;
  pkt.partialOffset = protocol === 6 ? 16 : 6;
  pkt.outerPort = 50_000;
  if (outer !== undefined) putOuter(world, outer, bytes);
  const sighting = sightingOf(snapLen, () => world.tunnelStory(nodes.n2.underlay, 0));
  pkt.outerLen = 0;
  return { sighting, inner: bytes.slice(8) };
}

/** Outer headers by hand: every segment has the superframe's, with lengths of its own. */
function expectOuter(outer: Uint8Array, innerLen: number, source: string, destination: string, options = 0): void {
  const frame = parseFrame(Uint8Array.from([...outer, ...new Uint8Array(innerLen)]));
  expect(frame).toMatchObject({
    ...{ source, destination, destinationPort: 4789, protocol: 17, ipChecksum: 'right', checksum: 'zero' },
    ...{ ipLen: 20 + options + 8 + 8 + innerLen, udpLength: 8 + 8 + innerLen, padding: 0 },
  });
  expect([...frame.payload.subarray(0, 8)]).toEqual([8, 0, 0, 0, 0, 0, 1, 0]);
}

const far = { 4: nodes.n2.pod[0], 6: nodes.n2.pod[1] } as const;
const near = { 4: places.web.addresses[0], 6: places.web.addresses[1] } as const;
const kinds: { readonly version: 4 | 6; readonly spec: FrameSpec }[] = [
  { version: 4, spec: { payload: 337, gsoSize: 100, flags: 0x18, tcpOptions: [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8] } },
  { version: 4, spec: { payload: 300, gsoSize: 100, protocol: 'udp' } },
  { version: 6, spec: { payload: 301, gsoSize: 100 } },
  { version: 6, spec: { payload: 99 + 250, gsoSize: 125, protocol: 'udp' } },
  { version: 4, spec: { payload: 90, gsoSize: 100 } },
  { version: 4, spec: { payload: 5, gsoSize: 2, id: 0xffff } },
];
const nameOf = ({ version, spec }: (typeof kinds)[number]) =>
  `IPv${version} ${spec.protocol ?? 'tcp'} ${spec.payload}/${spec.gsoSize}`;

const directions = [
  [
    'sent',
    (kind: (typeof kinds)[number], snap?: number) => sent({ destination: far[kind.version], ...kind.spec }, snap),
  ],
  [
    'received',
    (kind: (typeof kinds)[number], snap?: number) =>
      received({ source: far[kind.version], destination: near[kind.version], ...kind.spec }, snap),
  ],
] as const;

for (const [direction, tell] of directions) {
  describe(`a superframe that is ${direction}, on the underlay`, () => {
    for (const kind of kinds) {
      test(`is its wire packets, whole: ${nameOf(kind)}`, () => {
        const { sighting, inner } = tell(kind);
        const wanted = slowSegments(inner, kind.spec.gsoSize!);
        const all = shown(sighting);
        expect(all.length).toBe(wanted.length);
        const ends = ['172.18.0.2', nodes.n2.underlay] as const;
        for (const [i, { bytes, wireLen }] of all.entries()) {
          expect(wireLen).toBe(bytes.length);
          expect(bytes.slice(INNER)).toEqual(wanted[i]);
          const [source, destination] = direction === 'sent' ? ends : [ends[1], ends[0]];
          expectOuter(bytes.slice(0, INNER), bytes.length - INNER, source, destination);
        }
      });

      test(`for every length: ${nameOf(kind)}`, () => {
        const whole = shown(tell(kind).sighting);
        const { l4, payload, protocol } = layoutOf(whole[0]!.bytes.slice(INNER));
        const headerLen = INNER + payload;
        const field = INNER + l4 + (protocol === 6 ? 16 : 6);
        for (let snapLen = 1; snapLen <= headerLen + kind.spec.gsoSize! + 1; snapLen++) {
          const { sighting } = tell(kind, snapLen);
          const cut = snapLen < headerLen + kind.spec.gsoSize!;
          const wanted = whole.map(({ bytes, wireLen }) => {
            const copy = bytes.slice();
            if (cut) copy.fill(0, field, field + 2);
            return { bytes: copy.slice(0, snapLen), wireLen };
          });
          const all = shown(sighting, snapLen);
          if (JSON.stringify(all) !== JSON.stringify(wanted)) expect([snapLen, all]).toEqual([snapLen, wanted]);
          const most = headerLen + whole.length * Math.max(0, snapLen - headerLen);
          if (cut) expect(sighting.captured).toBeLessThanOrEqual(most);
        }
      });
    }
  });
}

describe('a superframe', () => {
  test('of 64 KiB, and one of many segments', () => {
    for (const gsoSize of [1390, 300]) {
      const { sighting, inner } = sent({ destination: far[4], payload: 65_000, gsoSize });
      const wanted = slowSegments(inner, gsoSize);
      expect(shown(sighting).map(({ bytes }) => Buffer.from(bytes.slice(INNER)))).toEqual(
        wanted.map((one) => Buffer.from(one)),
      );
      const short = sent({ destination: far[4], payload: 65_000, gsoSize }, 128);
      expect(short.sighting.captured).toBeLessThan(104 + wanted.length * 24 + 1);
      expect(shown(short.sighting, 128)).toHaveLength(wanted.length);
    }
  });

  test('with outer headers as it came, IP options among them', () => {
    const outer = buildFrame({
      source: nodes.n2.underlay,
      destination: '172.18.0.2',
      protocol: 'udp',
      ipOptions: [1, 1, 1, 1],
      destinationPort: 4789,
    });
    const { sighting, inner } = received({ ...kinds[0]!.spec, destination: near[4] }, WHOLE, outer);
    expect(sighting.innerOffset).toBe(INNER + 4);
    const wanted = slowSegments(inner, 100);
    for (const [i, { bytes }] of shown(sighting).entries()) {
      expect(bytes.slice(INNER + 4)).toEqual(wanted[i]);
      expectOuter(bytes.slice(0, INNER + 4), bytes.length - INNER - 4, nodes.n2.underlay, '172.18.0.2', 4);
    }
  });

  for (const version of [4, 6] as const) {
    test(`of UDP is its datagrams at a pod too, for every length: IPv${version}`, () => {
      const one = new CapturedWorld();
      const spec = { destination: far[version], protocol: 'udp', payload: 250, gsoSize: 100, id: 7 } as const;
      const source = places.web.addresses[version === 4 ? 0 : 1];
      const macs = { sourceMac: places.web.mac, destinationMac: '02:70:00:00:00:01' };
      const whole = slowSegments(buildFrame({ ...spec, ...macs, source, checksum: 'partial' }), 100);
      const field = layoutOf(whole[0]!).l4 + 6;
      expect(whole.map(({ length }) => length - field - 2)).toEqual([100, 100, 50]);
      for (let snapLen = 1; snapLen <= whole[0]!.length + 1; snapLen++) {
        const tap = one.tap({ hops: [WEB], snapLen });
        one.world.send('web', spec);
        one.captures.stop(tap.capture);
        const wanted = whole.map((bytes) => {
          const copy = bytes.slice(0, snapLen);
          if (snapLen < whole[0]!.length) copy.fill(0, field, field + 2);
          return { bytes: copy, wireLen: bytes.length };
        });
        expect(shown(tap.seen()[0]!.sighting, snapLen), `${snapLen} bytes`).toEqual(wanted);
      }
    });

    test(`of TCP stays whole at a pod, its checksum completed: IPv${version}`, () => {
      const one = new CapturedWorld();
      const tap = one.tap({ hops: [WEB] });
      const spec = { destination: far[version], payload: 3000, gsoSize: 1000 };
      one.world.send('web', spec);
      const [frame, ...more] = shown(tap.seen()[0]!.sighting);
      expect(more).toEqual([]);
      const source = places.web.addresses[version === 4 ? 0 : 1];
      const want = buildFrame({
        ...spec,
        gsoSize: 0,
        source,
        sourceMac: places.web.mac,
        destinationMac: '02:70:00:00:00:01',
      });
      expect(frame).toEqual({ bytes: want, wireLen: want.length });
    });
  }

  test('at a pod, cut: its first bytes', () => {
    const one = new CapturedWorld();
    const [tap, all] = [one.tap({ hops: [WEB], snapLen: 100 }), one.tap({ hops: [WEB] })];
    one.world.send('web', { destination: far[4], payload: 3000, gsoSize: 1000 });
    const [seen] = tap.seen();
    const bytes = all.seen()[0]!.bytes.slice(0, 100);
    expect(shown(seen!.sighting)).toEqual([{ bytes, wireLen: 3054 }]);
  });

  test('that is not sound is shown as it is', () => {
    const { sighting } = sent({ destination: far[4], payload: 300, gsoSize: 100 });
    const bytes = sighting.bytes.slice();
    bytes[sighting.at + INNER + 14] = 0x41; // a header of four bytes
    const broken = Object.assign(Object.create(sighting) as Sighting, {
      bytes,
      bits: sighting.bits & ~SightingBit.Partial,
    });
    expect(shown(broken)).toEqual([{ bytes: bytes.slice(sighting.at, sighting.at + sighting.captured), wireLen: 404 }]);
  });

  test('whose frames were not all asked for leaves nothing behind', () => {
    const { sighting } = sent({ destination: far[4], payload: 300, gsoSize: 100 });
    const plain = sent({ destination: far[4], payload: 3 }).sighting;
    frames.begin(sighting, WHOLE);
    frames.next();
    expect(shown(plain)).toHaveLength(1);
    frames.begin(sighting, WHOLE);
    frames.next();
    expect(shown(sighting)).toHaveLength(3);
  });
});

describe('a checksum that was left open', () => {
  for (const [name, spec] of [
    ['tcp', { payload: 33 }],
    ['udp', { payload: 33, protocol: 'udp' }],
    ['tcp6', { payload: 33, destination: far[6] }],
  ] as const) {
    test(`is completed at the pod and in the tunnel: ${name}`, () => {
      const one = new CapturedWorld();
      const tap = one.tap();
      one.world.send('web', { destination: far[4], ...spec, checksum: 'partial' });
      const [pod, tunnel] = tap.seen();
      expect([pod!.partial, tunnel!.partial]).toEqual([true, true]);
      expect(parseFrame(shown(pod!.sighting)[0]!.bytes).checksum).toBe('right');
      const [frame] = shown(tunnel!.sighting);
      expect(parseFrame(frame!.bytes.slice(INNER)).checksum).toBe('right');
      expect(frame!.bytes.slice(0, INNER)).toEqual(tunnel!.bytes.slice(0, INNER));
      expect(shown(pod!.sighting, 60)[0]!.bytes).toEqual(shown(pod!.sighting)[0]!.bytes.slice(0, 60));
    });
  }

  test('and comes to zero is 0xffff, as the kernel has it (net/core/dev.c, skb_checksum_help)', () => {
    const one = new CapturedWorld();
    const tap = one.tap({ hops: [WEB] });
    const spec = { destination: far[4], protocol: 'udp', source: places.web.addresses[0] } as const;
    const plain = buildFrame({ ...spec, payload: Uint8Array.of(0, 0) });
    const payload = plain.slice(40, 42); // the checksum of the rest: with it as payload the sum is zero
    one.world.send('web', { ...spec, payload, checksum: 'partial' });
    expect([...shown(tap.seen()[0]!.sighting)[0]!.bytes.slice(40, 42)]).toEqual([0xff, 0xff]);
  });

  test('stays where the frame was cut, or where the field is outside of it', () => {
    const one = new CapturedWorld();
    const tap = one.tap({ hops: [WEB], snapLen: 60 });
    one.world.send('web', { destination: far[4], checksum: 'partial', payload: 33 });
    const [seen] = tap.seen();
    expect(shown(seen!.sighting)[0]!.bytes).toEqual(seen!.bytes);
    const whole = sent({ destination: far[4], payload: 3, checksum: 'partial' }).sighting;
    const at = whole.at;
    const plain = whole.bytes.slice(at, at + whole.captured);
    for (const partialOffset of [whole.captured - INNER - 34 - 1, 60_000]) {
      const odd = Object.assign(Object.create(whole) as Sighting, { partialOffset });
      expect(shown(odd)[0]!.bytes).toEqual(plain);
    }
  });
});

test('an ordinary frame is shown in place, at most so many bytes of it', () => {
  const { sighting } = sent({ destination: far[4], payload: 500 });
  frames.begin(sighting, 70);
  expect(frames.next()).toBe(true);
  expect([frames.bytes === sighting.bytes, frames.at, frames.len, frames.wireLen]).toEqual([
    true,
    sighting.at,
    70,
    604,
  ]);
});
