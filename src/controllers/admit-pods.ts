/** Pods that cannot be as they are written. */
import type { PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { shown } from '../cluster/field.ts';
import {
  cidrContains,
  formatAddress,
  formatCidr,
  type IpAddress,
  lastAddress,
  parseAddress,
} from '../cluster/ip-address.ts';
import { nearestWord } from '../cluster/nearest-word.ts';
import type { KubernetesObject, Node, Pod } from '../store/object.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { kinds } from '../store/resources.ts';
import { sameJson } from '../store/same-json.ts';
import { AddressPool } from './address-pool.ts';
import type { Networks, Refuse } from './admit.ts';
import { keyOf } from './object-key.ts';
import { nodeAddresses, podCidrsOf } from './pod-addresses.ts';
import { isTerminal, podAddresses } from './pod-state.ts';

/** Longer lists of nodes are cut in messages. */
const NODES_SHOWN_MAX = 20;

export class PodAdmission {
  readonly #objects: readonly KubernetesObject[];
  readonly #store: ObjectStore;
  readonly #networks: Networks;
  /** Address → who has it, or will. Made when it is first asked for. */
  #holders: Map<string, string> | undefined;

  constructor(objects: readonly KubernetesObject[], store: ObjectStore, networks: Networks) {
    this.#objects = objects;
    this.#store = store;
    this.#networks = networks;
  }

  /** A pod, or the template of pods, that names a node which is not there. */
  judgeNode(object: KubernetesObject, refuse: Refuse): void {
    const found = podSpecOf(object);
    const nodeName = found?.spec.nodeName ?? '';
    if (found === undefined || nodeName === '' || this.#node(nodeName) !== undefined) return;
    const names = [...this.#store.list(kinds.Node), ...this.#objects.filter(({ kind }) => kind === 'Node')].map(
      ({ metadata }) => metadata.name,
    );
    const shownNames = names.slice(0, NODES_SHOWN_MAX).join(', ');
    const more = names.length > NODES_SHOWN_MAX ? ` and ${names.length - NODES_SHOWN_MAX} more` : '';
    const nearest = nearestWord(nodeName, names);
    const remedy = nearest === undefined ? 'name one of them, or add the node' : `did you mean "${nearest}"?`;
    const list = names.length === 1 ? `the only node is ${shownNames}` : `nodes are ${shownNames}${more}`;
    refuse(`${found.path}.nodeName`, `no node ${shown(nodeName)}; ${list}; ${remedy}`);
  }

  judge(pod: Pod, stored: Pod | undefined, refuse: Refuse): void {
    if (stored !== undefined) refuseChanges(pod, stored, refuse);
    const given = givenAddresses(pod);
    const seen: IpAddress[] = [];
    for (const { text, path } of given) {
      const address = parseAddress(text);
      if (address === undefined) continue; // the reader has refused it
      const twin = seen.find(({ family }) => family === address.family);
      const reason =
        twin === undefined
          ? this.#objection(pod, stored, formatAddress(address), address)
          : `expected one address a family, has ${formatAddress(twin)} already`;
      seen.push(address);
      if (reason !== undefined) refuse(path, `found ${text}, ${reason}; change or remove it`);
    }
  }

  /** Why the pod may not have the address, in words. */
  #objection(pod: Pod, stored: Pod | undefined, text: string, address: IpAddress): string | undefined {
    if (pod.spec.hostNetwork === true) return this.#hostObjection(pod, stored, text);
    if (stored !== undefined) {
      const has = podAddresses(stored);
      if (has.length > 0 && !has.includes(text)) return `but the pod runs with ${has.join(' and ')}`;
      return undefined;
    }
    const { podSubnets } = this.#networks;
    const subnet = podSubnets.find((candidate) => cidrContains(candidate, address));
    if (subnet === undefined)
      return `expected an address of the pod network, ${podSubnets.map(formatCidr).join(' or ')}`;
    const isLast = subnet.family === 'ipv4' && text === formatAddress(lastAddress(subnet));
    if (isLast) return `which is the broadcast address of the pod network ${formatCidr(subnet)}`;
    for (const node of this.#store.list(kinds.Node)) {
      const cidr = podCidrsOf(node).find((candidate) => cidrContains(candidate, address));
      const owner = cidr === undefined ? undefined : new AddressPool(cidr).ownerOf(text);
      if (cidr === undefined || owner === undefined) continue;
      return `which is the ${owner} address of ${node.metadata.name}'s pod CIDR ${formatCidr(cidr)}`;
    }
    return this.#takenBy(text, keyOf(pod));
  }

  #hostObjection(pod: Pod, stored: Pod | undefined, text: string): string | undefined {
    const nodes = this.#store.list(kinds.Node);
    const nodeName =
      pod.spec.nodeName ?? stored?.spec.nodeName ?? (nodes.length === 1 ? nodes[0]!.metadata.name : undefined);
    if (nodeName === undefined)
      return 'but which node it will have is not known: the pod has hostNetwork and no nodeName';
    const node = this.#node(nodeName);
    const own = node === undefined ? [] : nodeAddresses(node);
    if (node === undefined || own.includes(text)) return undefined;
    return `expected ${own.join(' or ')}: the pod has hostNetwork, and that is the address of its node ${nodeName}`;
  }

  #takenBy(address: string, key: string): string | undefined {
    this.#holders ??= this.#findHolders();
    const holder = this.#holders.get(address);
    if (holder === undefined) this.#holders.set(address, key);
    return holder === undefined || holder === key ? undefined : `which pod ${holder} has`;
  }

  #findHolders(): Map<string, string> {
    const holders = new Map<string, string>();
    for (const pod of this.#store.list(kinds.Pod)) {
      if (pod.spec.hostNetwork === true || isTerminal(pod)) continue;
      for (const address of podAddresses(pod)) holders.set(address, keyOf(pod));
    }
    return holders;
  }

  #node(name: string): Node | undefined {
    const written = this.#objects.find(({ kind, metadata }) => kind === 'Node' && metadata.name === name);
    return (written as Node | undefined) ?? this.#store.get(kinds.Node, '', name);
  }
}

/** podIPs holds all addresses and podIP the first of them; either may stand alone. */
function givenAddresses({ status }: Pod): { text: string; path: string }[] {
  const all = (status?.podIPs ?? []).flatMap(({ ip }, at) => {
    return ip === undefined ? [] : [{ text: ip, path: `status.podIPs[${at}].ip` }];
  });
  if (status?.podIP === undefined || all.some(({ text }) => text === status.podIP)) {
    return all.map((given, at) =>
      at === 0 && given.text === status?.podIP ? { ...given, path: 'status.podIP' } : given,
    );
  }
  return [{ text: status.podIP, path: 'status.podIP' }, ...all];
}

function podSpecOf(object: KubernetesObject): { spec: PodSpec; path: string } | undefined {
  if (object.kind === 'Pod') return { spec: (object as Pod).spec, path: 'spec' };
  const { spec } = object as { spec?: { template?: { spec?: PodSpec }; jobTemplate?: unknown } };
  const inner = spec?.template?.spec;
  return inner === undefined ? undefined : { spec: inner, path: 'spec.template.spec' };
}

/** What may change while a pod runs (pkg/apis/core/validation, ValidatePodUpdate), less what podwire does not look at. */
const mutable = [
  'tolerations',
  'activeDeadlineSeconds',
  'terminationGracePeriodSeconds',
  'containers',
  'initContainers',
];

function refuseChanges(pod: Pod, stored: Pod, refuse: Refuse): void {
  const before = stored.spec as Readonly<Record<string, unknown>>;
  const remedy = 'cannot be changed while the pod is there; delete the pod first';
  for (const [field, value] of Object.entries(pod.spec)) {
    if (mutable.includes(field) || sameJson(value, before[field])) continue;
    refuse(`spec.${field}`, remedy);
  }
  for (const field of ['containers', 'initContainers'] as const) {
    const plain = (spec: PodSpec) => (spec[field] ?? []).map(({ image: _, ...container }) => container);
    if (!sameJson(plain(pod.spec), plain(stored.spec))) refuse(`spec.${field}`, `${remedy}; only images may differ`);
  }
  const gone = Object.keys(before).filter((field) => !Object.hasOwn(pod.spec, field) && !mutable.includes(field));
  for (const field of gone) if (field !== 'nodeName') refuse(`spec.${field}`, remedy);
}
