/** Picks the packets of one conversation out of all that was seen, through NAT and ICMP errors, and tells there from back. */
import type { Seen } from './seen.ts';
import { inverse, type Tuple, tupleKey } from './tuple.ts';

export type Direction = 'forward' | 'reply';

export interface Step extends Seen {
  readonly direction: Direction;
}

const back: Readonly<Record<Direction, Direction>> = { forward: 'reply', reply: 'forward' };

/** What a conversation begins with: the address and port that it was begun from may not be known. */
export type Beginning = Pick<Tuple, 'protocol' | 'destination' | 'destinationPort'> & Partial<Tuple>;

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

function isBeginning({ tuple, outgoing, ingress, quoted }: Seen, beginning: Beginning): boolean {
  if (outgoing || quoted !== undefined || (ingress.kind !== 'pod' && ingress.kind !== 'host')) return false;
  const wanted = Object.entries(beginning) as [keyof Tuple, string | number][];
  return wanted.every(([field, value]) => tuple[field] === value);
}

/** An error goes back to who sent what it is about. */
function directionOf({ tuple, quoted }: Seen, known: ReadonlyMap<string, Direction>): Direction | undefined {
  if (quoted === undefined) return known.get(tupleKey(tuple));
  const about = known.get(tupleKey(quoted));
  return about === undefined ? undefined : back[about];
}
