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
  /** Those of them that used most, of those that used any. */
  readonly foreign: readonly ForeignUse[];
}

export interface ForeignUse {
  /** Of the process; of ended ones: `ended children of` their parent. */
  readonly name: string;
  /** Of the process, or of the parent. */
  readonly id: number;
  readonly cores: number;
}

/** More than this and figures are not to be trusted. */
export const STEAL_SHARE_MAX = 0.02;
export const FOREIGN_CORES_MAX = 0.3;
const LOUDEST = 3;
/** Who uses less is not worth a name where others use more. */
const LOUD_CORES = 0.05;

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
  const isForeign = (process: ProcessTimes) => !isOurs(process) && !process.isKernel;
  const foreign = used.filter(({ process }) => isForeign(process));
  // Those that have ended have used what those that still are do not explain, and no more. Who ends between the look at its
  // parent and the one at itself is missing before, and its whole life would count.
  const unexplained = Math.max(0, programs - sum(used));
  const ended = reaped(before, after, isForeign, unexplained);
  const foreignSeconds = complete
    ? sum(foreign) + ended.seconds
    : Math.max(0, programs - sum(ours) - reaped(before, after, isOurs, unexplained).seconds);
  const entries = foreign.map(({ process: { name, id }, used: cpu }) => ({ name, id, cpu }));
  if (ended.parent !== undefined) {
    const { name, id } = ended.parent;
    entries.push({ name: `ended children of ${name}`, id, cpu: ended.seconds });
  }
  return {
    seconds,
    processors: after.times.processors,
    busySeconds: programs + interrupts,
    stealShare: total > 0 ? steal / total : 0,
    foreignCores: seconds > 0 ? foreignSeconds / seconds : 0,
    foreign: entries
      .map(({ name, id, cpu }) => ({ name, id, cores: seconds > 0 ? cpu / seconds : 0 }))
      .filter(({ cores }) => cores > 0)
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
    const used = `other processes used ${foreignCores.toFixed(2)} cores (limit ${FOREIGN_CORES_MAX})`;
    words.push(`${used}: ${culprits(foreign)}`);
  }
  return words;
}

/** Who it was; of many small ones, the loudest. */
function culprits(foreign: readonly ForeignUse[]): string {
  const [loudest] = foreign;
  if (loudest === undefined) return 'which ones cannot be seen from here';
  const words = ({ name, id, cores }: ForeignUse) => `${name} (pid ${id}) ${cores.toFixed(2)}`;
  const loud = foreign.filter(({ cores }) => cores >= LOUD_CORES);
  return loud.length === 0 ? `many with little each, most of it ${words(loudest)}` : loud.map(words).join(', ');
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

/**
 * What such processes have used that have ended meanwhile, as far as their parents were told, from `before` on; and the
 * parent whose children had used most.
 *
 * @param secondsMax they cannot have used more.
 */
function reaped(
  before: MachineLook,
  after: MachineLook,
  isSuch: (process: ProcessTimes) => boolean,
  secondsMax: number,
): { seconds: number; parent: ProcessTimes | undefined } {
  const known = new Map(before.processes.filter(isSuch).map((process) => [keyOf(process), process]));
  let [told, most] = [0, 0];
  let parent: ProcessTimes | undefined;
  for (const process of after.processes.filter(isSuch)) {
    const key = keyOf(process);
    const more = process.children - (known.get(key)?.children ?? 0);
    known.delete(key);
    told += more;
    if (more > most) [most, parent] = [more, process];
  }
  // Those that are left are gone: what they had used before is none of this.
  const usedBefore = [...known.values()].reduce((total, { own, children }) => total + own + children, 0);
  const seconds = Math.min(secondsMax, Math.max(0, told - usedBefore));
  return { seconds, parent: seconds > 0 ? parent : undefined };
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
