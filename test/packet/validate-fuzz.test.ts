/** Frames cut short, frames damaged, noise: no byte outside the frame is touched, and what goes on is sound. */
import { describe, expect, test } from 'vitest';
import { CONTINUE, Drop, outcomeName } from '../../src/packet/outcome.ts';
import { ChecksumState } from '../../src/packet/packet.ts';
import { validate } from '../../src/packet/validate.ts';
import { slowChecksum } from '../oracle/slow-checksum.ts';
import { buildFrame, type FrameSpec, protocolNumber } from '../support/frames.ts';
import { type Judged, judge, type Offload } from '../support/judge.ts';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';
import { parseFrame } from '../support/read-frame.ts';

const v6 = { source: 'fd00:10:1::2', destination: 'fd00:10:2::3' };
const payload = Uint8Array.of(0xde, 0xad, 0xbe, 0xef, 0x99);

const kinds: readonly { name: string; spec: FrameSpec; l4: number }[] = [
  { name: 'TCP', spec: { tcpOptions: [1, 1, 1, 1], payload }, l4: 34 },
  { name: 'TCP behind IPv4 options', spec: { ipOptions: [7, 7, 4, 1, 1, 1, 1], payload }, l4: 42 },
  { name: 'UDP', spec: { protocol: 'udp', payload }, l4: 34 },
  { name: 'ICMP', spec: { protocol: 'icmp', payload }, l4: 34 },
  { name: 'SCTP', spec: { protocol: 'sctp', payload }, l4: 34 },
  { name: 'GRE', spec: { protocol: 47, payload }, l4: 34 },
  { name: 'TCP over IPv6', spec: { ...v6, payload }, l4: 54 },
  { name: 'UDP over IPv6', spec: { ...v6, protocol: 'udp', payload }, l4: 54 },
  { name: 'ICMPv6', spec: { ...v6, protocol: 'icmpv6', payload }, l4: 54 },
  {
    name: 'TCP behind IPv6 extension headers',
    spec: {
      ...v6,
      extensions: [
        { type: 0, body: [] },
        { type: 60, body: Array<number>(14).fill(1) },
      ],
      payload,
    },
    l4: 78,
  },
];

/** The IP packet says that it ends where the frame ends, and its header checksum is right. */
function fitLength(frame: Uint8Array): void {
  const len = frame.length - 14;
  if (frame[12] !== 8) {
    if (len >= 40) frame.set([(len - 40) >> 8, (len - 40) & 255], 18);
    return;
  }
  const header = frame.subarray(14, 14 + (frame[14]! & 15) * 4);
  if (header.length < 20) return;
  header.set([len >> 8, len & 255], 2);
  header.set([0, 0], 10);
  const checksum = slowChecksum(header);
  header.set([checksum >> 8, checksum & 255], 10);
}

/** The shortest upper layer that is not cut inside its header, and what becomes of a longer one that is cut. */
function upperLayer(spec: FrameSpec): { least: number; cut: number } {
  const protocol = protocolNumber(spec);
  const least = { 6: spec.tcpOptions ? 24 : 20, 17: 13, 1: 8, 58: 8, 132: 12 }[protocol] ?? 0;
  return { least, cut: protocol === 47 ? CONTINUE : Drop.BadL4Checksum };
}

for (const { name, spec, l4 } of kinds)
  describe(`${name} truncated at every length`, () => {
    const frame = buildFrame(spec);
    const wanted = (len: number) => (len < 14 ? Drop.FrameTooShort : Drop.BadIpHeader);

    test('is refused as a frame or as an IP packet, whatever its offload', () => {
      const offloads: readonly Offload[] = [
        {},
        { checksum: ChecksumState.Complete },
        { checksum: ChecksumState.Partial, partialStart: l4, partialOffset: 16 },
        { checksum: ChecksumState.Partial, partialStart: l4, partialOffset: 16, gsoSize: 2 },
      ];
      for (const offload of offloads) {
        for (let len = 0; len < frame.length; len++) {
          const { outcome } = judge(frame.slice(0, len), offload, validate);
          expect([len, outcomeName(outcome)]).toEqual([len, outcomeName(wanted(len))]);
        }
      }
    });

    test('with an IP length that fits, is refused for its upper layer', () => {
      const upper = upperLayer(spec);
      for (let len = 0; len < frame.length; len++) {
        const cut = frame.slice(0, len);
        if (len >= 34) fitLength(cut);
        const want = len < l4 ? wanted(len) : len < l4 + upper.least ? Drop.BadL4Header : upper.cut;
        const { outcome } = judge(cut, {}, validate);
        expect([len, outcomeName(outcome)]).toEqual([len, outcomeName(want)]);
      }
    });
  });

/** The promises of `validate` that a packet breaks, judged by code that shares nothing with it. */
function brokenPromises(seen: Judged, before: Uint8Array, trusted: boolean): string[] {
  const { frame, version, protocol, l4 } = seen;
  // Of a fragment nothing behind the IP header has been looked at.
  const whole = seen.fragment === 0;
  const state = whole ? ChecksumState.Complete : ChecksumState.Unverified;
  const ordinary = (trusted || seen.checksum === state) && seen.gsoSize === 0;
  if (version === 0) return seen.etherType === 0x806 && ordinary ? [] : ['goes on, but is neither IP nor plain ARP'];
  const read = parseFrame(frame);
  // UDP may be shorter than its packet; its checksum then covers less than `parseFrame` takes for UDP.
  const shortUdp = protocol === 17 && read.udpLength !== seen.l4Len;
  const own = seen.partialStart === l4 && seen.partialOffset === (protocol === 6 ? 16 : 6);
  const promises = {
    'no longer than it was': frame.length <= before.length && read.padding === 0,
    'offsets in order': l4 >= seen.l3 + (version === 4 ? 20 : 40) && seen.payload >= l4 && seen.payload <= frame.length,
    'upper layer to the end': l4 + seen.l4Len === frame.length,
    'version and protocol': read.version === version && read.protocol === protocol,
    'a fragment is called one': version === 6 || read.fragmented === !whole,
    'IP checksum': read.ipChecksum !== 'wrong',
    'complete, or its own partial checksum': ordinary || (seen.checksum === ChecksumState.Partial && own),
    'upper-layer checksum': !whole || !ordinary || trusted || shortUdp || read.checksum !== 'wrong',
  };
  return Object.entries(promises).flatMap(([promise, kept]) => (kept ? [] : [promise]));
}

function expectSound(seen: Judged, before: Uint8Array, offload: Offload): void {
  const broken = brokenPromises(seen, before, offload.checksum === ChecksumState.Complete);
  if (broken.length > 0)
    expect({ broken, before: Buffer.from(before).toString('hex'), offload }).toEqual({ broken: [] });
}

function randomOffload(random: Random, len: number): Offload {
  if (random.once(3)) return {};
  const small = () => random.pick([0, 2, 4, 6, 8, 12, 14, 16, 20, 34, 38, 54, 78, len, random.below(100), 65_535]);
  return {
    checksum: random.once(8) ? ChecksumState.Complete : ChecksumState.Partial,
    partialStart: small(),
    partialOffset: small(),
    gsoSize: random.once(4) ? random.pick([1, 2, 1400, 65_535]) : 0,
  };
}

function damage(random: Random, frame: Uint8Array): Uint8Array {
  const copy = random.once(4) ? frame.slice(0, random.below(frame.length + 1)) : frame.slice();
  for (let times = random.below(4); times > 0 && copy.length > 0; times--) {
    const at = random.once(2) ? 12 + random.below(30) : random.below(copy.length);
    if (at < copy.length) copy[at] = random.once(2) ? random.below(256) : random.pick([0, 1, 4, 0x45, 0x60, 44, 0xff]);
  }
  if (random.once(2) && copy.length >= 34) fitLength(copy);
  return copy;
}

test('damaged frames, with and without offload: never throws, and what goes on is sound', () => {
  withRandom((random) => {
    const outcomes = new Map<string, number>();
    for (let round = 0; round < PACKETS / 10; round++) {
      const frame = damage(random, buildFrame(random.pick(kinds).spec));
      const offload = randomOffload(random, frame.length);
      const seen = judge(frame, offload, validate);
      if (seen.outcome === CONTINUE) expectSound(seen, frame, offload);
      else if (seen.outcome > 0) expect(outcomeName(seen.outcome)).toBe('a drop');
      const name = outcomeName(seen.outcome);
      outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
    }
    expect(outcomes.get('in progress')).toBeGreaterThan(PACKETS / 120);
    expect(outcomes.size).toBeGreaterThan(10);
  });
});

test('noise behind a good Ethernet header: never throws', () => {
  withRandom((random) => {
    for (let round = 0; round < PACKETS / 20; round++) {
      const frame = random.bytes(15 + random.below(120));
      frame.set(
        random.pick([
          [8, 0, 0x45],
          [8, 0, 0x4f],
          [0x86, 0xdd, 0x60],
          [8, 6, 0],
          [0x81, 0, 0],
        ]),
        12,
      );
      frame[6]! &= 0xfe;
      const offload = randomOffload(random, frame.length);
      const seen = judge(frame, offload, validate);
      if (seen.outcome === CONTINUE) expectSound(seen, frame, offload);
    }
  });
});

test('CT-006 checksums left to the receiver: nothing else is judged otherwise, and nothing is called complete', () => {
  withRandom((random) => {
    let left = 0;
    for (let round = 0; round < PACKETS / 20; round++) {
      const frame = damage(random, buildFrame(random.pick(kinds).spec));
      const offload = random.once(2) ? {} : randomOffload(random, frame.length);
      const strict = judge(frame, offload, validate);
      const seen = judge(frame, offload, (pkt) => validate(pkt, true));
      const mine = seen.outcome === CONTINUE && seen.checksum === ChecksumState.Unverified && seen.fragment === 0;
      if (mine) {
        left++;
        expect([6, 17]).toContain(seen.protocol);
        expect([CONTINUE, Drop.BadL4Checksum]).toContain(strict.outcome);
      } else if (strict.outcome !== CONTINUE) {
        expect(outcomeName(seen.outcome)).toBe(outcomeName(strict.outcome));
      } else {
        expect(seen).toEqual(strict);
      }
    }
    expect(left).toBeGreaterThan(PACKETS / 200);
  });
});
