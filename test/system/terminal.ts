/**
 * A terminal for tests: a tmux server of its own (`tmux -L`) with one window, in which a script runs one program, says
 * `code N` when that has ended, then reads a line and says `after: LINE`. What it shows is what a person would see.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { until } from '../support/cluster.ts';

/** Ctrl-C reaches the script too, which must live to tell the exit code. */
const SCRIPT = `trap : INT; "$@"; echo "code $?"; read -r line; echo "after: $line"; sleep 60`;

export interface TerminalOptions {
  readonly columns: number;
  readonly rows: number;
  /** Of the program alone, so that neither script nor tmux is taken for a part of a cluster. */
  readonly env: NodeJS.ProcessEnv;
}

export class Terminal {
  readonly #socket = `podwire-test-${randomBytes(6).toString('hex')}`;

  /** Opens a terminal, runs the program in it, and closes it after `use`. */
  static async with(
    words: readonly string[],
    options: TerminalOptions,
    use: (terminal: Terminal) => Promise<void>,
  ): Promise<void> {
    const terminal = new Terminal();
    const variables = Object.entries(options.env).map(([name, value]) => `${name}=${value ?? ''}`);
    const program = ['env', ...variables, 'TERM=xterm', ...words];
    terminal.#tmux([
      ...['-f', '/dev/null', 'new-session', '-d', '-x', String(options.columns), '-y', String(options.rows)],
      ...['sh', '-c', SCRIPT, 'sh', ...program],
    ]);
    try {
      await use(terminal);
    } finally {
      terminal.#tmux(['kill-server']);
    }
  }

  /** Types text, `\n` being the Enter key. */
  type(text: string): void {
    for (const part of text.split(/(\n)/).filter((piece) => piece !== '')) {
      this.#tmux(part === '\n' ? ['send-keys', 'Enter'] : ['send-keys', '-l', part]);
    }
  }

  /** Presses a key by tmux's name for it, such as `C-c`. */
  press(key: string): void {
    this.#tmux(['send-keys', key]);
  }

  resize(columns: number, rows: number): void {
    this.#tmux(['resize-window', '-x', String(columns), '-y', String(rows)]);
  }

  /** What is on the screen and what has scrolled off it, lines without the blanks behind them. */
  text(): string {
    return this.#tmux(['capture-pane', '-p', '-J', '-S', '-200']).trimEnd();
  }

  async shows(pattern: RegExp, timeoutMs = 15_000): Promise<RegExpMatchArray> {
    let text = '';
    return await until(
      () => {
        text = this.text();
        return text.match(pattern) ?? undefined;
      },
      timeoutMs,
      () => `${pattern} on the screen:\n${text}`,
    );
  }

  #tmux(words: readonly string[]): string {
    const { PATH, HOME, LANG } = process.env;
    const env = { PATH, HOME, LANG, TERM: 'xterm-256color', SHELL: '/bin/sh' };
    return execFileSync('tmux', ['-L', this.#socket, ...words], { encoding: 'utf8', env });
  }
}
