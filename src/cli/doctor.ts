import { checkMachine } from '../vessel/machine.ts';
import { readArguments, UsageError } from './arguments.ts';
import { formatTable } from './table.ts';

export const usage = `Usage: podwire doctor [-o text|json]

Try what a cluster needs from this machine, and say what to do where something is missing.

Exit status: 0 when a cluster can be started, 1 when not.
`;

const options = { output: { type: 'string', short: 'o', default: 'text' } } as const;

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  if (positionals.length > 0) throw new UsageError(`unexpected "${positionals[0]}"`, usage);
  if (values.output !== 'text' && values.output !== 'json') {
    throw new UsageError(`-o takes text or json, found "${values.output}"`, usage);
  }
  const checks = checkMachine();
  const able = checks.every(({ ok, required }) => ok || !required);
  if (values.output === 'json') {
    process.stdout.write(`${JSON.stringify({ able, checks }, null, 2)}\n`);
    return able ? 0 : 1;
  }
  const rows = checks.map(({ name, ok, required, found, remedy }) => [
    ok ? 'ok' : required ? 'MISSING' : 'absent',
    name,
    remedy === '' ? found : `${found}: ${remedy}`,
  ]);
  process.stdout.write(formatTable(rows));
  process.stdout.write(able ? '\nA cluster can be started.\n' : '\nNo cluster can be started here yet.\n');
  return able ? 0 : 1;
}
