/** Where a capture goes: pcapng with everything, or classic pcap with packets alone. */

import { type CaptureFile, openCaptureFile } from './capture-file.ts';
import type { Hop } from './hops.ts';
import { openPcapExport, type PcapExport } from './pcap-export.ts';
import type { InterfaceStatistics, NamedAddress } from './pcapng-writer.ts';
import { PcapngWriter } from './pcapng-writer.ts';
import type { PacketSink } from './sighting-writer.ts';

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

/** @param path as `openCaptureFile` takes it; classic when it ends in `.pcap`. */
export async function openCaptureOutput(
  path: string,
  hops: readonly Hop[],
  names: readonly NamedAddress[],
  signal?: AbortSignal,
): Promise<CaptureOutput> {
  if (isClassic(path)) return new PcapOutput(await openPcapExport(path), hops);
  return new PcapngOutput(await openCaptureFile(path, signal), hops, names);
}

export function isClassic(path: string): boolean {
  return path.toLowerCase().endsWith('.pcap');
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
