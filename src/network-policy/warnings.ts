/**
 * Policies that are right and yet do not do what their writer wants: selectors that match nothing, ports that nobody
 * has, addresses that no packet shows. Pure; tells what is so at one moment.
 */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { NetworkPolicyPeer, NetworkPolicyPort } from 'kubernetes-types/networking/v1.d.ts';
import { BlockWarnings } from './block-warnings.ts';
import type { Direction } from './explain-match.ts';
import { type Labelled, nearestLabel, selectorWords } from './nearest-label.ts';
import type { PolicyWorld, WorldNamespace, WorldPod, WorldPolicy } from './policy-world.ts';
import { PortWarnings } from './port-warnings.ts';
import { type ClusterFacts, Scene } from './warning-scene.ts';
import { DNS, NameReach } from './warnings-names.ts';

interface PolicyWarning {
  readonly policy: WorldPolicy;
  /** `spec.ingress[0].from[1].podSelector` */
  readonly path: string;
  readonly message: string;
}

/** Who shows warnings shows fewer. */
const NEAREST_MAX = 20;

const nobody: readonly WorldPod[] = [];

/** @param meant the policies to look at; all others only count where a pod is governed by several */
export function policyWarnings(
  world: PolicyWorld,
  facts: ClusterFacts,
  meant: readonly WorldPolicy[],
): PolicyWarning[] {
  const finder = new WarningFinder(world, facts);
  for (const policy of meant) finder.look(policy);
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
  readonly #blocks: BlockWarnings;
  readonly #ports: PortWarnings;
  readonly #names: NameReach;

  constructor(world: PolicyWorld, facts: ClusterFacts) {
    this.#scene = new Scene(world);
    this.#blocks = new BlockWarnings(facts, this.#scene);
    this.#ports = new PortWarnings(facts, this.#scene);
    this.#names = new NameReach(world, this.#scene);
  }

  look(policy: WorldPolicy): void {
    const warn = (path: string, message: string) => void this.warnings.push({ policy, path, message });
    const selected = this.#lookAtTarget(policy, warn);
    this.#lookAtTypes(policy, warn);
    for (const rule of rulesOf(policy)) {
      const peers = rule.peers.map((peer, i) => {
        const warnHere: Warn = (field, message) => warn(`${rule.path}.${rule.side}[${i}]${field}`, message);
        if (peer.ipBlock === undefined) return this.#lookAtPeer(policy, rule, i, warnHere);
        const owner = { namespace: policy.namespace, direction: rule.direction, selected };
        const message = this.#blocks.warning(peer.ipBlock, owner);
        if (message !== undefined) warnHere('.ipBlock', message);
        return this.#scene.inBlock(peer.ipBlock);
      });
      this.#lookAtPorts(rule, selected, peers, warn);
    }
    this.#lookAtNames(policy, selected, warn);
  }

  /** @returns the pods that the policy governs */
  #lookAtTarget({ namespace, spec: { podSelector } }: WorldPolicy, warn: Warn): readonly WorldPod[] {
    const there = this.#scene.podsOf(namespace);
    const { pods, onHosts } = this.#scene.selection(podSelector, namespace);
    const path = 'spec.podSelector';
    if (there.length === 0) warn(path, `namespace ${namespace} has no pods: nothing is governed`);
    else if (pods.length + onHosts.length === 0) {
      const nearest = this.#nearest(podSelector, () => there.map(labelledPod));
      warn(path, `podSelector ${selectorWords(podSelector)} matches no pod of ${namespace}${nearest}`);
    } else if (onHosts.length > 0) {
      const names = someNames(onHosts);
      warn(
        path,
        `podSelector ${selectorWords(podSelector)} matches ${names} on the host's network: no policy governs that`,
      );
    }
    return pods;
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

  /** @returns the pods that a peer with selectors matches */
  #lookAtPeer({ namespace }: WorldPolicy, { peers }: Rule, at: number, warn: Warn): readonly WorldPod[] {
    const { podSelector, namespaceSelector: spaces } = peers[at]!;
    if (spaces !== undefined && this.#scene.namespacesMatching(spaces).length === 0) {
      const nearest = this.#nearest(spaces, () => this.#scene.namespaces.map(labelledNamespace));
      warn('.namespaceSelector', `namespaceSelector ${selectorWords(spaces)} matches no namespace${nearest}`);
      return nobody;
    }
    const wanted = podSelector ?? {};
    const { pods, onHosts } =
      spaces === undefined ? this.#scene.selection(wanted, namespace) : this.#scene.selectionIn(wanted, spaces);
    if (pods.length > 0) return pods;
    const field = podSelector === undefined ? '.namespaceSelector' : '.podSelector';
    if (onHosts.length > 0) {
      const only = `matches only ${someNames(onHosts)} on the host's network, which no selector means`;
      warn(field, `${only}; use ipBlock with the node's address`);
    } else if (podSelector === undefined) {
      const where = someNamespaces(this.#scene.namespacesMatching(spaces!));
      warn(field, `namespaceSelector ${selectorWords(spaces!)} matches ${where}, without any pod`);
    } else if (spaces === undefined) {
      const message = this.#nobodyHere(namespace, podSelector, peers, at);
      if (message !== undefined) warn(field, message);
    } else {
      const there = () => this.#scene.selectionIn({}, spaces).pods.map(labelledPod);
      const where = someNamespaces(this.#scene.namespacesMatching(spaces));
      const nearest = this.#nearest(podSelector, there);
      warn(field, `podSelector ${selectorWords(podSelector)} matches no pod of ${where}${nearest}`);
    }
    return nobody;
  }

  /** Why a peer that is a podSelector alone means none. */
  #nobodyHere(
    namespace: string,
    podSelector: LabelSelector,
    peers: readonly NetworkPolicyPeer[],
    at: number,
  ): string | undefined {
    const selector = selectorWords(podSelector);
    const words = `podSelector ${selector} matches no pod of ${namespace}`;
    for (const beside of [at - 1, at + 1]) {
      const spaces = namespacesAlone(peers[beside]);
      const [pod] = spaces === undefined ? nobody : this.#scene.selectionIn(podSelector, spaces).pods;
      if (pod === undefined) continue;
      const second = beside < at ? 'podSelector' : 'namespaceSelector';
      const remedy = `join the two entries: remove the '-' before ${second}`;
      return `${words}, but ${pod.namespace}/${pod.name} would; to mean pods ${selector} in these namespaces, ${remedy}`;
    }
    const there = this.#scene.podsOf(namespace);
    if (there.length === 0) return undefined; // told of the target
    const elsewhere = this.#scene.podAnywhere(podSelector);
    if (elsewhere === undefined) return `${words}${this.#nearest(podSelector, () => there.map(labelledPod))}`;
    const remedy = `namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ${elsewhere.namespace}}}`;
    return `${words}, but ${elsewhere.namespace}/${elsewhere.name} would: without namespaceSelector a peer means its own namespace; add ${remedy}`;
  }

  /** The label that was meant; for the first warnings only, as it takes its time. */
  #nearest(selector: LabelSelector, candidates: () => readonly Labelled[]): string {
    return this.#isBrief() ? '' : nearestLabel(selector, candidates());
  }

  #isBrief(): boolean {
    return this.warnings.length >= NEAREST_MAX;
  }

  /** @param peers the pods of each of the rule's */
  #lookAtPorts(rule: Rule, selected: readonly WorldPod[], peers: readonly (readonly WorldPod[])[], warn: Warn): void {
    const isIngress = rule.direction === 'ingress';
    const whose = isIngress ? 'selected pod' : 'pod of the peers';
    const named = isIngress ? [selected] : peers.length === 0 ? [this.#scene.networkPods] : peers;
    // Numbers may be meant for others than pods, wherever a rule is open to them.
    const numbered = isIngress ? [selected] : peers.filter((_, i) => rule.peers[i]!.ipBlock === undefined);
    for (const [i, entry] of rule.ports.entries()) {
      const { port } = entry;
      let message: string | undefined;
      if (typeof port === 'string') message = this.#ports.name({ ...entry, port }, named, whose, this.#isBrief());
      else if (port !== undefined) message = this.#ports.number({ ...entry, port }, rule.ports, numbered);
      if (message !== undefined) warn(`${rule.path}.ports[${i}].port`, message);
    }
  }

  /** A pod whose way to the name servers is closed finds nothing by name. */
  #lookAtNames({ spec }: WorldPolicy, selected: readonly WorldPod[], warn: Warn): void {
    if (!spec.policyTypes!.includes('Egress')) return;
    const nameless = this.#names.nameless(selected);
    if (nameless.length === 0) return;
    const message = `no policy lets ${someNames(nameless)} reach UDP ${DNS.port} of kube-dns: names will not resolve`;
    const remedy = `allow egress to namespace ${DNS.namespace}, k8s-app=kube-dns, UDP and TCP ${DNS.port}`;
    warn(`spec.${spec.egress === undefined ? 'policyTypes' : 'egress'}`, `${message}; ${remedy}`);
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

/** The selector of a peer that has no other field. */
function namespacesAlone(peer: NetworkPolicyPeer | undefined): LabelSelector | undefined {
  return peer?.podSelector === undefined ? peer?.namespaceSelector : undefined;
}

function someNames(pods: readonly WorldPod[]): string {
  const [first] = pods;
  return someWords(`${first!.namespace}/${first!.name}`, pods.length - 1, 'pod');
}

function someNamespaces(namespaces: readonly WorldNamespace[]): string {
  return someWords(namespaces[0]!.name, namespaces.length - 1, 'namespace');
}

/** The first, and how many more there are. */
function someWords(first: string, more: number, what: string): string {
  return more === 0 ? first : `${first} and ${more} more ${what}${more === 1 ? '' : 's'}`;
}
