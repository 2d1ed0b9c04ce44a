/** What is known of pods that were started, from their nodes and from their programs: together it is a pod's report. */
import type { ContainerState } from 'kubernetes-types/core/v1.d.ts';
import type { PodReport } from '../controllers/pod-readiness.ts';
import type { Pod } from '../store/object.ts';
import { readinessProbes } from './compile-probes.ts';

/** A pod's program, as the status of its containers has it. */
export interface ProgramState {
  /** Running also while it waits to be started again. */
  readonly phase: 'Running' | 'Succeeded' | 'Failed';
  readonly state: ContainerState;
  /** How it ended last. */
  readonly lastState: ContainerState;
  readonly restartCount: number;
}

interface Known {
  /** Its network is there, and every node knows. */
  runs: boolean;
  probed: boolean;
  program: ProgramState | undefined;
}

export class PodReports {
  /** By `namespace/name`. */
  readonly #known = new Map<string, Known>();

  learn(key: string, news: Partial<Known>): void {
    const known = { runs: false, probed: false, program: undefined, ...this.#known.get(key), ...news };
    // What probes have found is the program that has ended.
    if (known.program !== undefined && known.program.state.running === undefined) known.probed = false;
    this.#known.set(key, known);
  }

  forget(key: string): void {
    this.#known.delete(key);
  }

  /** undefined for a pod that does not run yet. */
  reportOf(key: string, pod: Pod): PodReport | undefined {
    const known = this.#known.get(key);
    if (known?.runs !== true) return undefined;
    const { probed, program } = known;
    const isAsked = readinessProbes(pod).probes.length > 0;
    if (program === undefined) return { phase: 'Running', ready: probed || !isAsked };
    const { phase, state, lastState, restartCount } = program;
    const started = state.running !== undefined;
    const ready = started && (probed || !isAsked);
    // The program stands for all containers; the first of them counts its restarts.
    const containerStatuses = pod.spec.containers.map(({ name, image = '' }, index) => {
      return {
        name,
        image,
        imageID: '',
        ready,
        started,
        restartCount: index === 0 ? restartCount : 0,
        state,
        lastState,
      };
    });
    return { phase, ready, containerStatuses };
  }
}
