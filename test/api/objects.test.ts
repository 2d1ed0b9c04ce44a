/** Objects at Kubernetes' paths: lists, selectors, one object, deletion, discovery, and errors in Kubernetes' words. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kinds, resources } from '../../src/store/resources.ts';
import { configMap, pod, ServedCluster } from './served-cluster.ts';

interface List {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly { readonly metadata: { readonly name: string } }[];
}

let served: ServedCluster;

beforeAll(async () => {
  served = await ServedCluster.start();
  const { store } = served;
  store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
  store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  store.create(pod('web-1', { labels: { app: 'web', tier: 'front' } }));
  store.create(pod('web-2', { labels: { app: 'web' }, node: 'n2' }));
  store.create(pod('db', { labels: { app: 'db' } }));
  store.create(configMap('settings', {}, 'shop'));
  const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' } };
  store.create({ ...deployment, spec: { replicas: 1 } } as never);
});

afterAll(() => served.close());

const names = ({ items }: List) => items.map(({ metadata }) => metadata.name);

describe('lists', () => {
  test.each(resources.map((resource) => [resource.plural, resource] as const))(
    '%s have a path',
    async (_, resource) => {
      const { apiVersion, plural, kind, namespaced } = resource;
      const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
      const list = await served.json<List>(`${root}/${plural}`);
      expect(list).toMatchObject({
        kind: `${kind}List`,
        apiVersion,
        metadata: { resourceVersion: expect.any(String) },
      });
      const inOne = await served.ask(`${root}/namespaces/shop/${plural}`);
      expect(inOne.code).toBe(namespaced ? 200 : 404);
    },
  );

  test('are of all namespaces, or of one', async () => {
    expect(names(await served.json<List>('/api/v1/configmaps'))).toEqual(['settings']);
    expect(names(await served.json<List>('/api/v1/namespaces/shop/configmaps'))).toEqual(['settings']);
    expect(names(await served.json<List>('/api/v1/namespaces/default/configmaps'))).toEqual([]);
    expect(names(await served.json<List>('/apis/apps/v1/namespaces/shop/deployments'))).toEqual(['web']);
  });

  test.each([
    ['labelSelector=app%3Dweb', ['web-1', 'web-2']],
    ['labelSelector=app%3Dweb%2C%21tier', ['web-2']],
    ['labelSelector=app%20in%20(web%2Cdb)%2Ctier', ['web-1']],
    ['fieldSelector=spec.nodeName%3Dn2', ['web-2']],
    ['fieldSelector=metadata.name%3Ddb', ['db']],
    ['labelSelector=app%3Dweb&fieldSelector=spec.nodeName!%3Dn2', ['web-1']],
    ['limit=1', ['db', 'web-1', 'web-2']],
  ])('%s', async (query, wanted) => {
    expect(names(await served.json<List>(`/api/v1/pods?${query}`))).toEqual(wanted);
  });

  test('of thousands of objects are whole', async () => {
    const many = await ServedCluster.start();
    try {
      for (let i = 0; i < 3000; i++) many.store.create(configMap(`c${String(i).padStart(4, '0')}`));
      const list = await many.json<List>('/api/v1/configmaps');
      expect(names(list)).toEqual(many.store.list(kinds.ConfigMap).map(({ metadata }) => metadata.name));
      expect(list.metadata.resourceVersion).toBe('3000');
    } finally {
      many.close();
    }
  });
});

describe('one object', () => {
  test('is as the store has it', async () => {
    const path = '/api/v1/namespaces/default/pods/web-1';
    expect(await served.json(path)).toEqual(served.store.get(kinds.Pod, 'default', 'web-1'));
    expect(await served.json('/api/v1/namespaces/shop')).toMatchObject({ kind: 'Namespace' });
  });

  test('is deleted, once', async () => {
    served.store.create(configMap('doomed'));
    const path = '/api/v1/namespaces/default/configmaps/doomed';
    const gone = await served.ask(path, { method: 'DELETE' });
    expect(gone.code).toBe(200);
    expect(JSON.parse(gone.text)).toMatchObject({ kind: 'Status', status: 'Success', details: { name: 'doomed' } });
    expect(served.store.get(kinds.ConfigMap, 'default', 'doomed')).toBeUndefined();
    expect((await served.ask(path, { method: 'DELETE' })).code).toBe(404);
  });

  test('is waited for when it goes, but for wait=false', async () => {
    for (const query of ['', '?wait=false']) {
      served.store.create(configMap('doomed'));
      await served.ask(`/api/v1/namespaces/default/configmaps/doomed${query}`, { method: 'DELETE' });
    }
    expect(served.cluster.waits.slice(-2)).toEqual([true, false]);
  });
});

describe('discovery', () => {
  test('names every kind, with short names and categories', async () => {
    expect(await served.json('/api')).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    const { groups } = await served.json<{ groups: { preferredVersion: { groupVersion: string } }[] }>('/apis');
    const versions = ['v1', ...groups.map(({ preferredVersion }) => preferredVersion.groupVersion)];
    const found = new Map<string, unknown>();
    for (const version of versions) {
      const path = version === 'v1' ? '/api/v1' : `/apis/${version}`;
      for (const item of (await served.json<{ resources: { name: string }[] }>(path)).resources) {
        found.set(item.name, item);
      }
    }
    expect([...found.keys()].sort()).toEqual([...resources.map(({ plural }) => plural), 'pods/log'].sort());
    expect(found.get('deployments')).toEqual({
      ...{ name: 'deployments', singularName: 'deployment', namespaced: true, kind: 'Deployment' },
      ...{ shortNames: ['deploy'], categories: ['all'], verbs: ['delete', 'get', 'list', 'watch'] },
    });
    expect(await served.json('/apis/apps')).toMatchObject({ kind: 'APIGroup', name: 'apps' });
    for (const path of ['/api/v2', '/apis/none', '/apis/apps/v2']) expect((await served.ask(path)).code).toBe(404);
  });

  test('tells version and health', async () => {
    const { gitVersion } = await served.json('/version');
    expect(gitVersion).toMatch(/^v1\.30\.0\+podwire\.\d+\.\d+\.\d+$/);
    for (const path of ['/healthz', '/livez', '/readyz']) expect((await served.ask(path)).text).toBe('ok');
  });
});

describe('errors are Status objects', () => {
  test.each([
    ['GET', '/api/v1/namespaces/default/pods/x', 404, 'NotFound', 'pods "x" not found'],
    ['GET', '/apis/apps/v1/namespaces/shop/deployments/x', 404, 'NotFound', 'deployments.apps "x" not found'],
    ['GET', '/api/v1/pods/web-1', 404, 'NotFound', 'the server could not find the requested resource'],
    ['GET', '/api/v1/gnomes', 404, 'NotFound', 'could not find'],
    ['GET', '/api/v1/namespaces/default/pods/web-1/log/x', 404, 'NotFound', 'could not find'],
    ['GET', '/api/v1/namespaces/default/pods/web-1/exec', 404, 'NotFound', 'could not find'],
    ['GET', '/', 404, 'NotFound', 'could not find'],
    ['GET', '/apis/podwire.dev/v1/nodes/n9/counters', 404, 'NotFound', 'nodes "n9" not found'],
    ['POST', '/api/v1/namespaces/default/pods', 405, 'MethodNotAllowed', 'POST /apis/podwire.dev/v1/apply'],
    ['PATCH', '/api/v1/namespaces/default/pods/web-1', 405, 'MethodNotAllowed', 'apply'],
    ['DELETE', '/api/v1/namespaces/default/pods', 405, 'MethodNotAllowed', 'DELETE is not allowed'],
    ['POST', '/version', 405, 'MethodNotAllowed', 'not allowed'],
    ['DELETE', '/api/v1/namespaces/default/pods/db?propagationPolicy=Orphan', 400, 'BadRequest', 'Orphan'],
    ['GET', '/api/v1/pods?labelSelector=a%3D%3D%3Db', 400, 'BadRequest', 'label selector'],
    ['GET', '/api/v1/pods?fieldSelector=spec.color%3Dred', 400, 'BadRequest', 'field label not supported'],
    ['GET', '/api/v1/pods?watch=1&resourceVersion=x', 400, 'BadRequest', 'resource version'],
    ['GET', '/api/v1/pods?watch=1&resourceVersion=999999', 504, 'Timeout', 'Too large resource version'],
    ['GET', '/api/v1/pods?watch=1&timeoutSeconds=x', 400, 'BadRequest', 'timeoutSeconds'],
    ['GET', '/api/v1/namespaces/default/pods/db/log?tailLines=-1', 400, 'BadRequest', 'tailLines'],
    ['GET', '/api/v1/%zz', 400, 'BadRequest', 'not a path segment: %zz'],
    ['GET', '/api/v1/namespaces/default%2Fpods/pods', 400, 'BadRequest', 'not a path segment'],
  ])('%s %s: %i', async (method, path, code, reason, message) => {
    const answer = await served.ask(path, { method });
    expect(answer.code).toBe(code);
    const { message: said, ...status } = JSON.parse(answer.text) as { message: string };
    expect(status).toEqual({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason, code });
    expect(said).toContain(message);
  });

  test('nothing was changed by any of it', () => {
    expect(served.store.list(kinds.Pod)).toHaveLength(3);
  });
});
