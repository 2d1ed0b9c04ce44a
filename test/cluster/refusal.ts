import { expect } from 'vitest';
import type { ManifestObject } from '../../src/cluster/manifest-object.ts';
import { type Manifests, readManifests } from '../../src/cluster/manifests.ts';
import { ManifestError } from '../../src/cluster/source.ts';
import { planTopology, type Topology, type TopologyOptions } from '../../src/cluster/topology.ts';

/** The lines of the ManifestError that `run` must end with. */
export function refusalOf(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    return error.message.split('\n');
  }
  return expect.fail('accepted, though it should be refused');
}

/** What stands in one text called a.yaml. */
export function manifestsOf(text: string): Manifests {
  return readManifests([{ file: 'a.yaml', text }]);
}

export function objectsOf(text: string): readonly ManifestObject[] {
  return manifestsOf(text).objects;
}

export function topologyOf(text: string, options: TopologyOptions = {}): Topology {
  return planTopology(manifestsOf(text), options);
}

/** A Cluster document with these further lines. */
export function clusterText(...lines: readonly string[]): string {
  return ['apiVersion: podwire.dev/v1alpha1', 'kind: Cluster', ...lines].join('\n');
}

/** A Pod document, the fields after its name in flow style: `spec: {nodeName: n1}`. */
export function podText(name: string, ...lines: readonly string[]): string {
  return ['apiVersion: v1', 'kind: Pod', `metadata: {name: ${name}}`, ...lines].join('\n');
}

export function documents(...texts: readonly string[]): string {
  return texts.join('\n---\n');
}
