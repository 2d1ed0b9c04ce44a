/** A command as a user types it, in this process. */
import { runCommand } from '../../src/cli/run-command.ts';

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One at a time: what the process writes meanwhile is the command's. @param home PODWIRE_HOME */
export async function runHere(home: string, words: readonly string[]): Promise<Said> {
  const said = { stdout: '', stderr: '' };
  const homeBefore = process.env['PODWIRE_HOME'];
  const before = [process.stdout.write, process.stderr.write] as const;
  const into = (stream: keyof typeof said) => (text: string) => {
    said[stream] += text;
    return true;
  };
  process.env['PODWIRE_HOME'] = home;
  process.stdout.write = into('stdout') as never;
  process.stderr.write = into('stderr') as never;
  try {
    return { code: await runCommand(words), ...said };
  } finally {
    [process.stdout.write, process.stderr.write] = before;
    if (homeBefore === undefined) delete process.env['PODWIRE_HOME'];
    else process.env['PODWIRE_HOME'] = homeBefore;
  }
}
