/** Resets, and connections that the two ends see differently than the table: nf_conntrack_tcp_packet's special cases. */
import { describe, expect, test } from 'vitest';
import { ConnectionFlag } from '../../src/conntrack/connections.ts';
import { TcpState } from '../../src/conntrack/tcp-states.ts';
import { opened, SACK_PERMITTED, TcpEnds, windowScale } from './tcp-ends.ts';
import { ACK, FIN_ACK, RST, RST_ACK, SECOND, SYN, SYN_ACK } from './tracker.ts';

const rst = { flags: RST };

/** Both sides have said something; the client has acknowledged up to 11, the server up to 101. */
function busy(): TcpEnds {
  const ends = opened();
  ends.client(1, 1, { payload: 100 });
  ends.server(1, 101, { payload: 10 });
  ends.client(101, 11);
  expect(ends.has(ConnectionFlag.Assured)).toBe(true);
  return ends;
}

describe('a RST', () => {
  test('CT-030 below what the other side has acknowledged is INVALID', () => {
    for (const seq of [100, 1, 0, -1000]) {
      const ends = busy();
      expect(ends.client(seq, 11, rst)).toBe('invalid');
      expect(ends.state).toBe(TcpState.Established);
      expect(ends.client(101, 11, { payload: 1 })).toBe('counted');
    }
    expect(busy().server(10, 101, rst)).toBe('invalid');
  });

  test('CT-030 exactly there closes the connection', () => {
    const ends = busy();
    expect(ends.client(101, 11, rst)).toBe('counted');
    expect(ends.state).toBe(TcpState.Close);
    expect(ends.leftMs).toBe(10 * SECOND);
    const other = busy();
    expect(other.server(11, 101, { flags: RST_ACK })).toBe('counted');
    expect(other.state).toBe(TcpState.Close);
  });

  test('CT-030 elsewhere in the window leaves the state, and ten seconds for a challenge ACK (RFC 5961)', () => {
    const ends = busy();
    expect(ends.client(150, 11, rst)).toBe('counted');
    expect(ends.state).toBe(TcpState.Established);
    expect(ends.leftMs).toBe(10 * SECOND);
    expect(ends.server(11, 101)).toBe('counted');
    expect(ends.leftMs).toBe(300 * SECOND); // the RST counts as data that is not acknowledged
  });

  test('CT-030 right behind the last segment of its own side, in one train with it, closes', () => {
    const ends = busy();
    ends.client(101, 11, { payload: 20 });
    expect(ends.client(121, 11, rst)).toBe('counted');
    expect(ends.state).toBe(TcpState.Close);
  });

  test('CT-030 behind the last segment of the other side it is no train', () => {
    const ends = busy();
    ends.client(101, 11, { payload: 20 });
    ends.server(11, 101);
    expect(ends.client(121, 11, rst)).toBe('counted');
    expect(ends.state).toBe(TcpState.Established);
  });

  test('CT-033 after the window is INVALID', () => {
    expect(busy().client(9000, 11, rst)).toBe('invalid');
  });

  test('CT-030 of a closing connection is not compared with anything', () => {
    const ends = busy();
    ends.client(101, 11, { flags: FIN_ACK });
    expect(ends.server(-5000, 9999, { flags: RST_ACK })).toBe('counted');
    expect(ends.state).toBe(TcpState.Close);
  });

  test('CT-031 as the only answer to a SYN: number zero, acknowledging the SYN', () => {
    const ends = new TcpEnds(1000, 0);
    ends.client(0, 0, { flags: SYN });
    expect(ends.server(0, 9, { flags: RST_ACK })).toBe('invalid');
    expect(ends.server(0, 1, { flags: RST_ACK })).toBe('counted');
    expect(ends.client(0, 0, { flags: SYN })).toBe('new');
  });

  test('CT-031 number zero is no number, whatever the server has said before', () => {
    const ends = new TcpEnds();
    ends.client(0, 0, { flags: SYN });
    ends.server(77, 9, { flags: RST_ACK }); // INVALID, and yet the first word of its side
    expect(ends.server(-5000, 1, { flags: RST_ACK })).toBe('counted');
  });

  test('CT-038 with ACK and the number zero is one without', () => {
    const ends = new TcpEnds(100_000, 0);
    ends.client(0, 0, { flags: SYN });
    expect(ends.server(0, -100_000, { flags: RST_ACK })).toBe('counted');
    expect(ends.client(0, 0, { flags: SYN })).toBe('new');
  });
});

describe('out of step', () => {
  test('CT-017, CT-023 a SYN on an open connection passes; when it is answered, the table follows', () => {
    const ends = busy();
    expect(ends.client(50_000, 0, { flags: SYN, tcpOptions: windowScale(2) })).toBe('passes');
    expect(ends.state).toBe(TcpState.Established);
    expect(ends.server(90_000, 50_001, { flags: SYN_ACK, tcpOptions: windowScale(3) })).toBe('counted');
    expect(ends.state).toBe(TcpState.SynReceived);
    expect(ends.client(50_001, 90_001)).toBe('counted');
    expect(ends.state).toBe(TcpState.Established);
    expect(ends.client(101, 11, { payload: 5 })).toBe('passes'); // the old numbers count no more
    // What the SYN promised counts.
    ends.server(90_001, 50_001);
    expect(ends.client(50_001 + 8000, 90_001, { payload: 1 })).toBe('counted');
  });

  test('CT-023 a SYN and ACK that answers something else only passes', () => {
    const ends = busy();
    ends.client(50_000, 0, { flags: SYN });
    expect(ends.server(90_000, 50_002, { flags: SYN_ACK })).toBe('passes');
    expect(ends.state).toBe(TcpState.Established);
  });

  test('CT-037 options of the ignored SYN replace those of the old connection', () => {
    const ends = opened({ client: SACK_PERMITTED, server: SACK_PERMITTED });
    ends.client(50_000, 0, { flags: SYN });
    ends.server(90_000, 50_001, { flags: SYN_ACK });
    ends.client(50_001, 90_001, { payload: 10 });
    const beyond = { tcpOptions: [1, 1, 5, 10, 0, 0, 0, 0, 0, 1, 0, 0] };
    expect(ends.server(90_001, 50_001, beyond)).toBe('counted'); // SACK is not read
  });

  test('CT-021, CT-026 a RST answers a SYN that was let through: the window is not asked', () => {
    const ends = busy();
    ends.client(50_000, 0, { flags: SYN });
    expect(ends.server(-5000, 50_001, { flags: RST_ACK })).toBe('counted');
    expect(ends.state).toBe(TcpState.Close);
    const other = busy();
    other.client(50_000, 0, { flags: SYN });
    expect(other.server(0, 50_002, { flags: RST_ACK })).toBe('invalid');
  });

  test('CT-021, CT-030 a RST of the side that has sent such a SYN does not answer it', () => {
    const ends = busy();
    ends.client(50_000, 0, { flags: SYN });
    const ownEnd = ends.clientFirst + 50_001 - ends.serverFirst;
    expect(ends.client(90_000, ownEnd, { flags: RST_ACK })).toBe('invalid');
    expect(ends.state).toBe(TcpState.Established);
  });

  test('CT-025 a half-open connection: the ACK of the server passes, and the RST of the client answers it', () => {
    const ends = new TcpEnds();
    ends.client(0, 0, { flags: SYN });
    expect(ends.server(77, 500)).toBe('passes');
    expect(ends.client(500, 0, rst)).toBe('counted');
    expect(ends.state).toBe(TcpState.Close);
  });

  test('CT-025 or acknowledges what it has sent', () => {
    const ends = new TcpEnds();
    ends.client(0, 0, { flags: SYN });
    ends.server(77, 500, { payload: 3 });
    expect(ends.client(9000, 81, { flags: RST_ACK })).toBe('invalid');
    expect(ends.client(9000, 80, { flags: RST_ACK })).toBe('counted');
  });

  test('CT-026 a RST that matches no challenge ACK is checked like any other', () => {
    const ends = new TcpEnds();
    ends.client(0, 0, { flags: SYN });
    ends.server(77, 500);
    expect(ends.client(501, 0, rst)).toBe('invalid');
  });

  test('CT-020, CT-025 in LAST_ACK the ACK that challenges a SYN is not the last one', () => {
    const closing = () => {
      const ends = busy();
      ends.client(101, 11, { flags: FIN_ACK });
      ends.server(11, 102, { flags: FIN_ACK });
      expect(ends.state).toBe(TcpState.LastAck);
      return ends;
    };
    const ends = closing();
    expect(ends.client(50_000, 0, { flags: SYN })).toBe('passes');
    expect(ends.server(12, 102)).toBe('passes');
    expect(ends.state).toBe(TcpState.LastAck);
    expect(ends.server(12, 102)).toBe('counted');
    expect(ends.state).toBe(TcpState.TimeWait);
    const without = closing();
    expect(without.server(12, 102)).toBe('counted');
    expect(without.state).toBe(TcpState.TimeWait);
  });

  test('CT-009 when both sides close in numbers that do not fit, 300 s are enough', () => {
    const ends = busy();
    expect(ends.client(9000, 11, { flags: FIN_ACK })).toBe('invalid');
    expect(ends.leftMs).toBeGreaterThan(86_000 * SECOND);
    expect(ends.server(9000, 101, { flags: RST_ACK })).toBe('invalid');
    expect(ends.leftMs).toBe(300 * SECOND);
  });

  test('CT-009 one side alone, or mere data, shortens nothing', () => {
    const ends = busy();
    ends.client(9000, 11, { flags: FIN_ACK });
    ends.client(9000, 11, { flags: FIN_ACK });
    ends.server(9000, 101, { flags: ACK, payload: 10 });
    expect(ends.leftMs).toBeGreaterThan(86_000 * SECOND);
  });
});

describe('reopening', () => {
  test('CT-028, CT-029 SYN and FIN together is INVALID, and does not end the connection that it seems to reopen', () => {
    const ends = busy();
    ends.client(101, 11, { flags: FIN_ACK });
    ends.server(11, 102, { flags: FIN_ACK });
    ends.client(102, 12);
    expect(ends.state).toBe(TcpState.TimeWait);
    expect(ends.client(50_000, 0, { flags: SYN | 1 })).toBe('invalid');
    expect(ends.connections.count).toBe(1);
    expect(ends.client(50_000, 0, { flags: SYN })).toBe('new');
  });

  test('CT-029 the new connection knows nothing of the old one', () => {
    const ends = busy();
    ends.client(101, 11, { flags: FIN_ACK });
    ends.server(11, 102, { flags: FIN_ACK });
    ends.client(102, 12);
    ends.client(50_000, 0, { flags: SYN });
    const fresh = new TcpEnds();
    fresh.client(50_000, 0, { flags: SYN });
    expect(ends.connections.records).toEqual(fresh.connections.records);
  });
});
