/** What every node of a cluster is to know, for whoever plays it elsewhere. */
import type { ClusterTables } from '../api/cluster-api.ts';
import type { ClusterFeed } from './cluster-feed.ts';
import type { ClusterLinks } from './links.ts';
import type { Topology } from './topology.ts';

/** Without names: nobody asks for them there. */
export function clusterTables(topology: Topology, feed: ClusterFeed, links: ClusterLinks): ClusterTables {
  const nodes = [...feed.nodes].map(([name, one]) => {
    const { names: _, ...update } = one.snapshot(0);
    return { name, update: { ...update, links: links.specsOf(one.node) }, pods: [...one.pods] };
  });
  return { topology, nodes };
}
