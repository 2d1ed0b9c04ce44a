/**
 * Runs a program inside a pod's namespaces. It is a child of `nsenter`, which is a child of this process: standard
 * streams are simply inherited, and nothing stands between; only `-it` gives it a terminal of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { AnswerError, ApiClient } from '../api/client.ts';
import { Refusal } from '../vessel/refusal.ts';
import { clusterName, clusterOption, readArguments, UsageError } from './arguments.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';
import { nodePath, podPath, type WayIn, wayInto } from './enter-pod.ts';
import { tellIgnoredContainer } from './output.ts';

export const usage = `Usage: podwire exec [-n NAMESPACE] [-it] ENDPOINT -- COMMAND [ARGUMENT...]

Run a program of this machine inside a pod: [NAMESPACE/]POD; in the first Ready pod of a workload or Service:
KIND/NAME, or its NAME where no pod has it; or on a node: node/NAME.

  -n, --namespace NAMESPACE   of the pod (default: default)
  -i, --stdin                 pass standard input on
  -t, --tty                   with -i from a terminal: a terminal of the command's own
  -c, --container CONTAINER   accepted and ignored: programs are this machine's, in the pod's network
      --name NAME             of the cluster (default: podwire, or the only one)

Exit status: the command's own; 126 not executable, 127 not found, 125 podwire's own failure.
`;

const options = {
  ...clusterOption,
  namespace: { type: 'string', short: 'n', default: 'default' },
  stdin: { type: 'boolean', short: 'i', default: false },
  tty: { type: 'boolean', short: 't', default: false },
  container: { type: 'string', short: 'c' },
} as const;

/** Signals that a person or a script sends to this process and means for the command. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

export async function run(argv: readonly string[]): Promise<number> {
  const separator = argv.indexOf('--');
  const before = separator < 0 ? argv : argv.slice(0, separator);
  const command = separator < 0 ? [] : argv.slice(separator + 1);
  const { values, positionals } = readArguments(before, options, usage);
  if (positionals.length !== 1) throw new UsageError('expected one ENDPOINT, then -- and the command', usage);
  if (command.length === 0) throw new UsageError('expected a command behind --', usage);
  const endpoint = parseEndpoint(positionals[0]!, values.namespace, usage);
  const name = clusterName(values.name);
  if (values.container !== undefined) tellIgnoredContainer('exec', values.container);
  const client = new ApiClient(name);
  const { words: invocation, missing } = await wayOf(client, name, endpoint);
  for (const thing of missing) process.stderr.write(`podwire exec: not set up: ${thing}\n`);
  if (!(values.stdin && values.tty && process.stdin.isTTY)) {
    const standardInput = values.stdin ? 'inherit' : 'ignore';
    return await ended(start([...invocation, ...command], [standardInput, 'inherit', 'inherit']));
  }
  const relay = (await import('./terminal-relay.ts')).openTerminalRelay();
  const { slave } = relay;
  // setsid is util-linux, as nsenter is: a session of its own, with this terminal.
  const child = start([...invocation, 'setsid', '--ctty', ...command], [slave, slave, slave]);
  relay.begin();
  const code = await ended(child);
  await relay.end();
  return code;
}

async function wayOf(client: ApiClient, cluster: string, endpoint: Endpoint): Promise<WayIn> {
  if (endpoint.type === 'node') return await wayInto(client, cluster, nodePath(endpoint.name));
  if (endpoint.type === 'bare') {
    // Nearly always there is such a pod: one question less.
    try {
      return await wayInto(client, cluster, podPath(endpoint.namespace, endpoint.name));
    } catch (error) {
      if (!(error instanceof AnswerError && error.code === 404)) throw error;
    }
  }
  const { choosePod } = await import('./choose-pod.ts');
  const { namespace, name, of } = await choosePod(client, endpoint);
  // In a script standard error is the command's alone.
  if (of !== undefined && process.stderr.isTTY) process.stderr.write(`${of}: pod/${name}\n`);
  return await wayInto(client, cluster, podPath(namespace, name));
}

function start(words: readonly string[], stdio: ('inherit' | 'ignore' | number)[]): ChildProcess {
  let child: ChildProcess | undefined;
  // Before there is a command: a signal that comes while it is being started must not leave it behind.
  for (const signal of FORWARDED) process.on(signal, () => void forward(child, signal));
  child = spawn('nsenter', words, { stdio });
  return child;
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', () => reject(new Refusal('the program nsenter was not found; apt-get install util-linux')));
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]));
  });
}

/** `nsenter` forks to enter a PID namespace and passes no signal on; it may not have forked yet. */
async function forward(nsenter: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  // From a terminal the kernel has sent Ctrl-C to the whole foreground group.
  if (nsenter?.pid === undefined || (process.stdin.isTTY === true && signal === 'SIGINT')) return;
  while (nsenter.exitCode === null && nsenter.signalCode === null) {
    try {
      const children = readFileSync(`/proc/${nsenter.pid}/task/${nsenter.pid}/children`, 'utf8').trim();
      if (children !== '') {
        process.kill(Number(children.split(' ')[0]), signal);
        return;
      }
    } catch {
      return; // ended meanwhile
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
