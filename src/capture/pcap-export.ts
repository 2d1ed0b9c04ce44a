/**
 * Classic pcap files, with microseconds, for programs that read nothing else: small exports. They hold neither comments
 * nor names of interfaces, nor which interface a packet is of.
 *
 * Written by node-pcap-writer, the only use of that package. It was abandoned in 2015; what is done about it:
 * - it cuts off parts of microseconds, and with them a whole one in every second packet: half a microsecond is added.
 * - it takes a time of 0 for now: half a microsecond is not 0.
 * - it writes the captured length as the original length too: of a packet that was cut, its own `PacketHeader` is made with
 *   both lengths, and goes into its stream in the place of `writePacket`.
 * - it never cuts packets: that is done here.
 * - it keeps the packet's memory until it is written: it gets a copy.
 * - it queues without end: what does not fit the queue is refused and counted.
 * - it listens to no error: the stream's are listened to here.
 */
import { once } from 'node:events';
import type { WriteStream } from 'node:fs';
import { stat, truncate } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import type PcapWriter from 'node-pcap-writer';
import type PacketHeader from 'node-pcap-writer/lib/header/packethdr.js';
import { Refusal } from '../vessel/refusal.ts';
import { checkedTarget, DiskFull, isDiskFull, refusal } from './capture-file.ts';
import type { WrittenPacket } from './pcapng-writer.ts';
import { readCaptureFile } from './read-capture.ts';
import { CaptureError, LinkType, PACKET_BYTES_MAX } from './records.ts';

/** 2^32 nanoseconds, in microseconds and the rest. */
const HIGH_US = 4_294_967;
const HIGH_REST_NS = 296;
const NS_PER_US = 1000;
const US_PER_S = 1_000_000;
/** Bytes that wait to be written at most: some hundred thousand small packets, each two objects. */
const QUEUE_BYTES_MAX = 8 << 20;

/**
 * @param path a regular file, which is created or truncated, or a character device. Rejects with `Refusal` for what cannot
 *   be written, for a FIFO (opening it would hang) and for standard output.
 */
export async function openPcapExport(path: string): Promise<PcapExport> {
  if (path === '-') throw new Refusal('standard output gets pcapng only; name a file for a .pcap export');
  const target = checkedTarget(path);
  if (target?.isFIFO()) throw new Refusal(`${path}: a FIFO gets pcapng only; name a file for a .pcap export`);
  // Loaded by whoever exports: with the lodash of its day it is 400 KB of code.
  const [{ default: Writer }, { default: Header }] = await Promise.all([
    import('node-pcap-writer'),
    import('node-pcap-writer/lib/header/packethdr.js'),
  ]);
  const writer = new Writer(path, PACKET_BYTES_MAX, LinkType.Ethernet);
  try {
    await once(writer._fs, 'open');
  } catch (error) {
    throw refusal(path, error as NodeJS.ErrnoException);
  }
  return new PcapExport(path, target === undefined || target.isFile(), writer, Header);
}

export class PcapExport {
  /** Packets that were not written: they did not fit the queue, or came after an error or `close`. */
  lost = 0;
  readonly #path: string;
  readonly #isFile: boolean;
  readonly #writer: PcapWriter;
  readonly #stream: WriteStream;
  readonly #Header: typeof PacketHeader;
  /** Settles when the stream has ended: with the error that it ended by. */
  readonly #done: Promise<Error | undefined>;
  #error: Error | undefined;

  /** For `openPcapExport`. */
  constructor(path: string, isFile: boolean, writer: PcapWriter, Header: typeof PacketHeader) {
    this.#path = path;
    this.#isFile = isFile;
    this.#writer = writer;
    this.#stream = writer._fs;
    this.#Header = Header;
    this.#done = finished(this.#stream).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => this.#fail(error),
    );
  }

  /** Queues the packet. Throws `DiskFull` or `Refusal` when an earlier one could not be written. */
  packet(p: WrittenPacket): void {
    if (this.#error !== undefined) throw this.#error;
    if (!this.#stream.writable || this.#stream.writableLength > QUEUE_BYTES_MAX) {
      this.lost++;
      return;
    }
    const len = Math.min(p.len, PACKET_BYTES_MAX);
    const bytes = Buffer.from(p.bytes.subarray(p.at, p.at + len));
    const timeUs = microseconds(p.timeHigh, p.timeLow);
    if (p.originalLen === len) this.#writer.writePacket(bytes, timeUs + 0.5);
    else this.#writeCut(bytes, timeUs, p.originalLen);
  }

  /** Resolves when all is in the file; rejects with `DiskFull` or `Refusal`, the file cut behind its last whole packet. */
  async close(): Promise<void> {
    if (!this.#stream.writableEnded) this.#writer.close();
    const error = await this.#done;
    if (error !== undefined) throw error;
  }

  #writeCut(bytes: Buffer, timeUs: number, len: number): void {
    const fields = { tv_sec: Math.floor(timeUs / US_PER_S), tv_usec: timeUs % US_PER_S, caplen: bytes.length, len };
    this.#stream.write(new this.#Header(fields).toString(), 'hex');
    this.#stream.write(bytes);
  }

  async #fail(error: NodeJS.ErrnoException): Promise<Error> {
    // What fails in that, such as a file that is gone, is less than what failed before.
    const kept = this.#isFile ? await cutBehindWhole(this.#path).catch(() => 0) : 0;
    this.#error = isDiskFull(error) ? new DiskFull(this.#path, kept, error) : refusal(this.#path, error);
    return this.#error;
  }
}

/** Exact for all times that the format has: its seconds have 32 bits. */
function microseconds(timeHigh: number, timeLow: number): number {
  const high = timeHigh >>> 0;
  return high * HIGH_US + Math.floor((high * HIGH_REST_NS + (timeLow >>> 0)) / NS_PER_US);
}

/** Takes a part of a record at the file's end away. @returns the file's length then. */
async function cutBehindWhole(path: string): Promise<number> {
  try {
    for await (const _ of readCaptureFile(path));
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    await truncate(path, error.offset);
  }
  return (await stat(path)).size;
}
