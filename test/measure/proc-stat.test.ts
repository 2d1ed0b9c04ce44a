import { describe, expect, test } from 'vitest';
import {
  parseMachineTimes,
  parseProcessTimes,
  readAllProcesses,
  readMachineTimes,
  readProcessTimes,
} from '../../src/measure/proc-stat.ts';
import { missing } from '../support/requires.ts';

describe('/proc/stat', () => {
  const text = `cpu  1000 200 300 4000 50 50 75 80 500 0
cpu0 500 100 150 2000 25 30 35 40 250 0
cpu1 500 100 150 2000 25 30 35 40 250 0
intr 1 2 3
`;

  test('seconds, by who has used them; guests are part of user time', () => {
    expect(parseMachineTimes(text)).toEqual({
      programs: 15,
      interrupts: 1.25,
      steal: 0.8,
      total: 57.55,
      processors: 2,
    });
  });
});

describe('/proc/PID/stat', () => {
  const rest = (flags: number) =>
    `S 41 43 43 0 -1 ${flags} 1 2 3 4 150 50 700 300 20 0 7 0 12345 1000 200 18446744073709551615`;

  test('fields behind a name with spaces and parentheses', () => {
    expect(parseProcessTimes(`42 (a (b) c) ${rest(0x400000)}\n`)).toEqual({
      ...{ id: 42, name: 'a (b) c', parent: 41, isKernel: false, born: 12_345, own: 2, children: 10 },
    });
  });

  test('a kernel thread is one', () => {
    expect(parseProcessTimes(`2 (kthreadd) ${rest(0x00208040)}`)?.isKernel).toBe(true);
  });

  test('what is no such line', () => {
    expect(parseProcessTimes('')).toBeUndefined();
  });
});

describe.skipIf(missing('linux') !== undefined)('this machine', () => {
  test('has a processor, time that has passed, and this process in it', () => {
    expect(readMachineTimes().processors).toBeGreaterThan(0);
    expect(readMachineTimes().total).toBeGreaterThan(1);
    const own = readAllProcesses().find(({ id }) => id === process.pid);
    expect(own?.parent).toBe(process.ppid);
    expect(own?.own).toBeGreaterThan(0);
    expect(readProcessTimes(process.pid, process.pid)?.id).toBe(process.pid);
    expect(readProcessTimes(2 ** 30)).toBeUndefined();
  });
});
