/** Links as objects: `{"nodes": ["n1", "n2"], "delayMs": 20, "jitterMs": 0, "loss": 0.01, …}`. */
import type { RunningNode } from '../cluster/cluster.ts';
import { type ClusterLink, type LinkQuality, PERFECT } from '../cluster/links.ts';
import { ApiError, parseJson } from './api-error.ts';
import type { ClusterApi } from './cluster-api.ts';

/** More than any path on Earth, also to the Moon; and the memory of waiting packets is bounded anyway. */
const DELAY_MS_MAX = 60_000;

/** The largest value of each, from 0. */
const limits: Readonly<Record<keyof LinkQuality, number>> = {
  delayMs: DELAY_MS_MAX,
  jitterMs: DELAY_MS_MAX,
  loss: 1,
  duplicate: 1,
  reorder: 1,
};

export function listLinks(cluster: Pick<ClusterApi, 'links'>): { items: ClusterLink[] } {
  return { items: cluster.links.list() };
}

export function getLink(cluster: Pick<ClusterApi, 'links'>, a: RunningNode, b: RunningNode): ClusterLink {
  refuseOneNode(a, b);
  return cluster.links.get(a.node, b.node);
}

/**
 * Changes what the body names and answers with the whole link, once both nodes obey.
 *
 * @param body JSON, an object of numbers.
 */
export async function patchLink(
  cluster: Pick<ClusterApi, 'links' | 'setLink'>,
  a: RunningNode,
  b: RunningNode,
  body: string,
): Promise<ClusterLink> {
  refuseOneNode(a, b);
  const { nodes: _, ...before } = cluster.links.get(a.node, b.node);
  const quality = { ...before, ...readChanges(body) };
  if (quality.reorder > 0 && quality.delayMs === 0) {
    throw new ApiError(422, 'Invalid', 'reorder needs a delay: without one nobody waits who could be overtaken');
  }
  await cluster.setLink(a, b, quality);
  return cluster.links.get(a.node, b.node);
}

function refuseOneNode(a: RunningNode, b: RunningNode): void {
  if (a === b) throw new ApiError(422, 'Invalid', `a link has two ends, and "${a.node.name}" is one node`);
}

function readChanges(body: string): Partial<LinkQuality> {
  const value = parseJson(body);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ApiError(400, 'BadRequest', 'the body is no object');
  }
  for (const [name, number] of Object.entries(value)) {
    if (!Object.hasOwn(PERFECT, name)) throw new ApiError(422, 'Invalid', `a link has no ${JSON.stringify(name)}`);
    const most = limits[name as keyof LinkQuality];
    if (typeof number !== 'number' || !(number >= 0 && number <= most)) {
      throw new ApiError(
        422,
        'Invalid',
        `${name}: found ${JSON.stringify(number)}, expected a number from 0 to ${most}`,
      );
    }
  }
  return value;
}
