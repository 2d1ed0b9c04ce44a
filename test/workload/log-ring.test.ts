import { describe, expect, test } from 'vitest';
import { LogRing } from '../../src/workload/log-ring.ts';
import { printable } from '../../src/workload/printable.ts';
import { Random } from '../support/random.ts';

describe('the log of a pod', () => {
  test('keeps the last lines, whole, and no more bytes than it may', () => {
    const random = new Random(7);
    const ring = new LogRing(4096);
    const lines: string[] = [];
    expect(ring.text()).toBe('');
    for (let i = 0; i < 500; i++) {
      const line = `${i} ${'x'.repeat(random.below(100))}`;
      lines.push(line);
      ring.write(line);
      const text = ring.text();
      const kept = text.split('\n').slice(0, -1);
      expect(text.endsWith('\n')).toBe(true);
      expect(text.length).toBeLessThanOrEqual(4096);
      expect(kept).toEqual(lines.slice(-kept.length));
      // As long as all fits, all is there; later at most one line and a bit is missing.
      if (lines.join('\n').length < 4096) expect(kept.length).toBe(lines.length);
      else expect(text.length).toBeGreaterThan(4096 - 2 * 106);
    }
  });

  test('of a line longer than the ring, nothing breaks', () => {
    const ring = new LogRing(1024);
    ring.write('y'.repeat(5000));
    ring.write('short');
    expect(ring.text()).toBe('short\n');
  });

  test('a line for a terminal holds no control characters, nothing foreign, and is not long', () => {
    expect(printable('/a?b=c d~')).toBe('/a?b=c d~');
    expect(printable('\x1b[2J\r\n\xe9')).toBe('\\u001b[2J\\u000d\\u000a\\u00e9');
    expect(printable('z'.repeat(16_000))).toBe(`${'z'.repeat(200)}...`);
  });
});
