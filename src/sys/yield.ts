import { libc } from './libc.ts';

/** Lets another thread of this processor run, if one wants to (sched_yield(2)). */
export const yieldProcessor = libc.func('int sched_yield()') as () => number;
