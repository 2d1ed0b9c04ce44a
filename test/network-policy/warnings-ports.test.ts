import { describe, expect, test } from 'vitest';
import type { WorldPod } from '../../src/network-policy/policy-world.ts';
import { all, app, facts, pod, policy, port, service, told } from './warnings-world.ts';

const cart = pod('shop/cart-1', { app: 'cart' }, { ports: [port('main', 9000)] });
const pg = pod('shop/pg-0', { app: 'pg' }, { ports: [port('sql', 5432)] });
const bare = pod('shop/bare-1', { app: 'bare' });
const plainPorts = pod('shop/plain-1', { app: 'plain' });
const there: readonly WorldPod[] = [...all, cart, pg, bare, plainPorts];
const toPods = { port: 80, protocol: 'TCP', targetPort: 9000 };
const ofCart = service('shop/cart', '10.96.0.20', { app: 'cart' }, toPods);

/** What is told of an ingress rule for pods of an app. */
function server(name: string, ports: readonly object[], services = [ofCart]): string[] {
  const unnamed = new Map([[plainPorts, [7000]]]);
  return told(
    [policy('shop', 'p', { ...app(name), ingress: [{ ports: [...ports] }] })],
    there,
    facts(services, unnamed),
  );
}

/** The same of an egress rule to peers. */
function client(to: readonly object[], ports: readonly object[], services = [ofCart]): string[] {
  const dns = { ports: [{ protocol: 'UDP', port: 53 }] };
  const rule = { to: [...to], ports: [...ports] };
  const spec = { ...app('web'), egress: [rule, dns], policyTypes: ['Egress'] };
  return told([policy('shop', 'p', spec)], there, facts(services));
}

const ofService = (path: string) => `${path}: port 80 is that of Service shop/cart; policies see the pods' port, 9000`;

describe("a Service's port for its pods'", () => {
  test('NP-031 of the selected pods', () => {
    expect(server('cart', [{ port: 1 }, { port: 80 }])).toEqual([ofService('spec.ingress[0].ports[1].port')]);
    expect(server('cart', [{ port: 80, endPort: 80 }])).toHaveLength(1);
  });

  test('NP-031 of peers that are pods, also beside a block', () => {
    const path = 'spec.egress[0].ports[0].port';
    expect(client([app('cart')], [{ port: 80 }])).toEqual([ofService(path)]);
    expect(client([{ namespaceSelector: {}, ...app('cart') }], [{ port: 80 }])).toEqual([ofService(path)]);
    expect(client([app('pg'), { ipBlock: { cidr: '192.0.2.0/24' } }, app('cart')], [{ port: 80 }])).toEqual([
      ofService(path),
    ]);
  });

  test('a number that may be meant', () => {
    expect(client([], [{ port: 80 }])).toEqual([]);
    expect(client([{ ipBlock: { cidr: '0.0.0.0/0' } }], [{ port: 80 }])).toEqual([]);
    expect(client([app('web'), app('cart')], [{ port: 80 }])).toEqual([]);
    expect(server('cart', [{ port: 81 }, { port: 9000 }])).toEqual([]);
    expect(server('cart', [{ port: 1, endPort: 100 }])).toEqual([]);
    expect(server('bare', [{ port: 80 }], [service('shop/bare', '10.96.0.21', { app: 'bare' }, toPods)])).toEqual([]);
    expect(server('cart', [{ protocol: 'UDP', port: 80 }])).toEqual([]);
    expect(server('cart', [{}])).toEqual([]);
  });

  test('a Service of others, or whose endpoints are written by hand', () => {
    expect(server('cart', [{ port: 80 }], [service('shop/cart', '10.96.0.21', {}, toPods)])).toEqual([]);
    expect(server('cart', [{ port: 80 }], [service('shop/cart', '10.96.0.21', { app: 'pg' }, toPods)])).toEqual([]);
    expect(server('cart', [{ port: 80 }], [service('front/cart', '10.96.0.21', { app: 'cart' }, toPods)])).toEqual([]);
    const outside = service('shop/cart', 'None', { app: 'cart' }, toPods);
    const named = { ...outside, spec: { ...outside.spec, type: 'ExternalName' } };
    expect(server('cart', [{ port: 80 }], [named])).toEqual([]);
  });

  test('a rule that lets the port of the pods through as well', () => {
    for (const one of [{ port: 9000 }, { port: 8000, endPort: 9000 }, { protocol: 'TCP' }, { port: 'main' }]) {
      expect(server('cart', [{ port: 80 }, one]), JSON.stringify(one)).toEqual([]);
    }
    for (const one of [
      { port: 9001 },
      { port: 9001, endPort: 9002 },
      { port: 8000, endPort: 8999 },
      { port: 9000, protocol: 'SCTP' },
      { protocol: 'UDP' },
    ]) {
      expect(server('cart', [{ port: 80 }, one]), JSON.stringify(one)).toContain(
        ofService('spec.ingress[0].ports[0].port'),
      );
    }
  });

  test('a target by name is what the pod calls it', () => {
    const byName = (targetPort: string) => [
      service('shop/cart', '10.96.0.20', { app: 'cart' }, { ...toPods, targetPort }),
    ];
    expect(server('cart', [{ port: 80 }], byName('main'))).toEqual([ofService('spec.ingress[0].ports[0].port')]);
    expect(server('cart', [{ port: 80 }], byName('other'))).toEqual([]);
  });

  test('a Service with the same number says that the pods serve it', () => {
    const same = service('shop/same', '10.96.0.22', { app: 'cart' }, { port: 80 });
    expect(server('cart', [{ port: 80 }], [ofCart, same])).toEqual([]);
  });

  test('several Services', () => {
    const other = service('shop/other', '10.96.0.23', { app: 'cart' }, { port: 80, targetPort: 9001 });
    expect(server('cart', [{ port: 80 }], [ofCart, other])).toEqual([
      "spec.ingress[0].ports[0].port: port 80 is that of Services shop/cart and shop/other; policies see the pods' port, 9000 or 9001",
    ]);
    expect(server('cart', [{ port: 80 }, { port: 9001 }], [ofCart, other])).toEqual([
      ofService('spec.ingress[0].ports[0].port'),
    ]);
  });
});

describe('the wrong protocol', () => {
  test('NP-016 of a port that a pod declares', () => {
    expect(server('pg', [{ protocol: 'UDP', port: 5432 }])).toEqual([
      'spec.ingress[0].ports[0].port: shop/pg-0 declares 5432 as TCP, not UDP: write "protocol: TCP"',
    ]);
    const dns = { namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } };
    expect(client([dns], [{ port: 53 }])).toEqual([
      'spec.egress[0].ports[0].port: kube-system/coredns-1 declares 53 as UDP, not TCP: write "protocol: UDP"',
    ]);
    expect(server('plain', [{ protocol: 'SCTP', port: 7000 }])).toEqual([
      expect.stringMatching(/shop\/plain-1 declares 7000 as TCP, not SCTP/),
    ]);
  });

  test('both protocols may be meant', () => {
    expect(server('pg', [{ port: 5432 }, { protocol: 'UDP', port: 5432 }])).toEqual([]);
    expect(server('db', [{ port: 53 }, { protocol: 'UDP', port: 'stats' }])).toEqual([]);
    expect(server('pg', [{ port: 5433 }, { protocol: 'UDP', port: 5432 }])).toHaveLength(1);
    expect(server('pg', [{ protocol: 'UDP', port: 5433 }])).toEqual([]);
  });
});

describe('NP-019 a name that nobody has: what there is', () => {
  const named = (name: string) => server(name, [{ port: 'postgres' }]);

  test('of one pod', () => {
    expect(named('pg')).toEqual([
      'spec.ingress[0].ports[0].port: no selected pod has a TCP port named postgres; shop/pg-0 has sql (5432)',
    ]);
    expect(named('plain')).toEqual([expect.stringMatching(/; shop\/plain-1 has port 7000$/)]);
    expect(named('bare')).toEqual([expect.stringMatching(/ named postgres; none declares any port$/)]);
  });

  test('of pods that declare the same, the first', () => {
    const second = pod('shop/pg-1', { app: 'pg' }, { ports: [port('sql', 5432)] });
    const rule = policy('shop', 'p', { ...app('pg'), ingress: [{ ports: [{ port: 'postgres' }] }] });
    expect(told([rule], [...there, second])).toEqual([expect.stringMatching(/; shop\/pg-0 has sql \(5432\)$/)]);
  });
});
