/**
 * What became of a packet, in words: the comment that stands beside it in Wireshark.
 *
 *     n1: from pod/shop/web | forwarded to n2 | conntrack ESTABLISHED, tcp ESTABLISHED, original
 *     n2: from n1 | DROPPED at route: NoSuchPod | The destination is in this node's pod CIDR, … | look: The pod is gone …
 *     n2: from n1 | DROPPED at ingressPolicy: PolicyDenied | ingress to shop/db is restricted by … | look: …
 */
import type { CaptureScene } from '../cluster/capture-scene.ts';
import { ConnectionFlag } from '../conntrack/connections.ts';
import { sctpStateNames } from '../conntrack/sctp-states.ts';
import { tcpStateNames } from '../conntrack/tcp-states.ts';
import { deniedWords, type Explanation, ruleWords } from '../network-policy/explain.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_SOURCE, KEY_WORDS, keyIsIcmp } from '../packet/flow-key.ts';
import { Drop, dropReasons, outcomeReason, Place } from '../packet/outcome.ts';
import { Way, wayIndex, wayKind } from '../packet/way.ts';
import { Direction } from '../policy/policies.ts';
import { type Sighting, SightingBit } from '../recording/sighting.ts';
import { formatAddress } from '../wire/address.ts';
import { Protocol } from '../wire/protocol.ts';

/** Words for a way in or out, as users name places: `pod/shop/web`, `node/n1:host`, another node's name. */
export function wayName(scene: CaptureScene, way: number): string {
  if (wayKind(way) === Way.Tunnel) return scene.endpoints[wayIndex(way)] ?? `endpoint ${wayIndex(way)}`;
  const hop = scene.hops.find((one) => one.way === way);
  return hop?.name ?? `${scene.node} port ${wayIndex(way)}`;
}

/** Where it was seen: a tunnel's frames are seen on the node's underlay. */
export function hopName(scene: CaptureScene, hop: number): string {
  return wayKind(hop) === Way.Tunnel ? `node/${scene.node}:underlay` : wayName(scene, hop);
}

/**
 * One line, without an end.
 *
 * @param denial why policies denied it, where that is known
 */
export function verdictWords(scene: CaptureScene, sighting: Sighting, denial?: Explanation): string {
  return [
    `${scene.node}: ${movement(scene, sighting)}`,
    ...outcomeWords(scene, sighting, denial),
    ...connectionWords(sighting),
    ...translationWords(sighting),
  ].join(' | ');
}

/** `FORWARDED`, `DROPPED`: what became of it in one word, as flow observers have it. */
export function verdictOf(outcome: number): 'FORWARDED' | 'DROPPED' {
  return outcome < 0 ? 'DROPPED' : 'FORWARDED';
}

/** The stage that dropped the packet (docs/PACKET-LIFE.md): the tunnel's and the host's stories have names of their own. */
export function stageOf(sighting: Sighting): string {
  const { outcome, ingress } = sighting;
  const stage = dropReasons[-1 - outcome]!.stage;
  const kind = wayKind(ingress);
  if (outcome === Drop.SpoofedSource && kind === Way.Host) return 'sourceOfHost';
  if (sighting.is(SightingBit.Judged)) {
    return sighting.judgedDirection === Direction.Egress ? 'egressPolicy' : 'ingressPolicy';
  }
  if (kind !== Way.Tunnel) return stage;
  if (outcome === Drop.SpoofedSource) return 'sourceBehindTunnel';
  if (stage === 'validate') return 'validateInner';
  return stage === 'neighbour' ? 'linkScope' : stage;
}

function movement(scene: CaptureScene, sighting: Sighting): string {
  const { hop, ingress } = sighting;
  if (!sighting.is(SightingBit.Outgoing)) return `from ${wayName(scene, hop)}`;
  if (sighting.is(SightingBit.Originated)) return `to ${wayName(scene, hop)}, begins here`;
  return `to ${wayName(scene, hop)}, from ${wayName(scene, ingress)}`;
}

function outcomeWords(scene: CaptureScene, sighting: Sighting, denial: Explanation | undefined): string[] {
  const { outcome, egress } = sighting;
  const outgoing = sighting.is(SightingBit.Outgoing);
  const reason = outcomeReason(outcome);
  if (outcome < 0) {
    const { name, means, look } = dropReasons[-1 - outcome]!;
    const what = `DROPPED at ${stageOf(sighting)}: ${name}`;
    if (denial !== undefined) return [what, deniedWords(denial.sentence), `look: ${ruleWords(denial)}`];
    return [what, means, `look: ${look}`];
  }
  if (reason !== undefined) return [`${reason.name}: ${reason.means}`];
  if (outcome === Place.Held) {
    const waits = wayKind(egress) === Way.Tunnel || outgoing;
    return [
      waits ? `held: waits on the link to ${wayName(scene, egress)}` : 'held: waits for the rest of its datagram',
    ];
  }
  return [outgoing ? 'sent' : `forwarded to ${wayName(scene, egress)}`];
}

function connectionWords(sighting: Sighting): string[] {
  if (sighting.outcome === Drop.Invalid) return ['conntrack INVALID'];
  if (!sighting.hasConnection) return [];
  if (sighting.related) return ['conntrack RELATED'];
  const { connectionFlags: flags, connectionProtocol: protocol, connectionState: state, direction } = sighting;
  const isNew = direction === 0 && (flags & ConnectionFlag.SeenReply) === 0;
  const states = protocol === Protocol.Tcp ? tcpStateNames : protocol === Protocol.Sctp ? sctpStateNames : [];
  const words = [`conntrack ${isNew ? 'NEW' : 'ESTABLISHED'}`];
  if (states[state] !== undefined) words.push(`${protocol === Protocol.Tcp ? 'tcp' : 'sctp'} ${states[state]}`);
  words.push(direction === 0 ? 'original' : 'reply');
  return [words.join(', ')];
}

function translationWords(sighting: Sighting): string[] {
  if (!sighting.is(SightingBit.Translated)) return [];
  const { keys } = sighting;
  return [`NAT ${tupleWords(keys, 0)} becomes ${tupleWords(keys, KEY_WORDS)}`];
}

/** `10.244.0.2:40000 → 10.96.0.1:80` */
function tupleWords(keys: Int32Array, at: number): string {
  const source = formatAddress(keys, at + KEY_SOURCE);
  const destination = formatAddress(keys, at + KEY_DESTINATION);
  const ports = keys[at + KEY_PORTS]!;
  if (keyIsIcmp(keys, at)) return `${source} → ${destination} id ${ports >>> 16}`;
  return `${withPort(source, ports >>> 16)} → ${withPort(destination, ports & 0xffff)}`;
}

function withPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
