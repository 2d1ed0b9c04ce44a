/** Programs of this machine that pods want to run. */
import type { KubernetesObject } from '../store/object.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { kinds } from '../store/resources.ts';
import type { Refuse } from './admit.ts';
import { commandOf, RUN } from './pod-state.ts';

interface WithTemplate extends KubernetesObject {
  readonly spec?: { readonly template?: KubernetesObject };
}

/** @param allowRun did the user who started the cluster say that pods may? */
export function judgeProgram(object: KubernetesObject, store: ObjectStore, allowRun: boolean, refuse: Refuse): void {
  const { template } = (object as WithTemplate).spec ?? {};
  const [pod, path] = object.kind === 'Pod' ? [object, ''] : [template, 'spec.template.'];
  const command = pod?.metadata === undefined ? undefined : commandOf(pod);
  if (command !== undefined) {
    const place = `${path}metadata.annotations[${RUN}]`;
    if (!allowRun) {
      const remedy = 'start the cluster with --allow-run (podwire up, podwire run), or remove the annotation';
      refuse(place, `${RUN} would start a program of this machine, which this cluster does not allow; ${remedy}`);
    } else if (command.trim() === '') {
      refuse(place, `${RUN}: found no command; write one, as for sh -c, or remove the annotation`);
    }
  }
  if (object.kind !== 'Pod') return;
  const { namespace = '', name } = object.metadata;
  const stored = store.get(kinds.Pod, namespace, name);
  if (stored === undefined || commandOf(stored) === command) return;
  refuse(`metadata.annotations[${RUN}]`, `${RUN} cannot be changed while the pod is there; delete the pod first`);
}
