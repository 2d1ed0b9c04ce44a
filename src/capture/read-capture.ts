/** Any capture file: says by its first bytes what it is, and has it read. */
import { createReadStream } from 'node:fs';
import { ByteQueue } from './byte-queue.ts';
import { pieces, unpacked } from './gunzip.ts';
import { beginsAsPcap, PcapReader } from './pcap.ts';
import { beginsAsPcapng, PcapngReader } from './pcapng.ts';
import type { CaptureReader, CaptureRecord } from './records.ts';

const MAGIC_LEN = 4;
/** Bytes that are queued at once: a caller may hand in a whole file as one chunk. */
const PIECE_BYTES = 65_536;

/** The records of a file. Throws `CaptureError`, or what reading the file throws. */
export function readCaptureFile(path: string): AsyncGenerator<CaptureRecord> {
  return readCapture(createReadStream(path, { highWaterMark: PIECE_BYTES }), path);
}

/**
 * The records of pcap or pcapng bytes, perhaps compressed with gzip, that come in chunks of any size.
 *
 * @param file its name, for messages. Throws `CaptureError` after the last record that is whole.
 */
export async function* readCapture(chunks: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<CaptureRecord> {
  const queue = new ByteQueue(file);
  let reader: CaptureReader | undefined;
  for await (const piece of pieces(unpacked(chunks, file), PIECE_BYTES)) {
    queue.push(piece);
    reader ??= readerFor(queue);
    for (let record = reader?.next(); record !== undefined; record = reader?.next()) yield record;
  }
  queue.finish();
  if (reader === undefined) throw queue.damage(0, 'a capture file', 'an empty one');
}

/** Undefined while the magic number is not complete. */
function readerFor(queue: ByteQueue): CaptureReader | undefined {
  if (!queue.has(MAGIC_LEN, 'magic number')) return undefined;
  if (beginsAsPcapng(queue)) return new PcapngReader(queue);
  if (beginsAsPcap(queue)) return new PcapReader(queue);
  const found = Buffer.from(queue.slice(0, MAGIC_LEN)).toString('hex');
  throw queue.damage(0, 'the magic number of pcap, pcapng or gzip', `bytes ${found}`);
}
