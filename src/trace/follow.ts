/** Picks the packets of one conversation out of all that was seen, through NAT and ICMP errors, and tells there from back. */
import type { Seen } from './seen.ts';
import { inverse, type Tuple, tupleKey } from './tuple.ts';

export type Direction = 'forward' | 'reply';

export interface Step extends Seen {
  readonly direction: Direction;
}

const back: Readonly<Record<Direction, Direction>> = { forward: 'reply', reply: 'forward' };

/** The first packet of a conversation, and where it comes in. Nobody else's may look like it. */
export type Beginning = Pick<Tuple, 'protocol' | 'destination'> & {
  /** Undefined for ICMP: its identifier stands there. */
  readonly destinationPort?: number;
  readonly node: string;
  /** Undefined where nobody else asks: in a dry run. */
  readonly sourcePort?: number;
} & (
    | { readonly from: 'pod'; readonly source: string }
    /** Which of its addresses it takes is not known beforehand. */
    | { readonly from: 'host'; readonly source?: never }
  );

/** @param seen in order of time. */
export function follow(seen: readonly Seen[], beginning: Beginning): Step[] {
  const known = new Map<string, Direction>();
  const learn = (tuple: Tuple, direction: Direction) => {
    known.set(tupleKey(inverse(tuple)), back[direction]);
    known.set(tupleKey(tuple), direction); // last: a packet may be its own answer's image
  };
  const steps: Step[] = [];
  for (const one of seen) {
    if (known.size === 0 && isBeginning(one, beginning)) learn(one.tuple, 'forward');
    const direction = directionOf(one, known);
    if (direction === undefined) continue;
    steps.push({ ...one, direction });
    if (one.translated === undefined) continue;
    learn(one.translated.before, direction);
    learn(one.translated.after, direction);
  }
  return steps;
}

function isBeginning(one: Seen, { node, from, ...wanted }: Beginning): boolean {
  const { tuple, outgoing, ingress, quoted } = one;
  if (outgoing || quoted !== undefined || one.node !== node || ingress.kind !== from) return false;
  const fields = Object.entries(wanted) as [keyof Tuple, string | number][];
  return fields.every(([field, value]) => tuple[field] === value);
}

/** An error goes back to who sent what it is about. */
function directionOf({ tuple, quoted }: Seen, known: ReadonlyMap<string, Direction>): Direction | undefined {
  if (quoted === undefined) return known.get(tupleKey(tuple));
  const about = known.get(tupleKey(quoted));
  return about === undefined ? undefined : back[about];
}
