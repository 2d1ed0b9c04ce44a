/** A capture of a running cluster into one output, from its beginning to its last byte. */
import type { ApiClient } from '../api/client.ts';
import { epochNs, monotonicNs } from '../nodes/monotonic.ts';
import type { CaptureRequest } from '../nodes/protocol.ts';
import type { CaptureOutput } from './capture-output.ts';
import { CaptureSession } from './capture-session.ts';
import type { HopChoice } from './hops.ts';
import { SightingWriter } from './sighting-writer.ts';

/** Bytes that may wait for the reader of a pipe; then nodes keep what comes, and beyond that it is lost and counted. */
const WAITING_MAX = 16 << 20;

export interface ClusterCaptureOptions {
  readonly client: ApiClient;
  readonly choice: HopChoice;
  readonly output: CaptureOutput;
  readonly request: Omit<CaptureRequest, 'hops'>;
  /** End after so many. */
  readonly packets: number;
  /** Something a person should know. */
  readonly say: (message: string) => void;
}

export class ClusterCapture {
  readonly #options: ClusterCaptureOptions;
  readonly #session: CaptureSession;
  readonly #writer: SightingWriter;
  /** Packets written, by interface. */
  readonly #counts: number[] = [];
  #written = 0;
  #settling = false;

  constructor(options: ClusterCaptureOptions) {
    this.#options = options;
    const { client, choice, output, request, packets, say } = options;
    this.#session = new CaptureSession(client, {
      request: (scene) => {
        const hops = choice.waysOf(scene);
        return hops.length === 0 ? undefined : { ...request, hops };
      },
      sighting: (sighting, scene) => this.#writer.write(sighting, scene),
      flush: () => this.#flush(),
      begun: () => {
        if (request.live) say(`listening at ${choice.hops.length} hops; Ctrl-C ends`);
      },
      say,
    });
    this.#writer = new SightingWriter({
      sink: {
        packet: (packet) => {
          output.sink.packet(packet);
          this.#counts[packet.interface] = (this.#counts[packet.interface] ?? 0) + 1;
          if (++this.#written === packets) this.stop();
        },
      },
      snapLen: request.snapLen,
      epochNs: epochNs(),
      interfaces: (sighting, scene) =>
        choice.namesOf(sighting, scene).flatMap((name) => output.interfaceOf(name) ?? []),
      wanted: () => this.#written < packets,
      denials: this.#session.denials,
    });
  }

  /** Packets that are in the output. */
  get captured(): number {
    return this.#written - this.unwritten;
  }

  /** Packets that the output could not take. */
  get unwritten(): number {
    return this.#options.output.lost;
  }

  /** Sightings that nodes could not keep, by hop. */
  get losses(): ReadonlyMap<string, number> {
    return this.#session.losses;
  }

  /** Sightings that came after later ones were written. */
  get late(): number {
    return this.#session.late;
  }

  stop(): void {
    this.#session.setPaused(false);
    this.#session.stop();
  }

  /** Resolves when all is written that could be: with what went wrong, or undefined. */
  async run(nodes: readonly string[]): Promise<unknown> {
    let failure: unknown;
    try {
      await this.#session.run(nodes, this.#options.request.live);
    } catch (error) {
      failure = error;
    }
    try {
      await this.#options.output.close(this.#statistics());
    } catch (error) {
      failure ??= error;
    }
    return failure;
  }

  #flush(): void {
    const { output } = this.#options;
    output.flush();
    if (output.waiting > WAITING_MAX) this.#session.setPaused(true);
    if (output.waiting > 0 && !this.#settling) void this.#settle();
  }

  /** A slow reader: goes on when it has taken all, and ends when it has gone, also while nothing more comes. */
  async #settle(): Promise<void> {
    this.#settling = true;
    try {
      await this.#options.output.settled();
      this.#session.setPaused(false);
    } catch (error) {
      this.#session.fail(error as Error);
    }
    this.#settling = false;
  }

  #statistics() {
    const { choice, output } = this.#options;
    const time = { timeHigh: 0, timeLow: 0 };
    this.#writer.setTime(time, monotonicNs());
    return choice.hops.flatMap(({ name }) => {
      const id = output.interfaceOf(name);
      if (id === undefined) return [];
      return [{ ...time, interface: id, received: this.#counts[id] ?? 0, dropped: this.losses.get(name) ?? 0 }];
    });
  }
}
