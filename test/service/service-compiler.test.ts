/** Changes of what a node is told, and what packets then see. */
import { describe, expect, test } from 'vitest';
import { buffersOf, compileUpdate } from '../../src/nodes/compile-update.ts';
import { protocolWord } from '../../src/packet/flow-key.ts';
import { PolicyCompiler } from '../../src/policy/policy-compiler.ts';
import { ServiceCompiler } from '../../src/service/service-compiler.ts';
import type { EndpointSpec, ServiceSpec, ServicesUpdate } from '../../src/service/service-spec.ts';
import { BACKEND_WORDS, Frontend, List, ServiceTable } from '../../src/service/service-table.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { words } from '../dataplane/world.ts';

const numbers = { TCP: 6, UDP: 17, SCTP: 132 } as const;

interface Lookup {
  readonly protocol?: keyof typeof numbers;
  readonly word?: number;
}

/** The backends that a frontend has, or undefined when there is no such frontend. */
function backends(table: ServiceTable, address: string, port: number, lookup: Lookup = {}): string[] | undefined {
  const { protocol = 'TCP', word = Frontend.Inside } = lookup;
  const version = address.includes(':') ? 6 : 4;
  const key = Int32Array.of(0, 0, 0, 0, ...words(address), port, protocolWord(version, numbers[protocol]));
  const frontend = table.find(key, 0);
  if (frontend < 0) return undefined;
  const list = table.frontend(frontend, word);
  const first = table.list(list, List.First);
  return Array.from({ length: table.list(list, List.Count) }, (_, i) => {
    const at = (first + i) * BACKEND_WORDS;
    return `${formatAddress(table.backends, at)}/${table.backends[at + 4]}`;
  });
}

function service(name: string, address: string, ...endpoints: readonly string[]): ServiceSpec {
  const list = endpoints.map((text): EndpointSpec => ({ address: text, port: 8080 }));
  return {
    key: `default/${name}`,
    ports: [{ protocol: 'TCP', frontends: [{ address, port: 80 }], endpoints: list }],
  };
}

class Node {
  readonly compiler = new ServiceCompiler(7);

  apply(update: Partial<ServicesUpdate>): ServiceTable {
    return new ServiceTable(this.compiler.compile({ set: [], remove: [], ...update }));
  }
}

describe('a change', () => {
  test('adds, replaces and removes by key; the others stay', () => {
    const node = new Node();
    node.apply({ set: [service('a', '10.96.0.1', '10.244.1.1'), service('b', '10.96.0.2', '10.244.1.2')] });
    const after = node.apply({ set: [service('a', '10.96.0.3', '10.244.1.3')], remove: ['default/b', 'default/x'] });
    expect(backends(after, '10.96.0.1', 80)).toBeUndefined();
    expect(backends(after, '10.96.0.2', 80)).toBeUndefined();
    expect(backends(after, '10.96.0.3', 80)).toEqual(['10.244.1.3/8080']);
    const more = node.apply({ set: [service('c', '10.96.0.4', '10.244.1.4')] });
    expect(backends(more, '10.96.0.3', 80)).toEqual(['10.244.1.3/8080']);
  });

  test('of everything: what is not told is gone', () => {
    const node = new Node();
    node.apply({ set: [service('a', '10.96.0.1', '10.244.1.1')] });
    const after = node.apply({ replaceAll: true, set: [service('b', '10.96.0.2', '10.244.1.2')] });
    expect(backends(after, '10.96.0.1', 80)).toBeUndefined();
    expect(backends(after, '10.96.0.2', 80)).toEqual(['10.244.1.2/8080']);
  });

  test('that cannot be compiled changes nothing', () => {
    const node = new Node();
    node.apply({ set: [service('a', '10.96.0.1', '10.244.1.1')] });
    const bad = [service('b', '10.96.0.2', '10.244.1.2'), service('c', '10.96.0', '10.244.1.2')];
    expect(() => node.apply({ set: bad, remove: ['default/a'] })).toThrow('not an address: 10.96.0');
    expect(() => node.apply({ networks: ['10.96.0.0'] })).toThrow('not a network: 10.96.0.0');
    const after = node.apply({});
    expect(backends(after, '10.96.0.1', 80)).toEqual(['10.244.1.1/8080']);
    expect(backends(after, '10.96.0.2', 80)).toBeUndefined();
  });

  test('networks stay until they are told anew', () => {
    const node = new Node();
    const key = Int32Array.of(0, 0, 0, 0, ...words('10.96.7.7'));
    expect(node.apply({ networks: ['10.96.0.0/16'] }).inNetwork(key, 0)).toBe(true);
    expect(node.apply({}).inNetwork(key, 0)).toBe(true);
    expect(node.apply({ networks: [] }).inNetwork(key, 0)).toBe(false);
  });

  test('two Services with one address and port: the first keeps it, until it is gone', () => {
    const node = new Node();
    node.apply({ set: [service('a', '10.96.0.1', '10.244.1.1')] });
    const both = node.apply({ set: [service('b', '10.96.0.1', '10.244.1.2')] });
    expect(backends(both, '10.96.0.1', 80)).toEqual(['10.244.1.1/8080']);
    expect(backends(node.apply({ remove: ['default/a'] }), '10.96.0.1', 80)).toEqual(['10.244.1.2/8080']);
  });
});

describe('one Service', () => {
  const endpoints: readonly EndpointSpec[] = [
    { address: '10.244.1.1', port: 53, local: true },
    { address: '10.244.2.1', port: 53 },
    { address: 'fd00:10:244:2::1', port: 53 },
    { address: '10.244.2.2', port: 53, ready: false, serving: true, terminating: true },
    { address: '10.244.2.3', port: 53, ready: false },
  ];
  const frontends = [
    { address: '10.96.0.10', port: 53 },
    { address: 'fd00:10:96::a', port: 53 },
    { address: '192.0.2.10', port: 5353, kind: 'external' },
  ] as const;

  function compiled(policies: Partial<ServiceSpec>, protocol: keyof typeof numbers = 'UDP'): ServiceTable {
    return new Node().apply({
      set: [{ key: 'default/dns', ports: [{ protocol, frontends, endpoints }], ...policies }],
    });
  }

  test('KP-017 a frontend has the endpoints of its own family', () => {
    const table = compiled({});
    const protocol = 'UDP';
    expect(backends(table, '10.96.0.10', 53, { protocol })).toEqual(['10.244.1.1/53', '10.244.2.1/53']);
    expect(backends(table, 'fd00:10:96::a', 53, { protocol })).toEqual(['fd00:10:244:2::1/53']);
    expect(backends(table, '10.96.0.10', 53, { protocol: 'TCP' })).toBeUndefined();
  });

  test('KP-002 endpoints that come twice count once; the same address with another port is another', () => {
    const twice = [...endpoints, endpoints[1]!, { address: '10.244.2.1', port: 54 }];
    const ports = [{ protocol: 'TCP', frontends, endpoints: twice }] as const;
    const table = new Node().apply({ set: [{ key: 'default/dns', ports }] });
    expect(backends(table, '10.96.0.10', 53)).toEqual(['10.244.1.1/53', '10.244.2.1/53', '10.244.2.1/54']);
  });

  test('KP-011, KP-088 the internal policy is for cluster IPs, the external one for what comes from outside', () => {
    const all = ['10.244.1.1/53', '10.244.2.1/53'];
    const local = ['10.244.1.1/53'];
    const seen = (policies: Partial<ServiceSpec>) => {
      const table = compiled(policies, 'TCP');
      return [Frontend.Inside, Frontend.Outside].flatMap((word) =>
        (['10.96.0.10/53', '192.0.2.10/5353'] as const).map((text) => {
          const [address, port] = text.split('/');
          return backends(table, address!, Number(port), { word });
        }),
      );
    };
    // From inside to the cluster IP and to the external one, then both from outside.
    expect(seen({})).toEqual([all, all, all, all]);
    expect(seen({ internalLocal: true })).toEqual([local, all, local, all]);
    expect(seen({ externalLocal: true })).toEqual([all, all, all, local]);
    expect(seen({ internalLocal: true, externalLocal: true })).toEqual([local, all, local, local]);
  });

  test('KP-090 those that serve are known for UDP, also those that get no new connections', () => {
    const serving = ['10.244.1.1/53', '10.244.2.1/53', '10.244.2.2/53'];
    const lookup = { protocol: 'UDP', word: Frontend.Serving } as const;
    expect(backends(compiled({ internalLocal: true }), '10.96.0.10', 53, lookup)).toEqual(serving);
    expect(backends(compiled({ internalLocal: true }), '192.0.2.10', 5353, lookup)).toEqual(serving);
  });
});

test('tables reach the other thread without a copy', () => {
  const { compiler } = new Node();
  const data = compiler.compile({
    set: [service('a', '10.96.0.1', '10.244.1.1')],
    remove: [],
    networks: ['10.96.0.0/16'],
  });
  const buffers = buffersOf({
    ...compileUpdate({ version: 1 }, { services: compiler, policies: new PolicyCompiler() }),
    services: data,
  });
  const table = new ServiceTable(structuredClone(data, { transfer: buffers }));
  expect(data.backends).toHaveLength(0);
  expect(data.words).toHaveLength(0);
  expect(data.heads).toHaveLength(0);
  expect(backends(table, '10.96.0.1', 80)).toEqual(['10.244.1.1/8080']);
});

test('a change of one of 10,000 Services changes that one', () => {
  const node = new Node();
  const address = (i: number) => `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
  const many = Array.from({ length: 10_000 }, (_, i) => service(`s${i}`, address(i), `10.244.1.${i & 127}`));
  node.apply({ replaceAll: true, set: many });
  const table = node.apply({ set: [service('s77', address(77), '10.244.9.1')] });
  const seen = many.map((_, i) => backends(table, address(i), 80));
  expect(seen).toEqual(many.map((_, i) => [`${i === 77 ? '10.244.9.1' : `10.244.1.${i & 127}`}/8080`]));
});
