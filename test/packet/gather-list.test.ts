import { expect, test } from 'vitest';
import { Arena } from '../../src/packet/arena.ts';
import { GatherList } from '../../src/packet/gather-list.ts';

test.each([0, 0x1000, 0x7fff_1234_5000, 0xffff_f000])('pieces are struct iovec, base 0x%x', (base) => {
  const arena = new Arena(65_536);
  arena.base = base;
  const gather = new GatherList(arena, 3);
  arena.bytes.fill(0xa5, gather.at, gather.at + 3 * 16);
  gather.add(100, 7);
  gather.add(65_000, 536);
  expect([gather.count, gather.bytes, gather.full]).toEqual([2, 543, false]);
  const entry = (index: number) => [
    Number(arena.view.getBigUint64(gather.at + index * 16, true)),
    Number(arena.view.getBigUint64(gather.at + index * 16 + 8, true)),
  ];
  expect([entry(0), entry(1)]).toEqual([
    [base + 100, 7],
    [base + 65_000, 536],
  ]);
  expect([gather.pieceAt(0), gather.pieceLen(0), gather.pieceAt(1), gather.pieceLen(1)]).toEqual([100, 7, 65_000, 536]);
});

test('is full at its capacity, and empty again after clear', () => {
  const gather = new GatherList(new Arena(65_536), 2);
  gather.add(64, 1);
  expect(gather.full).toBe(false);
  gather.add(64, 1);
  expect(gather.full).toBe(true);
  gather.clear();
  expect([gather.count, gather.bytes, gather.full]).toEqual([0, 0, false]);
});
