/** What the machine did between two moments, and how much of it was somebody else's work. */
import type { MachineTimes, ProcessTimes } from './proc-stat.ts';

/** The machine at one moment. */
export interface MachineLook {
  readonly times: MachineTimes;
  readonly processes: readonly ProcessTimes[];
  /** Performance clock. */
  readonly atMs: number;
}

export interface MachineUse {
  readonly seconds: number;
  readonly processors: number;
  /** Core-seconds that were not idle, interrupts too; without what was stolen. */
  readonly busySeconds: number;
  /** Of the machine's time, what its host took: 0 to 1. */
  readonly stealShare: number;
  /** Cores that processes have kept busy which have nothing to do with the measurement. */
  readonly foreignCores: number;
  /** Those of them that used most. */
  readonly foreign: readonly { readonly name: string; readonly id: number; readonly cores: number }[];
}

/** More than this and figures are not to be trusted. */
export const STEAL_SHARE_MAX = 0.02;
export const FOREIGN_CORES_MAX = 0.3;
const LOUDEST = 3;

/**
 * @param isOurs says which processes are part of the measurement.
 * @param complete `processes` are all that there are. Else what nobody of ours has used counts as foreign.
 */
export function machineUse(
  before: MachineLook,
  after: MachineLook,
  isOurs: (process: ProcessTimes) => boolean,
  complete: boolean,
): MachineUse {
  const seconds = (after.atMs - before.atMs) / 1000;
  const { total, steal, programs, interrupts } = differences(before.times, after.times);
  const used = usedByEach(before.processes, after.processes);
  const ours = used.filter(({ process }) => isOurs(process));
  const foreign = used.filter(({ process }) => !isOurs(process) && !process.isKernel);
  const foreignSeconds = complete ? sum(foreign) + reaped(before, after, isOurs) : Math.max(0, programs - sum(ours));
  return {
    seconds,
    processors: after.times.processors,
    busySeconds: programs + interrupts,
    stealShare: total > 0 ? steal / total : 0,
    foreignCores: seconds > 0 ? foreignSeconds / seconds : 0,
    foreign: foreign
      .map(({ process: { name, id }, used: cpu }) => ({ name, id, cores: seconds > 0 ? cpu / seconds : 0 }))
      .sort((a, b) => b.cores - a.cores)
      .slice(0, LOUDEST),
  };
}

/** What makes a measurement worthless, in words; empty when nothing does. */
export function noiseOf({ stealShare, foreignCores, foreign }: MachineUse): string[] {
  const words: string[] = [];
  if (stealShare > STEAL_SHARE_MAX) {
    words.push(
      `${percent(stealShare)} of the machine's time was stolen by its host (limit ${percent(STEAL_SHARE_MAX)})`,
    );
  }
  if (foreignCores > FOREIGN_CORES_MAX) {
    const named = foreign.filter(({ cores }) => cores >= 0.05);
    const who = named.map(({ name, id, cores }) => `${name} (pid ${id}) ${cores.toFixed(2)}`).join(', ');
    words.push(
      `other processes used ${foreignCores.toFixed(2)} cores (limit ${FOREIGN_CORES_MAX})${who === '' ? '' : `: ${who}`}`,
    );
  }
  return words;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}

interface Used {
  readonly process: ProcessTimes;
  readonly used: number;
}

/** Of each process that is there at the end, what it has used itself; one that is new has used all it has. */
function usedByEach(before: readonly ProcessTimes[], after: readonly ProcessTimes[]): Used[] {
  const known = new Map(before.map((process) => [keyOf(process), process]));
  return after.map((process) => ({ process, used: Math.max(0, process.own - (known.get(keyOf(process))?.own ?? 0)) }));
}

/** What foreign processes have used that have ended meanwhile, as far as their parents were told; from `before` on. */
function reaped(before: MachineLook, after: MachineLook, isOurs: (process: ProcessTimes) => boolean): number {
  const foreign = ({ processes }: MachineLook) => processes.filter((one) => !isOurs(one) && !one.isKernel);
  const still = new Set(after.processes.map(keyOf));
  const inherited =
    foreign(after).reduce((total, { children }) => total + children, 0) -
    foreign(before)
      .filter((process) => still.has(keyOf(process)))
      .reduce((total, { children }) => total + children, 0);
  const gone = foreign(before)
    .filter((process) => !still.has(keyOf(process)))
    .reduce((total, { own, children }) => total + own + children, 0);
  return Math.max(0, inherited - gone);
}

function keyOf({ id, born }: ProcessTimes): string {
  return `${id} ${born}`;
}

function sum(list: readonly Used[]): number {
  return list.reduce((total, { used }) => total + used, 0);
}

function differences(before: MachineTimes, after: MachineTimes): Omit<MachineTimes, 'processors'> {
  return {
    programs: after.programs - before.programs,
    interrupts: after.interrupts - before.interrupts,
    steal: after.steal - before.steal,
    total: after.total - before.total,
  };
}
