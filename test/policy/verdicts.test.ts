/** What the tables of policies let through, asked with packets: identities, port sets, and who is never stopped. */
import { describe, expect, test } from 'vitest';
import { places, World } from '../dataplane/world.ts';
import type { FrameSpec, ProtocolName } from '../support/frames.ts';
import { tablesOf } from '../support/services.ts';
import { type PodRules, rules } from './rules.ts';

const SYN = 2;
const WEB = 0;
const API = 1;
const DENIED = 'dropped: PolicyDenied';
const families = [
  { name: 'IPv4', web: '10.244.1.2', api: '10.244.1.3', far: '10.244.2.7', host: 32, net: '10.244.2.0/24' },
  {
    name: 'IPv6',
    web: 'fd00:10:244:1::2',
    api: 'fd00:10:244:1::3',
    far: 'fd00:10:244:2::7',
    host: 128,
    net: 'fd00:10:244:2::/64',
  },
] as const;

function enforcing(identities: Readonly<Record<string, number>>, ...pods: readonly PodRules[]): World {
  const world = new World();
  world.enforce(rules(identities, ...pods));
  return world;
}

for (const { name, web, api, far, host, net } of families) {
  const icmp =
    name === 'IPv4' ? ({ protocol: 'icmp', icmpType: 8 } as const) : ({ protocol: 'icmpv6', icmpType: 128 } as const);

  /** Which of the ports a new flow from web to api gets through to. */
  function open(ports: string, protocol: ProtocolName, asked: readonly number[]): number[] {
    const world = enforcing({ [`${web}/${host}`]: 1 }, { index: API, ingress: { 1: ports } });
    return asked.filter((destinationPort) => {
      return world.send('web', { destination: api, protocol, destinationPort, flags: SYN }) === 'delivered';
    });
  }

  describe(`${name}: ports`, () => {
    test('NP-020 both ends of a range are in it, their neighbours are not', () => {
      expect(open('TCP 80-82', 'tcp', [79, 80, 81, 82, 83])).toEqual([80, 81, 82]);
      expect(open('UDP 1, UDP 65535', 'udp', [1, 2, 65_534, 65_535])).toEqual([1, 65_535]);
    });

    test('NP-009 ranges are ORed, in whatever order they come, also where they touch or overlap', () => {
      const asked = [4, 5, 9, 10, 19, 20, 25, 30, 31, 32, 33, 34, 40, 41];
      expect(open('TCP 30-31, TCP 5-9, TCP 20-30, TCP 32, TCP 6-7, TCP 40', 'tcp', asked)).toEqual([
        5, 9, 20, 25, 30, 31, 32, 40,
      ]);
    });

    test('NP-016, NP-023 a protocol has its own ports', () => {
      const ports = 'SCTP 80, TCP 81, UDP 82';
      expect(open(ports, 'tcp', [80, 81, 82])).toEqual([81]);
      expect(open(ports, 'udp', [80, 81, 82])).toEqual([82]);
      expect(open(ports, 'sctp', [80, 81, 82])).toEqual([80]);
    });

    test('NP-017 all ports of a protocol are those of no other', () => {
      expect(open('TCP *', 'tcp', [1, 80, 65_535])).toEqual([1, 80, 65_535]);
      expect(open('TCP *', 'udp', [1, 80, 65_535])).toEqual([]);
      expect(open('TCP *', 'sctp', [1, 80, 65_535])).toEqual([]);
    });

    test('NP-006 an isolated direction without any rule', () => {
      expect(open('none', 'tcp', [80])).toEqual([]);
    });

    test('NP-007, NP-024 what has no ports passes where every port does, and only there', () => {
      for (const [ports, outcome] of [
        ['all', 'delivered'],
        ['TCP *, UDP *, SCTP *', DENIED],
      ] as const) {
        const world = enforcing({ [`${web}/${host}`]: 1 }, { index: API, ingress: { 1: ports } });
        expect(world.send('web', { destination: api, ...icmp })).toBe(outcome);
        expect(world.send('web', { destination: api, protocol: 47, payload: 20 })).toBe(outcome);
        world.balance();
      }
    });

    test('NP-022 the destination port counts, not the source port', () => {
      const world = enforcing({ [`${web}/${host}`]: 1 }, { index: API, ingress: { 1: 'TCP 80' } });
      const spec = { destination: api, flags: SYN };
      expect(world.send('web', { ...spec, sourcePort: 80, destinationPort: 81 })).toBe(DENIED);
      expect(world.send('web', { ...spec, sourcePort: 81, destinationPort: 80 })).toBe('delivered');
    });
  });

  describe(`${name}: peers`, () => {
    const flow = (destination: string): FrameSpec => ({ destination, destinationPort: 80, flags: SYN });

    test('NP-002 ingress: the row of the client, and no other', () => {
      const world = enforcing(
        { [`${web}/${host}`]: 1, [`${far}/${host}`]: 2 },
        { index: API, ingress: { 2: 'TCP 80' } },
      );
      expect(world.send('web', flow(api))).toBe(DENIED);
      expect(world.tunnel('n2', flow(api))).toBe('delivered');
      world.balance();
    });

    test('NP-002 egress: the row of the server, and no other', () => {
      const world = enforcing(
        { [`${api}/${host}`]: 1, [`${far}/${host}`]: 2 },
        { index: WEB, egress: { 2: 'TCP 80' } },
      );
      expect(world.send('web', flow(api))).toBe(DENIED);
      expect(world.send('web', flow(far))).toBe('delivered');
      world.balance();
    });

    test('NP-003 both sides are asked, each by its own rules', () => {
      const identities = { [`${web}/${host}`]: 1, [`${api}/${host}`]: 2 };
      for (const [egress, ingress, outcome] of [
        ['TCP 80', 'TCP 80', 'delivered'],
        ['TCP 80', 'TCP 81', DENIED],
        ['TCP 81', 'TCP 80', DENIED],
      ] as const) {
        const from = { index: WEB, egress: { 2: egress } };
        const to = { index: API, ingress: { 1: ingress } };
        expect(enforcing(identities, from, to).send('web', flow(api))).toBe(outcome);
      }
    });

    test('NP-015, NP-038 the longest prefix says who it is; pods are in blocks too', () => {
      const world = enforcing({ [net]: 1, [`${far}/${host}`]: 2 }, { index: API, ingress: { 1: 'TCP 80' } });
      const other = far.replace(/7$/, '8');
      expect(world.tunnel('n2', { ...flow(api), source: far })).toBe(DENIED);
      expect(world.tunnel('n2', { ...flow(api), source: other })).toBe('delivered');
      world.balance();
    });

    test('an address that nobody named is of the world', () => {
      const world = enforcing({ [`${far}/${host}`]: 1 }, { index: API, ingress: { 0: 'TCP 80' } });
      expect(world.send('web', flow(api))).toBe('delivered');
      expect(world.tunnel('n2', flow(api))).toBe(DENIED);
    });

    test('a block of the whole of the other family is not the world', () => {
      const all = name === 'IPv4' ? '::/0' : '0.0.0.0/0';
      const world = enforcing({ [all]: 1 }, { index: API, ingress: { 1: 'all' } });
      expect(world.send('web', flow(api))).toBe(DENIED);
      const own = enforcing({ '0.0.0.0/0': 1, '::/0': 1 }, { index: API, ingress: { 1: 'all' } });
      expect(own.send('web', flow(api))).toBe('delivered');
    });

    test('an identity that a ruleset does not know gets nothing', () => {
      const world = enforcing({ [`${web}/${host}`]: 9 }, { index: API, ingress: { 0: 'all', 1: 'all' } });
      expect(world.send('web', flow(api))).toBe(DENIED);
    });
  });

  describe(`${name}: Services`, () => {
    const vip = name === 'IPv4' ? '10.96.0.1' : 'fd00:10:96::1';
    const frontends = [{ address: vip, port: 80 }];
    const serving = (backend: string, identities: Readonly<Record<string, number>>, ...pods: readonly PodRules[]) => {
      const world = enforcing(identities, ...pods);
      const ports = [{ protocol: 'TCP' as const, frontends, endpoints: [{ address: backend, port: 8080 }] }];
      world.dp.setServices(tablesOf([{ key: 'shop/api', ports }]));
      return world;
    };
    const toService = { destination: vip, destinationPort: 80, flags: SYN };

    test('NP-022, NP-031 egress: the backend and its port are judged', () => {
      const allowed = serving(api, { [`${api}/${host}`]: 1 }, { index: WEB, egress: { 1: 'TCP 8080' } });
      expect(allowed.send('web', toService)).toBe('delivered');
      const servicePort = serving(api, { [`${api}/${host}`]: 1 }, { index: WEB, egress: { 1: 'TCP 80' } });
      expect(servicePort.send('web', toService)).toBe(DENIED);
      const block = serving(api, { [`${vip}/${host}`]: 1 }, { index: WEB, egress: { 1: 'all' } });
      expect(block.send('web', toService)).toBe(DENIED);
    });

    test('NP-027 a pod reaches itself through its Service', () => {
      const both = { index: WEB, egress: {}, ingress: {} };
      const world = serving(web, {}, both);
      expect(world.send('web', toService)).toBe('delivered');
      expect(world.send('web', { destination: web, destinationPort: 8080, flags: SYN })).toBe('delivered');
      world.balance();
    });

    test('NP-026 the host reaches its own pods, through their Service too', () => {
      const world = serving(api, {}, { index: API, ingress: {} });
      expect(world.send('host', toService)).toBe('delivered');
      expect(world.send('host', { destination: api, flags: SYN })).toBe('delivered');
      world.balance();
    });
  });

  test(`${name}: NP-026, NP-029 a node's address is its host's only where it comes in by the host's port`, () => {
    const identities = { [name === 'IPv4' ? '172.18.0.2/32' : 'fd00:172:18::2/128']: 1 };
    const world = enforcing(identities, { index: WEB, egress: {}, ingress: {} });
    const own = places.host.addresses.at(name === 'IPv4' ? 0 : -1)!;
    expect(world.send('web', { destination: own, flags: SYN })).toBe('delivered');
    const gateway = name === 'IPv4' ? '10.244.2.1' : 'fd00:10:244:2::1';
    expect(world.tunnel('n2', { source: gateway, destination: web, flags: SYN })).toBe(DENIED);
    world.enforce(rules({ [`${gateway}/${host}`]: 1 }, { index: WEB, ingress: { 1: 'all' } }));
    expect(world.tunnel('n2', { source: gateway, destination: web, flags: SYN })).toBe('delivered');
    world.balance();
  });
}
