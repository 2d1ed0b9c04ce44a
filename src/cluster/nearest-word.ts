/** The word somebody probably meant. */

/**
 * The word of `words` closest to `found`, or undefined when none is close: at most a third of its letters may differ
 * (an exchange of neighbours counts as one), case is free. The first of equals wins.
 */
export function nearestWord(found: string, words: Iterable<string>): string | undefined {
  const wanted = found.toLowerCase();
  let nearest: string | undefined;
  let best = Math.max(1, Math.floor(found.length / 3)) + 1;
  for (const word of words) {
    // Also what keeps a found word of a million letters cheap.
    if (Math.abs(word.length - found.length) >= best) continue;
    const distance = editDistance(wanted, word.toLowerCase());
    if (distance < best) {
      best = distance;
      nearest = word;
    }
  }
  return nearest;
}

/** Optimal string alignment: insertions, deletions, changes and exchanges of neighbours. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1;
      let cost = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + change);
      const exchanged = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (exchanged) cost = Math.min(cost, beforeLast[column - 2]! + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length]!;
}
