/** `podwire check` as a user types it, in this process, in a folder of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { runCommand } from '../../src/cli/run-command.ts';

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class CheckFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'pwc'));

  constructor() {
    afterAll(() => rmSync(this.path, { recursive: true, force: true }));
  }

  /** @returns the file's path */
  write(name: string, text: string): string {
    const path = join(this.path, name);
    writeFileSync(path, text);
    return path;
  }

  async check(...words: string[]): Promise<Said> {
    const said = { stdout: '', stderr: '' };
    const home = process.env['PODWIRE_HOME'];
    const before = [process.stdout.write, process.stderr.write] as const;
    const into = (stream: keyof typeof said) => (text: string) => {
      said[stream] += text;
      return true;
    };
    process.env['PODWIRE_HOME'] = this.path;
    process.stdout.write = into('stdout') as never;
    process.stderr.write = into('stderr') as never;
    try {
      return { code: await runCommand(['check', ...words]), ...said };
    } finally {
      [process.stdout.write, process.stderr.write] = before;
      if (home === undefined) delete process.env['PODWIRE_HOME'];
      else process.env['PODWIRE_HOME'] = home;
    }
  }
}

/** A pod that answers on TCP 80 by the name http, and on UDP 53. */
export function podYaml(
  name: string,
  labels: Readonly<Record<string, string>>,
  namespace = 'default',
  more = '',
): string {
  const ports = '[{name: http, containerPort: 80}, {name: dns, containerPort: 53, protocol: UDP}]';
  return `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${namespace}, labels: ${JSON.stringify(labels)}}
spec: {${more} containers: [{name: c, image: x, ports: ${ports}}]}
`;
}
