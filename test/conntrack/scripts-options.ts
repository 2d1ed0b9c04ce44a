/** TCP options for scripts, as bytes in whole words: right ones, odd ones, and lists whose lengths lie. */
import type { Random } from '../support/random.ts';

const nop = [1, 1] as const;

export const strangeOptions: readonly number[][] = [
  ...['', '2 4 5 180', '3 3 15 0', '3 3 200 0', '1 3 3 7', '3 2 9 0', '3 1 7 0', '0 3 3 7', '8 3 3 7'],
  ...['4 2 3 3 5 0 0 0', '4 3 0 0', '5 2 1 1', '5 9 0 0', '1 1 1 3', '254 4 3 3'],
].map(bytes);

/** Options of a SYN. @param scale -1: no window scale */
export function greeting(random: Random, scale: number): number[] {
  const shift = `3 3 ${Math.max(scale, 0)}`;
  if (random.once(4)) {
    const odd = [`0 ${shift}`, `3 2 ${shift} 1 1 1`, `3 4 ${scale & 15} 0 4 3 1 1`, '1 1 1 3', '4 2 3 3'];
    return bytes(random.pick([...odd, `4 2 ${shift} 3 9 0`, `3 1 ${shift} 1 1 1`, `5 2 ${shift} 3 3 9`]));
  }
  const sack = random.once(3) ? [] : [4, 2, ...nop];
  return random.once(8) ? [] : [2, 4, 5, 0xa8, ...sack, ...(scale < 0 ? [] : [3, 3, scale, 1])];
}

/** One or two SACK blocks. @param expected the acknowledgment they come with; @param next of the other side */
export function selective(random: Random, expected: number, next: number): number[] {
  const first = [...octets(expected + 100), ...octets(random.pick([next, next + 1, expected + 200, expected]))];
  const second = random.once(2) ? [] : [...octets(random.word()), ...octets(next - random.below(3000))];
  const stamps = random.once(3) ? [...nop, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2] : [];
  return [...stamps, ...nop, 5, 2 + first.length + second.length, ...first, ...second];
}

/** A 32-bit word, most significant octet first. */
export function octets(value: number): number[] {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
}

function bytes(text: string): number[] {
  return text === '' ? [] : text.split(' ').map(Number);
}
