import { ApiClient } from '../api/client.ts';
import type { ClusterLink, LinkQuality } from '../cluster/links.ts';
import { clusterName, clusterOption, readArguments, readTime, UsageError } from './arguments.ts';
import { formatTable } from './table.ts';

export const usage = `Usage: podwire link get [NODE NODE] [-o text|json]
       podwire link set NODE NODE [--latency 20ms] [--jitter 5ms] [--loss 1%] [--duplicate 1%] [--reorder 5%]

Show or change what the network between two nodes does to packets, in both directions. What a flag does not name
stays as it is; --loss 0% ends the loss, and a link without faults is none.

      --latency TIME      each way, such as 20ms or 1.5s
      --jitter TIME       the latency varies by up to this much; packets stay in order
      --loss SHARE        of the packets, such as 1% or 0.5%
      --duplicate SHARE   arrive twice
      --reorder SHARE     leave at once, and overtake those that the latency holds
  -o, --output FORMAT     text (default) or json
      --name NAME         of the cluster (default: podwire, or the only one)
`;

const options = {
  ...clusterOption,
  latency: { type: 'string' },
  jitter: { type: 'string' },
  loss: { type: 'string' },
  duplicate: { type: 'string' },
  reorder: { type: 'string' },
  output: { type: 'string', short: 'o', default: 'text' },
} as const;

const qualities = [
  ['latency', 'delayMs', readTime],
  ['jitter', 'jitterMs', readTime],
  ['loss', 'loss', readShare],
  ['duplicate', 'duplicate', readShare],
  ['reorder', 'reorder', readShare],
] as const;

const LINKS = '/apis/podwire.dev/v1/links';

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  const [verb, ...nodes] = positionals;
  if (verb !== 'get' && verb !== 'set') throw new UsageError(`expected "get" or "set", found "${verb ?? ''}"`, usage);
  if (nodes.length !== 2 && (verb === 'set' || nodes.length !== 0)) {
    throw new UsageError(`link ${verb} takes two nodes`, usage);
  }
  if (values.output !== 'text' && values.output !== 'json') {
    throw new UsageError(`-o takes text or json, found "${values.output}"`, usage);
  }
  const changes = readChanges(values);
  const changed = Object.keys(changes).length > 0;
  if (changed !== (verb === 'set')) {
    throw new UsageError(
      changed ? 'link get changes nothing' : 'link set needs a flag that says what to change',
      usage,
    );
  }
  const client = new ApiClient(clusterName(values.name));
  const path = [LINKS, ...nodes.map(encodeURIComponent)].join('/');
  const links = changed ? [await client.patch<ClusterLink>(path, changes)] : await getLinks(client, path, nodes);
  process.stdout.write(values.output === 'json' ? `${JSON.stringify({ items: links }, null, 2)}\n` : table(links));
  if (links.length === 0) process.stderr.write('No links found: nothing delays or loses packets between nodes\n');
  return 0;
}

function readChanges(values: Readonly<Record<string, string | undefined>>): Partial<LinkQuality> {
  const read = qualities.flatMap(([flag, field, reader]) => {
    const text = values[flag];
    return text === undefined ? [] : [[field, reader(text, `--${flag}`, usage)] as const];
  });
  return Object.fromEntries(read);
}

async function getLinks(client: ApiClient, path: string, nodes: readonly string[]): Promise<readonly ClusterLink[]> {
  if (nodes.length > 0) return [await client.get<ClusterLink>(path)];
  return (await client.get<{ items: ClusterLink[] }>(path)).items;
}

function table(links: readonly ClusterLink[]): string {
  if (links.length === 0) return '';
  const rows = links.map(({ nodes, delayMs, jitterMs, loss, duplicate, reorder }) => [
    nodes.join(' - '),
    `${delayMs}ms`,
    `${jitterMs}ms`,
    ...[loss, duplicate, reorder].map((share) => `${Number((share * 100).toFixed(6))}%`),
  ]);
  return formatTable([['LINK', 'LATENCY', 'JITTER', 'LOSS', 'DUPLICATE', 'REORDER'], ...rows]);
}

function readShare(text: string, flag: string): number {
  const [, percent] = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text) ?? [];
  if (percent === undefined || Number(percent) > 100) {
    throw new UsageError(`${flag} takes a share from 0% to 100%, found "${text}"`, usage);
  }
  return Number(percent) / 100;
}
