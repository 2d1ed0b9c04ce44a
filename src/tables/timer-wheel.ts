/**
 * Which of many items is due? One list per tick, `ticks` of them (a power of two). An item further away than the wheel
 * is long waits in the last list and is put back when that comes round, so a deadline may be any tick.
 *
 * Scheduling is lazy for callers that only ever postpone: they may keep the true deadline themselves and schedule
 * again when `expire` hands the item out early.
 */
export class TimerWheel {
  readonly #mask: number;
  /** Item + 1 of the first item of each tick's list. */
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  /** Item + 1 of the previous item; negative: -(list + 1) when the item is the first of its list; 0: not scheduled. */
  readonly #previous: Int32Array;
  /** Due tick of each scheduled item. */
  readonly #due: Int32Array;
  #now: number;

  constructor(items: number, ticks: number, now: number) {
    this.#mask = ticks - 1;
    this.#heads = new Int32Array(ticks);
    this.#next = new Int32Array(items);
    this.#previous = new Int32Array(items);
    this.#due = new Int32Array(items);
    this.#now = now;
  }

  /** The tick an item waits for, or -1. Exact even when it is further away than the wheel is long. */
  due(item: number): number {
    return this.#previous[item] === 0 ? -1 : this.#due[item]!;
  }

  /** Schedules, or moves, an item to a tick; one in the past is due at the next `expire`. */
  schedule(item: number, tick: number): void {
    if (this.#previous[item] !== 0) this.#unlink(item);
    this.#due[item] = tick;
    this.#link(item);
  }

  cancel(item: number): void {
    if (this.#previous[item] !== 0) this.#unlink(item);
  }

  /**
   * The next item due at or before `now`, taken off the wheel, or -1 when there is none left; call until then. A
   * `now` that jumped far (a stopped process) costs at most one turn of the wheel.
   */
  expire(now: number): number {
    if (now - this.#now > this.#mask + 1) this.#now = now - this.#mask - 1;
    for (;;) {
      const list = this.#now & this.#mask;
      let link = this.#heads[list]!;
      while (link !== 0) {
        const item = link - 1;
        link = this.#next[item]!;
        if (this.#due[item]! <= now) {
          this.#unlink(item);
          return item;
        }
        // Not due: it was further away than the wheel is long. Its new list is another one, so this loop ends.
        this.#unlink(item);
        this.#link(item);
      }
      if (this.#now >= now) return -1;
      this.#now++;
    }
  }

  #link(item: number): void {
    const ahead = Math.min(Math.max(this.#due[item]! - this.#now, 0), this.#mask);
    const list = (this.#now + ahead) & this.#mask;
    const first = this.#heads[list]!;
    this.#next[item] = first;
    this.#previous[item] = -(list + 1);
    if (first !== 0) this.#previous[first - 1] = item + 1;
    this.#heads[list] = item + 1;
  }

  #unlink(item: number): void {
    const next = this.#next[item]!;
    const previous = this.#previous[item]!;
    if (next !== 0) this.#previous[next - 1] = previous;
    if (previous < 0) this.#heads[-previous - 1] = next;
    else this.#next[previous - 1] = next;
    this.#previous[item] = 0;
  }
}
