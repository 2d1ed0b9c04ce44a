import { beforeAll, describe, expect, test } from 'vitest';
import type { CheckBackend } from '../../src/check/ask.ts';
import { ClusterView } from '../../src/check/cluster-view.ts';
import { readExpectations } from '../../src/check/read-expectations.ts';
import { type Pair, pairWords, resolvePairs } from '../../src/check/resolve-pairs.ts';
import { startSimBackend } from '../../src/check/sim-backend.ts';
import { readManifests } from '../../src/cluster/manifests.ts';
import { ManifestError } from '../../src/cluster/source.ts';
import { podAddresses } from '../../src/controllers/pod-state.ts';
import { kinds } from '../../src/store/resources.ts';
import { podYaml } from './check-command.ts';

/** It declares no ports, and, unless `ready`, that it is not Ready. */
const quietPod = (name: string, ready: boolean) => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: third, labels: {app: u}, annotations: {podwire.dev/ready: "${ready}"}}
spec: {containers: [{name: c, image: x}]}
`;

const manifests = `${quietPod('u1', false)}${quietPod('u2', false)}${quietPod('u3', true)}${podYaml('a', { app: 'a' })}${podYaml('b', { app: 'b' })}${podYaml('c', { app: 'b' }, 'other')}
${podYaml('host', { app: 'host' }, 'other', 'hostNetwork: true,')}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: x, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: none}
spec: {replicas: 0, selector: {matchLabels: {app: none}}, template: {metadata: {labels: {app: none}}, spec: {containers: [{name: c, image: x}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}, {name: dns, port: 53, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {selector: {app: a}, ports: [{port: 81, targetPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: u, namespace: third}
spec: {selector: {app: u}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: headless}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}
`;

let backend: CheckBackend;
let view: ClusterView;

beforeAll(async () => {
  const read = readManifests([{ file: 'm.yaml', text: manifests }]);
  backend = await startSimBackend({ manifests: read, nodes: 2, seed: 1, note: () => {} });
  view = await backend.view();
});

function resolve(text: string, inside = view) {
  return resolvePairs(readExpectations([{ file: 'e.yaml', text }], 'default'), inside);
}

/** Pod names without what a workload adds. */
function words(pairs: readonly Pair[]): string[] {
  return pairs.map((pair) => `${pair.expected} ${pairWords(pair).replace(/(web)-\w+-\w+/g, '$1-*')}`);
}

function asked(text: string): string[] {
  return words(resolve(text).pairs);
}

function problems(text: string, inside = view): string[] {
  try {
    resolve(text, inside);
  } catch (error) {
    if (error instanceof ManifestError) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('an expectation means', () => {
  test('one pair of pods, by TCP when nothing else is said', () => {
    expect(asked('allow: [{from: a, to: b, port: 80}]')).toEqual(['allow default/a → default/b TCP 80']);
    expect(asked('deny: [{from: a, to: other/c, port: 53}]')).toEqual(['deny default/a → other/c TCP 53']);
    expect(asked('deny: [{from: a, to: b, protocol: ICMP}]')).toEqual(['deny default/a → default/b ICMP']);
  });

  test('every port that the destination declares, when it names none', () => {
    expect(asked('allow: [{from: a, to: b}]')).toEqual([
      'allow default/a → default/b TCP 80',
      'allow default/a → default/b UDP 53',
    ]);
    expect(asked('allow: [{from: a, to: b, protocol: UDP}]')).toEqual(['allow default/a → default/b UDP 53']);
  });

  test("a named port as the destination has it, with that port's protocol", () => {
    expect(asked('allow: [{from: a, to: b, port: dns}]')).toEqual(['allow default/a → default/b UDP 53']);
    expect(asked('allow: [{from: a, to: {podSelector: {app: web}}, port: http}]')).toEqual([
      'allow default/a → default/web-* TCP 8080',
      'allow default/a → default/web-* TCP 8080',
    ]);
  });

  test('every pod that matches, but no pod and itself', () => {
    expect(asked('allow: [{from: {namespace: default}, to: {podSelector: {app: b}}, port: 80}]')).toEqual([
      'allow default/a → default/b TCP 80',
      'allow default/web-* → default/b TCP 80',
      'allow default/web-* → default/b TCP 80',
    ]);
    expect(asked('allow: [{from: a, to: pod/a, port: 80}]')).toEqual(['allow default/a → default/a TCP 80']);
  });

  test('the first Ready pod of a workload; of a bare name the Service that has the port, else the pod, else the Service, else the workload', () => {
    const { pairs } = resolve('allow: [{from: deploy/web, to: pod/a, port: 80}, {from: web, to: web, port: 80}]');
    expect(words(pairs)).toEqual([
      'allow default/web-* → default/a TCP 80',
      'allow default/web-* → svc/default/web TCP 80',
    ]);
    expect(pairs[0]!.from.pod).toBe(pairs[1]!.from.pod);
    expect(asked('allow: [{from: b, to: a, port: 81}, {from: b, to: a, protocol: UDP}]')).toEqual([
      'allow default/b → svc/default/a TCP 81',
      'allow default/b → default/a UDP 53',
    ]);
    expect(asked('allow: [{from: b, to: a, port: 80}]')).toEqual(['allow default/b → default/a TCP 80']);
    expect(problems('allow: [{from: b, to: svc/a, port: 80}]')[0]).toContain(
      'svc/default/a has no TCP port 80; it has TCP 81; a pod of that name is pod/default/a',
    );
    expect(asked('allow: [{from: svc/third/u, to: b, port: 80}]')).toEqual(['allow third/u3 → default/b TCP 80']);
    expect(asked('allow: [{from: svc/web, to: web}]')).toEqual(['allow default/web-* → default/web-* TCP 8080']);
  });

  test('a node, or whoever has an address', () => {
    expect(asked('allow: [{from: node/n1, to: node/n2, port: 22}]')).toEqual(['allow node/n1 → node/n2 TCP 22']);
    const [ip] = podAddresses(view.pods.find(({ metadata }) => metadata.name === 'b')!);
    const [pair] = resolve(`allow: [{from: ${ip}, to: ${ip}, port: http}]`).pairs;
    expect(pair).toMatchObject({
      from: { endpoint: 'pod/default/b' },
      to: { endpoint: 'pod/default/b', outside: false },
      port: 80,
    });
    const service = resolve('allow: [{from: a, to: web, port: 80}]').pairs[0]!.to.service!.spec.clusterIP!;
    expect(resolve(`allow: [{from: a, to: ${service}, port: 80}]`).pairs[0]!.to).toMatchObject({
      name: 'svc/default/web',
    });
    for (const { metadata, status } of view.list(kinds.Node)) {
      const [{ address } = { address: '' }] = status?.addresses ?? [];
      expect(resolve(`allow: [{from: a, to: ${address}, port: 80}]`).pairs[0]!.to.name).toBe(`node/${metadata.name}`);
    }
    expect(resolve('allow: [{from: a, to: 192.0.2.1, port: 80}]').pairs[0]!.to).toMatchObject({ outside: true });
    expect(resolve('allow: [{from: a, to: 172.18.0.2, port: 80}]').pairs[0]!.to).toMatchObject({ outside: false });
  });

  test('NP-028 and by default all pairs of pods that no entry names, on declared ports, but for host networks and the name service', () => {
    const all = asked('default: deny\nallow: [{from: a, to: b, port: 80}]');
    expect(all).toHaveLength(56);
    expect(all[0]).toBe('allow default/a → default/b TCP 80');
    expect(all.filter((line) => line === 'deny default/a → default/b TCP 80')).toEqual([]);
    expect(all.join('\n')).not.toMatch(/host|kube-system|default\/a → default\/a /);
    const { entries } = resolve('default: deny\nallow: [{from: a, to: b, port: 80}]');
    expect(entries.map(({ name, pairs }) => [name, pairs.length])).toEqual([
      ['allow default/a → default/b TCP 80', 1],
      ['all others: deny', 55],
    ]);
  });
});

test('pods that have ended, or have no address, are nobody', () => {
  const pod = (name: string, status: object) => {
    return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [] }, status };
  };
  const pods = [
    pod('ended', { phase: 'Succeeded', podIP: '10.244.0.2' }),
    pod('waits', { phase: 'Pending' }),
    pod('runs', { phase: 'Running', podIP: '10.244.0.3' }),
  ];
  expect(
    new ClusterView(new Map([[kinds.Pod, pods]]), view.networks).pods.map(({ metadata }) => metadata.name),
  ).toEqual(['runs']);
});

test('by default nobody is asked about pods that declare no ports: a note names them', () => {
  expect(resolve('default: deny').notes).toEqual([
    'e.yaml:1:10: default: deny tries no way to third/u1, third/u2, third/u3: they declare no containerPort',
  ]);
  expect(resolve('allow: [{from: a, to: b}]').notes).toEqual([]);
});

test("a node's own address of the pod network is the node", () => {
  expect(resolve('allow: [{from: a, to: 10.244.0.1, port: 80}]').pairs[0]!.to).toMatchObject({
    ...{ name: 'node/n1', endpoint: '10.244.0.1', outside: false },
  });
});

/** Of another cluster. */
async function problemsOf(manifests: string, text: string): Promise<string[]> {
  const read = readManifests([{ file: 'm.yaml', text: manifests }]);
  const other = await startSimBackend({ manifests: read, nodes: 1, seed: 1, note: () => {} });
  return problems(text, await other.view());
}

describe('an expectation is refused that', () => {
  test.each([
    [
      'means a pod that is not there',
      'allow: [{from: a, to: bb, port: 80}]',
      'there is no pod default/bb, nor a workload or Service of that name',
    ],
    ['names a nearby one', 'allow: [{from: a, to: web1, port: 80}]', 'there is no pod default/web1'],
    [
      'means no object',
      'allow: [{from: deploy/wep, to: a, port: 80}]',
      'there is no Deployment default/wep; did you mean "web"?',
    ],
    ['means a workload without pods', 'allow: [{from: none, to: a, port: 80}]', 'Deployment default/none has no pods'],
    [
      'means no namespace',
      'allow: [{from: {namespace: othr}, to: a, port: 80}]',
      'there is no namespace "othr"; did you mean "other"?',
    ],
    [
      'selects no pod',
      'allow: [{from: {podSelector: {app: x}}, to: a, port: 80}]',
      'no pod of namespace "default" matches; there are a (app=a), b (app=b), ',
    ],
    [
      'means an empty namespace',
      'allow: [{from: {namespace: kube-public}, to: a, port: 80}]',
      'namespace "kube-public" has no pods',
    ],
    ['means no node', 'allow: [{from: node/n3, to: a, port: 80}]', 'there is no node "n3"; there are n1, n2'],
    ['sends from nowhere', 'allow: [{from: 192.0.2.1, to: a, port: 80}]', '192.0.2.1 is no address of a pod or node'],
    [
      'means a port by a name that nobody has',
      'allow: [{from: a, to: b, port: grpc}]',
      'default/b has no port "grpc"; it has TCP 80 (http), UDP 53 (dns)',
    ],
    [
      'means a named port of another protocol',
      'allow: [{from: a, to: b, port: http, protocol: UDP}]',
      'default/b has no UDP port "http"',
    ],
    [
      'means a port that a Service has not',
      'allow: [{from: a, to: svc/web, port: 81}]',
      'svc/default/web has no TCP port 81; it has TCP 80 (http), UDP 53 (dns)',
    ],
    [
      'means no port of an address',
      'allow: [{from: a, to: 192.0.2.1}]',
      '192.0.2.1 declares no port; write which one is meant',
    ],
    ['means no port of a protocol', 'allow: [{from: a, to: web-0, port: 80}]', 'there is no pod default/web-0'],
    ['means none of SCTP', 'allow: [{from: a, to: b, protocol: SCTP}]', 'default/b declares no SCTP port'],
    [
      'means a headless Service',
      'allow: [{from: a, to: svc/headless, port: 80}]',
      'Service default/headless has no address of its own',
    ],
    ['pings a Service', 'allow: [{from: a, to: svc/web, protocol: ICMP}]', 'is a Service, which answers no ICMP'],
    [
      'means only a pod and itself',
      'deny: [{from: {podSelector: {app: a}}, to: pod/a, port: 80}]',
      'this expectation could not fail',
    ],
  ])('%s', (_, text, expected) => {
    const found = problems(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
    expect(found[0]).toMatch(/^e\.yaml:1:\d+: (allow|deny)\[0\]: /);
  });

  test.each([
    ['10.244.0.99', 'nobody has 10.244.0.99, of the pod network 10.244.0.0/16; near it are '],
    ['10.96.200.1', 'nobody has 10.96.200.1, of the Service network 10.96.0.0/16; near it are svc/'],
    ['fd00:10:244::99', 'nobody has fd00:10:244::99, of the pod network fd00:10:244::/56; near it are '],
    ['127.0.0.1', '127.0.0.1 is loopback: no packet leaves for it, whatever policies say'],
    ['::1', '::1 is loopback'],
    ['169.254.169.254', '169.254.169.254 is link-local'],
    ['fe80::1', 'fe80::1 is link-local'],
    ['224.0.0.251', '224.0.0.251 is multicast'],
    ['239.255.255.255', '239.255.255.255 is multicast'],
    ['ff02::1', 'ff02::1 is multicast'],
    ['0.0.0.0', '0.0.0.0 is unspecified'],
    ['::', ':: is unspecified'],
    ['255.255.255.255', '255.255.255.255 is broadcast'],
  ])('means %s, which nobody can have', (address, expected) => {
    for (const verdict of ['allow', 'deny']) {
      for (const to of [`"${address}"`, `{ip: "${address}"}`]) {
        const found = problems(`${verdict}: [{from: a, to: ${to}, port: 80}]`);
        expect(found).toHaveLength(1);
        expect(found[0]).toContain(`e.yaml:1:${verdict === 'allow' ? 9 : 8}: ${verdict}[0]: ${expected}`);
      }
    }
  });

  test('means nobody, and names those with the nearest addresses', () => {
    const [ip = ''] = podAddresses(view.pods.find(({ metadata }) => metadata.name === 'b')!);
    const taken = new Set([...view.addresses()].map(([address]) => address));
    const base = ip.slice(0, ip.lastIndexOf('.') + 1);
    const free = Array.from({ length: 250 }, (_, i) => i + 2).find((last) => !taken.has(`${base}${last}`))!;
    const [found = ''] = problems(`allow: [{from: a, to: ${base}${free}, port: 80}]`);
    const near = found.slice(found.indexOf('near it are '));
    expect(near.match(/\([^)]*\)/g)).toEqual([1, 2, 3].map((less) => `(${base}${free - less})`));
  });

  test('by default asks nothing, with its line', async () => {
    const wanted = (pods: string, text: string) => problemsOf(pods, `allow: []\n${text}\n`);
    expect(await wanted(quietPod('p', true) + quietPod('q', true), 'default: deny')).toEqual([
      'e.yaml:2:10: default: deny asks nothing, as no pod declares a containerPort: it could not fail',
    ]);
    expect(await wanted(podYaml('a', {}), 'default: allow')).toEqual([
      'e.yaml:2:10: default: allow asks nothing, as there are no two pods: it could not fail',
    ]);
  });

  test('contradicts another, with both lines', () => {
    const text = 'allow:\n- {from: a, to: b, port: http}\ndeny:\n- {from: {podSelector: {app: a}}, to: b, port: 80}\n';
    expect(problems(text)).toEqual([
      'e.yaml:4:3: deny[0]: default/a → default/b TCP 80 is allowed at e.yaml:2:3 and denied here',
    ]);
  });

  test('but not one that says the same twice', () => {
    const { pairs, entries } = resolve('allow: [{from: a, to: b, port: 80}, {from: a, to: b, port: http}]');
    expect(pairs).toHaveLength(1);
    expect(entries).toHaveLength(2);
    expect(entries[1]!.pairs[0]).toBe(pairs[0]);
  });

  test('and a file of expectations that asks nothing', () => {
    expect(problems('default: ignore')).toEqual([
      'expectations: the expectations name no pair of pods: this test could not fail; add allow or deny',
    ]);
  });
});
