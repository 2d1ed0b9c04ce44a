import { libc } from './libc.ts';

const cGettid = libc.func('int gettid()') as () => number;

/** The calling thread's number, as its PID namespace has it (gettid(2)). */
export function threadNumber(): number {
  return cGettid();
}
