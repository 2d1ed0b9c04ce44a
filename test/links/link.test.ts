import { describe, expect, test } from 'vitest';
import { Link, type LinkSettings } from '../../src/links/link.ts';

const PLAIN: LinkSettings = { delayMs: 0, jitterMs: 0, loss: 0, duplicate: 0, reorder: 0, seed: 7 };
const PACKETS = 100_000;

interface Decision {
  readonly lost: boolean;
  readonly doubled: boolean;
  readonly dueMs: number;
}

/** What a link decides about packets that come `stepMs` apart. */
function decisions(settings: Partial<LinkSettings>, count = PACKETS, stepMs = 0): Decision[] {
  const link = new Link({ ...PLAIN, ...settings });
  return Array.from({ length: count }, (_, i) => {
    link.decide(i * stepMs);
    return { lost: link.lost, doubled: link.doubled, dueMs: link.dueMs[0]! };
  });
}

function share(list: readonly boolean[]): number {
  return list.filter(Boolean).length / list.length;
}

describe('a link', () => {
  test('without settings loses, doubles and delays nothing', () => {
    for (const { lost, doubled, dueMs } of decisions({}, 1000))
      expect([lost, doubled, dueMs]).toEqual([false, false, 0]);
  });

  test('decides the same with the same seed, and otherwise with another', () => {
    const settings = { delayMs: 10, jitterMs: 5, loss: 0.1, duplicate: 0.1, reorder: 0.1 };
    expect(decisions({ ...settings, seed: 3 }, 1000)).toEqual(decisions({ ...settings, seed: 3 }, 1000));
    expect(decisions({ ...settings, seed: 3 }, 1000)).not.toEqual(decisions({ ...settings, seed: 4 }, 1000));
  });

  for (const wanted of [0.01, 0.25, 0.5, 0.99]) {
    test(`loses and doubles ${wanted} of the packets`, () => {
      const found = decisions({ loss: wanted, duplicate: wanted });
      // Three standard deviations of a binomial share.
      const tolerance = 3 * Math.sqrt((wanted * (1 - wanted)) / PACKETS);
      expect(Math.abs(share(found.map(({ lost }) => lost)) - wanted)).toBeLessThan(tolerance);
      expect(Math.abs(share(found.map(({ doubled }) => doubled)) - wanted)).toBeLessThan(tolerance);
    });
  }

  test('loses all, when told to', () => {
    expect(share(decisions({ loss: 1 }).map(({ lost }) => lost))).toBe(1);
  });

  test('varies the delay evenly, both ways', () => {
    const waits = decisions({ delayMs: 100, jitterMs: 20 }, PACKETS, 1000).map(({ dueMs }, i) => dueMs - i * 1000);
    expect(Math.min(...waits.slice(0, 1000))).toBeGreaterThanOrEqual(80);
    expect(Math.max(...waits.slice(0, 1000))).toBeLessThanOrEqual(120);
    expect(waits.reduce((a, b) => a + b) / PACKETS).toBeCloseTo(100, 0);
    expect(share(waits.map((wait) => wait < 90))).toBeCloseTo(0.25, 1);
  });

  test('never delays by less than nothing', () => {
    const due = decisions({ delayMs: 1, jitterMs: 50 }, 1000, 100).map(({ dueMs }, i) => dueMs - i * 100);
    expect(Math.min(...due)).toBe(0);
  });

  test('keeps packets in order, whatever the jitter', () => {
    const due = decisions({ delayMs: 100, jitterMs: 100 }, 10_000, 1).map(({ dueMs }) => dueMs);
    expect(due).toEqual([...due].sort((a, b) => a - b));
  });

  test('lets those overtake that reorder tells to: they leave at once', () => {
    const found = decisions({ delayMs: 100, reorder: 0.3 }, 10_000, 1);
    const atOnce = found.map(({ dueMs }, i) => dueMs === i);
    expect(share(atOnce)).toBeCloseTo(0.3, 1);
    for (const [i, { dueMs }] of found.entries()) expect(dueMs - i).toBe(atOnce[i] ? 0 : 100);
  });

  test('decides about each thing alone: another loss moves no delay', () => {
    const settings = { delayMs: 50, jitterMs: 10, duplicate: 0.2 };
    const few = decisions({ ...settings, loss: 0.1 }, 1000, 1000);
    const many = decisions({ ...settings, loss: 0.6 }, 1000, 1000);
    expect(few.map(({ dueMs }) => dueMs)).toEqual(many.map(({ dueMs }) => dueMs));
    expect(few.map(({ doubled }) => doubled)).toEqual(many.map(({ doubled }) => doubled));
  });

  test('a lost packet holds up nobody', () => {
    const settings = { delayMs: 100, jitterMs: 100, loss: 0.5 };
    // Far apart, no packet waits for another: what remains is each one's own delay.
    const waits = decisions(settings, 10_000, 1000).map(({ dueMs }, i) => dueMs - i * 1000);
    let lastMs = 0;
    for (const [i, { lost, dueMs }] of decisions(settings, 10_000, 1).entries()) {
      if (lost) continue;
      lastMs = Math.max(i + waits[i]!, lastMs);
      expect(dueMs).toBeCloseTo(lastMs, 6);
    }
  });
});
