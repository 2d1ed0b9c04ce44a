/** The library's entry: what a program may use of podwire. */
import { ApiClient } from './api/client.ts';
import type { Connection } from './api/connections.ts';
import type { NodeObject, ObjectList, PodObject } from './api/objects.ts';

export type { Connection, Tuple } from './api/connections.ts';
export type { NodeObject, PodObject } from './api/objects.ts';

/** A cluster that `podwire up` has started. */
export interface ClusterHandle {
  nodes(): Promise<readonly NodeObject[]>;
  pods(): Promise<readonly PodObject[]>;
  /** Connections that a node's tracking knows. */
  connections(node: string): Promise<readonly Connection[]>;
}

/** Methods reject with a sentence when no such cluster runs. @param name as `up --name` has it. */
export function connectCluster(name = 'podwire'): ClusterHandle {
  const client = new ApiClient(name);
  return {
    nodes: async () => (await client.get<ObjectList<NodeObject>>('/api/v1/nodes')).items,
    pods: async () => (await client.get<ObjectList<PodObject>>('/api/v1/pods')).items,
    connections: async (node) => {
      const path = `/apis/podwire.dev/v1/nodes/${encodeURIComponent(node)}/connections`;
      return (await client.get<{ items: Connection[] }>(path)).items;
    },
  };
}
