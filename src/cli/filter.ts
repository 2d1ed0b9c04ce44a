/** A filter expression on the command line: compiled, or refused with its place shown. */
import { compileFilter } from '../capture/filter/compile-filter.ts';
import { FilterError } from '../capture/filter/filter-error.ts';
import { Refusal } from '../vessel/refusal.ts';

/**
 * The program, as a request to a node holds it; null for no expression.
 *
 * @throws Refusal that shows the place in the expression.
 */
export async function readFilter(expression: string): Promise<number[] | null> {
  if (expression === '') return null;
  try {
    return [...(await compileFilter(expression))];
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new Refusal(`  ${expression}\n  ${' '.repeat(error.column - 1)}^\nfilter: ${error.message}`);
  }
}
