/**
 * `links/`: what a network between two nodes does to packets: it takes time, loses, doubles, and lets some overtake
 * others. Decisions come from a generator of the link's own: same seed, same packets, same decisions.
 */

export interface LinkSettings {
  readonly delayMs: number;
  /** The delay varies by up to this much, both ways, evenly. */
  readonly jitterMs: number;
  /** Shares of the packets, 0 to 1. */
  readonly loss: number;
  readonly duplicate: number;
  /** These leave at once, and so overtake whoever waits; without a delay nobody does. */
  readonly reorder: number;
  /** Any 32 bits. */
  readonly seed: number;
}

const TWO_TO_32 = 0x1_0000_0000;

/**
 * One direction between two nodes. The knobs are those of Linux's netem (net/sched/sch_netem.c, netem_enqueue), but
 * for jitter: a link is a queue, so a packet that is lucky does not pass the one in front. Who wants that asks for
 * `reorder`.
 */
export class Link {
  /** What `decide` decided: */
  lost = false;
  doubled = false;
  /** One number: when the packet leaves. An array, because a field would allocate for each packet. */
  readonly dueMs = new Float64Array(1);
  readonly #settings: LinkSettings;
  /** When the last packet that kept its place leaves. */
  readonly #lastMs = new Float64Array(1);
  #state: number;

  constructor(settings: LinkSettings) {
    this.#settings = settings;
    this.#state = settings.seed | 0;
  }

  /** Every packet draws four numbers, whatever becomes of it: one more loss moves no other decision. */
  decide(nowMs: number): void {
    const { delayMs, jitterMs, loss, duplicate, reorder } = this.#settings;
    this.lost = this.#draw() < loss;
    this.doubled = this.#draw() < duplicate;
    const overtakes = this.#draw() < reorder;
    const wait = Math.max(0, delayMs + (2 * this.#draw() - 1) * jitterMs);
    if (overtakes) {
      this.dueMs[0] = nowMs;
      return;
    }
    this.dueMs[0] = Math.max(nowMs + wait, this.#lastMs[0]!);
    if (!this.lost) this.#lastMs[0] = this.dueMs[0]!;
  }

  /** 0 up to 1 (mulberry32). */
  #draw(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / TWO_TO_32;
  }
}
