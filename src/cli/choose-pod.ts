/** The pod that an endpoint means: its own, or the first Ready one of a workload. */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import { AnswerError, type ApiClient } from '../api/client.ts';
import { isReady } from '../controllers/pod-state.ts';
import type { KubernetesObject, Pod } from '../store/object.ts';
import { podBearing } from '../store/pods-of.ts';
import { kinds, type Resource } from '../store/resources.ts';
import { Refusal } from '../vessel/refusal.ts';
import { selectorText } from './column.ts';
import type { Endpoint } from './endpoint.ts';
import { typeName } from './kinds.ts';

export interface ChosenPod {
  readonly namespace: string;
  readonly name: string;
  /** `deployment.apps/web`, when it was not the pod that was named. */
  readonly of: string | undefined;
}

/**
 * @param unready take one that is not Ready where none is
 * @throws AnswerError NotFound; Refusal for a workload without such a pod
 */
export async function choosePod(
  client: ApiClient,
  endpoint: Exclude<Endpoint, { type: 'node' }>,
  unready: 'refuse' | 'take' = 'refuse',
): Promise<ChosenPod> {
  const { namespace, name } = endpoint;
  if (endpoint.type === 'object') {
    const object = await client.object(endpoint.resource, namespace, name);
    if (endpoint.resource === kinds.Pod) return { namespace, name, of: undefined };
    return await podOf(client, endpoint.resource, object, unready);
  }
  if ((await lookUp(client, kinds.Pod, namespace, name)) !== undefined) return { namespace, name, of: undefined };
  for (const resource of podBearing) {
    const object = await lookUp(client, resource, namespace, name);
    if (object !== undefined) return await podOf(client, resource, object, unready);
  }
  const message = `pods "${name}" not found in namespace "${namespace}", nor a workload or Service of that name`;
  throw new AnswerError(404, 'NotFound', message);
}

async function lookUp(
  client: ApiClient,
  resource: Resource,
  namespace: string,
  name: string,
): Promise<KubernetesObject | undefined> {
  try {
    return await client.object(resource, namespace, name);
  } catch (error) {
    if (error instanceof AnswerError && error.code === 404) return undefined;
    throw error;
  }
}

async function podOf(
  client: ApiClient,
  resource: Resource,
  object: KubernetesObject,
  unready: 'refuse' | 'take',
): Promise<ChosenPod> {
  const { namespace = '', name } = object.metadata;
  const of = `${typeName(resource)}/${name}`;
  const pods = (await podsOf(client, resource, object)).filter((pod) => pod.metadata.deletionTimestamp === undefined);
  const ready = pods.find(isReady);
  const chosen = unready === 'take' ? (ready ?? pods[0]) : ready;
  if (chosen !== undefined) return { namespace, name: chosen.metadata.name, of };
  throw new Refusal(`${of} has no Ready pod (of ${pods.length}) in namespace "${namespace}"`);
}

/** The pods that a Service selects, or that a workload has made. */
export async function podsOf(client: ApiClient, resource: Resource, object: KubernetesObject): Promise<readonly Pod[]> {
  const { namespace, uid } = object.metadata;
  const { selector = {} } = (object as { spec?: { selector?: object } }).spec ?? {};
  if (resource === kinds.Service) {
    const labelSelector = selectorText({ matchLabels: selector as Record<string, string> });
    return labelSelector === '' ? [] : (await client.list(kinds.Pod, { namespace, labelSelector })).items;
  }
  const isMap = resource === kinds.ReplicationController;
  const labelSelector = selectorText((isMap ? { matchLabels: selector } : selector) as LabelSelector) || undefined;
  const owners = new Set([uid]);
  if (resource === kinds.Deployment) {
    const { items } = await client.list(kinds.ReplicaSet, { namespace });
    for (const set of items) if (isOwned(set, owners)) owners.add(set.metadata.uid);
  }
  const { items } = await client.list(kinds.Pod, { namespace, labelSelector });
  return items.filter((pod) => isOwned(pod, owners));
}

function isOwned({ metadata }: KubernetesObject, owners: ReadonlySet<string | undefined>): boolean {
  return metadata.ownerReferences?.some(({ uid }) => owners.has(uid)) === true;
}
