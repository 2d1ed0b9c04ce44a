/**
 * Where something was written, what is wrong with it, and the error that carries all of it.
 *
 * Invariants of this folder: bad input ends as a ManifestError that lists every problem with its place, never as
 * another exception; the same input gives the same result; text from outside reaches a terminal only through
 * `printable`.
 */

/** A position in an input. Lines and columns count from 1, columns in UTF-16 units; line 0 means "no line": an option. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One thing to tell the user: at `place`, in the field `path` ('spec.nodeName'; '' is the whole document). */
export interface Problem {
  readonly place: Place;
  readonly path: string;
  /** What was found, what is expected, what to do. */
  readonly message: string;
  readonly severity: 'error' | 'note';
}

/** A hostile text can hold a mistake in each of its lines; past this many, more lines help nobody. */
const PROBLEMS_MAX = 1000;

/** Controls, format characters (which turn text around), line separators, lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** The text on one line, with everything that could steer a terminal or mislead a reader as \u{hex}. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** `file:line:column`, or `file` where there is no line. */
export function formatPlace(place: Place): string {
  return printable(place.line === 0 ? place.file : `${place.file}:${place.line}:${place.column}`);
}

/** `file:line:column: path: message`, one line, safe for a terminal. */
export function formatProblem(problem: Problem): string {
  const parts = [formatPlace(problem.place), problem.path, problem.message];
  return parts
    .filter((part) => part !== '')
    .map(printable)
    .join(': ');
}

/** The input was wrong. The message lists all problems, one a line; no stack is worth showing. */
export class ManifestError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.name = 'ManifestError';
    this.problems = problems;
  }
}

/** Gathers problems in the order in which they are found, a bounded number of them. */
export class ProblemLog {
  readonly #errors: Problem[] = [];
  readonly #notes: Problem[] = [];
  readonly #noted = new Set<string>();
  #errorsLeftOut = 0;

  error(place: Place, path: string, message: string): void {
    if (this.#errors.length < PROBLEMS_MAX) this.#errors.push({ place, path, message, severity: 'error' });
    else this.#errorsLeftOut++;
  }

  /** A note is said once, where it first applies: what is true of a thousand pods is one line. */
  note(place: Place, path: string, message: string): void {
    if (this.#noted.has(message) || this.#notes.length >= PROBLEMS_MAX) return;
    this.#noted.add(message);
    this.#notes.push({ place, path, message, severity: 'note' });
  }

  get notes(): readonly Problem[] {
    return this.#notes;
  }

  /** Further errors are only counted: no need to think about what to say. */
  get isFull(): boolean {
    return this.#errors.length >= PROBLEMS_MAX;
  }

  /** @throws ManifestError with every error so far, when there is one. */
  throwIfErrors(): void {
    const last = this.#errors.at(-1);
    if (last === undefined) return;
    if (this.#errorsLeftOut === 0) throw new ManifestError(this.#errors);
    const more = `and ${this.#errorsLeftOut} more problems; mend these first`;
    throw new ManifestError([...this.#errors, { ...last, path: '', message: more }]);
  }
}
