/** SCTP associations (CT-014): states, verification tags, lifetimes. Linux's nf_conntrack_proto_sctp.c. */
import { describe, expect, test } from 'vitest';
import { ConnectionFlag } from '../../src/conntrack/connections.ts';
import { nextSctpState, SctpState, sctpStateNames } from '../../src/conntrack/sctp-states.ts';
import { reply, SECOND, Tracker } from './tracker.ts';

const types = {
  data: 0,
  init: 1,
  initAck: 2,
  sack: 3,
  heartbeat: 4,
  heartbeatAck: 5,
  abort: 6,
  shutdown: 7,
  shutdownAck: 8,
  error: 9,
  cookieEcho: 10,
  cookieAck: 11,
  shutdownComplete: 14,
  unknown: 200,
} as const;
type Type = keyof typeof types;
interface Chunk {
  readonly type: Type;
  readonly flags?: number;
  /** Initiate tag, of INIT and INIT ACK. */
  readonly tag?: number;
  /** Bytes of value; the length field says so unless `length` lies. */
  readonly value?: number;
  readonly length?: number;
}

function chunkBytes({ type, flags = 0, tag, value = 0, length }: Chunk): number[] {
  const body = tag === undefined ? Array<number>(value).fill(0) : [...word(tag), ...Array<number>(12).fill(1)];
  const said = length ?? body.length + 4;
  const padding = Array<number>((4 - (body.length % 4)) % 4).fill(0);
  return [types[type], flags, said >> 8, said & 255, ...body, ...padding];
}

function word(value: number): number[] {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
}

/** The client is reached with tag 11, the server with tag 22. */
const CLIENT_TAG = 11;
const SERVER_TAG = 22;

class Association extends Tracker {
  override get connection(): number {
    return 0;
  }

  get stateName(): string {
    return sctpStateNames[this.state]!;
  }

  client(tag: number, ...chunks: readonly (Chunk | Type)[]): string {
    return this.send({ protocol: 'sctp', verificationTag: tag, payload: packet(chunks) });
  }

  server(tag: number, ...chunks: readonly (Chunk | Type)[]): string {
    return this.send(reply({ protocol: 'sctp', verificationTag: tag, payload: packet(chunks) }));
  }
}

function packet(chunks: readonly (Chunk | Type)[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => chunkBytes(typeof chunk === 'string' ? { type: chunk } : chunk)));
}

const init: Chunk = { type: 'init', tag: CLIENT_TAG };
const initAck: Chunk = { type: 'initAck', tag: SERVER_TAG };

function established(): Association {
  const own = new Association();
  expect(own.client(0, init)).toBe('new');
  own.server(CLIENT_TAG, initAck);
  own.client(SERVER_TAG, 'cookieEcho');
  own.server(CLIENT_TAG, 'cookieAck');
  expect(own.stateName).toBe('ESTABLISHED');
  return own;
}

describe('the table', () => {
  const columns = ['NO', 'CL', 'CW', 'CE', 'ES', 'SS', 'SR', 'SA', 'HS', 'IV'] as const;
  // net/netfilter/nf_conntrack_proto_sctp.c sctp_conntracks, Linux 6.18
  const rows: readonly (readonly [Type, string, string])[] = [
    ['init', 'CL CL CW CE ES CL CL SA CW', 'IV CL CW CE ES SS SR SA IV'],
    ['initAck', 'CL CL CW CE ES SS SR SA CL', 'IV CW CW CE ES SS SR SA IV'],
    ['abort', 'CL CL CL CL CL CL CL CL CL', 'IV CL CL CL CL CL CL CL IV'],
    ['shutdown', 'CL CL CW CE SS SS SR SA CL', 'IV CL CW CE SR SS SR SA IV'],
    ['shutdownAck', 'SA CL CW CE ES SA SA SA SA', 'IV CL CW CE ES SA SA SA IV'],
    ['error', 'CL CL CW CE ES SS SR SA CL', 'IV CL CW CL ES SS SR SA IV'],
    ['cookieEcho', 'CL CL CE CE ES SS SR SA CL', 'IV CL CE CE ES SS SR SA IV'],
    ['cookieAck', 'CL CL CW ES ES SS SR SA CL', 'IV CL CW ES ES SS SR SA IV'],
    ['shutdownComplete', 'CL CL CW CE ES SS SR CL CL', 'IV CL CW CE ES SS SR CL IV'],
    ['heartbeat', 'HS CL CW CE ES SS SR SA HS', 'IV CL CW CE ES SS SR SA HS'],
    ['heartbeatAck', 'CL CL CW CE ES SS SR SA HS', 'IV CL CW CE ES SS SR SA ES'],
    ['data', 'NO CL CW CE ES SS SR SA HS', 'NO CL CW CE ES SS SR SA HS'],
    ['unknown', 'NO CL CW CE ES SS SR SA HS', 'NO CL CW CE ES SS SR SA HS'],
  ];
  for (const [type, ...directions] of rows) {
    for (const [direction, want] of directions.entries()) {
      test(`CT-014 ${direction === 0 ? 'original' : 'reply'} ${type}: ${want}`, () => {
        const got = want.split(' ').map((_, state) => columns[nextSctpState(direction, types[type], state)]);
        expect(got.join(' ')).toBe(want);
      });
    }
  }
});

test('CT-014 from INIT to SHUTDOWN COMPLETE, with the lifetime of each state', () => {
  const own = new Association();
  const seen: [string, number][] = [];
  const note = (got: string) => {
    expect(['new', 'known']).toContain(got);
    seen.push([own.stateName, own.leftMs / SECOND]);
  };
  note(own.client(0, init));
  note(own.server(CLIENT_TAG, initAck));
  note(own.client(SERVER_TAG, 'cookieEcho', 'data'));
  note(own.server(CLIENT_TAG, 'cookieAck', 'sack'));
  note(own.client(SERVER_TAG, 'data'));
  note(own.server(CLIENT_TAG, 'sack', 'data'));
  note(own.client(SERVER_TAG, 'shutdown'));
  note(own.server(CLIENT_TAG, 'shutdownAck'));
  note(own.client(SERVER_TAG, 'shutdownComplete'));
  expect(seen).toEqual([
    ['CLOSED', 10],
    ['COOKIE_WAIT', 3],
    ['COOKIE_ECHOED', 3],
    ['ESTABLISHED', 210],
    ['ESTABLISHED', 210],
    ['ESTABLISHED', 210],
    ['SHUTDOWN_SENT', 3],
    ['SHUTDOWN_ACK_SENT', 3],
    ['CLOSED', 10],
  ]);
});

test('CT-014 the server may shut down too; a second path lives by its heartbeats', () => {
  const own = established();
  own.server(CLIENT_TAG, 'shutdown');
  expect([own.stateName, own.leftMs]).toEqual(['SHUTDOWN_RECD', 3 * SECOND]);
  const path = new Association();
  expect(path.client(SERVER_TAG, 'heartbeat')).toBe('new');
  expect([path.stateName, path.leftMs]).toEqual(['HEARTBEAT_SENT', 30 * SECOND]);
  expect(path.server(CLIENT_TAG, 'heartbeatAck')).toBe('known');
  expect([path.stateName, path.leftMs]).toEqual(['ESTABLISHED', 210 * SECOND]);
});

test('CT-014 established is assured, and only that', () => {
  expect(established().has(ConnectionFlag.Assured)).toBe(true);
  const own = new Association();
  own.client(0, init);
  own.server(CLIENT_TAG, initAck);
  own.client(SERVER_TAG, 'cookieEcho');
  expect(own.has(ConnectionFlag.Assured)).toBe(false);
});

describe('what may begin an association', () => {
  const cases: readonly (readonly [string, boolean, number, ...(Chunk | Type)[]])[] = [
    ['INIT', true, 0, init],
    ['INIT with a tag', false, 5, init],
    ['INIT cut short', false, 0, { type: 'init', value: 12 }],
    ['INIT and another chunk', false, 0, init, 'data'],
    ['a chunk and INIT', false, 0, 'heartbeat', init],
    ['HEARTBEAT', true, 5, 'heartbeat'],
    ['HEARTBEAT ACK', true, 5, 'heartbeatAck'],
    ['SHUTDOWN ACK', true, 5, 'shutdownAck'],
    ['two heartbeats', true, 5, 'heartbeat', 'heartbeat'],
    ['DATA', false, 5, 'data'],
    ['DATA without a tag', false, 0, 'data'],
    ['INIT ACK', false, 5, initAck],
    ['COOKIE ECHO', false, 5, 'cookieEcho'],
    ['COOKIE ACK', false, 0, 'cookieAck'],
    ['ABORT', false, 0, 'abort'],
    ['SHUTDOWN', false, 5, 'shutdown'],
    ['SHUTDOWN COMPLETE', false, 0, 'shutdownComplete'],
    ['HEARTBEAT and ABORT', false, 5, 'heartbeat', 'abort'],
    ['HEARTBEAT and DATA', false, 5, 'heartbeat', 'data'],
    ['an unknown chunk', false, 5, 'unknown'],
    ['no chunk', false, 5],
    ['a chunk of length 0', false, 5, { type: 'heartbeat', length: 0 }],
  ];
  for (const [name, may, tag, ...chunks] of cases) {
    test(`CT-014 ${name}: ${may ? 'new' : 'INVALID'}`, () => {
      const own = new Association();
      expect(own.client(tag, ...chunks)).toBe(may ? 'new' : 'dropped: Invalid');
      expect(own.connections.count).toBe(may ? 1 : 0);
    });
  }

  test('CT-014 the tag of a SHUTDOWN ACK comes back with its answer; that of a HEARTBEAT ACK does not', () => {
    const asked = new Association();
    asked.client(SERVER_TAG, 'shutdownAck');
    expect(asked.server(CLIENT_TAG, 'shutdownComplete')).toBe('dropped: Invalid');
    expect(asked.server(SERVER_TAG, 'shutdownComplete')).toBe('known');
    const path = new Association();
    path.client(SERVER_TAG, 'heartbeatAck');
    expect(path.server(CLIENT_TAG, 'heartbeat')).toBe('known');
    expect(path.server(CLIENT_TAG, 'data')).toBe('known');
  });

  test('CT-006 a wrong CRC32c is refused before', () => {
    const own = new Association();
    own.client(0, init);
    const bytes = own.pkt.arena.bytes.slice(own.pkt.at, own.pkt.at + own.pkt.len);
    expect(own.sendBytes(bytes)).toBe('known');
    bytes[45]! ^= 1;
    expect(own.sendBytes(bytes)).toBe('dropped: BadL4Checksum');
  });
});

describe('verification tags (RFC 9260 section 8.5)', () => {
  test('CT-014 every packet carries the one that its receiver chose', () => {
    const own = established();
    for (const type of ['data', 'sack', 'shutdown', 'error', 'cookieEcho', 'unknown'] as const) {
      expect(own.client(CLIENT_TAG, type), type).toBe('dropped: Invalid');
      expect(own.server(SERVER_TAG, type), type).toBe('dropped: Invalid');
    }
    expect(own.stateName).toBe('ESTABLISHED');
  });

  for (const type of ['abort', 'shutdownComplete'] as const) {
    test(`CT-014 ${type}: its own tag with the T flag, the other without`, () => {
      expect(established().client(SERVER_TAG, type)).toBe('known');
      expect(established().client(CLIENT_TAG, { type, flags: 1 })).toBe('known');
      expect(established().client(CLIENT_TAG, type)).toBe('dropped: Invalid');
      expect(established().client(SERVER_TAG, { type, flags: 1 })).toBe('dropped: Invalid');
    });
  }

  test('CT-014 an ABORT closes', () => {
    const own = established();
    own.server(CLIENT_TAG, 'abort');
    expect([own.stateName, own.leftMs]).toEqual(['CLOSED', 10 * SECOND]);
  });

  test('CT-014 an INIT ACK answers the INIT that was seen', () => {
    const own = new Association();
    own.client(0, init);
    expect(own.server(CLIENT_TAG + 1, initAck)).toBe('dropped: Invalid');
    expect(own.server(CLIENT_TAG, { type: 'initAck', value: 12 })).toBe('dropped: Invalid');
    expect(own.server(CLIENT_TAG, initAck)).toBe('known');
    expect(own.client(SERVER_TAG + 1, 'cookieEcho')).toBe('dropped: Invalid');
  });

  test('CT-014 an INIT ACK of the client to no INIT may not change the tag of the client', () => {
    const own = new Association();
    own.client(0, init);
    own.server(CLIENT_TAG, initAck);
    expect(own.client(SERVER_TAG, { type: 'initAck', tag: 99 })).toBe('dropped: Invalid');
    expect(own.client(SERVER_TAG, 'cookieEcho')).toBe('known');
  });

  test('CT-014 when both sides send an INIT, the tags of both hold', () => {
    const own = new Association();
    own.client(0, init);
    expect(own.server(0, { type: 'init', tag: SERVER_TAG })).toBe('known');
    expect(own.server(CLIENT_TAG, { type: 'initAck', tag: 99 })).toBe('dropped: Invalid');
    expect(own.server(CLIENT_TAG, initAck)).toBe('known');
  });

  test('CT-014 a later INIT of one side takes the place of what the other began', () => {
    const own = new Association();
    own.client(0, init);
    own.server(0, { type: 'init', tag: SERVER_TAG });
    own.client(0, { type: 'init', tag: CLIENT_TAG + 1 });
    expect(own.server(CLIENT_TAG + 1, { type: 'initAck', tag: 99 })).toBe('known');
  });

  test('CT-014 an INIT that comes late, or again, asks for no other answer', () => {
    const own = established();
    expect(own.client(0, init)).toBe('known');
    expect(own.server(CLIENT_TAG, { type: 'initAck', tag: 99 })).toBe('dropped: Invalid');
    expect(own.client(0, { type: 'init', tag: CLIENT_TAG + 1 })).toBe('known');
    expect(own.server(CLIENT_TAG + 1, { type: 'initAck', tag: 99 })).toBe('known');
  });

  test('CT-014 after the COOKIE ACK no INIT is open any more', () => {
    expect(established().server(CLIENT_TAG, { type: 'initAck', tag: 99 })).toBe('dropped: Invalid');
  });

  test('CT-014 a heartbeat of another tag passes, and changes the tags when it is answered by the other side', () => {
    const own = established();
    const before = own.connections.deadlineMs[0];
    own.nowMs += SECOND;
    expect(own.client(77, 'heartbeat')).toBe('known');
    expect(own.connections.deadlineMs[0]).toBe(before);
    expect(own.client(77, 'heartbeatAck')).toBe('dropped: Invalid');
    expect(own.server(88, 'heartbeatAck')).toBe('known');
    expect(own.server(CLIENT_TAG, 'data')).toBe('dropped: Invalid');
    expect(own.server(88, 'data')).toBe('known');
    expect(own.client(99, 'heartbeat')).toBe('known'); // the tag is open again, and learnt
    expect(own.client(99, 'data')).toBe('known');
  });

  test('CT-014 not with DATA, not twice, not without the question', () => {
    expect(established().client(77, 'heartbeat', 'data')).toBe('dropped: Invalid');
    expect(established().client(77, 'heartbeat', 'heartbeat')).toBe('dropped: Invalid');
    expect(established().server(88, 'heartbeatAck')).toBe('dropped: Invalid');
    const own = established();
    own.client(77, 'heartbeat');
    own.client(SERVER_TAG, 'heartbeat'); // the right tag again: the question is withdrawn
    expect(own.server(88, 'heartbeatAck')).toBe('dropped: Invalid');
  });
});

test('CT-014 a repeated INIT does not keep an unanswered attempt alive', () => {
  const own = new Association();
  own.client(0, init);
  own.nowMs += 4 * SECOND;
  expect(own.client(0, init)).toBe('known');
  expect(own.leftMs).toBe(6 * SECOND);
});

test('CT-014 COOKIE chunks come first, INIT chunks alone', () => {
  const own = established();
  expect(own.server(CLIENT_TAG, 'data', 'cookieAck')).toBe('dropped: Invalid');
  expect(own.client(SERVER_TAG, 'data', 'cookieEcho')).toBe('dropped: Invalid');
  expect(own.client(0, init, 'sack')).toBe('dropped: Invalid');
  expect(own.server(CLIENT_TAG, 'shutdownComplete', 'sack')).toBe('dropped: Invalid');
  expect(own.client(SERVER_TAG, 'sack', 'data', 'data')).toBe('known');
});

test('CT-014 as many chunks as a packet holds', () => {
  const own = established();
  expect(own.client(SERVER_TAG, ...Array<Type>(16_000).fill('sack'))).toBe('known');
});

test('CT-014 a last chunk that is cut short ends the walk', () => {
  const own = established();
  expect(own.client(SERVER_TAG, { type: 'data', length: 5000 })).toBe('known');
  const ragged = Uint8Array.from([...chunkBytes({ type: 'sack' }), types.abort, 0, 0]);
  expect(own.send({ protocol: 'sctp', verificationTag: SERVER_TAG, payload: ragged })).toBe('known');
  expect(own.state).toBe(SctpState.Established);
});
