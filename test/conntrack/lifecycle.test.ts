/** From the first packet of a connection to the last. */
import { describe, expect, test } from 'vitest';
import { ConnectionFlag } from '../../src/conntrack/connections.ts';
import { TcpState } from '../../src/conntrack/tcp-states.ts';
import type { FrameSpec } from '../support/frames.ts';
import { ACK, CLIENT, FIN_ACK, RST, RST_ACK, reply, SERVER, SYN, SYN_ACK, Tracker } from './tracker.ts';

const { Assured, SeenReply } = ConnectionFlag;

function send(tracker: Tracker, ...specs: readonly FrameSpec[]): void {
  for (const spec of specs) expect(tracker.send(spec), JSON.stringify(spec)).not.toContain('dropped');
}

const handshake: readonly FrameSpec[] = [{ flags: SYN }, reply({ flags: SYN_ACK }), { flags: ACK }];
const clientFirst: readonly FrameSpec[] = [{ flags: FIN_ACK }, reply({ flags: FIN_ACK }), { flags: ACK }];
const serverFirst: readonly FrameSpec[] = [reply({ flags: FIN_ACK }), { flags: FIN_ACK }, reply({ flags: ACK })];

describe('two tuples', () => {
  const cases: readonly FrameSpec[] = [
    { protocol: 'tcp', flags: SYN },
    { protocol: 'udp' },
    { protocol: 'sctp' },
    { protocol: 50, payload: 8 },
    { protocol: 'udp', source: 'fd00::1', destination: 'fd00::2' },
  ];
  for (const spec of cases) {
    test(`CT-001 ${spec.protocol} ${spec.source ?? ''}: a packet finds its entry by either`, () => {
      const tracker = new Tracker();
      expect(tracker.send(spec)).toBe('new');
      expect(tracker.pkt.direction).toBe(0);
      expect(tracker.send(spec)).toBe('known');
      expect(tracker.pkt.direction).toBe(0);
      expect(tracker.send(reply({ ...spec, flags: SYN_ACK }))).toBe('known');
      expect(tracker.pkt.direction).toBe(1);
      expect(tracker.connections.count).toBe(1);
    });
  }

  test('CT-001 a connection that is gone is not found, though it was the last one that was', () => {
    const tracker = new Tracker();
    tracker.send({ protocol: 'udp' });
    expect(tracker.send({ protocol: 'udp' })).toBe('known');
    tracker.connections.remove(tracker.pkt.connection);
    expect(tracker.send({ protocol: 'udp' })).toBe('new');
    expect(tracker.connections.count).toBe(1);
  });

  test('CT-001 every field of the tuple counts', () => {
    const tracker = new Tracker();
    const udp = { protocol: 'udp', source: CLIENT, destination: SERVER } as const;
    tracker.send(udp);
    const others: readonly FrameSpec[] = [
      { ...udp, source: '10.1.0.3' },
      { ...udp, destination: '10.1.1.6' },
      { ...udp, sourcePort: 40_001 },
      { ...udp, destinationPort: 8081 },
      { ...udp, protocol: 'sctp' },
    ];
    for (const other of others) expect(tracker.send(other), JSON.stringify(other)).toBe('new');
    expect(tracker.connections.count).toBe(1 + others.length);
  });

  test('CT-002 a connection is new until a reply is seen, then it is not for both directions', () => {
    const tracker = new Tracker();
    send(tracker, { protocol: 'udp' }, { protocol: 'udp' });
    expect(tracker.has(SeenReply)).toBe(false);
    send(tracker, reply({ protocol: 'udp' }));
    expect(tracker.has(SeenReply)).toBe(true);
    send(tracker, { protocol: 'udp' });
    expect(tracker.has(SeenReply)).toBe(true);
  });

  test('CT-002 in TCP too', () => {
    const tracker = new Tracker();
    send(tracker, { flags: SYN });
    expect(tracker.has(SeenReply)).toBe(false);
    send(tracker, reply({ flags: SYN_ACK }));
    expect(tracker.has(SeenReply)).toBe(true);
  });
});

describe('reopening', () => {
  for (const [closer, packets] of Object.entries({ client: clientFirst, server: serverFirst })) {
    test(`CT-029 SYN in TIME_WAIT after the ${closer} closed first: the old entry goes, a new one begins`, () => {
      const tracker = new Tracker();
      send(tracker, ...handshake, ...packets);
      expect(tracker.state).toBe(TcpState.TimeWait);
      expect(tracker.send({ flags: SYN })).toBe('new');
      expect(tracker.state).toBe(TcpState.SynSent);
      expect(tracker.has(SeenReply)).toBe(false);
      expect(tracker.connections.count).toBe(1);
      expect(tracker.connections.statistics.insert).toBe(2);
    });
  }

  test('CT-029 a SYN of the server opens it the other way round', () => {
    const tracker = new Tracker();
    send(tracker, ...handshake, ...clientFirst);
    expect(tracker.send(reply({ flags: SYN }))).toBe('new');
    expect(tracker.pkt.direction).toBe(0);
    expect(tracker.send({ flags: SYN_ACK })).toBe('known');
    expect(tracker.pkt.direction).toBe(1);
  });

  test('CT-029 SYN in CLOSE from the side that sent the RST', () => {
    const tracker = new Tracker();
    send(tracker, ...handshake, { flags: RST });
    expect(tracker.state).toBe(TcpState.Close);
    expect(tracker.send({ flags: SYN })).toBe('new');
  });

  test('CT-029 SYN in CLOSE from the other side, nothing closed properly: ignored', () => {
    const tracker = new Tracker();
    send(tracker, ...handshake, reply({ flags: RST }));
    expect(tracker.send({ flags: SYN })).toBe('known');
    expect(tracker.state).toBe(TcpState.Close);
    expect(tracker.connections.statistics.insert).toBe(1);
  });

  test('CT-029 SYN in CLOSE after FINs: closed properly', () => {
    const tracker = new Tracker();
    send(tracker, ...handshake, { flags: FIN_ACK }, reply({ flags: RST }));
    expect(tracker.send({ flags: SYN })).toBe('new');
  });

  test('CT-029 a packet between the RST and the SYN: the RST was not the last word', () => {
    const tracker = new Tracker();
    send(tracker, ...handshake, { flags: RST }, { flags: ACK });
    expect(tracker.state).toBe(TcpState.Close);
    expect(tracker.send({ flags: SYN })).toBe('known');
  });

  test('CT-029 only a SYN reopens', () => {
    for (const flags of [ACK, FIN_ACK, RST]) {
      const tracker = new Tracker();
      send(tracker, ...handshake, ...clientFirst);
      expect(tracker.send({ flags })).toBe('known');
      expect(tracker.connections.statistics.insert).toBe(1);
    }
    const tracker = new Tracker();
    send(tracker, ...handshake, ...clientFirst);
    expect(tracker.send({ flags: SYN_ACK })).toBe('dropped: Invalid');
  });

  test('CT-029 and only in TIME_WAIT and CLOSE', () => {
    const tracker = new Tracker();
    send(tracker, ...handshake, { flags: FIN_ACK });
    expect(tracker.send({ flags: SYN })).toBe('known');
    expect(tracker.state).toBe(TcpState.FinWait);
  });
});

describe('refusal', () => {
  for (const packets of [
    [{ flags: SYN }, reply({ flags: RST_ACK })],
    [{ flags: SYN }, { flags: RST }],
    [{ flags: ACK }, reply({ flags: RST })],
  ]) {
    test(`CT-031 RST as the only answer (${packets.map(({ flags }) => flags).join()}): the entry is gone at once`, () => {
      const tracker = new Tracker();
      send(tracker, ...packets);
      tracker.connections.expire(tracker.nowMs, 10);
      expect(tracker.connections.count).toBe(0);
    });

    test(`CT-031 (${packets.map(({ flags }) => flags).join()}) also for packets of the same turn of the loop`, () => {
      const tracker = new Tracker();
      send(tracker, ...packets);
      expect(tracker.send({ flags: SYN })).toBe('new');
      expect(tracker.connections.count).toBe(1);
    });
  }

  test('CT-031 a RST after an answer leaves the entry in CLOSE', () => {
    const tracker = new Tracker();
    send(tracker, { flags: SYN }, reply({ flags: SYN_ACK }), reply({ flags: RST }));
    tracker.connections.expire(tracker.nowMs, 10);
    expect(tracker.connections.count).toBe(1);
    expect(tracker.state).toBe(TcpState.Close);
  });
});

describe('assured', () => {
  test('CT-032 by the ACK that ends the handshake, not before', () => {
    const tracker = new Tracker();
    send(tracker, { flags: SYN });
    expect(tracker.has(Assured)).toBe(false);
    send(tracker, reply({ flags: SYN_ACK }));
    expect(tracker.has(Assured)).toBe(false);
    send(tracker, { flags: ACK });
    expect(tracker.has(Assured)).toBe(true);
  });

  test('CT-032 of a connection picked up mid-stream by an ACK after the reply', () => {
    const tracker = new Tracker();
    send(tracker, { flags: ACK }, { flags: ACK });
    expect(tracker.has(Assured)).toBe(false);
    send(tracker, reply({ flags: ACK }), { flags: ACK });
    expect(tracker.has(Assured)).toBe(true);
  });
});

describe('mid-stream pickup', () => {
  test('CT-039 an ACK begins an established connection', () => {
    const tracker = new Tracker();
    expect(tracker.send({ flags: ACK, payload: 100 })).toBe('new');
    expect(tracker.state).toBe(TcpState.Established);
    expect(tracker.send(reply({ flags: ACK, payload: 100 }))).toBe('known');
  });

  test('CT-039 whichever side speaks first becomes the original direction', () => {
    const tracker = new Tracker();
    expect(tracker.send(reply({ flags: ACK }))).toBe('new');
    expect(tracker.send({ flags: ACK })).toBe('known');
    expect(tracker.pkt.direction).toBe(1);
  });
});
