/** Which processes of the machine belong to the cluster, and which of them and their threads are a node's. */
import { readdirSync, readlinkSync } from 'node:fs';
import { innerNumber, type ProcessTimes, readAllProcesses } from './proc-stat.ts';

/** The machine's first PID namespace (PROC_PID_INIT_INO of linux/proc_ns.h): who is in it sees every process. */
const FIRST_PID_NAMESPACE = 'pid:[4026531836]';

export function seesEveryProcess(): boolean {
  return pidNamespace('self') === FIRST_PID_NAMESPACE;
}

/** What runs in a cluster's vessel, found by its PID namespace; what is known of a process is remembered. */
export class VesselProcesses {
  readonly #namespace: string | undefined;
  readonly #known = new Map<string, boolean>();

  /** @param vessel its pid 1, as this process sees it. */
  constructor(vessel: number) {
    this.#namespace = pidNamespace(vessel);
  }

  has({ id, born }: ProcessTimes): boolean {
    const key = `${id} ${born}`;
    let inside = this.#known.get(key);
    if (inside === undefined) {
      inside = this.#namespace !== undefined && pidNamespace(id) === this.#namespace;
      this.#known.set(key, inside);
    }
    return inside;
  }

  /** What this process sees a process of the vessel as. @param inner its number in the vessel. */
  processOutside(inner: number): number | undefined {
    const inside = readAllProcesses().filter((process) => this.has(process));
    return inside.find(({ id }) => innerNumber(`/proc/${id}`) === inner)?.id;
  }
}

/** @param process as this process sees it. @param inner the thread's number in the vessel. */
export function threadOutside(process: number, inner: number): number | undefined {
  try {
    const threads = readdirSync(`/proc/${process}/task`);
    const found = threads.find((thread) => innerNumber(`/proc/${process}/task/${thread}`) === inner);
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}

function pidNamespace(process: number | 'self'): string | undefined {
  try {
    return readlinkSync(`/proc/${process}/ns/pid`);
  } catch {
    return undefined;
  }
}
