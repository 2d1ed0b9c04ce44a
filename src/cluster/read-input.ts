/** What is brought to a cluster that runs. */
import type { ManifestObject } from './manifest-object.ts';
import { type ManifestText, readManifests } from './manifests.ts';
import { formatProblem } from './source.ts';

interface Input {
  readonly objects: readonly ManifestObject[];
  readonly notes: readonly string[];
}

/** @throws ManifestError with every problem */
export function readInput(texts: readonly ManifestText[], namespace: string | undefined): Input {
  const { objects, cluster, notes } = readManifests(texts, namespace);
  const fixed = cluster !== undefined || objects.some(({ object }) => object.kind === 'Node');
  const ignored = fixed ? ['nodes are as `up` has read them: Cluster and Node documents change nothing now'] : [];
  return {
    objects: objects.filter(({ object }) => object.kind !== 'Node'),
    notes: [...notes.map(formatProblem), ...ignored],
  };
}
