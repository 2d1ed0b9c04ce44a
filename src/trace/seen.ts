/** A sighting as a trace keeps it: what it says of one packet at one hop, with names for numbers. */
import { type IpSummary, summarizeFrame } from '../capture/frame-summary.ts';
import { icmpWords } from '../capture/icmp-words.ts';
import { hopName, stageOf, wayName } from '../capture/verdict-words.ts';
import type { CaptureScene } from '../cluster/capture-scene.ts';
import { KEY_WORDS } from '../packet/flow-key.ts';
import { outcomeReason } from '../packet/outcome.ts';
import { Way, wayKind } from '../packet/way.ts';
import { type Sighting, SightingBit } from '../recording/sighting.ts';
import { TcpFlag } from '../wire/tcp.ts';
import { keyTuple, packetTuple, type Tuple } from './tuple.ts';

export type PlaceKind = 'pod' | 'host' | 'outside' | 'tunnel' | 'none';

/** Behind a way in or out of a node. */
export interface Place {
  readonly kind: PlaceKind;
  /** `pod/shop/web`, `node/n1:host`; of a tunnel, the other node. */
  readonly name: string;
}

/** What a policy had before it when it denied the packet. */
export interface Judgement {
  readonly tuple: Tuple;
  readonly direction: 'egress' | 'ingress';
  readonly revision: number;
}

export interface Seen {
  readonly node: string;
  /** As users name it. */
  readonly hop: string;
  /** ns; of one clock for all nodes. */
  readonly timeNs: number;
  /** Of the packet on its node. */
  readonly number: number;
  /** From the node to the hop. */
  readonly outgoing: boolean;
  /** It began in the node. */
  readonly originated: boolean;
  readonly ingress: Place;
  readonly egress: Place;
  readonly tuple: Tuple;
  /** Of an ICMP error: what it is about. */
  readonly quoted: Tuple | undefined;
  /** `SYN`, `RST, ACK`, `echo request`, `port unreachable`; empty for the rest. */
  readonly words: string;
  /** Where NAT has changed it, or would have. */
  readonly translated: { readonly before: Tuple; readonly after: Tuple } | undefined;
  readonly judgement: Judgement | undefined;
  readonly outcome: number;
  /** Why it was dropped or consumed: a name of docs/DROPS.md, and its meaning. */
  readonly reason: { readonly name: string; readonly means: string; readonly look: string } | undefined;
  /** That dropped it. */
  readonly stage: string | undefined;
}

const DIRECTION_EGRESS = 1;

/** Undefined for what is no IP packet. Keeps nothing of the sighting. */
export function seenOf(sighting: Sighting, scene: CaptureScene): Seen | undefined {
  const { bytes, at, captured, wireLen, innerOffset, outcome } = sighting;
  const skip = innerOffset < captured ? innerOffset : 0;
  const { ip } = summarizeFrame(bytes, at + skip, captured - skip, wireLen - skip);
  if (ip === undefined) return undefined;
  return {
    node: scene.node,
    hop: hopName(scene, sighting.hop),
    timeNs: sighting.timeNs,
    number: sighting.number,
    outgoing: sighting.is(SightingBit.Outgoing),
    originated: sighting.is(SightingBit.Originated),
    ingress: placeOf(scene, sighting.ingress),
    egress: placeOf(scene, sighting.egress),
    tuple: packetTuple(ip),
    quoted: quoteOf(ip),
    words: wordsOf(ip),
    translated: sighting.is(SightingBit.Translated)
      ? { before: keyTuple(sighting.keys, 0), after: keyTuple(sighting.keys, KEY_WORDS) }
      : undefined,
    judgement: sighting.is(SightingBit.Judged) ? judgementOf(sighting) : undefined,
    outcome,
    reason: outcomeReason(outcome),
    stage: outcome < 0 ? stageOf(sighting) : undefined,
  };
}

const kinds: Readonly<Record<number, PlaceKind>> = {
  [Way.Pod]: 'pod',
  [Way.Host]: 'host',
  [Way.Outside]: 'outside',
  [Way.Tunnel]: 'tunnel',
};

function placeOf(scene: CaptureScene, way: number): Place {
  const kind = kinds[wayKind(way)] ?? 'none';
  return { kind, name: kind === 'none' ? '' : wayName(scene, way) };
}

function judgementOf({ keys, judgedDirection, judgedRevision }: Sighting): Judgement {
  const direction = judgedDirection === DIRECTION_EGRESS ? 'egress' : 'ingress';
  return { tuple: keyTuple(keys, 0), direction, revision: judgedRevision };
}

function quoteOf({ transport }: IpSummary): Tuple | undefined {
  const quote = transport?.kind === 'icmp' ? transport.quote : undefined;
  return quote === undefined ? undefined : packetTuple(quote);
}

const flagNames: readonly (readonly [number, string])[] = [
  [TcpFlag.Syn, 'SYN'],
  [TcpFlag.Rst, 'RST'],
  [TcpFlag.Fin, 'FIN'],
  [TcpFlag.Ack, 'ACK'],
];

function wordsOf({ transport, version }: IpSummary): string {
  if (transport?.kind === 'icmp') return icmpWords(version, transport.type, transport.code);
  if (transport?.kind !== 'tcp') return '';
  const { flags } = transport;
  return flagNames.flatMap(([flag, name]) => ((flags & flag) === 0 ? [] : [name])).join(', ');
}
