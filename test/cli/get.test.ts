/** `podwire get`: kubectl's words, tables and exit codes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { kinds } from '../../src/store/resources.ts';
import { configMap, pod, ServedCluster } from '../api/served-cluster.ts';
import { podwire } from './command-line.ts';

let served: ServedCluster;

beforeAll(async () => {
  served = await ServedCluster.start();
  const { store } = served;
  store.create(pod('web-1', { labels: { app: 'web' } }));
  store.create(pod('web-2', { labels: { app: 'web' }, node: 'n2', ready: false }));
  store.create(configMap('settings', {}, 'shop'));
  store.create(configMap('evil\u001b[2J'));
  const spec = { type: 'NodePort', clusterIP: '10.96.0.7', ports: [{ port: 80, nodePort: 30080, protocol: 'TCP' }] };
  store.create({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' }, spec } as never);
  const selector = { matchLabels: { app: 'web' } };
  const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'nginx:1' }] } };
  store.create({
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' } },
    ...{ spec: { replicas: 2, selector, template }, status: { readyReplicas: 1, updatedReplicas: 2 } },
  } as never);
});

afterAll(() => served.close());

const get = (...words: string[]) => podwire(served, 'get', ...words);
/** Cells of a table. */
const cells = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));

describe('tables', () => {
  test('of pods', async () => {
    const { code, stdout, stderr } = await get('pods');
    expect([code, stderr]).toEqual([0, '']);
    expect(cells(stdout)).toEqual([
      ['NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE'],
      ['web-1', '1/1', 'Running', '0', expect.stringMatching(/^\d+\w/)],
      ['web-2', '0/1', 'Running', '0', expect.any(String)],
    ]);
  });

  test('with -o wide', async () => {
    const [head, first] = cells((await get('po', '-o', 'wide')).stdout);
    expect(head!.slice(5)).toEqual(['IP', 'NODE', 'NOMINATED NODE', 'READINESS GATES']);
    expect(first!.slice(5)).toEqual(['10.244.0.2', 'n1', '<none>', '<none>']);
    const [, deployment] = cells((await get('deploy', '-o', 'wide')).stdout);
    expect(deployment).toEqual(['web', '1/2', '2', '0', expect.any(String), 'web', 'nginx:1', 'app=web']);
  });

  test('of several kinds tell the kind with each name', async () => {
    const { stdout } = await get('svc,deployments');
    const [services, deployments] = stdout.split('\n\n');
    expect(cells(services!)).toEqual([
      ['NAME', 'TYPE', 'CLUSTER-IP', 'EXTERNAL-IP', 'PORT(S)', 'AGE'],
      ['service/web', 'NodePort', '10.96.0.7', '<none>', '80:30080/TCP', expect.any(String)],
    ]);
    expect(cells(deployments!)[1]![0]).toBe('deployment.apps/web');
    const all = (await get('all')).stdout;
    for (const name of ['pod/web-1', 'pod/web-2', 'service/web', 'deployment.apps/web']) expect(all).toContain(name);
  });

  test('of all namespaces, of one, without headers', async () => {
    expect(cells((await get('cm', '-A')).stdout)[0]).toEqual(['NAMESPACE', 'NAME', 'DATA', 'AGE']);
    expect(cells((await get('cm', '-n', 'shop', '--no-headers')).stdout)).toEqual([
      ['settings', '1', expect.any(String)],
    ]);
  });

  test('do not steer the terminal', async () => {
    expect((await get('configmaps')).stdout).toContain('evil\\u{1b}[2J');
  });
});

describe('choices', () => {
  test.each([
    [['pods', '-l', 'app=web'], 'pod/web-1\npod/web-2\n'],
    [['Pod', '--field-selector', 'spec.nodeName=n2'], 'pod/web-2\n'],
    [['pod', 'web-2', 'web-1'], 'pod/web-2\npod/web-1\n'],
    [['pod/web-1', 'deployment/web'], 'pod/web-1\ndeployment.apps/web\n'],
    [['DEPLOY.apps'], null],
    [['deployments.apps'], 'deployment.apps/web\n'],
    [['no,ns,svc'], 'service/web\n'],
  ])('%j', async (words, wanted) => {
    const { code, stdout } = await get(...words, '-o', 'name');
    if (wanted === null) expect(code).toBe(2);
    else expect([code, stdout]).toEqual([0, wanted]);
  });

  test('nothing found is no failure', async () => {
    expect(await get('secrets')).toEqual({ code: 0, stdout: '', stderr: 'No resources found in default namespace.\n' });
    expect((await get('secrets', '-A')).stderr).toBe('No resources found\n');
    expect((await get('nodes')).stderr).toBe('No resources found\n');
    expect((await get('pods', '-n', 'nowhere', '-l', 'a')).stderr).toBe('No resources found in nowhere namespace.\n');
  });

  test('what is not there is told, behind what is', async () => {
    const { code, stdout, stderr } = await get('pods', 'x', 'web-1', '-o', 'name');
    expect([code, stdout]).toEqual([1, 'pod/web-1\n']);
    expect(stderr).toBe('Error from server (NotFound): pods "x" not found\n');
    expect(await get('deploy/x', '-o', 'json')).toMatchObject({
      ...{ code: 1, stdout: '' },
      stderr: 'Error from server (NotFound): deployments.apps "x" not found\n',
    });
  });
});

describe('whole objects', () => {
  test('one is itself, several are a list, with sorted keys', async () => {
    const one = (await get('pod', 'web-1', '-o', 'json')).stdout;
    expect(JSON.parse(one)).toEqual(served.store.get(kinds.Pod, 'default', 'web-1'));
    expect([...one.matchAll(/^ {4}"(\w+)"/gm)].map(([, key]) => key)).toEqual([
      'apiVersion',
      'kind',
      'metadata',
      'spec',
      'status',
    ]);
    const list = JSON.parse((await get('pods', '-o', 'json')).stdout);
    expect(list).toMatchObject({ apiVersion: 'v1', kind: 'List', items: [{ kind: 'Pod' }, { kind: 'Pod' }] });
    expect(JSON.parse((await get('secrets', '-o', 'json')).stdout).items).toEqual([]);
  });

  test('yaml says the same', async () => {
    const { stdout } = await get('pod', 'web-1', '-o', 'yaml');
    expect(stdout).toMatch(/^apiVersion: v1\nkind: Pod\nmetadata:\n/);
    expect(parse(stdout)).toEqual(served.store.get(kinds.Pod, 'default', 'web-1'));
    served.store.create({
      ...configMap('words', {}, 'yaml'),
      data: { a: 'yes', b: '1', c: 'x\ny\n', d: 'on' },
    } as never);
    const words = (await get('cm', 'words', '-n', 'yaml', '-o', 'yaml')).stdout;
    expect(words).toContain('data:\n  a: "yes"\n  b: "1"\n  c: |\n    x\n    y\n  d: "on"\n');
  });
});

describe('mistakes', () => {
  test.each([
    [[], 'expected a KIND'],
    [['pdos'], 'there is no kind "pdos" here; did you mean pods?'],
    [['gnomes'], 'there is no kind "gnomes" here'],
    [['deploymnts'], 'did you mean deployments?'],
    [['pods', '-o', 'jsonpath={.items}'], '-o takes wide, json, yaml or name'],
    [['pods', '--sort-by', '.metadata.name'], "Unknown option '--sort-by'"],
    [['pod/web-1', 'web-2'], 'found "web-2" among names that say their kind, expected KIND/NAME'],
    [['pod/'], 'expected KIND/NAME'],
    [['pod', 'web-1', '-A'], '-A lists all objects'],
    [['pod', 'web-1', '-l', 'app=web'], 'name them or select them'],
    [['pods,svc', '-w'], '-w watches one KIND'],
    [['pods', '-l', 'a===b'], 'Error from server (BadRequest)'],
    [['pods', '--field-selector', 'spec.color=red'], 'field label not supported'],
  ])('%j: exit code 2', async (words, message) => {
    const { code, stdout, stderr } = await get(...words);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

test('-w goes on with changes, under the same columns, until the cluster ends', async () => {
  const own = await ServedCluster.start();
  own.store.create(pod('web-1'));
  const watched = podwire(own, 'get', 'pods', '-w');
  await sleep(200);
  own.store.create(pod('web-2', { ready: false }));
  own.store.updateStatus(pod('web-2'));
  await sleep(200);
  own.close();
  const { code, stdout, stderr } = await watched;
  expect([code, stderr]).toEqual([0, 'the cluster has ended\n']);
  expect(cells(stdout).map((row) => row.slice(0, 2))).toEqual([
    ...[
      ['NAME', 'READY'],
      ['web-1', '1/1'],
      ['web-2', '0/1'],
      ['web-2', '1/1'],
    ],
  ]);
  expect(
    new Set(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.search(/READY|\d\/\d/)),
    ).size,
  ).toBe(1);
});
