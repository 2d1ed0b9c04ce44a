/** Finds a command, runs it, and turns what it throws into words and an exit code. */
import { readFileSync } from 'node:fs';
import { packageUrl } from '../installation.ts';
import { Refusal } from '../vessel/refusal.ts';
import { sweepDeadClusters } from '../vessel/run-directory.ts';
import { UsageError } from './arguments.ts';
import { commands, overview } from './commands.ts';

/** 0 ok, 1 an expectation or a node failed, 2 wrong usage or input; a command's own codes pass through. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(overview());
    return 0;
  }
  if (name === '--version' || name === 'version') {
    const { version } = JSON.parse(readFileSync(packageUrl('package.json'), 'utf8')) as {
      version: string;
    };
    process.stdout.write(`podwire ${version}\n`);
    return 0;
  }
  const command = commands.find((entry) => entry.name === name);
  if (command === undefined) {
    process.stderr.write(`podwire: unknown command "${name}"\n\n${overview()}`);
    return 2;
  }
  try {
    const { run, usage } = await command.load();
    if (
      rest.slice(0, rest.includes('--') ? rest.indexOf('--') : undefined).some((word) => /^(-h|--help)$/.test(word))
    ) {
      process.stdout.write(usage);
      return 0;
    }
    // `down` sweeps by itself: it must know whether the cluster it was asked to end is among the dead.
    if (name !== 'down') sweepDeadClusters((text) => process.stderr.write(text));
    return await run(rest);
  } catch (error) {
    return explain(name, error);
  }
}

/** Mistakes of the user show words; bugs show their stack. */
function explain(name: string, error: unknown): number {
  const ownFailure = name === 'exec' ? 125 : 2;
  if (error instanceof UsageError) {
    process.stderr.write(`podwire ${name}: ${error.message}\n\n${error.usage}`);
    return ownFailure;
  }
  if (error instanceof Refusal || (error instanceof Error && error.name === 'ManifestError')) {
    process.stderr.write(`${error.message}\n`);
    return ownFailure;
  }
  process.stderr.write(`podwire ${name}: this is a bug in podwire\n`);
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return name === 'exec' ? 125 : 1;
}
