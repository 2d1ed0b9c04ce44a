import { describe, expect, test } from 'vitest';
import * as ipv4 from '../../src/wire/ipv4.ts';
import { addressBytes } from '../oracle/slow-address.ts';
import { buildFrame } from '../support/frames.ts';
import { bytesAt, viewOf, written } from '../support/touched.ts';

const AT = 14;

test('reads every field of a header', () => {
  const view = viewOf(
    buildFrame({
      source: '203.0.113.7',
      destination: '198.51.100.9',
      protocol: 'udp',
      ttl: 17,
      tos: 0xb9,
      id: 0xbeef,
      ipOptions: [1, 1],
      payload: 10,
    }),
  );
  expect({
    headerLen: ipv4.ipv4HeaderLen(view, AT),
    tos: ipv4.ipv4Tos(view, AT),
    totalLength: ipv4.ipv4TotalLength(view, AT),
    id: ipv4.ipv4Id(view, AT),
    dontFragment: ipv4.ipv4DontFragment(view, AT),
    fragmented: ipv4.ipv4Fragmented(view, AT),
    ttl: ipv4.ipv4Ttl(view, AT),
    protocol: ipv4.ipv4Protocol(view, AT),
    source: ipv4.ipv4Source(view, AT),
    destination: ipv4.ipv4Destination(view, AT),
  }).toEqual({
    headerLen: 24,
    tos: 0xb9,
    totalLength: 42,
    id: 0xbeef,
    dontFragment: true,
    fragmented: 0,
    ttl: 17,
    protocol: 17,
    source: 0xcb007107 | 0,
    destination: 0xc6336409 | 0,
  });
});

const fragmentRows = [
  { name: 'whole, DF', spec: {}, dontFragment: true, fragmented: 0 },
  { name: 'whole, no DF', spec: { dontFragment: false }, dontFragment: false, fragmented: 0 },
  { name: 'first', spec: { dontFragment: false, moreFragments: true }, dontFragment: false, fragmented: 0x2000 },
  { name: 'last', spec: { fragmentOffset: 65_528 }, dontFragment: true, fragmented: 0x1fff },
];
for (const { name, spec, dontFragment, fragmented } of fragmentRows)
  test(`fragment bits: ${name}`, () => {
    const view = viewOf(buildFrame(spec));
    expect(ipv4.ipv4DontFragment(view, AT)).toBe(dontFragment);
    expect(ipv4.ipv4Fragmented(view, AT)).toBe(fragmented);
  });

describe('setters write their field and nothing else', () => {
  test.each([
    ['total length', ipv4.ipv4SetTotalLength, 0x1234, bytesAt(5, 0x12, 0x34)],
    ['id', ipv4.ipv4SetId, 0xfedc, bytesAt(7, 0xfe, 0xdc)],
    ['id past 65,535', ipv4.ipv4SetId, 0x10001, bytesAt(7, 0, 1)],
    ['TTL', ipv4.ipv4SetTtl, 63, bytesAt(11, 63)],
    ['checksum', ipv4.ipv4SetChecksum, 0xabcd, bytesAt(13, 0xab, 0xcd)],
  ])('%s', (_, set, value, bytes) => {
    expect(written(26, (view) => set(view, 3, value))).toEqual(bytes);
  });
});

describe('addresses that may not be on a link (RFC 1122 section 3.2.1.3, RFC 6890)', () => {
  const word = (text: string) => new DataView(addressBytes(text).buffer).getInt32(0);
  const rows = [
    { address: '0.0.0.0', source: true, destination: true, multicast: false },
    { address: '0.255.255.255', source: true, destination: true, multicast: false },
    { address: '1.0.0.0', source: false, destination: false, multicast: false },
    { address: '10.1.0.2', source: false, destination: false, multicast: false },
    { address: '126.255.255.255', source: false, destination: false, multicast: false },
    { address: '127.0.0.1', source: true, destination: true, multicast: false },
    { address: '127.255.255.255', source: true, destination: true, multicast: false },
    { address: '128.0.0.0', source: false, destination: false, multicast: false },
    { address: '169.254.1.1', source: false, destination: false, multicast: false },
    { address: '223.255.255.255', source: false, destination: false, multicast: false },
    { address: '224.0.0.0', source: true, destination: false, multicast: true },
    { address: '239.255.255.255', source: true, destination: false, multicast: true },
    { address: '240.0.0.0', source: true, destination: true, multicast: false },
    { address: '255.255.255.254', source: true, destination: true, multicast: false },
    { address: '255.255.255.255', source: true, destination: false, multicast: true },
  ];
  for (const { address, ...want } of rows)
    test(address, () => {
      expect({
        source: ipv4.ipv4MartianSource(word(address)),
        destination: ipv4.ipv4MartianDestination(word(address)),
        multicast: ipv4.ipv4Multicast(word(address)),
      }).toEqual(want);
    });
});

describe('source routes (RFC 7126 section 4.3)', () => {
  const rows = [
    { name: 'no options', options: [], want: false },
    { name: 'loose', options: [131, 7, 4, 10, 0, 0, 1], want: true },
    { name: 'strict', options: [137, 7, 4, 10, 0, 0, 1], want: true },
    { name: 'behind padding', options: [1, 1, 1, 131, 3, 4], want: true },
    { name: 'behind another option', options: [68, 8, 5, 0, 0, 0, 0, 0, 137, 3, 4], want: true },
    { name: 'in the very last byte', options: [7, 3, 4, 131], want: true },
    { name: 'record route is none', options: [7, 7, 4, 0, 0, 0, 0], want: false },
    { name: 'behind the end of options', options: [0, 131, 7, 4], want: false },
    { name: 'as the value of another option', options: [68, 4, 131, 137], want: false },
    { name: 'an option without its length', options: [1, 1, 1, 7], want: false },
    { name: 'an option of length 0 ends the search', options: [7, 0, 131, 3], want: false },
    { name: 'an option that runs past the header', options: [7, 200, 4, 0], want: false },
  ];
  for (const { name, options, want } of rows)
    test(name, () => {
      expect(ipv4.ipv4SourceRouted(viewOf(buildFrame({ ipOptions: options })), AT)).toBe(want);
    });
});

describe('options are sound (RFC 791 section 3.1)', () => {
  const rows = [
    { name: 'none', options: [], want: true },
    { name: 'one that fills the header', options: [7, 8, 4, 0, 0, 0, 0, 0], want: true },
    { name: 'of two bytes, behind padding', options: [1, 148, 2, 1], want: true },
    { name: 'nothing counts behind the end of options', options: [0, 7, 0, 0], want: true },
    { name: 'length 0', options: [7, 0, 4, 0], want: false },
    { name: 'length 1', options: [1, 1, 7, 1], want: false },
    { name: 'past the header by one', options: [7, 5, 4, 0], want: false },
    { name: 'no room for a length', options: [1, 1, 1, 7], want: false },
    { name: 'the second one lies', options: [148, 4, 0, 0, 7, 40, 4, 0], want: false },
  ];
  for (const { name, options, want } of rows)
    test(name, () => {
      expect(ipv4.ipv4OptionsSound(viewOf(buildFrame({ ipOptions: options })), AT)).toBe(want);
    });
});
