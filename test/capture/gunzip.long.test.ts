import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../src/capture/read-capture.ts';
import { joined } from '../support/frames.ts';
import { Random } from '../support/random.ts';
import { readBytes, Writer } from './build.ts';

const w = new Writer(true);
const random = new Random(1);
const record = () => {
  const bytes = random.bytes(random.below(300));
  return w.pcapRecord([1, 1, bytes.length, bytes.length], bytes);
};
const header = w.pcapHeader(0xa1b2c3d4);
const records = Array.from({ length: 500 }, record);
const plain = joined(header, ...records);

describe('gzip', () => {
  test.each([
    [1, 20],
    [1000, 500],
    [100_000, 500],
  ])('is read in chunks of %i', async (chunk, count) => {
    const bytes = joined(header, ...records.slice(0, count));
    const { packets, error } = await readBytes(gzipSync(bytes), chunk);
    expect(error).toBeUndefined();
    expect(packets).toEqual((await readBytes(bytes)).packets);
  });

  test('in several members, and with zeros or garbage behind the last one', async () => {
    const half = plain.length >> 1;
    const members = joined(gzipSync(plain.slice(0, half)), gzipSync(plain.slice(half)));
    expect((await readBytes(members)).packets).toHaveLength(500);
    const padded = await readBytes(joined(members, new Uint8Array(5000)), 1024);
    expect(padded.packets).toHaveLength(500);
    expect(padded.error).toBeUndefined();
    const { packets, error } = await readBytes(joined(members, new TextEncoder().encode('garbage'.repeat(1000))));
    expect(packets.length).toBeGreaterThan(490);
    expect(error).toMatchObject({ expected: 'sound gzip data', found: 'incorrect header check' });
  });

  test('that is cut gives all there is, and says so, even where a record ends', async () => {
    const whole = gzipSync(plain);
    for (const cut of [1, 8, 9, 1000, whole.length >> 1, whole.length - 10, whole.length - 2]) {
      const { error, packets } = await readBytes(whole.subarray(0, whole.length - cut));
      expect(error, `${cut}`).toMatchObject({ file: 'x.pcap', expected: 'sound gzip data' });
      // The sums at the end are eight bytes: without them all data is there.
      if (cut <= 8) expect(packets, `${cut}`).toHaveLength(500);
      else expect(error!.offset).toBeGreaterThanOrEqual(packets.reduce((sum, { bytes }) => sum + 16 + bytes.length, 0));
    }
    // Random bytes do not compress: half of the file holds half of the packets.
    const { packets } = await readBytes(whole.subarray(0, whole.length >> 1));
    expect(packets.length).toBeGreaterThan(200);
    expect(packets.length).toBeLessThan(300);
  });

  test('that is wrong', async () => {
    const whole = gzipSync(plain);
    whole[whole.length - 6]! ^= 1; // the checksum
    const { error } = await readBytes(whole, 100);
    expect(error).toMatchObject({ expected: 'sound gzip data', found: 'incorrect data check' });
  });

  test('inside gzip is no capture file', async () => {
    expect((await readBytes(gzipSync(gzipSync(plain)))).error!.found).toContain('bytes 1f8b');
  });

  test('bomb: 128 MiB of one record after another pass in bounded memory', async () => {
    const packet = w.pcapRecord([0, 0, 65_536, 65_536], new Uint8Array(65_536));
    const bomb = async function* () {
      const zipped = gzipSync(joined(header));
      yield zipped;
      const row = gzipSync(joined(...Array<Uint8Array>(256).fill(packet)));
      for (let i = 0; i < 8; i++) yield row;
    };
    let count = 0;
    let most = 0;
    const before = process.memoryUsage().arrayBuffers;
    for await (const { kind } of readCapture(bomb(), 'bomb')) {
      if (kind === 'packet') count++;
      if (count % 256 === 0) most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(count).toBe(8 * 256);
    expect(most).toBeLessThan(64 << 20);
  });

  test('errors of the source are its own', async () => {
    const broken = async function* () {
      yield gzipSync(plain).subarray(0, 5000);
      throw new Error('disk on fire');
    };
    const read = async () => {
      for await (const _ of readCapture(broken(), 'x'));
    };
    await expect(read()).rejects.toThrow(/^disk on fire$/);
  });

  test('a reader that stops closes its source', async () => {
    let closed = false;
    const source = async function* () {
      try {
        for (;;) yield gzipSync(plain);
      } finally {
        closed = true;
      }
    };
    for await (const { kind } of readCapture(source(), 'x')) if (kind === 'packet') break;
    expect(closed).toBe(true);
  });
});
