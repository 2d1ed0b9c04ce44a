/** The last 4,096 packets, always: what they looked like when they came, and what became of them. */
import { describe, expect, test } from 'vitest';
import { Connections } from '../../src/conntrack/connections.ts';
import { FlightRecorder, RECORD_BYTES, RECORDS } from '../../src/dataplane/flight-recorder.ts';
import { Arena } from '../../src/packet/arena.ts';
import { Consumed, Drop, Place } from '../../src/packet/outcome.ts';
import { Way, way } from '../../src/packet/way.ts';
import { buildFrame, newPacket, writeBytes } from '../support/frames.ts';
import { arp } from './link-frames.ts';
import { encapsulated, nodes, places, World } from './world.ts';

/** A recorder and a packet, without a node around them. */
function recorder() {
  const arena = new Arena(2 << 20);
  const pkt = newPacket(arena);
  const recorded = new FlightRecorder(arena, new Connections(16, 1), new Int32Array(12));
  const record = (number: number, len = 60) => {
    writeBytes(pkt, new Uint8Array(len).fill(number & 255));
    pkt.ingress = number;
    recorded.begin(pkt, number * 10);
    pkt.egress = -number;
    recorded.end(pkt, -(number % 40));
  };
  return { recorded, record };
}

describe('the ring', () => {
  test('is empty at first', () => {
    const { recorded } = recorder();
    expect(recorded.recorded).toBe(0);
    expect(recorded.last(10)).toEqual([]);
  });

  test('gives the newest, oldest first', () => {
    const { recorded, record } = recorder();
    for (let i = 1; i <= 10; i++) record(i);
    expect(recorded.last(3).map(({ ingress }) => ingress)).toEqual([8, 9, 10]);
    expect(recorded.last(100).map(({ ingress }) => ingress)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(recorded.last(0)).toEqual([]);
  });

  for (const count of [RECORDS - 1, RECORDS, RECORDS + 1, 3 * RECORDS + 7]) {
    test(`after ${count} packets holds the last ${Math.min(count, RECORDS)} of them, each whole`, () => {
      const { recorded, record } = recorder();
      for (let i = 1; i <= count; i++) record(i);
      expect(recorded.recorded).toBe(count);
      const all = recorded.last(count);
      expect(all).toHaveLength(Math.min(count, RECORDS));
      for (const [i, { ingress, egress, timeMs, outcome, bytes }] of all.entries()) {
        const number = count - all.length + 1 + i;
        if (ingress !== number || bytes[0] !== (number & 255) || bytes[59] !== (number & 255)) {
          expect({ ingress, bytes }).toEqual({ ingress: number, bytes: new Uint8Array(60).fill(number & 255) });
        }
        expect([egress, timeMs, Math.abs(outcome)].join()).toBe([-number, number * 10, number % 40].join());
      }
    });
  }

  test('keeps the length of a long packet and its first 128 bytes', () => {
    const { recorded, record } = recorder();
    record(7, 9000);
    expect(recorded.last(1)[0]).toMatchObject({ len: 9000, bytes: new Uint8Array(RECORD_BYTES).fill(7) });
    record(8, 5);
    expect(recorded.last(1)[0]).toMatchObject({ len: 5, bytes: new Uint8Array(5).fill(8) });
  });

  test('what it gave stays when the ring moves on', () => {
    const { recorded, record } = recorder();
    record(1);
    const [kept] = recorded.last(1);
    for (let i = 2; i < RECORDS + 5; i++) record(i);
    expect(kept!.bytes[0]).toBe(1);
  });
});

describe('a node records', () => {
  test('the packet as it came in, and how it ended', () => {
    const world = new World();
    world.nowMs = 5000;
    const frame = buildFrame({ sourceMac: places.web.mac, source: '10.244.1.2', destination: '10.244.1.3', ttl: 9 });
    world.sendBytes('web', frame);
    world.nowMs = 6000;
    world.send('web', { destination: '8.8.8.8' });
    world.sendBytes('web', arp({ sourceMac: places.web.mac, sender: '10.244.1.2', target: '169.254.1.1' }));
    world.send('web', { destination: '10.244.2.7' });
    const records = world.dp.flightRecorder.last(4);
    expect(records[0]).toEqual({
      ...{ timeMs: 5000, len: frame.length, outcome: Place.Delivered, bytes: frame },
      ...{ ingress: way(Way.Pod, 0), egress: way(Way.Pod, 1), gsoSize: 0, outerPort: 0, partial: -1 },
      connection: expect.any(Number),
    });
    expect(records[1]).toMatchObject({ timeMs: 6000, outcome: Drop.NoRoute, egress: 0 });
    expect(records[2]).toMatchObject({ outcome: Consumed.ArpAnswered, egress: 0 });
    expect(records[3]).toMatchObject({ outcome: Place.Delivered, egress: way(Way.Tunnel, 0) });
  });

  test('a tunnel packet with its tunnel header, under the endpoint that it came from', () => {
    const world = new World();
    const bytes = encapsulated('n3', { flags: 2 });
    world.tunnelBytes(nodes.n3.underlay, bytes);
    const [record] = world.dp.flightRecorder.last(1);
    expect(record).toMatchObject({ ingress: way(Way.Tunnel, 1), egress: way(Way.Pod, 0), len: bytes.length });
    expect(record!.bytes).toEqual(bytes.slice(0, RECORD_BYTES));
  });
});
