/** Connections that get the node's address as source: which, from what it keeps replies and errors, and what policy sees. */
import { describe, expect, test } from 'vitest';
import { Direction } from '../../src/policy/policies.ts';
import type { FrontendKind, ServiceSpec } from '../../src/service/service-spec.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { tablesOf } from '../support/services.ts';
import { nodes, type PlaceName, places, type Taken, World } from './world.ts';

const SYN = 2;
const SYN_ACK = 0x12;
const protocols = ['TCP', 'UDP', 'SCTP'] as const;
const families = [
  { vip: '10.96.0.1', node: '10.244.1.1', icmp: { protocol: 'icmp', icmpType: 3, icmpCode: 3 }, ipLen: 20 },
  { vip: 'fd00:10:96::1', node: 'fd00:10:244:1::1', icmp: { protocol: 'icmpv6', icmpType: 1, icmpCode: 4 }, ipLen: 40 },
] as const;

function service(address: string, backends: readonly string[], kind: FrontendKind = 'cluster'): ServiceSpec {
  const endpoints = backends.map((backend) => ({ address: backend, port: 8080 }));
  const frontends = [{ address, port: 80, kind }];
  return { key: `default/${address}`, ports: protocols.map((protocol) => ({ protocol, frontends, endpoints })) };
}

function serving(...services: readonly ServiceSpec[]): World {
  const world = new World();
  world.dp.setServices(tablesOf(services));
  return world;
}

function addresses({ frame }: Taken): string {
  return `${frame.source}:${frame.sourcePort} > ${frame.destination}:${frame.destinationPort} ${frame.checksum}`;
}

for (const [family, { vip, node, icmp, ipLen }] of families.entries()) {
  const client = (place: PlaceName) => places[place].addresses.find((text) => text.includes(':') === (family === 1))!;
  const there = nodes.n2.pod[family]!;

  describe(`IPv${family === 0 ? 4 : 6}`, () => {
    for (const name of ['tcp', 'udp', 'sctp'] as const) {
      const request = { protocol: name, destination: vip, destinationPort: 80, flags: SYN, payload: 21 } as const;
      const reply = { protocol: name, destination: node, sourcePort: 8080, flags: SYN_ACK, payload: 22 } as const;

      test(`KP-042 ${name}: the host's connection, backend on another node`, () => {
        const world = serving(service(vip, [there]));
        expect(world.send('host', request)).toBe('delivered');
        expect(addresses(world.underlay.last)).toBe(`${node}:40000 > ${there}:8080 right`);
        expect(world.tunnel('n2', { ...reply, destinationPort: 40_000 })).toBe('delivered');
        expect(addresses(world.ports.host.last)).toBe(`${vip}:80 > ${client('host')}:40000 right`);
        world.balance();
      });

      test(`KP-040 ${name}: a pod that reaches itself`, () => {
        const world = serving(service(vip, [client('web')]));
        expect(world.send('web', request)).toBe('delivered');
        expect(addresses(world.ports.web.last)).toBe(`${node}:40000 > ${client('web')}:8080 right`);
        expect(world.send('web', { ...reply, destinationPort: 40_000 })).toBe('delivered');
        expect(addresses(world.ports.web.last)).toBe(`${vip}:80 > ${client('web')}:40000 right`);
        expect(world.dp.connections.count).toBe(1);
        world.balance();
      });

      test(`CT-075, CT-077 ${name}: an error about it reaches the client about what the client has sent`, () => {
        const world = serving(service(vip, [there]));
        world.send('host', request);
        const sent = { ...request, source: client('host'), sourcePort: 40_000 };
        const quote = buildFrame({ ...sent, source: node, destination: there, destinationPort: 8080 }).slice(14);
        const error = { ...icmp, source: there, destination: node, identifier: 0, icmpSequence: 0, payload: quote };
        expect(world.tunnel('n2', error)).toBe('delivered');
        const { bytes, frame } = world.ports.host.last;
        expect(frame).toMatchObject({ source: vip, destination: client('host'), checksum: 'right' });
        const quoted = bytes.slice(14 + ipLen + 8);
        const want = buildFrame(sent).slice(14);
        const end = name === 'sctp' ? ipLen + 8 : want.length; // a CRC is not translated back
        expect(Buffer.from(quoted.slice(0, end)).equals(want.slice(0, end))).toBe(true);
        world.balance();
      });
    }

    test('KP-045 a pod keeps its address, to a pod of its node and to one of another', () => {
      for (const [backend, at] of [
        [client('api'), 'here'],
        [there, 'there'],
      ] as const) {
        const world = serving(service(vip, [backend]));
        world.send('web', { destination: vip, destinationPort: 80, flags: SYN });
        const last = at === 'here' ? world.ports.api.last : world.underlay.last;
        expect(addresses(last)).toBe(`${client('web')}:40000 > ${backend}:8080 right`);
      }
    });

    test('KP-046, KP-048, KP-049 an external address: the node for all, or for the host only when its policy is Local', () => {
      for (const kind of ['external', 'loadBalancer', 'nodePort'] as const) {
        for (const externalLocal of [false, true]) {
          const world = serving({ ...service(vip, [there], kind), externalLocal });
          for (const place of ['web', 'host'] as const) {
            world.send(place, { destination: vip, destinationPort: 80, flags: SYN, sourcePort: 50_000 });
            const source = externalLocal && place === 'web' ? client('web') : node;
            expect(addresses(world.underlay.last)).toContain(`${source}:50000 > ${there}:8080 right`);
            world.dp.connections.remove(world.pkt.connection);
          }
        }
      }
    });

    test('superframes, translated at both ends, go whole', () => {
      const world = serving(service(vip, [there]));
      const big = { destination: vip, destinationPort: 80, payload: 5000, gsoSize: 1200 };
      world.send('host', { ...big, payload: 0, gsoSize: 0, flags: SYN });
      world.tunnel('n2', { destination: node, sourcePort: 8080, destinationPort: 40_000, flags: SYN_ACK });
      expect(world.send('host', big)).toBe('delivered');
      expect(world.underlay.last).toMatchObject({ gsoSize: 1200 });
      expect(addresses(world.underlay.last)).toBe(`${node}:40000 > ${there}:8080 partial`);
      world.balance();
    });
  });
}

describe('the source port', () => {
  test('CT-067, CT-069 stays; where another client of the node has the same, it moves', () => {
    const world = serving(service('10.96.0.1', ['10.244.1.2', '10.244.1.2']));
    world.randomWord = 5000;
    const request = { destination: '10.96.0.1', destinationPort: 80, flags: SYN, protocol: 'tcp' } as const;
    world.send('web', request);
    expect(addresses(world.ports.web.last)).toBe('10.244.1.1:40000 > 10.244.1.2:8080 right');
    world.send('host', request);
    expect(addresses(world.ports.web.last)).toBe('10.244.1.1:6024 > 10.244.1.2:8080 right');
    const reply = { destination: '10.244.1.1', sourcePort: 8080, flags: SYN_ACK };
    world.send('web', { ...reply, destinationPort: 6024 });
    expect(addresses(world.ports.host.last)).toBe('10.96.0.1:80 > 172.18.0.2:40000 right');
    world.send('web', { ...reply, destinationPort: 40_000 });
    expect(addresses(world.ports.web.last)).toBe('10.96.0.1:80 > 10.244.1.2:40000 right');
    world.balance();
  });
});

describe('policy', () => {
  test('KP-033 sees the client, not the node: what may not come in does not come in by an external address', () => {
    const world = serving(service('192.0.2.1', ['10.244.1.3'], 'external'));
    world.isolate(0, Direction.Ingress);
    const request = { destination: '192.0.2.1', destinationPort: 80, flags: SYN };
    expect(world.send('web', request)).toBe('dropped: PolicyDenied');
    expect(world.send('host', request)).toBe('delivered');
    world.balance();
  });
});

test('KP-036 what is asked of one connection is not done to the next', () => {
  const world = serving(service('10.96.0.1', ['10.244.1.2']));
  const hairpin: FrameSpec = { destination: '10.96.0.1', destinationPort: 80, flags: SYN };
  world.send('web', hairpin);
  world.send('web', { destination: '10.244.1.3', flags: SYN });
  expect(world.ports.api.last.frame.source).toBe('10.244.1.2');
  world.send('web', { ...hairpin, sourcePort: 40_001 });
  world.tunnel('n2', { destination: '10.244.1.3', flags: SYN });
  expect(world.ports.api.last.frame.source).toBe('10.244.2.7');
});

test('an error that the node itself sends about a masqueraded connection quotes what the client has sent', () => {
  const world = serving(service('10.96.0.1', ['10.244.2.7']));
  const request = { protocol: 'udp', destination: '10.96.0.1', destinationPort: 80 } as const;
  world.send('host', request);
  for (const sourcePort of [40_000, 40_001]) {
    const long = { ...request, sourcePort, payload: 1440, dontFragment: true };
    expect(world.send('host', long)).toBe('dropped: MtuExceeded');
    const { bytes, frame } = world.ports.host.last;
    expect(frame).toMatchObject({ source: '10.244.1.1', icmpType: 3, icmpCode: 4, checksum: 'right' });
    const want = buildFrame({ ...long, source: '172.18.0.2' }).slice(14);
    const quoted = bytes.slice(42);
    expect(Buffer.from(quoted).equals(want.slice(0, quoted.length))).toBe(true);
  }
  world.balance();
});
