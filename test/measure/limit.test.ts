import { describe, expect, test } from 'vitest';
import { busiestActivity, limitWords, type ParticipantUse } from '../../src/measure/limit.ts';
import { Activity } from '../../src/ports/activity.ts';

const samples = (seen: Partial<Record<keyof typeof Activity, number>>) =>
  Object.keys(Activity).map((name) => seen[name as keyof typeof Activity] ?? 0);
const client: ParticipantUse = { name: 'client (iperf3)', coreShare: 0.5, cpuSeconds: 5 };
const n1 = { name: 'n1', coreShare: 0.6, cpuSeconds: 6, samples: samples({ Waiting: 900, ReadPod: 60, Stories: 40 }) };
const n2 = { name: 'n2', coreShare: 0.97, cpuSeconds: 9.7, samples: samples({ Stories: 300, WritePod: 600 }) };
const idle = { busySeconds: 12, seconds: 10, processors: 2 };
const full = { busySeconds: 19.5, seconds: 10, processors: 2 };

describe('limitWords', () => {
  test('a node that has no time left, and what it spends it with', () => {
    expect(limitWords([client, n1, n2], full)).toBe('limited by n2 TAP writes, 97 % of one core');
  });

  test('a program that has no time left', () => {
    expect(limitWords([{ ...client, coreShare: 0.85 }, n1], idle)).toBe(
      'limited by the client (iperf3), 85 % of one core',
    );
  });

  test('nobody has none left, but the machine has', () => {
    expect(limitWords([client, n1], full)).toBe(
      'limited by the machine: 2 cores busy; n1 TAP reads 60 % of one, the client (iperf3) 50 % of one',
    );
  });

  test('neither', () => {
    expect(limitWords([client, n1], idle)).toBe('not limited by CPU: the busiest was n1 TAP reads, 60 % of one core');
    expect(limitWords([], idle)).toBe('not limited by CPU');
  });

  test('a node that did not tell', () => {
    expect(limitWords([{ ...n2, samples: samples({}) }], full)).toBe('limited by n2, 97 % of one core');
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
