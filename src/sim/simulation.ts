/**
 * `sim/`: a whole cluster in one process, with a clock that moves only when it is told to. Nodes are the real
 * dataplane with the real tables; kernels, sockets and time are played by a script. Same topology, seed and script:
 * the same bytes at the same times.
 *
 *     const sim = new Simulation(plan, { seed: 1, onPort: (event) => …, onWire: (event) => … });
 *     sim.send({ node: 'n1', port: 0 }, bytes);   // a virtio header and a frame
 *     sim.advance(0);                              // everything that happens at once
 */
import { CONNECTIONS_MAX, compileSettings, hostAddresses, hostMac } from '../cluster/compile.ts';
import type { ClusterPlan } from '../cluster/plan.ts';
import type { Topology, TopologyNode } from '../cluster/topology.ts';
import { LINK_QUEUE_BYTES } from '../dataplane/linked-underlay.ts';
import { REASSEMBLY_SLOTS } from '../dataplane/reassembly.ts';
import type { LinkSettings } from '../links/link.ts';
import { addressWords } from '../nodes/compile-update.ts';
import type { NodeUpdate } from '../nodes/protocol.ts';
import { AFFINITY_MAX } from '../service/affinity.ts';
import { EventQueue } from './event-queue.ts';
import { type PlaceSpec, SimNode, type SimRoom } from './sim-node.ts';
import type { Row } from './sim-underlay.ts';

/** Port number of a node's host. */
export const HOST = -1;

/** As real nodes have it. */
const REAL_ROOM: SimRoom = {
  connections: CONNECTIONS_MAX,
  affinity: AFFINITY_MAX,
  linkBytes: LINK_QUEUE_BYTES,
  reassembly: REASSEMBLY_SLOTS,
};

/** A wire's end, as scripts name it: the node, and a pod's port number or `HOST`. */
export interface SimPlace {
  readonly node: string;
  readonly port: number;
}

export interface PortEvent extends SimPlace {
  readonly timeMs: number;
  /** A virtio header and a frame. */
  readonly bytes: Uint8Array;
}

export interface WireEvent {
  readonly timeMs: number;
  readonly from: string;
  readonly to: string;
  readonly row: Row;
}

export interface SimulationOptions {
  readonly seed: number;
  /** What nodes have room for; as real ones when it is not said. */
  readonly room?: SimRoom;
  readonly onPort: (event: PortEvent) => void;
  readonly onWire: (event: WireEvent) => void;
}

export class Simulation {
  readonly nodes = new Map<string, SimNode>();
  /** Is told after everything that has happened at a node. */
  watcher: ((node: string) => void) | undefined;
  readonly #topology: Topology;
  readonly #options: SimulationOptions;
  #events = new EventQueue();
  readonly #wakesMs = new Map<SimNode, number>();
  #nowMs = 0;

  constructor({ topology, feed }: Pick<ClusterPlan, 'topology' | 'feed'>, options: SimulationOptions) {
    this.#topology = topology;
    this.#options = options;
    for (const node of topology.nodes) {
      this.nodes.set(node.name, this.#createNode(node));
      this.update(node.name, feed.nodes.get(node.name)!.full(feed.nextVersion()));
    }
  }

  /** Tells a node of a change, which its packets see from now on. */
  update(node: string, update: NodeUpdate): void {
    this.#node(node).update(update);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** When the next thing happens, if nobody sends anything; Infinity for never. */
  get nextMs(): number {
    return this.#events.nextMs;
  }

  /** The host's end of a node's wire. */
  hostOf(node: TopologyNode): PlaceSpec {
    return { mac: hostMac(node), addresses: hostAddresses(node) };
  }

  /** Has something happen at a time that is not past. */
  plan(timeMs: number, action: () => void): void {
    this.#events.plan(timeMs, action);
  }

  /** A kernel sends a frame to its node, now. */
  send(place: SimPlace, bytes: Uint8Array): void {
    const node = this.#node(place.node);
    this.#happen(place.node, node, () => node.receive(place.port, bytes, this.#nowMs));
  }

  /** Somebody sends VXLAN packets to a node's underlay address, now. */
  sendRow(source: string, to: string, row: Row): void {
    this.#arrive(addressWords(source), to, row);
  }

  /** The same as a frame, with outer headers of any kind. At most 65,553 bytes. */
  sendOuter(to: string, frame: Uint8Array): void {
    const node = this.#node(to);
    this.#happen(to, node, () => node.receiveOuter(frame, this.#nowMs));
  }

  /** One direction; undefined for none. Other links of the node begin anew. */
  setLinks(from: string, links: ReadonlyMap<string, LinkSettings>): void {
    const others = this.#topology.nodes.filter(({ name }) => name !== from);
    this.#node(from).links.setLinks(others.map(({ name }) => links.get(name)));
  }

  /** Lets time pass, and everything happen that falls into it. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    do {
      while (this.#events.nextMs <= untilMs) {
        this.#nowMs = this.#events.nextMs;
        this.#events.take()();
      }
      this.#nowMs = untilMs;
      for (const [name, node] of this.nodes) {
        node.wake(untilMs);
        this.watcher?.(name);
      }
    } while (this.#events.nextMs <= untilMs); // what timed out may have been answered
  }

  /** Its nodes are no more: what was to happen does not, and whoever sends to one, or tells one of something, throws. */
  close(): void {
    this.#events = new EventQueue(); // they would write to arenas that are others' now
    for (const node of this.nodes.values()) node.close();
    this.nodes.clear();
  }

  #node(name: string): SimNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  /** Plans what a node does now. */
  #happen(name: string, node: SimNode, action: () => void): void {
    this.#events.plan(this.#nowMs, () => {
      action();
      this.watcher?.(name);
      this.#planWake(name, node);
    });
  }

  /** A node wakes when its links have something due; an earlier time than was planned replaces that. */
  #planWake(name: string, node: SimNode): void {
    const { nextDueMs } = node.links;
    if (nextDueMs >= (this.#wakesMs.get(node) ?? Infinity)) return;
    this.#wakesMs.set(node, nextDueMs);
    this.#events.plan(nextDueMs, () => {
      if (this.#wakesMs.get(node) !== nextDueMs) return;
      this.#wakesMs.delete(node);
      node.wake(this.#nowMs);
      this.watcher?.(name);
      this.#planWake(name, node);
    });
  }

  #arrive(source: Int32Array, to: string, row: Row): void {
    const node = this.#node(to);
    this.#happen(to, node, () => node.receiveRow(source, row, this.#nowMs));
  }

  #createNode(node: TopologyNode): SimNode {
    const topology = this.#topology;
    const { seed, room = REAL_ROOM, onPort, onWire } = this.#options;
    const others = topology.nodes.filter((other) => other !== node);
    const source = addressWords(node.underlayAddress);
    return new SimNode({
      settings: compileSettings(topology, node, undefined),
      room,
      seed: (seed + Math.imul(node.index + 1, 0x9e37_79b1)) | 0,
      host: this.hostOf(node),
      toPort: (port, bytes) => onPort({ timeMs: this.#nowMs, node: node.name, port, bytes }),
      toUnderlay: (endpoint, row) => {
        const external = topology.tunnelEndpoints[endpoint - others.length];
        const to = (external ?? others[endpoint]!).name;
        onWire({ timeMs: this.#nowMs, from: node.name, to, row });
        if (external === undefined) this.#arrive(source, to, row);
      },
    });
  }
}
