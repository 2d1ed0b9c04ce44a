/** What happens to flows in a running cluster, with the flags of `hubble observe`. */
import { ApiClient } from '../api/client.ts';
import { CaptureSession } from '../capture/capture-session.ts';
import { Verdicts } from '../dataplane/capture.ts';
import { FlowNames } from '../events/flow-names.ts';
import { flowRecord } from '../events/flow-record.ts';
import { harmless } from '../events/flow-text.ts';
import { LossTeller } from '../events/loss-teller.ts';
import { RecentRecords } from '../events/recent-records.ts';
import { epochNs, monotonicNs } from '../nodes/monotonic.ts';
import type { CaptureRequest } from '../nodes/protocol.ts';
import { kinds } from '../store/resources.ts';
import { clusterName } from './arguments.ts';
import { readFilter } from './filter.ts';
import { type ObserveOrder, observeUsage, readObserve } from './observe-arguments.ts';
import { FlowWriter } from './observe-output.ts';

export const usage = observeUsage;

/** Outer headers, and inner ones with options. */
const SNAP_LEN = 128;
/** Room for all that a flight recorder holds: it tells it at once. */
const RING_BYTES = 1 << 21;
/** With -f, how long the past may take before it is shown without waiting for something new. */
const PAST_MS = 500;

export async function run(argv: readonly string[]): Promise<number> {
  const terminal = process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === '';
  const order = readObserve(argv, Date.now(), terminal);
  const filter = await readFilter(order.expression);
  const client = new ApiClient(clusterName(order.cluster));
  const { items: nodes } = await client.list(kinds.Node);
  const { items: pods } = await client.list(kinds.Pod);
  const { span, onlyDrops } = order;
  const request: Omit<CaptureRequest, 'hops'> = {
    snapLen: SNAP_LEN,
    verdicts: onlyDrops ? Verdicts.Dropped : Verdicts.Events,
    noise: false,
    filter,
    ringBytes: RING_BYTES,
    lastMs: span.lastMs,
    live: span.follow,
  };
  return await new Observer(client, order, new FlowNames(nodes, pods), request).run(
    nodes.map(({ metadata }) => metadata.name),
  );
}

class Observer {
  readonly #order: ObserveOrder;
  readonly #names: FlowNames;
  readonly #session: CaptureSession;
  readonly #writer: FlowWriter;
  readonly #past: RecentRecords;
  /** What is to be added to a sighting's time for nanoseconds since 1970. */
  readonly #epochNs = epochNs();
  readonly #startNs = monotonicNs();
  readonly #losses = new LossTeller((line) => void process.stderr.write(line));
  #failed: Error | undefined;

  constructor(client: ApiClient, order: ObserveOrder, names: FlowNames, request: Omit<CaptureRequest, 'hops'>) {
    this.#order = order;
    this.#names = names;
    this.#past = new RecentRecords(order.span.count, order.span.end);
    this.#writer = new FlowWriter(order.format, order.text, (text) => void process.stdout.write(text));
    this.#session = new CaptureSession(client, {
      request: (scene) => {
        names.learn(scene);
        return { ...request, hops: scene.hops.map(({ way }) => way) };
      },
      sighting: (...seen) => this.#take(...seen),
      begun: () => {},
      flush: () => {
        this.#writer.flush();
        this.#losses.tell(this.#session.losses, performance.now(), false);
      },
      say,
    });
  }

  async run(nodes: readonly string[]): Promise<number> {
    const { follow } = this.#order.span;
    const stop = () => this.#session.stop();
    process.once('SIGINT', stop).once('SIGTERM', stop);
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      this.#failed = error;
      stop();
    });
    const timer = setTimeout(() => this.#showPast(), PAST_MS);
    if (!follow) clearTimeout(timer);
    await this.#session.run(nodes, follow);
    clearTimeout(timer);
    if (this.#failed === undefined) {
      for (const record of this.#past.take()) this.#writer.write(record);
      this.#writer.end();
    }
    const { late, losses } = this.#session;
    this.#losses.tell(losses, performance.now(), true);
    if (late > 0) say(`${late} events came late and are out of order`);
    return this.#end();
  }

  #take(sighting: Parameters<typeof flowRecord>[0], scene: Parameters<typeof flowRecord>[1]): void {
    const { span, wanted } = this.#order;
    const timeNs = BigInt(Math.round(sighting.timeNs)) + this.#epochNs;
    if (timeNs < span.sinceNs || (span.untilNs !== undefined && timeNs > span.untilNs)) return;
    const denial = this.#session.denials.explain(sighting);
    const record = flowRecord(sighting, scene, this.#names, this.#epochNs, denial);
    if (!wanted(record)) return;
    if (!span.follow || sighting.timeNs < this.#startNs) {
      this.#past.add(record);
      return;
    }
    this.#writePast();
    this.#writer.write(record);
  }

  #showPast(): void {
    this.#writePast();
    this.#writer.flush();
  }

  #writePast(): void {
    for (const record of this.#past.take()) this.#writer.write(record);
  }

  /** A reader that has read enough is no failure. */
  #end(): number {
    if (this.#failed === undefined || (this.#failed as NodeJS.ErrnoException).code === 'EPIPE') return 0;
    say(`standard output: ${this.#failed.message}`);
    return 1;
  }
}

function say(message: string): void {
  process.stderr.write(`podwire observe: ${harmless(message)}\n`);
}
