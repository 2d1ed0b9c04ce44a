import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import * as koffi from 'koffi';

/**
 * The C library, reached through koffi, and how its failures are reported.
 *
 * Rules for every binding in this folder:
 * - Pointers that lead to memory are declared `uintptr_t` and passed as a Number (below 2^53 on x86-64 and arm64):
 *   twice as fast as a pointer type and free of allocation. Such a Number keeps nothing alive: whoever takes an
 *   address holds on to the buffer for as long as the kernel may use it.
 * - C functions with variable arguments (`open`, `ioctl`) are declared with the arguments used here. On Linux x86-64
 *   and arm64 integers travel in the same registers either way.
 * - Constants are literal numbers where Linux has one value for x86-64 and arm64.
 */

type LibcFunction = (...args: never[]) => unknown;

/** What a binding becomes on another system, so that importing this folder is harmless there. */
function linuxOnly(definition: string): LibcFunction {
  return () => {
    throw new Error(`${definition} needs Linux; this is ${process.platform}`);
  };
}

/**
 * `libc.func('int close(int fd)')` binds one function; cast the result to its TypeScript signature.
 *
 * One name serves glibc and musl: musl's dlopen takes every name that begins with `libc.` to mean itself.
 */
export const libc: { func(definition: string): LibcFunction } =
  process.platform === 'linux' ? koffi.load('libc.so.6') : { func: linuxOnly };

/** The calling thread's errno. Read it right after the call that failed. */
export const errno: () => number = koffi.errno;

/** Buffers whose address was taken last: a call that is about to use one must not lose it to the garbage collector. */
const recent: (ArrayBuffer | ArrayBufferView | undefined)[] = Array.from({ length: 16 }, () => undefined);
let recentNext = 0;

/**
 * The address of the first byte that `buffer` shows, its byteOffset included.
 *
 * The memory of an ArrayBuffer never moves, but it is freed with it. The last 16 buffers are kept alive here, which is
 * enough for the call at hand; whoever uses an address for longer keeps `buffer` in a field or in a variable that
 * functions use. (A module's variable that no function mentions is collected once the module has run.)
 */
export function addressOf(buffer: ArrayBuffer | ArrayBufferView): number {
  recent[recentNext] = buffer;
  recentNext = (recentNext + 1) % recent.length;
  return Number(koffi.address(buffer));
}

function errnoName(errno: number): string {
  const known = getSystemErrorMap().get(-errno)?.[0];
  if (known !== undefined) return known;
  const named = Object.entries(constants.errno).find(([, value]) => value === errno);
  return named?.[0] ?? `ERRNO_${errno}`;
}

/** A system call that the kernel refused. `call` names it with the arguments that matter. */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError';
  /** Such as `EPERM`. */
  readonly code: string;
  /** Positive, as in C. */
  readonly errno: number;
  readonly call: string;

  /** @param detail what the kernel said beyond the number, if anything. */
  constructor(call: string, errno: number, detail = '') {
    const code = errnoName(errno);
    const description = getSystemErrorMap().get(-errno)?.[1] ?? 'no description';
    super(`${call}: ${code}, ${description}${detail === '' ? '' : ` (${detail})`}`);
    this.code = code;
    this.errno = errno;
    this.call = call;
  }
}

/**
 * Passes on the result of a C call that announces failure by a negative number and errno.
 *
 * @throws SystemCallError when `result` is negative.
 */
export function check(result: number, call: string): number {
  if (result < 0) throw new SystemCallError(call, errno());
  return result;
}

/**
 * The same for the functions of this folder that return the negative errno itself.
 *
 * @throws SystemCallError when `result` is negative.
 */
export function checkReturned(result: number, call: string): number {
  if (result < 0) throw new SystemCallError(call, -result);
  return result;
}
