/** What a turn costs the machine, and how much of that its contender's own programs used. */
import { type MachineLook, type MachineUse, machineUse } from '../../src/measure/machine-use.ts';
import { type ProcessTimes, readAllProcesses, readMachineTimes } from '../../src/measure/proc-stat.ts';
import { seesEveryProcess } from '../../src/measure/vessel-processes.ts';
import type { Noise } from './round-result.ts';

export interface Usage extends Noise {
  readonly seconds: number;
  /** Core-seconds of the whole machine spent on anything but idling. */
  readonly busySeconds: number;
  /** Of these, by the contender's own programs in user space. */
  readonly daemonSeconds: number;
}

export function lookAtMachine(): MachineLook {
  return { atMs: performance.now(), times: readMachineTimes(), processes: readAllProcesses() };
}

/** These processes and all that descend from them. */
export function withDescendants(
  processes: readonly Pick<ProcessTimes, 'id' | 'parent'>[],
  roots: readonly number[],
): Set<number> {
  const children = new Map<number, number[]>();
  for (const { id, parent } of processes) {
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [id]);
    else siblings.push(id);
  }
  const family = new Set<number>();
  const visit = (id: number) => {
    if (family.has(id)) return;
    family.add(id);
    children.get(id)?.forEach(visit);
  };
  roots.forEach(visit);
  return family;
}

/**
 * In a container other processes cannot be seen: then all that the machine has done and ours have not is somebody else's.
 *
 * @param own processes whose descendants, with them, are the benchmark's: the programs measured and what measures.
 */
export function useBetween(
  before: MachineLook,
  after: MachineLook,
  own: readonly number[],
  complete = seesEveryProcess(),
): MachineUse {
  const ours = withDescendants([...before.processes, ...after.processes], own);
  return machineUse(before, after, ({ id }) => ours.has(id), complete);
}

/**
 * @param own as for `useBetween`.
 * @param daemons those of them that make up the contender.
 */
export function usageBetween(
  before: MachineLook,
  after: MachineLook,
  own: readonly number[],
  daemons: readonly number[],
  complete = seesEveryProcess(),
): Usage {
  const { seconds, busySeconds, stealShare, foreignCores } = useBetween(before, after, own, complete);
  const used = ({ processes }: MachineLook) => {
    return processes.reduce((total, { id, own: cpu }) => (daemons.includes(id) ? total + cpu : total), 0);
  };
  const daemonSeconds = Math.max(0, used(after) - used(before));
  return { seconds, busySeconds, daemonSeconds, stealShare, foreignCores };
}

/** Several stretches of time as one. */
export function sumOfUsage(parts: readonly Usage[]): Usage {
  const sum = (of: (part: Usage) => number) => parts.reduce((total, part) => total + of(part), 0);
  const seconds = sum((part) => part.seconds);
  const mean = (of: (part: Usage) => number) => (seconds > 0 ? sum((part) => of(part) * part.seconds) / seconds : 0);
  return {
    seconds,
    busySeconds: sum((part) => part.busySeconds),
    daemonSeconds: sum((part) => part.daemonSeconds),
    stealShare: mean((part) => part.stealShare),
    foreignCores: mean((part) => part.foreignCores),
  };
}
