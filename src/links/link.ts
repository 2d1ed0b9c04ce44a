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
const DRAWS = 4;

/**
 * One direction between two nodes. The knobs are those of Linux's netem (net/sched/sch_netem.c, netem_enqueue), but
 * for jitter: a link is a queue, so a packet that is lucky does not pass the one in front. Who wants that asks for
 * `reorder`.
 */
export class Link {
  readonly settings: LinkSettings;
  /** What `decide` decided: */
  lost = false;
  doubled = false;
  /** One number: when the packet leaves. An array, because a field would allocate for each packet. */
  readonly dueMs = new Float64Array(1);
  /** When the last packet that kept its place leaves. */
  readonly #lastMs = new Float64Array(1);
  readonly #drawn = new Float64Array(DRAWS);
  /** An array, as it does not fit a small integer: see `dueMs`. */
  readonly #state = new Int32Array(1);

  constructor(settings: LinkSettings) {
    this.settings = settings;
    this.#state[0] = settings.seed;
  }

  /** Would a link with these settings do the same? */
  is(settings: LinkSettings): boolean {
    const names = Object.keys(this.settings) as (keyof LinkSettings)[];
    return names.every((name) => this.settings[name] === settings[name]);
  }

  /** Every packet draws four numbers, whatever becomes of it: one more loss moves no other decision. */
  decide(nowMs: number): void {
    const { delayMs, jitterMs, loss, duplicate, reorder } = this.settings;
    const drawn = this.#drawn;
    for (let i = 0; i < DRAWS; i++) this.#draw(i);
    this.lost = drawn[0]! < loss;
    this.doubled = drawn[1]! < duplicate;
    if (drawn[2]! < reorder) {
      this.dueMs[0] = nowMs;
      return;
    }
    const wait = Math.max(0, delayMs + (2 * drawn[3]! - 1) * jitterMs);
    this.dueMs[0] = Math.max(nowMs + wait, this.#lastMs[0]!);
    if (!this.lost) this.#lastMs[0] = this.dueMs[0]!;
  }

  /** 0 up to 1 (mulberry32). Stored, not returned: what is no small integer would be allocated on return. */
  #draw(i: number): void {
    this.#state[0]! += 0x6d2b79f5;
    const state = this.#state[0]!;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    this.#drawn[i] = ((t ^ (t >>> 14)) >>> 0) / TWO_TO_32;
  }
}
