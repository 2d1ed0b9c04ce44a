/**
 * Reads every file of a folder, in a process of its own: `node --import tsx read-hostile.ts FOLDER`. Prints, as a line of
 * JSON for each, what became of it, how long it took and how much memory the process had grown by at most.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeManifest } from '../../src/cluster/manifest-bytes.ts';
import { readManifests } from '../../src/cluster/manifests.ts';
import { ManifestError } from '../../src/cluster/source.ts';

export interface HostileResult {
  readonly file: string;
  /** How many objects, or what was wrong. */
  readonly outcome: number | string;
  readonly ms: number;
  /** The growth of the whole process so far. */
  readonly megabytes: number;
  readonly isPrototypeWhole: boolean;
}

function outcomeOf(path: string): number | string {
  try {
    return readManifests([decodeManifest('x.yaml', readFileSync(path))]).objects.length;
  } catch (error) {
    if (error instanceof ManifestError) return error.message;
    throw error;
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const folder = process.argv[2]!;
  const before = process.resourceUsage().maxRSS;
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
    const start = performance.now();
    const outcome = outcomeOf(join(folder, file));
    const ms = performance.now() - start;
    const megabytes = (process.resourceUsage().maxRSS - before) / 1024;
    const isPrototypeWhole = Object.keys(Object.prototype).length === 0 && !('polluted' in {});
    process.stdout.write(
      `${JSON.stringify({ file, outcome, ms, megabytes, isPrototypeWhole } satisfies HostileResult)}\n`,
    );
  }
}
