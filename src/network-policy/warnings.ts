/**
 * Policies that are right and yet do not do what their writer wants: selectors that match nothing, ports that nobody
 * has, addresses that no packet shows. Pure; tells what is so at one moment.
 */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { NetworkPolicyPeer, NetworkPolicyPort } from 'kubernetes-types/networking/v1.d.ts';
import { nearestWord } from '../cluster/nearest-word.ts';
import { blockWarning, type ClusterAddresses } from './block-warnings.ts';
import type { Direction } from './explain-match.ts';
import { type Labelled, nearestLabel, selectorWords } from './nearest-label.ts';
import type { PolicyWorld, WorldNamespace, WorldPod, WorldPolicy } from './policy-world.ts';
import { Scene } from './warning-scene.ts';

interface PolicyWarning {
  readonly policy: WorldPolicy;
  /** `spec.ingress[0].from[1].podSelector` */
  readonly path: string;
  readonly message: string;
}

/** Nobody reads more; and selectors × pods would take its time. */
const POLICIES_MAX = 200;

/** Who shows warnings shows fewer. */
const NEAREST_MAX = 20;

const nobody = (): readonly WorldPod[] => [];

/** Where the cluster's names come from: `kube-dns`, as kubeadm labels it. */
const DNS = { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' }, port: 53 };

/** @param meant the policies to look at; all others only count where a pod is governed by several */
export function policyWarnings(
  world: PolicyWorld,
  addresses: ClusterAddresses,
  meant: readonly WorldPolicy[],
): PolicyWarning[] {
  const finder = new WarningFinder(world, addresses);
  for (const policy of meant.slice(0, POLICIES_MAX)) finder.look(policy);
  return finder.warnings;
}

interface Rule {
  readonly direction: Direction;
  readonly path: string;
  readonly peers: readonly NetworkPolicyPeer[];
  readonly ports: readonly NetworkPolicyPort[];
  readonly side: 'from' | 'to';
}

class WarningFinder {
  readonly warnings: PolicyWarning[] = [];
  readonly #scene: Scene;
  readonly #addresses: ClusterAddresses;
  /** Are name servers in reach? By namespace and labels: replicas are alike. */
  readonly #reaching = new Map<string, boolean>();
  /** Pods of which was told already that they cannot resolve names. */
  readonly #nameless = new Set<WorldPod>();

  constructor(world: PolicyWorld, addresses: ClusterAddresses) {
    this.#scene = new Scene(world);
    this.#addresses = addresses;
  }

  look(policy: WorldPolicy): void {
    const warn = (path: string, message: string) => void this.warnings.push({ policy, path, message });
    const selected = this.#lookAtTarget(policy, warn);
    this.#lookAtTypes(policy, warn);
    for (const rule of rulesOf(policy)) {
      const peers = rule.peers.map((peer, i) => {
        return this.#lookAtPeer(policy, rule, peer, (field, message) =>
          warn(`${rule.path}.${rule.side}[${i}]${field}`, message),
        );
      });
      if (!rule.ports.some(({ port }) => typeof port === 'string')) continue;
      const all = rule.peers.length === 0 ? this.#scene.networkPods : peers.flatMap((pods) => pods());
      const [servers, whose] = rule.direction === 'ingress' ? [selected, 'selected pod'] : [all, 'pod of the peers'];
      this.#lookAtPorts(rule, servers, whose, warn);
    }
    this.#lookAtNames(policy, selected, warn);
  }

  /** @returns the pods that the policy governs */
  #lookAtTarget({ namespace, spec: { podSelector } }: WorldPolicy, warn: Warn): readonly WorldPod[] {
    const pods = this.#scene.podsOf(namespace);
    const matched = this.#scene.matching(podSelector, namespace);
    const [selected, onHosts] = parted(matched, (pod) => !pod.hostNetwork);
    const path = 'spec.podSelector';
    if (pods.length === 0) warn(path, `namespace ${namespace} has no pods: nothing is governed`);
    else if (matched.length === 0) {
      const nearest = this.#nearest(podSelector, pods, labelledPod);
      warn(path, `podSelector ${selectorWords(podSelector)} matches no pod of ${namespace}${nearest}`);
    } else if (onHosts.length > 0) {
      const names = someNames(onHosts);
      warn(
        path,
        `podSelector ${selectorWords(podSelector)} matches ${names} on the host's network: no policy governs that`,
      );
    }
    return selected;
  }

  #lookAtTypes({ spec }: WorldPolicy, warn: Warn): void {
    for (const [field, type] of [
      ['ingress', 'Ingress'],
      ['egress', 'Egress'],
    ] as const) {
      if ((spec[field] ?? []).length === 0 || spec.policyTypes!.includes(type)) continue;
      warn(`spec.${field}`, `policyTypes has no ${type}, so these rules count for nothing; add it`);
    }
  }

  /** @returns what finds the pods that the peer matches */
  #lookAtPeer(policy: WorldPolicy, rule: Rule, peer: NetworkPolicyPeer, warn: Warn): () => readonly WorldPod[] {
    const { podSelector, namespaceSelector, ipBlock } = peer;
    if (ipBlock !== undefined) {
      const message = blockWarning(ipBlock, rule.direction, this.#addresses, this.#scene.networkPods);
      if (message !== undefined) warn('.ipBlock', message);
      return () => this.#scene.inBlock(ipBlock);
    }
    const spaces = namespaceSelector === undefined ? undefined : this.#scene.namespacesMatching(namespaceSelector);
    if (spaces?.length === 0) {
      const words = selectorWords(namespaceSelector!);
      const nearest = this.#nearest(namespaceSelector!, this.#scene.namespaces, labelledNamespace);
      warn('.namespaceSelector', `namespaceSelector ${words} matches no namespace${nearest}`);
      return nobody;
    }
    const names = spaces?.map(({ name }) => name) ?? [policy.namespace];
    if (spaces === undefined && this.#scene.podsOf(policy.namespace).length === 0) return nobody; // told of the target
    const matched = names.flatMap((name) => this.#scene.matching(podSelector ?? {}, name));
    const pods = matched.filter((pod) => !pod.hostNetwork);
    if (pods.length > 0) return () => pods;
    const field = podSelector === undefined ? '.namespaceSelector' : '.podSelector';
    if (matched.length > 0) {
      const only = `matches only ${someNames(matched)} on the host's network, which no selector means`;
      warn(field, `${only}; use ipBlock with the node's address`);
    } else warn(field, this.#nobody(names, podSelector, namespaceSelector));
    return nobody;
  }

  /** The label that was meant; for the first warnings only, as it takes its time. */
  #nearest<T>(selector: LabelSelector, candidates: readonly T[], labelled: (candidate: T) => Labelled): string {
    if (this.warnings.length >= NEAREST_MAX) return '';
    return nearestLabel(selector, candidates.map(labelled));
  }

  /** Why no pod of these namespaces is meant. */
  #nobody(names: readonly string[], podSelector: LabelSelector | undefined, spaces: LabelSelector | undefined): string {
    const pods = names.flatMap((name) => this.#scene.podsOf(name));
    const where = someWords(names, 'namespaces');
    if (podSelector === undefined)
      return `namespaceSelector ${selectorWords(spaces!)} matches ${where}, without any pod`;
    const words = `podSelector ${selectorWords(podSelector)} matches no pod of ${where}`;
    const elsewhere = spaces === undefined ? this.#scene.podAnywhere(podSelector) : undefined;
    if (elsewhere === undefined) return `${words}${this.#nearest(podSelector, pods, labelledPod)}`;
    const { namespace, name } = elsewhere;
    const remedy = `namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ${namespace}}}`;
    return `${words}, but ${namespace}/${name} would: without namespaceSelector a peer means its own namespace; add ${remedy}`;
  }

  /** NP-018, NP-019: a port by name is what the server at hand calls it. */
  #lookAtPorts({ path, ports }: Rule, servers: readonly WorldPod[], whose: string, warn: Warn): void {
    if (servers.length === 0) return; // that was told
    for (const [i, { port, protocol }] of ports.entries()) {
      if (typeof port !== 'string') continue;
      const there = servers.flatMap((pod) => pod.ports);
      const namesakes = there.filter(({ name }) => name === port);
      if (namesakes.some((named) => named.protocol === protocol)) continue;
      const nearest = nearestWord(
        port,
        there.filter((named) => named.protocol === protocol).map(({ name }) => name),
      );
      const remedy = nearest === undefined ? '' : `; nearest: ${nearest}`;
      const other = namesakes[0]?.protocol;
      const instead = other === undefined ? remedy : `; there it is ${other}: write "protocol: ${other}"`;
      warn(`${path}.ports[${i}].port`, `no ${whose} has a ${protocol} port named ${port}${instead}`);
    }
  }

  /** A pod whose way to the name servers is closed finds nothing by name. */
  #lookAtNames({ spec }: WorldPolicy, selected: readonly WorldPod[], warn: Warn): void {
    if (!spec.policyTypes!.includes('Egress')) return;
    const servers = this.#scene.matching({ matchLabels: DNS.labels }, DNS.namespace);
    if (servers.length === 0) return;
    const nameless = selected.filter((pod) => !this.#nameless.has(pod) && !this.#reaches(pod, servers));
    if (nameless.length === 0) return;
    for (const pod of nameless) this.#nameless.add(pod);
    const message = `no policy lets ${someNames(nameless)} reach UDP ${DNS.port} of kube-dns: names will not resolve`;
    const remedy = `allow egress to namespace ${DNS.namespace}, k8s-app=kube-dns, UDP and TCP ${DNS.port}`;
    warn(`spec.${spec.egress === undefined ? 'policyTypes' : 'egress'}`, `${message}; ${remedy}`);
  }

  #reaches(pod: WorldPod, servers: readonly WorldPod[]): boolean {
    if (servers.includes(pod)) return true; // NP-027
    const key = `${pod.namespace} ${JSON.stringify(pod.labels)}`;
    let isAllowed = this.#reaching.get(key);
    if (isAllowed === undefined) {
      isAllowed = servers.some((server) => this.#scene.isAllowedOut(pod, server, 'UDP', DNS.port));
      this.#reaching.set(key, isAllowed);
    }
    return isAllowed;
  }
}

type Warn = (path: string, message: string) => void;

function rulesOf({ spec }: WorldPolicy): Rule[] {
  const ingress = (spec.ingress ?? []).map(({ from: peers = [], ports = [] }, i): Rule => {
    return { direction: 'ingress', path: `spec.ingress[${i}]`, peers, ports, side: 'from' };
  });
  const egress = (spec.egress ?? []).map(({ to: peers = [], ports = [] }, i): Rule => {
    return { direction: 'egress', path: `spec.egress[${i}]`, peers, ports, side: 'to' };
  });
  return [...ingress, ...egress];
}

function labelledPod({ namespace, name, labels }: WorldPod): Labelled {
  return { shownName: `${namespace}/${name}`, labels };
}

function labelledNamespace({ name, labels }: WorldNamespace): Labelled {
  return { shownName: `namespace ${name}`, labels };
}

function someNames(pods: readonly WorldPod[]): string {
  return someWords(
    pods.map(({ namespace, name }) => `${namespace}/${name}`),
    'pods',
  );
}

/** The first, and how many there are. */
function someWords(words: readonly string[], what: string): string {
  return words.length === 1 ? words[0]! : `${words[0]} and ${words.length - 1} more ${what}`;
}

function parted<T>(list: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [list.filter(isFirst), list.filter((item) => !isFirst(item))];
}
