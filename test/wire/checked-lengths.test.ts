/** The contract of `src/wire`: a checked length never reads past `available`, and after it no accessor can fail. */
import { describe, expect, test } from 'vitest';
import * as arp from '../../src/wire/arp.ts';
import * as ipv4 from '../../src/wire/ipv4.ts';
import * as ipv6 from '../../src/wire/ipv6.ts';
import * as neighbour from '../../src/wire/neighbour.ts';
import * as ports from '../../src/wire/ports.ts';
import * as tcp from '../../src/wire/tcp.ts';
import * as udp from '../../src/wire/udp.ts';
import { buildFrame } from '../support/frames.ts';
import { type Random, withRandom } from '../support/random.ts';
import { viewOf } from '../support/touched.ts';

type Reader = (view: DataView, at: number) => unknown;

const neighbourAt = 54;
const withOptions = buildFrame({
  source: 'fe80::1',
  destination: 'ff02::1',
  protocol: 'icmpv6',
  icmpType: 135,
  payload: Uint8Array.from([
    ...Array<number>(16).fill(0xfe),
    1,
    1,
    2,
    0,
    0,
    0,
    0,
    1,
    14,
    2,
    ...Array<number>(14).fill(3),
  ]),
});

const headers = [
  {
    name: 'ARP',
    bytes: Uint8Array.from([
      0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 1, 0, 2, 0, 0, 0, 0, 0, 0, 10, 1, 0, 1, 0, 0,
    ]),
    checkedLen: arp.arpCheckedLen,
    least: 28,
    len: 28,
    readers: [arp.arpOperation, arp.arpSenderAddress, arp.arpTargetAddress],
  },
  {
    name: 'IPv4',
    bytes: buildFrame({ payload: 4 }).subarray(14),
    checkedLen: ipv4.ipv4CheckedLen,
    least: 20,
    len: 20,
    readers: [
      ipv4.ipv4HeaderLen,
      ipv4.ipv4Tos,
      ipv4.ipv4TotalLength,
      ipv4.ipv4Id,
      ipv4.ipv4DontFragment,
      ipv4.ipv4Fragmented,
      ipv4.ipv4Ttl,
      ipv4.ipv4Protocol,
      ipv4.ipv4Source,
      ipv4.ipv4Destination,
      ipv4.ipv4SourceRouted,
      ipv4.ipv4OptionsSound,
    ],
  },
  {
    name: 'IPv4 with 40 bytes of options',
    bytes: buildFrame({ ipOptions: [7, 39, 4, ...Array<number>(36).fill(9), 1] }).subarray(14),
    checkedLen: ipv4.ipv4CheckedLen,
    least: 60,
    len: 60,
    readers: [ipv4.ipv4SourceRouted, ipv4.ipv4OptionsSound, ipv4.ipv4HeaderLen],
  },
  {
    name: 'IPv6',
    bytes: buildFrame({ source: 'fd00::1', destination: 'fd00::2' }).subarray(14),
    checkedLen: ipv6.ipv6CheckedLen,
    least: 40,
    len: 40,
    readers: [
      ipv6.ipv6TrafficClass,
      ipv6.ipv6PayloadLength,
      ipv6.ipv6NextHeader,
      ipv6.ipv6HopLimit,
      ipv6.ipv6MulticastDestination,
      ipv6.ipv6MartianSource,
      ipv6.ipv6MartianDestination,
      (view: DataView, at: number) => ipv6.ipv6LinkLocal(view, at + ipv6.IPV6_DESTINATION),
      (view: DataView, at: number) => ipv6.ipv6Unspecified(view, at + ipv6.IPV6_DESTINATION),
    ],
  },
  {
    name: 'TCP with options',
    bytes: buildFrame({ tcpOptions: [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], payload: 3 }).subarray(34),
    checkedLen: tcp.tcpCheckedLen,
    least: 32,
    len: 32,
    readers: [tcp.tcpHeaderLen, tcp.tcpFlags, tcp.tcpSequence, tcp.tcpAcknowledgment, ports.bothPorts],
  },
  {
    name: 'UDP',
    bytes: buildFrame({ protocol: 'udp', payload: 5 }).subarray(34),
    checkedLen: udp.udpCheckedLen,
    least: 13,
    len: 13,
    readers: [udp.udpLength, ports.bothPorts, ports.sourcePort, ports.destinationPort],
  },
  {
    name: 'neighbour solicitation with two options',
    bytes: withOptions.subarray(neighbourAt),
    checkedLen: neighbour.neighbourCheckedLen,
    least: 24,
    len: 24,
    readers: [neighbour.isNeighbourDiscovery, neighbour.isMulticastListener],
  },
] satisfies readonly {
  name: string;
  bytes: Uint8Array;
  checkedLen: (view: DataView, at: number, available: number) => number;
  least: number;
  len: number;
  readers: readonly Reader[];
}[];

/** Noise, or the header cut short with one byte changed. */
function damaged(random: Random, bytes: Uint8Array): Uint8Array {
  const garbage = random.once(2) ? random.bytes(random.below(80)) : bytes.slice(0, random.below(bytes.length + 1));
  if (garbage.length > 0) garbage[random.below(garbage.length)] = random.below(256);
  return garbage;
}

/** Neighbour options run to the end, so a message that is cut inside one of them is refused too. */
function cutInsideOption(bytes: Uint8Array, available: number): boolean {
  return bytes.length === 48 && ![24, 32, 48].includes(available);
}

for (const { name, bytes, checkedLen, least, len, readers } of headers)
  describe(name, () => {
    test('truncated at every length: 0 below its least, then its length, and nothing is read behind the end', () => {
      for (let available = 0; available <= bytes.length; available++) {
        const view = viewOf(bytes.subarray(0, available));
        const got = checkedLen(view, 0, available);
        const want = available < least || cutInsideOption(bytes, available) ? 0 : len;
        expect([available, got]).toEqual([available, want]);
        if (got > 0) for (const read of readers) read(view, 0);
      }
    });

    test('at an offset', () => {
      const view = viewOf([0xa5, 0xa5, 0xa5, ...bytes]);
      expect(checkedLen(view, 3, bytes.length)).toBe(len);
    });

    test('random bytes, and one random byte in a good header: never throws, never more than available', () => {
      withRandom((random) => {
        for (let round = 0; round < 3000; round++) {
          const garbage = damaged(random, bytes);
          const view = viewOf(garbage);
          const got = checkedLen(view, 0, garbage.length);
          if (got < 0 || got > garbage.length) expect(got).toBe('at most what there is');
          if (got > 0) for (const read of readers) read(view, 0);
        }
      });
    });
  });

describe('headers that lie', () => {
  const change = (bytes: Uint8Array, at: number, ...values: number[]) => {
    const copy = bytes.slice();
    copy.set(values, at);
    return copy;
  };
  const [arpRow, ipv4Row, , ipv6Row, tcpRow, udpRow, neighbourRow] = headers;
  const rows = [
    { name: 'ARP for other hardware', row: arpRow, at: 0, values: [0, 6] },
    { name: 'ARP for another protocol', row: arpRow, at: 2, values: [0x86, 0xdd] },
    { name: 'ARP with 8-byte hardware addresses', row: arpRow, at: 4, values: [8] },
    { name: 'ARP with 16-byte protocol addresses', row: arpRow, at: 5, values: [16] },
    { name: 'IPv4 of version 5', row: ipv4Row, at: 0, values: [0x55] },
    { name: 'IPv4 of version 6', row: ipv4Row, at: 0, values: [0x65] },
    { name: 'IPv4 with a header of 16 bytes', row: ipv4Row, at: 0, values: [0x44] },
    { name: 'IPv4 with a header of 0 bytes', row: ipv4Row, at: 0, values: [0x40] },
    { name: 'IPv4 with a header longer than the packet', row: ipv4Row, at: 0, values: [0x4f] },
    { name: 'IPv6 of version 4', row: ipv6Row, at: 0, values: [0x45] },
    { name: 'TCP with a header of 16 bytes', row: tcpRow, at: 12, values: [0x40] },
    { name: 'TCP with a header longer than the segment', row: tcpRow, at: 12, values: [0x90] },
    { name: 'UDP with a length below its header', row: udpRow, at: 4, values: [0, 7] },
    { name: 'UDP with a length past its end', row: udpRow, at: 4, values: [0, 14] },
    { name: 'neighbour message with an option of length 0', row: neighbourRow, at: 25, values: [0] },
    { name: 'neighbour message whose last option runs past the end', row: neighbourRow, at: 33, values: [3] },
  ];
  for (const { name, row, at, values } of rows)
    test(name, () => {
      const bytes = change(row!.bytes, at, ...values);
      expect(row!.checkedLen(viewOf(row!.bytes), 0, row!.bytes.length)).toBe(row!.len);
      expect(row!.checkedLen(viewOf(bytes), 0, bytes.length)).toBe(0);
    });

  test('UDP shorter than its packet is no lie', () => {
    expect(udp.udpCheckedLen(viewOf([0, 1, 0, 2, 0, 9, 0, 0, 7, 0, 0]), 0, 11)).toBe(9);
  });
});
