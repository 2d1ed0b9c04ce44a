import { expect, test } from 'vitest';
import { Drop } from '../../src/packet/outcome.ts';
import { ChecksumState, FRAME_HEADROOM } from '../../src/packet/packet.ts';
import { Way, way } from '../../src/packet/way.ts';
import { MemoryPort, MemoryUnderlay, wireFrame } from '../../src/ports/memory.ts';
import { buildFrame, newPacket, writeFrame } from '../support/frames.ts';

const options = { way: way(Way.Pod, 3), macHigh: 1, macLow: 2, addresses: new Int32Array(4), mtu: 1450, capacity: 2 };
const superframe = { payload: 4000, gsoSize: 1400 };

test('a frame goes in with what is known about it, and comes out in order', () => {
  const port = new MemoryPort(options);
  const pkt = newPacket();
  const at = pkt.at + 2;
  const first = { ...wireFrame(buildFrame(superframe)), checksum: ChecksumState.Partial, partialStart: 34 };
  expect(port.push({ ...first, partialOffset: 16, gsoSize: 1400 })).toBe(true);
  expect(port.push(wireFrame(buildFrame()))).toBe(true);
  expect(port.push(wireFrame(buildFrame()))).toBe(false);

  expect(port.receive(pkt, at)).toBe(1);
  const state = { checksum: ChecksumState.Partial, partialStart: 34, partialOffset: 16, gsoSize: 1400 };
  expect(pkt).toMatchObject({ at, len: 4054, ...state });
  expect(pkt.arena.bytes.slice(at, at + pkt.len)).toEqual(first.bytes);
  expect(pkt.arena.bytes[at - 1]).toBe(0xa5);
  expect(pkt.arena.bytes[at + pkt.len]).toBe(0xa5);

  expect(port.receive(pkt, at)).toBe(1);
  const plain = { checksum: ChecksumState.Unverified, partialStart: 0, partialOffset: 0, gsoSize: 0 };
  expect(pkt).toMatchObject({ len: 54, ...plain });
  expect(port.receive(pkt, at)).toBe(0);
  expect(FRAME_HEADROOM).toBeGreaterThan(0);
});

test('what is sent is kept as it was, until the port is full', () => {
  const port = new MemoryPort(options);
  const pkt = writeFrame(newPacket(), superframe);
  expect(port.transmit(pkt)).toBe(0);
  const bytes = buildFrame(superframe);
  pkt.view.setUint8(pkt.at, 99);
  const state = { checksum: ChecksumState.Partial, partialStart: 34, partialOffset: 16, gsoSize: 1400 };
  expect(port.sent).toEqual([{ bytes, ...state }]);
  expect(port.transmit(pkt)).toBe(0);
  expect(port.transmit(pkt)).toBe(Drop.PortBusy);
  expect(port.count).toBe(2);
  expect(port.sent.splice(0)).toHaveLength(2);
  expect(port.transmit(pkt)).toBe(0);
  expect(port.count).toBe(3);
});

test('a port that is told what to say takes nothing; one that keeps nothing counts', () => {
  const port = new MemoryPort(options);
  const pkt = writeFrame(newPacket());
  port.says = Drop.PortDown;
  expect(port.transmit(pkt)).toBe(Drop.PortDown);
  expect([port.count, port.sent.length]).toEqual([0, 0]);
  port.says = 0;
  port.keeps = false;
  for (let i = 0; i < 5; i++) expect(port.transmit(pkt)).toBe(0);
  expect([port.count, port.sent.length]).toEqual([5, 0]);
});

test('the underlay keeps where to, and the outer TOS', () => {
  const underlay = new MemoryUnderlay(1);
  const pkt = writeFrame(newPacket());
  pkt.outerTos = 0xb8;
  expect(underlay.transmit(pkt, 7)).toBe(0);
  expect(underlay.sent).toMatchObject([{ bytes: buildFrame(), endpoint: 7, outerTos: 0xb8 }]);
  expect(underlay.transmit(pkt, 7)).toBe(Drop.UnderlayBusy);
  expect(underlay.count).toBe(1);
});
