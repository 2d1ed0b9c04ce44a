/** Classic pcap files by node-pcap-writer, and what is done about its faults. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { openPcapExport, type PcapExport } from '../../src/capture/pcap-export.ts';
import type { WrittenPacket } from '../../src/capture/pcapng-writer.ts';
import { missing } from '../support/requires.ts';
import { readBytes } from './build.ts';

const folder = mkdtempSync(join(tmpdir(), 'podwire-export-'));
const path = join(folder, 'out.pcap');
const run = (program: string, ...words: string[]) => execFileSync(program, words, { encoding: 'utf8', stdio: 'pipe' });
afterAll(() => rmSync(folder, { recursive: true }));

function packet(ns: bigint, bytes: Uint8Array, originalLen = bytes.length): WrittenPacket {
  const time = { timeHigh: Number(ns >> 32n), timeLow: Number(ns & 0xffff_ffffn) };
  const rest = { outgoing: false, packetId: 0, dropped: 0, comment: undefined };
  return { interface: 0, ...time, bytes, at: 0, len: bytes.length, originalLen, ...rest };
}

async function exported(packets: readonly WrittenPacket[]) {
  const file = await openPcapExport(path);
  for (const p of packets) file.packet(p);
  await file.close();
  expect(file.lost).toBe(0);
  const { packets: read, error } = await readBytes(readFileSync(path));
  expect(error).toBeUndefined();
  return read;
}

const anyPacket = fc.record({
  // Seconds of 32 bits.
  ns: fc.oneof(fc.bigInt({ min: 0n, max: 4_294_967_295_999_999_999n }), fc.bigInt({ min: 0n, max: 5000n })),
  bytes: fc.uint8Array({ maxLength: 200 }),
  cut: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 70_000 })),
});

test('any packets come back with their microsecond, bytes and original length', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyPacket, { maxLength: 300 }), async (packets) => {
      const read = await exported(packets.map(({ ns, bytes, cut }) => packet(ns, bytes, bytes.length + cut)));
      const words = packets.map(({ ns, bytes, cut }) => [(ns / 1000n) * 1000n, bytes.length + cut, Buffer.from(bytes)]);
      expect(read.map(({ timeNs, originalLen, bytes }) => [timeNs, originalLen, Buffer.from(bytes)])).toEqual(words);
    }),
    { numRuns: 30 },
  );
});

test('the memory of a packet may be used again at once, and its frame begin anywhere in it', async () => {
  const file = await openPcapExport(path);
  const p = { ...packet(1n, Uint8Array.of(0xa5, 1, 2, 3, 0xa5)), at: 1, len: 3, originalLen: 3 };
  file.packet(p);
  p.bytes.fill(9);
  file.packet(p);
  await file.close();
  const { packets } = await readBytes(readFileSync(path));
  expect(packets.map(({ bytes }) => [...bytes])).toEqual([
    [1, 2, 3],
    [9, 9, 9],
  ]);
});

test('a packet is cut at the snapshot length, and says how long it was', async () => {
  const [read] = await exported([packet(0n, new Uint8Array(262_200))]);
  expect([read!.bytes.length, read!.originalLen, read!.interface.snapLen]).toEqual([262_144, 262_200, 262_144]);
});

test('what does not fit the queue is refused and counted, the rest is written', async () => {
  const file = await openPcapExport(path);
  const p = packet(1n, new Uint8Array(60_000));
  // 60 MB without a turn of the event loop.
  for (let i = 0; i < 1000; i++) file.packet(p);
  expect(file.lost).toBeGreaterThan(800);
  const { lost } = file;
  await file.close();
  file.packet(p);
  expect(file.lost).toBe(lost + 1);
  expect((await readBytes(readFileSync(path))).packets).toHaveLength(1000 - lost);
});

describe('refused', () => {
  test.each([
    ['a missing folder', join(folder, 'no', 'x.pcap'), 'its folder is not there; make it'],
    ['a folder', folder, 'a directory'],
    ['standard output', '-', 'standard output gets pcapng only'],
  ])('%s', async (_, where, reason) => {
    const message = expect.stringContaining(reason);
    await expect(openPcapExport(where)).rejects.toMatchObject({ name: 'Refusal', message });
  });

  test('a FIFO, which would hang', async () => {
    const fifo = join(folder, 'fifo');
    run('mkfifo', fifo);
    await expect(openPcapExport(fifo)).rejects.toThrow(`${fifo}: a FIFO gets pcapng only`);
  });
});

/** Packets until it says no. */
async function until(file: PcapExport): Promise<unknown> {
  const p = packet(1n, new Uint8Array(1000));
  try {
    for (let i = 0; i < 100_000; i++) {
      file.packet(p);
      if (i % 10 === 0) await new Promise(setImmediate);
    }
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('a full disk', () => {
  test.skipIf(missing('linux'))('ends the next packet and the closing', async () => {
    const file = await openPcapExport('/dev/full');
    expect(await until(file)).toMatchObject({ name: 'DiskFull', path: '/dev/full', bytesKept: 0 });
    await expect(file.close()).rejects.toMatchObject({ name: 'DiskFull' });
  });

  test.skipIf(missing('root', 'vessel'))('leaves the whole packets that fit', async () => {
    const small = join(folder, 'small');
    mkdirSync(small);
    run('mount', '-t', 'tmpfs', '-o', 'size=200k', 'none', small);
    try {
      const full = join(small, 'x.pcap');
      const file = await openPcapExport(full);
      const error = await until(file);
      expect(error).toMatchObject({ name: 'DiskFull', path: full, bytesKept: statSync(full).size });
      await expect(file.close()).rejects.toBe(error);
      const { packets, error: damage } = await readBytes(readFileSync(full));
      expect(damage).toBeUndefined();
      expect(packets).toHaveLength(Math.floor((200 * 1024 - 24) / 1016));
    } finally {
      run('umount', '-l', small);
    }
  });
});

const programs = missing('program:tcpdump', 'program:capinfos');

test.skipIf(programs)(`tcpdump and capinfos read it (needs ${programs ?? 'nothing'})`, async () => {
  const frame = new Uint8Array(60);
  // The EtherType for local experiments: nothing to dissect.
  frame.set([0x88, 0xb5], 12);
  const times = [0n, 1n, 1_700_000_000_123_456_999n];
  await exported(times.map((ns) => packet(ns, frame, ns === 1n ? 1500 : 60)));
  const lines = run('tcpdump', '-tt', '-e', '-n', '-r', path).match(/^\d+\.\d+ .*length \d+/gm)!;
  expect(lines.map((line) => line.replace(/ .* /, ' '))).toEqual([
    '0.000000 60',
    '0.000000 1500',
    '1700000000.123456 60',
  ]);
  expect(run('capinfos', '-M', path)).toMatch(/Number of packets: +3$/m);
});
