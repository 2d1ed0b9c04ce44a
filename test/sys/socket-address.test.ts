import { SocketAddress } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../src/sys/socket-address.ts';

describe('socket address', () => {
  test.each([
    ['10.1.2.255', '0a0102ff'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['fd00::', 'fd000000000000000000000000000000'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['2001:DB8:0:0:1::abcd', '20010db800000000000100000000abcd'],
    ['::ffff:1.2.3.4', '00000000000000000000ffff01020304'],
    ['1:2:3:4:5:6:1.2.3.4', '00010002000300040005000601020304'],
  ])('%s', (text, hex) => {
    expect(Buffer.from(parseAddress(text)).toString('hex')).toBe(hex);
  });

  test.each(['', '1.2.3', '1.2.3.04', '1::2::3', 'fe80::1%eth0', ' ::1', '::12345', 'localhost', '10.0.0.0/8'])(
    'refuses %j',
    (text) => {
      expect(() => parseAddress(text)).toThrow(RangeError);
    },
  );

  test('text and bytes turn into each other', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const canonical = new SocketAddress({ address: text, family: text.includes(':') ? 'ipv6' : 'ipv4' }).address;
        expect(formatAddress(parseAddress(text))).toBe(canonical);
      }),
    );
  });
});
