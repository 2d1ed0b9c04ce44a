import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiClient } from '../../src/api/client.ts';
import { fetchPolicyWorld } from '../../src/api/policy-worlds.ts';
import { explain } from '../../src/network-policy/explain.ts';
import type { PolicyWorld, WorldPolicy } from '../../src/network-policy/policy-world.ts';
import { address, policy, worldOf } from '../network-policy/explain-world.ts';
import { CLUSTER, ServedCluster } from './served-cluster.ts';

const allowing = policy('allow', 10, {
  policyTypes: ['Ingress', 'Egress'],
  ingress: [{ from: [{ podSelector: { matchLabels: { app: 'api' } } }] }, { ports: [{ protocol: 'TCP', port: 80 }] }],
  egress: [{}],
});
/** Made by a program: nobody knows where. */
const placeless: WorldPolicy = { ...policy('placeless', 0, {}), placeOf: () => undefined };
const worlds: readonly PolicyWorld[] = [
  worldOf(allowing),
  { ...worldOf(allowing, placeless), revision: 2 },
  { ...worldOf(placeless), revision: 12 },
];

describe('GET /apis/podwire.dev/v1/policyworlds', () => {
  let served: ServedCluster;
  let client: ApiClient;

  beforeAll(async () => {
    served = await ServedCluster.start();
    process.env['PODWIRE_HOME'] = served.home;
    client = new ApiClient(CLUSTER);
    served.cluster.worlds.push(...worlds);
  });
  afterAll(() => {
    delete process.env['PODWIRE_HOME'];
    served.close();
  });

  test('whoever fetches a world finds the same words as the cluster itself', async () => {
    for (const world of worlds) {
      const fetched = await fetchPolicyWorld(client, world.revision);
      expect(JSON.parse(JSON.stringify(fetched))).toEqual(JSON.parse(JSON.stringify(world)));
      for (const port of [80, 5432]) {
        for (const direction of ['egress', 'ingress'] as const) {
          const question = { direction, source: address.web, destination: address.db, protocol: 'TCP', port };
          expect(explain(fetched, question)).toEqual(explain(world, question));
        }
      }
    }
  });

  test('places of what words may name, and no others', async () => {
    const { policies } = await client.get<{ policies: { places: object }[] }>('/apis/podwire.dev/v1/policyworlds/2');
    expect(policies.map(({ places }) => Object.keys(places))).toEqual([
      ['spec.podSelector', 'spec.ingress[0]', 'spec.ingress[1]', 'spec.egress[0]'],
      [],
    ]);
  });

  test('latest is the newest one', async () => {
    expect((await fetchPolicyWorld(client)).revision).toBe(12);
  });

  test('one that is not known any more', async () => {
    await expect(fetchPolicyWorld(client, 3)).rejects.toMatchObject({
      code: 404,
      message: 'policyworlds "3" not found: the last few are kept',
    });
  });

  test.each(['x', '-1', '1e3', '0x2', '%20', 'latest2'])('no revision: %s', async (revision) => {
    const asked = client.get(`/apis/podwire.dev/v1/policyworlds/${revision}`);
    await expect(asked).rejects.toMatchObject({ code: 400 });
  });
});
