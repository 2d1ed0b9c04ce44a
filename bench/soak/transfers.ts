/** The transfers of a cluster: receivers that stay, senders for each phase, and what both say. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { SoakCluster } from './cluster.ts';
import type { DatagramCounts, Said } from './messages.ts';

/** What listens in each pod: a stream, datagrams one by one, and datagrams in rows by UDP_GRO. */
const receivers = [
  { program: 'tcp', words: ['--port', '5001'] },
  { program: 'udp', words: ['--port', '5002'] },
  { program: 'udp', words: ['--port', '5004', '--gro'] },
] as const;
const ports = { tcp: '5001', udp: '5002,5004' } as const;
/** Of a phase's bytes; the rest goes as datagrams. */
const STREAM_SHARE = 0.9;
/** No byte in all this time: TCP itself may wait for a minute when much was lost. */
const STALL_MS = 100_000;
/** What was sent last may be on its way still. */
const ARRIVE_MS = 1500;

/** Of one kind, in one pod. */
interface Received {
  bytes: number;
  datagrams: DatagramCounts;
}

export interface Sent {
  readonly streamBytes: number;
  readonly connections: number;
  readonly datagramBytes: number;
  readonly datagrams: number;
}

export interface Verified extends DatagramCounts {
  readonly streamBytes: number;
  readonly datagramBytes: number;
}

export class Transfers {
  readonly #cluster: SoakCluster;
  /** Called at once with whatever must not be. */
  readonly #wrong: (what: string) => void;
  readonly #received = new Map<string, Received>();
  #changedMs = performance.now();
  #seed: number;

  constructor(cluster: SoakCluster, seed: number, wrong: (what: string) => void) {
    this.#cluster = cluster;
    this.#seed = seed;
    this.#wrong = wrong;
  }

  /** Starts the receivers; resolves when they listen. */
  async listen(): Promise<void> {
    const starting = ['a', 'b'].flatMap((pod) =>
      receivers.map(({ program, words }) => {
        const key = `${program} receiver in ${pod} ${words.join(' ')}`;
        this.#received.set(key, { bytes: 0, datagrams: { arrived: 0, repeated: 0, overtaken: 0, rows: 0 } });
        const child = this.#cluster.startProgram(pod, program, 'receive', ...words);
        return new Promise<void>((resolve, reject) => {
          child.once('exit', (code) => reject(new Error(`${key} ended with ${code}`)));
          this.#read(child, key, (said) => said.type === 'ready' && resolve());
        });
      }),
    );
    await Promise.all(starting);
  }

  /** @param to by sending pod: where it sends to. @param plant the first stream and the first datagrams are spoiled. */
  async send(bytes: number, to: Readonly<Record<string, Targets>>, copies: number, plant: boolean): Promise<Sent> {
    this.#changedMs = performance.now();
    const half = { tcp: Math.ceil((bytes * STREAM_SHARE) / 2), udp: Math.ceil((bytes * (1 - STREAM_SHARE)) / 2) };
    const sending = Object.entries(to).flatMap(([pod, targets], i) =>
      (['tcp', 'udp'] as const).map((program) => {
        const more = program === 'udp' ? ['--copies', String(copies)] : [];
        if (plant && i === 0) more.push('--plant');
        const what = ['--to', targets[program], '--port', ports[program], '--bytes', String(half[program])];
        const seed = ['--seed', String(this.#seed + 2 ** 20 * i)];
        return this.#sender(pod, program, [...what, ...seed, ...more]);
      }),
    );
    this.#seed += 2 ** 12;
    const all = await Promise.all(sending);
    await new Promise((resolve) => setTimeout(resolve, ARRIVE_MS));
    const sum = (of: (one: Ended) => number | undefined) => all.reduce((total, one) => total + (of(one) ?? 0), 0);
    return {
      streamBytes: sum((one) => (one.program === 'tcp' ? one.bytes : 0)),
      connections: sum((one) => one.connections),
      datagramBytes: sum((one) => (one.program === 'udp' ? one.bytes : 0)),
      datagrams: sum((one) => one.datagrams),
    };
  }

  /** Since the receivers began. */
  get verified(): Verified {
    const of = (program: string) => [...this.#received].flatMap(([key, one]) => (key.startsWith(program) ? [one] : []));
    const sum = (all: readonly Received[], what: (one: Received) => number) => all.reduce((t, one) => t + what(one), 0);
    const udp = of('udp');
    return {
      streamBytes: sum(of('tcp'), ({ bytes }) => bytes),
      datagramBytes: sum(udp, ({ bytes }) => bytes),
      arrived: sum(udp, ({ datagrams }) => datagrams.arrived),
      repeated: sum(udp, ({ datagrams }) => datagrams.repeated),
      overtaken: sum(udp, ({ datagrams }) => datagrams.overtaken),
      rows: sum(udp, ({ datagrams }) => datagrams.rows),
    };
  }

  #sender(pod: string, program: 'tcp' | 'udp', words: readonly string[]): Promise<Ended> {
    const child = this.#cluster.startProgram(pod, program, 'send', ...words);
    return new Promise((resolve, reject) => {
      let done: Ended | undefined;
      const watch = setInterval(() => {
        if (performance.now() - this.#changedMs < STALL_MS) return;
        this.#wrong(`no byte has arrived for ${STALL_MS / 1000} s; a ${program} sender in ${pod} is not done`);
        child.kill('SIGTERM');
      }, 1000);
      this.#read(child, `${program} sender in ${pod}`, (said) => {
        if (said.type === 'sent') done = { ...said, program };
      });
      child.once('close', (code) => {
        clearInterval(watch);
        if (done !== undefined) resolve(done);
        else reject(new Error(`the ${program} sender in ${pod} ended with ${code} and did not say that it was done`));
      });
    });
  }

  #read(child: ChildProcess, key: string, heard: (said: Said) => void): void {
    child.stderr!.setEncoding('utf8').on('data', (text: string) => process.stderr.write(`${key}: ${text}`));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const said = JSON.parse(line) as Said;
      if (said.type === 'wrong') this.#wrong(`${key}: ${said.what}`);
      const received = this.#received.get(key);
      if (said.type === 'verified' && received !== undefined) {
        if (said.bytes !== received.bytes) this.#changedMs = performance.now();
        received.bytes = said.bytes;
        received.datagrams = said.datagrams ?? received.datagrams;
      }
      heard(said);
    });
  }
}

export interface Targets {
  readonly tcp: string;
  readonly udp: string;
}

interface Ended {
  readonly program: 'tcp' | 'udp';
  readonly bytes: number;
  readonly datagrams?: number;
  readonly connections?: number;
}
