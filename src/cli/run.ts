/** A cluster for one command: started, used, ended. */
import { constants } from 'node:os';
import { printable } from '../cluster/source.ts';
import { ClusterHost, type Status } from '../vessel/host.ts';
import { startVessel } from '../vessel/vessel.ts';
import { readArguments, UsageError } from './arguments.ts';
import { run as execute } from './exec.ts';
import { startOptions } from './start-options.ts';

const STDERR = 2;

export const usage = `Usage: podwire run [PATH... | -f PATH]... [flags] -- COMMAND [ARGUMENT...]

Start a cluster from YAML, run a program of this machine on its first node, where the cluster's names resolve, and end
the cluster again: a test in one line.

    podwire run shop/ -- sh -c 'curl -sf http://api.shop/healthz'

  -f, --filename PATH   the same as PATH
      --name NAME       of the cluster (default: run- and a number)
      --nodes, --mtu, --offload, --underlay, --without, --strict-checksums, --allow-run   as for \`podwire up\`

Exit status: the command's own; 126 not executable, 127 not found; 1 a pod did not become Ready, with the reason; 2 wrong
usage or input.
`;

export async function run(argv: readonly string[]): Promise<number> {
  const separator = argv.indexOf('--');
  const command = separator < 0 ? [] : argv.slice(separator + 1);
  const before = separator < 0 ? argv : argv.slice(0, separator);
  const { values, positionals } = readArguments(before, startOptions, usage);
  if (command.length === 0) throw new UsageError('expected a command behind --', usage);
  let host: ClusterHost | undefined;
  let interrupted: number | undefined;
  const vessel = startVessel(STDERR); // while the manifests are read
  // While there is no command yet; then `exec` passes signals on, and the command's end is the cluster's.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (host !== undefined) return;
      interrupted ??= 128 + constants.signals[signal];
      void vessel.abandon();
    });
  }
  try {
    const { planStart } = await import('./start-plan.ts');
    const plan = planStart({ ...values, name: values.name ?? `run-${process.pid}` }, positionals, usage);
    const onStatus = (status: Status) => {
      if (status.type === 'note') process.stderr.write(`${status.message}\n`);
    };
    host = await ClusterHost.start({ ...plan, vessel, logFile: undefined, onStatus });
    const { unready } = host.summary;
    for (const line of unready) process.stderr.write(` ✗ ${printable(line)}\n`);
    if (unready.length > 0) return 1;
    const [first] = plan.topology.nodes;
    return await execute(['--name', host.name, '-i', `node/${first!.name}`, '--', ...command]);
  } catch (error) {
    if (interrupted !== undefined) return interrupted;
    throw error;
  } finally {
    await (host === undefined ? vessel.abandon() : host.stop());
  }
}
