/** Who is allowed, by which rule, and what is named; sentences are in explain-catalogue.test.ts. */
import type { NetworkPolicyPeer, NetworkPolicySpec } from 'kubernetes-types/networking/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { deniedWords, explain, explainConnection, ruleWords } from '../../src/network-policy/explain.ts';
import type { WorldPolicy } from '../../src/network-policy/policy-world.ts';
import { SimCluster } from '../../src/sim/sim-cluster.ts';
import { address, policy, worldOf } from './explain-world.ts';

const toDb = { source: address.web, destination: address.db, protocol: 'TCP', port: 5432 };
const ingress = { ...toDb, direction: 'ingress' } as const;
const egress = { ...toDb, direction: 'egress' } as const;

function app(name: string): NetworkPolicyPeer {
  return { podSelector: { matchLabels: { app: name } } };
}

function isAllowed(spec: Partial<NetworkPolicySpec>, question = {}): boolean {
  return explain(worldOf(policy('p', 1, spec)), { ...ingress, ...question }).allowed;
}

function from(...peers: NetworkPolicyPeer[]): Partial<NetworkPolicySpec> {
  return { ingress: [{ from: peers }] };
}

describe('an explanation', () => {
  test('NP-001 of a pod that no policy selects: nothing is isolated', () => {
    const others = [
      policy('other-pod', 1, { podSelector: { matchLabels: { app: 'x' } } }),
      policy('other-namespace', 1, {}, 'ops'),
      policy('other-direction', 1, { policyTypes: ['Egress'] }),
    ];
    expect(explain(worldOf(...others), ingress)).toEqual({
      allowed: true,
      isolated: false,
      pod: 'shop/db',
      peer: 'shop/web',
      rule: undefined,
      policies: [],
      sentence: 'no policy restricts ingress to shop/db',
    });
  });

  test('NP-002 of what one of several policies allows: the first rule that matches', () => {
    const rules = { ingress: [{ from: [app('x')] }, { from: [app('web')] }, {}] };
    const { sentence, ...rest } = explain(worldOf(policy('deny', 1, {}), policy('allow', 20, rules)), ingress);
    const reference = { kind: 'NetworkPolicy', namespace: 'shop', file: 'policies.yaml', column: 3 };
    expect(rest).toEqual({
      allowed: true,
      isolated: true,
      pod: 'shop/db',
      peer: 'shop/web',
      rule: { ...reference, name: 'allow', path: 'spec.ingress[1]', line: 26 },
      policies: [
        { ...reference, name: 'deny', path: 'spec.podSelector', line: 1 },
        { ...reference, name: 'allow', path: 'spec.podSelector', line: 20 },
      ],
    });
    expect(sentence).toBe('ingress to shop/db is allowed by allow rule 2 (policies.yaml:26)');
  });

  test('NP-006 of a denial: the policy that came nearest, at its podSelector', () => {
    const found = explain(worldOf(policy('b', 20, {}), policy('a', 1, from(app('x')))), ingress);
    expect(found).toMatchObject({ allowed: false, isolated: true, rule: { name: 'a', path: 'spec.podSelector' } });
    expect(found.rule).toBe(found.policies[0]);
    expect(found.policies).toHaveLength(2);
    expect(deniedWords(found.sentence)).toMatch(/^ingress to shop\/db is restricted/);
    expect(ruleWords(found)).toBe('NetworkPolicy shop/a (policies.yaml:1)');
  });

  test('without a place where nobody knows it, or there is no text', () => {
    for (const placeOf of [() => undefined, () => ({ file: 'object 3', line: 0, column: 0 })]) {
      const placeless: WorldPolicy = { ...policy('p', 1, {}), placeOf };
      const found = explain(worldOf(placeless), ingress);
      expect(found.sentence).toBe('dropped: ingress to shop/db is denied by p: it has no ingress rules');
      expect(found.rule).toEqual({ kind: 'NetworkPolicy', namespace: 'shop', name: 'p', path: 'spec.podSelector' });
      expect(ruleWords(found)).toBe('NetworkPolicy shop/p');
    }
  });

  test('NP-028 of ends that are no pods: not isolated, named by node or address', () => {
    const everything = policy('all', 1, { policyTypes: ['Ingress', 'Egress'] });
    const system = policy('system', 1, { policyTypes: ['Ingress', 'Egress'] }, 'kube-system');
    const world = worldOf(everything, system);
    const node = explain(world, { ...egress, source: address.node1 });
    expect(node).toMatchObject({ allowed: true, isolated: false, pod: undefined, peer: 'shop/db', policies: [] });
    expect(explain(world, { ...ingress, source: address.node1 }).peer).toBe('node n1 (172.18.0.2)');
    expect(explain(world, { ...ingress, source: address.outside }).peer).toBe(address.outside);
  });

  test('NP-026 NP-027 own node and the pod itself pass, and are isolated all the same', () => {
    const world = worldOf(policy('all', 1, { policyTypes: ['Ingress', 'Egress'] }));
    for (const direction of ['ingress', 'egress'] as const) {
      for (const other of [address.node2, address.db, address.db6]) {
        const [source, destination] = direction === 'ingress' ? [other, address.db] : [address.db, other];
        const found = explain(world, { ...toDb, direction, source, destination });
        expect(found).toMatchObject({ allowed: true, isolated: true, rule: undefined, pod: 'shop/db' });
      }
    }
    expect(explain(world, { ...ingress, source: address.node1 }).allowed).toBe(false);
  });
});

describe('of a connection', () => {
  const allowOut = policy('out', 10, { policyTypes: ['Egress'], podSelector: app('web').podSelector!, egress: [{}] });
  const denyOut = policy('no-out', 20, { policyTypes: ['Egress'], podSelector: app('web').podSelector! });
  const allowIn = policy('in', 30, { podSelector: app('db').podSelector!, ingress: [{}] });
  const denyIn = policy('no-in', 40, { podSelector: app('db').podSelector! });
  const ask = (...policies: WorldPolicy[]) => explainConnection(worldOf(...policies), toDb);

  test('NP-003 both sides allow: what lets it in decides', () => {
    const found = ask(allowOut, allowIn);
    expect(found).toMatchObject({ allowed: true, rule: { name: 'in', path: 'spec.ingress[0]' } });
    expect(found.policies.map(({ name }) => name)).toEqual(['out', 'in']);
    expect(found.sentence).toBe(
      'egress from shop/web is allowed by out rule 1 (policies.yaml:15); ' +
        'ingress to shop/db is allowed by in rule 1 (policies.yaml:35)',
    );
  });

  test('only one side has policies', () => {
    expect(ask(allowOut)).toMatchObject({
      allowed: true,
      rule: { name: 'out' },
      sentence: 'egress from shop/web is allowed by out rule 1 (policies.yaml:15)',
    });
    expect(ask()).toMatchObject({
      rule: undefined,
      policies: [],
      sentence: 'no policy restricts egress from shop/web; no policy restricts ingress to shop/db',
    });
  });

  test('NP-072 egress denies first', () => {
    const found = ask(denyIn, denyOut);
    expect(found).toMatchObject({ allowed: false, rule: { name: 'no-out' }, sentence: found.egress.sentence });
    expect(found.policies.map(({ name }) => name)).toEqual(['no-out']);
    expect(found.ingress.allowed).toBe(false);
    expect(ask(allowIn, denyOut)).toMatchObject({
      allowed: false,
      rule: { name: 'no-out' },
      ingress: { allowed: true },
    });
  });

  test('NP-003 ingress denies what egress allows', () => {
    const found = ask(allowOut, denyIn);
    expect(found).toMatchObject({ allowed: false, rule: { name: 'no-in' }, sentence: found.ingress.sentence });
  });
});

describe('peers', () => {
  const ops = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ops' } } };

  test.each<[string, NetworkPolicyPeer[], string, boolean]>([
    ['NP-010 podSelector means pods of the own namespace', [app('api')], address.ops, false],
    ['NP-010 namespaceSelector means all pods of it', [ops], address.ops, true],
    ['NP-010 namespaceSelector means no others', [ops], address.web, false],
    ['NP-010 both: pods that match', [{ ...ops, ...app('api') }], address.ops, true],
    ['NP-010 both: not others there', [{ ...ops, ...app('web') }], address.ops, false],
    ['NP-011 entries are alternatives', [app('x'), ops], address.ops, true],
    ['NP-012 an empty podSelector: all of the namespace', [{ podSelector: {} }], address.web, true],
    ['NP-012 an empty namespaceSelector: all pods', [{ namespaceSelector: {} }], address.ops, true],
    ['NP-028 selectors never match nodes', [{ namespaceSelector: {} }], address.node1, false],
    ['NP-007 an empty list is everybody', [], address.outside, true],
    ['an entry without anything is nobody', [{}], address.web, false],
    ['NP-038 a block holds pods', [{ ipBlock: { cidr: '10.244.0.2/32' } }], address.web, true],
    ['a block ends somewhere', [{ ipBlock: { cidr: '10.244.0.0/31' } }], address.web, false],
    ['a block of no bits', [{ ipBlock: { cidr: '0.0.0.0/0' } }], address.outside, true],
    ['families do not mix', [{ ipBlock: { cidr: '::/0' } }], address.web, false],
    ['families do not mix either way', [{ ipBlock: { cidr: '0.0.0.0/0' } }], address.web6, false],
    ['IPv6 within a word', [{ ipBlock: { cidr: 'fd00:10:244::/56' } }], address.web6, true],
    ['IPv6 past the first words', [{ ipBlock: { cidr: 'fd00:10:244::3/128' } }], address.web6, false],
    ['NP-029 a block holds nodes', [{ ipBlock: { cidr: '172.18.0.0/16' } }], address.node1, true],
    [
      'NP-015 except',
      [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16', '10.244.0.2/32'] } }],
      address.web,
      false,
    ],
    [
      'NP-015 another peer may allow what is excepted',
      [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.244.0.2/32'] } }, app('web')],
      address.web,
      true,
    ],
  ])('%s', (_, peers, source, allowed) => {
    const destination = source.includes(':') ? address.db6 : address.db;
    expect(isAllowed(from(...peers), { source, destination })).toBe(allowed);
  });

  test('however an address is written', () => {
    const written = { source: 'FD00:10:244:0::2', destination: 'fd00:10:244:1:0:0:0:2' };
    expect(isAllowed(from(app('web')), written)).toBe(true);
    expect(isAllowed(from(app('x')), written)).toBe(false);
  });
});

describe('ports', () => {
  const [tcp, udp, sctp] = (['TCP', 'UDP', 'SCTP'] as const).map((protocol) => ({ protocol }));
  const toWeb = { source: address.db, destination: address.web, direction: 'egress' } as const;

  test.each<[string, object, string, number, boolean]>([
    ['NP-016 the one', { ...tcp, port: 80 }, 'TCP', 80, true],
    ['NP-016 TCP unless it says otherwise', { port: 80 }, 'TCP', 80, true],
    ['NP-016 of another protocol', { ...tcp, port: 80 }, 'UDP', 80, false],
    ['NP-017 all of one protocol', { ...udp }, 'UDP', 9, true],
    ['NP-017 none of another', { ...udp }, 'TCP', 9, false],
    ['NP-020 the first', { ...tcp, port: 80, endPort: 90 }, 'TCP', 80, true],
    ['NP-020 the last', { ...tcp, port: 80, endPort: 90 }, 'TCP', 90, true],
    ['NP-020 before', { ...tcp, port: 80, endPort: 90 }, 'TCP', 79, false],
    ['NP-020 behind', { ...tcp, port: 80, endPort: 90 }, 'TCP', 91, false],
    ['NP-018 a name, of the destination', { ...tcp, port: 'sql' }, 'TCP', 5432, true],
    ['NP-018 a name, of another number', { ...tcp, port: 'sql' }, 'TCP', 80, false],
    ['NP-018 a name, not of the source', { ...tcp, port: 'http' }, 'TCP', 80, false],
    ['NP-019 a name, of another protocol', { ...tcp, port: 'stats' }, 'TCP', 8125, false],
    ['NP-023 SCTP', { ...sctp, port: 80 }, 'SCTP', 80, true],
    ['NP-023 SCTP is not TCP', { ...sctp, port: 80 }, 'TCP', 80, false],
    ['NP-024 protocols without ports', { ...tcp }, 'ICMP', 0, false],
  ])('%s', (_, entry, protocol, port, allowed) => {
    expect(isAllowed({ ingress: [{ ports: [entry] }] }, { protocol, port })).toBe(allowed);
    expect(isAllowed({ ingress: [{ ports: [{ ...udp, port: 1 }, entry] }] }, { protocol, port })).toBe(allowed);
  });

  test('NP-018 of egress, names are the peer’s', () => {
    const spec = { policyTypes: ['Egress'], egress: [{ ports: [{ ...tcp, port: 'http' }] }] };
    expect(isAllowed(spec, { ...toWeb, port: 80 })).toBe(true);
    expect(isAllowed(spec, { ...toWeb, destination: address.outside, port: 80 })).toBe(false);
  });

  test('NP-024 rules without ports allow every protocol', () => {
    expect(isAllowed({ ingress: [{}] }, { protocol: 'ICMP', port: 0 })).toBe(true);
    expect(isAllowed({ ingress: [{ ports: [] }] }, { protocol: 'IP protocol 47', port: 0 })).toBe(true);
  });

  test('NP-009 peers and ports of one rule go together', () => {
    const rules = [
      { from: [app('web')], ports: [{ ...tcp, port: 1 }] },
      { from: [app('x')], ports: [{ ...tcp }] },
    ];
    expect(isAllowed({ ingress: rules })).toBe(false);
  });
});

describe('what came nearest', () => {
  const labels = (...names: string[]): NetworkPolicyPeer => {
    return { podSelector: { matchLabels: Object.fromEntries(names.map((name) => [name, 'x'])) } };
  };
  const told = (spec: Partial<NetworkPolicySpec>) => explain(worldOf(policy('p', 1, spec)), ingress).sentence;

  test('is the rule of the right peer, then of the right port, then of the fewest labels', () => {
    const tcp = (port: number) => [{ protocol: 'TCP', port }];
    const rules = [
      { from: [labels('a', 'b', 'c')], ports: tcp(1) },
      { from: [labels('a', 'b')], ports: tcp(1) },
      { from: [labels('a')], ports: tcp(1) },
      { from: [labels('a', 'b')], ports: tcp(5432) },
      { from: [labels('a')], ports: tcp(5432) },
      { from: [app('web')], ports: tcp(1) },
    ];
    const order = [...told({ ingress: rules }).matchAll(/rule (\d) (wants|allows)/g)].map(([, number]) => number);
    expect(order).toEqual(['6', '5', '4', '3']);
    expect(told({ ingress: rules })).toMatch(/; and 2 more$/);
  });

  test('is the policy of that rule; those without rules come last', () => {
    const ports = [{ protocol: 'TCP', port: 5432 }];
    const policies = [
      policy('silent', 1, {}),
      policy('other-port', 20, { ingress: [{ from: [app('api')], ports: [{ protocol: 'TCP', port: 1 }] }] }),
      policy('blocks', 30, { ingress: [{ from: [{ ipBlock: { cidr: '192.168.0.0/16' } }], ports }] }),
      policy('no-port', 40, from(app('api'))),
      policy('this-port', 50, { ingress: [{ from: [app('api')], ports }] }),
    ];
    const found = explain(worldOf(...policies), ingress);
    const names = ['this-port', 'blocks', 'no-port', 'other-port', 'silent'];
    expect(found.policies.map(({ name }) => name)).toEqual(names);
    expect(found.rule).toEqual(found.policies[0]);
  });

  test('is the peer of the fewest labels', () => {
    const peers = [labels('a', 'b', 'c'), labels('d', 'e', 'f'), labels('g', 'h'), labels('i', 'j'), labels('k')];
    expect(told(from(...peers))).toContain('rule 1 wants k=x, g=x and h=x, i=x and j=x or one of 2 more, shop/web has');
  });
});

describe('a node that no host-network pod shows', () => {
  test('NP-026 is told of by the cluster', async () => {
    const cluster = new SimCluster({ nodes: 2 });
    await cluster.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a' },
      spec: { nodeName: 'n2', containers: [] },
    });
    const deny = { podSelector: {}, policyTypes: ['Ingress'] };
    await cluster.apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'deny' },
      spec: deny,
    });
    const told = cluster.plane.policyWorld()!;
    const [, n2] = cluster.topology.nodes;
    expect(told.hosts?.[1]).toEqual({ node: 'n2', addresses: [n2!.underlayAddress, ...n2!.gatewayAddresses] });
    const [destination] = told.pods.find(({ name }) => name === 'a')!.addresses;
    for (const { node, addresses } of told.hosts!) {
      for (const source of addresses) {
        const { allowed } = explain(told, { ...ingress, source, destination: destination! });
        expect(allowed, source).toBe(node === 'n2');
      }
    }
  });

  const world = {
    ...worldOf(policy('all', 1, { policyTypes: ['Ingress', 'Egress'], ingress: [{ from: [app('x')] }] })),
    hosts: [{ node: 'n2', addresses: ['172.18.0.9', '10.244.1.1'] }],
  };

  test('NP-026 is known by its own addresses', () => {
    for (const source of world.hosts[0]!.addresses) {
      expect(explain(world, { ...ingress, source })).toMatchObject({ allowed: true, peer: `node n2 (${source})` });
      const other = explain(world, { ...ingress, source, destination: address.web });
      expect(other.allowed).toBe(false);
      expect(other.sentence).toContain(`${source} is node n2 (selectors never match nodes`);
    }
  });
});

describe('words from outside', () => {
  const long = 'x'.repeat(317);

  test('are cut where nobody would read on', () => {
    const labels = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, 'v'.repeat(63)]));
    const peer = { podSelector: { matchLabels: { [long]: 'y', ...labels } } };
    const { sentence } = explain(worldOf(policy(long, 1, from(peer, peer))), ingress);
    expect(sentence.length).toBeLessThan(1200);
    expect(sentence).toContain(`is restricted by ${'x'.repeat(79)}… (`);
    expect(sentence).toContain(`wants ${'x'.repeat(79)}…=y, k0=${'v'.repeat(63)}, k1=${'v'.repeat(63)} and 7 more,`);
  });

  test('of a path, the end is kept', () => {
    const deep = { ...policy('p', 1, {}), placeOf: () => ({ file: `/${long}/policies.yaml`, line: 3, column: 1 }) };
    expect(explain(worldOf(deep), ingress).sentence).toContain(` (…${'x'.repeat(65)}/policies.yaml:3)`);
  });

  test('steer no terminal, wherever they come from', () => {
    const evil = '\u001b[2J\u202e\n\u2028\u{e0001}';
    const peers = [
      { podSelector: { matchLabels: { [evil]: evil }, matchExpressions: [{ key: evil, operator: 'Exists' }] } },
      { namespaceSelector: { matchExpressions: [{ key: evil, operator: 'In', values: [evil] }] } },
      { ipBlock: { cidr: evil } },
    ];
    const spec = from(...peers);
    spec.ingress![0]!.ports = [{ protocol: evil, port: evil }];
    const world = worldOf({ ...policy(evil, 1, spec), placeOf: () => ({ file: evil, line: 1, column: 1 }) });
    const { pods, namespaces } = world;
    const renamed = {
      ...world,
      pods: pods.map((pod) => (pod.hostNetwork ? { ...pod, node: evil } : { ...pod, labels: { [evil]: 'x' } })),
      namespaces: namespaces.map((namespace) => ({ ...namespace, labels: { [evil]: 'x' } })),
    };
    for (const source of [address.web, address.ops, address.node1, `${evil}`]) {
      for (const protocol of ['TCP', evil]) {
        const found = explain(renamed, { ...ingress, source, protocol });
        expect(found.allowed).toBe(false);
        for (const text of [found.sentence, ruleWords(found)]) expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u);
      }
    }
  });
});
