/** Random numbers that can be had again. `PODWIRE_SEED=… vitest` repeats, or varies, every random test. */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed | 0;
  }

  /** Any 32-bit value, unsigned (mulberry32). */
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor((this.word() / 0x1_0000_0000) * count);
  }

  /** `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  bytes(len: number): Uint8Array {
    const bytes = new Uint8Array(len);
    for (let i = 0; i < len; i++) bytes[i] = this.word() >>> 13;
    return bytes;
  }
}

const DEFAULT_SEED = 20_240_601;

/** Runs a random test; its failure names the seed that repeats it. */
export function withRandom(run: (random: Random) => void): void {
  const seed = Number(process.env['PODWIRE_SEED'] ?? DEFAULT_SEED);
  try {
    run(new Random(seed));
  } catch (error) {
    if (error instanceof Error) error.message += ` (repeat with PODWIRE_SEED=${seed})`;
    throw error;
  }
}
