/** What virtio says beside a frame: which of it is believed, and what becomes of the rest. */
import { describe, expect, test } from 'vitest';
import { CONTINUE, Drop, outcomeName } from '../../src/packet/outcome.ts';
import { ChecksumState } from '../../src/packet/packet.ts';
import { validate } from '../../src/packet/validate.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { type Judged, judge, type Offload } from '../support/judge.ts';
import { parseFrame } from '../support/read-frame.ts';

const v6 = { source: 'fd00:10:1::2', destination: 'fd00:10:2::3' };
const { Partial, Complete, Unverified } = ChecksumState;

function run(spec: FrameSpec, offload: Offload): Judged {
  return judge(buildFrame(spec), offload, validate);
}

const partial = (start: number, offset: number, gsoSize = 0) => ({
  checksum: Partial,
  partialStart: start,
  partialOffset: offset,
  gsoSize,
});

describe('a partial checksum of the packet itself stays partial', () => {
  test.each([
    ['TCP', { checksum: 'partial', payload: 'x' }, partial(34, 16)],
    ['UDP', { checksum: 'partial', protocol: 'udp', payload: 'x' }, partial(34, 6)],
    ['TCP over IPv6', { ...v6, checksum: 'partial' }, partial(54, 16)],
    ['UDP behind options', { ipOptions: [1], checksum: 'partial', protocol: 'udp' }, partial(38, 6)],
  ] as const)('%s', (_, spec, offload) => {
    const frame = buildFrame(spec);
    for (const padding of [0, 20]) {
      expect(run({ ...spec, padding }, offload)).toMatchObject({ outcome: CONTINUE, frame, ...offload });
    }
  });
});

describe('any other partial checksum is completed', () => {
  const inner = { ...v6, source: 'fd01::1', destination: 'fd01::2', payload: 'inner' };
  const tunnel = (frame: Uint8Array) => Uint8Array.from([8, 0, 0, 0, 0, 0, 9, 0, ...frame]);

  test('of a tunnel that a pod runs itself', () => {
    const payload = tunnel(buildFrame({ ...inner, checksum: 'partial' }));
    const seen = run({ protocol: 'udp', checksum: 'none', payload }, partial(34 + 16 + 54, 16));
    expect([seen.outcome, seen.checksum]).toEqual([CONTINUE, Complete]);
    const outer = parseFrame(seen.frame);
    expect(outer).toMatchObject({ checksum: 'zero', ipChecksum: 'right' });
    expect(outer.payload).toEqual(tunnel(buildFrame(inner)));
  });

  test('and the outer checksum, computed over what will be there, is verified', () => {
    const payload = tunnel(buildFrame({ ...inner, checksum: 'partial' }));
    const complete = buildFrame({ protocol: 'udp', payload: tunnel(buildFrame(inner)) });
    const frame = buildFrame({ protocol: 'udp', checksum: 'none', payload });
    frame.set(complete.subarray(40, 42), 40);
    expect(judge(frame, partial(34 + 16 + 54, 16), validate)).toMatchObject({ outcome: CONTINUE, frame: complete });
    frame[41]! ^= 1;
    expect(judge(frame, partial(34 + 16 + 54, 16), validate).outcome).toBe(Drop.BadL4Checksum);
  });

  test.each([
    ['ICMP', { protocol: 'icmp' }, 34],
    ['ICMPv6', { ...v6, protocol: 'icmpv6' }, 54],
  ] as const)('%s', (_, spec, start) => {
    const frame = buildFrame({ ...spec, checksum: 'partial', payload: 'ping!' });
    const seen = judge(frame, partial(start, 2), validate);
    expect([seen.outcome, seen.checksum]).toEqual([CONTINUE, Complete]);
    expect(seen.frame).toEqual(buildFrame({ ...spec, payload: 'ping!' }));
  });

  test('of a UDP datagram that is shorter than its IP packet', () => {
    const whole = buildFrame({ protocol: 'udp', payload: Uint8Array.of(1, 2, 3, 4) });
    const longer = buildFrame({ protocol: 'udp', payload: Uint8Array.of(1, 2, 3, 4, 0, 0) });
    longer.set([0, 12, ...buildFrame({ protocol: 'udp', checksum: 'partial', payload: 4 }).subarray(40, 42)], 38);
    const seen = judge(longer, partial(34, 6), validate);
    expect([seen.outcome, seen.checksum]).toEqual([CONTINUE, Complete]);
    expect(seen.frame.subarray(34, 46)).toEqual(whole.subarray(34));
  });

  test('of bytes of an unknown protocol', () => {
    const seen = run({ protocol: 47, payload: Uint8Array.of(0, 0, 0, 0, 0x12, 0x34) }, partial(34, 2));
    expect([seen.outcome, seen.checksum]).toEqual([CONTINUE, Complete]);
    expect([...seen.frame.subarray(34)]).toEqual([0, 0, 0xed, 0xcb, 0x12, 0x34]);
  });
});

describe('a partial checksum that does not fit the packet is BadOffload', () => {
  const tcp = { payload: 'abcdef' }; // 60 bytes
  const rows: readonly { name: string; spec: FrameSpec; start: number; offset: number }[] = [
    { name: 'starts behind the end', spec: tcp, start: 61, offset: 0 },
    { name: 'starts at the end', spec: tcp, start: 60, offset: 0 },
    { name: 'its field ends one byte behind the end', spec: tcp, start: 54, offset: 5 },
    { name: 'its field is in the padding', spec: { ...tcp, padding: 20 }, start: 54, offset: 8 },
    { name: 'the largest numbers virtio has', spec: tcp, start: 65_535, offset: 65_535 },
    { name: 'starts in the Ethernet header', spec: tcp, start: 0, offset: 54 },
    { name: 'its field is an IPv4 address', spec: tcp, start: 14, offset: 12 },
    { name: 'its field is the IPv4 total length', spec: tcp, start: 14, offset: 2 },
    { name: 'its field is the IPv4 header length', spec: tcp, start: 14, offset: 0 },
    { name: 'its field is an IPv6 address', spec: { ...v6, ...tcp }, start: 14, offset: 8 },
    {
      name: 'its field is an extension header',
      spec: { ...v6, extensions: [{ type: 60, body: [] }] },
      start: 54,
      offset: 0,
    },
    { name: 'its field is the TCP ports', spec: tcp, start: 34, offset: 0 },
    { name: 'its field is the TCP data offset', spec: tcp, start: 34, offset: 12 },
    { name: 'its field is the UDP length', spec: { protocol: 'udp', payload: 'abcd' }, start: 34, offset: 4 },
    { name: 'its field is the SCTP checksum', spec: { protocol: 'sctp', payload: 'abcd' }, start: 34, offset: 8 },
  ];
  for (const { name, spec, start, offset } of rows)
    test(name, () => {
      expect(outcomeName(run(spec, partial(start, offset)).outcome)).toBe('dropped: BadOffload');
    });

  // The sum would then be taken over a length that was never checked.
  test('its field is the UDP length, whatever comes out of it', () => {
    for (let filler = 0; filler < 65_536; filler += 257) {
      const payload = Uint8Array.of(filler >> 8, filler & 255, 1, 2);
      expect(run({ protocol: 'udp', payload }, partial(34, 4)).outcome).toBe(Drop.BadOffload);
    }
  });
});

describe('a superframe', () => {
  test.each([
    ['TCP', { payload: 3000, gsoSize: 1400 }, partial(34, 16, 1400)],
    ['TCP over IPv6', { ...v6, payload: 3000, gsoSize: 1400 }, partial(54, 16, 1400)],
    ['UDP', { protocol: 'udp', payload: 3000, gsoSize: 1400 }, partial(34, 6, 1400)],
    ['of one segment', { payload: 7, gsoSize: 1400 }, partial(34, 16, 1400)],
    ['of 1366 segments', { payload: 1366, gsoSize: 1 }, partial(34, 16, 1)],
    ['of 64 KiB', { payload: 65_495, gsoSize: 1448 }, partial(34, 16, 1448)],
    ['whose segments could be 64 KiB', { payload: 100, gsoSize: 65_495 }, partial(34, 16, 65_495)],
  ] as const)('%s goes on', (_, spec, offload) => {
    const seen = run(spec, offload);
    expect(seen).toMatchObject({ outcome: CONTINUE, ...offload });
  });

  const rows: readonly { name: string; spec: FrameSpec; offload: Offload }[] = [
    { name: 'with a complete checksum', spec: { payload: 99 }, offload: { checksum: Complete, gsoSize: 10 } },
    { name: 'with an unverified checksum', spec: { payload: 99 }, offload: { checksum: Unverified, gsoSize: 10 } },
    { name: 'without payload', spec: { gsoSize: 10 }, offload: partial(34, 16, 10) },
    { name: 'with a checksum further in', spec: { payload: 99 }, offload: partial(54, 16, 10) },
    { name: 'with the field of the other protocol', spec: { payload: 99 }, offload: partial(34, 6, 10) },
    { name: 'of ICMP', spec: { protocol: 'icmp', payload: 99 }, offload: partial(34, 2, 10) },
    { name: 'of SCTP', spec: { protocol: 'sctp', payload: 99 }, offload: partial(34, 8, 10) },
    { name: 'of GRE', spec: { protocol: 47, payload: 99 }, offload: partial(34, 16, 10) },
    { name: 'of 1367 segments', spec: { payload: 1367, gsoSize: 1 }, offload: partial(34, 16, 1) },
    { name: 'of segments past 64 KiB', spec: { payload: 100 }, offload: partial(34, 16, 65_496) },
  ];
  for (const { name, spec, offload } of rows)
    test(`${name} is BadOffload`, () => {
      expect(outcomeName(run(spec, offload).outcome)).toBe('dropped: BadOffload');
    });
});

// After `validate` nothing is unverified, and an answer that is written over the request must not be offloaded.
test.each([
  ['from a wire', {}],
  ['with a partial checksum', partial(14, 2)],
  ['as a superframe', partial(14, 2, 100)],
])('ARP %s is an ordinary frame afterwards, or refused', (_, offload) => {
  const seen = run({ etherType: 0x806 }, offload);
  if (seen.outcome !== CONTINUE) expect(seen.outcome).toBe(Drop.BadOffload);
  else expect([seen.checksum, seen.gsoSize]).toEqual([Complete, 0]);
});
