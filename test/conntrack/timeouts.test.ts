/** How long an entry lives: seconds from the rules, packets from the wire. */
import { describe, expect, test } from 'vitest';
import { ConnectionFlag } from '../../src/conntrack/connections.ts';
import { tcpTimeoutMs, timeoutMs } from '../../src/conntrack/timeouts.ts';
import type { FrameSpec } from '../support/frames.ts';
import { ACK, FIN_ACK, RST_ACK, reply, SECOND, SYN, SYN_ACK, Tracker } from './tracker.ts';

/** One letter per packet: `>` is a SYN (or any request), `<` its answer, and so on. */
const steps: Readonly<Record<string, (spec: FrameSpec) => FrameSpec>> = {
  'SYN>': (spec) => ({ ...spec, flags: SYN }),
  '<SYN': (spec) => reply({ ...spec, flags: SYN }),
  '<SYNACK': (spec) => reply({ ...spec, flags: SYN_ACK }),
  'ACK>': (spec) => ({ ...spec, flags: ACK }),
  '<ACK': (spec) => reply({ ...spec, flags: ACK }),
  '<FINACKED': (spec) => reply({ ...spec, flags: ACK, acknowledgment: 1002 }),
  'FIN>': (spec) => ({ ...spec, flags: FIN_ACK }),
  '<FIN': (spec) => reply({ ...spec, flags: FIN_ACK }),
  'RST>': (spec) => ({ ...spec, flags: RST_ACK }),
};

function having(...names: readonly string[]): Tracker {
  const tracker = new Tracker();
  for (const name of names) {
    tracker.nowMs += SECOND;
    tracker.send(steps[name]!({}));
  }
  return tracker;
}

const handshake = ['SYN>', '<SYNACK', 'ACK>'];

describe('TCP', () => {
  const cases = [
    { name: 'CT-008 SYN_SENT', packets: ['SYN>'], state: 1, seconds: 120 },
    { name: 'CT-008 SYN_RECV', packets: ['SYN>', '<SYNACK'], state: 2, seconds: 60 },
    { name: 'CT-010 ESTABLISHED, as kube-proxy sets it', packets: handshake, state: 3, seconds: 86_400 },
    { name: 'CT-008 FIN_WAIT', packets: [...handshake, 'FIN>'], state: 4, seconds: 120 },
    {
      name: 'CT-010 CLOSE_WAIT, as kube-proxy sets it',
      packets: [...handshake, 'FIN>', '<FINACKED'],
      state: 5,
      seconds: 3600,
    },
    { name: 'CT-008 LAST_ACK', packets: [...handshake, 'FIN>', '<ACK', '<FIN'], state: 6, seconds: 30 },
    { name: 'CT-008 TIME_WAIT', packets: [...handshake, 'FIN>', '<ACK', '<FIN', 'ACK>'], state: 7, seconds: 120 },
    { name: 'CT-008 CLOSE', packets: [...handshake, 'RST>'], state: 8, seconds: 10 },
    { name: 'CT-008 SYN_SENT2, counted from the first SYN', packets: ['SYN>', '<SYN'], state: 9, seconds: 119 },
    { name: 'CT-009 ESTABLISHED without an answer', packets: ['ACK>'], state: 3, seconds: 300 },
  ] as const;
  for (const { name, packets, state, seconds } of cases) {
    test(`${name}: ${seconds} s`, () => {
      const tracker = having(...packets);
      expect(tracker.state).toBe(state);
      expect(tracker.leftMs).toBe(seconds * SECOND);
    });
  }

  test('CT-009 an answer ends the 300 seconds', () => {
    expect(having('ACK>', '<ACK', 'ACK>').leftMs).toBe(86_400 * SECOND);
    expect(tcpTimeoutMs(3)).toBe(86_400 * SECOND);
  });

  test('CT-016 every packet that counts begins the time anew', () => {
    const tracker = having(...handshake);
    for (const spec of [{ flags: ACK }, reply({ flags: ACK })]) {
      tracker.nowMs += 5000 * SECOND;
      expect(tracker.send(spec)).toBe('known');
      expect(tracker.leftMs).toBe(86_400 * SECOND);
    }
  });

  test('CT-016 a repeated SYN does not keep an unanswered attempt alive', () => {
    const tracker = having('SYN>');
    tracker.nowMs += 100 * SECOND;
    expect(tracker.send({ flags: SYN })).toBe('known');
    expect(tracker.leftMs).toBe(20 * SECOND);
    tracker.nowMs += 20 * SECOND;
    expect(tracker.send({ flags: SYN })).toBe('new');
  });

  test('CT-016 what is INVALID or ignored refreshes nothing', () => {
    const tracker = having(...handshake);
    tracker.nowMs += 10 * SECOND;
    expect(tracker.send({ flags: 0 })).toBe('dropped: Invalid');
    expect(tracker.send({ flags: SYN })).toBe('known');
    expect(tracker.leftMs).toBe(86_390 * SECOND);
  });
});

const udp = { protocol: 'udp' } as const;

describe('UDP', () => {
  test('CT-011 30 s while nobody answers, however long it lasts', () => {
    const tracker = new Tracker();
    for (let i = 0; i < 10; i++) {
      expect(tracker.send(udp)).toBe(i === 0 ? 'new' : 'known');
      expect(tracker.leftMs).toBe(30 * SECOND);
      tracker.nowMs += 29 * SECOND;
    }
  });

  test('CT-012 a reply within the first two seconds makes no stream yet', () => {
    const tracker = new Tracker();
    tracker.send(udp);
    for (const ageMs of [0, 1000, 2000]) {
      tracker.nowMs = 1000 * SECOND + ageMs;
      tracker.send(reply(udp));
      expect(tracker.leftMs).toBe(30 * SECOND);
    }
    tracker.nowMs = 1000 * SECOND + 2001;
    tracker.send(udp);
    expect(tracker.leftMs).toBe(120 * SECOND);
  });

  test('CT-011, CT-012 a stream has 120 s in both directions', () => {
    const tracker = new Tracker();
    tracker.send(udp);
    tracker.nowMs += 3 * SECOND;
    tracker.send(reply(udp));
    expect(tracker.leftMs).toBe(30 * SECOND); // the first reply itself finds a flow without one
    tracker.send(udp);
    expect(tracker.leftMs).toBe(120 * SECOND);
    tracker.send(reply(udp));
    expect(tracker.leftMs).toBe(120 * SECOND);
  });

  test('CT-041 a stream is assured, a single question and answer is not', () => {
    const tracker = new Tracker();
    tracker.send(udp);
    tracker.send(reply(udp));
    expect(tracker.has(ConnectionFlag.Assured)).toBe(false);
    tracker.nowMs += 2001;
    tracker.send(udp);
    expect(tracker.has(ConnectionFlag.Assured)).toBe(true);
  });

  test('CT-041 age alone assures nothing', () => {
    const tracker = new Tracker();
    tracker.send(udp);
    tracker.nowMs += 20 * SECOND;
    tracker.send(udp);
    expect(tracker.has(ConnectionFlag.Assured)).toBe(false);
  });
});

describe('the others', () => {
  const cases = [
    { name: 'CT-013 ICMP', spec: { protocol: 'icmp' }, seconds: 30 },
    { name: 'CT-013 ICMPv6', spec: { protocol: 'icmpv6', source: 'fd00::1', destination: 'fd00::2' }, seconds: 30 },
    { name: 'CT-013, CT-048 generic', spec: { protocol: 50, payload: 8 }, seconds: 600 },
    { name: 'CT-013 GRE', spec: { protocol: 47, payload: 8 }, seconds: 30 },
  ] as const;
  for (const { name, spec, seconds } of cases) {
    test(`${name}: ${seconds} s, first packet and later ones`, () => {
      const tracker = new Tracker();
      expect(tracker.send(spec)).toBe('new');
      expect(tracker.leftMs).toBe(seconds * SECOND);
      tracker.nowMs += 5 * SECOND;
      expect(tracker.send(spec)).toBe('known');
      expect(tracker.leftMs).toBe(seconds * SECOND);
    });
  }

  test('CT-013 an answered ping still has 30 s, whatever its age', () => {
    expect(timeoutMs(1, true)).toBe(30 * SECOND);
    expect(timeoutMs(58, true)).toBe(30 * SECOND);
  });

  test('CT-013 a GRE stream: 180 s', () => {
    const tracker = new Tracker();
    const gre: FrameSpec = { protocol: 47, payload: 8 };
    for (const spec of [gre, reply(gre), gre]) tracker.send(spec);
    expect(tracker.leftMs).toBe(180 * SECOND);
    expect(tracker.has(ConnectionFlag.Assured)).toBe(true);
  });
});
