import { describe, expect, test } from 'vitest';
import { lookAtMachine, sumOfUsage, usageBetween, withDescendants } from '../../bench/peers/machine-usage.ts';
import type { MachineLook } from '../../src/measure/machine-use.ts';

const processOf = (id: number, parent: number, own: number) => ({
  id,
  parent,
  own,
  name: '',
  isKernel: false,
  born: 0,
  children: 0,
});
/** One second of two cores. */
const at = (atMs: number, busy: number, ...processes: ReturnType<typeof processOf>[]): MachineLook => ({
  atMs,
  times: { programs: busy, interrupts: busy / 10, steal: 0, total: atMs / 500, processors: 2 },
  processes,
});

describe('descendants', () => {
  test('of this process: it is there, its parent is not, and the other way round', () => {
    const { processes } = lookAtMachine();
    expect(withDescendants(processes, [process.ppid])).toContain(process.pid);
    expect(withDescendants(processes, [process.pid])).not.toContain(process.ppid);
  });

  test('of several generations, in any order, and a ring ends', () => {
    const family = [processOf(4, 3, 0), processOf(3, 2, 0), processOf(2, 4, 0), processOf(9, 1, 0)];
    expect([...withDescendants(family, [2])].sort()).toEqual([2, 3, 4]);
  });
});

describe('usage', () => {
  test("is the machine's; the daemons' part is their own time, not their children's", () => {
    const before = at(0, 0, processOf(10, 1, 0), processOf(11, 10, 0.05), processOf(12, 11, 0));
    const after = at(1000, 1, processOf(10, 1, 0.1), processOf(11, 10, 0.45), processOf(12, 11, 0.5));
    const usage = usageBetween(before, after, [10], [11]);
    expect(usage).toMatchObject({ seconds: 1, busySeconds: 1.1, foreignCores: 0, stealShare: 0 });
    expect(usage.daemonSeconds).toBeCloseTo(0.4);
  });

  test('what does not descend from the benchmark is foreign; a daemon that was left an orphan is not', () => {
    const before = at(0, 0, processOf(11, 1, 0), processOf(20, 1, 0));
    const after = at(1000, 1, processOf(11, 1, 0.4), processOf(20, 1, 0.5), processOf(21, 20, 0.25));
    expect(usageBetween(before, after, [10, 11], []).foreignCores).toBeCloseTo(0.75);
  });

  test('where not all processes can be seen, what the machine did and ours did not is foreign', () => {
    const before = at(0, 0, processOf(11, 1, 0));
    const after = at(1000, 1.5, processOf(11, 1, 0.4), { ...processOf(10, 1, 0.2), children: 0.3 });
    expect(usageBetween(before, after, [10, 11], [], false).foreignCores).toBeCloseTo(0.6);
    expect(usageBetween(before, after, [10, 11], [], true).foreignCores).toBe(0);
  });

  test('stretches of time as one: seconds add up, shares are weighed by them', () => {
    const part = { busySeconds: 1, daemonSeconds: 0.5 };
    expect(
      sumOfUsage([
        { ...part, seconds: 1, stealShare: 0.4, foreignCores: 0 },
        { ...part, seconds: 3, stealShare: 0, foreignCores: 1 },
      ]),
    ).toEqual({ seconds: 4, busySeconds: 2, daemonSeconds: 1, stealShare: 0.1, foreignCores: 0.75 });
    expect(sumOfUsage([])).toMatchObject({ seconds: 0, stealShare: 0 });
  });
});
