/** Streams of several nodes, in any pieces, silent or not: what comes out is what sorting all of it would give. */
import { describe, expect, test } from 'vitest';
import { SightingMerge } from '../../src/capture/merge-sightings.ts';
import { SightingStream } from '../../src/capture/sighting-stream.ts';
import { noteSighting, SightingKind } from '../../src/recording/sighting.ts';
import { joined } from '../support/frames.ts';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';

const note = (timeNs: number, hop = 0) => noteSighting(SightingKind.Packet, timeNs, hop);
const quiet = (timeNs: number) => noteSighting(SightingKind.Quiet, timeNs);

function world(count: number) {
  const merge = new SightingMerge();
  const streams = Array.from({ length: count }, () => new SightingStream());
  for (const stream of streams) merge.add(stream);
  const taken: string[] = [];
  const drain = (rest = false) => {
    taken.length = 0;
    merge.drain(({ timeNs, hop }, stream) => {
      taken.push(`${streams.indexOf(stream)}:${timeNs}${hop === 0 ? '' : ` ${hop}`}`);
    }, rest);
    return [...taken];
  };
  return { merge, streams, drain };
}

describe('a sighting is handed on', () => {
  test('when no other node can tell of an older one', () => {
    const { streams, drain } = world(2);
    const [a, b] = streams as [SightingStream, SightingStream];
    a.push(joined(note(10), note(20), note(30)));
    expect(drain()).toEqual([]); // b may have something
    b.push(note(15));
    expect(drain()).toEqual(['0:10', '1:15']);
    b.push(quiet(20));
    expect(drain()).toEqual(['0:20']);
    b.push(quiet(29));
    expect(drain()).toEqual([]);
    b.push(quiet(35));
    expect(drain()).toEqual(['0:30']);
  });

  test('when it is ready, and nothing before it', () => {
    const { merge, streams } = world(2);
    const [a, b] = streams as [SightingStream, SightingStream];
    a.push(joined(note(10), note(30), quiet(99)));
    b.push(joined(note(20, 7), quiet(99)));
    for (const rest of [false, true]) {
      const taken: number[] = [];
      const ready = ({ hop }: { hop: number }) => hop !== 7 || rest;
      const take = ({ timeNs }: { timeNs: number }) => void taken.push(timeNs);
      expect(merge.drain(take, rest, ready)).toBe(!rest);
      expect(taken).toEqual(rest ? [20, 30] : [10]);
    }
  });

  test('also when the other one is over, silent or removed; all with rest', () => {
    for (const how of ['end', 'silent', 'remove', 'told', 'rest'] as const) {
      const { merge, streams, drain } = world(2);
      const [a, b] = streams as [SightingStream, SightingStream];
      b.push(quiet(5));
      a.push(note(10));
      expect(drain()).toEqual([]);
      if (how === 'end') b.end();
      if (how === 'silent') merge.setSilent(b, true);
      if (how === 'remove') merge.remove(b);
      if (how === 'told') b.push(noteSighting(SightingKind.End, 6));
      expect(drain(how === 'rest')).toEqual(['0:10']);
    }
  });

  test('one that speaks again is waited for; what it says late is counted', () => {
    const { merge, streams, drain } = world(2);
    const [a, b] = streams as [SightingStream, SightingStream];
    merge.setSilent(b, true);
    a.push(joined(note(10), note(20)));
    expect(drain()).toEqual(['0:10', '0:20']);
    merge.setSilent(b, false);
    a.push(note(30));
    expect(drain()).toEqual([]);
    b.push(joined(note(12), note(20), note(25)));
    expect(drain()).toEqual(['1:12', '1:20', '1:25']);
    expect(merge.late).toBe(1);
    b.push(quiet(99));
    expect(drain()).toEqual(['0:30']);
    expect(merge.late).toBe(1);
  });

  test('removing twice, or what was never there, takes nothing else away', () => {
    const { merge, streams, drain } = world(2);
    const [a, b] = streams as [SightingStream, SightingStream];
    merge.remove(b);
    merge.remove(b);
    merge.remove(new SightingStream());
    a.push(note(1));
    expect(drain()).toEqual(['0:1']);
  });

  test('a stream that comes later is waited for from then on', () => {
    const { merge, streams, drain } = world(1);
    streams[0]!.push(note(1));
    expect(drain()).toEqual(['0:1']);
    merge.add(new SightingStream());
    streams[0]!.push(note(2));
    expect(drain()).toEqual([]);
  });
});

interface Source {
  readonly stream: SightingStream;
  readonly bytes: Uint8Array;
  readonly number: number;
  at: number;
}

/** A node's stream: its sightings in order, with quiet times and skipped room in between. */
function source(random: Random, number: number, all: string[]): Source {
  const parts: Uint8Array[] = [];
  let timeNs = 1e12;
  for (let i = random.below(200); i > 0; i--) {
    timeNs += random.below(20);
    const kind = random.below(6);
    if (kind === 0) parts.push(quiet(timeNs));
    else if (kind === 1) parts.push(Uint8Array.from([16, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9]));
    else {
      parts.push(note(timeNs, i));
      all.push(`${timeNs} ${number} ${i}`);
    }
  }
  if (random.once(2)) parts.push(noteSighting(SightingKind.End, timeNs));
  return { stream: new SightingStream(), bytes: joined(...parts), number, at: 0 };
}

const timeOf = (text: string) => Number(text.split(' ')[0]);

test('random streams in random pieces come out in order of time, and nothing is lost', () => {
  withRandom((random) => {
    for (let round = 0; round < PACKETS / 500; round++) {
      const all: string[] = [];
      const sources = Array.from({ length: random.between(1, 5) }, (_, i) => source(random, i, all));
      const merge = new SightingMerge();
      const taken: string[] = [];
      for (const { stream } of sources) merge.add(stream);
      const numberOf = new Map(sources.map(({ stream, number }) => [stream, number]));
      const take = () =>
        merge.drain(({ timeNs, hop }, stream) => void taken.push(`${timeNs} ${numberOf.get(stream)} ${hop}`));
      const open = [...sources];
      while (open.length > 0) {
        const one = random.pick(open);
        const size = random.pick([1, 3, 8, 72, 100, 1000]);
        one.stream.push(one.bytes.subarray(one.at, one.at + size));
        one.at += size;
        take();
        if (one.at >= one.bytes.length) {
          one.stream.end();
          open.splice(open.indexOf(one), 1);
          take();
        }
      }
      expect(merge.late).toBe(0);
      expect(taken.map(timeOf)).toEqual(all.map(timeOf).sort((a, b) => a - b));
      expect([...taken].sort()).toEqual([...all].sort());
      for (const { number } of sources) {
        const own = (text: string) => text.split(' ')[1] === `${number}`;
        expect(taken.filter(own)).toEqual(all.filter(own));
      }
    }
  });
});

test('with silent streams nothing is lost, and late is how many came behind a later one', () => {
  withRandom((random) => {
    let late = 0;
    for (let round = 0; round < PACKETS / 1000; round++) {
      const all: string[] = [];
      const sources = Array.from({ length: 3 }, (_, i) => source(random, i, all));
      const merge = new SightingMerge();
      for (const { stream } of sources) merge.add(stream);
      const times: number[] = [];
      const take = (rest = false) => merge.drain(({ timeNs }) => void times.push(timeNs), rest);
      while (sources.some(({ at, bytes }) => at < bytes.length)) {
        const one = random.pick(sources);
        merge.setSilent(one.stream, random.once(2));
        const size = random.between(1, 400);
        one.stream.push(one.bytes.subarray(one.at, one.at + size));
        one.at += size;
        take();
      }
      take(true);
      expect(times.length).toBe(all.length);
      let behind = 0;
      let last = 0;
      for (const timeNs of times) {
        if (timeNs < last) behind++;
        last = Math.max(last, timeNs);
      }
      expect(merge.late).toBe(behind);
      late += behind;
    }
    expect(late).toBeGreaterThan(0);
  });
});
