import { describe, expect, test } from 'vitest';
import type { PacketRecord } from '../../src/capture/records.ts';
import { Replay } from '../../src/ports/replay.ts';
import { buildFrame, joined } from '../support/frames.ts';

/** 02:00:00:00:00:01 to 02:00:00:00:00:02, the MACs of `buildFrame`. */
const macs = { sourceHigh: 0x200, sourceLow: 1, destinationHigh: 0x200, destinationLow: 2 };
const ipv4 = buildFrame().slice(14);
const ipv6 = buildFrame({ source: 'fd00::1', destination: 'fd00::2' }).slice(14);
const frame4 = buildFrame();
const frame6 = buildFrame({ source: 'fd00::1', destination: 'fd00::2' });

interface Spec {
  readonly linkType?: number;
  readonly bytes?: Uint8Array;
  readonly originalLen?: number;
  readonly timeNs?: bigint | undefined;
  readonly fcsLen?: number;
  readonly flags?: number;
}

function record(spec: Spec): PacketRecord {
  const { linkType = 1, bytes = frame4, originalLen = bytes.length, fcsLen, flags } = spec;
  const from = {
    id: 0,
    section: 0,
    linkType,
    snapLen: 0,
    fcsLen,
    name: undefined,
    description: undefined,
    comments: [],
  };
  const timeNs = 'timeNs' in spec ? spec.timeNs : 0n;
  return {
    kind: 'packet',
    interface: from,
    timeNs,
    originalLen,
    bytes: bytes.slice(),
    comments: [],
    flags,
    options: [],
  };
}

function frameOf(spec: Spec): Uint8Array | undefined {
  return new Replay({ macs, speed: 1 }).next(record(spec))?.bytes;
}

const cooked1 = (type: number, device: number, address: readonly number[], protocol: number, payload: Uint8Array) =>
  joined(
    [0, type, device >> 8, device & 255, 0, address.length],
    padded8(address),
    [protocol >> 8, protocol & 255],
    payload,
  );
const cooked2 = (device: number, address: readonly number[], protocol: number, payload: Uint8Array) =>
  joined(
    [protocol >> 8, protocol & 255, 0, 0, 0, 0, 0, 3, device >> 8, device & 255, 0, address.length],
    ...[padded8(address), payload],
  );
const padded8 = (address: readonly number[]) => Uint8Array.from({ length: 8 }, (_, i) => address[i] ?? 0);
const sender = [2, 0, 0, 0, 0, 1];
const stranger = [0x0a, 0x58, 0xff, 0xf4, 1, 2];
const fromStranger = (frame: Uint8Array) => joined(frame.slice(0, 6), stranger, frame.slice(12));

describe('a packet becomes a frame', () => {
  test.each<[string, Spec, Uint8Array]>([
    ['Ethernet as it is', { linkType: 1 }, frame4],
    ['Ethernet less its FCS, as the interface says', { fcsLen: 4, bytes: joined(frame4, [1, 2, 3, 4]) }, frame4],
    ['Ethernet less its FCS, as its flags say', { flags: 4 << 5, bytes: joined(frame4, [1, 2, 3, 4]) }, frame4],
    [
      'Ethernet cut inside its FCS',
      { fcsLen: 4, bytes: joined(frame4, [1, 2]), originalLen: frame4.length + 4 },
      frame4,
    ],
    ['Ethernet cut before its FCS', { fcsLen: 4, bytes: frame4, originalLen: 999 }, frame4],
    ['raw IPv4', { linkType: 101, bytes: ipv4 }, frame4],
    ['raw IPv6', { linkType: 101, bytes: ipv6 }, frame6],
    ['IPv4', { linkType: 228, bytes: ipv4 }, frame4],
    ['IPv6', { linkType: 229, bytes: ipv6 }, frame6],
    ['null, little-endian', { linkType: 0, bytes: joined([2, 0, 0, 0], ipv4) }, frame4],
    ['null, big-endian', { linkType: 0, bytes: joined([0, 0, 0, 2], ipv4) }, frame4],
    ['null, IPv6 of Linux', { linkType: 0, bytes: joined([10, 0, 0, 0], ipv6) }, frame6],
    ['null, IPv6 of OpenBSD', { linkType: 0, bytes: joined([0, 0, 0, 24], ipv6) }, frame6],
    ['null, IPv6 of FreeBSD', { linkType: 0, bytes: joined([28, 0, 0, 0], ipv6) }, frame6],
    ['null, IPv6 of Darwin', { linkType: 0, bytes: joined([30, 0, 0, 0], ipv6) }, frame6],
    ['loop', { linkType: 108, bytes: joined([0, 0, 0, 2], ipv4) }, frame4],
    ['cooked', { linkType: 113, bytes: cooked1(0, 1, sender, 0x800, ipv4) }, frame4],
    ['cooked, without a MAC', { linkType: 113, bytes: cooked1(0, 65_534, [], 0x86dd, ipv6) }, frame6],
    ['cooked, from a stranger', { linkType: 113, bytes: cooked1(0, 1, stranger, 0x800, ipv4) }, fromStranger(frame4)],
    ['cooked v2', { linkType: 276, bytes: cooked2(1, sender, 0x86dd, ipv6) }, frame6],
    ['cooked v2, from a stranger', { linkType: 276, bytes: cooked2(1, stranger, 0x800, ipv4) }, fromStranger(frame4)],
    ['cooked v2, without a MAC', { linkType: 276, bytes: cooked2(772, [], 0x800, ipv4) }, frame4],
  ])('%s', (_, spec, frame) => {
    expect(frameOf(spec)).toEqual(frame);
  });

  test.each<[string, Spec]>([
    ['radiotap', { linkType: 127 }],
    ['raw of version 5', { linkType: 101, bytes: ipv4.with(0, 0x55) }],
    ['raw and empty', { linkType: 101, bytes: new Uint8Array() }],
    ['null of another family', { linkType: 0, bytes: joined([7, 0, 0, 0], ipv4) }],
    ['null and short', { linkType: 0, bytes: Uint8Array.of(2, 0, 0) }],
    ['loop, little-endian', { linkType: 108, bytes: joined([2, 0, 0, 0], ipv4) }],
    ['cooked LLC', { linkType: 113, bytes: cooked1(0, 1, sender, 4, ipv4) }],
    ['cooked and short', { linkType: 113, bytes: cooked1(0, 1, sender, 0x800, ipv4).slice(0, 15) }],
    ['cooked netlink', { linkType: 113, bytes: cooked1(0, 824, sender, 0x800, ipv4) }],
    ['cooked v2 GRE', { linkType: 276, bytes: cooked2(778, sender, 0x800, ipv4) }],
    ['cooked v2 and short', { linkType: 276, bytes: cooked2(1, sender, 0x800, ipv4).slice(0, 19) }],
  ])('or is counted: %s', (_, spec) => {
    const replay = new Replay({ macs, speed: 1 });
    expect(replay.next(record(spec))).toBeUndefined();
    expect(replay.next(record(spec))).toBeUndefined();
    expect([...replay.unconvertible]).toEqual([[spec.linkType, 2]]);
    expect(replay.frames).toBe(0);
  });

  test('or is too long', () => {
    const replay = new Replay({ macs, speed: 1 });
    expect(replay.next(record({ bytes: new Uint8Array(65_553) }))!.bytes).toHaveLength(65_553);
    expect(replay.next(record({ bytes: new Uint8Array(65_554) }))).toBeUndefined();
    expect(replay).toMatchObject({ frames: 1, tooLong: 1 });
  });

  test('and is marked when it was cut', () => {
    const replay = new Replay({ macs, speed: 1 });
    expect(replay.next(record({}))!.snapped).toBe(false);
    expect(replay.next(record({ originalLen: frame4.length + 1 }))!.snapped).toBe(true);
    expect(replay).toMatchObject({ frames: 2, snapped: 1 });
  });

  test('but not when nothing but its FCS was', () => {
    const snapped = (spec: Spec) => new Replay({ macs, speed: 1 }).next(record(spec))!.snapped;
    expect(snapped({ fcsLen: 4, originalLen: frame4.length + 4 })).toBe(false);
    expect(snapped({ fcsLen: 4, originalLen: frame4.length + 5 })).toBe(true);
    expect(snapped({ linkType: 101, bytes: ipv4, fcsLen: 4, originalLen: ipv4.length + 4 })).toBe(true);
  });
});

describe('time', () => {
  const times = [
    1_700_000_000_000_000_000n,
    1_700_000_000_500_000_000n,
    undefined,
    1_700_000_000_400_000_000n,
    1_700_000_002_000_000_001n,
  ];
  test.each([
    [1, [0, 500, 500, 500, 2000.000001]],
    [4, [0, 125, 125, 125, 500.00000025]],
    [Number.POSITIVE_INFINITY, [0, 0, 0, 0, 0]],
  ])('at speed %d', (speed, due) => {
    const replay = new Replay({ macs, speed });
    expect(times.map((timeNs) => replay.next(record({ timeNs }))!.dueMs)).toEqual(due);
    expect(replay.late).toBe(1);
  });

  test('of a file that has none', () => {
    const replay = new Replay({ macs, speed: 1 });
    expect(replay.next(record({ timeNs: undefined }))!.dueMs).toBe(0);
    expect(replay.next(record({ timeNs: 5_000_000n }))!.dueMs).toBe(0);
    expect(replay.next(record({ timeNs: 7_000_000n }))!.dueMs).toBe(2);
  });

  test.each([0, -1, Number.NaN])('a speed of %d is refused', (speed) => {
    expect(() => new Replay({ macs, speed })).toThrow(/above 0/);
  });
});
