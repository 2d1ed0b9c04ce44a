import { isIP } from 'node:net';
import { describe, expect, test } from 'vitest';
import { formatAddress, isIpv4Words, loadIpv4, loadIpv6, parseAddress } from '../../src/wire/address.ts';
import { addressBytes, addressText } from '../oracle/slow-address.ts';
import { type Random, withRandom } from '../support/random.ts';

function wordsOf(bytes: Uint8Array): Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const words = new Int32Array(4);
  if (bytes.length === 16) loadIpv6(view, 0, words, 0);
  else loadIpv4(view, 0, words, 0);
  return words;
}

const rows = [
  { text: '0.0.0.0', words: [0, 0, 0xffff, 0] },
  { text: '10.1.0.2', words: [0, 0, 0xffff, 0x0a010002] },
  { text: '255.255.255.255', words: [0, 0, 0xffff, -1] },
  { text: '::', words: [0, 0, 0, 0] },
  { text: '::1', words: [0, 0, 0, 1] },
  { text: 'fd00:10:1::2', words: [0xfd000010 | 0, 0x00010000, 0, 2] },
  { text: '1:2:3:4:5:6:7:8', words: [0x10002, 0x30004, 0x50006, 0x70008] },
  { text: '1:2:3:4:5:6:7::', words: [0x10002, 0x30004, 0x50006, 0x70000] },
  { text: '::2:3:4:5:6:7:8', words: [2, 0x30004, 0x50006, 0x70008] },
  { text: '64:ff9b::192.0.2.1', words: [0x0064ff9b, 0, 0, 0xc0000201 | 0] },
  { text: '::ffff:10.1.0.2', words: [0, 0, 0xffff, 0x0a010002] },
  { text: 'FFFF::ABCD', words: [0xffff0000 | 0, 0, 0, 0xabcd] },
];
for (const { text, words } of rows)
  test(`${text} is parsed`, () => {
    expect([...(parseAddress(text) ?? [])]).toEqual(words);
  });

const refused = [
  ['nothing', ''],
  ['three octets', '1.2.3'],
  ['an octet above 255', '1.2.3.256'],
  ['a leading zero', '1.2.3.04'],
  ['an octet in hex', '1.2.3.0x4'],
  ['a space', ' 1.2.3.4'],
  ['a zone', 'fe80::1%eth0'],
  ['seven groups', '1:2:3:4:5:6:7'],
  ['nine groups', '1:2:3:4:5:6:7:8:9'],
  ['a run of zeros that is none', '1:2:3:4::5:6:7:8'],
  ['two runs of zeros', '1::2::3'],
  ['three colons', '1:::2'],
  ['one colon first', ':1:2:3:4:5:6:7'],
  ['one colon last', '1:2:3:4:5:6:7:'],
  ['five digits', '::12345'],
  ['no hex digit', '::g'],
  ['IPv4 before the end', '::1.2.3.4:5'],
  ['IPv4 before a run of zeros', '1.2.3.4::'],
  ['IPv4 before a run of zeros and more', '1:1.2.3.4::1'],
  ['IPv4 in the last group of eight', '1:2:3:4:5:6:7:1.2.3.4'],
  ['brackets', '[::1]'],
  ['a prefix length', '10.0.0.0/8'],
] as const;
test.each(refused)('%s is refused', (_, text) => {
  expect(isIP(text) === 0 || text.includes('%')).toBe(true);
  expect(parseAddress(text)).toBeUndefined();
});

const formatted = [
  { words: [0, 0, 0, 0], text: '::' },
  { words: [0, 0, 0, 1], text: '::1' },
  { words: [0, 0, 0xffff, 0x0a010002], text: '10.1.0.2' },
  { words: [0, 0, 0xffff, -1], text: '255.255.255.255' },
  // RFC 5952 section 4.2.2: one group of zeros is not shortened; 4.2.3: the longest run, of equals the first.
  { words: [0x20010db8, 0x00000001, 0x00010001, 0x00010001], text: '2001:db8:0:1:1:1:1:1' },
  { words: [0x20010db8, 0, 0x00010000, 0x00000001], text: '2001:db8::1:0:0:1' },
  { words: [0x20010db8, 0x00010000, 0, 1], text: '2001:db8:1::1' },
  { words: [0x20010000, 0x00000db8, 0, 0], text: '2001:0:0:db8::' },
  { words: [0xabcdef01 | 0, 0x2345678, -1, 0x80000000 | 0], text: 'abcd:ef01:234:5678:ffff:ffff:8000:0' },
] as const;
for (const { words, text } of formatted)
  test(`RFC 5952 section 4: ${text} is written`, () => {
    expect(formatAddress(Int32Array.from([7, ...words]), 1)).toBe(text);
  });

test('only ::ffff:0:0/96 is IPv4', () => {
  expect(isIpv4Words(Int32Array.of(9, 0, 0, 0xffff, 5), 1)).toBe(true);
  for (const words of [
    [1, 0, 0xffff, 5],
    [0, 1, 0xffff, 5],
    [0, 0, 0xfffe, 5],
    [0, 0, 0x1ffff, 5],
    [0, 0, 0, 5],
  ]) {
    expect(isIpv4Words(Int32Array.from(words), 0)).toBe(false);
  }
});

describe('random addresses', () => {
  function randomIpv6(random: Random): Uint8Array {
    const bytes = random.bytes(16);
    // Runs of zeros of every length and place, and groups with few digits.
    for (let i = 0; i < 8; i++) {
      if (random.once(2)) bytes.fill(0, 2 * i, 2 * i + 2);
      else if (random.once(3)) bytes[2 * i] = 0;
    }
    return bytes;
  }

  test('are written as the URL parser writes them, and read back', () => {
    withRandom((random) => {
      for (let round = 0; round < 3000; round++) {
        const bytes = random.once(4) ? random.bytes(4) : randomIpv6(random);
        const words = wordsOf(bytes);
        const text = formatAddress(words);
        const want = isIpv4Words(words, 0) ? addressText(bytes.slice(-4)) : addressText(bytes);
        if (text !== want) expect(text).toBe(want);
        if (String(parseAddress(text)) !== String(words)) expect(parseAddress(text)).toEqual(words);
      }
    });
  });

  /** Text that is nearly an address: valid groups in any number, with a run of zeros and IPv4 in any place. */
  function nearlyAddress(random: Random): string {
    const group = () => random.pick(['0', '1', 'ff', 'A0b', '0db8', 'ffff', '10000', '']);
    const octet = () => random.pick(['0', '1', '10', '99', '255', '256', '01', '']);
    const ipv4 = () => Array.from({ length: random.once(6) ? random.between(2, 6) : 4 }, octet).join('.');
    if (random.once(4)) return ipv4();
    const parts = Array.from({ length: random.between(0, 9) }, () => (random.once(12) ? '' : group()));
    if (random.once(2)) parts.splice(random.below(parts.length + 1), 0, ipv4());
    if (random.once(2)) parts.splice(random.below(parts.length + 1), 0, '');
    return `${random.once(4) ? ':' : ''}${parts.join(':')}${random.once(4) ? ':' : ''}`;
  }

  function damaged(random: Random): string {
    const text = addressText(random.once(3) ? random.bytes(4) : randomIpv6(random));
    const at = random.below(text.length + 1);
    const insert = random.once(3) ? '' : random.pick([...'0123456789abcdefABCDEFg:.x /[]-']);
    return text.slice(0, at) + insert + text.slice(at + random.below(2));
  }

  test('and texts that are nearly addresses are told apart as node:net does', () => {
    withRandom((random) => {
      let valid = 0;
      for (let round = 0; round < 10_000; round++) {
        const text = random.once(2) ? nearlyAddress(random) : damaged(random);
        const words = parseAddress(text);
        const want = isIP(text) !== 0 ? wordsOf(addressBytes(text)) : undefined;
        if (want !== undefined) valid++;
        if (String(words) !== String(want)) expect({ text, words }).toEqual({ text, words: want });
      }
      expect(valid).toBeGreaterThan(1000);
      expect(valid).toBeLessThan(9000);
    });
  });
});
