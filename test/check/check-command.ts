/** `podwire check` as a user types it, in this process, in a folder of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { runHere, type Said } from '../cli/run-here.ts';

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
    return runHere(this.path, ['check', ...words]);
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
