/** Both ends of a measurement: what the user's words mean in a cluster, and what is taken where there are none. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiClient } from '../../src/api/client.ts';
import { findBenchEnds } from '../../src/cli/bench-places.ts';
import { CLUSTER, ServedCluster } from '../api/served-cluster.ts';

describe('the ends of a measurement', () => {
  let served: ServedCluster;
  let client: ApiClient;

  const find = (from?: string, to?: string, protocol: 'TCP' | 'UDP' = 'TCP') =>
    findBenchEnds(client, { from, to, namespace: 'shop', protocol, usage: '' });

  beforeAll(async () => {
    served = await ServedCluster.start();
    process.env['PODWIRE_HOME'] = served.home;
    client = new ApiClient(CLUSTER);
    const { store } = served;
    const create = (object: object) => store.create({ apiVersion: 'v1', ...object } as never);
    const pod = (name: string, node: string, ip: string, { phase = 'Running', namespace = 'shop' } = {}) =>
      create({
        kind: 'Pod',
        metadata: { name, namespace, labels: { app: name } },
        spec: { nodeName: node, containers: [{ name: 'm', image: 'i' }] },
        status: {
          phase,
          conditions: [{ type: 'Ready', status: phase === 'Running' ? 'True' : 'False' }],
          podIPs: [{ ip }],
        },
      });
    pod('dns', 'n2', '10.244.1.9', { namespace: 'kube-system' });
    pod('web', 'n1', '10.244.0.2');
    pod('near', 'n1', '10.244.0.3');
    pod('far', 'n2', '10.244.1.2');
    pod('over', 'n2', '10.244.1.3', { phase: 'Succeeded' });
    create({
      kind: 'Service',
      metadata: { name: 'api', namespace: 'shop' },
      spec: {
        clusterIP: '10.96.0.7',
        selector: { app: 'far' },
        ports: [
          { name: 'http', port: 80, targetPort: 8080 },
          { name: 'dns', port: 53, protocol: 'UDP', targetPort: 9953 },
        ],
      },
    });
    create({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'api-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'api' } },
      addressType: 'IPv4',
      ports: [
        { name: 'http', port: 8080 },
        { name: 'dns', port: 9953, protocol: 'UDP' },
      ],
      endpoints: [
        { addresses: ['10.244.1.2'], conditions: { ready: true }, targetRef: { kind: 'Pod', name: 'far' } },
        { addresses: ['10.244.0.3'], conditions: { ready: false }, targetRef: { kind: 'Pod', name: 'near' } },
      ],
    });
  });
  afterAll(() => {
    delete process.env['PODWIRE_HOME'];
    served.close();
  });

  test('without words: two Ready pods of the user on different nodes, and it is said', async () => {
    const { client: from, target, notes } = await find();
    expect(from.node).not.toBe(target.servers[0]!.node);
    expect([from.namespace, target.servers[0]!.namespace]).toEqual(['shop', 'shop']);
    expect(target).toMatchObject({ serverPort: 0, service: undefined });
    expect(notes.join('\n')).toMatch(/^from shop\/.*: chosen.*\nto shop\/.*: chosen/);
  });

  test('with one end: the other is on another node', async () => {
    expect((await find('web')).target.servers[0]).toMatchObject({ name: 'far', node: 'n2' });
    expect((await find(undefined, 'far')).client.node).toBe('n1');
    expect((await find('pod/web', 'shop/near')).notes).toEqual([]);
  });

  test('a port of a pod', async () => {
    expect((await find('web', 'far:9000')).target.serverPort).toBe(9000);
    await expect(find('web', 'far:0')).rejects.toThrow(/expected a port number/);
    await expect(find('web', 'far:')).rejects.toThrow(/nothing behind the colon/);
  });

  test('a Service: its Ready pods, where its port leads, by the protocol that is measured', async () => {
    const { target } = await find('web', 'svc/api:80');
    expect(target).toMatchObject({ serverPort: 8080, service: { address: '10.96.0.7', port: 80 } });
    expect(target.servers.map(({ name }) => name)).toEqual(['far']);
    expect((await find('web', 'svc/api', 'UDP')).target).toMatchObject({ serverPort: 9953, service: { port: 53 } });
    expect((await find('web', 'api:http')).target.service?.port).toBe(80);
    await expect(find('web', 'svc/api:80', 'UDP')).rejects.toThrow('Service shop/api has no UDP port 80');
    await expect(find('web', 'svc/api:81')).rejects.toThrow('Service shop/api has no port 81');
  });

  test.each([
    ['web', 'web', /both ends are pod shop\/web/],
    ['far', 'svc/api:80', /both ends are pod shop\/far/],
    ['web', 'over', /pod shop\/over has ended \(Succeeded\)/],
    ['nobody', 'web', /"nobody" not found/],
    ['node/n1', 'web', /between pods/],
    ['web', 'node/n1', /between pods/],
    ['web', '10.244.1.2:80', /needs a pod or Service/],
  ])('refused: %s to %s', async (from, to, words) => {
    await expect(find(from, to)).rejects.toThrow(words);
  });
});
