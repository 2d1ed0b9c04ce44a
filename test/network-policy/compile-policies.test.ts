/** What is compiled of policies, rule by rule. */
import { describe, expect, test } from 'vitest';
import { at, compiledScene } from './compiled-world.ts';

const app = (name: string) => ({ podSelector: { matchLabels: { app: name } } });
const team = (name: string) => ({ namespaceSelector: { matchLabels: { team: name } } });
const tcp = (port: number | string, endPort?: number) => ({
  protocol: 'TCP',
  port,
  ...(endPort === undefined ? {} : { endPort }),
});

describe('which pods are isolated', () => {
  test('NP-001 a pod that no policy selects for a direction has no rules in it', () => {
    const scene = compiledScene({ ...app('db'), ingress: [] });
    expect([scene.from(at.web), scene.to(at.web, 'shop/db')]).toEqual(['nothing', 'free']);
    expect([scene.from(at.db, 'shop/web'), scene.from(at.db, 'ops/web')]).toEqual(['free', 'free']);
  });

  test('NP-004 an empty podSelector selects all pods of the namespace, and none of another', () => {
    const scene = compiledScene({ podSelector: {}, ingress: [] });
    expect(['shop/web', 'shop/db', 'ops/web'].map((pod) => scene.from(at.outside, pod))).toEqual([
      'nothing',
      'nothing',
      'free',
    ]);
  });

  test('NP-005 only the types that a policy has govern, whatever rules it has', () => {
    const scene = compiledScene({ policyTypes: ['Ingress'], ingress: [{}], egress: [{ ports: [tcp(1)] }] });
    expect([scene.from(at.outside), scene.to(at.outside)]).toEqual(['everything', 'free']);
    const other = compiledScene({ policyTypes: ['Egress'], ingress: [{ ports: [tcp(1)] }], egress: [] });
    expect([other.from(at.outside), other.to(at.outside)]).toEqual(['free', 'nothing']);
  });

  test('NP-006 a type without rules denies all', () => {
    const scene = compiledScene({ policyTypes: ['Ingress', 'Egress'] });
    expect([scene.from(at.web), scene.from(at.outside), scene.to(at.db), scene.to(at.outside)]).toEqual(
      Array(4).fill('nothing'),
    );
  });

  test('NP-028 a pod on its node’s network has no rules, and no selector means it', () => {
    const scene = compiledScene({ ...app('web'), ingress: [{ from: [app('web')] }] });
    expect(scene.from(at.web, 'shop/agent')).toBe('free');
    expect([scene.from(at.web, 'shop/web'), scene.from(at.agent, 'shop/web')]).toEqual(['everything', 'nothing']);
  });
});

describe('what rules allow together', () => {
  test('NP-002 policies add up', () => {
    const scene = compiledScene(
      { ingress: [{ from: [app('web')], ports: [tcp(80)] }] },
      { ...app('db'), ingress: [{ from: [app('web')], ports: [tcp(443)] }] },
      { ingress: [] },
    );
    expect(scene.from(at.web)).toBe('TCP 80-80, TCP 443-443');
    expect(scene.from(at.web, 'shop/web')).toBe('TCP 80-80');
  });

  test('NP-003 egress and ingress are rows of their own', () => {
    const scene = compiledScene({ ingress: [{ ports: [tcp(1)] }] }, { egress: [{ ports: [tcp(2)] }] });
    expect([scene.from(at.web), scene.to(at.web, 'shop/db')]).toEqual(['TCP 1-1', 'TCP 2-2']);
  });

  test.each([{ from: [] }, {}])('NP-007 without peers everybody is meant, also outside: %j', (rule) => {
    const scene = compiledScene({ ingress: [{ ...rule, ports: [tcp(80)] }] });
    for (const peer of [at.web, at.guest, at.agent, at.outside, at.outside6]) {
      expect(scene.from(peer)).toBe('TCP 80-80');
    }
  });

  test.each([{ ports: [] }, {}])('NP-007 without ports every protocol passes: %j', (rule) => {
    const scene = compiledScene({ ingress: [{ from: [app('web')], ...rule }] });
    expect([scene.from(at.web), scene.from(at.outside)]).toEqual(['everything', 'nothing']);
  });

  test('NP-008 an empty rule allows everything, whatever else is there', () => {
    const scene = compiledScene({ ingress: [{}, { from: [app('web')], ports: [tcp(80)] }] });
    expect([scene.from(at.web), scene.from(at.outside)]).toEqual(['everything', 'everything']);
  });

  test('NP-009 in a rule a peer and a port must both match, and one rule is enough', () => {
    const scene = compiledScene({
      ingress: [
        {
          from: [app('web'), { ipBlock: { cidr: '203.0.113.0/24' } }],
          ports: [tcp(80), { protocol: 'UDP', port: 53 }],
        },
        { from: [team('ops')], ports: [tcp(9)] },
      ],
    });
    expect(scene.from(at.web)).toBe('TCP 80-80, UDP 53-53');
    expect(scene.from(at.outside)).toBe('TCP 80-80, UDP 53-53');
    expect([scene.from(at.guest), scene.from(at.db)]).toEqual(['TCP 9-9', 'nothing']);
  });
});

describe('who peers are', () => {
  const who = (...from: object[]) => {
    const scene = compiledScene({ ingress: [{ from }] });
    return Object.entries(at).flatMap(([name, address]) => (scene.from(address) === 'everything' ? [name] : []));
  };

  test('NP-010 pods of the own namespace, all of matching namespaces, or those that match in them', () => {
    expect(who(app('web'))).toEqual(['web', 'web6']);
    expect(who(team('ops'))).toEqual(['guest']);
    expect(who({ ...team('sales'), ...app('web') })).toEqual(['web', 'web6']);
  });

  test('NP-011 two entries are either, one entry with both is both', () => {
    expect(who(app('db'), team('ops'))).toEqual(['db', 'guest']);
    expect(who({ ...app('db'), ...team('ops') })).toEqual([]);
  });

  test('NP-012 an empty selector matches all pods, or all namespaces; never what is no pod', () => {
    expect(who({ podSelector: {} })).toEqual(['web', 'web6', 'db']);
    expect(who({ namespaceSelector: {} })).toEqual(['web', 'web6', 'db', 'guest']);
    expect(who({ namespaceSelector: {}, podSelector: {} })).toEqual(['web', 'web6', 'db', 'guest']);
  });

  test.each([
    ['In', ['web', 'x'], ['web', 'web6', 'guest']],
    ['NotIn', ['web', 'x'], ['db']],
    ['Exists', undefined, ['web', 'web6', 'db', 'guest']],
    ['DoesNotExist', undefined, []],
  ])('NP-013 %s of app, in any namespace', (operator, values, expected) => {
    const matchExpressions = [{ key: 'app', operator, ...(values === undefined ? {} : { values }) }];
    expect(who({ namespaceSelector: {}, podSelector: { matchExpressions } })).toEqual(expected);
  });

  test('NP-013 labels and expressions must all hold; NotIn and DoesNotExist hold without the key', () => {
    const without = { key: 'tier', operator: 'DoesNotExist' };
    const notBack = { key: 'tier', operator: 'NotIn', values: ['back'] };
    const pods = (matchLabels: Record<string, string>, ...matchExpressions: object[]) =>
      who({ podSelector: { matchLabels, matchExpressions } as object });
    expect(pods({ app: 'web' }, without, notBack)).toEqual(['web', 'web6']);
    expect([pods({}, without), pods({}, notBack)]).toEqual(Array(2).fill(['web', 'web6']));
    expect(pods({ app: 'db' }, without)).toEqual([]);
    expect(pods({ app: 'db', tier: 'front' })).toEqual([]);
    expect(pods({ app: 'db', tier: 'back' })).toEqual(['db']);
  });

  test('NP-015 an exception is not meant by its block, and may be meant by another', () => {
    const block = { ipBlock: { cidr: '10.244.0.0/16', except: ['10.244.1.0/24'] } };
    expect(who(block)).toEqual(['web', 'guest']);
    expect(who(block, { ipBlock: { cidr: '10.244.1.2/32' } })).toEqual(['web', 'db', 'guest']);
    expect(who(block, app('db'))).toEqual(['web', 'db', 'guest']);
    const nested = { ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8', '203.0.113.0/24'] } };
    expect(who(nested, { ipBlock: { cidr: '10.244.0.2/31' } })).toEqual(['web', 'guest', 'agent']);
  });

  test('NP-009 NP-038 an address in several blocks is meant by each, also that of a pod', () => {
    const block = (cidr: string, port: number) => ({ from: [{ ipBlock: { cidr } }], ports: [tcp(port)] });
    const scene = compiledScene({
      ingress: [block('10.0.0.0/8', 1), block('10.244.0.0/30', 3), block('0.0.0.0/1', 5)],
    });
    expect([scene.from(at.web), scene.from('10.244.0.1')]).toEqual(Array(2).fill('TCP 1-1, TCP 3-3, TCP 5-5'));
    expect([scene.from(at.db), scene.from('11.0.0.0')]).toEqual(['TCP 1-1, TCP 5-5', 'TCP 5-5']);
  });

  test('NP-029 NP-038 a block means addresses: of pods, of nodes, outside; of its own family', () => {
    expect(who({ ipBlock: { cidr: '0.0.0.0/0' } })).toEqual(['web', 'db', 'guest', 'agent', 'outside']);
    expect(who({ ipBlock: { cidr: '::/0' } })).toEqual(['web6', 'outside6']);
    expect(who({ ipBlock: { cidr: '172.18.0.2/32' } })).toEqual(['agent']);
    expect(who({ ipBlock: { cidr: 'FD00:10:244:0::/64' } })).toEqual(['web6']);
  });
});

test('NP-031 a Service’s address is no pod: selectors do not mean it, a block does', () => {
  const service = '10.96.0.10';
  expect(compiledScene({ egress: [{ to: [{ namespaceSelector: {} }] }] }).to(service)).toBe('nothing');
  expect(compiledScene({ egress: [{ to: [{ ipBlock: { cidr: '10.96.0.0/12' } }] }] }).to(service)).toBe('everything');
});

describe('ports', () => {
  const ports = (...list: object[]) => compiledScene({ ingress: [{ ports: list }] }).from(at.web);

  test('NP-016 a port without protocol is TCP', () => {
    expect(ports({ port: 80 })).toBe('TCP 80-80');
  });

  test('NP-017 without a number, all ports of the protocol and no other protocol', () => {
    expect(ports({ protocol: 'UDP' })).toBe('UDP 0-65535');
    expect(ports({ protocol: 'TCP' }, { protocol: 'UDP' }, { protocol: 'SCTP' })).toBe(
      'TCP 0-65535, UDP 0-65535, SCTP 0-65535',
    );
  });

  test('NP-018 a name is looked up at the pod that is reached: ingress', () => {
    const scene = compiledScene({ ingress: [{ ports: [tcp('http')] }] });
    expect([scene.from(at.outside, 'shop/web'), scene.from(at.outside, 'shop/db')]).toEqual([
      'TCP 80-80',
      'TCP 8080-8080',
    ]);
  });

  test('NP-018 a name is looked up at the pod that is reached: egress', () => {
    const scene = compiledScene({ egress: [{ ports: [tcp('http'), tcp(443)] }] });
    expect(scene.to(at.db)).toBe('TCP 443-443, TCP 8080-8080');
    expect(scene.to(at.web)).toBe('TCP 80-80, TCP 443-443');
    expect([scene.to(at.guest), scene.to(at.outside)]).toEqual(['TCP 443-443', 'TCP 443-443']);
  });

  test('NP-018 a pod that a block means has its names', () => {
    const scene = compiledScene({ egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }], ports: [tcp('http')] }] });
    expect([scene.to(at.db), scene.to('10.9.9.9')]).toEqual(['TCP 8080-8080', 'nothing']);
  });

  test('NP-018 policies that name different ports add up at each peer', () => {
    const scene = compiledScene(
      { egress: [{ to: [app('db')], ports: [tcp('http')] }] },
      { egress: [{ to: [{ podSelector: {} }], ports: [{ protocol: 'UDP', port: 'stats' }] }] },
    );
    expect([scene.to(at.db), scene.to(at.web)]).toEqual(['TCP 8080-8080, UDP 8125-8125', 'nothing']);
  });

  test('NP-019 a name that nobody serves, or with another protocol, matches nothing', () => {
    const list = [tcp('stats'), { protocol: 'UDP', port: 'http' }, tcp('nobody'), { protocol: 'SCTP', port: 'http' }];
    expect(ports(...list)).toBe('nothing');
    expect(compiledScene({ egress: [{ ports: list }] }).to(at.db)).toBe('nothing');
  });

  test('NP-020 a range has both its ends', () => {
    expect(ports(tcp(80, 90))).toBe('TCP 80-90');
    expect(ports(tcp(80, 90), tcp(85, 95), tcp(96), tcp(98))).toBe('TCP 80-96, TCP 98-98');
    expect(ports(tcp(80, 90), { protocol: 'UDP', port: 91 })).toBe('TCP 80-90, UDP 91-91');
  });

  test('NP-023 a policy with SCTP ports isolates for the other protocols', () => {
    const scene = compiledScene({ ingress: [{ ports: [{ protocol: 'SCTP', port: 80 }] }] });
    expect(scene.from(at.web)).toBe('SCTP 80-80');
  });

  test('NP-024 all ports of all protocols with ports is less than everything', () => {
    const all = ['TCP', 'UDP', 'SCTP'].map((protocol) => ({ protocol }));
    const scene = compiledScene({ ingress: [{ from: [app('web')], ports: all }, { from: [app('db')] }] });
    expect([scene.from(at.web), scene.from(at.db)]).toEqual(['TCP 0-65535, UDP 0-65535, SCTP 0-65535', 'everything']);
  });
});
