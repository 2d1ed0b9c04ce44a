import { AnswerError, ApiClient, type ListQuery } from '../api/client.ts';
import type { KubernetesObject } from '../store/object.ts';
import type { Resource } from '../store/resources.ts';
import { clusterName, clusterOption, readArguments, UsageError } from './arguments.ts';
import { type Found, formatObjects, isOutputFormat, type OutputFormat } from './get-output.ts';
import { readTargets, type Target } from './kinds.ts';
import { answered, say, tellAnswer } from './output.ts';
import { watchObjects } from './watch-objects.ts';

export const usage = `Usage: podwire get KIND[,KIND...] [NAME...] [flags]
       podwire get KIND/NAME... [flags]

List objects: kinds by plural, singular or short name (pods, pod, po); all: pods, services and what makes pods.

  -n, --namespace NAMESPACE   objects of this namespace (default: default)
  -A, --all-namespaces        objects of all namespaces
  -l, --selector SELECTOR     labels, such as app=web,tier!=db or env in (a,b)
      --field-selector FIELDS such as spec.nodeName=n1,status.phase=Running
  -w, --watch                 go on with changes as they come; Ctrl-C ends
  -o, --output FORMAT         wide: more columns; json, yaml: whole objects; name: KIND/NAME lines
      --no-headers            no column names
      --name NAME             of the cluster (default: podwire, or the only one)
`;

const options = {
  ...clusterOption,
  namespace: { type: 'string', short: 'n', default: 'default' },
  'all-namespaces': { type: 'boolean', short: 'A', default: false },
  selector: { type: 'string', short: 'l' },
  'field-selector': { type: 'string' },
  watch: { type: 'boolean', short: 'w', default: false },
  output: { type: 'string', short: 'o', default: '' },
  'no-headers': { type: 'boolean', default: false },
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  const targets = readTargets(positionals, usage);
  const format = readFormat(values.output);
  const everywhere = values['all-namespaces'];
  const query: ListQuery = {
    namespace: everywhere ? undefined : values.namespace,
    labelSelector: values.selector,
    fieldSelector: values['field-selector'],
  };
  const byName = targets.some(({ names }) => names.length > 0);
  if (byName && everywhere) throw new UsageError('-A lists all objects; one that is named is in one namespace', usage);
  if (byName && (values.selector ?? values['field-selector']) !== undefined) {
    throw new UsageError('a selector chooses among all objects; name them or select them', usage);
  }
  const output = { format, headers: !values['no-headers'], withNamespace: everywhere };
  const client = new ApiClient(clusterName(values.name));
  if (!values.watch) return await answered(() => list(client, targets, query, output));
  const [target, ...more] = targets;
  if (target === undefined || more.length > 0 || target.names.length > 1) {
    throw new UsageError('-w watches one KIND, or one object', usage);
  }
  return await answered(() => watchObjects(client, target.resource, { ...query, name: target.names[0] }, output));
}

function readFormat(text: string): OutputFormat {
  if (isOutputFormat(text)) return text;
  const remedy = /^(jsonpath|go-template|custom-columns)/.test(text) ? '; jq reads what -o json writes' : '';
  throw new UsageError(`-o takes wide, json, yaml or name, found "${text}"${remedy}`, usage);
}

interface Output {
  readonly format: OutputFormat;
  readonly headers: boolean;
  readonly withNamespace: boolean;
}

async function list(client: ApiClient, targets: readonly Target[], query: ListQuery, output: Output): Promise<number> {
  const found: Found[] = [];
  const missing: AnswerError[] = [];
  for (const { resource, names } of targets) {
    const objects =
      names.length === 0
        ? (await client.list(resource, query)).items
        : await named(client, resource, query.namespace ?? '', names, missing);
    found.push({ resource, objects });
  }
  const isSingle = targets.length === 1 && targets[0]!.names.length === 1;
  const count = found.reduce((sum, { objects }) => sum + objects.length, 0);
  const isWhole = output.format === 'json' || output.format === 'yaml';
  if (count > 0 || (isWhole && missing.length === 0)) await say(await formatObjects(found, { ...output, isSingle }));
  for (const error of missing) tellAnswer(error);
  if (count === 0 && missing.length === 0 && !isWhole) process.stderr.write(nothingFound(targets, query.namespace));
  return missing.length === 0 ? 0 : 1;
}

function nothingFound(targets: readonly Target[], namespace: string | undefined): string {
  const isNamespaced = targets.some(({ resource }) => resource.namespaced);
  return isNamespaced && namespace !== undefined
    ? `No resources found in ${namespace} namespace.\n`
    : 'No resources found\n';
}

/** Those that are there; what is not goes to `missing`. */
async function named(
  client: ApiClient,
  resource: Resource,
  namespace: string,
  names: readonly string[],
  missing: AnswerError[],
): Promise<KubernetesObject[]> {
  const objects: KubernetesObject[] = [];
  for (const name of names) {
    try {
      objects.push(await client.object(resource, namespace, name));
    } catch (error) {
      if (!(error instanceof AnswerError) || error.code !== 404) throw error;
      missing.push(error);
    }
  }
  return objects;
}
