const SHOWN_MAX = 40;

/** What is wrong with a filter expression, and where. */
export class FilterError extends Error {
  override readonly name = 'FilterError';
  /** Character of the expression, from 1. */
  readonly column: number;
  readonly expected: string;
  /** As it stands there, or `the end`; empty where the whole expression is meant. */
  readonly found: string;

  /** @param remedy what to write or do instead, if that is known. */
  constructor(column: number, expected: string, found: string, remedy?: string) {
    const place = found === '' ? '' : `, found ${shown(found)}`;
    super(`column ${column}: expected ${expected}${place}${remedy === undefined ? '' : `; ${remedy}`}`);
    this.column = column;
    this.expected = expected;
    this.found = found;
  }
}

function shown(found: string): string {
  if (found === THE_END) return found;
  return JSON.stringify(found.length > SHOWN_MAX ? `${found.slice(0, SHOWN_MAX)}…` : found);
}

export const THE_END = 'the end';
