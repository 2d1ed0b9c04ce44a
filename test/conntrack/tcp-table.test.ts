/** The transition table against the text of the rules (`tcp-rules.ts`), cell by cell and packet by packet. */
import { describe, expect, test } from 'vitest';
import { nextTcpState, Segment, segmentKind, tcpFlagsValid, tcpStateNames } from '../../src/conntrack/tcp-states.ts';
import type { FrameSpec } from '../support/frames.ts';
import { columns, rows } from './tcp-rules.ts';
import { ACK, CLIENT, FIN, FIN_ACK, RST, reply, SERVER, SYN, SYN_ACK, Tracker } from './tracker.ts';

const PSH = 8;
const URG = 32;
const ECE = 64;
const CWR = 128;

const linuxNames = [
  ...['NONE', 'SYN_SENT', 'SYN_RECV', 'ESTABLISHED', 'FIN_WAIT'],
  ...['CLOSE_WAIT', 'LAST_ACK', 'TIME_WAIT', 'CLOSE', 'SYN_SENT2'],
];

/** A cell of the code's table in the rules' letters. */
function cell(direction: number, kind: number, state: number): string {
  const next = nextTcpState(direction, kind, state);
  if (next === 10) return 'IV';
  return next === 11 ? 'IG' : columns[next]!;
}

describe('the table', () => {
  test('its columns are the states in this order', () => {
    expect(tcpStateNames).toEqual(linuxNames);
  });

  for (const { rule, direction, kind, want } of rows) {
    test(`${rule} ${direction === 0 ? 'original' : 'reply'} ${kind}: ${want}`, () => {
      expect(columns.map((_, state) => cell(direction, Segment[kind], state)).join(' ')).toBe(want);
    });
  }
});

test('CT-027 RST wins over SYN, SYN with or without ACK over FIN, FIN over ACK', () => {
  for (let flags = 0; flags < 256; flags++) {
    const withAck = (flags & ACK) !== 0;
    const want = [
      { when: flags & RST, kind: Segment.Rst },
      { when: flags & SYN, kind: withAck ? Segment.SynAck : Segment.Syn },
      { when: flags & FIN, kind: Segment.Fin },
      { when: flags & ACK, kind: Segment.Ack },
    ].find(({ when }) => when !== 0);
    expect(segmentKind(flags), `flags ${flags}`).toBe(want?.kind ?? Segment.None);
  }
});

test('CT-028 of all 256 flag sets the nine honest ones are valid, whatever PSH, ECE and CWR say', () => {
  const names = ['S', 'SU', 'SA', 'R', 'RA', 'FA', 'FAU', 'A', 'AU'];
  const bits: Readonly<Record<string, number>> = { S: SYN, A: ACK, R: RST, F: FIN, U: URG };
  const honest = new Set(names.map((name) => [...name].reduce((sum, letter) => sum | bits[letter]!, 0)));
  for (let flags = 0; flags < 256; flags++) {
    expect(tcpFlagsValid(flags), `flags ${flags}`).toBe(honest.has(flags & ~(PSH | ECE | CWR)));
  }
});

/** A connection put into a state by force, its windows open: what follows is the packet's doing. */
function inState(state: number): Tracker {
  const tracker = new Tracker();
  for (const spec of [{ flags: SYN }, reply({ flags: SYN_ACK }), { flags: ACK }]) tracker.send(spec);
  tracker.connections.state[0] = state;
  tracker.connections.flags[0] = 1; // a reply was seen, so no RST kills it
  return tracker;
}

const segments = { Syn: SYN, SynAck: SYN_ACK, Fin: FIN_ACK, Ack: ACK, Rst: RST } as const;

/** Sends the packet and compares outcome, state and deadline with the rule's cell. */
function becomes(tracker: Tracker, spec: FrameSpec, next: string): void {
  const state = tracker.state;
  const deadline = tracker.connections.deadlineMs[0];
  tracker.nowMs += 1;
  expect(tracker.send(spec), columns[state]).toBe(next === 'IV' ? 'dropped: Invalid' : 'known');
  // A SYN on a connection that did not close properly is ignored, in Linux too (CT-029).
  const stays = next === 'IV' || next === 'IG' || (next === 'SS' && state >= 7);
  expect(columns[tracker.connections.state[0]!], columns[state]).toBe(stays ? columns[state] : next);
  if (stays) expect(tracker.connections.deadlineMs[0], columns[state]).toBe(deadline);
}

describe('what a packet of each kind does to a connection in each state', () => {
  for (const { rule, direction, kind, want } of rows) {
    if (kind === 'None') continue;
    const spec = { source: CLIENT, destination: SERVER, flags: segments[kind] };
    test(`${rule} ${direction === 0 ? 'original' : 'reply'} ${kind} as a packet`, () => {
      for (const [state, next] of want.split(' ').entries()) {
        if (state > 0) becomes(inState(state), direction === 0 ? spec : reply(spec), next);
      }
    });
  }

  test('CT-021, CT-026 no flags at all, or an Xmas tree, is INVALID in every state and changes nothing', () => {
    for (let state = 1; state < 10; state++) {
      for (const flags of [0, FIN, SYN | FIN, SYN | RST, FIN | PSH | URG, 255]) {
        const tracker = inState(state);
        expect(tracker.send({ flags })).toBe('dropped: Invalid');
        expect(tracker.send(reply({ flags }))).toBe('dropped: Invalid');
        expect(tracker.connections.state[0]).toBe(state);
      }
    }
  });
});

describe('what may begin a connection: the column NONE', () => {
  const cases = [
    { name: 'CT-017 SYN', flags: SYN, want: 'SS' },
    { name: 'CT-017 SYN with ECN set-up', flags: SYN | ECE | CWR, want: 'SS' },
    { name: 'CT-020 ACK, the mid-stream pickup', flags: ACK, want: 'ES' },
    { name: 'CT-020 ACK with PSH', flags: ACK | PSH, want: 'ES' },
    { name: 'CT-018 SYN and ACK', flags: SYN_ACK, want: undefined },
    { name: 'CT-019 FIN', flags: FIN_ACK, want: undefined },
    { name: 'CT-021 RST', flags: RST, want: undefined },
    { name: 'CT-021 RST and ACK', flags: RST | ACK, want: undefined },
    { name: 'CT-028 SYN and FIN', flags: SYN | FIN, want: undefined },
    { name: 'CT-028 nothing', flags: 0, want: undefined },
    { name: 'CT-028 everything', flags: 63, want: undefined },
  ] as const;
  for (const { name, flags, want } of cases) {
    test(`${name}: ${want ?? 'INVALID'}`, () => {
      const tracker = new Tracker();
      expect(tracker.send({ flags })).toBe(want === undefined ? 'dropped: Invalid' : 'new');
      expect(tracker.connections.count).toBe(want === undefined ? 0 : 1);
      if (want !== undefined) expect(columns[tracker.state]).toBe(want);
    });
  }
});
