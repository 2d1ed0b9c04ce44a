/** Plays a scenario in a world, and compares. The same for every kind of world. */
import { type Connection, listConnections } from '../../src/api/connections.ts';
import type { Cluster, RunningNode } from '../../src/cluster/cluster.ts';
import type { CounterSnapshot } from '../../src/dataplane/counters.ts';
import type { LinkSettings } from '../../src/links/link.ts';
import type { ConnectionSnapshot } from '../../src/nodes/protocol.ts';
import type { SimPlace } from '../../src/sim/simulation.ts';
import type { Scenario, Step, WantedConnection } from './scenario.ts';
import { differences, plainFrame, summary, toTapBytes } from './wire-frame.ts';
import { FlowError } from './words.ts';

/** A VXLAN packet on the underlay. */
export interface WirePacket {
  readonly from: string;
  readonly to: string;
  readonly tos: number;
  /** From the VXLAN header on. */
  readonly datagram: Uint8Array;
}

/** A running cluster that a script plays with. Bytes at ports are those of a TAP. */
export interface FlowWorld {
  send(at: SimPlace, bytes: Uint8Array): void;
  inject(from: string, to: string, datagram: Uint8Array): Promise<void>;
  setLink(from: string, to: string, settings: LinkSettings): Promise<void>;
  advance(ms: number): Promise<void>;
  /** Resolves when nothing goes on any more. */
  settle(): Promise<void>;
  /** What came out and nobody has taken yet, oldest first. */
  portOutput(at: SimPlace): Uint8Array[];
  readonly wireOutput: WirePacket[];
  counters(node: string): Promise<CounterSnapshot>;
  connections(node: string): Promise<ConnectionSnapshot>;
  close(): Promise<void>;
}

/** A real world's answer may need a moment; a simulated one is settled at once. */
const PATIENCE_MS = 2000;
/** Entries' remaining time is compared this roughly: real clocks run on. */
const LEFT_TOLERANCE_S = 2;

/** @throws FlowError at the first line that is not as it says. */
export async function playScenario(scenario: Scenario, world: FlowWorld): Promise<void> {
  const player = new Player(scenario, world);
  let last: Step | undefined;
  for (const step of scenario.steps) {
    if (['send', 'inject', 'advance', 'link'].includes(step.type)) await player.expectNothingMore(last ?? step);
    await player.play(step);
    last = step;
  }
  await player.expectNothingMore(last!);
  await player.expectBalance();
}

class Player {
  readonly #scenario: Scenario;
  readonly #world: FlowWorld;
  /** `node reason` → how many the scenario has expected so far. */
  readonly #drops = new Map<string, number>();

  constructor(scenario: Scenario, world: FlowWorld) {
    this.#scenario = scenario;
    this.#world = world;
  }

  async play(step: Step): Promise<void> {
    const world = this.#world;
    switch (step.type) {
      case 'send':
        world.send(step.at, toTapBytes(step.frame));
        return world.settle();
      case 'inject':
        await world.inject(step.from, step.to, step.datagram);
        return world.settle();
      case 'advance':
        await world.advance(step.ms);
        return world.settle();
      case 'link':
        return world.setLink(step.from, step.to, step.settings);
      case 'receive':
        return this.#receive(step);
      case 'wire':
        return this.#wire(step);
      case 'drop': {
        const key = `${step.node} ${step.reason}`;
        const wanted = (this.#drops.get(key) ?? 0) + step.count;
        this.#drops.set(key, wanted);
        return this.#expectCounts(step, step.node, [[step.reason, wanted]]);
      }
      case 'count':
        return this.#expectCounts(step, step.node, step.counts);
      case 'connection':
        return this.#expectConnection(step, step.node, step.wanted);
      case 'entries':
        return this.#eventually(step, async () => {
          const entries = await this.#connections(step.node);
          if (entries.length === step.count) return undefined;
          return `found ${entries.length} entries:\n${entries.map(formatConnection).join('\n')}`;
        });
    }
  }

  /** Outputs and drops that no line has expected. */
  async expectNothingMore(after: Step): Promise<void> {
    const { places } = this.#scenario.cluster;
    const extra = [...places.values()].flatMap((at) =>
      this.#world.portOutput(at).map((bytes) => `${at.name} < ${summary(bytes)}`),
    );
    for (const packet of this.#world.wireOutput) extra.push(`wire = ${wireSummary(packet)}`);
    for (const { name } of this.#scenario.cluster.topology.nodes) {
      const { dropped } = await this.#world.counters(name);
      for (const [reason, count] of Object.entries(dropped)) {
        const more = count - (this.#drops.get(`${name} ${reason}`) ?? 0);
        if (more !== 0) extra.push(`drop ${name} ${reason} ${more}`);
      }
    }
    if (extra.length > 0) this.#fail(after, `after this line nobody expected\n${extra.join('\n')}`);
  }

  /** Nothing vanishes, in no node. */
  async expectBalance(): Promise<void> {
    const last = this.#scenario.steps.at(-1)!;
    for (const { name } of this.#scenario.cluster.topology.nodes) {
      const { received, originated, copied, split, delivered, held, dropped, consumed, violations } =
        await this.#world.counters(name);
      const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((a, b) => a + b, 0);
      const difference = received + originated + copied + split - delivered - held - sum(dropped) - sum(consumed);
      if (difference !== 0 || violations !== 0) this.#fail(last, `${name} has lost ${difference} packets`);
    }
  }

  #receive(step: Step & { type: 'receive' }): Promise<void> {
    return this.#eventually(step, async () => {
      const found = this.#world.portOutput(step.at);
      if (found.length === 0) return 'found nothing';
      const lines = differences(found.shift()!, step.frame);
      if (lines.length > 0) this.#fail(step, lines.join('\n'));
      return undefined;
    });
  }

  #wire(step: Step & { type: 'wire' }): Promise<void> {
    return this.#eventually(step, async () => {
      const found = this.#world.wireOutput.shift();
      if (found === undefined) return 'found nothing';
      const lines = [];
      if (found.from !== step.from || found.to !== step.to) lines.push(`found ${wireSummary(found)}`);
      if (found.tos !== step.tos) lines.push(`outer tos: found ${found.tos}, expected ${step.tos}`);
      const header = (datagram: Uint8Array) => Buffer.from(datagram.subarray(0, 8)).toString('hex');
      const vxlan = [header(found.datagram), header(step.datagram)];
      if (vxlan[0] !== vxlan[1]) lines.push(`VXLAN header: found ${vxlan[0]}, expected ${vxlan[1]}`);
      const inner = toTapBytes(plainFrame(found.datagram.subarray(8)));
      lines.push(...differences(inner, plainFrame(step.datagram.subarray(8))));
      if (lines.length > 0) this.#fail(step, lines.join('\n'));
      return undefined;
    });
  }

  #expectCounts(step: Step, node: string, counts: readonly (readonly [string, number])[]): Promise<void> {
    return this.#eventually(step, async () => {
      const { dropped, consumed, ...terms } = await this.#world.counters(node);
      const all: Readonly<Record<string, number>> = { ...terms, ...dropped, ...consumed };
      const wrong = counts.filter(([name, value]) => (all[name] ?? 0) !== value);
      if (wrong.length === 0) return undefined;
      return wrong.map(([name, value]) => `${name}: found ${all[name] ?? 0}, expected ${value}`).join('\n');
    });
  }

  #expectConnection(step: Step, node: string, wanted: WantedConnection): Promise<void> {
    return this.#eventually(step, async () => {
      const entries = await this.#connections(node);
      if (entries.some((entry) => matches(entry, wanted))) return undefined;
      return `found only\n${entries.map(formatConnection).join('\n') || 'an empty table'}`;
    });
  }

  /** What `podwire conntrack` would show. */
  async #connections(node: string): Promise<Connection[]> {
    const ask = () => this.#world.connections(node);
    const { items } = await listConnections({ ask } as unknown as Cluster, { node: { name: node } } as RunningNode);
    return items;
  }

  /** Looks until there is no objection, for a while. */
  async #eventually(step: Step, objection: () => Promise<string | undefined>): Promise<void> {
    const untilMs = performance.now() + PATIENCE_MS;
    let found = await objection();
    while (found !== undefined && performance.now() < untilMs && !('simulated' in this.#world)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      await this.#world.settle();
      found = await objection();
    }
    if (found !== undefined) this.#fail(step, found);
  }

  #fail(step: Step, message: string): never {
    throw new FlowError(step.place, `${step.text}\n${message}`.replaceAll('\n', '\n    '));
  }
}

function wireSummary({ from, to, datagram }: WirePacket): string {
  const vni = (datagram[4]! << 16) | (datagram[5]! << 8) | datagram[6]!;
  return `${from} -> ${to} vni ${vni} [${summary(toTapBytes(plainFrame(datagram.subarray(8))))}]`;
}

function matches(entry: Connection, wanted: WantedConnection): boolean {
  const { source, destination, sourcePort, destinationPort, id } = entry.original;
  return (
    entry.protocol === wanted.protocol &&
    (wanted.state === undefined || entry.state === wanted.state) &&
    source === wanted.source &&
    destination === wanted.destination &&
    sourcePort === wanted.sourcePort &&
    destinationPort === wanted.destinationPort &&
    id === wanted.id &&
    entry.assured === wanted.assured &&
    entry.replied === !wanted.unreplied &&
    (wanted.leftMs === undefined || Math.abs(entry.secondsLeft - wanted.leftMs / 1000) <= LEFT_TOLERANCE_S)
  );
}

function formatConnection({ protocol, state, original, replied, assured, secondsLeft }: Connection): string {
  const end = (address: string, port: number | undefined) =>
    port === undefined ? address : `${address.includes(':') ? `[${address}]` : address}:${port}`;
  const { source, destination, sourcePort, destinationPort, id } = original;
  return [
    protocol,
    ...(state === undefined ? [] : [state]),
    `${end(source, sourcePort)} -> ${end(destination, destinationPort)}`,
    ...(id === undefined ? [] : [`id ${id}`]),
    ...(assured ? ['assured'] : []),
    ...(replied ? [] : ['unreplied']),
    `left ${secondsLeft}s`,
  ].join(' ');
}
