/** Words that start a program of this machine inside a pod, or on a node: `nsenter` with the namespaces to join. */
import type { ApiClient } from '../api/client.ts';
import type { Entrance } from '../cluster/entrance.ts';
import { Refusal } from '../vessel/refusal.ts';
import { type ClusterState, readState } from '../vessel/run-directory.ts';

const ROOT = '/apis/podwire.dev/v1';

export interface WayIn {
  /** Arguments of `nsenter`, the command's own come behind them. */
  readonly words: readonly string[];
  /** What could not be set up for the program, in words. */
  readonly missing: readonly string[];
}

export function nodePath(name: string): string {
  return `${ROOT}/nodes/${encodeURIComponent(name)}`;
}

export function podPath(namespace: string, name: string): string {
  return `${ROOT}/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
}

/** @param path of the pod or node, by `podPath` or `nodePath`. @throws AnswerError; Refusal */
export async function wayInto(client: ApiClient, cluster: string, path: string): Promise<WayIn> {
  const entrance = await client.post<Entrance>(`${path}/enter`);
  const state = readState(cluster);
  if (state?.vessel === undefined) throw new Refusal(`cluster "${cluster}" is not ready`);
  return { words: [...entering(state, state.vessel.pid, entrance), '--'], missing: entrance.missing };
}

/** They join the vessel's user and PID namespace and the pod's others: what runs there ends with the cluster. */
function entering(state: ClusterState, vesselPid: number, entrance: Entrance): string[] {
  const root = `/proc/${vesselPid}/root`;
  const user = state.userNamespace === true ? [`--user=/proc/${vesselPid}/ns/user`, '--preserve-credentials'] : [];
  return [
    ...user,
    `--pid=/proc/${vesselPid}/ns/pid`,
    `--net=${root}${entrance.network}`,
    `--mount=${root}${entrance.mounts}`,
    `--uts=${root}${entrance.names}`,
    `--wdns=${workingDirectory()}`,
  ];
}

/** The command begins where we are, or at the root when that directory is gone. */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return '/';
  }
}
