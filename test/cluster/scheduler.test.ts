import { expect, test } from 'vitest';
import { assignNodes } from '../../src/cluster/scheduler.ts';

const nodes = ['n1', 'n2', 'n3'];
const cases = [
  { name: 'no pods', wanted: [], want: [] },
  { name: 'ties go to the first node', wanted: [undefined], want: [0] },
  { name: 'pods spread evenly', wanted: Array(7).fill(undefined), want: [0, 1, 2, 0, 1, 2, 0] },
  { name: 'a named node is honoured', wanted: ['n3', 'n3'], want: [2, 2] },
  { name: 'an unknown node is nobody', wanted: ['n7', 'N1', ''], want: [undefined, undefined, undefined] },
  { name: 'named pods count, wherever they stand', wanted: [undefined, undefined, 'n1', 'n1'], want: [1, 2, 0, 0] },
  { name: 'unknown names do not count', wanted: ['n7', undefined], want: [undefined, 0] },
] as const;
for (const { name, wanted, want } of cases) {
  test(name, () => expect(assignNodes(wanted, nodes)).toEqual(want));
}
