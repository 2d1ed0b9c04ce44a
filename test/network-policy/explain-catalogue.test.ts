/**
 * Every kind of sentence, spelled out: read them as somebody who has never seen this project, and ask whether you would
 * know what to do.
 */
import type { NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec } from 'kubernetes-types/networking/v1.d.ts';
import { expect, test } from 'vitest';
import { explain, type PolicyQuestion } from '../../src/network-policy/explain.ts';
import { address, policy, worldOf } from './explain-world.ts';

/** Ingress to shop/db from shop/web on TCP 5432, but for what a row says otherwise. */
const question: PolicyQuestion = {
  direction: 'ingress',
  source: address.web,
  destination: address.db,
  protocol: 'TCP',
  port: 5432,
};

type Spec = Partial<NetworkPolicySpec>;

const db: Spec = { podSelector: { matchLabels: { app: 'db' } } };

function app(name: string): NetworkPolicyPeer {
  return { podSelector: { matchLabels: { app: name } } };
}

function tcp(port: number | string, more: NetworkPolicyPort = {}): NetworkPolicyPort {
  return { protocol: 'TCP', port, ...more };
}

function many(count: number, spec: (i: number) => Spec): Spec[] {
  return Array.from({ length: count }, (_, i) => spec(i));
}

const rows: [name: string, policies: Spec[], asked: Partial<PolicyQuestion>, sentence: string][] = [
  [
    'issue',
    [{ ...db, ingress: [{ from: [app('api')], ports: [tcp(5432)] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants app=api, shop/web has app=web; port 5432 was fine',
  ],
  [
    'NP-006 default deny',
    [{ ...db }],
    {},
    'dropped: ingress to shop/db is denied by db-allow-api (policies.yaml:31): it has no ingress rules',
  ],
  [
    'two default',
    [{ ...db }, {}],
    {},
    'dropped: ingress to shop/db is denied by db-allow-api (policies.yaml:31) and p1 (policies.yaml:41): they have no ingress rules',
  ],
  [
    'NP-005 egress only, types both',
    [{ policyTypes: ['Ingress', 'Egress'], egress: [{}] }],
    {},
    'dropped: ingress to shop/db is denied by db-allow-api (policies.yaml:31): it has egress rules only, but its policyTypes include Ingress',
  ],
  [
    'NP-002 two',
    [
      { ...db, ingress: [{ from: [app('api')], ports: [tcp(5432)] }] },
      { ingress: [{ from: [app('job'), app('cron')] }] },
    ],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31) and p1 (policies.yaml:41); no rule of theirs matched: db-allow-api rule 1 wants app=api, shop/web has app=web, port 5432 was fine; p1 rule 1 wants app=job or app=cron, shop/web has app=web',
  ],
  [
    'many',
    [{ ingress: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((i) => ({ from: [app(`x${i}`)], ports: [tcp(5430 + i)] })) }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 2 wants app=x2, shop/web has app=web, port 5432 was fine; rule 1 wants app=x1 on TCP 5431, shop/web has app=web, asked was TCP 5432; rule 3 wants app=x3 on TCP 5433, shop/web has app=web, asked was TCP 5432; rule 4 wants app=x4 on TCP 5434, shop/web has app=web, asked was TCP 5432; and 7 more',
  ],
  [
    'port',
    [{ ingress: [{ from: [app('web')], ports: [tcp(5433)] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 allows app=web, but on TCP 5433 only; asked was TCP 5432',
  ],
  [
    'any pod of the namespace, port',
    [{ ingress: [{ from: [{ podSelector: {} }], ports: [tcp(5433)] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 allows any pod in namespace shop, but on TCP 5433 only; asked was TCP 5432',
  ],
  [
    'a range of one port',
    [{ ingress: [{ ports: [tcp(5433, { endPort: 5433 })] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 allows any source, but on TCP 5433 only; asked was TCP 5432',
  ],
  [
    'no DNS of its own',
    [{ ...db }],
    { protocol: 'UDP', port: 53 },
    'dropped: ingress to shop/db is denied by db-allow-api (policies.yaml:31): it has no ingress rules',
  ],
  [
    'egress of another protocol on port 53',
    [{ policyTypes: ['Egress'] }],
    { direction: 'egress', protocol: 'SCTP', port: 53 },
    'dropped: egress from shop/web is denied by db-allow-api (policies.yaml:31): it has no egress rules',
  ],
  [
    'egress to nobody of the cluster',
    [{ policyTypes: ['Egress'], egress: [{ to: [{ ipBlock: { cidr: '198.51.100.0/24' } }] }] }],
    { direction: 'egress', destination: address.outside },
    'dropped: egress from shop/web is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants 198.51.100.0/24, 203.0.113.9 is not in 198.51.100.0/24',
  ],
  [
    'NP-007 any source port',
    [{ ingress: [{ ports: [tcp(5433), tcp(6000, { endPort: 6010 }), { protocol: 'UDP' }] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 allows any source, but on TCP 5433, TCP 6000-6010 or any UDP port only; asked was TCP 5432',
  ],
  [
    'NP-009 both',
    [{ ingress: [{ from: [app('api')], ports: [tcp(5433)] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants app=api on TCP 5433; shop/web has app=web, asked was TCP 5432',
  ],
  [
    'NP-019 named none',
    [{ ingress: [{ from: [app('web')], ports: [tcp('http')] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 allows app=web, but on TCP port http only; asked was TCP 5432, shop/db has no port named http',
  ],
  [
    'NP-019 named proto',
    [{ ingress: [{ ports: [tcp('stats')] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 allows any source, but on TCP port stats only; asked was TCP 5432, stats of shop/db is UDP 8125',
  ],
  [
    'NP-018 named other number',
    [{ ingress: [{ ports: [tcp('sql')] }] }],
    { port: 80 },
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 allows any source, but on TCP port sql only; asked was TCP 80, sql of shop/db is TCP 5432',
  ],
  [
    'namespace',
    [{ ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'a' } } }] }] }],
    { source: address.ops },
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants any pod in a namespace with team=a, namespace ops has no label team',
  ],
  [
    'namespace value',
    [{ ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'a' } } }] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants any pod in a namespace with team=a, namespace shop has team=sales',
  ],
  [
    'NP-010 namespace+pod',
    [{ ingress: [{ from: [{ ...app('web'), namespaceSelector: { matchLabels: { team: 'a' } } }] }] }],
    { source: address.ops },
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants app=web in a namespace with team=a, namespace ops has no label team, ops/api has app=api',
  ],
  [
    'NP-010 classic',
    [{ ingress: [{ from: [app('api')] }] }],
    { source: address.ops },
    "dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants app=api in namespace shop, ops/api is in namespace ops (podSelector without namespaceSelector means pods of the policy's own namespace)",
  ],
  [
    'NP-067 classic empty',
    [{ ingress: [{ from: [{ podSelector: {} }] }] }],
    { source: address.ops },
    "dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants any pod in namespace shop, ops/api is in namespace ops (podSelector without namespaceSelector means pods of the policy's own namespace)",
  ],
  [
    'NP-038 block',
    [{ ingress: [{ from: [{ ipBlock: { cidr: '192.168.0.0/16' } }] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants 192.168.0.0/16, 10.244.0.2 (shop/web) is not in 192.168.0.0/16',
  ],
  [
    'NP-015 except',
    [{ ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.244.0.0/24'] } }] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants 10.0.0.0/8, 10.244.0.2 (shop/web) is in except 10.244.0.0/24',
  ],
  [
    'family',
    [{ ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] }],
    { source: address.web6, destination: address.db6 },
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants 10.0.0.0/8, fd00:10:244::2 (shop/web) is an IPv6 address',
  ],
  [
    'NP-028 node',
    [{ ingress: [{ from: [app('agent-1')] }] }],
    { source: address.node1 },
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants app=agent-1 in namespace shop, 172.18.0.2 is node n1 (selectors never match nodes and host-network pods; their addresses take an ipBlock)',
  ],
  [
    'NP-026 own node',
    [{ ingress: [{ from: [app('agent-1')] }] }],
    { source: address.node2 },
    'ingress to shop/db is allowed: shop/db and its own node, n2, always reach each other',
  ],
  [
    'outside',
    [{ ingress: [{ from: [app('api')] }] }],
    { source: address.outside },
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants app=api in namespace shop, 203.0.113.9 is no pod (selectors match pods only; addresses take an ipBlock)',
  ],
  [
    'NP-024 icmp',
    [{ ingress: [{ from: [app('web')], ports: [tcp(5432)] }] }],
    { protocol: 'ICMP', port: 0 },
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 allows app=web, but on TCP 5432 only; ICMP has no ports: only a rule without ports allows it',
  ],
  [
    'NP-031 service',
    [{ policyTypes: ['Egress'], egress: [{ to: [{ ipBlock: { cidr: '10.96.0.9/32' } }] }] }],
    { direction: 'egress' },
    "dropped: egress from shop/web is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants 10.96.0.9/32, 10.244.1.2 (shop/db) is not in 10.96.0.9/32 (if this is a Service's address: egress is judged by the address of the pod behind it)",
  ],
  [
    'egress dns',
    [{ policyTypes: ['Egress'], egress: [{ to: [app('db')], ports: [tcp(5432)] }] }],
    { direction: 'egress', protocol: 'UDP', port: 53 },
    'dropped: egress from shop/web is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 allows app=db, but on TCP 5432 only; asked was UDP 53; UDP 53 is DNS: until a rule allows it, shop/web cannot look up names',
  ],
  [
    'egress default deny dns',
    [{ policyTypes: ['Egress'] }],
    { direction: 'egress', protocol: 'UDP', port: 53 },
    'dropped: egress from shop/web is denied by db-allow-api (policies.yaml:31): it has no egress rules; UDP 53 is DNS: until a rule allows it, shop/web cannot look up names',
  ],
  [
    'udp fine',
    [{ ingress: [{ from: [app('api')], ports: [{ protocol: 'UDP', port: 5432 }] }] }],
    { protocol: 'UDP' },
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants app=api, shop/web has app=web; UDP port 5432 was fine',
  ],
  [
    'NP-013 expr',
    [
      {
        ingress: [
          {
            from: [
              {
                podSelector: {
                  matchExpressions: [
                    { key: 'app', operator: 'NotIn', values: ['web', 'x'] },
                    { key: 'tier', operator: 'Exists' },
                    { key: 'env', operator: 'DoesNotExist' },
                    { key: 'v', operator: 'In', values: ['1', '2'] },
                  ],
                },
              },
            ],
          },
        ],
      },
    ],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants app not in (web or x), a label tier, v in (1 or 2) and no label env, shop/web has app=web, no label tier and no label v',
  ],
  [
    'NP-011 mixed peers',
    [
      {
        ingress: [
          {
            from: [
              app('api'),
              { podSelector: { matchLabels: { role: 'x' } } },
              { ipBlock: { cidr: '192.168.0.0/16' } },
              { ipBlock: { cidr: '172.16.0.0/12' } },
            ],
          },
        ],
      },
    ],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants app=api, role=x, 192.168.0.0/16 or 172.16.0.0/12, shop/web has app=web and no label role, 10.244.0.2 (shop/web) is in none of these blocks',
  ],
  [
    'many peers',
    [{ ingress: [{ from: [{ ipBlock: { cidr: '192.168.0.0/16' } }, app('a'), app('b'), app('c'), app('d')] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants app=a, app=b, app=c or one of 2 more, shop/web has app=web',
  ],
  [
    'allowed',
    [{ ...db, ingress: [{ from: [app('web')], ports: [tcp(5432)] }] }],
    {},
    'ingress to shop/db is allowed by db-allow-api rule 1 (policies.yaml:36)',
  ],
  ['NP-001 none', [], {}, 'no policy restricts ingress to shop/db'],
  ['NP-027 itself', [{ ...db }], { source: address.db }, 'ingress to shop/db is allowed: a pod always reaches itself'],
  [
    'five policies',
    many(5, (i) => ({ ingress: [{ from: [app(`p${i}`)] }] })),
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31), p1 (policies.yaml:41), p2 (policies.yaml:51) and 2 more; no rule of theirs matched: db-allow-api rule 1 wants app=p0, shop/web has app=web; p1 rule 1 wants app=p1, shop/web has app=web; p2 rule 1 wants app=p2, shop/web has app=web; p3 rule 1 wants app=p3, shop/web has app=web; and 1 more',
  ],
  [
    'one with rules, one without',
    [{ ...db, ingress: [{ from: [app('api')] }] }, {}],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31) and p1 (policies.yaml:41); no rule of theirs matched: db-allow-api rule 1 wants app=api, shop/web has app=web',
  ],
  [
    'ingress only, both types',
    [{ policyTypes: ['Ingress', 'Egress'], ingress: [{}] }],
    { direction: 'egress' },
    'dropped: egress from shop/web is denied by db-allow-api (policies.yaml:31): it has ingress rules only, but its policyTypes include Egress',
  ],
  [
    'any namespace',
    [{ ingress: [{ from: [{ namespaceSelector: {} }] }] }],
    { source: address.outside },
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants any pod in any namespace, 203.0.113.9 is no pod (selectors match pods only; addresses take an ipBlock)',
  ],
  [
    'labels and any namespace',
    [{ ingress: [{ from: [{ ...app('x'), namespaceSelector: {} }] }] }],
    { source: address.ops },
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants app=x in any namespace, ops/api has app=api',
  ],
  [
    'NP-019 named port of no pod',
    [{ policyTypes: ['Egress'], egress: [{ ports: [tcp('http')] }] }],
    { direction: 'egress', destination: address.outside },
    'dropped: egress from shop/web is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 allows any destination, but on TCP port http only; asked was TCP 5432, 203.0.113.9 is no pod, so it has no port named http',
  ],
  [
    'block of pods, egress',
    [{ policyTypes: ['Egress'], egress: [{ to: [{ ipBlock: { cidr: '10.244.0.0/24' } }] }] }],
    { direction: 'egress' },
    'dropped: egress from shop/web is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants 10.244.0.0/24, 10.244.1.2 (shop/db) is not in 10.244.0.0/24',
  ],
  [
    'tcp dns',
    [{ policyTypes: ['Egress'], egress: [{ to: [app('db')], ports: [tcp(5432)] }] }],
    { direction: 'egress', port: 53 },
    'dropped: egress from shop/web is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 allows app=db, but on TCP 5432 only; asked was TCP 53; TCP 53 is DNS: until a rule allows it, shop/web cannot look up names',
  ],
  [
    'NP-016 udp only',
    [{ ingress: [{ ports: [{ protocol: 'UDP', port: 5432 }] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 allows any source, but on UDP 5432 only; asked was TCP 5432',
  ],
  [
    'NP-023 sctp only',
    [{ ingress: [{ ports: [{ protocol: 'SCTP', port: 5432 }] }] }],
    {},
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 allows any source, but on SCTP 5432 only; asked was TCP 5432',
  ],
  [
    'two blocks',
    [{ ingress: [{ from: [{ ipBlock: { cidr: '192.168.0.0/16' } }, { ipBlock: { cidr: '172.16.0.0/12' } }] }] }],
    { source: address.outside },
    'dropped: ingress to shop/db is restricted by db-allow-api (policies.yaml:31); no rule matched: rule 1 wants 192.168.0.0/16 or 172.16.0.0/12, 203.0.113.9 is in none of these blocks',
  ],
  [
    'allowed egress',
    [{ policyTypes: ['Egress'], egress: [{ to: [app('x')] }, {}] }],
    { direction: 'egress' },
    'egress from shop/web is allowed by db-allow-api rule 2 (policies.yaml:37)',
  ],
  [
    'NP-037 no pod',
    [],
    { source: address.outside, direction: 'egress' },
    'no policy restricts egress from 203.0.113.9: it is no pod',
  ],
  [
    'node asked',
    [],
    { source: address.node1, direction: 'egress' },
    'no policy restricts egress from node n1 (172.18.0.2): it is no pod',
  ],
];

test.each(rows)('%s', (_, specs, asked, sentence) => {
  const policies = specs.map((spec, i) => policy(i === 0 ? 'db-allow-api' : `p${i}`, 31 + 10 * i, spec));
  const explanation = explain(worldOf(...policies), { ...question, ...asked });
  expect(explanation.sentence).toBe(sentence);
  expect(explanation.allowed).toBe(!sentence.startsWith('dropped: '));
});
