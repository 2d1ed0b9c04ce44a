/** Orders of the meter program: lines of JSON on standard input, answers on standard output. */
import { Errno, read, write } from '../sys/io.ts';
import { addressOf, check, checkReturned } from '../sys/libc.ts';
import { Poll, PollEvent } from '../sys/poll.ts';

const INPUT = 0;
const OUTPUT = 1;
/** An order has some dozen bytes. */
const LINE_BYTES_MAX = 4096;
const NEWLINE = 0x0a;

/** An order that means nothing; it is answered by its message, and the next one is read. */
export class OrderError extends Error {
  override readonly name = 'OrderError';
}

/** What a field of an order may be: a number within bounds, or `true`. */
export type Field = { readonly min: number; readonly max: number; readonly whole?: true } | 'flag';

export type Order<F extends string> = { readonly [K in F]?: number };

/** The fields that most orders have. */
export const SECONDS: Field = { min: 0.001, max: 3600 };

/**
 * One line, as an object with numbers; a flag that is set is 1.
 *
 * @throws OrderError
 */
export function parseOrder<F extends string>(line: string, fields: Readonly<Record<F, Field>>): Order<F> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new OrderError('an order is one line of JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new OrderError('an order is an object');
  const order: Partial<Record<F, number>> = {};
  for (const [key, given] of Object.entries(value)) {
    if (!Object.hasOwn(fields, key)) {
      throw new OrderError(`an order here has ${Object.keys(fields).join(', ')}, not ${JSON.stringify(key)}`);
    }
    order[key as F] = parseField(key, given, fields[key as F]);
  }
  return order;
}

function parseField(key: string, given: unknown, field: Field): number {
  if (field === 'flag') {
    if (given === true) return 1;
    throw new OrderError(`${key} is true or left out`);
  }
  const ok = typeof given === 'number' && given >= field.min && given <= field.max;
  if (ok && (field.whole === undefined || Number.isInteger(given))) return given;
  throw new OrderError(`${key} is a ${field.whole ? 'whole ' : ''}number from ${field.min} to ${field.max}`);
}

/** @throws OrderError */
export function required(value: number | undefined, name: string): number {
  if (value === undefined) throw new OrderError(`${name} is missing`);
  return value;
}

/** Standard input, without Node's streams: those would want an event loop. */
export class OrderInput {
  /** All was read, and nobody will write more. */
  ended = false;
  readonly #poll = new Poll([INPUT]);
  readonly #buffer = new Uint8Array(LINE_BYTES_MAX);
  readonly #address = addressOf(this.#buffer);
  #lines: string[] = [];
  #rest: Uint8Array = new Uint8Array(0);
  /** Inside a line that is too long to be an order: its end is waited for. */
  #skipping = false;

  /**
   * The next line.
   *
   * @param waitMs for it; negative: for ever.
   * @returns undefined when there is none in that time, or none any more.
   */
  next(waitMs: number): string | undefined {
    while (this.#lines.length === 0 && !this.ended) {
      if (this.#poll.wait(waitMs) === 0) {
        if (waitMs < 0) continue;
        return undefined;
      }
      const length = read(INPUT, this.#address, LINE_BYTES_MAX);
      if (length > 0) this.#take(this.#buffer.subarray(0, length));
      else if (length !== -Errno.EAGAIN && length !== -Errno.EINTR) this.#end();
    }
    return this.#lines.shift();
  }

  #take(bytes: Uint8Array): void {
    let text = Buffer.concat([this.#rest, bytes]);
    for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE)) {
      this.#line(text.subarray(0, end));
      text = text.subarray(end + 1);
    }
    if (text.length > LINE_BYTES_MAX) {
      this.#skipping = true;
      text = text.subarray(0, 0);
    }
    this.#rest = text;
  }

  #line(bytes: Buffer): void {
    const text = bytes.toString('utf8').trim();
    // What is no JSON is refused as such by whoever reads the order.
    if (this.#skipping) this.#lines.push('(too long)');
    else if (text !== '') this.#lines.push(text);
    this.#skipping = false;
  }

  #end(): void {
    this.#line(Buffer.from(this.#rest));
    this.#rest = new Uint8Array(0);
    this.ended = true;
  }
}

/** Writes one line. @throws SystemCallError EPIPE when nobody reads any more. */
export function answer(document: unknown): void {
  const bytes = Buffer.from(`${JSON.stringify(document)}\n`);
  const address = addressOf(bytes);
  for (let at = 0; at < bytes.length; ) {
    const written = write(OUTPUT, address + at, bytes.length - at);
    // Whoever started this may have made the pipe non-blocking.
    if (written === -Errno.EAGAIN) check(new Poll([OUTPUT], PollEvent.writable).wait(-1), 'poll(standard output)');
    else if (written !== -Errno.EINTR) at += checkReturned(written, 'write(standard output)');
  }
}

/** Answers one order, by its error where it has one. */
export function obey(line: string, handle: (line: string) => unknown): void {
  let document: unknown;
  try {
    document = handle(line);
  } catch (error) {
    // A stack would help nobody: both are about what was asked.
    if (!(error instanceof OrderError) && !(error instanceof Error && error.name === 'SystemCallError')) throw error;
    document = { error: error.message };
  }
  if (document !== undefined) answer(document);
}

/** Answers orders, one after the other, until there are no more. */
export function obeyAll(handle: (line: string) => unknown): void {
  const input = new OrderInput();
  for (let line = input.next(-1); line !== undefined; line = input.next(-1)) obey(line, handle);
}
