/** CPU time as /proc tells it: of the machine (/proc/stat), of a process or thread (/proc/PID/stat, proc(5)). */
import { readdirSync, readFileSync } from 'node:fs';

/** What programs see as a clock tick (USER_HZ), on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
const PF_KTHREAD = 0x0020_0000;

/** Seconds since the machine started, all processors together. */
export interface MachineTimes {
  /** By programs and by the kernel for them, without interrupts. */
  readonly programs: number;
  /** Interrupts and softirqs: the kernel's network stack, mostly. */
  readonly interrupts: number;
  /** Taken by the machine that this one is a guest of. */
  readonly steal: number;
  /** Everything, idle time too. */
  readonly total: number;
  readonly processors: number;
}

/** @param text of /proc/stat */
export function parseMachineTimes(text: string): MachineTimes {
  const line = /^cpu +(.*)$/m.exec(text)?.[1] ?? '';
  const seconds = line.split(' ').map((ticks) => Number(ticks) / TICKS_PER_SECOND);
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = seconds;
  const programs = user + nice + system;
  const interrupts = irq + softirq;
  const processors = text.match(/^cpu\d/gm)?.length ?? 1;
  return { programs, interrupts, steal, total: programs + interrupts + steal + idle + iowait, processors };
}

export interface ProcessTimes {
  readonly id: number;
  readonly name: string;
  readonly parent: number;
  readonly isKernel: boolean;
  /** Of a process: which of those that have had its number. Ticks since the machine started. */
  readonly born: number;
  /** CPU seconds of its own. */
  readonly own: number;
  /** CPU seconds of its children, and theirs, that have ended and that it knows of. */
  readonly children: number;
}

/** @param text of /proc/PID/stat. @returns undefined for what is none. */
export function parseProcessTimes(text: string): ProcessTimes | undefined {
  // The name may have spaces and parentheses in it.
  const [, id, name = '', rest] = /^(\d+) \(([\s\S]*)\) ([\s\S]*)$/.exec(text) ?? [];
  if (rest === undefined) return undefined;
  const fields = rest.trim().split(' ').map(Number);
  /** By the number that proc(5) gives it; the first behind the name is 3. */
  const field = (number: number) => fields[number - 3] ?? 0;
  return {
    id: Number(id),
    name,
    parent: field(4),
    isKernel: (field(9) & PF_KTHREAD) !== 0,
    born: field(22),
    own: (field(14) + field(15)) / TICKS_PER_SECOND,
    children: (field(16) + field(17)) / TICKS_PER_SECOND,
  };
}

export function readMachineTimes(): MachineTimes {
  return parseMachineTimes(readFileSync('/proc/stat', 'utf8'));
}

/** @param thread of the process; undefined: all of it. @returns undefined when it is gone. */
export function readProcessTimes(process: number, thread?: number): ProcessTimes | undefined {
  const path = thread === undefined ? `/proc/${process}/stat` : `/proc/${process}/task/${thread}/stat`;
  const text = readOrNot(path);
  return text === undefined ? undefined : parseProcessTimes(text);
}

/** Every process that can be seen. */
export function readAllProcesses(): ProcessTimes[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (readProcessTimes(Number(name)) ?? []) : []));
}

/** The number that a process or thread has in the innermost PID namespace that it is in. @returns undefined when gone. */
export function innerNumber(path: string): number | undefined {
  const [, numbers] = /^NSpid:\s*(.*)$/m.exec(readOrNot(`${path}/status`) ?? '') ?? [];
  return numbers === undefined ? undefined : Number(numbers.split(/\s+/).at(-1));
}

function readOrNot(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // it has ended, or is somebody else's
  }
}
