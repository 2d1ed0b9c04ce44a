/**
 * The recipes of github.com/ahmetb/kubernetes-network-policy-recipes: each is applied to one small world, and what its text
 * says of connections is asked by packets. Then it is deleted, and everybody reaches everybody again (NP-036).
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createCluster, type ProbeAnswer, type SimulatedCluster } from '../../src/podwire.ts';
import { missing } from '../support/requires.ts';

type Labels = Readonly<Record<string, string>>;

const need = missing('testdata');

/** The text of a recipe's document, number `-1`, `-2` … in it. */
function recipe(name: string): string {
  return readFileSync(`${process.env['PODWIRE_TESTDATA']}/corpora/netpol/recipes/${name}.yaml`, 'utf8');
}

interface Policy {
  readonly spec: Readonly<Record<string, unknown>>;
}

/** A recipe in which a part is as another document of it says. */
function changed(name: string, spec: object): object {
  const policy = parse(recipe(name)) as Policy;
  return { ...policy, spec: { ...policy.spec, ...spec } };
}

interface Port {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
}

function pod(namespace: string, name: string, labels: Labels, ports: readonly Port[] = []): object {
  const spec = { containers: [{ name: 'main', image: 'x', ports }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name, labels }, spec };
}

function service(
  name: string,
  selector: Labels,
  ...ports: readonly (readonly [port: number, targetPort: number])[]
): object {
  const all = ports.map(([port, targetPort]) => ({ name: `p${port}`, port, targetPort }));
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name },
    spec: { selector, ports: all },
  };
}

function namespace(name: string, labels: Labels = {}): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

const http = [{ containerPort: 80 }];

/** @param apiPorts as a document of recipe 09 has them */
function worldOf(apiPorts: readonly Port[]): object[] {
  return [
    ...['foo', 'secondary'].map((name) => namespace(name)),
    namespace('dev', { purpose: 'testing' }),
    namespace('prod', { purpose: 'production' }),
    namespace('other', { team: 'operations' }),
    ...['default', 'foo', 'secondary', 'dev', 'prod', 'other'].map((name) => pod(name, 'test', {})),
    ...['default', 'other'].map((name) => pod(name, 'monitoring', { type: 'monitoring' })),
    pod('default', 'web', { app: 'web' }, [...http, { containerPort: 81 }]),
    pod('default', 'bookstore-api', { app: 'bookstore', role: 'api' }, http),
    pod('default', 'frontend', { app: 'bookstore', role: 'frontend' }),
    pod('default', 'search', { app: 'bookstore', role: 'search' }),
    pod('default', 'catalog', { app: 'inventory', role: 'web' }),
    pod('default', 'db', { app: 'bookstore', role: 'db' }, [{ containerPort: 6379 }]),
    pod('default', 'apiserver', { app: 'apiserver' }, [{ containerPort: 8000 }, ...apiPorts]),
    pod('default', 'monitor', { role: 'monitoring' }),
    pod('default', 'foo', { app: 'foo' }),
    pod('default', 'stranger', { app: 'other' }),
    pod('kube-system', 'dns', { 'k8s-app': 'kube-dns' }, [
      { containerPort: 53, protocol: 'UDP' },
      { containerPort: 53, protocol: 'TCP' },
    ]),
    service('web', { app: 'web' }, [80, 80], [81, 81]),
    service('bookstore-api', { app: 'bookstore', role: 'api' }, [80, 80]),
    service('db', { app: 'bookstore', role: 'db' }, [6379, 6379]),
    service('apiserver', { app: 'apiserver' }, [8001, 8000], [5001, 5000]),
  ];
}

/** `web:80` is a Service; a protocol stands behind a slash. */
type Ask = readonly [from: string, to: string, answer: 'allowed' | 'denied'];

const web = 'svc/default/web:80';
const api = 'svc/default/apiserver';
const dns = 'kube-system/dns:53';
const outside = '93.184.216.34:80';

const ports = [{ name: 'api-port', containerPort: 5000, protocol: 'TCP' }];

const recipes: readonly (readonly [name: string, policies: () => (string | object)[], ...asks: readonly Ask[]])[] = [
  [
    'NP-006 01 deny all traffic to an application',
    () => [recipe('01-deny-all-traffic-to-an-application-1')],
    ['default/test', web, 'denied'],
    ['foo/test', web, 'denied'],
    ['default/web', dns, 'allowed'],
    ['default/test', 'svc/default/db:6379', 'allowed'],
  ],
  [
    'NP-010 02 limit traffic to an application',
    () => [recipe('02-limit-traffic-to-an-application-1')],
    ['default/test', 'svc/default/bookstore-api:80', 'denied'],
    ['default/frontend', 'svc/default/bookstore-api:80', 'allowed'],
    ['default/test', web, 'allowed'],
  ],
  [
    'NP-002 NP-008 02a allow all traffic to an application',
    () => [recipe('02a-allow-all-traffic-to-an-application-1'), recipe('01-deny-all-traffic-to-an-application-1')],
    ['default/test', web, 'allowed'],
    ['foo/test', web, 'allowed'],
  ],
  [
    'NP-004 03 deny all non-whitelisted traffic in the namespace',
    () => [recipe('03-deny-all-non-whitelisted-traffic-in-the-namespace-1')],
    ['default/test', web, 'denied'],
    ['default/test', 'svc/default/db:6379', 'denied'],
    ['foo/test', web, 'denied'],
    ['default/test', dns, 'allowed'],
  ],
  [
    'NP-067 04 deny traffic from other namespaces',
    () => [recipe('04-deny-traffic-from-other-namespaces-1')],
    ['foo/test', web, 'denied'],
    ['default/test', web, 'allowed'],
  ],
  [
    'NP-049 05 allow traffic from all namespaces',
    () => [recipe('05-allow-traffic-from-all-namespaces-1')],
    ['secondary/test', web, 'allowed'],
    ['default/test', web, 'allowed'],
  ],
  [
    'NP-050 06 allow traffic from a namespace',
    () => [recipe('06-allow-traffic-from-a-namespace-1')],
    ['dev/test', web, 'denied'],
    ['prod/test', web, 'allowed'],
    ['default/test', web, 'denied'],
  ],
  [
    'NP-011 07 allow traffic from some pods in another namespace',
    () => [recipe('07-allow-traffic-from-some-pods-in-another-namespace-1')],
    ['default/test', web, 'denied'],
    ['default/monitoring', web, 'denied'],
    ['other/test', web, 'denied'],
    ['other/monitoring', web, 'allowed'],
  ],
  [
    'NP-007 08 allow external traffic',
    () => [recipe('08-allow-external-traffic-1')],
    ['node/OTHER', web, 'allowed'],
    ['node/OTHER', 'svc/default/web:81', 'allowed'],
    ['foo/test', web, 'allowed'],
  ],
  [
    'NP-007 08 allow external traffic to a port',
    () => [changed('08-allow-external-traffic-1', parse(recipe('08-allow-external-traffic-2')) as object)],
    ['node/OTHER', web, 'allowed'],
    ['node/OTHER', 'svc/default/web:81', 'denied'],
    ['foo/test', 'svc/default/web:81', 'denied'],
  ],
  [
    'NP-022 09 allow traffic only to a port',
    () => [recipe('09-allow-traffic-only-to-a-port-1')],
    ['default/test', `${api}:8001`, 'denied'],
    ['default/test', `${api}:5001`, 'denied'],
    ['default/monitor', `${api}:8001`, 'denied'],
    ['default/monitor', `${api}:5001`, 'allowed'],
  ],
  [
    'NP-018 09 allow traffic only to a port by name',
    () => [changed('09-allow-traffic-only-to-a-port-1', parse(recipe('09-allow-traffic-only-to-a-port-2')) as object)],
    ['default/test', `${api}:8001`, 'denied'],
    ['default/test', `${api}:5001`, 'allowed'],
  ],
  [
    'NP-009 10 allowing traffic with multiple selectors',
    () => [recipe('10-allowing-traffic-with-multiple-selectors-1')],
    ['default/catalog', 'svc/default/db:6379', 'allowed'],
    ['default/search', 'svc/default/db:6379', 'allowed'],
    ['default/bookstore-api', 'svc/default/db:6379', 'allowed'],
    ['default/stranger', 'svc/default/db:6379', 'denied'],
    ['default/frontend', 'svc/default/db:6379', 'denied'],
  ],
  [
    'NP-069 11 deny egress traffic from an application',
    () => [recipe('11-deny-egress-traffic-from-an-application-1')],
    ['default/foo', dns, 'denied'],
    ['default/foo', `${dns}/UDP`, 'denied'],
    ['default/foo', web, 'denied'],
    ['default/foo', outside, 'denied'],
    ['default/test', web, 'allowed'],
  ],
  [
    'NP-024 11 deny egress traffic but for names',
    () => [recipe('11-deny-egress-traffic-from-an-application-2')],
    ['default/foo', dns, 'allowed'],
    ['default/foo', `${dns}/UDP`, 'allowed'],
    ['default/foo', web, 'denied'],
    ['default/foo', outside, 'denied'],
    ['default/foo', '74.125.129.101:0/ICMP', 'denied'],
  ],
  [
    'NP-070 12 deny all non-whitelisted traffic from the namespace',
    () => [recipe('12-deny-all-non-whitelisted-traffic-from-the-namespace-1')],
    ['default/test', web, 'denied'],
    ['default/foo', dns, 'denied'],
    ['foo/test', web, 'allowed'],
  ],
  // The text says that the pod reaches `web` yet. This manifest allows name servers only (NP-006); one before it had `namespaceSelector: {}`.
  [
    'NP-006 14 deny external egress traffic',
    () => [recipe('14-deny-external-egress-traffic-1')],
    ['default/foo', outside, 'denied'],
    ['default/foo', `${dns}/UDP`, 'allowed'],
    ['default/foo', dns, 'allowed'],
    ['default/foo', web, 'denied'],
  ],
];

let cluster: SimulatedCluster;
let otherNode: string;

function question(from: string, to: string) {
  const [, place, port, protocol = 'TCP'] = /^(.*):([0-9]+)(?:\/(.*))?$/.exec(to)!;
  const about = protocol === 'ICMP' ? {} : { port: Number(port) };
  return { from: from.replace('OTHER', otherNode), to: place!, protocol: protocol as 'TCP', ...about };
}

/** What is not of the cluster answers nobody here, allowed or not. */
function wordOf({ outcome, reason }: ProbeAnswer): string {
  if (reason === 'PolicyDenied') return 'denied';
  return outcome === 'delivered' || reason === 'NoRoute' ? 'allowed' : `${outcome} ${reason}`;
}

describe.skipIf(need !== undefined)(`recipes${need === undefined ? '' : ` (${need} is missing)`}`, () => {
  beforeAll(async () => {
    const { ports: named } = (parse(recipe('09-allow-traffic-only-to-a-port-3')) as { containers: { ports: Port[] }[] })
      .containers[0]!;
    expect(named).toEqual(ports);
    cluster = await createCluster({ backend: 'sim', nodes: 2 });
    await cluster.apply(worldOf(named));
    // NP-026: its own node always reaches a pod.
    otherNode = cluster.pod('default/web').node === 'n1' ? 'n2' : 'n1';
  });

  for (const [name, policies, ...asks] of recipes) {
    test(name, async () => {
      const answers = async () => {
        const found = await cluster.probeAll(asks.map(([from, to]) => question(from, to)));
        return found.map((answer, i) => `${asks[i]![0]} → ${asks[i]![1]}: ${wordOf(answer)}`);
      };
      const open = asks.map(([from, to]) => `${from} → ${to}: allowed`);
      const all = policies();
      for (const policy of all) await cluster.apply(policy);
      expect(await answers()).toEqual(asks.map(([from, to, answer]) => `${from} → ${to}: ${answer}`));
      for (const policy of all) await cluster.delete(policy);
      expect(await answers(), 'NP-036').toEqual(open);
    });
  }
});
