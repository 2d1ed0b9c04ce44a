import { describe, expect, test } from 'vitest';
import * as flowKey from '../../src/packet/flow-key.ts';
import { loadKey } from '../../src/packet/load-key.ts';
import { CONTINUE } from '../../src/packet/outcome.ts';
import { validate } from '../../src/packet/validate.ts';
import { Way, way, wayIndex, wayKind } from '../../src/packet/way.ts';
import { type FrameSpec, newPacket, writeFrame } from '../support/frames.ts';
import { type Random, withRandom } from '../support/random.ts';

const pkt = newPacket();
const v6 = { source: 'fd00:10:1::2', destination: 'fd00:10:2::3' };

function keyOf(spec: FrameSpec): number[] {
  expect(validate(writeFrame(pkt, spec))).toBe(CONTINUE);
  pkt.key.fill(0xa5a5);
  loadKey(pkt);
  return [...pkt.key];
}

const source4 = [0, 0, 0xffff, 0x0a010002];
const destination4 = [0, 0, 0xffff, 0x0a010105];
const source6 = [0xfd000010 | 0, 0x10000, 0, 2];
const destination6 = [0xfd000010 | 0, 0x20000, 0, 3];

const rows = [
  { name: 'TCP', spec: {}, want: [...source4, ...destination4, (40_000 << 16) | 8080, 0x406] },
  { name: 'UDP', spec: { protocol: 'udp', sourcePort: 1 }, want: [...source4, ...destination4, 0x10000 | 8080, 0x411] },
  { name: 'SCTP', spec: { protocol: 'sctp' }, want: [...source4, ...destination4, (40_000 << 16) | 8080, 0x484] },
  { name: 'IPv6 TCP', spec: v6, want: [...source6, ...destination6, (40_000 << 16) | 8080, 0x606] },
  {
    name: 'TCP behind IPv4 options',
    spec: { ipOptions: [1, 1, 1] },
    want: [...source4, ...destination4, (40_000 << 16) | 8080, 0x406],
  },
  {
    name: 'IPv6 UDP behind extension headers',
    spec: { ...v6, protocol: 'udp', extensions: [{ type: 60, body: [1, 4] }] },
    want: [...source6, ...destination6, (40_000 << 16) | 8080, 0x611],
  },
  {
    name: 'CT-043 ICMP: identifier, type and code',
    spec: { protocol: 'icmp', icmpType: 13, icmpCode: 2, identifier: 0xfedc },
    want: [...source4, ...destination4, 0xfedc0d02 | 0, 0x401],
  },
  {
    name: 'CT-043 ICMPv6: identifier, type and code',
    spec: { ...v6, protocol: 'icmpv6', icmpType: 129, identifier: 5 },
    want: [...source6, ...destination6, 0x00058100, 0x63a],
  },
  {
    name: 'CT-048 a protocol without ports',
    spec: { protocol: 47, payload: 20 },
    want: [...source4, ...destination4, 0, 0x42f],
  },
  {
    name: 'ICMP in IPv6 has no ports',
    spec: { ...v6, protocol: 'icmp' },
    want: [...source6, ...destination6, 0, 0x601],
  },
  { name: 'ICMPv6 in IPv4 has no ports', spec: { protocol: 'icmpv6' }, want: [...source4, ...destination4, 0, 0x43a] },
] as const;
for (const { name, spec, want } of rows)
  test(`the key of ${name}`, () => {
    expect(keyOf(spec)).toEqual(want);
  });

describe('the inverted key is that of the packets that answer', () => {
  const answers = [
    [{}, { sourcePort: 8080, destinationPort: 40_000 }],
    [
      { protocol: 'udp', sourcePort: 0xfedc, destinationPort: 0x8001 },
      { protocol: 'udp', sourcePort: 0x8001, destinationPort: 0xfedc },
    ],
    [
      { protocol: 47, payload: 9 },
      { protocol: 47, payload: 4 },
    ],
    [
      { protocol: 'icmp', icmpType: 8, identifier: 0xffff },
      { protocol: 'icmp', icmpType: 0, identifier: 0xffff },
    ],
    [
      { protocol: 'icmp', icmpType: 14, icmpCode: 3 },
      { protocol: 'icmp', icmpType: 13, icmpCode: 3 },
    ],
    [
      { protocol: 'icmp', icmpType: 17 },
      { protocol: 'icmp', icmpType: 18 },
    ],
    [
      { protocol: 'icmp', icmpType: 16 },
      { protocol: 'icmp', icmpType: 15 },
    ],
  ] as const satisfies readonly (readonly [FrameSpec, FrameSpec])[];

  function inverted(spec: FrameSpec): number[] {
    const there = Int32Array.from([7, ...keyOf(spec)]);
    const back = new Int32Array(flowKey.KEY_WORDS + 2).fill(0xa5a5);
    flowKey.invertKey(there, 1, back, 2);
    expect([...back.subarray(0, 2)]).toEqual([0xa5a5, 0xa5a5]);
    return [...back.subarray(2)];
  }

  for (const [spec, answer] of answers)
    test(`IPv4 ${JSON.stringify(spec)}`, () => {
      expect(inverted(spec)).toEqual(keyOf({ ...answer, source: '10.1.1.5', destination: '10.1.0.2' }));
    });

  test('IPv6 echo', () => {
    const reply = { protocol: 'icmpv6', icmpType: 129, source: v6.destination, destination: v6.source } as const;
    expect(inverted({ ...v6, protocol: 'icmpv6', icmpType: 128 })).toEqual(keyOf(reply));
  });

  test('in one array, from one place to another', () => {
    const keys = new Int32Array(30).fill(-1);
    keys.set(keyOf({}), 10);
    flowKey.invertKey(keys, 10, keys, 20);
    flowKey.invertKey(keys, 20, keys, 0);
    expect(keys.subarray(0, 10)).toEqual(keys.subarray(10, 20));
    expect(flowKey.keysEqual(keys, 0, keys, 10)).toBe(true);
    expect(flowKey.keysEqual(keys, 10, keys, 20)).toBe(false);
  });
});

test('keys are equal in all ten words only', () => {
  const a = Int32Array.from({ length: 10 }, (_, i) => i);
  for (let word = 0; word < 10; word++) {
    const b = Int32Array.from([99, ...a]);
    b[word + 1]! ^= 0x80000000 | 0;
    expect(flowKey.keysEqual(a, 0, b, 1)).toBe(false);
  }
  expect(flowKey.keysEqual(a, 0, Int32Array.from([99, ...a]), 1)).toBe(true);
});

test('a key says its version and protocol, and whether it is an ICMP query', () => {
  const key = (version: number, protocol: number) =>
    Int32Array.from({ length: 10 }, (_, i) => (i === 9 ? flowKey.protocolWord(version, protocol) : 0));
  const icmp = [];
  for (const version of [4, 6]) {
    for (let protocol = 0; protocol < 256; protocol++) {
      const keys = key(version, protocol);
      expect([flowKey.keyVersion(keys, 0), flowKey.keyProtocol(keys, 0)]).toEqual([version, protocol]);
      if (flowKey.keyIsIcmp(keys, 0)) icmp.push([version, protocol]);
    }
  }
  expect(icmp).toEqual([
    [4, 1],
    [6, 58],
  ]);
});

test('a way keeps its kind and its index', () => {
  for (const kind of Object.values(Way)) {
    for (const index of [0, 1, 0xffffff]) {
      expect([wayKind(way(kind, index)), wayIndex(way(kind, index))]).toEqual([kind, index]);
    }
  }
});

/** Keys as `loadKey` makes them: of IPv4 the upper words are constant. */
function randomKey(random: Random, version: number): Int32Array {
  const key = Int32Array.from({ length: flowKey.KEY_WORDS }, () => random.word());
  if (version === 4) key.set([0, 0, 0xffff], flowKey.KEY_SOURCE);
  if (version === 4) key.set([0, 0, 0xffff], flowKey.KEY_DESTINATION);
  key[flowKey.KEY_PROTOCOL] = flowKey.protocolWord(version, random.below(256));
  return key;
}

/** Words of a key that its sender chooses. */
const freeWords = { 4: [3, 7, 8], 6: [0, 1, 2, 3, 4, 5, 6, 7, 8] } as const;

/** Of the words that its sender chooses, and of the protocol. */
function keyBits(version: 4 | 6): number[] {
  const free = freeWords[version].flatMap((word) => Array.from({ length: 32 }, (_, bit) => word * 32 + bit));
  return [...free, ...Array.from({ length: 8 }, (_, bit) => flowKey.KEY_PROTOCOL * 32 + bit)];
}

/** A random key and all that differ from it in some of eight bits. */
function neighbours(random: Random, version: 4 | 6): Int32Array[] {
  let keys = [randomKey(random, version)];
  const bits = new Set(Array.from({ length: 8 }, () => random.pick(freeWords[version]) * 32 + random.below(32)));
  for (const bit of bits) {
    const changed = keys.map((key) => key.slice());
    for (const key of changed) key[bit >> 5]! ^= 1 << (bit & 31);
    keys = [...keys, ...changed];
  }
  return keys;
}

describe.each([4, 6] as const)('the hash of an IPv%i key', (version) => {
  test('depends on the seed, on every bit that can differ, and on nothing around the key', () => {
    withRandom((random) => {
      for (let round = 0; round < 50; round++) {
        const keys = Int32Array.from([random.word(), ...randomKey(random, version), random.word()]);
        const seed = random.word();
        const hash = flowKey.hashKey(keys, 1, seed);
        for (let bit = 0; bit < 32; bit++) expect(flowKey.hashKey(keys, 1, seed ^ (1 << bit))).not.toBe(hash);
        for (const bit of keyBits(version)) {
          keys[1 + (bit >> 5)]! ^= 1 << (bit & 31);
          expect(flowKey.hashKey(keys, 1, seed)).not.toBe(hash);
          keys[1 + (bit >> 5)]! ^= 1 << (bit & 31);
        }
        keys[0]! ^= -1;
        keys[flowKey.KEY_WORDS + 1]! ^= -1;
        expect(flowKey.hashKey(keys, 1, seed)).toBe(hash);
      }
    });
  });

  test('spreads keys that differ in any eight bits, in its lowest and in its highest bits', () => {
    withRandom((random) => {
      for (let round = 0; round < 100; round++) {
        const keys = neighbours(random, version);
        const seed = random.word();
        const hashes = keys.map((key) => flowKey.hashKey(key, 0, seed));
        const low = new Set(hashes.map((hash) => hash & 0xffff));
        const high = new Set(hashes.map((hash) => hash >>> 16));
        expect(Math.min(low.size, high.size)).toBeGreaterThan(keys.length * 0.9);
      }
    });
  });

  test('nobody without the seed finds a change of two words that cancels out', () => {
    withRandom((random) => {
      let same = 0;
      const tries = 10_000;
      for (let i = 0; i < tries; i++) {
        const key = randomKey(random, version);
        const seed = random.word();
        const hash = flowKey.hashKey(key, 0, seed);
        // The change of a highest bit survives a multiplication whole: hashes of those and shifts alone fail here.
        const bit = 1 << random.pick([31, 31, random.below(32)]);
        const first = random.pick(freeWords[version]);
        key[first]! ^= bit;
        key[random.pick(freeWords[version].filter((word) => word !== first))]! ^= bit | (bit >>> random.below(32));
        if (((flowKey.hashKey(key, 0, seed) ^ hash) & 0xffff) === 0) same++;
      }
      expect(same).toBeLessThan(8); // by chance one in 65,536
    });
  });
});
