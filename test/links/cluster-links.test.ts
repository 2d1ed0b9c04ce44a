/** Links as the cluster process has them: one for two nodes, which both are told of. */
import { describe, expect, test } from 'vitest';
import { getLink, listLinks, patchLink } from '../../src/api/links.ts';
import type { Cluster, RunningNode } from '../../src/cluster/cluster.ts';
import { ClusterLinks, type LinkQuality, PERFECT } from '../../src/cluster/links.ts';
import { planTopology } from '../../src/cluster/topology.ts';

const topology = planTopology({ cluster: undefined, objects: [] }, { nodes: 3 });
const [n1, n2, n3] = topology.nodes.map((node) => ({ node }) as RunningNode);
const slow = { ...PERFECT, delayMs: 20 };

/** As much of a cluster as the API asks. */
function cluster(): Cluster {
  const links = new ClusterLinks(topology);
  const setLink = async (a: RunningNode, b: RunningNode, quality: LinkQuality) => links.set(a.node, b.node, quality);
  return { links, setLink } as unknown as Cluster;
}

const patch = (to: Cluster, a: RunningNode, b: RunningNode, body: unknown) => patchLink(to, a, b, JSON.stringify(body));

describe('links of a cluster', () => {
  test('are one for two nodes, whichever is named first', () => {
    const links = new ClusterLinks(topology);
    links.set(n3!.node, n1!.node, slow);
    expect(links.get(n1!.node, n3!.node)).toEqual({ nodes: ['n1', 'n3'], ...slow });
    expect(links.get(n3!.node, n1!.node)).toEqual({ nodes: ['n1', 'n3'], ...slow });
    expect(links.get(n1!.node, n2!.node)).toEqual({ nodes: ['n1', 'n2'], ...PERFECT });
    expect(links.list()).toEqual([{ nodes: ['n1', 'n3'], ...slow }]);
  });

  test('are told to both nodes by endpoint number, each direction with a seed of its own', () => {
    const links = new ClusterLinks(topology);
    links.set(n1!.node, n3!.node, slow);
    links.set(n2!.node, n3!.node, slow);
    const specs = [n1!, n2!, n3!].map(({ node }) => links.specsOf(node));
    // Endpoints of n1 are n2 and n3, those of n2 are n1 and n3, those of n3 are n1 and n2.
    expect(specs.map((list) => list.map(({ endpoint }) => endpoint))).toEqual([[1], [1], [0, 1]]);
    for (const { seed: _, endpoint: __, ...quality } of specs.flat()) expect(quality).toEqual(slow);
    expect(new Set(specs.flat().map(({ seed }) => seed)).size).toBe(4);
  });

  test('without any fault are none', () => {
    const links = new ClusterLinks(topology);
    links.set(n1!.node, n2!.node, slow);
    links.set(n2!.node, n1!.node, PERFECT);
    expect(links.list()).toEqual([]);
    expect(links.specsOf(n1!.node)).toEqual([]);
  });
});

describe('the API', () => {
  test('changes what the body names and leaves the rest', async () => {
    const to = cluster();
    await patch(to, n1!, n2!, { delayMs: 20, loss: 0.01 });
    expect(await patch(to, n2!, n1!, { loss: 0.5 })).toEqual({ nodes: ['n1', 'n2'], ...slow, loss: 0.5 });
    expect(getLink(to, n1!, n2!)).toMatchObject({ delayMs: 20, loss: 0.5 });
    expect(listLinks(to).items).toHaveLength(1);
    await patch(to, n1!, n2!, { delayMs: 0, loss: 0 });
    expect(listLinks(to)).toEqual({ items: [] });
  });

  for (const [body, message] of [
    ['', 'the body is not JSON'],
    ['[]', 'the body is no object'],
    ['null', 'the body is no object'],
    ['{"speed":1}', 'a link has no "speed"'],
    ['{"nodes":1}', 'a link has no "nodes"'],
    ['{"__proto__":1}', 'a link has no "__proto__"'],
    ['{"loss":1.1}', 'loss: found 1.1, expected a number from 0 to 1'],
    ['{"loss":-1}', 'loss: found -1, expected'],
    ['{"loss":"1"}', 'loss: found "1", expected'],
    ['{"delayMs":60001}', 'delayMs: found 60001, expected a number from 0 to 60000'],
    ['{"delayMs":null}', 'delayMs: found null, expected'],
    ['{"reorder":0.1}', 'reorder needs a delay'],
  ] as const) {
    test(`refuses ${body || 'nothing'}, and changes nothing`, async () => {
      const to = cluster();
      await expect(patchLink(to, n1!, n2!, body)).rejects.toThrow(message);
      expect(listLinks(to)).toEqual({ items: [] });
    });
  }

  test('refuses a link with one end', async () => {
    await expect(patch(cluster(), n1!, n1!, { loss: 1 })).rejects.toThrow('a link has two ends, and "n1" is one node');
    expect(() => getLink(cluster(), n2!, n2!)).toThrow('"n2" is one node');
  });
});
