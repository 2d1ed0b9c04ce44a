/** Addresses for pods that have got a node (IPAM): given ones first, whoever has them, then the node's least recently used. */
import { type Cidr, cidrContains, formatCidr, parseAddress, parseCidr } from '../cluster/ip-address.ts';
import type { Node, Pod } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import { AddressPool } from './address-pool.ts';
import type { Context } from './context.ts';
import { keyOf, splitKey } from './object-key.ts';
import { isPlaced, isTerminal, isTerminating, podAddresses, withCondition } from './pod-state.ts';
import type { Controller } from './reconciler.ts';

export class PodAddresses implements Controller {
  readonly name = 'ipam';
  readonly #context: Context;
  /** By node name, one a family, in the order of the node's podCIDRs. */
  readonly #pools = new Map<string, readonly AddressPool[]>();
  /** Who holds an address, given or taken, in a node's block or not. */
  readonly #holders = new Map<string, string>();
  /** Pods for which their node had no address left. */
  readonly #waiting = new Set<string>();

  constructor(context: Context) {
    this.#context = context;
  }

  notice({ type, object, previous }: StoreEvent, dirty: (key: string) => void): void {
    if (object.kind === 'Node') {
      this.#noteNode(object as Node, type === 'DELETED');
      for (const key of this.#waiting) dirty(key);
    }
    if (object.kind !== 'Pod') return;
    const pod = object as Pod;
    const key = keyOf(pod);
    const isGone = type === 'DELETED' || isTerminal(pod);
    if (isGone) {
      for (const address of podAddresses((previous as Pod | undefined) ?? pod)) this.#release(address, key);
      this.#waiting.delete(key);
      for (const waiting of this.#waiting) dirty(waiting);
      return;
    }
    // Given addresses are kept free for their pod from the moment that it is there.
    if (previous === undefined && pod.spec.hostNetwork !== true) {
      for (const address of podAddresses(pod)) this.#reserve(address, key);
    }
    if (pod.spec.nodeName !== undefined && !isPlaced(pod)) dirty(key);
  }

  sync(key: string): void {
    const { store, index } = this.#context;
    const pod = store.get(kinds.Pod, ...splitKey(key));
    if (pod === undefined || isPlaced(pod) || isTerminal(pod) || isTerminating(pod)) return;
    const node = index.nodes.get(pod.spec.nodeName ?? '');
    const hostIP = node === undefined ? undefined : nodeAddresses(node)[0];
    if (node === undefined || hostIP === undefined) return;
    const addresses = pod.spec.hostNetwork === true ? nodeAddresses(node) : this.#complete(pod, node, key);
    if (addresses === undefined) {
      this.#waiting.add(key);
      return;
    }
    this.#waiting.delete(key);
    const { phase = 'Pending', conditions } = pod.status ?? {};
    const scheduled = { type: 'PodScheduled', status: 'True' };
    store.updateStatus({
      ...pod,
      status: {
        ...pod.status,
        phase,
        hostIP,
        hostIPs: nodeAddresses(node).map((ip) => ({ ip })),
        ...(addresses[0] === undefined ? {} : { podIP: addresses[0] }),
        podIPs: addresses.map((ip) => ({ ip })),
        conditions: withCondition(conditions, scheduled, this.#context.now()),
      },
    });
  }

  /** The pod's given addresses, and one of the node's for each family left; undefined when the node has no more. */
  #complete(pod: Pod, node: Node, key: string): string[] | undefined {
    const given = podAddresses(pod).filter((address) => this.#holders.get(address) === key);
    const addresses: string[] = [];
    const taken: string[] = [];
    for (const pool of this.#pools.get(node.metadata.name) ?? []) {
      const own = given.find((address) => parseAddress(address)?.family === pool.cidr.family);
      const address = own ?? this.#take(pool, key);
      if (address === undefined) {
        for (const other of taken) this.#release(other, key);
        this.#tellNone(pod, node, pool);
        return undefined;
      }
      if (own === undefined) taken.push(address);
      addresses.push(address);
    }
    return addresses;
  }

  #tellNone(pod: Pod, node: Node, pool: AddressPool): void {
    const cidr = formatCidr(pool.cidr);
    const message = `node ${node.metadata.name}'s pod CIDR ${cidr} has no free address: ${pool.inUse} in use; add nodes, or place pods elsewhere`;
    this.#context.events.record(pod, 'Warning', 'FailedCreatePodSandBox', message, this.name);
  }

  #take(pool: AddressPool, key: string): string | undefined {
    const address = pool.take();
    if (address !== undefined) this.#holders.set(address, key);
    return address;
  }

  #reserve(address: string, key: string): void {
    if (this.#holders.has(address)) return; // the other has it; `admit` has told
    this.#holders.set(address, key);
    this.#poolOf(address)?.reserve(address);
  }

  #release(address: string, key: string): void {
    if (this.#holders.get(address) !== key) return;
    this.#holders.delete(address);
    this.#poolOf(address)?.release(address);
  }

  /** The block that holds an address; none where no node has got that part of the pod network. */
  #poolOf(text: string): AddressPool | undefined {
    const address = parseAddress(text);
    if (address === undefined) return undefined;
    for (const pools of this.#pools.values()) {
      for (const pool of pools) if (cidrContains(pool.cidr, address)) return pool;
    }
    return undefined;
  }

  #noteNode(node: Node, isGone: boolean): void {
    const { name } = node.metadata;
    if (isGone) {
      this.#pools.delete(name);
      return;
    }
    const wanted = podCidrsOf(node);
    const pools = this.#pools.get(name) ?? [];
    if (pools.map(({ cidr }) => formatCidr(cidr)).join() === wanted.map(formatCidr).join()) return;
    const fresh = wanted.map((cidr) => new AddressPool(cidr));
    this.#pools.set(name, fresh);
    for (const address of this.#holders.keys()) {
      const parsed = parseAddress(address)!;
      for (const pool of fresh) if (cidrContains(pool.cidr, parsed)) pool.reserve(address);
    }
  }
}

export function podCidrsOf({ spec }: Node): Cidr[] {
  return (spec.podCIDRs ?? [spec.podCIDR ?? '']).flatMap((text) => parseCidr(text) ?? []);
}

/** Where the node is on the underlay. */
export function nodeAddresses({ status }: Node): string[] {
  const internal = (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP');
  return internal.map(({ address }) => address);
}
