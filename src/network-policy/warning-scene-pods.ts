/** Pods by their labels: whom a selector means, without trying each pod. */
import { matches, type Requirement, type Requirements } from '../store/selector.ts';
import type { WorldPod } from './policy-world.ts';

const none: readonly WorldPod[] = [];

export class PodIndex {
  readonly #all: readonly WorldPod[];
  readonly #byNamespace = new Map<string, WorldPod[]>();
  /** By label, `key=value`, and by `key`: everywhere, and with `namespace ` before it. Keys have neither `=` nor blanks. */
  readonly #byLabel = new Map<string, WorldPod[]>();

  constructor(pods: readonly WorldPod[]) {
    this.#all = pods;
    for (const pod of pods) {
      add(this.#byNamespace, pod.namespace, pod);
      for (const [key, value] of Object.entries(pod.labels)) {
        for (const label of [key, `${key}=${value}`]) {
          add(this.#byLabel, label, pod);
          add(this.#byLabel, `${pod.namespace} ${label}`, pod);
        }
      }
    }
  }

  of(namespace: string): readonly WorldPod[] {
    return this.#byNamespace.get(namespace) ?? none;
  }

  /** @param namespace undefined: all of them */
  matching(requirements: Requirements, namespace?: string): WorldPod[] {
    let candidates = namespace === undefined ? this.#all : this.of(namespace);
    for (const requirement of requirements) {
      const lists = labelsOf(requirement)?.map((label) => {
        return this.#byLabel.get(namespace === undefined ? label : `${namespace} ${label}`) ?? none;
      });
      if (lists === undefined || lists.reduce((sum, list) => sum + list.length, 0) >= candidates.length) continue;
      candidates = lists.flat();
    }
    return candidates.filter(({ labels }) => matches(requirements, labels));
  }
}

/** Of these a pod must have one; undefined when it may do without. */
function labelsOf({ key, operator, values }: Requirement): readonly string[] | undefined {
  if (operator === 'In') return [...new Set(values)].map((value) => `${key}=${value}`);
  return operator === 'Exists' ? [key] : undefined;
}

function add(groups: Map<string, WorldPod[]>, key: string, pod: WorldPod): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [pod]);
  else group.push(pod);
}
