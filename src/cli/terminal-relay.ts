/**
 * A terminal inside the pod's PID namespace, joined to the one this process has. The command gets a session of its
 * own: a shell that merely inherited our terminal could neither see the process group it came from nor give the
 * terminal back to it.
 */
import { createWriteStream } from 'node:fs';
import { ReadStream } from 'node:tty';
import { close } from '../sys/io.ts';
import { openPseudoTerminal, setTerminalSize } from '../sys/terminal.ts';

export interface TerminalRelay {
  /** Standard input, output and error of the command. */
  readonly slave: number;
  /** Call when the command runs: its own copy keeps the slave side open. */
  begin(): void;
  /** Resolves when all that the command has written is on our terminal, which is as it was before. */
  end(): Promise<void>;
}

export function openTerminalRelay(): TerminalRelay {
  const { master, slave } = openPseudoTerminal();
  const { stdin, stdout } = process;
  const resize = () => setTerminalSize(master, stdout.columns ?? 80, stdout.rows ?? 24);
  resize();
  const output = new ReadStream(master);
  // The last writer's end shows as EIO on the master side (pty(7)): that is the end of the output, not a failure.
  const drained = new Promise<void>((resolve) => {
    output.on('error', () => resolve());
    output.on('end', () => resolve());
  });
  return {
    slave,
    begin() {
      close(slave);
      output.pipe(stdout, { end: false });
      stdin.setRawMode(true); // every key, Ctrl-C among them, is for the command
      stdin.pipe(createWriteStream('', { fd: master, autoClose: false })).on('error', () => {});
      stdout.on('resize', resize);
    },
    async end() {
      // What a command left running may hold the terminal open; nobody waits for that.
      await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, LEFT_BEHIND_MS).unref())]);
      stdout.off('resize', resize);
      stdin.unpipe();
      stdin.setRawMode(false);
      stdin.pause();
      stdin.unref();
      output.destroy();
    },
  };
}

const LEFT_BEHIND_MS = 200;
