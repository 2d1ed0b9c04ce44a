/** A table that is full, or nearly: who goes, who stays, and what is counted. */
import { describe, expect, test } from 'vitest';
import { ConnectionFlag } from '../../src/conntrack/connections.ts';
import { SctpState } from '../../src/conntrack/sctp-states.ts';
import { TcpState } from '../../src/conntrack/tcp-states.ts';
import type { FrameSpec } from '../support/frames.ts';
import { type Random, withRandom } from '../support/random.ts';
import { ACK, FIN_ACK, reply, SECOND, SERVER, SYN, SYN_ACK, Tracker } from './tracker.ts';

const udp = { protocol: 'udp' } as const;

/** Opens a TCP connection from each of the ports: assured, so nothing may push it out. */
function open(tracker: Tracker, ...ports: readonly number[]): void {
  for (const sourcePort of ports) {
    expect(tracker.send({ flags: SYN, sourcePort })).toBe('new');
    tracker.send(reply({ flags: SYN_ACK, sourcePort }));
    tracker.send({ flags: ACK, sourcePort });
    expect(tracker.has(ConnectionFlag.Assured)).toBe(true);
  }
}

function ports(count: number): number[] {
  return Array.from({ length: count }, (_, i) => 1024 + i);
}

describe('a full table', () => {
  test('CT-050 a new flow pushes out one that is not assured', () => {
    const tracker = new Tracker({ capacity: 4 });
    for (const sourcePort of ports(4)) tracker.send({ ...udp, sourcePort });
    expect(tracker.send({ ...udp, sourcePort: 80 })).toBe('new');
    expect(tracker.connections.count).toBe(4);
    expect(tracker.connections.statistics).toMatchObject({ earlyDrop: 1, drop: 0, insert: 5 });
  });

  test('CT-050 what is pushed out is near the hash of the new flow: eight buckets are looked through, no more', () => {
    // Two slots per connection: 2,048 buckets, of which the one that is not assured sits in two.
    const tracker = new Tracker({ capacity: 1024 });
    open(tracker, ...ports(1023));
    tracker.send({ ...udp, sourcePort: 1 });
    let made = 0;
    for (let sourcePort = 2; sourcePort < 1002; sourcePort++) {
      if (tracker.send({ ...udp, sourcePort }) === 'new') made++;
    }
    // Each of the thousand finds the one there is with a chance of 16 in 2,048.
    expect(made).toBeGreaterThan(0);
    expect(made).toBeLessThan(40);
    expect(tracker.connections.statistics).toMatchObject({ earlyDrop: made, drop: 1000 - made });
  });

  test('CT-051 when all of the neighbourhood is assured the packet is dropped by name, and counted', () => {
    const tracker = new Tracker({ capacity: 4 });
    open(tracker, ...ports(4));
    expect(tracker.send({ flags: SYN, sourcePort: 80 })).toBe('dropped: ConntrackFull');
    expect(tracker.send({ ...udp, sourcePort: 80 })).toBe('dropped: ConntrackFull');
    expect(tracker.connections.statistics).toMatchObject({ drop: 2, earlyDrop: 0, insert: 4 });
  });

  test('CT-052, CT-054 a flood pushes out only its own kind; assured flows live and talk on', () => {
    const tracker = new Tracker({ capacity: 64 });
    open(tracker, ...ports(32));
    for (let i = 0; i < 5000; i++) tracker.send({ flags: SYN, source: '10.1.0.3', sourcePort: 1024 + i });
    for (const sourcePort of ports(32)) {
      expect(tracker.send({ flags: ACK, sourcePort, payload: 10 })).toBe('known');
      expect(tracker.state).toBe(TcpState.Established);
      expect(tracker.send(reply({ flags: ACK, sourcePort, acknowledgment: 1011 }))).toBe('known');
    }
    expect(tracker.connections.count).toBe(64);
  });

  test('CT-050 a flow whose time is over makes room before any that lives, and is no early drop', () => {
    const tracker = new Tracker({ capacity: 1 });
    tracker.send(udp);
    tracker.nowMs += 30 * SECOND;
    expect(tracker.send({ ...udp, sourcePort: 80 })).toBe('new');
    expect(tracker.connections.statistics).toMatchObject({ earlyDrop: 0, insert: 2 });
  });

  test('CT-054 room that expiry made is used again, many times over', () => {
    const tracker = new Tracker({ capacity: 4 });
    for (let i = 0; i < 1000; i++) {
      expect(tracker.send({ ...udp, sourcePort: 1 + (i % 5000) })).toBe('new');
      tracker.nowMs += 10 * SECOND;
      tracker.connections.expire(tracker.nowMs, 10);
    }
    expect(tracker.connections.highWater).toBeLessThanOrEqual(4);
    expect(tracker.connections.statistics.earlyDrop).toBe(0);
  });
});

/** A table of 200: connections that stay, and as many that may go early, which `closing` makes of open ones. */
function pressed(stay: number, go: number, closing: (tracker: Tracker, sourcePort: number) => void): Tracker {
  const tracker = new Tracker({ capacity: 200 });
  const all = ports(stay + go);
  open(tracker, ...all);
  for (const sourcePort of all.slice(stay)) closing(tracker, sourcePort);
  return tracker;
}

describe('the sweep of a table that had to refuse', () => {
  const finish = (tracker: Tracker, sourcePort: number) => tracker.send({ flags: FIN_ACK, sourcePort });
  const refuse = (tracker: Tracker) => expect(tracker.send({ ...udp, sourcePort: 80 })).toBe('dropped: ConntrackFull');

  test('CT-053 lets closing connections go, until the table is 95 % full', () => {
    const tracker = pressed(100, 100, finish);
    refuse(tracker);
    expect(tracker.connections.expire(tracker.nowMs, 1000)).toBe(11);
    expect(tracker.connections.count).toBe(189);
    expect(tracker.connections.expire(tracker.nowMs, 1000)).toBe(0);
  });

  test('CT-053 and those that are not assured', () => {
    const tracker = pressed(200, 0, finish);
    refuse(tracker);
    tracker.connections.flags.fill(ConnectionFlag.SeenReply, 100, 200);
    expect(tracker.connections.expire(tracker.nowMs, 1000)).toBe(11);
    for (const sourcePort of ports(100)) expect(tracker.send({ flags: ACK, sourcePort })).toBe('known');
  });

  test('CT-053 and SCTP associations that shut down', () => {
    const tracker = pressed(199, 0, finish);
    tracker.send({ protocol: 'sctp' });
    tracker.connections.flags.fill(ConnectionFlag.Assured);
    refuse(tracker);
    expect(tracker.connections.expire(tracker.nowMs, 1000)).toBe(0);
    tracker.connections.state[199] = SctpState.ShutdownSent;
    refuse(tracker);
    expect(tracker.connections.expire(tracker.nowMs, 1000)).toBe(1);
  });

  test('CT-053 never those that are established, however full it stays', () => {
    const tracker = pressed(198, 2, finish);
    refuse(tracker);
    expect(tracker.connections.expire(tracker.nowMs, 1000)).toBe(2);
    expect(tracker.connections.expire(tracker.nowMs, 1000)).toBe(0);
    expect(tracker.connections.count).toBe(198);
  });

  test('CT-053 not before a flow had to be refused', () => {
    const tracker = pressed(100, 100, finish);
    expect(tracker.connections.expire(tracker.nowMs, 1000)).toBe(0);
    expect(tracker.connections.count).toBe(200);
  });

  test('CT-053 the budget bounds what one call looks at; the next one goes on there', () => {
    const tracker = pressed(100, 100, finish);
    refuse(tracker);
    expect(tracker.connections.expire(tracker.nowMs, 100)).toBe(0);
    expect(tracker.connections.expire(tracker.nowMs, 5)).toBe(5);
    expect(tracker.connections.expire(tracker.nowMs, 50)).toBe(6);
  });
});

describe('statistics', () => {
  test('CT-055 each is counted at its own event', () => {
    const tracker = new Tracker({ translations: { '10.96.0.1/0': `${SERVER}/0` } });
    const { statistics } = tracker.connections;
    const zero = { found: 0, invalid: 0, insert: 0, insertFailed: 0, drop: 0, earlyDrop: 0, error: 0 };
    expect({ ...statistics }).toEqual(zero);
    tracker.send({ protocol: 50 });
    expect({ ...statistics }).toEqual({ ...zero, insert: 1 });
    tracker.send({ flags: 0 });
    expect({ ...statistics }).toEqual({ ...zero, insert: 1, invalid: 1 });
    // No ports to move, and the reply tuple is the first flow's.
    expect(tracker.send({ protocol: 50, destination: '10.96.0.1' })).toBe('dropped: NatExhausted');
    expect({ ...statistics }).toEqual({ ...zero, insert: 1, invalid: 1, found: 1, insertFailed: 1, drop: 1 });
    tracker.send({ protocol: 'icmp', icmpType: 3, payload: 28 });
    expect(statistics).toMatchObject({ error: 1, invalid: 1 });
  });
});

/** Random flows, too many of them: an assured one that is not over is always known. */
function overload(random: Random): void {
  const tracker = new Tracker({ capacity: 128 });
  const assured = new Map<number, number>();
  for (let i = 0; i < 30_000; i++) {
    const sourcePort = random.between(1, 400);
    const spec: FrameSpec = { ...udp, sourcePort };
    const got = tracker.send(random.once(2) ? spec : reply(spec));
    const deadline = assured.get(sourcePort);
    if (deadline !== undefined && deadline > tracker.nowMs) expect(got, `packet ${i}`).toBe('known');
    const alive = got === 'known' && tracker.has(ConnectionFlag.Assured);
    if (alive) assured.set(sourcePort, tracker.nowMs + tracker.leftMs);
    else assured.delete(sourcePort);
    tracker.nowMs += random.below(60);
    if (random.once(50)) tracker.connections.expire(tracker.nowMs, 64);
  }
  expect(tracker.connections.statistics.earlyDrop).toBeGreaterThan(100);
  expect(assured.size).toBeGreaterThan(10);
}

test('CT-052 assured flows are never lost, at random', () => withRandom(overload));
