/** Policies change under live flows: who is judged again, when, by what, and what stays. */
import { describe, expect, test } from 'vitest';
import type { Policies } from '../../src/policy/policies.ts';
import { type PodRules, rules } from '../policy/rules.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { tablesOf } from '../support/services.ts';
import { type PlaceName, places, World } from './world.ts';

const SYN = 2;
const SYN_ACK = 0x12;
const ACK = 0x10;
const WEB = 0;
const API = 1;
const DENIED = 'dropped: PolicyDenied';
const families = [
  { web: '10.244.1.2', api: '10.244.1.3', far: '10.244.2.7', vip: '10.96.0.1', node: '10.244.1.1', bits: 32 },
  {
    ...{ web: 'fd00:10:244:1::2', api: 'fd00:10:244:1::3', far: 'fd00:10:244:2::7' },
    ...{ vip: 'fd00:10:96::1', node: 'fd00:10:244:1::1', bits: 128 },
  },
] as const;

/** How often verdicts were asked of the tables of policies since the last call. */
function countVerdicts(policies: Policies): () => number {
  let asked = 0;
  const { table } = policies;
  const { ruleset } = table;
  table.ruleset = function counted(pod, direction) {
    asked++;
    return ruleset.call(this, pod, direction);
  };
  return () => {
    const count = asked;
    asked = 0;
    return count;
  };
}

for (const { web, api, far, vip, node, bits } of families) {
  const ids = { [`${web}/${bits}`]: 1, [`${api}/${bits}`]: 2, [`${far}/${bits}`]: 3 };
  const enforce = (world: World, ...pods: readonly PodRules[]) => world.enforce(rules(ids, ...pods));
  const family = bits === 32 ? 'IPv4' : 'IPv6';

  /** Sends one packet of a flow from `client`, in its original direction or as the reply. */
  interface Flow {
    readonly there: (spec?: FrameSpec) => string;
    readonly back: (spec?: FrameSpec) => string;
  }
  function flow(world: World, client: PlaceName | 'n2', server: PlaceName | 'n2', common: FrameSpec = {}): Flow {
    const address = (name: PlaceName | 'n2') => {
      if (name === 'n2') return far;
      return places[name].addresses.find((text) => text.includes(':') === (bits === 128))!;
    };
    const send = (from: PlaceName | 'n2', spec: FrameSpec) =>
      from === 'n2' ? world.tunnel('n2', spec) : world.send(from, spec);
    const ports = { sourcePort: 40_000, destinationPort: 8080 };
    const replyPorts = { sourcePort: 8080, destinationPort: 40_000 };
    return {
      there: (spec) => send(client, { destination: address(server), flags: ACK, ...ports, ...common, ...spec }),
      back: (spec) => send(server, { destination: address(client), flags: ACK, ...replyPorts, ...common, ...spec }),
    };
  }
  function established(world: World, client: PlaceName | 'n2', server: PlaceName | 'n2'): Flow {
    const one = flow(world, client, server);
    expect(one.there({ flags: SYN })).toBe('delivered');
    expect(one.back({ flags: SYN_ACK })).toBe('delivered');
    return one;
  }

  describe(`${family}: a flow that is no longer allowed`, () => {
    const ways: readonly (readonly [PlaceName | 'n2', PlaceName | 'n2', PodRules, PodRules])[] = [
      ['web', 'api', { index: API, ingress: { 1: 'TCP 80' } }, { index: API, ingress: { 1: 'TCP 8080' } }],
      ['web', 'api', { index: WEB, egress: { 2: 'TCP 80' } }, { index: WEB, egress: { 2: 'TCP 8080' } }],
      ['web', 'n2', { index: WEB, egress: {} }, { index: WEB, egress: { 3: 'all' } }],
      ['n2', 'web', { index: WEB, ingress: {} }, { index: WEB, ingress: { 3: 'all' } }],
    ];
    for (const [client, server, deny, allow] of ways) {
      const side = deny.egress === undefined ? 'ingress' : 'egress';

      test(`NP-033, NP-064 ${client} to ${server}, ${side}: is cut both ways, and goes on when it may again`, () => {
        const world = new World();
        const one = established(world, client, server);
        enforce(world, deny);
        for (let i = 0; i < 2; i++) {
          expect(one.back()).toBe(DENIED);
          expect(one.there()).toBe(DENIED);
        }
        expect(world.dp.connections.count).toBe(1);
        enforce(world, allow);
        expect(one.there()).toBe('delivered');
        expect(one.back()).toBe('delivered');
        enforce(world, deny);
        expect(one.there()).toBe(DENIED);
        world.enforce({});
        expect(one.back()).toBe('delivered'); // NP-036
        world.balance();
      });
    }

    test('NP-025 is judged in its original direction: what the other way is allowed or denied says nothing', () => {
      const world = new World();
      const one = established(world, 'web', 'api');
      enforce(
        world,
        { index: WEB, egress: { 2: 'all' }, ingress: {} },
        { index: API, egress: {}, ingress: { 1: 'all' } },
      );
      expect([one.back(), one.there()]).toEqual(['delivered', 'delivered']);
      enforce(
        world,
        { index: WEB, egress: {}, ingress: { 2: 'all' } },
        { index: API, egress: { 1: 'all' }, ingress: {} },
      );
      expect([one.back(), one.there()]).toEqual([DENIED, DENIED]);
      world.balance();
    });

    test('NP-033 UDP too', () => {
      const world = new World();
      const one = flow(world, 'web', 'api', { protocol: 'udp' });
      expect([one.there(), one.back()]).toEqual(['delivered', 'delivered']);
      enforce(world, { index: API, ingress: { 1: 'TCP *' } });
      expect([one.there(), one.back()]).toEqual([DENIED, DENIED]);
      enforce(world, { index: API, ingress: { 1: 'TCP *, UDP 8080' } });
      expect([one.there(), one.back()]).toEqual(['delivered', 'delivered']);
      world.balance();
    });

    test('NP-024, NP-033 an ICMP query too', () => {
      const world = new World();
      const [ask, answer] = bits === 32 ? [8, 0] : [128, 129];
      const icmp = { protocol: bits === 32 ? 'icmp' : 'icmpv6', identifier: 7 } as const;
      const one = flow(world, 'web', 'api', icmp);
      const both = () => [one.there({ icmpType: ask }), one.back({ icmpType: answer })];
      expect(both()).toEqual(['delivered', 'delivered']);
      enforce(world, { index: API, ingress: { 1: 'TCP *' } });
      expect(both()).toEqual([DENIED, DENIED]);
      enforce(world, { index: API, ingress: { 1: 'all' } });
      expect(both()).toEqual(['delivered', 'delivered']);
    });

    test('ICMP errors about it are stopped with it', () => {
      const world = new World();
      const one = established(world, 'web', 'api');
      const payload = buildFrame({ source: web, destination: api, flags: ACK }).slice(14);
      const unreachable =
        bits === 32 ? ({ protocol: 'icmp', icmpType: 3 } as const) : ({ protocol: 'icmpv6', icmpType: 1 } as const);
      const error = () =>
        world.send('api', { ...unreachable, destination: web, identifier: 0, icmpSequence: 0, payload });
      enforce(world, { index: API, ingress: { 1: 'TCP 8080' }, egress: {} }, { index: WEB, ingress: {} });
      expect(error()).toBe('delivered');
      enforce(world, { index: API, ingress: {} });
      expect([error(), one.there()]).toEqual([DENIED, DENIED]);
      enforce(world, { index: API, ingress: { 1: 'TCP 8080' } });
      expect(error()).toBe('delivered');
      world.balance();
    });

    test('a denied packet is not counted for its flow', () => {
      const world = new World();
      const one = established(world, 'web', 'api');
      enforce(world, { index: API, ingress: {} });
      one.there();
      one.back();
      expect([0, 1].map((half) => world.dp.connections.packetsOf(half))).toEqual([1, 1]);
    });
  });

  describe(`${family}: labels change`, () => {
    const server = { index: API, ingress: { 1: 'TCP 8080' } };
    const told = (identity: number) => rules({ [`${far}/${bits}`]: identity }, server);

    test('NP-035, NP-066 a client that loses its label is cut off, and let in again with it', () => {
      const world = new World();
      world.enforce(told(1));
      const one = established(world, 'n2', 'api');
      world.enforce(told(2));
      expect([one.there(), one.back()]).toEqual([DENIED, DENIED]);
      world.enforce(told(1));
      expect([one.there(), one.back()]).toEqual(['delivered', 'delivered']);
      world.enforce(rules({}, server)); // its pod is nobody's any more
      expect(one.there()).toBe(DENIED);
      world.balance();
    });

    test('NP-035 a server that loses its label is cut off from who may only reach others', () => {
      const world = new World();
      const egress = (identity: number) =>
        rules({ [`${far}/${bits}`]: identity }, { index: WEB, egress: { 1: 'all' } });
      world.enforce(egress(1));
      const one = established(world, 'web', 'n2');
      world.enforce(egress(2));
      expect([one.there(), one.back()]).toEqual([DENIED, DENIED]);
      world.balance();
    });

    test('NP-068 a server that gets a label is isolated by it', () => {
      const world = new World();
      world.enforce(rules({}, { index: WEB, ingress: {} }));
      const one = established(world, 'n2', 'api');
      world.enforce(rules({}, { index: WEB, ingress: {} }, { index: API, ingress: {} }));
      expect(one.there()).toBe(DENIED);
      world.balance();
    });
  });

  describe(`${family}: translated flows`, () => {
    function serving(...backends: readonly string[]): World {
      const world = new World();
      const endpoints = backends.map((address) => ({ address, port: 8080 }));
      const ports = (['TCP', 'UDP'] as const).map((protocol) => {
        return { protocol, frontends: [{ address: vip, port: 80 }], endpoints };
      });
      world.dp.setServices(tablesOf([{ key: 'shop/api', ports }]));
      return world;
    }
    const request = { destination: vip, destinationPort: 80 };

    test('NP-022, NP-031 the backend is judged again, and stays the same one', () => {
      const world = serving(api, far);
      const ports = Array.from({ length: 8 }, (_, i) => 50_000 + i);
      for (const sourcePort of ports)
        expect(world.send('web', { ...request, sourcePort, flags: SYN })).toBe('delivered');
      const local = world.ports.api.count;
      const remote = world.underlay.count;
      expect(Math.min(local, remote)).toBeGreaterThan(0);
      const again = () =>
        ports.filter((sourcePort) => world.send('web', { ...request, sourcePort, flags: SYN }) === 'delivered');
      enforce(world, { index: WEB, egress: { 2: 'TCP 8080' } });
      expect(again()).toHaveLength(local);
      enforce(world, { index: WEB, egress: { 3: 'TCP 8080' } });
      expect(again()).toHaveLength(remote);
      enforce(world, { index: WEB, egress: { 2: 'TCP 80', 3: 'TCP 80' } });
      expect(again()).toHaveLength(0);
      world.enforce({});
      expect(again()).toHaveLength(ports.length);
      expect(world.ports.api.count).toBe(local * 3);
      expect(world.underlay.count).toBe(remote * 3);
      world.balance();
    });

    test("NP-027 a pod's flow to itself through a Service is its own business", () => {
      const world = serving(web);
      const spec = { ...request, protocol: 'udp' } as const;
      expect(world.send('web', spec)).toBe('delivered');
      enforce(world, { index: WEB, egress: {}, ingress: {} });
      expect(world.send('web', spec)).toBe('delivered');
      expect(world.send('web', { destination: node, protocol: 'udp', sourcePort: 8080, destinationPort: 40_000 })).toBe(
        'delivered',
      );
      world.balance();
    });

    test("NP-026 the host's masqueraded flow to its own pod is not judged", () => {
      const world = serving(api);
      expect(world.send('host', { ...request, flags: SYN })).toBe('delivered');
      enforce(world, { index: API, ingress: {}, egress: {} });
      expect(world.send('host', { ...request, flags: SYN })).toBe('delivered');
      world.balance();
    });

    test('a masqueraded client is judged by its own address where it came in', () => {
      const world = new World();
      const endpoints = [{ address: api, port: 8080 }];
      const frontends = [{ address: vip, port: 80, kind: 'external' as const }];
      world.dp.setServices(tablesOf([{ key: 'shop/api', ports: [{ protocol: 'TCP', frontends, endpoints }] }]));
      const masqueraded = () => world.send('web', { ...request, flags: SYN });
      expect(masqueraded()).toBe('delivered');
      expect(world.ports.api.last.frame.source).toBe(node);
      const told = (who: string) => rules({ [`${who}/${bits}`]: 1 }, { index: API, ingress: { 1: 'TCP 8080' } });
      world.enforce(told(node));
      expect(masqueraded()).toBe(DENIED);
      world.enforce(told(web));
      expect(masqueraded()).toBe('delivered');
      world.balance();
    });
  });

  describe(`${family}: who is judged again`, () => {
    test('nobody, while nothing changes', () => {
      const world = new World();
      enforce(world, { index: API, ingress: { 1: 'all' } });
      const one = flow(world, 'web', 'api');
      expect(one.there({ flags: SYN })).toBe('delivered');
      const verdicts = countVerdicts(world.dp.policies);
      expect([one.back({ flags: SYN_ACK }), one.there()]).toEqual(['delivered', 'delivered']);
      expect(verdicts()).toBe(0);
    });

    test('another pod changes: a flow finds out once that it is not about its own', () => {
      const world = new World();
      const one = established(world, 'web', 'api');
      enforce(world, { index: 5, ingress: {} });
      let asked = 0;
      const { connections } = world.dp;
      const { judgedKey } = connections;
      connections.judgedKey = function counted(connection, to) {
        asked++;
        judgedKey.call(this, connection, to);
      };
      for (let i = 0; i < 3; i++) expect([one.there(), one.back()]).toEqual(['delivered', 'delivered']);
      expect(asked).toBe(1);
    });

    test('a flow of a pod that has changed: once', () => {
      const world = new World();
      const one = established(world, 'web', 'api');
      enforce(world, { index: API, ingress: { 1: 'all' } });
      const verdicts = countVerdicts(world.dp.policies);
      one.back();
      expect(verdicts()).toBeGreaterThan(0);
      one.there();
      one.back();
      expect(verdicts()).toBe(0);
    });

    test('not the flows of pods whose rules are as they were', () => {
      const world = new World();
      const api1 = { index: API, ingress: { 1: 'all' } };
      enforce(world, api1);
      const one = established(world, 'n2', 'web');
      enforce(world, api1, { index: 5, ingress: {} });
      enforce(world, { index: API, ingress: { 1: 'all', 3: 'TCP 80' } });
      const verdicts = countVerdicts(world.dp.policies);
      expect([one.there(), one.back()]).toEqual(['delivered', 'delivered']);
      expect(verdicts()).toBe(0);
      world.balance();
    });

    test('not what only passes between host and tunnel', () => {
      const world = new World();
      const one = established(world, 'host', 'n2');
      enforce(world, { index: WEB, egress: {}, ingress: {} }, { index: API, egress: {}, ingress: {} });
      const verdicts = countVerdicts(world.dp.policies);
      expect([one.there(), one.back()]).toEqual(['delivered', 'delivered']);
      expect(verdicts()).toBe(0);
    });

    test('a change that came before the one at hand, and before the flow was heard of again, counts', () => {
      const world = new World();
      const one = established(world, 'web', 'api');
      enforce(world, { index: API, ingress: {} });
      enforce(world, { index: API, ingress: {} }, { index: 7, ingress: {} });
      expect(one.there()).toBe(DENIED);
      world.balance();
    });

    test('a flow that began under a policy knows that it did', () => {
      const world = new World();
      enforce(world, { index: API, ingress: { 1: 'all' } });
      const one = established(world, 'web', 'api');
      enforce(world, { index: API, ingress: {} });
      expect(one.there()).toBe(DENIED);
    });

    test('an entry that is used again is judged by its own beginning', () => {
      const world = new World({ connectionsMax: 1 });
      const first = flow(world, 'web', 'api', { protocol: 'udp' });
      expect(first.there()).toBe('delivered');
      world.nowMs += 60_000;
      world.dp.connections.expire(world.nowMs, 10);
      const second = flow(world, 'n2', 'api', { protocol: 'udp' });
      expect(second.there()).toBe('delivered');
      enforce(world, { index: WEB, egress: {} });
      expect(second.there()).toBe('delivered');
      enforce(world, { index: WEB, egress: {} }, { index: API, ingress: { 1: 'all' } });
      expect(second.there()).toBe(DENIED);
      world.balance();
    });
  });
}
