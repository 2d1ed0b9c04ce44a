/** A whole trace: what was asked, what came of it, and its story with what policies said, ready to be shown. Pure. */
import type { PolicyWorld, RuleReference } from '../network-policy/policy-world.ts';
import type { ProbeReport } from '../nodes/protocol.ts';
import type { DropName } from '../packet/outcome.ts';
import type { VerdictOutcome } from '../stack/probe-verdict.ts';
import type { Direction } from './follow.ts';
import { CHANGED, type Judged, judgeStory, type PolicyVerdict } from './judge.ts';
import type { Names } from './names.ts';
import type { HopKind, Story, StoryHop } from './story.ts';
import { endText, hasPorts, type Tuple, tupleText } from './tuple.ts';
import { verdictOf } from './verdict.ts';

/** What was asked, as the user named it and as it was understood. */
export interface TraceQuestion {
  /** `pod shop/web-1 on n1`, `node n1`. */
  readonly from: string;
  /** `Service shop/api, port 80`. */
  readonly to: string;
  readonly protocol: string;
  /** What was chosen where the user left a choice. */
  readonly notes: readonly string[];
}

export interface TraceHop {
  readonly direction: Direction;
  readonly node: string;
  readonly kind: HopKind | 'policy';
  /** Since the first hop. */
  readonly ms: number;
  /** Where it came from or went to: `pod/shop/web`, another node's name. */
  readonly place?: string;
  readonly packet?: string;
  /** What NAT makes of it. */
  readonly becomes?: string;
  readonly reason?: string;
  readonly stage?: string;
  readonly rule?: RuleReference;
  /** For people. */
  readonly words: string;
}

export interface Trace {
  readonly outcome: VerdictOutcome;
  readonly reason: string;
  readonly rule: RuleReference | undefined;
  readonly policies: readonly RuleReference[];
  readonly hops: readonly TraceHop[];
  /** What policies say of it, or what the drop means; empty when there is nothing to say. */
  readonly explanation: string;
  readonly question: TraceQuestion;
  readonly dryRun: boolean;
}

export interface TraceInput {
  readonly question: TraceQuestion;
  readonly report: Pick<ProbeReport, 'outcome' | 'detail'>;
  readonly story: Story;
  readonly names: Names;
  /** Undefined where the cluster has no policies. */
  readonly world: PolicyWorld | undefined;
  readonly dryRun: boolean;
}

const nothing: Judged = { verdicts: [], rule: undefined, policies: [], sentence: '' };
const NS_PER_MS = 1e6;
const NO_SERVICE_PORT: DropName = 'NoServicePort';

export function makeTrace({ question, report, story, names, world, dryRun }: TraceInput): Trace {
  const { outcome, reason } = verdictOf(report, story, question.protocol);
  const judged = world === undefined ? nothing : judgeStory(story, world);
  const { rule, policies, sentence } = judged;
  const drop = outcome === 'delivered' ? undefined : story.hops.findLast(({ kind }) => kind === 'dropped');
  // What a denial means, policies say, where they are known.
  const explained = drop?.judgement !== undefined && sentence !== '' ? undefined : drop;
  return {
    outcome,
    reason,
    rule,
    policies,
    hops: traceHops(story, { verdicts: judged.verdicts, explained, names }),
    explanation: explained === undefined ? sentence : dropMeaning(explained, names),
    question,
    dryRun,
  };
}

/** Of a Service that lacks the port, those that it has. */
function dropMeaning({ reason, tuple }: StoryHop, names: Names): string {
  const { name = '', means = '' } = reason ?? {};
  if (name !== NO_SERVICE_PORT) return means;
  const ports = names.servicePorts(tuple.destination);
  const service = names.service(tuple.destination);
  return service === undefined ? means : `${means} Service ${service} has ${ports.join(', ') || 'no port'}.`;
}

interface Telling {
  readonly verdicts: readonly PolicyVerdict[];
  /** The drop that the outcome explains. */
  readonly explained: StoryHop | undefined;
  readonly names: Names;
}

/** Verdicts stand between what the packet was when it was judged and where it went. */
function traceHops({ hops }: Story, { verdicts, explained, names }: Telling): TraceHop[] {
  const startNs = hops[0]?.timeNs ?? 0;
  const waiting = [...verdicts];
  return hops.flatMap((hop) => {
    const ms = Math.round((hop.timeNs - startNs) / 1000) / (NS_PER_MS / 1000);
    const { direction, node, kind } = hop;
    const isAfter = direction === 'forward' && !['received', 'translated'].includes(kind);
    const asked = isAfter ? waiting.filter((verdict) => verdict.node === node) : [];
    for (const verdict of asked) waiting.splice(waiting.indexOf(verdict), 1);
    return [
      ...asked.map((verdict) => policyHop(verdict, ms)),
      shownHop(hop, ms, { names, isExplained: hop === explained }),
    ];
  });
}

function policyHop({ direction, node, explanation }: PolicyVerdict, ms: number): TraceHop {
  const head = { direction: 'forward', node, kind: 'policy', ms } as const;
  if (explanation === undefined) return { ...head, words: `${direction} policy: ${CHANGED}` };
  const { rule, allowed, policies, sentence } = explanation;
  const deniers = policies.map(({ name }) => name).join(', ');
  // The whole sentence of a denial is the outcome's.
  const words = `${direction} policy: ${allowed ? sentence : `no rule of ${deniers} allows it`}`;
  return { ...head, ...(rule === undefined ? {} : { rule }), words };
}

interface Showing {
  readonly names: Names;
  /** The outcome says what it means. */
  readonly isExplained: boolean;
}

function shownHop(hop: StoryHop, ms: number, showing: Showing): TraceHop {
  const { direction, node, kind, place, tuple, after, reason, stage } = hop;
  return {
    ...{ direction, node, kind, ms },
    ...(place.name === '' ? {} : { place: place.name }),
    packet: tupleText(tuple),
    ...(after === undefined ? {} : { becomes: tupleText(after) }),
    ...(reason === undefined ? {} : { reason: reason.name }),
    ...(stage === undefined ? {} : { stage }),
    words: hopWords(hop, showing),
  };
}

function hopWords(hop: StoryHop, { names, isExplained }: Showing): string {
  const { kind, place, tuple, words, stage } = hop;
  const packet = `${words === '' ? '' : `${words} `}${tupleText(tuple)}`;
  switch (kind) {
    case 'received':
      return `${packet} comes in from ${placeWords(hop)}`;
    case 'translated':
      return translationWords(hop, names);
    case 'forwarded':
      return place.kind === 'tunnel' ? `leaves for ${place.name} by VXLAN` : `leaves for ${placeWords(hop)}`;
    case 'delivered':
      return `delivered to ${placeWords(hop)}`;
    case 'held':
      return `waits for its turn on the link to ${place.name}`;
    case 'answered':
      return `the node itself answers: ${packet}`;
    case 'consumed':
      return `ends here: ${reasonWords(hop)}`;
    case 'dropped':
      return `DROPPED at ${stage}: ${isExplained ? hop.reason?.name : reasonWords(hop)}`;
  }
}

/** What a denial means is the outcome's to say. */
function reasonWords({ reason, judgement }: StoryHop): string {
  return judgement === undefined ? `${reason?.name}: ${reason?.means}` : `${reason?.name}`;
}

function placeWords({ place }: StoryHop): string {
  if (place.kind === 'tunnel') return `node ${place.name} by VXLAN`;
  return place.kind === 'outside' ? 'outside the cluster' : place.name;
}

/** There, a Service becomes one of its backends; back, the backend becomes the Service again. */
function translationWords({ direction, tuple, after }: StoryHop, names: Names): string {
  const now = after!;
  const changes: string[] = [];
  if (isChanged(tuple, now, 'destination')) {
    const service = names.service(tuple.destination);
    const subject = service === undefined ? 'its destination' : `Service ${service}: its destination`;
    changes.push(`${subject} becomes ${endText(now, 'destination')}${ownerWords(now.destination, names)}`);
  }
  if (isChanged(tuple, now, 'source')) {
    const subject = direction === 'forward' ? 'masqueraded: its source' : 'its source';
    const again = direction === 'forward' ? '' : ', as its asker knows it';
    changes.push(`${subject} becomes ${endText(now, 'source')}${again}`);
  }
  return changes.join('; ');
}

function isChanged(before: Tuple, after: Tuple, end: 'source' | 'destination'): boolean {
  if (before[end] !== after[end]) return true;
  return hasPorts(before) && before[`${end}Port`] !== after[`${end}Port`];
}

function ownerWords(address: string, names: Names): string {
  const owner = names.owner(address);
  if (owner === undefined) return '';
  return owner.kind === 'node' ? `, node ${owner.name}` : `, pod ${owner.name} on ${owner.node}`;
}
