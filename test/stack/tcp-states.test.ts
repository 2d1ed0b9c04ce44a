/** Every state of a TCP connection, against a script that plays the other side (RFC 9293 section 3.10). */
import { describe, expect, test } from 'vitest';
import type { Endpoint } from '../../src/stack/endpoint.ts';
import type { TcpConnection } from '../../src/stack/tcp-connection.ts';
import { FIN, flagWords, type Peer, peerOf, RST, SYN } from './tcp-peer.ts';
import { Wire } from './wire.ts';

const HERE = '10.244.0.2';
const THERE = '10.244.1.2';

interface Scene {
  readonly wire: Wire;
  readonly endpoint: Endpoint;
  readonly peer: Peer;
  readonly log: string[];
}

function scene(): Scene {
  const wire = new Wire({ delayMs: 0 });
  const endpoint = wire.endpoint('a', [HERE]);
  return { wire, endpoint, peer: peerOf(wire, wire.script('b', [THERE]), HERE), log: [] };
}

function handlers(log: string[]) {
  return {
    open: () => log.push('open'),
    data: (bytes: Uint8Array) => log.push(`data ${bytes.length}`),
    end: () => log.push('end'),
    closed: (reason: string) => log.push(reason),
  };
}

function connect({ endpoint, peer, wire, log }: Scene): TcpConnection {
  const connection = endpoint.connect(THERE, 80, handlers(log))!;
  wire.advance(0);
  peer.learn();
  return connection;
}

/** An open connection; the peer has sent 5001 - 1 and nothing else. */
function established(at: Scene): TcpConnection {
  const connection = connect(at);
  at.peer.send(SYN, { sequence: 5000, acknowledge: true });
  expect(at.peer.seen()).toBe('A');
  expect(connection.state).toBe('established');
  return connection;
}

describe('RFC 9293 section 3.5: opening', () => {
  test('a SYN carries the MSS of the way and is sent again with back-off, seven times in all (Linux)', () => {
    const at = scene();
    const connection = at.endpoint.connect(THERE, 80, handlers(at.log))!;
    at.wire.advance(126_000);
    expect(connection.state).toBe('syn-sent');
    const syns = at.wire.sent.slice(1);
    expect(syns.map(({ timeMs }) => timeMs)).toEqual([0, 1000, 3000, 7000, 15_000, 31_000, 63_000]);
    const [syn] = at.wire.frames('a').slice(1);
    expect(syn).toMatchObject({ flags: SYN, tcpOptions: [2, 4, 1360 >> 8, 1360 & 255], acknowledgment: 0 });
    expect(syn).toMatchObject({ checksum: 'right', ipChecksum: 'right', dontFragment: true, ttl: 64 });
    at.wire.advance(2000);
    expect(at.log).toEqual(['timeout']);
    expect(at.endpoint.connectionCount).toBe(0);
  });

  test('section 3.10.7.3: SYN-SENT refuses an acknowledgment of something else, and a reset without a right one', () => {
    const at = scene();
    const connection = connect(at);
    at.peer.send(SYN, { sequence: 5000, acknowledge: true, shift: 1 });
    expect(at.peer.seen()).toBe('R');
    at.peer.send(RST, { sequence: 0, acknowledge: true, shift: 1 });
    at.peer.send(RST, { sequence: 0 });
    expect([at.peer.seen(), connection.state]).toEqual(['', 'syn-sent']);
    at.peer.send(RST, { sequence: 0, acknowledge: true });
    expect([at.peer.seen(), at.log.join()]).toEqual(['', 'refused']);
  });

  test('figure 7: both sides begin at once', () => {
    const at = scene();
    const connection = connect(at);
    at.peer.send(SYN, { sequence: 5000 });
    expect([at.peer.seen(), connection.state]).toEqual(['SA', 'syn-received']);
    at.peer.send(SYN, { sequence: 5000, acknowledge: true });
    at.peer.send(0, { sequence: 5001, acknowledge: true });
    expect([connection.state, at.log.join()]).toEqual(['established', 'open']);
  });

  test('LISTEN: a reset for an ACK, nothing for a reset; SYN-RECEIVED: SYN again, wrong ACK, reset', () => {
    const at = scene();
    const accepted: TcpConnection[] = [];
    at.endpoint.listen(80, (connection) => {
      accepted.push(connection);
      return handlers(at.log);
    });
    at.peer.toward(80);
    at.peer.send(0, { sequence: 1, acknowledge: true });
    expect(at.peer.seen()).toBe('R');
    at.peer.send(RST, { sequence: 1 });
    expect(at.peer.seen()).toBe('');
    at.peer.send(SYN, { sequence: 5000 });
    expect(at.peer.seen()).toBe('SA');
    at.peer.send(SYN, { sequence: 5000 });
    expect(at.peer.seen()).toBe('SA');
    at.peer.send(0, { sequence: 5001, acknowledge: true, shift: 7 });
    expect([at.peer.seen(), accepted.length]).toEqual(['R', 0]);
    at.peer.send(RST, { sequence: 5001 });
    expect([at.peer.seen(), at.endpoint.connectionCount, at.log.length]).toEqual(['', 0, 0]);
    at.peer.send(SYN, { sequence: 5000 });
    at.peer.learn();
    at.peer.send(0, { sequence: 5001, acknowledge: true });
    expect([accepted[0]!.state, at.log.join()]).toEqual(['established', 'open']);
  });

  test('a SYN, ACK is sent six times (Linux), then it is as if nobody had asked', () => {
    const at = scene();
    at.endpoint.listen(80, () => handlers(at.log));
    at.peer.toward(80);
    at.peer.send(SYN, { sequence: 5000 });
    at.wire.advance(300_000);
    expect(at.peer.seen()).toBe('SA SA SA SA SA SA');
    expect([at.endpoint.connectionCount, at.log.length]).toEqual([0, 0]);
  });

  test('section 3.10.7.1: a closed port answers with a reset that fits, and never a reset', () => {
    const at = scene();
    at.peer.toward(81);
    at.peer.send(SYN, { sequence: 7000, payload: 10 });
    expect(at.peer.last()).toMatchObject({ flags: RST | 16, sequence: 0, acknowledgment: 7011 });
    at.peer.send(FIN, { sequence: 7000, acknowledge: true });
    expect(at.peer.last()).toMatchObject({ flags: RST, sequence: at.peer.acknowledgment });
    at.peer.seen();
    at.peer.send(RST, { sequence: 7000 });
    expect(at.peer.seen()).toBe('');
  });
});

describe('RFC 9293 section 3.10.7.4: segments that arrive', () => {
  test('data early is kept, twice is once, and each is acknowledged', () => {
    const at = scene();
    established(at);
    at.peer.send(0, { sequence: 5011, acknowledge: true, payload: 10 });
    expect(at.peer.last()).toMatchObject({ acknowledgment: 5001 });
    at.peer.send(0, { sequence: 5001, acknowledge: true, payload: 10 });
    expect(at.peer.last()).toMatchObject({ acknowledgment: 5021 });
    at.peer.send(0, { sequence: 5006, acknowledge: true, payload: 20 });
    expect(at.peer.last()).toMatchObject({ acknowledgment: 5026 });
    expect(at.log).toEqual(['open', 'data 10', 'data 10', 'data 5']);
  });

  test('RFC 5961: a reset or SYN in the window is challenged, at most twice a second; an exact reset is believed', () => {
    const at = scene();
    const connection = established(at);
    at.peer.send(RST, { sequence: 5002 });
    expect(at.peer.seen()).toBe('A');
    at.peer.send(RST, { sequence: 5003 });
    at.peer.send(SYN, { sequence: 5003 });
    expect([at.peer.seen(), connection.state]).toEqual(['', 'established']);
    at.wire.advance(500);
    at.peer.send(SYN, { sequence: 5003 });
    expect([at.peer.seen(), connection.state]).toEqual(['A', 'established']);
    at.peer.send(RST, { sequence: 5000 });
    expect(connection.state).toBe('established');
    at.peer.send(RST, { sequence: 5001 });
    expect([at.log.join(), at.endpoint.connectionCount]).toEqual(['open,reset', 0]);
  });

  test('what lies outside the window, or acknowledges what was never sent, changes nothing', () => {
    const at = scene();
    const connection = established(at);
    at.peer.send(0, { sequence: 5001 + 70_000, acknowledge: true, payload: 5 });
    expect(at.peer.last()).toMatchObject({ flags: 16, acknowledgment: 5001 });
    at.peer.send(0, { sequence: 5001, acknowledge: true, shift: 1, payload: 5 });
    expect(at.peer.last()).toMatchObject({ flags: 16, acknowledgment: 5001 });
    at.peer.send(0, { sequence: 5001, payload: 5 });
    expect([connection.state, at.log.join()]).toEqual(['established', 'open']);
  });

  test('data without an answer is sent sixteen times (Linux), the last with its ICMP error remembered', () => {
    const at = scene();
    const connection = established(at);
    connection.write(new Uint8Array(10));
    at.wire.advance(0);
    const data = at.peer.last();
    at.peer.unreachable(data, 1);
    expect(connection.state).toBe('established');
    at.wire.advance(1_200_000);
    expect(at.peer.seen().split(' ')).toHaveLength(16);
    expect(at.log).toEqual(['open', 'unreachable']);
  });

  test('RFC 5681 section 3.2: three duplicates, and what is lost is sent again before its time', () => {
    const at = scene();
    const connection = established(at);
    connection.write(new Uint8Array(5000));
    at.wire.advance(0);
    const [first] = at.peer.take();
    for (let i = 0; i < 3; i++) {
      expect(at.peer.take()).toEqual([]);
      at.peer.send(0, { sequence: 5001, acknowledge: true });
    }
    expect(at.peer.take().map(({ sequence }) => sequence)).toEqual([first!.sequence]);
  });

  test('RFC 1191: too long for the way, so shorter segments; RFC 5927: only about what is in flight', () => {
    const at = scene();
    const connection = established(at);
    connection.write(new Uint8Array(1360));
    at.wire.advance(0);
    const [long] = at.peer.take();
    at.peer.unreachable({ ...long!, sequence: long!.sequence! - 1 }, 4, 1000);
    expect(at.peer.take()).toEqual([]);
    at.peer.unreachable(long!, 4, 1000);
    expect(at.peer.take().map(({ payload }) => payload.length)).toEqual([960, 400]);
  });
});

test('RFC 9293 section 3.8.6.1: one byte asks a closed window, for ever, as long as it is answered', () => {
  const at = scene();
  const connection = established(at);
  at.peer.send(0, { sequence: 5001, acknowledge: true, window: 0 });
  connection.write(new Uint8Array(100));
  at.wire.advance(0);
  expect(at.peer.take()).toEqual([]);
  for (let probe = 0; probe < 40; probe++) {
    const before = at.wire.sent.length;
    expect(at.wire.until(() => at.wire.sent.length > before, 200_000)).toBe(true);
    at.wire.advance(0);
    expect(at.peer.last().payload).toHaveLength(1);
    at.peer.send(0, { sequence: 5001, acknowledge: true, window: 0 });
  }
  at.peer.take();
  at.peer.send(0, { sequence: 5001, acknowledge: true });
  expect(at.peer.take().map(({ payload }) => payload.length)).toEqual([100]);
});

describe('RFC 9293 section 3.7.1: MSS', () => {
  test('the smaller of what the way takes and what the other side has said, or 536 when it has not', () => {
    for (const [maximumSegment, len] of [
      [1460, 1360],
      [700, 700],
      [0, 536],
      [10, 48],
    ] as const) {
      const at = scene();
      const connection = connect(at);
      at.peer.send(SYN, { sequence: 5000, acknowledge: true, maximumSegment });
      at.peer.take();
      connection.write(new Uint8Array(3000));
      at.wire.advance(0);
      expect(at.peer.take()[0]!.payload).toHaveLength(len);
    }
  });
});

describe('RFC 9293 section 3.6: closing', () => {
  test('figure 12, the side that begins: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, where a FIN is acknowledged again', () => {
    const at = scene();
    const connection = established(at);
    connection.end();
    at.wire.advance(0);
    expect([at.peer.seen(), connection.state]).toEqual(['FA', 'fin-wait-1']);
    at.peer.learn(1);
    at.peer.send(0, { sequence: 5001, acknowledge: true });
    expect(connection.state).toBe('fin-wait-2');
    at.peer.send(0, { sequence: 5001, acknowledge: true, payload: 3 });
    at.peer.send(FIN, { sequence: 5004, acknowledge: true });
    expect([at.peer.seen(), connection.state]).toEqual(['A A', 'time-wait']);
    expect(at.log).toEqual(['open', 'data 3', 'end', 'done']);
    at.wire.advance(10_000);
    at.peer.send(FIN, { sequence: 5004, acknowledge: true });
    expect(at.peer.seen()).toBe('A');
    at.wire.advance(14_000);
    expect(connection.state).toBe('time-wait');
    at.wire.advance(1000);
    expect([connection.state, at.endpoint.connectionCount, at.log.length]).toEqual(['closed', 0, 4]);
  });

  test('figure 12, the other side: CLOSE-WAIT, in which it may send, and LAST-ACK', () => {
    const at = scene();
    const connection = established(at);
    at.peer.send(FIN, { sequence: 5001, acknowledge: true });
    expect([at.peer.seen(), connection.state]).toEqual(['A', 'close-wait']);
    connection.write(new Uint8Array(7));
    connection.end();
    at.wire.advance(0);
    expect([at.peer.seen(), connection.state]).toEqual(['FPA', 'last-ack']);
    at.peer.learn(1);
    at.peer.send(0, { sequence: 5002, acknowledge: true });
    expect([connection.state, at.endpoint.connectionCount, at.log.join()]).toEqual(['closed', 0, 'open,end,done']);
  });

  test('figure 13: both end at once: CLOSING, TIME-WAIT', () => {
    const at = scene();
    const connection = established(at);
    connection.end();
    at.wire.advance(0);
    at.peer.send(FIN, { sequence: 5001, acknowledge: true });
    expect(connection.state).toBe('closing');
    at.peer.learn(); // the acknowledgment comes behind our FIN
    at.peer.send(0, { sequence: 5002, acknowledge: true });
    expect([connection.state, at.log.join()]).toEqual(['time-wait', 'open,end,done']);
    at.peer.send(RST, { sequence: 5002 });
    expect([connection.state, at.endpoint.connectionCount, at.log.length]).toEqual(['closed', 0, 3]);
  });

  test('section 3.10.5: an abort tells the other side, but not one that has never answered', () => {
    const at = scene();
    const connection = established(at);
    connection.abort();
    at.wire.advance(0);
    expect(flagWords(at.peer.last().flags!)).toBe('RA');
    expect([at.log.join(), at.endpoint.connectionCount]).toEqual(['open,aborted', 0]);
    at.peer.seen();
    const other = connect(at);
    at.peer.seen();
    other.abort();
    at.wire.advance(0);
    expect([at.peer.seen(), at.endpoint.connectionCount]).toEqual(['', 0]);
  });

  test('a connection to an own address never sees the wire', () => {
    const at = scene();
    at.endpoint.listen(80, () => ({}));
    at.endpoint.connect(HERE, 80, handlers(at.log))!.end();
    at.wire.advance(10);
    expect([at.log.join(), at.wire.sent.length]).toEqual(['open', 0]);
  });

  test('no address of that family, no connection; no answer of the next hop, and it is told', () => {
    const wire = new Wire({ filter: () => false });
    const endpoint = wire.endpoint('a', [HERE]);
    expect(endpoint.connect('fd00::1', 80, {})).toBeUndefined();
    expect(() => endpoint.connect('10.1.1', 80, {})).toThrow('not an address: 10.1.1');
    const log: string[] = [];
    endpoint.connect(THERE, 80, { closed: (...words) => log.push(...words) });
    wire.advance(2999);
    expect([wire.sent.length, log.length]).toEqual([3, 0]);
    wire.advance(1);
    expect(log).toEqual(['unreachable', 'the next hop does not answer']);
  });
});
