/** The library's entry: what a program may use of podwire. */
import { ApiClient } from './api/client.ts';
import type { Connection } from './api/connections.ts';
import { type CreateClusterOptions, createSimulatedCluster, type SimulatedCluster } from './sim/create-cluster.ts';
import type { Node as NodeObject, Pod as PodObject } from './store/object.ts';
import { kinds } from './store/resources.ts';

export type { Connection, Tuple } from './api/connections.ts';
export type { RuleReference } from './network-policy/policy-world.ts';
export type { CreateClusterOptions, SimulatedCluster, SimulatedPod } from './sim/create-cluster.ts';
export type { ProbeAnswer } from './sim/probe-answer.ts';
export type { ProbeQuestion } from './sim/probe-questions.ts';
export type { Node as NodeObject, Pod as PodObject } from './store/object.ts';

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
    nodes: async () => (await client.list(kinds.Node)).items,
    pods: async () => (await client.list(kinds.Pod)).items,
    connections: async (node) => {
      const path = `/apis/podwire.dev/v1/nodes/${encodeURIComponent(node)}/connections`;
      return (await client.get<{ items: Connection[] }>(path)).items;
    },
  };
}

/** A cluster in this process, on virtual time; needs no rights and leaves nothing behind. */
export async function createCluster(options: CreateClusterOptions): Promise<SimulatedCluster> {
  if (options.backend === 'sim') return createSimulatedCluster(options);
  throw new Error('createCluster has the backend "sim"; a real cluster is started by `podwire up`');
}
