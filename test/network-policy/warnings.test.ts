import { describe, expect, test } from 'vitest';
import type { WorldPolicy } from '../../src/network-policy/policy-world.ts';
import { policyWarnings } from '../../src/network-policy/warnings.ts';
import { all, api, app, db, facts, namespaces, pod, policy, service, services, told, web } from './warnings-world.ts';

const ingress = (...from: object[]) => policy('shop', 'p', { ...app('db'), ingress: [{ from }] });
const egress = (...to: object[]) =>
  policy('shop', 'p', { ...app('db'), egress: [{ to }, { ports: dnsPorts }], policyTypes: ['Egress'] });
const dnsPorts = [{ protocol: 'UDP', port: 53 }];
const anywhere = { namespaceSelector: {} };

describe('nothing is told', () => {
  const silent: readonly (readonly [string, WorldPolicy])[] = [
    ['of a policy that does what it says', ingress(app('api'))],
    ['of a default deny', policy('shop', 'p', { podSelector: {} })],
    ['of a rule for everybody', policy('shop', 'p', { podSelector: {}, ingress: [{}] })],
    [
      'of namespaces by name',
      ingress({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'front' } } }),
    ],
    ['of both selectors', ingress({ ...anywhere, ...app('edge') })],
    ['of outside addresses', egress({ ipBlock: { cidr: '0.0.0.0/0', except: ['10.244.0.0/16', '10.0.0.0/8'] } })],
    [
      'of a node and a gateway',
      ingress({ ipBlock: { cidr: '172.18.0.0/16' } }, { ipBlock: { cidr: '10.244.0.0/32' } }),
    ],
    ['of all pods by address', ingress({ ipBlock: { cidr: '10.244.0.0/16' } })],
    ['of more than all Services', ingress({ ipBlock: { cidr: '10.0.0.0/8' } })],
    [
      'of a port that one selected pod has',
      policy('shop', 'p', { podSelector: {}, ingress: [{ ports: [{ port: 'postgres' }] }] }),
    ],
    ['of a port by number', policy('shop', 'p', { ...app('db'), ingress: [{ ports: [{ port: 1 }] }] })],
    ['of egress to all', policy('shop', 'p', { podSelector: {}, egress: [{}] })],
  ];
  for (const [name, one] of silent) test(name, () => expect(told([one])).toEqual([]));
});

describe('podSelector of a policy', () => {
  const target = (selector: object) => told([policy('shop', 'p', { podSelector: selector })]);

  test('a misspelt value', () => {
    expect(told([policy('shop', 'p', app('dbb'))])).toEqual([
      'spec.podSelector: podSelector app=dbb matches no pod of shop; nearest: app=db (shop/db-1)',
    ]);
  });

  test('a misspelt key', () => {
    expect(target({ matchLabels: { ap: 'web' } })).toEqual([
      'spec.podSelector: podSelector ap=web matches no pod of shop; nearest: app=web (shop/web-1)',
    ]);
    expect(target({ matchExpressions: [{ key: 'teir', operator: 'Exists' }] })).toEqual([
      'spec.podSelector: podSelector a label teir matches no pod of shop; nearest: tier=back (shop/api-1)',
    ]);
  });

  test('both a little other', () => {
    expect(target({ matchLabels: { Tier: 'bakc' } })[0]).toMatch(/; nearest: tier=back \(shop\/api-1\)$/);
  });

  test('the same value under quite another key', () => {
    expect(target({ matchLabels: { 'app.kubernetes.io/name': 'db' } })[0]).toMatch(/; nearest: app=db \(shop\/db-1\)$/);
  });

  test('what has most of it comes before what is near in spelling', () => {
    expect(target({ matchLabels: { tier: 'back', app: 'wbe' } })[0]).toMatch(/; nearest: app=api \(shop\/api-1\)$/);
    expect(target({ matchLabels: { tier: 'back', app: 'dbb' } })[0]).toMatch(/; nearest: app=db \(shop\/db-1\)$/);
    expect(target({ matchLabels: { tier: 'front', zone: 'a' } })[0]).toMatch(/; nearest: shop\/web-1, without zone$/);
  });

  test('nothing near: what there is', () => {
    expect(target({ matchLabels: { app: 'checkout' } })[0]).toMatch(/; there is app=api, app=db and app=web$/);
    expect(target({ matchLabels: { zone: 'checkout' } })[0]).toMatch(/zone=checkout matches no pod of shop$/);
  });

  test('what no pod lacks', () => {
    expect(target({ matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] })[0]).toMatch(
      /^spec.podSelector: podSelector no label app matches no pod of shop; there is/,
    );
    expect(target({ matchExpressions: [{ key: 'app', operator: 'In', values: ['apy', 'x'] }] })[0]).toMatch(
      /podSelector app in \(apy or x\) matches no pod of shop; nearest: app=api \(shop\/api-1\)$/,
    );
  });

  test('a key that every object of JavaScript has', () => {
    expect(target({ matchLabels: { constructor: 'x' } })[0]).toMatch(/constructor=x matches no pod of shop$/);
  });

  test('a namespace without pods, of which peers say nothing more', () => {
    const spec = { podSelector: {}, ingress: [{ from: [app('web')] }] };
    expect(told([policy('empty', 'p', spec)])).toEqual([
      'spec.podSelector: namespace empty has no pods: nothing is governed',
    ]);
  });

  test("NP-028 a pod on its host's network", () => {
    const other = pod('ops/other-1', { app: 'agent' });
    const words = "matches ops/agent-1 on the host's network: no policy governs that";
    expect(told([policy('ops', 'p', app('agent'))])).toEqual([`spec.podSelector: podSelector app=agent ${words}`]);
    expect(told([policy('ops', 'p', { podSelector: {} })], [...all, other])).toEqual([
      `spec.podSelector: podSelector {} ${words}`,
    ]);
  });
});

describe('peers', () => {
  test('NP-010 a podSelector that means another namespace', () => {
    expect(told([ingress(app('edge'))])).toEqual([
      'spec.ingress[0].from[0].podSelector: podSelector app=edge matches no pod of shop, but front/edge-1 would: without namespaceSelector a peer means its own namespace; add namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: front}}',
    ]);
  });

  test('with namespaceSelector, no pod of other namespaces is spoken of', () => {
    const sales = { namespaceSelector: { matchLabels: { team: 'sales' } } };
    expect(told([ingress({ ...sales, ...app('edge') })])).toEqual([
      'spec.ingress[0].from[0].podSelector: podSelector app=edge matches no pod of shop; there is app=api, app=db and app=web',
    ]);
  });

  test('a misspelt value, at its own place', () => {
    expect(told([ingress(app('api'), app('wbe'))])).toEqual([
      'spec.ingress[0].from[1].podSelector: podSelector app=wbe matches no pod of shop; nearest: app=web (shop/web-1)',
    ]);
    expect(told([egress(app('wbe'))])).toEqual([expect.stringMatching(/^spec\.egress\[0\]\.to\[0\]\.podSelector: /)]);
  });

  test('NP-012 two entries where one was meant', () => {
    const front = { namespaceSelector: { matchLabels: { team: 'web' } } };
    const would = 'podSelector app=edge matches no pod of shop, but front/edge-1 would; to mean';
    const remedy = "pods app=edge in these namespaces, join the two entries: remove the '-' before";
    expect(told([ingress(front, app('edge'))])).toEqual([
      `spec.ingress[0].from[1].podSelector: ${would} ${remedy} podSelector`,
    ]);
    expect(told([egress(app('api'), app('edge'), front)])).toEqual([
      `spec.egress[0].to[1].podSelector: ${would} ${remedy} namespaceSelector`,
    ]);
    const inEmpty = { podSelector: {}, ingress: [{ from: [front, app('edge')] }] };
    expect(told([policy('empty', 'p', inEmpty)])).toHaveLength(2);
  });

  test('two entries that may be meant', () => {
    const front = { namespaceSelector: { matchLabels: { team: 'web' } } };
    expect(told([ingress(front, app('web'))])).toEqual([]);
    const alone = /add namespaceSelector: /;
    expect(told([ingress(front, app('web'), app('edge'))])).toEqual([expect.stringMatching(alone)]);
    expect(told([ingress({ ...front, ...app('edge') }, app('edge'))])).toEqual([expect.stringMatching(alone)]);
    const ops = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } };
    expect(told([ingress(ops, app('edge'))])).toEqual([expect.stringMatching(alone)]);
    // On their hosts' network no selector means them, joined or not.
    const hosts = [...all, pod('ops/other-1', { app: 'other' })];
    const ofOps = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ops' } } };
    expect(told([ingress(ofOps, app('agent'))], hosts)).toEqual([expect.stringMatching(/there is app=api/)]);
  });

  test('namespaces: none with such labels', () => {
    const labels = { matchLabels: { team: 'sale' } };
    expect(told([ingress({ namespaceSelector: labels })])).toEqual([
      'spec.ingress[0].from[0].namespaceSelector: namespaceSelector team=sale matches no namespace; nearest: team=sales (namespace shop)',
    ]);
    const byName = { matchLabels: { 'kubernetes.io/metadata.name': 'frnt' } };
    expect(told([ingress({ namespaceSelector: byName, ...app('edge') })])).toEqual([
      expect.stringMatching(/matches no namespace; nearest: kubernetes\.io\/metadata\.name=front \(namespace front\)$/),
    ]);
  });

  test('namespaces without pods, and without such pods', () => {
    const empty = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'empty' } } };
    expect(told([ingress(empty)])).toEqual([
      'spec.ingress[0].from[0].namespaceSelector: namespaceSelector kubernetes.io/metadata.name=empty matches empty, without any pod',
    ]);
    expect(told([ingress({ ...anywhere, ...app('egde') })])).toEqual([
      'spec.ingress[0].from[0].podSelector: podSelector app=egde matches no pod of shop and 4 more namespaces; nearest: app=edge (front/edge-1)',
    ]);
  });

  test("NP-028 only pods on their hosts' network", () => {
    const words =
      "matches only ops/agent-1 on the host's network, which no selector means; use ipBlock with the node's address";
    expect(told([ingress({ ...anywhere, ...app('agent') })])).toEqual([
      `spec.ingress[0].from[0].podSelector: ${words}`,
    ]);
    const ops = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ops' } } };
    expect(told([ingress(ops)])).toEqual([`spec.ingress[0].from[0].namespaceSelector: ${words}`]);
    // It would not help to name its namespace.
    expect(told([ingress(app('agent'))])).toEqual([
      expect.stringMatching(/app=agent matches no pod of shop; there is/),
    ]);
  });
});

describe('blocks', () => {
  test('NP-031 addresses of Services', () => {
    const block = { ipBlock: { cidr: '10.96.0.7/32' } };
    expect(told([egress(block)])).toEqual([
      'spec.egress[0].to[0].ipBlock: 10.96.0.7/32 has addresses of Service shop/db (pods app=db), translated to those of pods before egress is judged: it matches nothing; select the pods instead',
    ]);
    expect(told([ingress(block)])).toEqual([
      'spec.ingress[0].from[0].ipBlock: 10.96.0.7/32 has addresses of Service shop/db (pods app=db), which no packet comes from: it matches nothing; select the pods instead',
    ]);
    expect(told([egress({ ipBlock: { cidr: '10.96.0.8/32' } })])[0]).toMatch(
      /of Service shop\/outside \(whose endpoints are written by hand\), translated/,
    );
    expect(told([egress({ ipBlock: { cidr: '10.96.0.0/16' } })])[0]).toMatch(
      /of Services shop\/outside \(.*\) and shop\/db \(pods app=db\), translated/,
    );
    expect(told([egress({ ipBlock: { cidr: '10.96.9.0/24' } })])[0]).toMatch(/has addresses of Services, translated/);
  });

  test('NP-031 of many Services, those of other pods first, and how to select them', () => {
    const many = (...names: readonly string[]) =>
      names.map((key, i) => service(key, `10.96.1.${i}`, { app: key.slice(key.indexOf('/') + 1) }));
    const block = { ipBlock: { cidr: '10.96.1.0/24' } };
    const whose = (...names: readonly string[]) =>
      told([egress(block)], all, facts(many(...names)))[0]!.replace(/^.* has addresses of (.*), translated.*$/, '$1');
    expect(whose('shop/db', 'shop/api')).toBe('Services shop/api (pods app=api) and shop/db (pods app=db)');
    expect(whose('shop/db', 'shop/api', 'front/edge')).toBe(
      'Services shop/api (pods app=api), front/edge (pods app=edge in namespace front) and shop/db (pods app=db)',
    );
    expect(whose('shop/db', 'front/db', 'shop/a', 'shop/b', 'shop/c')).toBe(
      'Services front/db (pods app=db in namespace front), shop/a (pods app=a), shop/b (pods app=b) and 2 more',
    );
    expect(whose('shop/db', 'shop/a', 'shop/b', 'shop/c')).toMatch(/shop\/c \(pods app=c\) and 1 more$/);
    const left = { ipBlock: { cidr: '10.96.1.0/24', except: ['10.96.1.0/32'] } };
    expect(told([egress(left)], all, facts(many('shop/api', 'shop/web')))[0]).toMatch(
      / has addresses of Service shop\/web \(pods app=web\), translated/,
    );
  });

  test('addresses of both families', () => {
    const six = service('shop/six', 'fd00:10:96::7', { app: 'api' });
    const told6 = (cidr: string) => told([egress({ ipBlock: { cidr } })], all, facts([six]))[0];
    expect(told6('fd00:10:96::/120')).toMatch(/of Service shop\/six \(pods app=api\)/);
    expect(told6('fd00:10:96::8/125')).toMatch(/has addresses of Services,/);
    expect(told6('10.96.0.0/24')).toMatch(/has addresses of Services,/);
  });

  test('addresses of some pods', () => {
    const [address] = db.addresses;
    expect(told([ingress({ ipBlock: { cidr: `${address}/32` } })])).toEqual([
      `spec.ingress[0].from[0].ipBlock: ${address}/32 has the address of shop/db-1: pods' addresses change; select pods by their labels`,
    ]);
    expect(told([ingress({ ipBlock: { cidr: '10.244.0.0/24' } })])[0]).toMatch(
      /10\.244\.0\.0\/24 has the address of shop\/api-1/,
    );
    expect(told([ingress({ ipBlock: { cidr: '0.0.0.0/0', except: ['1.0.0.0/8', `${address}/32`] } })])[0]).toMatch(
      /^spec\.ingress\[0\]\.from\[0\]\.ipBlock: 10\.244\.0\.\d+\/32 has the address of shop\/db-1/,
    );
    expect(told([ingress({ ipBlock: { cidr: '10.244.9.0/24' } })])).toEqual([]);
  });
});

describe('ports by name', () => {
  const server = (...ports: object[]) => told([policy('shop', 'p', { ...app('db'), ingress: [{ ports }] })]);

  test('NP-019 that no selected pod has', () => {
    expect(server({ port: 'postgres' }, { port: 'postgre' })).toEqual([
      'spec.ingress[0].ports[1].port: no selected pod has a TCP port named postgre; nearest: postgres (shop/db-1, 5432)',
    ]);
    expect(server({ port: 'http' })).toEqual([
      'spec.ingress[0].ports[0].port: no selected pod has a TCP port named http; shop/db-1 has postgres (5432) and stats (53 UDP)',
    ]);
    expect(server({ port: 'stat' })).toEqual([
      'spec.ingress[0].ports[0].port: no selected pod has a TCP port named stat; shop/db-1 has postgres (5432) and stats (53 UDP)',
    ]);
  });

  test('NP-019 that it has for another protocol', () => {
    expect(server({ port: 'stats' })).toEqual([
      'spec.ingress[0].ports[0].port: no selected pod has a TCP port named stats; there it is UDP: write "protocol: UDP"',
    ]);
    expect(server({ port: 'stats', protocol: 'UDP' })).toEqual([]);
  });

  test('NP-018 of egress, those of the peers', () => {
    const client = (...to: object[]) => {
      const rules = [{ ports: dnsPorts }, { to, ports: [{ port: 'metrics' }] }];
      return told([policy('shop', 'p', { podSelector: {}, egress: rules, policyTypes: ['Egress'] })]);
    };
    expect(client(app('api'))).toEqual([]);
    expect(client()).toEqual([]);
    expect(client(app('web'), app('api'))).toEqual([]);
    expect(client({ ipBlock: { cidr: '10.244.0.0/16' } })).toEqual([]);
    const message =
      'spec.egress[1].ports[0].port: no pod of the peers has a TCP port named metrics; shop/web-1 has http (80)';
    expect(client(app('web'))).toEqual([message]);
    expect(client({ ipBlock: { cidr: '10.244.0.0/16', except: ['10.244.0.0/16'] } })).toEqual([]);
    const others = { cidr: '10.244.0.0/16', except: [`${api.addresses[0]}/32`] };
    expect(client({ ipBlock: others })).toEqual([
      expect.stringMatching(/has the address of shop\/api-1/),
      expect.stringMatching(
        /named metrics; shop\/web-1 has http \(80\), shop\/db-1 has .* and kube-system\/coredns-1 has/,
      ),
    ]);
    expect(client(app('nobody'))).toHaveLength(1);
    const anybody = { ...app('db'), egress: [{ ports: [...dnsPorts, { port: 'metrics' }] }], policyTypes: ['Egress'] };
    expect(told([policy('shop', 'p', anybody)])).toEqual([]);
  });
});

describe('rules that count for nothing', () => {
  test('NP-005 a direction that policyTypes does not name', () => {
    const spec = { podSelector: {}, ingress: [{}], egress: [{}] };
    expect(told([policy('shop', 'p', { ...spec, policyTypes: ['Ingress'] })])).toEqual([
      'spec.egress: policyTypes has no Egress, so these rules count for nothing; add it',
    ]);
    expect(told([policy('shop', 'p', { ...spec, policyTypes: ['Egress'] })])).toEqual([
      'spec.ingress: policyTypes has no Ingress, so these rules count for nothing; add it',
    ]);
    expect(told([policy('shop', 'p', { podSelector: {}, policyTypes: ['Ingress'], egress: [] })])).toEqual([]);
  });
});

describe('names', () => {
  const out = (name: string, selector: object, ...egress: object[]) =>
    policy('shop', name, { podSelector: {}, ...selector, egress, policyTypes: ['Egress'] });
  const closed =
    'no policy lets shop/api-1 and 2 more pods reach UDP 53 of kube-dns: names will not resolve; allow egress to namespace kube-system, k8s-app=kube-dns, UDP and TCP 53';
  const toDns = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } };

  test('a namespace that is closed', () => {
    expect(told([policy('shop', 'p', { podSelector: {}, policyTypes: ['Egress'] })])).toEqual([
      `spec.policyTypes: ${closed}`,
    ]);
    expect(told([out('p', {}, { to: [app('api')] })])).toEqual([`spec.egress: ${closed}`]);
  });

  test('rules that do not let them through', () => {
    for (const rule of [
      { to: [toDns], ports: [{ port: 53 }] },
      { to: [toDns], ports: [{ protocol: 'UDP', port: 54 }] },
      { to: [toDns], ports: [{ protocol: 'UDP', port: 'dnss' }] },
      { to: [{ podSelector: {} }], ports: dnsPorts },
      { to: [{ ipBlock: { cidr: '10.96.0.0/16' } }], ports: dnsPorts },
    ]) {
      expect(told([out('p', {}, rule)]), JSON.stringify(rule)).toContain(`spec.egress: ${closed}`);
    }
  });

  test('rules that do', () => {
    for (const rule of [
      { to: [toDns] },
      { ports: dnsPorts },
      { to: [toDns], ports: [{ port: 80 }, { protocol: 'UDP' }] },
      { to: [toDns], ports: [{ protocol: 'UDP', port: 1, endPort: 53 }] },
      { to: [toDns], ports: [{ protocol: 'UDP', port: 'dns' }] },
      { to: [{ ipBlock: { cidr: '10.0.0.0/8' } }], ports: dnsPorts },
    ]) {
      expect(told([out('p', {}, rule)]), JSON.stringify(rule)).toEqual([]);
    }
  });

  test('NP-002 another policy lets them through: of all pods, or of some', () => {
    const deny = out('deny', {});
    expect(told([deny, out('dns', {}, { ports: dnsPorts })])).toEqual([]);
    expect(told([deny, out('dns', app('db'), { ports: dnsPorts })])).toEqual([
      expect.stringMatching(/^spec\.egress: no policy lets shop\/api-1 and 1 more pod reach/),
    ]);
  });

  test('each pod is told of once', () => {
    expect(told([out('one', app('db')), out('two', app('db')), out('three', {})])).toEqual([
      expect.stringMatching(/lets shop\/db-1 reach UDP 53/),
      expect.stringMatching(/lets shop\/api-1 and 1 more pod reach UDP 53/),
    ]);
  });

  test('ingress alone closes no way to names, nor does a cluster without them miss them', () => {
    expect(told([policy('shop', 'p', { podSelector: {} })])).toEqual([]);
    expect(told([out('p', {})], [api, web, db])).toEqual([]);
  });

  test('NP-027 a name server reaches itself', () => {
    expect(told([policy('kube-system', 'p', { podSelector: {}, policyTypes: ['Egress'] })])).toEqual([]);
  });
});

test('only the policies that are meant are looked at, and the others count', () => {
  const wrong = policy('shop', 'wrong', app('dbb'));
  const world = { revision: 1, namespaces, pods: all, policies: [wrong, ingress(app('api'))] };
  expect(policyWarnings(world, facts(services), [world.policies[1]!])).toEqual([]);
  expect(policyWarnings(world, facts(services), [wrong])).toEqual([expect.objectContaining({ policy: wrong })]);
});
