import { describe, expect, test } from 'vitest';
import { ChecksumState } from '../../src/packet/packet.ts';
import { validate } from '../../src/packet/validate.ts';
import {
  readTunnelVirtioHeader,
  Tunnelled,
  writeRowVirtioHeader,
  writeTunnelVirtioHeader,
} from '../../src/ports/virtio-header.ts';
import { VNET_TUNNEL_HEADER_LEN } from '../../src/wire/virtio.ts';
import { newPacket, writeFrame } from '../support/frames.ts';

/** Outer Ethernet, IPv4 and UDP; with VXLAN. */
const OUTER_L4 = 34;
const INNER = 50;
const pkt = newPacket();
const frameAt = pkt.at;

/** Reads a header of these fields in front of `pkt`. */
function read(flags: number, type: number, size: number, start: number, offset: number): number {
  const at = frameAt - VNET_TUNNEL_HEADER_LEN;
  const header = [flags, type, 0, 0, size & 255, size >> 8, start & 255, start >> 8, offset & 255, offset >> 8];
  pkt.arena.bytes.set(header, at);
  return readTunnelVirtioHeader(pkt, at, INNER);
}

describe('what comes through a tunnel (linux/virtio_net.h)', () => {
  test('a superframe inside: segment size and checksum are the inner packet’s, counted from its first byte', () => {
    expect(read(9, 0x21, 1398, INNER + 34, 16)).toBe(Tunnelled.Whole);
    expect(pkt).toMatchObject({ gsoSize: 1398, checksum: ChecksumState.Partial, partialStart: 34, partialOffset: 16 });
  });

  test('an unfinished inner checksum alone', () => {
    expect(read(1, 0, 0, INNER + 34, 6)).toBe(Tunnelled.Whole);
    expect(pkt).toMatchObject({ gsoSize: 0, checksum: ChecksumState.Partial, partialStart: 34, partialOffset: 6 });
  });

  test('an unfinished outer checksum says nothing of the inner one', () => {
    expect(read(1, 0, 0, OUTER_L4, 6)).toBe(Tunnelled.Whole);
    expect(pkt.checksum).toBe(ChecksumState.Unverified);
  });

  test('a row of datagrams, and what no VXLAN sender makes', () => {
    expect(read(1, 5, 1408, OUTER_L4, 6)).toBe(Tunnelled.Row);
    expect(pkt.gsoSize).toBe(1408);
    expect(read(1, 1, 1408, OUTER_L4, 16)).toBe(Tunnelled.Other);
  });
});

test('what is written is what the kernel’s header for tunnels asks for', () => {
  for (const [source, type, start] of [
    ['10.1.0.2', 0x21, 84],
    ['fd00::2', 0x24, 104],
  ] as const) {
    pkt.at = frameAt;
    writeFrame(pkt, { source, destination: source.replace('2', '3'), payload: 5000, gsoSize: 1390 });
    validate(pkt);
    pkt.at -= INNER;
    writeTunnelVirtioHeader(pkt, pkt.at - VNET_TUNNEL_HEADER_LEN, OUTER_L4);
    const view = new DataView(pkt.arena.buffer, pkt.at - VNET_TUNNEL_HEADER_LEN, VNET_TUNNEL_HEADER_LEN);
    const words = [2, 4, 6, 8, 20, 22].map((at) => view.getUint16(at, true));
    expect([view.getUint8(0), view.getUint8(1)]).toEqual([1, type]);
    expect(words).toEqual([start + 20, 1390, start, 16, OUTER_L4, INNER + 14]);
  }
});

test('a row is written as it is read', () => {
  const at = frameAt - VNET_TUNNEL_HEADER_LEN;
  pkt.arena.bytes.fill(0xa5, at, frameAt);
  writeRowVirtioHeader(pkt.view, at, OUTER_L4, 108);
  expect(readTunnelVirtioHeader(pkt, at, INNER)).toBe(Tunnelled.Row);
  expect(pkt.gsoSize).toBe(108);
  expect(Buffer.from(pkt.arena.bytes.slice(at, frameAt)).toString('hex')).toBe(
    '01052a006c00220006000000000000000000000000000000'.slice(0, 48),
  );
});
