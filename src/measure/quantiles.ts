/** The value that the share `q` (0 to 1) of the values does not exceed: nearest rank. `sorted` is ascending, not empty. */
export function quantile(sorted: Float64Array, q: number): number {
  const rank = Math.ceil(q * sorted.length);
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1]!;
}
