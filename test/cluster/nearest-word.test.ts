import { expect, test } from 'vitest';
import { nearestWord } from '../../src/cluster/nearest-word.ts';

const words = ['nodes', 'networking', 'name', 'podSubnet', 'mtu', 'ipFamily'];
const cases = [
  { found: 'node', want: 'nodes' },
  { found: 'ndoes', want: 'nodes' },
  { found: 'Networking', want: 'networking' },
  { found: 'podsubnet', want: 'podSubnet' },
  { found: 'podSubent', want: 'podSubnet' },
  { found: 'mut', want: 'mtu' },
  { found: 'replicas', want: undefined },
  { found: '', want: undefined },
  { found: 'x'.repeat(100_000), want: undefined },
];
for (const { found, want } of cases) {
  test(`${found.slice(0, 20)} → ${want}`, () => expect(nearestWord(found, words)).toBe(want));
}

test('an exchange of neighbours is one edit, so the exchanged word is nearer than a two-edit one', () => {
  expect(nearestWord('abdc', ['abxy', 'abcd'])).toBe('abcd');
});

test('of equals, the first', () => expect(nearestWord('abcx', ['abca', 'abcb'])).toBe('abca'));
