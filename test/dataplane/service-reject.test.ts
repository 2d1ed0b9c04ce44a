/** Services that cannot take a connection: who is told so, who is not, and that nothing of it stays. */
import { describe, expect, test } from 'vitest';
import type { EndpointSpec, ServiceSpec } from '../../src/service/service-spec.ts';
import { buildFrame } from '../support/frames.ts';
import { tablesOf } from '../support/services.ts';
import { NODE_MAC, type PlaceName, places, World } from './world.ts';

const SYN = 2;
const protocols = ['TCP', 'UDP', 'SCTP'] as const;
const NETWORKS = ['10.96.0.0/16', 'fd00:10:96::/112'];

function service(endpoints: readonly EndpointSpec[], policies: Partial<ServiceSpec> = {}): ServiceSpec {
  const frontends = ['10.96.0.1', 'fd00:10:96::1'].map((address) => ({ address, port: 80 }));
  const ports = protocols.map((protocol) => ({ protocol, frontends, endpoints }));
  return { key: 'default/web', ports, ...policies };
}

function serving(endpoints: readonly EndpointSpec[], policies: Partial<ServiceSpec> = {}): World {
  const world = new World();
  world.dp.setServices(tablesOf([service(endpoints, policies)], NETWORKS));
  return world;
}

const families = [
  { family: 0, vip: '10.96.0.1', node: '10.244.1.1', type: 3, code: 3, ipLen: 20 },
  { family: 1, vip: 'fd00:10:96::1', node: 'fd00:10:244:1::1', type: 1, code: 4, ipLen: 40 },
] as const;

/** The error is the answer: about the packet as it came in, port unreachable. */
function expectTold(
  world: World,
  place: PlaceName,
  { family, vip, node, type, code, ipLen }: (typeof families)[number],
) {
  const source = places[place].addresses.find((text) => text.includes(':') === (family === 1))!;
  for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
    for (const destinationPort of [80, 81]) {
      const request = { protocol, destination: vip, destinationPort, flags: SYN, payload: 30 } as const;
      const reason = destinationPort === 80 ? 'NoEndpoints' : 'NoServicePort';
      expect(world.send(place, request)).toBe(`dropped: ${reason}`);
      const { bytes, frame } = world.ports[place].last;
      expect(frame).toMatchObject({
        ...{ sourceMac: NODE_MAC, source: node, destination: source },
        ...{ icmpType: type, icmpCode: code, checksum: 'right' },
      });
      const quoted = bytes.slice(14 + ipLen + 8);
      expect(Buffer.from(quoted).equals(buildFrame({ ...request, source }).slice(14))).toBe(true);
    }
  }
  expect(world.errors).toBe(6);
  expect(world.dp.connections.count).toBe(0);
  world.balance();
}

describe('no endpoint anywhere', () => {
  for (const entry of families) {
    for (const place of ['web', 'host'] as const) {
      test(`KP-019, KP-024 ${place} to ${entry.vip}: port unreachable for every protocol, and no entry`, () => {
        expectTold(serving([{ address: '10.244.2.7', port: 80, ready: false }]), place, entry);
      });
    }
  }

  test('KP-019 errors are rationed, as all are', () => {
    const world = serving([]);
    const request = { destination: '10.96.0.1', destinationPort: 80, flags: SYN };
    for (let i = 0; i < 60; i++) expect(world.send('web', request)).toBe('dropped: NoEndpoints');
    expect(world.errors).toBe(50);
    world.nowMs += 1;
    world.send('web', request);
    expect(world.errors).toBe(51);
    world.balance();
  });

  test('KP-024 a cluster IP is told to ping, and no error is answered', () => {
    const world = serving([]);
    expect(world.send('web', { destination: '10.96.0.1', protocol: 'icmp' })).toBe('dropped: NoServicePort');
    expect(world.errors).toBe(1);
    const about = { payload: buildFrame({ source: '10.96.0.1', destination: '10.244.1.2' }).slice(14) };
    world.send('web', { destination: '10.96.0.1', protocol: 'icmp', icmpType: 3, ...about });
    expect(world.errors).toBe(1);
  });
});

describe('silence', () => {
  test('KP-020 endpoints elsewhere, the policy says Local', () => {
    const world = serving([{ address: '10.244.2.7', port: 80 }], { internalLocal: true });
    for (const place of ['web', 'host'] as const) {
      expect(world.send(place, { destination: '10.96.0.1', destinationPort: 80, flags: SYN })).toBe(
        'dropped: NoLocalEndpoints',
      );
    }
    expect(world.errors).toBe(0);
    expect(world.dp.connections.count).toBe(0);
    world.balance();
  });

  test('KP-010 with Local and no endpoint anywhere the client is told', () => {
    const gone = { address: '10.244.2.7', port: 80, ready: false, serving: false, terminating: true };
    const world = serving([gone], { internalLocal: true });
    world.send('web', { destination: '10.96.0.1', destinationPort: 80, flags: SYN });
    expect(world.errors).toBe(1);
  });

  test('KP-025 an address of the Service network that is nobody’s', () => {
    const world = serving([]);
    expect(world.send('web', { destination: '10.96.0.9', flags: SYN })).toBe('dropped: NoService');
    expect(world.send('host', { destination: 'fd00:10:96::9', flags: SYN })).toBe('dropped: NoService');
    expect(world.errors).toBe(0);
    world.balance();
  });
});

describe('flows that are there', () => {
  const here = { address: '10.244.1.3', port: 8080 };

  for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
    test(`KP-023, KP-092 ${protocol}: go on after the last endpoint has left; new ones are refused`, () => {
      const world = serving([here]);
      const request = { protocol, destination: '10.96.0.1', destinationPort: 80, flags: SYN } as const;
      const reply = { protocol, destination: '10.244.1.2', sourcePort: 8080, destinationPort: 40_000 } as const;
      world.send('web', request);
      world.dp.setServices(tablesOf([service([])], NETWORKS));
      world.nowMs += 10;
      expect(world.send('api', { ...reply, flags: 0x12 })).toBe('delivered');
      expect(world.ports.web.last.frame.source).toBe('10.96.0.1');
      expect(world.send('web', { ...request, sourcePort: 40_001 })).toBe('dropped: NoEndpoints');
      world.balance();
    });
  }

  test('KP-095 a UDP client that was refused reaches the endpoint that has come since, from the same port', () => {
    const world = serving([]);
    const request = { protocol: 'udp', destination: '10.96.0.1', destinationPort: 80 } as const;
    expect(world.send('web', request)).toBe('dropped: NoEndpoints');
    world.dp.setServices(tablesOf([service([here])], NETWORKS));
    expect(world.send('web', request)).toBe('delivered');
    expect(world.ports.api.last.frame.destinationPort).toBe(8080);
  });
});
