/**
 * What a function writes. It runs over memory of 0xa5 and again over memory of 0x5a: a byte that is the fill in both
 * results was left alone, a byte that is the same value in both was written, and anything else leaked old memory.
 */
export function written(len: number, write: (view: DataView) => void): Record<number, number> {
  const [a, b] = [0xa5, 0x5a].map((fill) => {
    const bytes = new Uint8Array(len).fill(fill);
    write(new DataView(bytes.buffer));
    return bytes;
  }) as [Uint8Array, Uint8Array];
  const result: Record<number, number> = {};
  for (let i = 0; i < len; i++) {
    if (a[i] === b[i]) result[i] = a[i]!;
    else if (a[i] !== 0xa5 || b[i] !== 0x5a) throw new Error(`byte ${i} depends on what was there before`);
  }
  return result;
}

/** `{ 4: 1, 5: 2 }` from `bytesAt(4, 1, 2)`: what `written` says of a field. */
export function bytesAt(at: number, ...bytes: readonly number[]): Record<number, number> {
  return Object.fromEntries(bytes.map((byte, i) => [at + i, byte]));
}

/** A view of `bytes` that ends where they end, though there is more memory behind them. */
export function viewOf(bytes: ArrayLike<number>): DataView {
  const memory = new Uint8Array(bytes.length + 64).fill(0xa5);
  memory.set(bytes);
  return new DataView(memory.buffer, 0, bytes.length);
}
