/** What commands say, of what the cluster has answered. */
import { once } from 'node:events';
import { AnswerError } from '../api/client.ts';
import { printable } from '../cluster/source.ts';

/** To standard output, no faster than it is read. */
export async function say(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

/** In kubectl's words; the problems of manifests, which name their files, as they stand. */
export function tellAnswer({ reason, message }: AnswerError): void {
  const head = reason === 'Invalid' ? '' : `Error from server (${reason}): `;
  process.stderr.write(`${head}${message.split('\n').map(printable).join('\n')}\n`);
}

/** Runs a command; what the server refuses is told, and is an exit code: 2 for wrong input, 1 for the rest. */
export async function answered(command: () => Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (error) {
    if (!(error instanceof AnswerError)) throw error;
    tellAnswer(error);
    return error.code === 400 || error.code === 422 ? 2 : 1;
  }
}

/** `json`, `yaml`: keys sorted, as kubectl writes objects. */
export async function serialise(value: unknown, format: 'json' | 'yaml'): Promise<string> {
  if (format === 'json') return `${JSON.stringify(sorted(value), null, 4)}\n`;
  const { stringify } = await import('yaml');
  // Version 1.1 quotes what its readers, Go's among them, would take for a truth value; texts stay on their lines.
  const options = { version: '1.1', indentSeq: false, lineWidth: 0, aliasDuplicateObjects: false } as const;
  return stringify(sorted(value), options);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

export function tellIgnoredContainer(command: string, container: string): void {
  const reason = "a pod's containers share one network and one workload";
  process.stderr.write(`podwire ${command}: -c ${container} is ignored: ${reason}\n`);
}
