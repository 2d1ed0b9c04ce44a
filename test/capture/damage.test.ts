/** Every capture file cut anywhere, and with bytes changed: records, then at most a `CaptureError`; never anything else. */
import { expect, test } from 'vitest';
import { joined } from '../support/frames.ts';
import { type Random, withRandom } from '../support/random.ts';
import { missing } from '../support/requires.ts';
import { type Outcome, readBytes, Writer } from './build.ts';
import { corpusFiles } from './corpus.ts';

/** Longer files have the same few kinds of blocks, and take their time. */
const CORPUS_BYTES_MAX = 100_000;
const CUTS = 8;
const FLIPS = 8;

/** A little of everything. */
function built(w: Writer): Uint8Array[] {
  const bytes = Uint8Array.from({ length: 61 }, (_, i) => i);
  const options = [w.option(1, 'comment'), w.option(2, w.u32(1)), w.option(0)];
  const record = w.pcapRecord([1, 2, 61, 99], bytes);
  const clock = [w.option(2, 'eth0'), w.option(9, Uint8Array.of(9)), w.option(14, w.number(5n, 8)), w.option(0)];
  return [
    joined(w.pcapHeader(0xa1b2c3d4), record, record, record),
    joined(
      ...[w.section([w.option(1, 'section')]), w.interface(1, 61, clock)],
      ...[w.packet(0, 77n, bytes, options, 3), w.block(3, w.u32(61), bytes, new Uint8Array(3))],
      w.block(4, w.u16(1), w.u16(7), w.u32(1), w.u32(0x6161_6100), w.u32(0), w.option(1, 'x')),
      ...[w.block(5, w.u32(0), w.time(1n), w.option(4, w.number(7, 8))), w.block(10, w.u32(1), w.u32(1), w.u32(2))],
      ...[w.section(), w.interface(113), w.packet(0, 78n, bytes)],
    ),
  ];
}

function samples(): Uint8Array[] {
  const own = [true, false].flatMap((littleEndian) => built(new Writer(littleEndian)));
  if (missing('testdata') !== undefined) return own;
  return [...own, ...corpusFiles().flatMap(({ bytes }) => (bytes.length <= CORPUS_BYTES_MAX ? [bytes] : []))];
}

/** What holds of any bytes: no packet is made of more than there is. */
function sane({ packets, error }: Outcome, len: number): void {
  const bytes = packets.reduce((sum, packet) => sum + packet.bytes.length, 0);
  if (bytes > len) throw new Error(`${bytes} bytes of packets in a file of ${len}`);
  if (error !== undefined && !(error.offset >= 0 && error.offset <= len)) throw new Error(error.message);
}

function same(cut: Outcome, whole: Outcome): boolean {
  return cut.records.every((record, i) => {
    const other = whole.records[i]!;
    if (record.kind !== 'packet' || other.kind !== 'packet') return record.kind === other.kind;
    return record.timeNs === other.timeNs && Buffer.compare(record.bytes, other.bytes) === 0;
  });
}

/** Cuts in the headers of the file and of the last records, and anywhere. */
function cuts(random: Random, len: number): number[] {
  const anywhere = Array.from({ length: CUTS }, () => random.below(len));
  return [...anywhere, random.below(Math.min(len, 64)), len - 1, Math.max(0, len - 1 - random.below(40))];
}

async function withSeed(run: (random: Random) => Promise<void>): Promise<void> {
  let done = Promise.resolve();
  let seed = 0;
  withRandom((random) => {
    seed = random.seed;
    done = run(random);
  });
  await done.catch((error: Error) => {
    error.message += ` (repeat with PODWIRE_SEED=${seed})`;
    throw error;
  });
}

test(
  'a file that is cut has the records in front of the cut, and says where it ends',
  () =>
    withSeed(async (random) => {
      let said = 0;
      for (const bytes of samples()) {
        const whole = await readBytes(bytes);
        for (const len of cuts(random, bytes.length)) {
          const cut = await readBytes(bytes.subarray(0, len), random.pick([1000, 65_536]));
          sane(cut, len);
          expect(same(cut, whole)).toBe(true);
          if (cut.error !== undefined) said++;
          // Without a word only between two records: then one byte more is the beginning of one that is cut.
          else expect((await readBytes(bytes.subarray(0, len + 1))).records.length).toBe(cut.records.length);
        }
      }
      expect(said).toBeGreaterThan(20);
    }),
  120_000,
);

test('built files cut at every length', async () => {
  for (const bytes of [true, false].flatMap((littleEndian) => built(new Writer(littleEndian)))) {
    const whole = await readBytes(bytes);
    expect(whole.error).toBeUndefined();
    let last = 0;
    for (let len = 0; len <= bytes.length; len++) {
      const cut = await readBytes(bytes.subarray(0, len));
      sane(cut, len);
      expect(same(cut, whole)).toBe(true);
      expect(cut.records.length).toBeGreaterThanOrEqual(last);
      last = cut.records.length;
    }
    expect(last).toBe(whole.records.length);
  }
});

test(
  'a file with changed bytes ends, with what it has and at most a CaptureError',
  () =>
    withSeed(async (random) => {
      let said = 0;
      for (const original of samples()) {
        for (let i = 0; i < FLIPS; i++) {
          const bytes = original.slice();
          // Most of the interesting fields are in front.
          const range = random.once(2) ? bytes.length : Math.min(bytes.length, 200);
          for (let n = random.between(1, 6); n > 0; n--) {
            bytes[random.below(range)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
          }
          const outcome = await readBytes(bytes, random.pick([100, 65_536]));
          sane(outcome, bytes.length);
          if (outcome.error !== undefined) said++;
        }
      }
      expect(said).toBeGreaterThan(5);
    }),
  120_000,
);

test('the longest block costs no memory before it is there', async () => {
  const w = new Writer(true);
  const promise = joined(w.u32(6), w.u32(16 << 20));
  const before = process.memoryUsage().arrayBuffers;
  const files = await Promise.all(
    Array.from({ length: 50 }, () => readBytes(joined(w.section(), promise, new Uint8Array(100)))),
  );
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 << 18);
  for (const { error } of files) expect(error!.expected).toBe('16777216 bytes of block');
});
