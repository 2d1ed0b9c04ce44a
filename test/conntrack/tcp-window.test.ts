/** Segments in and out of the window: rules CT-033 to CT-039, seen from the wire. */
import { describe, expect, test } from 'vitest';
import { TcpState } from '../../src/conntrack/tcp-states.ts';
import { opened, SACK_PERMITTED, sackBlocks, TcpEnds, windowScale } from './tcp-ends.ts';
import { FIN_ACK, RST, RST_ACK, SECOND, SYN, SYN_ACK } from './tracker.ts';

const scaled = { client: windowScale(7), server: windowScale(7) };

describe('the four bounds', () => {
  test('CT-033 data may begin where the window ends, and not after it', () => {
    expect(opened().client(1001, 1, { payload: 10 })).toBe('counted');
    expect(opened().client(1002, 1, { payload: 10 })).toBe('passes');
    expect(opened().client(2002, 1, { payload: 10 })).toBe('invalid');
  });

  test('CT-033 what goes over passes uncounted while it is less than a window; its acknowledgment is no lie', () => {
    expect(opened().client(1002, 1, { payload: 998 })).toBe('passes');
    expect(opened().client(1002, 1, { payload: 999 })).toBe('invalid');
    const ends = opened();
    ends.client(1002, 1, { payload: 100 });
    expect(ends.server(1, 1102)).toBe('counted');
  });

  test('CT-034 data from before the window passes uncounted', () => {
    const ends = opened();
    for (let i = 0; i < 3; i++) {
      ends.client(1 + i * 1000, 1, { payload: 1000 });
      ends.server(1, 1001 + i * 1000);
    }
    expect(ends.client(1001, 1, { payload: 999 })).toBe('passes');
    expect(ends.client(1001, 1, { payload: 1000 })).toBe('counted');
  });

  test('CT-035 what was never sent cannot be acknowledged', () => {
    const ends = opened();
    ends.client(1, 1, { payload: 100 });
    expect(ends.server(1, 102)).toBe('invalid');
    expect(ends.server(1, 101)).toBe('counted');
  });

  test('CT-035 nor selectively; the highest edge of all blocks counts', () => {
    const ends = opened({ client: SACK_PERMITTED, server: SACK_PERMITTED });
    ends.client(1, 1, { payload: 100 });
    const sack = (right: number) => ({ tcpOptions: sackBlocks(1010, 1020, 1050, 1000 + right, 1030, 1040) });
    expect(ends.server(1, 1, sack(102))).toBe('invalid');
    expect(ends.server(1, 1, sack(101))).toBe('counted');
  });

  test('CT-035 the side that did not offer SACK gets none: it is not read', () => {
    for (const options of [{}, { server: SACK_PERMITTED }]) {
      const ends = opened(options);
      ends.client(1, 1, { payload: 100 });
      expect(ends.server(1, 1, { tcpOptions: sackBlocks(1050, 9999) })).toBe('counted');
    }
  });

  test('CT-036 an acknowledgment further back than 66,000 passes uncounted', () => {
    const ends = opened({ window: 65_535 });
    for (let i = 0; i < 10; i++) {
      ends.client(1 + i * 10_000, 1, { payload: 10_000, window: 65_535 });
      ends.server(1, 1 + (i + 1) * 10_000, { window: 65_535 });
    }
    expect(ends.server(1, 100_001 - 66_001)).toBe('passes');
    expect(ends.server(1, 100_001 - 66_000)).toBe('counted');
  });

  test('CT-036 further than the largest window that its sender has offered, where that is more', () => {
    const ends = opened(scaled);
    for (let i = 0; i < 20; i++) {
      ends.client(1 + i * 10_000, 1, { payload: 10_000 });
      ends.server(1, 1 + (i + 1) * 10_000);
    }
    expect(ends.server(1, 200_001 - 128_001)).toBe('passes');
    expect(ends.server(1, 200_001 - 128_000)).toBe('counted');
  });

  test('CT-038 without ACK the number in its place does not matter', () => {
    const ends = opened();
    expect(ends.client(1, 99_999, { flags: RST })).toBe('counted');
    expect(ends.state).toBe(TcpState.Close);
  });

  test('CT-038 what is INVALID teaches nothing', () => {
    const ends = opened();
    const before = ends.connections.records.slice();
    expect(ends.client(9000, 1, { payload: 10 })).toBe('invalid');
    expect(ends.server(1, 9000, { payload: 10 })).toBe('invalid');
    expect(ends.connections.records).toEqual(before);
  });

  for (const first of [-3, 0x7fffffff - 3]) {
    test(`CT-033 to CT-036 sequence numbers wrap, from ${first}`, () => {
      const ends = opened({}, new TcpEnds(first, first + 1));
      for (let i = 0; i < 5; i++) {
        expect(ends.client(1 + i * 1000, 1 + i * 10, { payload: 1000 })).toBe('counted');
        expect(ends.server(1 + i * 10, 1001 + i * 1000, { payload: 10 })).toBe('counted');
      }
      expect(ends.server(51, 5002)).toBe('invalid');
      expect(ends.client(9000, 51, { payload: 1 })).toBe('invalid');
      expect(ends.client(1001, 51, { payload: 10 })).toBe('passes');
    });
  }

  test('CT-033 a superframe is one long segment', () => {
    const ends = opened(scaled);
    expect(ends.client(1, 1, { payload: 60_000, gsoSize: 1400 })).toBe('counted');
    expect(ends.server(1, 60_002)).toBe('invalid');
    expect(ends.server(1, 60_001)).toBe('counted');
  });

  test('CT-033 a closed window lets one byte through, which probes it', () => {
    const ends = opened();
    ends.client(1, 1, { payload: 1000 });
    ends.server(1, 1001, { window: 0 });
    expect(ends.client(1002, 1, { payload: 1 })).toBe('counted');
    expect(ends.client(1004, 1, { payload: 1 })).toBe('passes');
  });

  test('CT-033 SYN and FIN have a number each', () => {
    const ends = opened();
    expect(ends.client(1, 1, { flags: FIN_ACK, payload: 10 })).toBe('counted');
    expect(ends.server(1, 13)).toBe('invalid');
    expect(ends.server(1, 12)).toBe('counted');
  });
});

describe('window scaling', () => {
  /** Client's furthest start that is counted, when the server offers 1000 after a SYN of 1000. */
  const cases = [
    { name: 'both offer it', client: 2, server: 3, reach: 8000 },
    { name: 'only the client', client: 2, server: -1, reach: 1000 },
    { name: 'only the server', client: -1, server: 3, reach: 1000 },
    { name: 'neither', client: -1, server: -1, reach: 1000 },
    { name: 'a shift of 0', client: 2, server: 0, reach: 1000 },
    { name: 'a shift of 14', client: 2, server: 14, reach: 1000 << 14 },
    { name: 'a shift of 15 is 14', client: 2, server: 15, reach: 1000 << 14 },
    { name: 'a shift of 255 is 14', client: 2, server: 255, reach: 1000 << 14 },
  ] as const;
  for (const { name, client, server, reach } of cases) {
    test(`CT-037 ${name}: ${reach} bytes of window`, () => {
      const options = (shift: number) => (shift < 0 ? SACK_PERMITTED : windowScale(shift));
      const open = () => {
        const ends = opened({ client: options(client), server: options(server) });
        ends.server(1, 1);
        return ends;
      };
      expect(open().client(1 + reach, 1, { payload: 1 })).toBe('counted');
      expect(open().client(2 + reach, 1, { payload: 1 })).not.toBe('counted');
    });
  }

  test("CT-037 a SYN's own window is not scaled", () => {
    const ends = opened(scaled); // the server has said nothing but its SYN
    expect(ends.client(1001, 1, { payload: 1 })).toBe('counted');
    expect(opened(scaled).client(1002, 1, { payload: 1 })).toBe('passes');
  });
});

describe('mid-stream', () => {
  test('CT-039 an ACK begins an established connection, whose other side is believed too', () => {
    const ends = new TcpEnds();
    expect(ends.client(7000, 3000, { payload: 100 })).toBe('new');
    expect(ends.state).toBe(TcpState.Established);
    expect(ends.server(3000, 7100, { payload: 100 })).toBe('counted');
    expect(ends.client(7100, 3100)).toBe('counted');
  });

  test('CT-039 nothing that either side sends is out of its window, as scaling is not known', () => {
    for (const seq of [9_000_000, -9_000_000]) {
      const ends = new TcpEnds();
      ends.client(7000, 3000);
      ends.server(3000, 7000);
      expect(ends.client(seq, 3000, { payload: 10 })).toBe('counted');
      expect(ends.server(seq, 7000, { payload: 10 })).toBe('counted');
      expect(ends.client(7000, seq)).toBe('counted');
    }
  });

  test('CT-039 numbers of a connection that was seen from its SYN do count', () => {
    expect(opened().client(9_000_000, 1, { payload: 10 })).toBe('invalid');
  });

  test('CT-035 the first segment of the other side may acknowledge one more, as the answer to a keep-alive does', () => {
    const answered = (ack: number) => {
      const ends = new TcpEnds();
      ends.client(0, 0, { flags: SYN });
      return ends.server(0, ack, { flags: RST_ACK });
    };
    expect([1, 2, 3].map(answered)).toEqual(['counted', 'counted', 'invalid']);
  });
});

describe('a first segment that comes again', () => {
  test('CT-033 a SYN with higher numbers begins anew, one with the same does not', () => {
    const ends = new TcpEnds();
    ends.client(0, 0, { flags: SYN });
    ends.client(500, 0, { flags: SYN });
    expect(ends.server(0, 502, { flags: SYN_ACK })).toBe('invalid');
    expect(ends.server(0, 501, { flags: SYN_ACK })).toBe('counted');
    expect(ends.client(501, 1)).toBe('counted');
  });

  test('CT-037 the options of the later SYN count', () => {
    const ends = new TcpEnds();
    ends.client(0, 0, { flags: SYN, tcpOptions: SACK_PERMITTED });
    ends.client(500, 0, { flags: SYN, tcpOptions: windowScale(7) });
    ends.server(0, 501, { flags: SYN_ACK, tcpOptions: windowScale(3) });
    ends.client(501, 1);
    ends.server(1, 501);
    expect(ends.client(501 + 8000, 1, { payload: 1 })).toBe('counted');
  });

  test('CT-022, CT-023 a simultaneous open: two SYNs, two SYN and ACKs, established', () => {
    const ends = new TcpEnds();
    ends.client(0, 0, { flags: SYN });
    ends.server(0, 0, { flags: SYN });
    expect(ends.state).toBe(TcpState.SynSent2);
    expect(ends.client(0, 1, { flags: SYN_ACK })).toBe('counted');
    expect(ends.state).toBe(TcpState.SynReceived);
    expect(ends.server(0, 1, { flags: SYN_ACK })).toBe('passes');
    expect(ends.server(1, 1)).toBe('counted');
    expect(ends.state).toBe(TcpState.Established);
    expect(ends.client(1, 1, { payload: 10 })).toBe('counted');
  });

  test('CT-025 after an ordinary open the ACK of the server does not establish', () => {
    const ends = new TcpEnds();
    ends.client(0, 0, { flags: SYN });
    ends.server(0, 1, { flags: SYN_ACK });
    expect(ends.server(1, 1)).toBe('counted');
    expect(ends.state).toBe(TcpState.SynReceived);
  });
});

describe('nobody answers', () => {
  test('CT-009 data that is not acknowledged: 300 s, until it is', () => {
    const ends = opened();
    ends.client(1, 1, { payload: 10 });
    expect(ends.leftMs).toBe(300 * SECOND);
    ends.server(1, 6);
    expect(ends.leftMs).toBe(300 * SECOND);
    ends.server(1, 11);
    expect(ends.leftMs).toBe(86_400 * SECOND);
  });

  test('CT-009 the same acknowledgment for the fourth time: 300 s, until another comes', () => {
    const ends = opened();
    const left = [1, 2, 3, 4].map(() => {
      ends.server(1, 1);
      return ends.leftMs / SECOND;
    });
    expect(left).toEqual([86_400, 86_400, 86_400, 300]);
    ends.server(1, 1, { window: 1001 });
    expect(ends.leftMs).toBe(86_400 * SECOND);
  });

  test('CT-009 acknowledgments of the two sides in turn are no repetition, were they in the same numbers', () => {
    const ends = opened({}, new TcpEnds(1000, 1000));
    for (let i = 0; i < 8; i++) {
      ends.server(1, 1);
      ends.client(1, 1);
    }
    expect(ends.leftMs).toBe(86_400 * SECOND);
  });

  test('CT-009 shorter times stay', () => {
    const ends = opened();
    ends.client(1, 1, { flags: FIN_ACK });
    expect(ends.leftMs).toBe(120 * SECOND);
  });

  test('CT-009 a window of zero: 300 s, until it opens', () => {
    const ends = opened();
    ends.client(1, 1, { window: 0 });
    expect(ends.leftMs).toBe(300 * SECOND);
    ends.client(1, 1, { window: 1 });
    expect(ends.leftMs).toBe(86_400 * SECOND);
  });

  test('CT-032 an ignored answer is an answer all the same', () => {
    const ends = new TcpEnds();
    ends.client(0, 0, { flags: SYN });
    expect(ends.server(77, 78)).toBe('passes');
    expect(ends.client(0, 0, { flags: SYN })).toBe('counted'); // before it, a repeated SYN moved nothing
  });
});
