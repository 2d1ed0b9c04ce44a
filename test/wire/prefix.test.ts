import { expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../src/wire/address.ts';
import { parsePrefix, prefixOf } from '../../src/wire/prefix.ts';

test.each([
  ['10.244.1.0/24', '10.244.1.0', 120],
  ['10.244.1.7/32', '10.244.1.7', 128],
  ['10.244.1.7/24', '10.244.1.0', 120],
  ['0.0.0.0/0', '0.0.0.0', 96],
  ['fd00:10:244::/56', 'fd00:10:244::', 56],
  ['fd00:10:244:7f::1/57', 'fd00:10:244::', 57],
  ['::/0', '::', 0],
  ['fd00::1/128', 'fd00::1', 128],
])('%s is %s, %d bits long', (text, address, length) => {
  const prefix = parsePrefix(text)!;
  expect([formatAddress(prefix.address), prefix.length]).toEqual([address, length]);
});

test.each([
  '',
  '10.0.0.0',
  '10.0.0.0/',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/8/8',
  '10.0.0.0/ 8',
  '::/129',
  '::/1e1',
  'x/8',
])('%j is none', (text) => expect(parsePrefix(text)).toBeUndefined());

test('a prefix of an address has its first bits and zeros', () => {
  const address = parseAddress('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')!;
  for (let length = 0; length <= 128; length++) {
    const bits = [...prefixOf(address, length)].map((word) => (word >>> 0).toString(2).padStart(32, '0')).join('');
    expect(bits).toBe('1'.repeat(length).padEnd(128, '0'));
  }
});
