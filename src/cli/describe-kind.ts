/** What `describe` tells of each kind besides what all objects have. */
import type { ApiClient } from '../api/client.ts';
import type { KubernetesObject } from '../store/object.ts';
import { kinds, type Resource } from '../store/resources.ts';
import { describeNode, describePod } from './describe-pod.ts';
import { describeService } from './describe-service.ts';
import { describeWorkload } from './describe-workload.ts';
import type { Description } from './description.ts';

type Describer = (client: ApiClient, object: never, resource: Resource) => Promise<Description>;

const describers = new Map<Resource, Describer>([
  [kinds.Pod, describePod],
  [kinds.Node, describeNode],
  [kinds.Service, describeService],
  [kinds.Deployment, describeWorkload],
  [kinds.ReplicaSet, describeWorkload],
  [kinds.ReplicationController, describeWorkload],
  [kinds.StatefulSet, describeWorkload],
  [kinds.DaemonSet, describeWorkload],
  [kinds.Job, describeWorkload],
]);

export async function describeKind(
  client: ApiClient,
  resource: Resource,
  object: KubernetesObject,
): Promise<Description> {
  const describer = describers.get(resource);
  if (describer !== undefined) return await describer(client, object as never, resource);
  return resource === kinds.Secret ? describeSecret(object) : await describeAsWritten(object);
}

/** How much there is of each secret, as kubectl says it, and no more. */
function describeSecret(object: KubernetesObject): Description {
  const { type = 'Opaque', data = {} } = object as { type?: string; data?: Readonly<Record<string, string>> };
  const lines = Object.entries(data).map(([key, text]) => `${key}:  ${Buffer.from(text, 'base64').length} bytes`);
  return { fields: [['Type', type]], blocks: [{ title: 'Data', lines }] };
}

/** The other fields, as YAML. */
async function describeAsWritten(object: KubernetesObject): Promise<Description> {
  const { stringify } = await import('yaml');
  const { apiVersion: _, kind: __, metadata: ___, ...rest } = object;
  const blocks = Object.entries(rest).map(([name, value]) => ({
    title: `${name[0]!.toUpperCase()}${name.slice(1)}`,
    lines: isEmpty(value) ? [] : stringify(value, { lineWidth: 0 }).trimEnd().split('\n'),
  }));
  return { fields: [], blocks };
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
