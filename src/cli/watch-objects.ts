/** `podwire get -w`: what there is, and then each change as it comes. */
import type { ApiClient, ListQuery } from '../api/client.ts';
import type { KubernetesObject } from '../store/object.ts';
import type { Resource } from '../store/resources.ts';
import { headerOf, type OutputFormat, objectName, rowOf } from './get-output.ts';
import { say, serialise } from './output.ts';
import { TableFormatter } from './table.ts';

interface WatchQuery extends ListQuery {
  /** Of one object. */
  readonly name: string | undefined;
}

interface WatchOutput {
  readonly format: OutputFormat;
  readonly headers: boolean;
  readonly withNamespace: boolean;
}

/** Resolves to the exit code when the cluster ends. */
export async function watchObjects(
  client: ApiClient,
  resource: Resource,
  { name, ...query }: WatchQuery,
  output: WatchOutput,
): Promise<number> {
  if (name !== undefined) await client.object(resource, query.namespace ?? '', name); // told when it is not there
  const asked = name === undefined ? query : { ...query, fieldSelector: `metadata.name=${name}` };
  const { metadata, items } = await client.list(resource, asked);
  const format = formatter(resource, output);
  if (items.length > 0) await say(await format(items));
  for await (const { object } of client.watch(resource, asked, metadata.resourceVersion)) {
    await say(await format([object]));
  }
  process.stderr.write('the cluster has ended\n');
  return 0;
}

/** Writes the headers once, and everything else below them. */
function formatter(
  resource: Resource,
  output: WatchOutput,
): (objects: readonly KubernetesObject[]) => string | Promise<string> {
  const { format } = output;
  if (format === 'json' || format === 'yaml') {
    const separator = format === 'yaml' ? '---\n' : '';
    return async (objects) => {
      const texts = await Promise.all(objects.map((object) => serialise(object, format)));
      return texts.map((text) => `${separator}${text}`).join('');
    };
  }
  if (format === 'name') return (objects) => objects.map((object) => `${objectName(resource, object)}\n`).join('');
  const table = new TableFormatter();
  let head = output.headers ? [headerOf(resource, output)] : [];
  return (objects) => {
    const rows = [...head, ...objects.map((object) => rowOf(resource, object, output))];
    head = [];
    return table.format(rows);
  };
}
