/** Entries go when their time is over: not before, and at most one tick later. */
import { describe, expect, test } from 'vitest';
import { Connections } from '../../src/conntrack/connections.ts';
import { KEY_WORDS } from '../../src/packet/flow-key.ts';
import { type Random, withRandom } from '../support/random.ts';
import { SECOND } from './tracker.ts';

const DAY = 86_400 * SECOND;

function enter(connections: Connections, nowMs: number, deadlineMs: number): number {
  const connection = connections.allocate();
  const key = (half: number) => new Int32Array(KEY_WORDS).fill(connections.statistics.insert * 2 + half + 1);
  connections.insert(connection, key(0), key(1), nowMs);
  connections.state[connection] = 1;
  connections.refresh(connection, nowMs, deadlineMs - nowMs);
  return connection;
}

describe('deadlines', () => {
  for (const startMs of [0, 12_345, 1_700_000_000_000]) {
    for (const lifeMs of [1, 999, 1000, 1001, 30_000, 1_023_000, 1_024_000, 1_025_000, DAY, 30 * DAY]) {
      test(`${lifeMs} ms from ${startMs}, waited for second by second at the end`, () => {
        const connections = new Connections(8, 1);
        enter(connections, startMs, startMs + lifeMs);
        const end = startMs + lifeMs;
        connections.expire(startMs, 8);
        for (let now = Math.max(startMs, end - 5000); now < end; now += 500) connections.expire(now, 8);
        connections.expire(end - 1, 8);
        expect(connections.count).toBe(1);
        connections.expire(end + SECOND, 8);
        expect(connections.count).toBe(0);
      });
    }
  }

  test('a far deadline survives every turn of the wheel before it', () => {
    const connections = new Connections(8, 1);
    enter(connections, 0, DAY);
    for (let now = 0; now < DAY; now += 100 * SECOND) connections.expire(now, 8);
    expect(connections.count).toBe(1);
    connections.expire(DAY, 8);
    expect(connections.count).toBe(0);
  });

  test('postponed again and again, an entry stays; then it goes', () => {
    const connections = new Connections(8, 1);
    const connection = enter(connections, 0, 30 * SECOND);
    for (let now = 0; now < 3000 * SECOND; now += 7 * SECOND) {
      connections.refresh(connection, now, 30 * SECOND);
      expect(connections.expire(now, 8)).toBe(0);
    }
    expect(connections.count).toBe(1);
    connections.expire(3040 * SECOND, 8);
    expect(connections.count).toBe(0);
  });

  test('brought forward, it goes at the earlier time', () => {
    const connections = new Connections(8, 1);
    const connection = enter(connections, 0, DAY);
    connections.refresh(connection, 0, 10 * SECOND);
    connections.expire(9 * SECOND, 8);
    expect(connections.count).toBe(1);
    connections.expire(10 * SECOND, 8);
    expect(connections.count).toBe(0);
  });

  test('a process that was stopped for a week removes what is over, and only that', () => {
    const connections = new Connections(64, 1);
    for (let i = 0; i < 30; i++) enter(connections, 0, (i + 1) * DAY);
    connections.expire(1000, 64);
    connections.expire(7 * DAY, 64);
    expect(connections.count).toBe(23);
    connections.expire(31 * DAY, 64);
    expect(connections.count).toBe(0);
  });

  test('a clock that steps back removes nothing early', () => {
    const connections = new Connections(8, 1);
    connections.expire(1000 * SECOND, 8);
    enter(connections, 500 * SECOND, 530 * SECOND);
    connections.expire(510 * SECOND, 8);
    expect(connections.count).toBe(1);
    connections.expire(531 * SECOND, 8);
    connections.expire(1001 * SECOND, 8);
    expect(connections.count).toBe(0);
  });
});

describe('the budget', () => {
  test('bounds what one call removes; the rest goes with the next calls', () => {
    const connections = new Connections(100, 1);
    for (let i = 0; i < 100; i++) enter(connections, 0, 5 * SECOND);
    const removed = [];
    while (connections.count > 0) removed.push(connections.expire(10 * SECOND, 30));
    expect(removed).toEqual([30, 30, 30, 10]);
    expect(connections.expire(10 * SECOND, 30)).toBe(0);
  });
});

test('a connection marked to end goes with the next sweep, whatever its deadline was', () => {
  const connections = new Connections(8, 1);
  const connection = enter(connections, 0, DAY);
  connections.expire(20_500, 8);
  connections.end(connection, 20_500);
  expect(connections.count).toBe(1);
  expect(connections.expire(20_500, 8)).toBe(1);
});

/** Deadlines by connection number, and what should be left of them. */
function churn(random: Random): void {
  const connections = new Connections(256, 1);
  const deadlines = new Map<number, number>();
  let now = random.below(2) * 1_600_000_000_000;
  for (let i = 0; i < 20_000; i++) {
    const life = random.pick([random.below(5), 10 * SECOND, 30 * SECOND, 300 * SECOND, 3600 * SECOND, DAY]);
    if (deadlines.size < 200 && random.once(2)) {
      deadlines.set(enter(connections, now, now + life), now + life);
    } else if (deadlines.size > 0) {
      const connection = random.pick([...deadlines.keys()]);
      connections.refresh(connection, now, life);
      deadlines.set(connection, now + life);
    }
    now += random.pick([0, random.below(3000), random.once(50) ? random.below(2 * DAY) : 0]);
    if (random.once(3)) sweep(connections, deadlines, now);
  }
}

function sweep(connections: Connections, deadlines: Map<number, number>, now: number): void {
  connections.expire(now, 1000);
  for (const [connection, deadline] of deadlines) {
    const alive = connections.state[connection] !== 0;
    const late = alive && Math.ceil(deadline / SECOND) * SECOND <= now;
    const early = !alive && deadline > now;
    if (late || early)
      throw new Error(`connection ${connection}, deadline ${deadline}: ${late ? 'still' : 'not'} there at ${now}`);
    if (!alive) deadlines.delete(connection);
  }
  expect(connections.count).toBe(deadlines.size);
}

test('random lives, postponements and jumps of the clock', () => withRandom(churn));
