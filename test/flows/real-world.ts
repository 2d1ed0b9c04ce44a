/**
 * The cluster as real node processes in this process's network namespace, which must be one of its own: UDP sockets on
 * loopback between the nodes, test ports in place of the pods' and hosts' TAPs.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { compileSettings, hostAddresses, hostMac } from '../../src/cluster/compile.ts';
import type { ClusterPlan } from '../../src/cluster/plan.ts';
import type { Topology, TopologyNode } from '../../src/cluster/topology.ts';
import type { LinkSettings } from '../../src/links/link.ts';
import type { ConnectionSnapshot, NodeCounters, NodeUpdate } from '../../src/nodes/protocol.ts';
import type { NodeSupervisor } from '../../src/nodes/supervisor.ts';
import { HOST, type SimPlace } from '../../src/sim/simulation.ts';
import { Netlink } from '../../src/sys/netlink.ts';
import type { FlowWorld, WirePacket } from './runner.ts';
import { TestPort } from './test-port.ts';
import { WireTap } from './wire-tap.ts';

const VXLAN_PORT = 4789;
/** Rounds of questions in which nothing has changed: then nothing goes on. */
const QUIET_ROUNDS = 2;

interface RealNode {
  readonly node: TopologyNode;
  readonly supervisor: NodeSupervisor;
  readonly links: Map<string, LinkSettings>;
}

export class RealWorld implements FlowWorld {
  readonly wireOutput: WirePacket[] = [];
  readonly #plan: ClusterPlan;
  readonly #topology: Topology;
  readonly #nodes = new Map<string, RealNode>();
  readonly #ports = new Map<string, TestPort>();
  readonly #wireTap = new WireTap();
  readonly #senders = new Map<string, Socket>();
  readonly #addresses: LoopbackAddresses;
  #version = 0;

  private constructor(plan: ClusterPlan, addresses: LoopbackAddresses) {
    this.#plan = plan;
    this.#topology = plan.topology;
    this.#addresses = addresses;
  }

  /** @param directory for sockets; empty. @param Supervisor of the build, which knows where the node's code is. */
  static async start(
    plan: ClusterPlan,
    directory: string,
    addresses: LoopbackAddresses,
    Supervisor: typeof NodeSupervisor,
  ): Promise<RealWorld> {
    const world = new RealWorld(plan, addresses);
    const { topology } = plan;
    for (const { underlayAddress } of topology.nodes) addresses.add(underlayAddress);
    await Promise.all(topology.nodes.map((node) => world.#startNode(node, directory, Supervisor)));
    for (const port of world.#ports.values()) port.accept();
    return world;
  }

  send(at: SimPlace, bytes: Uint8Array): void {
    this.#port(at).send(bytes);
  }

  async inject(from: string, to: string, datagram: Uint8Array): Promise<void> {
    const source = this.#nodes.get(from)?.node.underlayAddress ?? from;
    const { underlayAddress } = this.#nodes.get(to)!.node;
    const socket = await this.#sender(source);
    await new Promise<void>((resolve, reject) => {
      socket.send(datagram, VXLAN_PORT, underlayAddress, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  async setLink(from: string, to: string, settings: LinkSettings): Promise<void> {
    const { node, supervisor, links } = this.#nodes.get(from)!;
    links.set(to, settings);
    const others = this.#topology.nodes.filter((other) => other !== node);
    await supervisor.update({
      version: ++this.#version,
      links: others.flatMap(({ name }, endpoint) => {
        const link = links.get(name);
        return link === undefined ? [] : [{ ...link, endpoint }];
      }),
    });
  }

  async advance(ms: number): Promise<void> {
    const nodes = [...this.#nodes.values()];
    await Promise.all(nodes.map(({ supervisor }) => supervisor.update({ version: ++this.#version, advanceMs: ms })));
  }

  async settle(): Promise<void> {
    let before = '';
    for (let quiet = 0; quiet < QUIET_ROUNDS; ) {
      const answers = await Promise.all([...this.#nodes.values()].map(({ supervisor }) => supervisor.ask('counters')));
      const now = JSON.stringify(answers);
      const came = this.#drain();
      quiet = now === before && came === 0 ? quiet + 1 : 0;
      before = now;
    }
  }

  portOutput(at: SimPlace): Uint8Array[] {
    return this.#port(at).received;
  }

  async counters(node: string): Promise<NodeCounters> {
    return (await this.#nodes.get(node)!.supervisor.ask('counters')) as NodeCounters;
  }

  async connections(node: string): Promise<ConnectionSnapshot> {
    return (await this.#nodes.get(node)!.supervisor.ask('connections')) as ConnectionSnapshot;
  }

  /** How often a node has died and come back: a scenario that goes on all the same has not shown what it says. */
  get restarts(): number {
    return [...this.#nodes.values()].reduce((sum, { supervisor }) => sum + supervisor.restarts, 0);
  }

  async close(): Promise<void> {
    for (const { supervisor } of this.#nodes.values()) {
      const { pid } = supervisor;
      supervisor.stop();
      while (pid !== undefined && isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    for (const port of this.#ports.values()) port.close();
    for (const socket of this.#senders.values()) socket.close();
    this.#wireTap.close();
  }

  async #startNode(node: TopologyNode, directory: string, Supervisor: typeof NodeSupervisor): Promise<void> {
    const topology = this.#topology;
    const socketPath = (port: number) => {
      const path = join(directory, `${node.name}.${port}`);
      this.#ports.set(`${node.name} ${port}`, new TestPort(path));
      return path;
    };
    const tap = { namespacePath: '', interfaceName: '' };
    const host = { ...tap, mac: hostMac(node), addresses: hostAddresses(node), socketPath: socketPath(HOST) };
    const full = this.#plan.feed.nodes.get(node.name)!.full(++this.#version);
    const update: NodeUpdate = {
      ...full,
      host,
      addPods: full.addPods!.map((pod) => ({ ...pod, socketPath: socketPath(pod.index) })),
      workloads: [], // the test plays the kernels
    };
    const supervisor = new Supervisor({
      name: node.name,
      settings: () => compileSettings(topology, node, undefined),
      fullUpdate: () => update,
      onProbed: () => {},
      onUnhealthy: () => {},
      onReady: () => {},
      log: (message) => process.stderr.write(`${message}\n`),
    });
    this.#nodes.set(node.name, { node, supervisor, links: new Map() });
    supervisor.start();
    await supervisor.update(update); // the same again: what is there stays
  }

  #port({ node, port }: SimPlace): TestPort {
    return this.#ports.get(`${node} ${port}`)!;
  }

  /** Reads every port and the wire; returns how much has come. */
  #drain(): number {
    let count = 0;
    for (const port of this.#ports.values()) count += port.drain();
    const own = new Set([...this.#senders.values()].map((socket) => socket.address().port));
    const name = (address: string) => this.#topology.nodes.find((node) => node.underlayAddress === address)?.name;
    for (const { source, sourcePort, destination, tos, payload } of this.#wireTap.drain()) {
      if (own.has(sourcePort)) continue; // the script's own
      const [from = source, to = destination] = [name(source), name(destination)];
      this.wireOutput.push({ from, to, tos, datagram: payload });
      count++;
    }
    return count;
  }

  async #sender(address: string): Promise<Socket> {
    const known = this.#senders.get(address);
    if (known !== undefined) return known;
    this.#addresses.add(address);
    const socket = createSocket('udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    this.#senders.set(address, socket);
    return socket;
  }
}

/** What loopback answers to, in a namespace of our own. */
export class LoopbackAddresses {
  readonly #netlink = new Netlink();
  readonly #known = new Set<string>();
  readonly #index: number;

  constructor() {
    this.#index = this.#netlink.link('lo').index;
    this.#netlink.setLink(this.#index, { up: true });
  }

  add(address: string): void {
    if (this.#known.has(address)) return;
    this.#known.add(address);
    this.#netlink.addAddress(this.#index, { address, prefixLen: 32 });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
