/**
 * What an API server refuses about objects beside those that are there, and what podwire could not do though an API
 * server would take it. Asked before anything is changed.
 */
import type { Cidr } from '../cluster/ip-address.ts';
import type { KubernetesObject, Pod, Service } from '../store/object.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { resourceOf } from '../store/resources.ts';
import { sameJson } from '../store/same-json.ts';
import { PodAdmission } from './admit-pods.ts';
import { judgeProgram } from './admit-programs.ts';
import { ServiceAdmission } from './admit-services.ts';
import { isTerminating } from './pod-state.ts';

export interface Refusal {
  readonly object: KubernetesObject;
  /** The field: `spec.ports[0].nodePort`. */
  readonly path: string;
  /** What was found, what is expected, what to do. */
  readonly message: string;
}

export interface Networks {
  /** One block a family. */
  readonly podSubnets: readonly Cidr[];
  readonly serviceSubnets: readonly Cidr[];
}

export type Refuse = (path: string, message: string) => void;

/** Fields that stay as they were, by kind (ValidateDeploymentUpdate and the like in pkg/apis). */
const immutable: Readonly<Record<string, readonly string[]>> = {
  Deployment: ['selector'],
  ReplicaSet: ['selector'],
  DaemonSet: ['selector'],
  StatefulSet: ['selector', 'serviceName', 'podManagementPolicy', 'volumeClaimTemplates'],
  Job: ['selector', 'template', 'completionMode'],
};

/**
 * @param objects of one request: judged together, and each instead of what it replaces
 * @param allowRun may pods start programs of this machine?
 */
export function admit(
  objects: readonly KubernetesObject[],
  store: ObjectStore,
  networks: Networks,
  allowRun = false,
): Refusal[] {
  const refusals: Refusal[] = [];
  const pods = new PodAdmission(objects, store, networks);
  const services = new ServiceAdmission(store, networks);
  for (const object of objects) {
    const refuse: Refuse = (path, message) => refusals.push({ object, path, message });
    const resource = resourceOf(object);
    const { namespace = '', name } = object.metadata;
    const stored = resource === undefined ? undefined : store.get(resource, namespace, name);
    if (stored !== undefined && isTerminating(stored)) {
      refuse('metadata.name', `${object.kind} ${name} is being deleted; apply it again when it is gone`);
      continue;
    }
    if (stored !== undefined) refuseChanges(object, stored, refuse);
    pods.judgeNode(object, refuse);
    judgeProgram(object, store, allowRun, refuse);
    if (object.kind === 'Pod') pods.judge(object as Pod, stored as Pod | undefined, refuse);
    if (object.kind === 'Service') services.judge(object as Service, stored as Service | undefined, refuse);
  }
  return refusals;
}

type WithSpec = KubernetesObject & { readonly spec?: Readonly<Record<string, unknown>> };

function refuseChanges(object: WithSpec, stored: WithSpec, refuse: Refuse): void {
  for (const field of immutable[object.kind] ?? []) {
    const wanted = object.spec?.[field];
    if (wanted === undefined || sameJson(wanted, stored.spec?.[field])) continue;
    refuse(`spec.${field}`, `field is immutable; delete the ${object.kind} first, or give it another name`);
  }
}
