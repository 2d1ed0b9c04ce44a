import { ApiClient } from '../api/client.ts';
import { objectPath } from '../api/resource-path.ts';
import { kinds } from '../store/resources.ts';
import { clusterName, clusterOption, readArguments, readCount, UsageError } from './arguments.ts';
import { choosePod } from './choose-pod.ts';
import { parseEndpoint } from './endpoint.ts';
import { answered, say, tellIgnoredContainer } from './output.ts';

export const usage = `Usage: podwire logs [-f] [-n NAMESPACE] [NAMESPACE/]POD | KIND/NAME

Print what a pod's workload has said: a line for each request that it has answered, or what its program has written.

  -n, --namespace NAMESPACE   of the pod (default: default)
  -f, --follow                go on with new lines as they come; Ctrl-C ends
      --tail N                only the last N lines
  -c, --container CONTAINER   accepted and ignored: a pod's containers have one workload
      --name NAME             of the cluster (default: podwire, or the only one)
`;

const options = {
  ...clusterOption,
  namespace: { type: 'string', short: 'n', default: 'default' },
  follow: { type: 'boolean', short: 'f', default: false },
  tail: { type: 'string' },
  container: { type: 'string', short: 'c' },
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  // kubectl also takes a container behind the pod.
  const [text, container = values.container, ...more] = positionals;
  if (text === undefined || more.length > 0) throw new UsageError('expected one POD, or KIND/NAME', usage);
  const endpoint = parseEndpoint(text, values.namespace, usage);
  if (endpoint.type === 'node') throw new UsageError('nodes have no logs here; expected a POD', usage);
  const tail = values.tail === '-1' ? undefined : readCount(values.tail, '--tail', usage);
  if (container !== undefined) tellIgnoredContainer('logs', container);
  const client = new ApiClient(clusterName(values.name));
  return await answered(async () => {
    const pod = await choosePod(client, endpoint, 'take');
    if (pod.of !== undefined) process.stderr.write(`${pod.of}: pod/${pod.name}\n`);
    const query = new URLSearchParams({ follow: String(values.follow) });
    if (tail !== undefined) query.set('tailLines', String(tail));
    const path = `${objectPath(kinds.Pod, pod.namespace, pod.name)}/log?${query}`;
    for await (const line of client.lines(path)) await say(`${line}\n`);
    return 0;
  });
}
