/** Rows of numbers, each of which is there once; rows of the round before are there still. */

export class RowTable {
  /** By a hash of what they hold. */
  #now = new Map<number, Int32Array[]>();
  #before = new Map<number, Int32Array[]>();

  beginRound(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }

  /** The row, or the one that holds the same. */
  intern(row: Int32Array): Int32Array {
    const hash = hashOf(row);
    const same = (other: Int32Array) => sameRow(row, other);
    const rows = this.#now.get(hash) ?? [];
    const known = rows.find(same);
    if (known !== undefined) return known;
    const kept = this.#before.get(hash)?.find(same) ?? row;
    rows.push(kept);
    this.#now.set(hash, rows);
    return kept;
  }
}

function sameRow(a: Int32Array, b: Int32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function hashOf(row: Int32Array): number {
  let hash = row.length;
  for (let i = 0; i < row.length; i++) hash = (Math.imul(hash, 31) + row[i]!) | 0;
  return hash;
}
