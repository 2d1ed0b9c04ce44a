/** Why a rule does not match, in words: what it wants, what was there instead. For rules that do not match only. */
import type { IPBlock, NetworkPolicyPeer, NetworkPolicyPort } from 'kubernetes-types/networking/v1.d.ts';
import {
  type Asked,
  type End,
  exceptOf,
  hasPorts,
  inBlock,
  isIpv4,
  namespaceOf,
  peerMatches,
  peersMatch,
  portsMatch,
  portsOfName,
  type Rule,
} from './explain-match.ts';
import { listed, plain, portWords, unmetLabels, wantedLabels } from './explain-words.ts';
import type { WorldPod } from './policy-world.ts';

/** Peers of one rule that are spoken of; the others are counted. */
const PEERS_MAX = 3;
const NOT_IN = 'is not in';

/** `shop/web` `has` `app=web`. Facts of one subject and verb are said together. */
interface Fact {
  readonly subject: string;
  readonly verb: string;
  readonly what: string;
  /** What people often do not know. */
  readonly hint?: string;
}

/** How near a rule came: the more, the likelier the one that was meant. */
export function nearness({ peers, ports }: Rule, asked: Asked): number {
  const ofPeers = peersMatch(peers, asked) ? 2 : 1 / (1 + Math.min(...peers.map((peer) => distance(peer, asked))));
  if (!portsMatch(ports, asked)) return ofPeers;
  return ofPeers + (ports.length === 0 ? 0.5 : 1); // who names the port has thought of it
}

/** How much is wrong with a peer. Who allows addresses has not thought of pods. */
function distance(peer: NetworkPolicyPeer, asked: Asked): number {
  return factsOf(peer, asked).length + (peer.ipBlock !== undefined && asked.peer.pod !== undefined ? 1 : 0);
}

/**
 * `wants app=api, shop/web has app=web; port 5432 was fine`; the verb's subject is the rule.
 *
 * @param joint between halves: a comma where semicolons part rules
 */
export function missWords({ peers, ports }: Rule, asked: Asked, joint: string): string {
  if (peersMatch(peers, asked)) {
    const allowed = peers.find((peer) => peerMatches(peer, asked));
    const whom = allowed === undefined ? `any ${otherEnd(asked)}` : wantsOf(allowed, asked);
    return `allows ${whom}, but on ${portsWords(ports)} only${joint}${portFault(ports, asked)}`;
  }
  const near = [...peers].sort((a, b) => distance(a, asked) - distance(b, asked));
  const shown = near.slice(0, near.length > PEERS_MAX + 1 ? PEERS_MAX : near.length);
  const wants = listed(
    [...shown.map((peer) => wantsOf(peer, asked)), ...more(near.length - shown.length)],
    'or',
    Infinity,
  );
  const facts = shown.flatMap((peer) => factsOf(peer, asked));
  const faults = factWords(facts, [...facts.flatMap(({ hint }) => hint ?? []), ...serviceHint(shown, asked)]);
  if (ports.length === 0) return `wants ${wants}, ${faults}`;
  if (!portsMatch(ports, asked))
    return `wants ${wants} on ${portsWords(ports)}${joint}${faults}, ${portFault(ports, asked)}`;
  return `wants ${wants}, ${faults}${joint}${asked.protocol === 'TCP' ? '' : `${asked.protocol} `}port ${asked.port} was fine`;
}

function more(count: number): string[] {
  return count === 0 ? [] : [`one of ${count} more`];
}

function otherEnd({ direction }: Asked): string {
  return direction === 'egress' ? 'destination' : 'source';
}

/** `shop/web`, `node n2 (172.18.0.3)`, or the address. */
export function endName({ address, pod, node }: End): string {
  if (pod !== undefined) return podName(pod);
  return node === undefined ? plain(address) : `node ${plain(node)} (${plain(address)})`;
}

export function podName({ namespace, name }: WorldPod): string {
  return `${plain(namespace)}/${plain(name)}`;
}

function wantsOf({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, { peer, pod, world }: Asked): string {
  if (ipBlock !== undefined) return plain(ipBlock.cidr);
  const labels = peer.pod?.labels ?? {};
  const pods = wantedLabels(podSelector ?? {}, labels) || 'any pod';
  if (namespaceSelector === undefined) {
    const isNear = peer.pod?.namespace === pod.namespace && pods !== 'any pod';
    return isNear ? pods : `${pods} in namespace ${plain(pod.namespace)}`;
  }
  const namespaceLabels = peer.pod === undefined ? {} : namespaceOf(world, peer.pod).labels;
  const namespaces = wantedLabels(namespaceSelector, namespaceLabels);
  return `${pods} in ${namespaces === '' ? 'any namespace' : `a namespace with ${namespaces}`}`;
}

/** What keeps a peer from matching; nothing, when it does match. */
function factsOf(entry: NetworkPolicyPeer, asked: Asked): Fact[] {
  const { podSelector, namespaceSelector, ipBlock } = entry;
  if (ipBlock !== undefined) return blockFacts(ipBlock, asked.peer);
  const { pod } = asked.peer;
  if (pod === undefined) return [noPodFact(asked.peer)];
  const facts: Fact[] = [];
  if (namespaceSelector === undefined) {
    if (pod.namespace !== asked.pod.namespace) facts.push(otherNamespaceFact(pod));
  } else {
    const { name, labels } = namespaceOf(asked.world, pod);
    const subject = `namespace ${plain(name)}`;
    facts.push(...unmetLabels(namespaceSelector, labels).map((what) => ({ subject, verb: 'has', what })));
  }
  const subject = podName(pod);
  facts.push(...unmetLabels(podSelector ?? {}, pod.labels).map((what) => ({ subject, verb: 'has', what })));
  return facts;
}

/** NP-010: what is most often got wrong. */
function otherNamespaceFact(pod: WorldPod): Fact {
  return {
    subject: podName(pod),
    verb: 'is in',
    what: `namespace ${plain(pod.namespace)}`,
    hint: "podSelector without namespaceSelector means pods of the policy's own namespace",
  };
}

/** NP-028, NP-029 */
function noPodFact(peer: End): Fact {
  const subject = plain(peer.address);
  if (peer.node === undefined) {
    return { subject, verb: 'is', what: 'no pod', hint: 'selectors match pods only; addresses take an ipBlock' };
  }
  const hint = 'selectors never match nodes and host-network pods; their addresses take an ipBlock';
  return { subject, verb: 'is', what: `node ${plain(peer.node)}`, hint };
}

function blockFacts(block: IPBlock, { address, pod }: End): Fact[] {
  const subject = pod === undefined ? plain(address) : `${plain(address)} (${podName(pod)})`;
  if (inBlock(block.cidr, address)) {
    const except = exceptOf(block, address);
    return except === undefined ? [] : [{ subject, verb: 'is in except', what: plain(except) }];
  }
  if (isIpv4(block.cidr) !== isIpv4(address)) {
    return [{ subject, verb: 'is', what: isIpv4(address) ? 'an IPv4 address' : 'an IPv6 address' }];
  }
  return [{ subject, verb: NOT_IN, what: plain(block.cidr) }];
}

/** NP-031: egress to a pod, and a block without pods, as Services' addresses are. */
function serviceHint(peers: readonly NetworkPolicyPeer[], { peer, direction, world }: Asked): string[] {
  if (direction === 'ingress' || peer.pod === undefined) return [];
  const isForService = peers.some(({ ipBlock }) => {
    return (
      ipBlock !== undefined && !world.pods.some(({ addresses }) => addresses.some((one) => inBlock(ipBlock.cidr, one)))
    );
  });
  if (!isForService) return [];
  return ["if this is a Service's address: egress is judged by the address of the pod behind it"];
}

/** `shop/web has app=web and no label tier, 10.0.0.7 is not in 10.1.0.0/16`, hints in parentheses. */
function factWords(facts: readonly Fact[], hints: readonly string[]): string {
  const groups = new Map<string, string[]>();
  for (const { subject, verb, what } of facts) {
    const about = `${subject} ${verb}`;
    groups.set(about, [...(groups.get(about) ?? []), what]);
  }
  const words = [...groups].map(([about, whats]) => {
    const isManyBlocks = about.endsWith(NOT_IN) && whats.length > 1;
    return isManyBlocks
      ? `${about.slice(0, -NOT_IN.length)}is in none of these blocks`
      : `${about} ${listed(whats, 'and')}`;
  });
  return [words.join(', '), ...[...new Set(hints)].map((hint) => `(${hint})`)].join(' ');
}

function portsWords(ports: readonly NetworkPolicyPort[]): string {
  return listed(ports.map(portWords), 'or');
}

/** `asked was TCP 5432`, and what the names of ports mean at the destination. */
function portFault(ports: readonly NetworkPolicyPort[], asked: Asked): string {
  const { protocol, port } = asked;
  if (!hasPorts(protocol)) return `${plain(protocol)} has no ports: only a rule without ports allows it`;
  const names = new Set(ports.flatMap((entry) => (typeof entry.port === 'string' ? [entry.port] : [])));
  return [`asked was ${protocol} ${port}`, ...[...names].map((name) => nameWords(name, asked))].join(', ');
}

/** NP-018, NP-019 */
function nameWords(name: string, asked: Asked): string {
  const { target } = asked;
  if (target.pod === undefined) return `${endName(target)} is no pod, so it has no port named ${plain(name)}`;
  const found = portsOfName(name, asked).map(({ protocol, port }) => `${protocol} ${port}`);
  if (found.length === 0) return `${podName(target.pod)} has no port named ${plain(name)}`;
  return `${plain(name)} of ${podName(target.pod)} is ${listed(found, 'and')}`;
}
