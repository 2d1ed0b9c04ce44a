/** What a pod's /etc/resolv.conf says. */
import type { PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { type ClusterResolver, resolvConf } from '../../src/dns/resolv-conf.ts';

const nodeResolvConf = `# of the node
domain ignored.example
nameserver 192.0.2.53
  nameserver\t2001:db8::53
nameserver
search first.example
search corp.example. example.com .
options timeout:1
options rotate edns0
`;
const cluster: ClusterResolver = { clusterDns: ['10.96.0.10'], clusterDomain: 'cluster.local', nodeResolvConf };
const alone: ClusterResolver = { ...cluster, nodeResolvConf: undefined };
const ofCluster = 'nameserver 10.96.0.10\noptions ndots:5\n';
const ofNode = `search corp.example example.com .
nameserver 192.0.2.53
nameserver 2001:db8::53
options rotate edns0
`;

function textFor(spec: Partial<PodSpec>, resolver = cluster, namespace?: string): string {
  const metadata = { name: 'p', ...(namespace === undefined ? {} : { namespace }) };
  return resolvConf({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [], ...spec } }, resolver);
}

function line(text: string, keyword: string): string[] {
  const lines = text.split('\n').filter((one) => one.startsWith(`${keyword} `));
  return lines.flatMap((one) => one.split(' ').slice(1));
}

describe('by policy', () => {
  const own = 'search shop.svc.cluster.local svc.cluster.local cluster.local';
  test.each<[string, Partial<PodSpec>, ClusterResolver, string]>([
    ['DN-047 ClusterFirst', { dnsPolicy: 'ClusterFirst' }, cluster, `${own} corp.example example.com .\n${ofCluster}`],
    ['DN-047 ClusterFirst is the default', {}, alone, `${own}\n${ofCluster}`],
    ['DN-050 ClusterFirst on the host network', { dnsPolicy: 'ClusterFirst', hostNetwork: true }, cluster, ofNode],
    [
      'DN-050 ClusterFirstWithHostNet',
      { dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true },
      alone,
      `${own}\n${ofCluster}`,
    ],
    ['DN-050 Default', { dnsPolicy: 'Default' }, cluster, ofNode],
    ['DN-050 Default without a resolv.conf', { dnsPolicy: 'Default' }, alone, 'search .\nnameserver 127.0.0.1\n'],
    ['DN-051 None', { dnsPolicy: 'None' }, cluster, ''],
    [
      'DN-051 None with its own',
      {
        dnsPolicy: 'None',
        dnsConfig: { nameservers: ['192.0.2.1'], searches: ['a.example'], options: [{ name: 'ndots', value: '2' }] },
      },
      cluster,
      'search a.example\nnameserver 192.0.2.1\noptions ndots:2\n',
    ],
    ['DN-050 a cluster without a name server', {}, { ...cluster, clusterDns: [] }, ofNode],
  ])('%s', (_rule, spec, resolver, text) => {
    expect(textFor(spec, resolver, 'shop')).toBe(text);
  });

  test('DN-047 a pod without a namespace is in default', () => {
    expect(line(textFor({}, alone), 'search')[0]).toBe('default.svc.cluster.local');
  });
});

describe('dnsConfig', () => {
  test('DN-052 options override those of the same name, and are added otherwise', () => {
    const options = [
      { name: 'ndots', value: '2' },
      { name: 'edns0' },
      { name: 'timeout', value: '3' },
      { name: 'edns0' },
    ];
    expect(line(textFor({ dnsConfig: { options } }), 'options')).toEqual(['ndots:2', 'edns0', 'timeout:3']);
  });

  test('DN-052 name servers and search domains are added once', () => {
    const dnsConfig = {
      nameservers: ['10.96.0.10', '192.0.2.1'],
      searches: ['svc.cluster.local', 'b.example', 'b.example'],
    };
    const text = textFor({ dnsConfig }, alone);
    expect(line(text, 'nameserver')).toEqual(['10.96.0.10', '192.0.2.1']);
    expect(line(text, 'search').slice(3)).toEqual(['b.example']);
  });

  test('DN-053 three name servers', () => {
    const nameservers = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
    expect(line(textFor({ dnsConfig: { nameservers } }), 'nameserver')).toEqual([
      '10.96.0.10',
      '192.0.2.1',
      '192.0.2.2',
    ]);
  });

  test('DN-053 32 search domains', () => {
    const searches = Array.from({ length: 40 }, (_, i) => `s${i}.example`);
    expect(line(textFor({ dnsConfig: { searches } }, alone), 'search').slice(-1)).toEqual(['s28.example']);
  });

  test('DN-053 2048 characters of search domains', () => {
    const searches = Array.from({ length: 20 }, (_, i) => `${i}`.padStart(199, 'x'));
    const kept = line(textFor({ dnsPolicy: 'None', dnsConfig: { searches } }), 'search');
    expect(kept).toEqual(searches.slice(0, 10));
    // Ten of 199 and their spaces are 1999; 48 more with one space are just enough.
    const exact = [...searches.slice(0, 10), 'y'.repeat(48)];
    expect(line(textFor({ dnsPolicy: 'None', dnsConfig: { searches: exact } }), 'search')).toEqual(exact);
    const over = [...searches.slice(0, 10), 'y'.repeat(49)];
    expect(line(textFor({ dnsPolicy: 'None', dnsConfig: { searches: over } }), 'search')).toEqual(over.slice(0, 10));
  });

  test('DN-053 a search domain of 254 characters is left out', () => {
    const searches = ['a'.repeat(253), 'b'.repeat(254), 'c.example'];
    expect(line(textFor({ dnsPolicy: 'None', dnsConfig: { searches } }), 'search')).toEqual([searches[0], searches[2]]);
  });
});
