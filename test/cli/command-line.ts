/** Commands as a user types them, in this process, against a served store. */
import { runCommand } from '../../src/cli/run-command.ts';
import { CLUSTER, type ServedCluster } from '../api/served-cluster.ts';

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One at a time: what the process writes meanwhile is the command's. */
export async function podwire(served: ServedCluster, ...words: string[]): Promise<Said> {
  const said = { stdout: '', stderr: '' };
  const home = process.env['PODWIRE_HOME'];
  const before = [process.stdout.write, process.stderr.write] as const;
  const into = (stream: keyof typeof said) => (text: string) => {
    said[stream] += text;
    return true;
  };
  process.env['PODWIRE_HOME'] = served.home;
  process.stdout.write = into('stdout') as never;
  process.stderr.write = into('stderr') as never;
  try {
    const [command, ...rest] = words;
    // Flags of podwire stand before the command that a pod is to run.
    const at = rest.includes('--') ? rest.indexOf('--') : rest.length;
    const code = await runCommand([command!, ...rest.slice(0, at), '--name', CLUSTER, ...rest.slice(at)]);
    return { code, ...said };
  } finally {
    [process.stdout.write, process.stderr.write] = before;
    if (home === undefined) delete process.env['PODWIRE_HOME'];
    else process.env['PODWIRE_HOME'] = home;
  }
}
