import { describe, expect, test } from 'vitest';
import { type MachineLook, machineUse, noiseOf } from '../../src/measure/machine-use.ts';
import type { ProcessTimes } from '../../src/measure/proc-stat.ts';

const process = (id: number, own: number, more: Partial<ProcessTimes> = {}): ProcessTimes => {
  return { id, name: `p${id}`, parent: 1, isKernel: false, born: id, own, children: 0, ...more };
};

/** Two processors, ten seconds after `atSeconds`. */
function look(atSeconds: number, processes: readonly ProcessTimes[], programs = 0, steal = 0): MachineLook {
  const times = { programs, interrupts: atSeconds / 10, steal, total: 2 * atSeconds, processors: 2 };
  return { times, processes, atMs: atSeconds * 1000 };
}

const isOurs = ({ id }: ProcessTimes) => id < 10;

describe('machineUse', () => {
  test('busy time, and foreign processes by name, loudest first; ours and the kernel are none', () => {
    const before = look(0, [process(1, 5), process(20, 1), process(21, 0), process(30, 0, { isKernel: true })]);
    const after = look(
      10,
      [process(1, 14), process(20, 3), process(21, 5), process(30, 9, { isKernel: true })],
      17,
      0.4,
    );
    const use = machineUse(before, after, isOurs, true);
    expect(use).toMatchObject({ seconds: 10, processors: 2, busySeconds: 18, stealShare: 0.02 });
    expect(use.foreignCores).toBeCloseTo(0.7);
    expect(use.foreign).toEqual([
      { name: 'p21', id: 21, cores: 0.5 },
      { name: 'p20', id: 20, cores: 0.2 },
    ]);
  });

  test('a number that another process has got meanwhile is another process', () => {
    const use = machineUse(look(0, [process(20, 50)]), look(10, [process(20, 4, { born: 99 })]), isOurs, true);
    expect(use.foreignCores).toBeCloseTo(0.4);
  });

  test('processes that came and went are known by their parent', () => {
    const before = look(0, [process(20, 1, { children: 100 })]);
    const after = look(10, [process(20, 1, { children: 106 })], 7);
    expect(machineUse(before, after, isOurs, true).foreignCores).toBeCloseTo(0.6);
  });

  test('of one that went, only what it has used since counts', () => {
    const before = look(0, [process(20, 1), process(25, 40)]);
    const after = look(10, [process(20, 1, { children: 43 })], 7);
    expect(machineUse(before, after, isOurs, true).foreignCores).toBeCloseTo(0.3);
  });

  test('who had ended before it could be looked at does not count with its whole life', () => {
    const before = look(0, [process(1, 0), process(20, 1)]);
    const after = look(10, [process(1, 8), process(20, 1, { children: 60 })], 8.5);
    const use = machineUse(before, after, isOurs, true);
    expect(use.foreignCores).toBeCloseTo(0.05);
    expect(use.foreign).toEqual([{ name: 'ended children of p20', id: 20, cores: expect.closeTo(0.05) }]);
  });

  test('who has used nothing has no name', () => {
    expect(machineUse(look(0, [process(20, 3)]), look(10, [process(20, 3)]), isOurs, true).foreign).toEqual([]);
  });

  test('where not all can be seen, what nobody of ours has used is foreign', () => {
    const use = machineUse(look(0, [process(1, 5)]), look(10, [process(1, 10)], 12), isOurs, false);
    expect(use.foreignCores).toBeCloseTo(0.7);
    expect(machineUse(look(0, [process(1, 0)]), look(10, [process(1, 10)], 2), isOurs, false).foreignCores).toBe(0);
  });
});

describe('noiseOf', () => {
  const quiet = {
    ...{ seconds: 10, processors: 2, busySeconds: 20, stealShare: 0.02, foreignCores: 0.3, foreign: [] },
  };

  test('at the limits there is none', () => {
    expect(noiseOf(quiet)).toEqual([]);
  });

  test('steal', () => {
    expect(noiseOf({ ...quiet, stealShare: 0.034 })).toEqual([
      "3.4 % of the machine's time was stolen by its host (limit 2 %)",
    ]);
  });

  test('other processes, by name where they are known', () => {
    const foreign = [
      { name: 'yes', id: 7, cores: 0.9 },
      { name: 'idle', id: 8, cores: 0.01 },
    ];
    expect(noiseOf({ ...quiet, foreignCores: 0.91, foreign })).toEqual([
      'other processes used 0.91 cores (limit 0.3): yes (pid 7) 0.90',
    ]);
    expect(noiseOf({ ...quiet, foreignCores: 0.5, stealShare: 0.1 })).toHaveLength(2);
  });

  test('there is always somebody to look for', () => {
    const foreign = [{ name: 'sh', id: 7, cores: 0.04 }];
    expect(noiseOf({ ...quiet, foreignCores: 0.39, foreign })).toEqual([
      'other processes used 0.39 cores (limit 0.3): many with little each, most of it sh (pid 7) 0.04',
    ]);
    expect(noiseOf({ ...quiet, foreignCores: 0.39 })[0]).toMatch(/which ones cannot be seen from here$/);
  });
});
