/** A cluster as its manifests have it, with every pod where it belongs: what a simulation starts from. */
import type { PolicyWorld } from '../network-policy/policy-world.ts';
import { ClusterFeed } from './cluster-feed.ts';
import { ControlPlane, isNothing } from './control-plane.ts';
import type { Manifests } from './manifests.ts';
import { type PlacedPod, placedPod, runs } from './placed-pod.ts';
import { planTopology, type Topology, type TopologyNode, type TopologyOptions } from './topology.ts';

export interface ClusterPlan {
  readonly topology: Topology;
  /** All pods, those on their nodes' networks too. */
  readonly pods: readonly PlacedPod[];
  readonly feed: ClusterFeed;
  /** What its policies are judged by. */
  readonly policyWorld: (revision: number) => PolicyWorld | undefined;
}

/**
 * The same manifests and options give the same plan. Without the name service: nobody is there to ask.
 *
 * @throws ManifestError with every problem.
 */
export function planCluster(manifests: Manifests, options: TopologyOptions = {}): ClusterPlan {
  const topology = planTopology(manifests, options);
  let uids = 0;
  const plane = new ControlPlane(topology, { now: () => '1970-01-01T00:00:00Z', uid: () => `uid-${++uids}` });
  plane.admit(manifests.objects);
  plane.apply(manifests.objects);
  for (const { name } of topology.nodes) plane.nodeReady(name, true);
  const feed = new ClusterFeed(topology);
  const pods = new Map<string, PlacedPod>();
  const macs = new Set<string>();
  for (;;) {
    plane.reconcile();
    const changes = plane.takeChanges();
    if (isNothing(changes)) break;
    for (const key of changes.pods) {
      const object = plane.pod(key);
      if (object === undefined || pods.has(key) || !runs(object)) continue;
      const pod = placedPod(object, feed.nodes.get(object.spec.nodeName!)!.node, macs);
      pods.set(key, pod);
      feed.addPod(object, pod, '', '');
      plane.podRuns(key);
    }
    feed.setServices(changes, plane);
    feed.setPolicies(changes);
  }
  return { topology, pods: [...pods.values()], feed, policyWorld: (revision) => plane.policyWorld(revision) };
}

/** A node's pods with a network of their own, in the order of their port numbers, which count from 0. */
export function podsOf({ feed }: ClusterPlan, node: TopologyNode): PlacedPod[] {
  return [...feed.nodes.get(node.name)!.pods.keys()];
}
