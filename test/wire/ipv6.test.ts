import { describe, expect, test } from 'vitest';
import * as ipv6 from '../../src/wire/ipv6.ts';
import { addressBytes } from '../oracle/slow-address.ts';
import { buildFrame } from '../support/frames.ts';
import { bytesAt, viewOf, written } from '../support/touched.ts';

const AT = 14;
const between = { source: 'fd00::1', destination: 'fd00::2' };

test('reads every field of a header', () => {
  const view = viewOf(buildFrame({ ...between, protocol: 'udp', ttl: 3, tos: 0xb9, flowLabel: 0xf1234, payload: 10 }));
  expect({
    trafficClass: ipv6.ipv6TrafficClass(view, AT),
    payloadLength: ipv6.ipv6PayloadLength(view, AT),
    nextHeader: ipv6.ipv6NextHeader(view, AT),
    hopLimit: ipv6.ipv6HopLimit(view, AT),
  }).toEqual({ trafficClass: 0xb9, payloadLength: 18, nextHeader: 17, hopLimit: 3 });
});

describe('setters write their field and nothing else', () => {
  test('payload length', () => {
    expect(written(44, (view) => ipv6.ipv6SetPayloadLength(view, 3, 0xfedc))).toEqual(bytesAt(7, 0xfe, 0xdc));
  });

  test('hop limit', () => {
    expect(written(44, (view) => ipv6.ipv6SetHopLimit(view, 3, 200))).toEqual(bytesAt(10, 200));
  });

  test('every traffic class, beside any version and flow label', () => {
    for (const tos of [0, 0xff, 0xa5]) {
      for (let value = 0; value < 256; value++) {
        const view = viewOf(buildFrame({ ...between, tos, flowLabel: 0xfabcd }));
        ipv6.ipv6SetTrafficClass(view, AT, value);
        const want = buildFrame({ ...between, tos: value, flowLabel: 0xfabcd });
        if (Buffer.compare(Buffer.from(view.buffer, 0, want.length), want) !== 0) expect(value).toBe('written');
      }
    }
  });
});

describe('addresses that may not be on a link (RFC 4291 sections 2.5.3 and 2.7)', () => {
  const rows = [
    { address: '::', source: false, destination: true, multicast: false, linkLocal: false, unspecified: true },
    { address: '::1', source: true, destination: true, multicast: false, linkLocal: false, unspecified: false },
    { address: '::2', source: false, destination: false, multicast: false, linkLocal: false, unspecified: false },
    { address: '1::1', source: false, destination: false, multicast: false, linkLocal: false, unspecified: false },
    { address: '0:0:1::', source: false, destination: false, multicast: false, linkLocal: false, unspecified: false },
    { address: '::1:0:1', source: false, destination: false, multicast: false, linkLocal: false, unspecified: false },
    { address: 'fe7f::1', source: false, destination: false, multicast: false, linkLocal: false, unspecified: false },
    { address: 'fe80::1', source: false, destination: false, multicast: false, linkLocal: true, unspecified: false },
    { address: 'febf::1', source: false, destination: false, multicast: false, linkLocal: true, unspecified: false },
    { address: 'fec0::1', source: false, destination: false, multicast: false, linkLocal: false, unspecified: false },
    { address: 'ff02::1', source: true, destination: false, multicast: true, linkLocal: false, unspecified: false },
  ];
  for (const { address, ...want } of rows)
    test(address, () => {
      const bytes = addressBytes(address);
      const view = viewOf(buildFrame({ source: address, destination: address }));
      expect({
        source: ipv6.ipv6MartianSource(view, AT),
        destination: ipv6.ipv6MartianDestination(view, AT),
        multicast: ipv6.ipv6MulticastDestination(view, AT),
        linkLocal: ipv6.ipv6LinkLocal(viewOf(bytes), 0),
        unspecified: ipv6.ipv6Unspecified(viewOf(bytes), 0),
      }).toEqual(want);
    });

  // IPv4 addresses are kept as ::ffff:0:0/96: such an IPv6 packet would pass for another pod's IPv4 one. Linux refuses
  // it too, after draft-itojun-v6ops-v4mapped-harmful.
  test('an IPv4-mapped address is neither a source nor a destination', () => {
    const view = viewOf(buildFrame({ source: '::ffff:10.1.0.2', destination: '::ffff:10.1.1.5' }));
    expect(ipv6.ipv6MartianSource(view, AT)).toBe(true);
    expect(ipv6.ipv6MartianDestination(view, AT)).toBe(true);
    const near = viewOf(buildFrame({ source: '::fffe:10.1.0.2', destination: '::1:ffff:10.1.1.5' }));
    expect(ipv6.ipv6MartianSource(near, AT)).toBe(false);
    expect(ipv6.ipv6MartianDestination(near, AT)).toBe(false);
  });
});
