/** Both ends of a trace: what the user's words mean in a cluster, and what is said when they mean nothing. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiClient } from '../../src/api/client.ts';
import { type Asker, findAsker, findTarget } from '../../src/cli/trace-places.ts';
import type { Node } from '../../src/store/object.ts';
import { CLUSTER, ServedCluster } from '../api/served-cluster.ts';

const nodes = [
  {
    metadata: { name: 'n1' },
    status: {
      addresses: [
        { type: 'InternalIP', address: '172.18.0.2' },
        { type: 'Hostname', address: 'n1' },
      ],
    },
  },
] as unknown as readonly Node[];

describe('the ends of a trace', () => {
  let served: ServedCluster;
  let client: ApiClient;
  let asker: Asker;

  const find = (text: string, protocol?: 'TCP' | 'UDP' | 'SCTP' | 'ICMP', from = asker) =>
    findTarget(client, text, from, { namespace: 'shop', protocol, nodes, usage: '' });

  beforeAll(async () => {
    served = await ServedCluster.start();
    process.env['PODWIRE_HOME'] = served.home;
    client = new ApiClient(CLUSTER);
    const { store } = served;
    const create = (kind: string, name: string, spec: object, status?: object) =>
      store.create({
        apiVersion: 'v1',
        kind,
        metadata: { name, namespace: 'shop', labels: { app: name } },
        spec,
        status,
      } as never);
    const pod = (name: string, ips: readonly string[], ports: readonly object[] = []) => {
      const conditions = [{ type: 'Ready', status: 'True' }];
      const status = { phase: 'Running', conditions, podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) };
      create(
        'Pod',
        name,
        {
          nodeName: 'n1',
          containers: [
            { name: 'm', image: 'i' },
            { name: 'c', image: 'i', ports },
          ],
        },
        status,
      );
    };
    pod('web', ['10.244.0.2', 'fd00:10:244::2']);
    pod(
      'db',
      ['10.244.0.3', 'fd00:10:244::3'],
      [
        { name: 'dns', containerPort: 53, protocol: 'UDP' },
        { name: 'sql', containerPort: 5432 },
      ],
    );
    pod('cat', ['10.244.0.4']);
    pod('later', []);
    const ports = [{ name: 'sql', port: 80, targetPort: 'sql' }];
    create('Service', 'db', {
      clusterIP: '10.96.0.7',
      clusterIPs: ['10.96.0.7', 'fd00:10:96::7'],
      ports,
      selector: { app: 'db' },
    });
    create('Service', 'strange', { clusterIP: 'FD00:0::7', clusterIPs: ['FD00:0::7'], ports, selector: {} });
    create('Service', 'only', { clusterIP: '10.96.0.8', clusterIPs: ['10.96.0.8'], ports, selector: { app: 'db' } });
    create('Service', 'headless', { clusterIP: 'None', ports, selector: { app: 'db' } });
    asker = await findAsker(client, 'web', 'shop', nodes, '');
  });
  afterAll(() => {
    delete process.env['PODWIRE_HOME'];
    served.close();
  });

  test('a pod asks, or a node', async () => {
    expect(asker).toEqual({
      from: { namespace: 'shop', pod: 'web' },
      ...{ node: 'n1', isHost: false },
      addresses: ['10.244.0.2', 'fd00:10:244::2'],
      words: 'pod shop/web on n1',
      notes: [],
    });
    expect(await findAsker(client, 'node/n1', 'shop', nodes, '')).toMatchObject({
      from: { node: 'n1' },
      isHost: true,
      addresses: ['172.18.0.2'],
      words: 'node n1',
    });
    const bySelector = await findAsker(client, 'svc/headless', 'shop', nodes, '');
    expect(bySelector.notes).toEqual(['service/headless: pod shop/db was taken']);
    await expect(findAsker(client, 'node/n2', 'shop', nodes, '')).rejects.toThrow('nodes "n2" not found');
    await expect(findAsker(client, 'later', 'shop', nodes, '')).rejects.toThrow('has no address yet');
  });

  test('a bare name: a Service of that name wins where it has the port, else the pod', async () => {
    expect(await find('db:80')).toMatchObject({
      ...{ address: '10.96.0.7', port: 80, protocol: 'TCP' },
      words: 'Service shop/db (10.96.0.7), port 80',
    });
    expect((await find('strange:80')).address).toBe('fd00::7'); // as packets have it
    expect((await find('db:80')).service?.metadata.name).toBe('db');
    expect(await find('db', 'TCP')).toMatchObject({ address: '10.244.0.3', port: 5432, service: undefined });
    expect(await find('pod/db:80')).toMatchObject({ address: '10.244.0.3', port: 80 });
    expect(await find('db:5432')).toMatchObject({ address: '10.244.0.3', port: 5432, service: undefined });
    expect(await find('only:5432')).toMatchObject({ address: '10.96.0.8', port: 5432 });
    expect(await find('only')).toMatchObject({ address: '10.96.0.8', port: 80 });
  });

  test('without a port the first declared one, and its protocol, and that is said', async () => {
    expect(await find('db')).toMatchObject({
      ...{ port: 53, protocol: 'UDP', words: 'pod shop/db on n1 (10.244.0.3), port 53' },
      notes: ['no port was given: 53/UDP is the first that it declares'],
    });
    expect(await find('svc/db')).toMatchObject({ address: '10.96.0.7', port: 80, protocol: 'TCP' });
    expect(await find('db', 'ICMP')).toMatchObject({ port: 0, protocol: 'ICMP', notes: [] });
    expect(await find('10.0.0.1', 'ICMP')).toMatchObject({ port: 0, words: '10.0.0.1' });
  });

  test('ports by name', async () => {
    expect(await find('svc/shop/db:sql')).toMatchObject({
      port: 80,
      words: 'Service shop/db (10.96.0.7), port sql (80)',
    });
    expect(await find('pod/shop/db:sql')).toMatchObject({ port: 5432, protocol: 'TCP' });
    expect(await find('pod/shop/db:dns')).toMatchObject({ port: 53, protocol: 'UDP' });
  });

  test('a Service without an address means its pod', async () => {
    expect(await find('svc/headless:5432')).toMatchObject({
      address: '10.244.0.3',
      notes: ['service/headless: pod shop/db was taken'],
    });
  });

  test('addresses, and nodes', async () => {
    expect(await find('10.9.9.9:65535')).toMatchObject({
      address: '10.9.9.9',
      port: 65_535,
      words: '10.9.9.9, port 65535',
    });
    expect(await find('[FD00:0::9]:80')).toMatchObject({ address: 'fd00::9', port: 80 });
    expect(await find('fd00::9', 'ICMP')).toMatchObject({ address: 'fd00::9' });
    expect(await find('node/n1:22')).toMatchObject({ address: '172.18.0.2', port: 22, words: 'node n1, port 22' });
  });

  test('of two families, one that the asker has', async () => {
    const only6 = { ...asker, addresses: ['fd00:10:244::2'] };
    expect(await find('db:80', undefined, only6)).toMatchObject({ address: 'fd00:10:96::7' });
    expect(await find('pod/db', 'TCP', only6)).toMatchObject({ address: 'fd00:10:244::3' });
    expect(await find('cat:80', undefined, only6)).toMatchObject({ address: '10.244.0.4' });
  });

  test.each([
    ['db:', 'nothing behind the colon'],
    ['10.0.0.1', 'which port?'],
    ['10.0.0.1:http', 'an address has no port names'],
    ['10.0.0.1:0', '0 is not a port: 1 to 65535'],
    ['db:65536', '"db:65536": 65536 is not a port: 1 to 65535'],
    ['nobody:0', '0 is not a port'],
    ['[fd00::1]:99999', '99999 is not a port'],
    ['pod/db:http', 'pod shop/db on n1 has no port named "http"'],
    ['cat', 'declares no port; say which one is meant: cat:PORT'],
    ['nobody:80', 'not found in namespace "shop", nor a workload or Service of that name'],
    ['svc/nobody:80', 'not found'],
    ['node/n7:80', 'nodes "n7" not found'],
    ['a/b/c/d:80', 'is no endpoint'],
  ])('%s: %s', async (text, words) => {
    await expect(find(text)).rejects.toThrow(words);
  });

  test('of another protocol than was asked for', async () => {
    await expect(find('pod/db:dns', 'TCP')).rejects.toThrow('has no TCP port named "dns"');
    await expect(find('db', 'SCTP')).rejects.toThrow('declares no SCTP port');
  });
});
