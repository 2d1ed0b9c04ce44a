import { describe, expect, test } from 'vitest';
import { busiestActivity, limitWords, type ParticipantUse, workShare } from '../../src/measure/limit.ts';
import { Activity } from '../../src/ports/activity.ts';

const samples = (seen: Partial<Record<keyof typeof Activity, number>>) =>
  Object.keys(Activity).map((name) => seen[name as keyof typeof Activity] ?? 0);
const client: ParticipantUse = { name: 'client (iperf3)', coreShare: 0.5, cpuSeconds: 5 };
const n1 = { name: 'n1', coreShare: 0.6, cpuSeconds: 6, samples: samples({ Waiting: 900, ReadPod: 60, Stories: 40 }) };
const n2 = { name: 'n2', coreShare: 0.97, cpuSeconds: 9.7, samples: samples({ Stories: 30, WritePod: 970 }) };
const mixed = { ...n2, samples: samples({ Stories: 59, WritePod: 41 }) };
const idle = { busySeconds: 12, seconds: 10, processors: 2 };
const full = { busySeconds: 19.5, seconds: 10, processors: 2 };

describe('limitWords', () => {
  test('a node that has no time left, and what it spends it with', () => {
    expect(limitWords([client, n1, n2], full)).toBe('limited by n2 TAP writes, 97 % of one core');
  });

  test('a node that does more than one thing: the whole is not said of a part', () => {
    const words = (seen: readonly number[]) => limitWords([client, n1, { ...n2, samples: seen }], full);
    expect(words(samples({ Stories: 30, WritePod: 41, ReadPod: 29 }))).toBe(
      'limited by n2, 97 % of one core, 41 % of that TAP writes',
    );
    expect(words(mixed.samples)).toBe('limited by n2, 97 % of one core, 59 % of that packet processing (JavaScript)');
  });

  test('a node that spins is not at its limit', () => {
    const spinning = { ...n2, samples: samples({ Waiting: 700, WritePod: 290, Stories: 10 }) };
    expect(limitWords([client, spinning], idle)).toBe(
      'not limited by CPU: the busiest was the client (iperf3), 50 % of one core',
    );
    expect(limitWords([spinning], idle)).toBe('not limited by CPU: the busiest was n2 TAP writes, 30 % of one core');
  });

  test('a program that has no time left', () => {
    expect(limitWords([{ ...client, coreShare: 0.85 }, n1], idle)).toBe(
      'limited by the client (iperf3), 85 % of one core',
    );
  });

  test('nobody has none left, but the machine has', () => {
    const busy = { ...n1, samples: samples({ Waiting: 400, ReadPod: 360, Stories: 240 }) };
    expect(limitWords([client, busy], full)).toBe(
      'limited by the machine: 2 cores busy; n1, 60 % of one core, 60 % of that TAP reads; the client (iperf3), 50 % of one core',
    );
  });

  test('neither', () => {
    expect(limitWords([client, n1], idle)).toBe(
      'not limited by CPU: the busiest was the client (iperf3), 50 % of one core',
    );
    expect(limitWords([], idle)).toBe('not limited by CPU');
  });

  test('a node that did not tell', () => {
    expect(limitWords([{ ...n2, samples: samples({}) }], full)).toBe('limited by n2, 97 % of one core');
  });
});

describe('workShare', () => {
  test('what it did not wait for, and no more than it had of its core', () => {
    expect(workShare({ ...n1, coreShare: 1 })).toBeCloseTo(0.1);
    expect(workShare({ ...n2, coreShare: 0.6 })).toBe(0.6);
    expect(workShare(client)).toBe(0.5);
    expect(workShare({ ...n2, samples: samples({}) })).toBe(0.97);
  });
});

describe('busiestActivity', () => {
  test('waiting is none', () => {
    expect(busiestActivity(samples({ Waiting: 99, Messages: 1 }))).toEqual({ words: 'configuration', share: 1 });
    expect(busiestActivity(samples({ Waiting: 99 }))).toBeUndefined();
  });

  test('every activity has words', () => {
    for (const name of Object.keys(Activity).filter((one) => one !== 'Waiting')) {
      expect(busiestActivity(samples({ [name]: 5 }))?.words, name).not.toMatch(/unknown/);
    }
  });
});
