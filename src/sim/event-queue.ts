interface Event {
  readonly timeMs: number;
  readonly sequence: number;
  readonly action: () => void;
}

/** What will happen: in order of time, and at one time in the order in which it was planned. */
export class EventQueue {
  /** A binary heap. */
  readonly #events: Event[] = [];
  #sequence = 0;

  plan(timeMs: number, action: () => void): void {
    const event = { timeMs, sequence: this.#sequence++, action };
    let i = this.#events.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = this.#events[parent]!;
      if (!before(event, above)) break;
      this.#events[i] = above;
      i = parent;
    }
    this.#events[i] = event;
  }

  /** When the next one is; Infinity when there is none. */
  get nextMs(): number {
    return this.#events[0]?.timeMs ?? Infinity;
  }

  /** Takes the next one off. Pre: there is one. */
  take(): () => void {
    const events = this.#events;
    const first = events[0]!;
    const last = events.pop()!;
    if (events.length === 0) return first.action;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= events.length) break;
      if (child + 1 < events.length && before(events[child + 1]!, events[child]!)) child++;
      if (!before(events[child]!, last)) break;
      events[i] = events[child]!;
      i = child;
    }
    events[i] = last;
    return first.action;
  }
}

function before(a: Event, b: Event): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.sequence < b.sequence);
}
