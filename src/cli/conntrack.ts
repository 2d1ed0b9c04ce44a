import { ApiClient } from '../api/client.ts';
import type { Connection, Tuple } from '../api/connections.ts';
import { kinds } from '../store/resources.ts';
import { clusterName, clusterOption, readArguments, UsageError } from './arguments.ts';

export const usage = `Usage: podwire conntrack list [NODE...] [-o text|json]

List the connections that nodes know, in the words of conntrack(8): a cluster of its own per node.

  -o, --output FORMAT   text (default) or json
      --name NAME       of the cluster (default: podwire, or the only one)
`;

const options = { ...clusterOption, output: { type: 'string', short: 'o', default: 'text' } } as const;

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  const [verb, ...names] = positionals;
  if (verb !== 'list') throw new UsageError(`expected "list", found "${verb ?? ''}"`, usage);
  if (values.output !== 'text' && values.output !== 'json') {
    throw new UsageError(`-o takes text or json, found "${values.output}"`, usage);
  }
  const client = new ApiClient(clusterName(values.name));
  const nodes = names.length > 0 ? names : await allNodes(client);
  const connections: Connection[] = [];
  for (const node of nodes) {
    const path = `/apis/podwire.dev/v1/nodes/${encodeURIComponent(node)}/connections`;
    connections.push(...(await client.get<{ items: Connection[] }>(path)).items);
  }
  if (values.output === 'json') process.stdout.write(`${JSON.stringify({ items: connections }, null, 2)}\n`);
  else process.stdout.write(connections.map((connection) => `${formatConnection(connection)}\n`).join(''));
  return 0;
}

async function allNodes(client: ApiClient): Promise<string[]> {
  const nodes = await client.list(kinds.Node);
  return nodes.items.map(({ metadata }) => metadata.name);
}

/** One line, as `conntrack -L` has it, with the node in front. */
function formatConnection(connection: Connection): string {
  const { node, protocol, protocolNumber, secondsLeft, state, replied, assured } = connection;
  return [
    node,
    protocol.padEnd(6),
    protocolNumber,
    secondsLeft,
    ...(state === undefined ? [] : [state]),
    formatTuple(connection.original),
    ...(replied ? [] : ['[UNREPLIED]']),
    formatTuple(connection.reply),
    ...(assured ? ['[ASSURED]'] : []),
  ].join(' ');
}

function formatTuple(tuple: Tuple): string {
  const ports =
    tuple.type === undefined
      ? `sport=${tuple.sourcePort} dport=${tuple.destinationPort}`
      : `type=${tuple.type} code=${tuple.code} id=${tuple.id}`;
  return `src=${tuple.source} dst=${tuple.destination} ${ports} packets=${tuple.packets} bytes=${tuple.bytes}`;
}
