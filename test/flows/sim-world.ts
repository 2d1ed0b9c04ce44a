import type { ClusterPlan } from '../../src/cluster/plan.ts';
import type { Topology } from '../../src/cluster/topology.ts';
import type { LinkSettings } from '../../src/links/link.ts';
import { snapshotConnections } from '../../src/nodes/connection-snapshot.ts';
import { type SimPlace, Simulation } from '../../src/sim/simulation.ts';
import { smallRoom } from '../support/small-room.ts';
import type { FlowWorld, WirePacket } from './runner.ts';

/** The cluster in this process, with a clock of its own. */
export class SimWorld implements FlowWorld {
  /** Nothing happens while nobody looks. */
  readonly simulated = true;
  readonly wireOutput: WirePacket[] = [];
  readonly #topology: Topology;
  readonly #sim: Simulation;
  readonly #ports = new Map<string, Uint8Array[]>();
  readonly #links = new Map<string, Map<string, LinkSettings>>();

  constructor(plan: ClusterPlan, seed = 1) {
    this.#topology = plan.topology;
    this.#sim = new Simulation(plan, {
      room: smallRoom,
      seed,
      onPort: (event) => this.portOutput(event).push(event.bytes),
      onWire: ({ from, to, row }) => {
        for (let at = 0; at < row.bytes.length; at += row.stride) {
          this.wireOutput.push({ from, to, tos: row.tos, datagram: row.bytes.subarray(at, at + row.stride) });
        }
      },
    });
  }

  send(at: SimPlace, bytes: Uint8Array): void {
    this.#sim.send(at, bytes);
  }

  async inject(from: string, to: string, datagram: Uint8Array): Promise<void> {
    const source = this.#topology.nodes.find(({ name }) => name === from)?.underlayAddress ?? from;
    this.#sim.sendRow(source, to, { bytes: datagram, stride: Math.max(1, datagram.length), tos: 0, port: 0 });
  }

  async setLink(from: string, to: string, settings: LinkSettings): Promise<void> {
    const links = this.#links.get(from) ?? new Map<string, LinkSettings>();
    this.#links.set(from, links.set(to, settings));
    this.#sim.setLinks(from, links);
  }

  async advance(ms: number): Promise<void> {
    this.#sim.advance(ms);
  }

  async settle(): Promise<void> {
    this.#sim.advance(0);
  }

  portOutput({ node, port }: SimPlace): Uint8Array[] {
    const key = `${node} ${port}`;
    let queue = this.#ports.get(key);
    if (queue === undefined) {
      queue = [];
      this.#ports.set(key, queue);
    }
    return queue;
  }

  async counters(node: string) {
    const { counters } = this.#sim.nodes.get(node)!.dataplane;
    counters.check();
    return counters.snapshot();
  }

  async connections(node: string) {
    return snapshotConnections(this.#sim.nodes.get(node)!.dataplane.connections, this.#sim.nowMs);
  }

  async close(): Promise<void> {}
}
