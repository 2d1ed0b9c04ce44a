/** TCP options: what is read of them, and that nothing is read beyond them. */
import { describe, expect, test } from 'vitest';
import { tcpWindow } from '../../src/wire/tcp.ts';
import { tcpHighestSack, tcpSackPermitted, tcpWindowScale } from '../../src/wire/tcp-options.ts';
import { buildFrame } from '../support/frames.ts';
import { withRandom } from '../support/random.ts';

const AT = 34;

/** The frame up to the end of its options: what is read beyond throws. */
function read<T>(tcpOptions: readonly number[], reader: (view: DataView) => T): T {
  const bytes = buildFrame({ tcpOptions });
  return reader(new DataView(bytes.buffer, 0, bytes.length));
}
const scale = (options: readonly number[]) => read(options, (view) => tcpWindowScale(view, AT));
const permitted = (options: readonly number[]) => read(options, (view) => tcpSackPermitted(view, AT));
const sack = (options: readonly number[], ack: number) => read(options, (view) => tcpHighestSack(view, AT, ack));

test('reads the window', () => {
  const bytes = buildFrame({ window: 0xfedc });
  expect(tcpWindow(new DataView(bytes.buffer), AT)).toBe(0xfedc);
});

describe('window scale (RFC 7323)', () => {
  test.each([
    ['none at all', [], -1],
    ['as Linux sends it', [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7], 7],
    ['CT-037 14', [3, 3, 14], 14],
    ['CT-037 15 is 14', [3, 3, 15], 14],
    ['the last of several', [3, 3, 1, 3, 3, 2], 2],
    ['of a wrong length', [3, 4, 7, 0], -1],
    ['behind the end of the options', [0, 3, 3, 7], -1],
    ['behind an option of length 1', [8, 1, 3, 3, 7], -1],
    ['behind one that is longer than all', [8, 40, 3, 3, 7], -1],
    ['cut short', [1, 1, 3, 3], -1],
    ['a lone kind at the very end', [1, 1, 1, 3], -1],
  ])('%s', (_, options, want) => {
    expect(scale(options)).toBe(want);
  });
});

describe('SACK (RFC 2018)', () => {
  test('permitted, or not', () => {
    expect(permitted([2, 4, 5, 180, 1, 1, 4, 2])).toBe(true);
    expect(permitted([2, 4, 5, 180])).toBe(false);
    expect(permitted([4, 3, 0])).toBe(false);
    expect(permitted([0, 4, 2])).toBe(false);
  });

  const block = (left: number, right: number) => [0, 0, 0, left, 0, 0, 0, right];
  test.each([
    ['no options', [], 5, 5],
    ['timestamps only', [1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 9], 5, 5],
    ['one block', [1, 1, 5, 10, ...block(7, 9)], 5, 9],
    ['the highest of three', [1, 1, 5, 26, ...block(7, 8), ...block(20, 30), ...block(10, 12)], 5, 30],
    ['all lower than the acknowledgment', [5, 10, ...block(1, 2)], 5, 5],
    ['with timestamps before it', [1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 9, 1, 1, 5, 10, ...block(7, 9)], 5, 9],
    ['the first option of two', [5, 10, ...block(7, 9), 5, 10, ...block(7, 11)], 5, 9],
    ['an option without blocks is none', [5, 2, 5, 10, ...block(7, 9)], 5, 9],
    ['nor is one of half a block', [5, 6, 0, 0, 0, 1, 5, 10, ...block(7, 9)], 5, 9],
    ['wrapped', [5, 10, 255, 255, 255, 255, 0, 0, 0, 3], -1, 3],
  ])('%s', (_, options, ack, want) => {
    expect(sack(options, ack)).toBe(want);
  });
});

test('random options: nothing is read beyond them', () =>
  withRandom((random) => {
    for (let i = 0; i < 20_000; i++) {
      const options = Array.from({ length: random.below(11) * 4 }, () => random.pick([0, 1, 2, 3, 4, 5, 8, 10, 255]));
      expect(scale(options)).toBeLessThanOrEqual(14);
      permitted(options);
      sack(options, 0);
    }
  }));
