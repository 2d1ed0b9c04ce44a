/** Endpoints: which pod is meant, and what is said when there is none. `logs` shows it, since it runs no program. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseEndpoint } from '../../src/cli/endpoint.ts';
import { kinds } from '../../src/store/resources.ts';
import { pod, ServedCluster } from '../api/served-cluster.ts';
import { podwire } from './command-line.ts';

describe('an endpoint', () => {
  test.each([
    ['web', { type: 'bare', namespace: 'here', name: 'web' }],
    ['shop/web', { type: 'bare', namespace: 'shop', name: 'web' }],
    ['pod/web', { type: 'object', resource: kinds.Pod, namespace: 'here', name: 'web' }],
    ['Deployment/web', { type: 'object', resource: kinds.Deployment, namespace: 'here', name: 'web' }],
    ['svc/shop/web', { type: 'object', resource: kinds.Service, namespace: 'shop', name: 'web' }],
    ['sts/db', { type: 'object', resource: kinds.StatefulSet, namespace: 'here', name: 'db' }],
    ['node/n1', { type: 'node', name: 'n1' }],
  ])('%s', (text, wanted) => {
    expect(parseEndpoint(text, 'here', '')).toEqual(wanted);
  });

  test.each(['', '/', 'a/', '/a', 'a/b/c', 'pod/a/b/c', 'cm/settings', 'node/a/b', 'ns/x'])('%j is none', (text) => {
    expect(() => parseEndpoint(text, 'here', '')).toThrow('is no endpoint');
  });
});

describe('the pod of a workload', () => {
  let served: ServedCluster;

  beforeAll(async () => {
    served = await ServedCluster.start();
    const { store, cluster } = served;
    const object = (apiVersion: string, kind: string, name: string, spec: object, ownerReferences: object[] = []) =>
      store.create({ apiVersion, kind, metadata: { name, namespace: 'default', ownerReferences }, spec } as never);
    const owner = ({ kind, metadata }: { kind: string; metadata: { name: string; uid?: string } }) => {
      return { apiVersion: 'x', kind, name: metadata.name, uid: metadata.uid!, controller: true };
    };
    const selector = { matchLabels: { app: 'web' } };
    const deployment = object('apps/v1', 'Deployment', 'web', { selector });
    const set = object('apps/v1', 'ReplicaSet', 'web-abc', { selector }, [owner(deployment)]);
    const labelled = (name: string, ready: boolean, owners: object[]) => {
      const made = pod(name, { labels: { app: 'web' }, ready });
      store.create({ ...made, metadata: { ...made.metadata, ownerReferences: owners } } as never);
    };
    labelled('aaa', true, []); // has the labels, but nobody's
    labelled('web-1', false, [owner(set)]);
    labelled('web-2', true, [owner(set)]);
    labelled('web-3', true, [owner(set)]);
    object('v1', 'Service', 'front', { selector: { app: 'web' } });
    object('v1', 'Service', 'bare', {});
    const job = object('batch/v1', 'Job', 'once', {});
    const done = pod('once-1', { ready: false });
    store.create({ ...done, metadata: { ...done.metadata, ownerReferences: [owner(job)] } } as never);
    object('apps/v1', 'StatefulSet', 'none', { selector: { matchLabels: { app: 'none' } } });
    for (const { metadata } of store.list(kinds.Pod))
      cluster.logs.set(`default/${metadata.name}`, `I am ${metadata.name}\n`);
  });

  afterAll(() => served.close());

  const logs = (...words: string[]) => podwire(served, 'logs', ...words);

  test.each([
    ['web-1', 'web-1', ''],
    ['pod/web-1', 'web-1', ''],
    ['default/web-3', 'web-3', ''],
    ['deploy/web', 'web-2', 'deployment.apps/web: pod/web-2\n'],
    ['web', 'web-2', 'deployment.apps/web: pod/web-2\n'],
    ['rs/web-abc', 'web-2', 'replicaset.apps/web-abc: pod/web-2\n'],
    ['svc/front', 'aaa', 'service/front: pod/aaa\n'],
    ['svc/default/front', 'aaa', 'service/front: pod/aaa\n'],
    ['job/once', 'once-1', 'job.batch/once: pod/once-1\n'],
  ])('%s is %s', async (endpoint, wanted, said) => {
    expect(await logs(endpoint)).toEqual({ code: 0, stdout: `I am ${wanted}\n`, stderr: said });
  });

  test.each([
    [['nobody'], 1, 'pods "nobody" not found in namespace "default", nor a workload or Service of that name'],
    [['-n', 'elsewhere', 'web'], 1, 'pods "web" not found in namespace "elsewhere"'],
    [['deploy/nobody'], 1, 'Error from server (NotFound): deployments.apps "nobody" not found'],
    [['sts/none'], 2, 'statefulset.apps/none has no Ready pod (of 0)'],
    [['svc/bare'], 2, 'service/bare has no Ready pod (of 0)'],
    [['node/n1'], 2, 'nodes have no logs'],
    [[], 2, 'expected one POD'],
    [['web', '--tail', 'many'], 2, '--tail takes a whole number'],
  ])('%j: exit code %i', async (words, code, message) => {
    const said = await logs(...words);
    expect([said.code, said.stdout]).toEqual([code, '']);
    expect(said.stderr).toContain(message);
  });

  test('exec takes none that is not Ready, and fails with 125', async () => {
    const { code, stderr } = await podwire(served, 'exec', 'job/once', '--', 'true');
    expect([code, stderr]).toEqual([125, 'job.batch/once has no Ready pod (of 1) in namespace "default"\n']);
    const nobody = await podwire(served, 'exec', 'nobody', '--', 'true');
    expect(nobody.code).toBe(125);
    expect(nobody.stderr).toContain('pods "nobody" not found in namespace "default"');
  });

  test('--tail and -c', async () => {
    served.cluster.logs.set('default/web-1', 'one\ntwo\nthree\n');
    expect((await logs('web-1', '--tail', '2')).stdout).toBe('two\nthree\n');
    expect((await logs('web-1', '--tail=-1')).stdout).toBe('one\ntwo\nthree\n');
    for (const words of [['-c', 'nginx'], ['nginx']]) {
      const { code, stdout, stderr } = await logs('web-1', ...words, '--tail', '1');
      expect([code, stdout]).toEqual([0, 'three\n']);
      expect(stderr).toContain('-c nginx is ignored');
    }
  });
});
