import { ApiClient } from '../api/client.ts';
import type { NodeObject, ObjectList, PodObject } from '../api/objects.ts';
import { clusterName, clusterOption, readArguments, UsageError } from './arguments.ts';
import { formatAge, formatTable } from './table.ts';

export const usage = `Usage: podwire get KIND [NAME] [-n NAMESPACE | -A] [-o wide|json|yaml|name]

List nodes or pods (short: no, po; several: nodes,pods).

  -n, --namespace NAMESPACE   pods of this namespace (default: default)
  -A, --all-namespaces        pods of all namespaces
  -o, --output FORMAT         wide: more columns; json, yaml: whole objects; name: KIND/NAME lines
      --no-headers            no column names
      --name NAME             of the cluster (default: podwire, or the only one)
`;

const options = {
  ...clusterOption,
  namespace: { type: 'string', short: 'n', default: 'default' },
  'all-namespaces': { type: 'boolean', short: 'A', default: false },
  output: { type: 'string', short: 'o', default: '' },
  'no-headers': { type: 'boolean', default: false },
} as const;

type AnyObject = NodeObject | PodObject;

interface Kind {
  readonly names: readonly string[];
  readonly one: string;
  readonly headers: readonly string[];
  /** Headers that only `-o wide` shows, behind the others. */
  readonly wideHeaders: readonly string[];
  readonly namespaced: boolean;
  row(object: never): string[];
}

const kinds: readonly Kind[] = [
  {
    names: ['nodes', 'node', 'no'],
    one: 'node',
    headers: ['NAME', 'STATUS', 'ROLES', 'AGE'],
    wideHeaders: ['INTERNAL-IP', 'POD-CIDR'],
    namespaced: false,
    row: (node: NodeObject) => [
      node.metadata.name,
      isReady(node) ? 'Ready' : 'NotReady',
      roles(node),
      formatAge(node.metadata.creationTimestamp),
      node.status.addresses.find(({ type }) => type === 'InternalIP')?.address ?? '',
      node.spec.podCIDRs.join(','),
    ],
  },
  {
    names: ['pods', 'pod', 'po'],
    one: 'pod',
    headers: ['NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE'],
    wideHeaders: ['IP', 'NODE'],
    namespaced: true,
    row: (pod: PodObject) => [
      pod.metadata.name,
      isReady(pod) ? '1/1' : '0/1',
      pod.status.phase,
      '0',
      formatAge(pod.metadata.creationTimestamp),
      pod.status.podIPs.map(({ ip }) => ip).join(','),
      pod.spec.nodeName,
    ],
  },
];

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  const [what, name, ...more] = positionals;
  if (what === undefined || more.length > 0) throw new UsageError('expected a KIND and at most one NAME', usage);
  if (!['', 'wide', 'json', 'yaml', 'name'].includes(values.output)) {
    throw new UsageError(`-o takes wide, json, yaml or name, found "${values.output}"`, usage);
  }
  const wanted = what.split(',').map(findKind);
  const client = new ApiClient(clusterName(values.name));
  const found: { kind: Kind; objects: AnyObject[] }[] = [];
  for (const kind of wanted) {
    const path = collectionPath(kind, values['all-namespaces'] ? undefined : values.namespace);
    const objects =
      name === undefined
        ? (await client.get<ObjectList<AnyObject>>(path)).items
        : [await client.get<AnyObject>(`${path}/${encodeURIComponent(name)}`)];
    found.push({ kind, objects: [...objects] });
  }
  const objects = found.flatMap((part) => part.objects);
  if (values.output === 'json' || values.output === 'yaml') {
    const body = name === undefined ? { apiVersion: 'v1', kind: 'List', items: objects } : objects[0];
    process.stdout.write(await serialise(body, values.output));
    return 0;
  }
  const qualify = values['all-namespaces'];
  const texts = found.map(({ kind, objects: some }) => show(kind, some, values.output, qualify, values['no-headers']));
  process.stdout.write(texts.filter((text) => text !== '').join('\n'));
  if (objects.length === 0) {
    process.stderr.write(qualify ? 'No resources found\n' : `No resources found in ${values.namespace} namespace.\n`);
  }
  return 0;
}

function findKind(name: string): Kind {
  const kind = kinds.find(({ names }) => names.includes(name));
  if (kind === undefined) throw new UsageError(`there is no kind "${name}" here; known: nodes, pods`, usage);
  return kind;
}

function collectionPath(kind: Kind, namespace: string | undefined): string {
  if (!kind.namespaced || namespace === undefined) return `/api/v1/${kind.names[0]}`;
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/${kind.names[0]}`;
}

async function serialise(body: unknown, format: 'json' | 'yaml'): Promise<string> {
  if (format === 'json') return `${JSON.stringify(body, null, 4)}\n`;
  const { stringify } = await import('yaml');
  return stringify(body);
}

function show(kind: Kind, objects: readonly AnyObject[], output: string, qualify: boolean, bare: boolean): string {
  if (objects.length === 0) return '';
  if (output === 'name') return objects.map(({ metadata }) => `${kind.one}/${metadata.name}\n`).join('');
  const withNamespace = qualify && kind.namespaced;
  const headers = output === 'wide' ? [...kind.headers, ...kind.wideHeaders] : kind.headers;
  const rows = objects.map((object) => {
    const cells = kind.row(object as never).slice(0, headers.length);
    return withNamespace ? [object.metadata.namespace ?? '', ...cells] : cells;
  });
  const head = withNamespace ? ['NAMESPACE', ...headers] : headers;
  return formatTable(bare ? rows : [head, ...rows]);
}

function isReady(object: AnyObject): boolean {
  return object.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

function roles(node: NodeObject): string {
  const prefix = 'node-role.kubernetes.io/';
  const found = Object.keys(node.metadata.labels ?? {}).filter((label) => label.startsWith(prefix));
  return found.map((label) => label.slice(prefix.length)).join(',') || '<none>';
}
