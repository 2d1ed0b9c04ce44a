import { ApiClient } from '../api/client.ts';
import type { Event, KubernetesObject } from '../store/object.ts';
import { kinds, type Resource } from '../store/resources.ts';
import { clusterName, clusterOption, readArguments, UsageError } from './arguments.ts';
import { describeKind } from './describe-kind.ts';
import { type Field, formatDescription, pairs, tableLines } from './description.ts';
import { readTargets, type Target } from './kinds.ts';
import { answered, say } from './output.ts';
import { lastSeen } from './service-columns.ts';
import { formatAge } from './table.ts';

export const usage = `Usage: podwire describe KIND [NAME...] | KIND/NAME... [flags]

Tell what there is to know of objects, with what happened to them last; of all of the KIND when none is named.

  -n, --namespace NAMESPACE   (default: default)
  -A, --all-namespaces        objects of all namespaces
  -l, --selector SELECTOR     those with these labels
      --name NAME             of the cluster (default: podwire, or the only one)
`;

const options = {
  ...clusterOption,
  namespace: { type: 'string', short: 'n', default: 'default' },
  'all-namespaces': { type: 'boolean', short: 'A', default: false },
  selector: { type: 'string', short: 'l' },
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  const targets = readTargets(positionals, usage);
  const namespace = values['all-namespaces'] ? undefined : values.namespace;
  if (namespace === undefined && targets.some(({ names }) => names.length > 0)) {
    throw new UsageError('-A describes all objects; one that is named is in one namespace', usage);
  }
  const client = new ApiClient(clusterName(values.name));
  return await answered(async () => {
    let count = 0;
    for (const target of targets) {
      for (const object of await fetchAll(client, target, namespace, values.selector)) {
        await say(`${count++ === 0 ? '' : '\n\n'}${await describe(client, target.resource, object)}`);
      }
    }
    if (count === 0) process.stderr.write('No resources found\n');
    return 0;
  });
}

async function fetchAll(
  client: ApiClient,
  { resource, names }: Target,
  namespace: string | undefined,
  labelSelector: string | undefined,
): Promise<readonly KubernetesObject[]> {
  if (names.length === 0) return (await client.list(resource, { namespace, labelSelector })).items;
  return await Promise.all(names.map((name) => client.object(resource, namespace ?? '', name)));
}

async function describe(client: ApiClient, resource: Resource, object: KubernetesObject): Promise<string> {
  const own = await describeKind(client, resource, object);
  const events = await eventsOf(client, object);
  const lines = tableLines(['Type', 'Reason', 'Age', 'From', 'Message'], events.map(eventRow));
  return formatDescription({
    fields: [...headFields(object), ...own.fields],
    blocks: [...own.blocks, { title: 'Events', lines }],
  });
}

function headFields({ metadata }: KubernetesObject): Field[] {
  const { name, namespace, labels, annotations, ownerReferences, deletionTimestamp } = metadata;
  const controller = ownerReferences?.find((owner) => owner.controller === true);
  return [
    ['Name', name],
    ...(namespace === undefined ? [] : [['Namespace', namespace] as const]),
    ['Labels', pairs(labels, '=')],
    ['Annotations', pairs(annotations, ': ')],
    ['Created', `${metadata.creationTimestamp ?? ''} (${formatAge(metadata.creationTimestamp)} ago)`],
    ...(deletionTimestamp === undefined ? [] : [['Terminating', `since ${deletionTimestamp}`] as const]),
    ...(controller === undefined ? [] : [['Controlled By', `${controller.kind}/${controller.name}`] as const]),
  ];
}

/** Oldest first. Those of objects without a namespace are in `default`. */
async function eventsOf(client: ApiClient, { kind, metadata }: KubernetesObject): Promise<readonly Event[]> {
  const about = { kind, name: metadata.name, uid: metadata.uid };
  const fieldSelector = Object.entries(about)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => `involvedObject.${field}=${value}`)
    .join(',');
  const { items } = await client.list(kinds.Event, { namespace: metadata.namespace ?? 'default', fieldSelector });
  return [...items].sort((a, b) => (lastSeen(a) ?? '').localeCompare(lastSeen(b) ?? ''));
}

function eventRow(event: Event): string[] {
  const { count = 1, firstTimestamp, type = '', reason = '', source, message = '' } = event;
  const repeated = count > 1 ? ` (x${count} over ${formatAge(firstTimestamp)})` : '';
  return [type, reason, `${formatAge(lastSeen(event))}${repeated}`, source?.component ?? '', message.trim()];
}
