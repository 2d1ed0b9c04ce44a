/**
 * Nothing vanishes: at any instant, in packets as the stages see them (a superframe is one),
 *
 *     received + originated + copied + split = delivered + dropped + consumed + held
 *
 * Each term is counted at its own place and by nobody else: `received` where a port hands a packet in, `delivered`
 * where a port has taken it, the rest where it happens. So a stage that loses a packet trips the check. The numbers
 * live in shared memory: other threads read them without asking.
 */
import { consumeReasons, dropReasons } from '../packet/outcome.ts';

const Term = { Received: 0, Originated: 1, Copied: 2, Split: 3, Delivered: 4, Held: 5, Violations: 6 } as const;
const DROPS_AT = 8;
const CONSUMED_AT = DROPS_AT + dropReasons.length;
const SIZE = CONSUMED_AT + consumeReasons.length;

export class Counters {
  readonly shared: SharedArrayBuffer;
  readonly #values: Float64Array;

  constructor(shared = new SharedArrayBuffer(SIZE * Float64Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#values = new Float64Array(shared);
  }

  countReceived(): void {
    this.#values[Term.Received]!++;
  }

  countOriginated(): void {
    this.#values[Term.Originated]!++;
  }

  /** A packet came into being as the copy of one that goes on. */
  countCopied(): void {
    this.#values[Term.Copied]!++;
  }

  /** A packet became `pieces` packets, each of which goes on by itself. */
  countSplit(pieces: number): void {
    this.#values[Term.Split]! += pieces - 1;
  }

  /** A packet stays here for a while: in reassembly, on a link, in a queue. */
  countHeld(): void {
    this.#values[Term.Held]!++;
  }

  /** A packet that was held goes on, or ends; the one who releases it counts how. */
  countReleased(): void {
    this.#values[Term.Held]!--;
  }

  countDelivered(): void {
    this.#values[Term.Delivered]!++;
  }

  /** @param index position in `dropReasons`. */
  countDropped(index: number): void {
    this.#values[DROPS_AT + index]!++;
  }

  /** Packets that count as delivered could not be sent after all. @param index position in `dropReasons`. */
  countLost(packets: number, index: number): void {
    this.#values[Term.Delivered]! -= packets;
    this.#values[DROPS_AT + index]! += packets;
  }

  /** @param index position in `consumeReasons`. */
  countConsumed(index: number): void {
    this.#values[CONSUMED_AT + index]!++;
  }

  /** Compares the two sides; counts a violation and returns the difference when they are not equal. */
  check(): number {
    const v = this.#values;
    let difference = v[Term.Received]! + v[Term.Originated]! + v[Term.Copied]! + v[Term.Split]!;
    difference -= v[Term.Delivered]! + v[Term.Held]!;
    for (let i = DROPS_AT; i < SIZE; i++) difference -= v[i]!;
    if (difference !== 0) v[Term.Violations]!++;
    return difference;
  }

  /** Everything by name, zeros left out of the reasons. */
  snapshot(): CounterSnapshot {
    const v = this.#values;
    const named = (at: number, reasons: readonly { name: string }[]) =>
      Object.fromEntries(reasons.map((reason, i) => [reason.name, v[at + i]!]).filter(([, count]) => count !== 0));
    return {
      received: v[Term.Received]!,
      originated: v[Term.Originated]!,
      copied: v[Term.Copied]!,
      split: v[Term.Split]!,
      delivered: v[Term.Delivered]!,
      held: v[Term.Held]!,
      violations: v[Term.Violations]!,
      dropped: named(DROPS_AT, dropReasons),
      consumed: named(CONSUMED_AT, consumeReasons),
    };
  }
}

export interface CounterSnapshot {
  readonly received: number;
  readonly originated: number;
  readonly copied: number;
  readonly split: number;
  readonly delivered: number;
  readonly held: number;
  /** How often the check has failed: anything but 0 is a bug in podwire. */
  readonly violations: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly consumed: Readonly<Record<string, number>>;
}
