/** What a node's dataplane thread is doing, sampled while the request waits. */
import type { RunningNode } from '../cluster/cluster.ts';
import type { NodeActivity } from '../nodes/protocol.ts';
import { ApiError } from './api-error.ts';

/** Nobody has to be told to stop: whoever wants to know for longer asks again. */
const MILLISECONDS_MAX = 1000;

/** @param query `milliseconds` to sample, 0 to 1000; one look when left out. */
export async function getActivity(node: RunningNode, query: URLSearchParams): Promise<NodeActivity> {
  const text = query.get('milliseconds') ?? '0';
  if (!/^\d{1,4}$/.test(text) || Number(text) > MILLISECONDS_MAX) {
    throw new ApiError(400, 'BadRequest', `milliseconds: expected a number from 0 to ${MILLISECONDS_MAX}`);
  }
  return (await node.supervisor.order({ order: 'activity', forMs: Number(text) })) as NodeActivity;
}
