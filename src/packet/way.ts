/**
 * A way in or out of a node, in one integer: what kind of place it is, and which one of its kind. Routes, packets and
 * connections all speak of ways.
 */
export const Way = { None: 0, Pod: 1, Host: 2, Outside: 3, Tunnel: 4, Blackhole: 5 } as const;

const KIND_SHIFT = 24;

/** @param index port or tunnel endpoint number, below 2^24. */
export function way(kind: number, index: number): number {
  return (kind << KIND_SHIFT) | index;
}

export function wayKind(value: number): number {
  return value >> KIND_SHIFT;
}

export function wayIndex(value: number): number {
  return value & ((1 << KIND_SHIFT) - 1);
}
