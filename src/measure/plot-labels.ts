/** Where the names of a line plot's series go: beside the ends of their lines, or below the plot where that has no room. */

/** Between the middles of two labels. */
export const LABEL_STEP = 17;

/**
 * Places for labels that would like to be at `wanted`: in the same order, none nearer to another than `LABEL_STEP`, all
 * between `top` and `bottom`. Undefined when there is no room for so many.
 */
export function spread(wanted: readonly number[], top: number, bottom: number): number[] | undefined {
  if (wanted.length > 0 && (wanted.length - 1) * LABEL_STEP > bottom - top) return undefined;
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a]! - wanted[b]!);
  const places = wanted.slice();
  let floor = top;
  for (const i of order) {
    places[i] = Math.max(wanted[i]!, floor);
    floor = places[i]! + LABEL_STEP;
  }
  let ceiling = bottom;
  for (const i of order.toReversed()) {
    places[i] = Math.min(places[i]!, ceiling);
    ceiling = places[i]! - LABEL_STEP;
  }
  return places;
}

/** Rows and columns for boxes of these widths in a room of `room`: position of each, and how many rows. */
export function flow(widths: readonly number[], room: number): { at: { x: number; row: number }[]; rows: number } {
  let x = 0;
  let row = 0;
  const at = widths.map((width) => {
    if (x > 0 && x + width > room) {
      x = 0;
      row++;
    }
    const here = { x, row };
    x += width;
    return here;
  });
  return { at, rows: widths.length === 0 ? 0 : row + 1 };
}
