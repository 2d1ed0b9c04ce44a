/**
 * What a cluster and its nodes do with a world of policies, from objects to verdicts, without anything that carries
 * packets. One chain is told one world after the other, so its compilers keep what they keep in a running cluster.
 */
import type { PlacedPod } from '../../src/cluster/placed-pod.ts';
import { PolicyFeed } from '../../src/cluster/policy-feed.ts';
import { type CompiledWorld, WorldCompiler } from '../../src/network-policy/compile-policies.ts';
import type { PolicyWorld, WorldPod } from '../../src/network-policy/policy-world.ts';
import { Arena } from '../../src/packet/arena.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, protocolWord } from '../../src/packet/flow-key.ts';
import { CONTINUE, type Outcome } from '../../src/packet/outcome.ts';
import { Packet } from '../../src/packet/packet.ts';
import { Way, way } from '../../src/packet/way.ts';
import { egressPolicy, ingressPolicy, Policies } from '../../src/policy/policies.ts';
import { PolicyCompiler } from '../../src/policy/policy-compiler.ts';
import { parseAddress } from '../../src/wire/address.ts';
import type { SlowQuestion } from '../oracle/slow-policy.ts';

/** As the oracle tells it. */
interface ChainVerdict {
  readonly egress: boolean;
  readonly ingress: boolean;
}

const protocols = { TCP: 6, UDP: 17, SCTP: 132 } as const;

class ChainNode {
  readonly feed = new PolicyFeed();
  readonly policies = new Policies();
  readonly compiler = new PolicyCompiler();
  /** Port numbers of its pods; those that are free are given again, the lowest first. */
  readonly indexes = new Map<string, number>();
  /** Port numbers whose verdicts may have changed with the last world. */
  moved: ReadonlySet<number> = new Set();

  tell(compiled: CompiledWorld, pods: readonly WorldPod[]): void {
    const present = new Set(pods.map(incarnation));
    for (const key of this.indexes.keys()) if (!present.has(key)) this.indexes.delete(key);
    for (const key of present) if (!this.indexes.has(key)) this.indexes.set(key, this.#free());
    const ports = pods.map((pod) => [placed(pod), this.indexes.get(incarnation(pod))!] as const);
    const spec = this.feed.difference(compiled, new Map(ports));
    if (spec === undefined) {
      this.moved = new Set();
      return;
    }
    const tables = this.compiler.compile(spec);
    this.policies.replace(tables);
    this.moved = new Set(tables.moved);
  }

  #free(): number {
    const taken = new Set(this.indexes.values());
    let index = 0;
    while (taken.has(index)) index++;
    return index;
  }
}

/** What has this is the same pod still, with the same port. */
const incarnation = (pod: WorldPod) => `${pod.namespace}/${pod.name} ${pod.addresses.join()}`;

/** As much of a pod as `PolicyFeed` looks at. */
const placed = ({ namespace, name }: WorldPod) => ({ key: `${namespace}/${name}` }) as PlacedPod;

export class PolicyChain {
  readonly #compiler = new WorldCompiler();
  readonly #nodes = new Map<string, ChainNode>();
  readonly #pods = new Map<string, WorldPod>();
  /** Addresses of nodes: whose. */
  readonly #hosts = new Map<string, string>();
  /** Moves when identities and port sets get new numbers. */
  numbering = 0;
  readonly #packet = new Packet(new Arena(1));

  tell(world: PolicyWorld): void {
    const compiled = this.#compiler.compile(world);
    this.numbering = compiled.numbering;
    this.#pods.clear();
    for (const pod of world.pods) for (const address of pod.addresses) this.#pods.set(address, pod);
    this.#hosts.clear();
    for (const { node, addresses } of world.hosts ?? [])
      for (const address of addresses) this.#hosts.set(address, node);
    for (const { node } of world.pods) if (!this.#nodes.has(node)) this.#nodes.set(node, new ChainNode());
    for (const [name, node] of this.#nodes) {
      const own = world.pods.filter((pod) => pod.node === name && !pod.hostNetwork);
      node.tell(compiled, own);
    }
  }

  /** Each end is judged on its own node, as a packet meets them. */
  verdict(question: SlowQuestion): ChainVerdict {
    writeKey(this.#packet.key, question);
    return {
      egress: this.#judge(question.source, egressOf, question),
      ingress: this.#judge(question.destination, ingressPolicy, question),
    };
  }

  /** Which port the pod at an address has: while it stays, so do its connections. */
  ports(): ReadonlyMap<string, string> {
    const ports = new Map<string, string>();
    for (const [address, pod] of this.#pods) {
      if (!pod.hostNetwork)
        ports.set(address, `${pod.node} ${this.#nodes.get(pod.node)!.indexes.get(incarnation(pod))}`);
    }
    return ports;
  }

  /** Has the pod at this address been told to judge its flows again, with the last world? */
  moved(address: string): boolean {
    const pod = this.#pods.get(address);
    if (pod === undefined || pod.hostNetwork) return false;
    const { moved, indexes } = this.#nodes.get(pod.node)!;
    return moved.has(indexes.get(incarnation(pod))!);
  }

  /** How many pods have been told so. */
  get movedCount(): number {
    return [...this.#nodes.values()].reduce((sum, { moved }) => sum + moved.size, 0);
  }

  #judge(end: string, stage: Stage, { source, destination }: SlowQuestion): boolean {
    const at = this.#pods.get(end);
    if (at === undefined || at.hostNetwork) return true;
    this.#packet.ingress = this.#way(at, source);
    this.#packet.egress = this.#way(at, destination);
    return stage(this.#nodes.get(at.node)!.policies, this.#packet) === CONTINUE;
  }

  /** @param address where `pod` is, if it is one. */
  #way(at: WorldPod, address: string): number {
    const pod = this.#pods.get(address);
    const node = pod?.node ?? this.#hosts.get(address);
    if (node === undefined) return way(Way.Outside, 0);
    if (node !== at.node) return way(Way.Tunnel, 0);
    if (pod === undefined || pod.hostNetwork) return way(Way.Host, 0);
    return way(Way.Pod, this.#nodes.get(node)!.indexes.get(incarnation(pod))!);
  }
}

type Stage = (policies: Policies, pkt: Packet) => Outcome;

const egressOf: Stage = (policies, pkt) => egressPolicy(policies, pkt, pkt.egress);

function writeKey(key: Int32Array, { source, destination, protocol, port }: SlowQuestion): void {
  const v6 = source.includes(':');
  const icmp = v6 ? 58 : 1;
  key.set(parseAddress(source)!, KEY_SOURCE);
  key.set(parseAddress(destination)!, KEY_DESTINATION);
  const number = typeof protocol === 'number' ? protocol : protocol === 'ICMP' ? icmp : protocols[protocol];
  key[KEY_PROTOCOL] = protocolWord(v6 ? 6 : 4, number);
  // An echo request's identifier, type and code stand where ports do.
  key[KEY_PORTS] = protocol === 'ICMP' ? (port << 16) | ((v6 ? 128 : 8) << 8) : typeof protocol === 'number' ? 0 : port;
  if (typeof protocol === 'string' && protocol !== 'ICMP') key[KEY_PORTS] |= 40_000 << 16;
}
