import { OpenFlag } from './io.ts';
import { addressOf, check, libc } from './libc.ts';

const cPipe2 = libc.func('int pipe2(uintptr_t ends, int flags)') as (ends: number, flags: number) => number;

export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/**
 * Both ends close when another program is executed. Node gives its children socket pairs instead, which they cannot open
 * again as /dev/stdout.
 *
 * @throws SystemCallError EMFILE, ENFILE.
 */
export function createPipe(): Pipe {
  const ends = new Int32Array(2);
  check(cPipe2(addressOf(ends), OpenFlag.closeOnExec), 'pipe2');
  return { readEnd: ends[0]!, writeEnd: ends[1]! };
}
