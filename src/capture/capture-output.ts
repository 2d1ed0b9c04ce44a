/** Where a capture goes: pcapng with everything, classic pcap with packets alone, or lines on a terminal. */

import { type CaptureFile, openCaptureFile } from './capture-file.ts';
import type { Hop } from './hops.ts';
import { packetLine } from './packet-line.ts';
import { openPcapExport, type PcapExport } from './pcap-export.ts';
import type { InterfaceStatistics, NamedAddress, WrittenPacket } from './pcapng-writer.ts';
import { PcapngWriter } from './pcapng-writer.ts';
import type { PacketSink } from './sighting-writer.ts';

const decoder = new TextDecoder();

export interface CaptureOutput {
  readonly sink: PacketSink;
  /** The number of the interface of this name. */
  interfaceOf(hop: string): number | undefined;
  /** Writes what was gathered. May throw what `CaptureFile.write` throws. */
  flush(): void;
  /** Bytes that a slow reader has not taken yet; and when it has, or has gone. */
  readonly waiting: number;
  settled(): Promise<void>;
  /** Packets that were given to it and could not be written. */
  readonly lost: number;
  /** May throw what `flush` throws. */
  close(statistics: readonly InterfaceStatistics[]): Promise<void>;
}

/** @param path as `openCaptureFile` takes it; classic when it ends in `.pcap`; undefined for lines on standard output. */
export async function openCaptureOutput(
  path: string | undefined,
  hops: readonly Hop[],
  names: readonly NamedAddress[],
  signal?: AbortSignal,
): Promise<CaptureOutput> {
  if (path === undefined) return new LinesOutput(hops);
  if (isClassic(path)) return new PcapOutput(await openPcapExport(path), hops);
  return new PcapngOutput(await openCaptureFile(path, signal), hops, names);
}

export function isClassic(path: string | undefined): boolean {
  return path?.toLowerCase().endsWith('.pcap') === true;
}

class PcapngOutput implements CaptureOutput {
  readonly sink = new PcapngWriter({ application: 'podwire', system: 'Linux' });
  readonly #file: CaptureFile;
  readonly #interfaces: ReadonlyMap<string, number>;

  constructor(file: CaptureFile, hops: readonly Hop[], names: readonly NamedAddress[]) {
    this.#file = file;
    this.#interfaces = new Map(hops.map((hop) => [hop.name, this.sink.addInterface(hop)]));
    this.sink.addNames(names);
    this.flush();
  }

  interfaceOf(hop: string): number | undefined {
    return this.#interfaces.get(hop);
  }

  get waiting(): number {
    return this.#file.waiting;
  }

  get lost(): number {
    return 0;
  }

  settled(): Promise<void> {
    return this.#file.settled();
  }

  flush(): void {
    if (this.sink.length > 0) this.#file.write(this.sink.take());
  }

  async close(statistics: readonly InterfaceStatistics[]): Promise<void> {
    for (const one of statistics) this.sink.statistics(one);
    this.flush();
    await this.#file.settled();
    this.#file.close();
  }
}

class PcapOutput implements CaptureOutput {
  readonly sink: PcapExport;
  readonly #interfaces: ReadonlyMap<string, number>;

  constructor(sink: PcapExport, hops: readonly Hop[]) {
    this.sink = sink;
    this.#interfaces = new Map(hops.map(({ name }, i) => [name, i]));
  }

  interfaceOf(hop: string): number | undefined {
    return this.#interfaces.get(hop);
  }

  /** It has a bounded queue of its own. */
  get waiting(): number {
    return 0;
  }

  get lost(): number {
    return this.sink.lost;
  }

  async settled(): Promise<void> {}

  flush(): void {}

  close(): Promise<void> {
    return this.sink.close();
  }
}

/**
 * A line for each packet, as tcpdump has it: the time of day, the interface, the direction, the packet, and behind it
 * what became of it.
 */
class LinesOutput implements CaptureOutput {
  readonly waiting = 0;
  readonly lost = 0;
  readonly sink: PacketSink;
  readonly #hops: readonly Hop[];
  readonly #width: number;

  constructor(hops: readonly Hop[]) {
    this.#hops = hops;
    this.#width = Math.max(0, ...hops.map(({ name }) => name.length));
    this.sink = { packet: (packet) => this.#print(packet) };
  }

  interfaceOf(hop: string): number | undefined {
    const index = this.#hops.findIndex(({ name }) => name === hop);
    return index < 0 ? undefined : index;
  }

  flush(): void {}
  async settled(): Promise<void> {}
  async close(): Promise<void> {}

  #print({ interface: id, outgoing, bytes, at, len, originalLen, comment, timeHigh, timeLow }: WrittenPacket): void {
    const hop = this.#hops[id]!.name.padEnd(this.#width);
    const direction = outgoing ? 'Out' : 'In ';
    const [, ...verdict] = decoder.decode(comment).split(' | '); // the first part is the hop again
    const line = [packetLine(bytes, at, len, originalLen), ...verdict].join(' | ');
    process.stdout.write(`${timeOfDay(timeHigh, timeLow)} ${hop} ${direction} ${line}\n`);
  }
}

/** `10:00:00.000000`, local time. */
function timeOfDay(timeHigh: number, timeLow: number): string {
  const us = ((BigInt(timeHigh) << 32n) | BigInt(timeLow >>> 0)) / 1000n;
  const date = new Date(Number(us / 1000n));
  return `${date.toTimeString().slice(0, 8)}.${String(us % 1_000_000n).padStart(6, '0')}`;
}
