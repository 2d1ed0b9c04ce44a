import { describe, expect, test } from 'vitest';
import * as flowKey from '../../src/packet/flow-key.ts';
import { loadKey } from '../../src/packet/load-key.ts';
import { CONTINUE } from '../../src/packet/outcome.ts';
import { validate } from '../../src/packet/validate.ts';
import { Way, way, wayIndex, wayKind } from '../../src/packet/way.ts';
import { type FrameSpec, newPacket, writeFrame } from '../support/frames.ts';

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
