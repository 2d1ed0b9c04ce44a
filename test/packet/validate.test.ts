import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CONTINUE, Drop, type DropName, outcomeName } from '../../src/packet/outcome.ts';
import { ChecksumState } from '../../src/packet/packet.ts';
import { validate } from '../../src/packet/validate.ts';
import { slowChecksum } from '../oracle/slow-checksum.ts';
import { buildFrame, type Extension, type FrameSpec } from '../support/frames.ts';
import { judge } from '../support/judge.ts';
import { parseFrame } from '../support/read-frame.ts';

const v6 = { source: 'fd00:10:1::2', destination: 'fd00:10:2::3' };

interface Row {
  readonly name: string;
  readonly spec?: FrameSpec;
  /** Bytes put over the frame, by position; the IPv4 header checksum is then made right again. */
  readonly put?: Readonly<Record<number, number>>;
  readonly drop: DropName;
}

function frameOf({ spec = {}, put = {} }: Omit<Row, 'name' | 'drop'>): Uint8Array {
  const frame = buildFrame(spec);
  for (const [at, byte] of Object.entries(put)) frame[Number(at)] = byte;
  if (frame[12] === 8 && Object.keys(put).length > 0) {
    const header = frame.subarray(14, 14 + Math.max((frame[14]! & 15) * 4, 20));
    header.set([0, 0], 10);
    const checksum = slowChecksum(header);
    header.set([checksum >> 8, checksum & 255], 10);
  }
  return frame;
}

const rows: readonly Row[] = [
  { name: 'an unknown type', spec: { etherType: 0x88cc }, drop: 'UnsupportedEtherType' },
  { name: 'an IEEE 802.3 length in the place of a type', spec: { etherType: 46 }, drop: 'UnsupportedEtherType' },
  { name: 'TN-011 an 802.1Q tag', spec: { etherType: 0x8100 }, drop: 'VlanTagged' },
  { name: 'TN-011 an 802.1ad tag', spec: { etherType: 0x88a8 }, drop: 'VlanTagged' },
  { name: 'a broadcast source', spec: { sourceMac: 'ff:ff:ff:ff:ff:ff' }, drop: 'BadSourceMac' },
  { name: 'a multicast source', spec: { sourceMac: '03:00:00:00:00:01', etherType: 0x806 }, drop: 'BadSourceMac' },

  { name: 'IPv4 of version 6', put: { 14: 0x65 }, drop: 'BadIpHeader' },
  { name: 'IPv4 with a header of 16 bytes', put: { 14: 0x44 }, drop: 'BadIpHeader' },
  { name: 'IPv4 with a header past the end', put: { 14: 0x4f }, drop: 'BadIpHeader' },
  { name: 'IPv4 with a total length inside its header', put: { 16: 0, 17: 19 }, drop: 'BadIpHeader' },
  { name: 'IPv4 with a total length past the end', put: { 16: 0, 17: 41 }, drop: 'BadIpHeader' },
  { name: 'IPv6 of version 4', spec: v6, put: { 14: 0x45 }, drop: 'BadIpHeader' },
  { name: 'IPv6 with a payload past the end', spec: v6, put: { 18: 0, 19: 21 }, drop: 'BadIpHeader' },
  {
    name: 'an IPv6 extension header past the end',
    spec: { ...v6, extensions: [{ type: 60, body: [] }] },
    put: { 55: 200 },
    drop: 'BadIpHeader',
  },
  {
    name: 'hop-by-hop options that are not first (RFC 8200 section 4.1)',
    spec: {
      ...v6,
      extensions: [
        { type: 60, body: [] },
        { type: 0, body: [] },
      ],
    },
    drop: 'BadIpHeader',
  },
  {
    name: 'nine extension headers',
    spec: { ...v6, extensions: Array(9).fill({ type: 60, body: [1, 4] }) },
    drop: 'BadIpHeader',
  },

  { name: 'an IPv4 option of length 0', spec: { ipOptions: [7, 0, 4, 0] }, drop: 'BadIpHeader' },
  { name: 'an IPv4 option past the header', spec: { ipOptions: [7, 40, 4, 0] }, drop: 'BadIpHeader' },

  { name: 'loose source route', spec: { ipOptions: [131, 7, 4, 10, 0, 0, 1] }, drop: 'SourceRouted' },
  { name: 'strict source route', spec: { ipOptions: [1, 137, 7, 4, 10, 0, 0, 1] }, drop: 'SourceRouted' },
  {
    name: 'IPv6 routing header with segments left (RFC 5095)',
    spec: { ...v6, extensions: [{ type: 43, body: [0, 1] }] },
    drop: 'SourceRouted',
  },

  { name: 'from loopback', spec: { source: '127.0.0.1' }, drop: 'MartianAddress' },
  { name: 'from 0.0.0.0', spec: { source: '0.0.0.0' }, drop: 'MartianAddress' },
  { name: 'from multicast', spec: { source: '224.0.0.1' }, drop: 'MartianAddress' },
  { name: 'from broadcast', spec: { source: '255.255.255.255' }, drop: 'MartianAddress' },
  { name: 'to loopback', spec: { destination: '127.8.0.1' }, drop: 'MartianAddress' },
  { name: 'to 0.0.0.0', spec: { destination: '0.0.0.0' }, drop: 'MartianAddress' },
  { name: 'to the reserved block', spec: { destination: '240.0.0.1' }, drop: 'MartianAddress' },
  { name: 'from ::1', spec: { ...v6, source: '::1' }, drop: 'MartianAddress' },
  { name: 'from IPv6 multicast', spec: { ...v6, source: 'ff02::1' }, drop: 'MartianAddress' },
  { name: 'to ::1', spec: { ...v6, destination: '::1' }, drop: 'MartianAddress' },
  { name: 'to ::', spec: { ...v6, destination: '::' }, drop: 'MartianAddress' },
  { name: 'from an IPv4-mapped address', spec: { ...v6, source: '::ffff:10.1.0.2' }, drop: 'MartianAddress' },
  { name: 'to an IPv4-mapped address', spec: { ...v6, destination: '::ffff:10.1.1.5' }, drop: 'MartianAddress' },

  {
    name: 'an IPv6 fragment header cut short',
    spec: { ...v6, extensions: [{ type: 60, body: [] }], protocol: 44, payload: 7 },
    drop: 'BadIpHeader',
  },

  { name: 'TCP with a header of 16 bytes', put: { 46: 0x40 }, drop: 'BadL4Header' },
  { name: 'TCP with a header past the end', put: { 46: 0x60 }, drop: 'BadL4Header' },
  { name: 'CT-040 UDP with a length of 7', spec: { protocol: 'udp' }, put: { 38: 0, 39: 7 }, drop: 'BadL4Header' },
  {
    name: 'CT-040 UDP with a length past the end',
    spec: { protocol: 'udp' },
    put: { 38: 0, 39: 9 },
    drop: 'BadL4Header',
  },
  { name: 'SCTP of 11 bytes', spec: { protocol: 'sctp' }, put: { 17: 31 }, drop: 'BadL4Header' },
  { name: 'ICMP of 7 bytes', spec: { protocol: 'icmp' }, put: { 17: 27 }, drop: 'BadL4Header' },
  { name: 'ICMPv6 of 7 bytes', spec: { ...v6, protocol: 'icmpv6' }, put: { 19: 7 }, drop: 'BadL4Header' },
  { name: 'TCP behind nothing but IPv6', spec: { ...v6, protocol: 59 }, put: { 20: 6 }, drop: 'BadL4Header' },

  { name: 'CT-006 a TCP checksum', put: { 50: 0, 51: 0 }, drop: 'BadL4Checksum' },
  { name: 'CT-006 a UDP checksum', spec: { protocol: 'udp' }, put: { 40: 0, 41: 1 }, drop: 'BadL4Checksum' },
  { name: 'CT-006 an ICMP checksum', spec: { protocol: 'icmp' }, put: { 36: 0, 37: 1 }, drop: 'BadL4Checksum' },
  {
    name: 'CT-006 an ICMPv6 checksum',
    spec: { ...v6, protocol: 'icmpv6' },
    put: { 56: 0, 57: 1 },
    drop: 'BadL4Checksum',
  },
  { name: 'CT-006 an SCTP checksum', spec: { protocol: 'sctp' }, put: { 42: 0, 43: 1 }, drop: 'BadL4Checksum' },
];

for (const row of rows)
  test(`${row.name} is ${row.drop}`, () => {
    expect(outcomeName(judge(frameOf(row), {}, validate).outcome)).toBe(`dropped: ${row.drop}`);
  });

for (const [protocol, least] of [
  ['tcp', 20],
  ['udp', 8],
  ['icmpv6', 8],
  ['sctp', 1],
] as const)
  test(`an IPv6 first fragment needs ${least} bytes of ${protocol} (RFC 8200 section 4.5, RFC 7112)`, () => {
    const options = { type: 60, body: [] };
    const outcome = (held: number, more: number, behind: Extension[]) => {
      const extensions = [{ type: 44, body: [0, more, 0, 0, 0, 9] }, ...behind];
      const frame = frameOf({ spec: { ...v6, protocol, extensions }, put: { 19: 8 + 8 * behind.length + held } });
      return outcomeName(judge(frame, {}, validate).outcome);
    };
    for (const behind of [[], [options], [options, options]]) {
      expect(outcome(least, 1, behind)).toBe('in progress');
      expect(outcome(least - 1, 1, behind)).toBe('dropped: BadFragment');
      expect(outcome(least - 1, 9, behind)).toBe('in progress'); // not the first
    }
    expect(outcome(-1, 1, [options])).toBe('dropped: BadFragment');
  });

test('a fragment that asks for a checksum or for cutting is BadOffload', () => {
  const frame = buildFrame({ dontFragment: false, moreFragments: true, payload: 40 });
  const partial = { checksum: ChecksumState.Partial, partialStart: 34, partialOffset: 16 };
  for (const offload of [partial, { ...partial, gsoSize: 10 }]) {
    expect(outcomeName(judge(frame, offload, validate).outcome)).toBe('dropped: BadOffload');
  }
});

test('TN-059 an IPv6 fragment that is whole (atomic) is judged like any packet (RFC 6946)', () => {
  const spec = { ...v6, extensions: [{ type: 44, body: [0, 0, 0, 0, 0, 7] }] };
  expect(judge(buildFrame(spec), {}, validate)).toMatchObject({ outcome: CONTINUE, fragment: 0, protocol: 6, l4: 62 });
  const wrong = buildFrame(spec);
  wrong[62]! ^= 1;
  expect(outcomeName(judge(wrong, {}, validate).outcome)).toBe('dropped: BadL4Checksum');
});

test('the IPv4 header checksum: every wrong bit of every header byte is found', () => {
  const frame = buildFrame({ ipOptions: [7, 3, 4, 1] });
  for (let bit = 14 * 8; bit < 38 * 8; bit++) {
    const wrong = frame.slice();
    wrong[bit >> 3]! ^= 1 << (bit & 7);
    const { outcome } = judge(wrong, {}, validate);
    if (outcome !== Drop.BadIpChecksum) expect([bit, outcomeName(outcome)]).toEqual([bit, 'dropped: BadIpHeader']);
    if (bit >= 18 * 8) expect(outcome).toBe(Drop.BadIpChecksum);
  }
});

describe('CT-006 every wrong bit of every byte that a checksum covers is found', () => {
  test.each([
    ['TCP', { tcpOptions: [1, 1, 1, 1], payload: 'data!' }],
    ['UDP', { protocol: 'udp', payload: 'data!' }],
    ['ICMP', { protocol: 'icmp', payload: 'data!' }],
    ['SCTP', { protocol: 'sctp', payload: 'data!' }],
    ['TCP over IPv6', { ...v6, payload: 'data!' }],
    ['UDP over IPv6', { ...v6, protocol: 'udp', payload: 'data!' }],
    ['ICMPv6', { ...v6, protocol: 'icmpv6', payload: 'data!' }],
  ] as const)('%s', (_, spec) => {
    const frame = buildFrame(spec);
    // Of IPv6 the addresses are covered too; IPv4 has its own checksum.
    for (let bit = (('source' in spec) ? 22 : 34) * 8; bit < frame.length * 8; bit++) {
      const wrong = frame.slice();
      wrong[bit >> 3]! ^= 1 << (bit & 7);
      if (judge(wrong, {}, validate).outcome === CONTINUE) expect(`bit ${bit}`).toBe('found');
    }
  });
});

test('short frames', () => {
  for (let len = 0; len < 14; len++) {
    expect(judge(buildFrame().subarray(0, len), {}, validate).outcome).toBe(Drop.FrameTooShort);
  }
});

const good: readonly { name: string; spec: FrameSpec; l4: number; header: number }[] = [
  { name: 'TCP', spec: {}, l4: 34, header: 20 },
  { name: 'TCP with options', spec: { tcpOptions: [1, 1, 1], ipOptions: [1], payload: 3 }, l4: 38, header: 24 },
  { name: 'UDP', spec: { protocol: 'udp', payload: 'x' }, l4: 34, header: 8 },
  { name: 'CT-040 UDP without a checksum', spec: { protocol: 'udp', checksum: 'none' }, l4: 34, header: 8 },
  { name: 'CT-040 IPv6 UDP without one', spec: { ...v6, protocol: 'udp', checksum: 'none' }, l4: 54, header: 8 },
  { name: 'SCTP', spec: { protocol: 'sctp', payload: 'x' }, l4: 34, header: 12 },
  { name: 'ICMP', spec: { protocol: 'icmp', payload: 'x' }, l4: 34, header: 0 },
  { name: 'GRE', spec: { protocol: 47, payload: 4 }, l4: 34, header: 0 },
  { name: 'nothing in IP', spec: { protocol: 47 }, l4: 34, header: 0 },
  { name: 'TCP over IPv6', spec: { ...v6, payload: 'x' }, l4: 54, header: 20 },
  { name: 'ICMPv6', spec: { ...v6, protocol: 'icmpv6' }, l4: 54, header: 0 },
  { name: 'no next header', spec: { ...v6, protocol: 59, payload: 3 }, l4: 54, header: 0 },
  {
    name: 'UDP behind three extension headers',
    spec: {
      ...v6,
      protocol: 'udp',
      extensions: [
        { type: 0, body: [5, 2, 0, 0] },
        { type: 43, body: [0, 0] },
        { type: 60, body: Array<number>(14).fill(1) },
      ],
    },
    l4: 54 + 8 + 8 + 16,
    header: 8,
  },
  {
    name: 'TCP behind eight extension headers',
    spec: { ...v6, extensions: Array(8).fill({ type: 60, body: [] }) },
    l4: 54 + 64,
    header: 20,
  },
  {
    name: 'a duplicate address probe',
    spec: { ...v6, source: '::', protocol: 'icmpv6', icmpType: 135 },
    l4: 54,
    header: 0,
  },
  { name: 'to broadcast', spec: { destination: '255.255.255.255', protocol: 'udp' }, l4: 34, header: 8 },
  { name: 'to multicast', spec: { destination: '224.0.0.22', protocol: 2, payload: 8 }, l4: 34, header: 0 },
];

for (const { name, spec, l4, header } of good)
  describe(name, () => {
    test('goes on with its offsets set, whatever padding follows', () => {
      const frame = buildFrame(spec);
      for (const padding of [0, 1, 2, 18, 200]) {
        const seen = judge(buildFrame({ ...spec, padding }), {}, validate);
        expect(seen).toMatchObject({ outcome: CONTINUE, frame, l3: 14, l4, payload: l4 + header });
        expect(seen).toMatchObject({ l4Len: frame.length - l4, checksum: ChecksumState.Complete });
        const { version, protocol, etherType } = parseFrame(frame);
        expect(seen).toMatchObject({ version, protocol, etherType });
      }
    });
  });

test('UDP may be shorter than its IP packet: its checksum covers its own length', () => {
  const whole = buildFrame({ protocol: 'udp', payload: 'abcd' });
  const longer = frameOf({
    spec: { protocol: 'udp', payload: 'abcdef' },
    put: { 39: 12, 40: whole[40]!, 41: whole[41]! },
  });
  expect(judge(longer, {}, validate)).toMatchObject({ outcome: CONTINUE, checksum: ChecksumState.Complete, l4Len: 14 });
});

test('the tables above hold every reason that validate gives', () => {
  const source = readFileSync(new URL('../../src/packet/validate.ts', import.meta.url), 'utf8');
  const given = new Set([...source.matchAll(/\bDrop\.(\w+)/g)].map((match) => match[1]!));
  // Three have tests of their own: above, and in validate-offload.test.ts.
  const held = new Set<string>([
    ...rows.map((row) => row.drop),
    'BadFragment',
    'FrameTooShort',
    'BadIpChecksum',
    'BadOffload',
  ]);
  expect(given.size).toBeGreaterThan(10);
  expect([...given].sort()).toEqual([...held].sort());
});
