/** What `up` and `run` make of flags and manifests: a cluster that can be started. */
import { randomUUID } from 'node:crypto';
import { ControlPlane } from '../cluster/control-plane.ts';
import type { ManifestObject } from '../cluster/manifest-object.ts';
import { type ManifestText, readManifests } from '../cluster/manifests.ts';
import { formatProblem } from '../cluster/source.ts';
import { planTopology, type Topology, underlayKinds } from '../cluster/topology.ts';
import { type Technique, techniques } from '../nodes/techniques.ts';
import { firstObstacle } from '../vessel/machine.ts';
import { readCount, UsageError } from './arguments.ts';
import { readManifestPath } from './manifest-paths.ts';
import type { StartValues } from './start-options.ts';

/** What is to be started. */
export interface StartPlan {
  readonly topology: Topology;
  readonly manifests: readonly ManifestText[];
}

/**
 * Reads the manifests and checks that they can stand beside each other, before anything is made. Notes go to standard
 * error.
 *
 * @throws UsageError; Refusal for paths, and for a machine that does not allow it; ManifestError with every problem.
 */
export function planStart(values: StartValues, paths: readonly string[], usage: string): StartPlan {
  return planTexts(values, [...paths, ...values.filename].flatMap(readManifestPath), usage);
}

/** The same for manifests that were read. */
export function planTexts(values: StartValues, texts: readonly ManifestText[], usage: string): StartPlan {
  const { offload } = values;
  if (offload !== undefined && offload !== 'on' && offload !== 'off') {
    throw new UsageError(`--offload takes on or off, found "${offload}"`, usage);
  }
  const underlay = underlayKinds.find((kind) => kind === values.underlay);
  if (values.underlay !== undefined && underlay === undefined) {
    throw new UsageError(`--underlay takes ${underlayKinds.join(', ')}, found "${values.underlay}"`, usage);
  }
  const without = readTechniques(values.without, usage);
  const manifests = readManifests(texts);
  const topology = planTopology(manifests, {
    name: values.name,
    nodes: readCount(values.nodes, '--nodes', usage),
    mtu: readCount(values.mtu, '--mtu', usage),
    offload,
    underlay,
    without,
    strictChecksums: values['strict-checksums'],
    allowRun: values['allow-run'],
  });
  admit(topology, manifests.objects);
  const obstacle = firstObstacle();
  if (obstacle !== undefined) throw obstacle;
  for (const note of manifests.notes) process.stderr.write(`${formatProblem(note)}\n`);
  return { topology, manifests: texts };
}

function readTechniques(list: string | undefined, usage: string): Technique[] {
  return (list?.split(',') ?? []).map((name) => {
    const technique = techniques.find((known) => known === name);
    if (technique === undefined) {
      throw new UsageError(`--without takes ${techniques.join(', ')}, found "${name}"`, usage);
    }
    return technique;
  });
}

function admit(topology: Topology, objects: readonly ManifestObject[]): void {
  new ControlPlane(topology, { now: () => '', uid: randomUUID }).admit(objects);
}
