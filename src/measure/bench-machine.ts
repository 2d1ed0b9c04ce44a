/** What a figure belongs to: this machine, this version, this day. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { packageUrl } from '../installation.ts';

export interface BenchOrigin {
  readonly date: string;
  readonly version: string;
  /** Null where podwire was not built from a repository. */
  readonly commit: string | null;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryBytes: number;
    readonly kernel: string;
    readonly node: string;
  };
}

export function benchOrigin(): BenchOrigin {
  const processors = cpus();
  const { version } = JSON.parse(readFileSync(packageUrl('package.json'), 'utf8')) as { version: string };
  return {
    date: new Date().toISOString(),
    version,
    commit: commit(),
    machine: {
      cpu: processors[0]?.model ?? 'unknown',
      cores: processors.length,
      memoryBytes: totalmem(),
      kernel: release(),
      node: process.versions.node,
    },
  };
}

function commit(): string | null {
  const root = fileURLToPath(packageUrl('.'));
  try {
    const git = (...words: string[]) =>
      execFileSync('git', ['-C', root, 'rev-parse', ...words], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();
    // A package inside somebody else's repository has no commit of its own.
    return `${git('--show-toplevel')}/` === root ? git('--short', 'HEAD') : null;
  } catch {
    return null;
  }
}
