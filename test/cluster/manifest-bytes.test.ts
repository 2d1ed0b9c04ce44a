import { describe, expect, test } from 'vitest';
import { decodeManifest } from '../../src/cluster/manifest-bytes.ts';
import { refusalOf } from './refusal.ts';

const text = 'a: ä😀\n';
const utf16le = Buffer.from(`\ufeff${text}`, 'utf16le');

describe('decodeManifest', () => {
  const cases = [
    { name: 'UTF-8', bytes: Buffer.from(text) },
    { name: 'UTF-8 with a byte order mark', bytes: Buffer.from(`\ufeff${text}`) },
    { name: 'UTF-16LE', bytes: utf16le },
    { name: 'UTF-16BE', bytes: Buffer.from(utf16le).swap16() },
  ];
  for (const { name, bytes } of cases) {
    test(name, () => expect(decodeManifest('a.yaml', bytes)).toEqual({ file: 'a.yaml', text }));
  }

  test('nothing is an empty text', () => expect(decodeManifest('a.yaml', new Uint8Array()).text).toBe(''));

  const faults = [
    {
      name: 'the line of invalid UTF-8',
      bytes: Buffer.from('a: 1\nb: \xff\n', 'latin1'),
      want: 'a.yaml:2:1: found bytes that are not UTF-8',
    },
    {
      name: 'a character cut at the end',
      bytes: Buffer.from('a: ä').subarray(0, 4),
      want: 'a.yaml:1:1: found bytes that are not UTF-8',
    },
    {
      name: 'an odd byte of UTF-16',
      bytes: utf16le.subarray(0, -1),
      want: 'a.yaml:1:1: found bytes that are not UTF-16LE',
    },
  ];
  for (const { name, bytes, want } of faults) {
    test(`names ${name}`, () => {
      expect(refusalOf(() => decodeManifest('a.yaml', bytes))).toEqual([expect.stringContaining(want)]);
    });
  }
});
