/** Sightings as packets of a file: times, interfaces, directions, ids, comments, what was lost. */
import { describe, expect, test } from 'vitest';
import type { WrittenPacket } from '../../src/capture/pcapng-writer.ts';
import { SightingWriter, type SightingWriterOptions } from '../../src/capture/sighting-writer.ts';
import { verdictWords } from '../../src/capture/verdict-words.ts';
import type { CaptureScene } from '../../src/cluster/capture-scene.ts';
import { Drop, Place } from '../../src/packet/outcome.ts';
import { type Sighting, SightingBit } from '../../src/recording/sighting.ts';
import { CapturedWorld, UNDERLAY as UNDERLAY_HOP } from '../dataplane/captured-world.ts';
import { nodes } from '../dataplane/world.ts';
import { withRandom } from '../support/random.ts';
import { API, HOST, N2, scene, sightingOf, UNDERLAY, WEB } from './sightings.ts';

interface Written extends Omit<WrittenPacket, 'comment' | 'bytes' | 'at'> {
  readonly comment: string;
  readonly bytes: Uint8Array;
}

function writer(options: Partial<SightingWriterOptions> = {}) {
  const written: Written[] = [];
  const sink = {
    packet({ comment, bytes, at, ...rest }: WrittenPacket) {
      written.push({ ...rest, comment: new TextDecoder().decode(comment), bytes: bytes.slice(at, at + rest.len) });
    },
  };
  const usual = { sink, snapLen: 1 << 18, epochNs: 0n, interfaces: () => [0], wanted: () => true };
  return { written, writer: new SightingWriter({ ...usual, ...options }) };
}

function writtenOf(
  sighting: Sighting,
  options: Partial<SightingWriterOptions> = {},
  at: CaptureScene = scene,
): Written[] {
  const one = writer(options);
  one.writer.write(sighting, at);
  return one.written;
}

describe('times', () => {
  test('are of the calendar, to the nanosecond', () => {
    withRandom((random) => {
      for (let i = 0; i < 3000; i++) {
        const epochNs = 1_700_000_000_000_000_000n + BigInt(random.word()) * 1_000_003n + BigInt(random.word());
        const timeNs = random.word() * random.pick([1, 5, 1_000_000]) + random.below(1000);
        const to = { timeHigh: 0, timeLow: 0 };
        writer({ epochNs }).writer.setTime(to, timeNs);
        const all = epochNs + BigInt(timeNs);
        const wanted = [Number(all >> 32n), Number(all & 0xffff_ffffn)];
        if (to.timeHigh !== wanted[0] || to.timeLow !== wanted[1]) expect([to, epochNs, timeNs]).toEqual(wanted);
      }
    });
  });

  test('carry where the halves meet', () => {
    const to = { timeHigh: 0, timeLow: 0 };
    const { writer: one } = writer({ epochNs: (7n << 32n) | 0xffff_fffen });
    one.setTime(to, 1);
    expect(to).toEqual({ timeHigh: 7, timeLow: 0xffff_ffff });
    one.setTime(to, 2);
    expect(to).toEqual({ timeHigh: 8, timeLow: 0 });
    expect(writtenOf(sightingOf({ timeNs: 2 ** 32 + 5 }))).toMatchObject([{ timeHigh: 1, timeLow: 5 }]);
  });
});

test('a pod sends what goes out of its interface; on the underlay the node does', () => {
  const { Outgoing } = SightingBit;
  const outgoing = (hop: number, bits: number) => writtenOf(sightingOf({ hop, bits }))[0]!.outgoing;
  expect([WEB, HOST, N2, UNDERLAY].map((hop) => outgoing(hop, 0))).toEqual([true, true, false, false]);
  expect([WEB, HOST, N2, UNDERLAY].map((hop) => outgoing(hop, Outgoing))).toEqual([false, false, true, true]);
});

test('packet ids are one for a packet of a node, and another for any other', () => {
  const { writer: one, written } = writer();
  const other: CaptureScene = { ...scene, node: 'n2' };
  for (const [number, at] of [
    [1, scene],
    [1, other],
    [1, scene],
    [2, other],
    [-1, scene],
    [-1, other],
  ] as const) {
    one.write(sightingOf({ number }), at);
  }
  const ids = written.map(({ packetId }) => packetId);
  expect(ids[0]).toBe(ids[2]);
  expect(new Set(ids).size).toBe(5);
  expect(ids.every((id) => Number.isSafeInteger(id) && id > 0)).toBe(true);
});

describe('comments', () => {
  test('are the verdict, whatever was written before', () => {
    const { writer: one, written } = writer();
    const wanted: string[] = [];
    const { Outgoing, Originated, Partial } = SightingBit;
    for (let round = 0; round < 2; round++) {
      for (const outcome of [Place.Delivered, Place.Held, Drop.NoRoute, Drop.Invalid]) {
        for (const bits of [0, Outgoing, Outgoing | Originated, Partial]) {
          for (const [hop, ingress, egress] of [
            [WEB, WEB, API],
            [WEB, HOST, API],
            [WEB, WEB, N2],
            [API, WEB, API],
          ] as const) {
            for (const connection of [0, (1 << 31) | (6 << 17) | 1, (1 << 31) | (6 << 17) | 3]) {
              const sighting = sightingOf({ outcome, bits, hop, ingress, egress, connection });
              one.write(sighting, scene);
              wanted.push(verdictWords(scene, sighting));
            }
          }
        }
      }
    }
    expect(written.map(({ comment }) => comment)).toEqual(wanted);
  });

  test('of two nodes differ, and follow a scene that has changed', () => {
    const { writer: one, written } = writer();
    const later = { ...scene, hops: [{ ...scene.hops[0]!, name: 'pod/shop/new' }] };
    for (const at of [scene, { ...scene, node: 'n9' }, later, scene]) {
      one.write(sightingOf({ outcome: Place.Delivered, egress: N2 }), at);
    }
    expect(written.map(({ comment }) => comment.split(' | ')[0])).toEqual([
      ...['n1: from pod/shop/web', 'n9: from pod/shop/web', 'n1: from pod/shop/new', 'n1: from pod/shop/web'],
    ]);
  });

  test('of translated packets tell each its own', () => {
    const { writer: one, written } = writer();
    for (const port of [1, 2]) {
      const keys = new Int32Array(20);
      keys[8] = port;
      one.write(sightingOf({ bits: SightingBit.Translated, outcome: Place.Delivered, egress: N2, keys }), scene);
    }
    expect(written[0]!.comment).not.toBe(written[1]!.comment);
    expect(written[1]!.comment).toContain(':2');
  });
});

describe('a superframe in a tunnel', () => {
  function superframe(): Sighting {
    const one = new CapturedWorld();
    const tap = one.tap({ hops: [UNDERLAY_HOP] });
    one.world.send('web', { destination: nodes.n2.pod[0], payload: 500, gsoSize: 100 });
    const [seen] = tap.seen();
    return Object.assign(seen!.sighting, { lost: 9 });
  }

  test('is its wire packets on every interface, what was lost with the first of each', () => {
    const written = writtenOf(superframe(), { interfaces: () => [4, 7], snapLen: 110 });
    expect(written.map((one) => one.interface)).toEqual([...Array(5).fill(4), ...Array(5).fill(7)]);
    expect(written.map(({ dropped }) => dropped)).toEqual([9, 0, 0, 0, 0, 9, 0, 0, 0, 0]);
    expect(new Set(written.map(({ packetId, timeLow }) => `${packetId} ${timeLow}`)).size).toBe(1);
    expect(written.every(({ len, originalLen }) => len === 110 && originalLen === 204)).toBe(true);
    expect(Buffer.compare(written[0]!.bytes, written[5]!.bytes)).toBe(0);
  });

  test('ends when no more is wanted, and what comes next begins anew', () => {
    let left = 2;
    const { writer: one, written } = writer({ wanted: () => left-- > 0 });
    one.write(superframe(), scene);
    expect(written).toHaveLength(2);
    left = 100;
    one.write(sightingOf({ bytes: new Uint8Array(60), captured: 60, wireLen: 60 }), scene);
    expect(written).toHaveLength(3);
  });
});

test('no interface, no packet; the interfaces are asked for with the scene', () => {
  const asked: unknown[] = [];
  const interfaces = (...given: unknown[]) => {
    asked.push(given);
    return [];
  };
  const sighting = sightingOf({});
  expect(writtenOf(sighting, { interfaces })).toEqual([]);
  expect(asked).toEqual([[sighting, scene]]);
});
