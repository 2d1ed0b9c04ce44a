/** Every reason that a packet may end for, and one way to make it so. The list is the code's own, so none is forgotten. */
import { describe, expect, test } from 'vitest';
import { ConnectionFlag } from '../../src/conntrack/connections.ts';
import { consumeReasons, Drop, dropReasons } from '../../src/packet/outcome.ts';
import { Way, way } from '../../src/packet/way.ts';
import { Direction } from '../../src/policy/policies.ts';
import type { ServiceSpec } from '../../src/service/service-spec.ts';
import { buildFrame } from '../support/frames.ts';
import { servicesOf, tablesOf } from '../support/services.ts';
import { arp, NEXT_HOP, neighbourMessage, solicitation } from './link-frames.ts';
import { encapsulated, nodes, places, prefix, World, words } from './world.ts';

const SYN = 2;
const { mac } = places.web;
const own = places.web.addresses;

/** A frame of `web`'s with some bytes changed: offset, value. */
function damaged(...changes: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = buildFrame({ sourceMac: mac, source: own[0], destination: '10.244.1.3', flags: SYN, payload: 4 });
  for (const [at, value] of changes) bytes[at] = value;
  return bytes;
}

/** Two Services of one backend, for a protocol without ports: the second flow's replies would be the first one's. */
function exhausted(world: World): string {
  const backends = [{ address: words('10.244.1.3'), port: 0 }];
  const frontend = { address: words('10.96.0.1'), port: 0, protocolWord: (4 << 8) | 50, backends };
  world.dp.services = servicesOf([frontend], 1);
  world.send('web', { protocol: 50, destination: '10.244.1.3' });
  return world.send('web', { protocol: 50, destination: '10.96.0.1' });
}

function full(world: World): string {
  const { capacity } = world.dp.connections;
  for (let i = 0; i < capacity; i++) world.send('web', { protocol: 'udp', sourcePort: 1024 + i });
  world.dp.connections.flags.fill(ConnectionFlag.Assured); // else one of them would make room
  return world.send('web', { protocol: 'udp', sourcePort: 80 });
}

/** A Service 10.96.0.1:80; with a policy of `Local` it has an endpoint, elsewhere. */
function serviceDrop(world: World, port: number, policy: Partial<ServiceSpec>, destination = '10.96.0.1'): string {
  const endpoints = policy.internalLocal === true ? [{ address: '10.244.2.7', port: 8080 }] : [];
  const ports = [{ protocol: 'TCP', frontends: [{ address: '10.96.0.1', port: 80 }], endpoints }] as const;
  world.dp.setServices(tablesOf([{ key: 'default/web', ports, ...policy }], ['10.96.0.0/16']));
  return world.send('web', { destination, destinationPort: port, flags: SYN });
}

/** What ports and the underlay say when they cannot take a frame; the stories only pass it on. */
const said = dropReasons.map(({ name }) => name).filter((name) => /^(Port|Underlay)/.test(name));

function saying(name: string, world: World): string {
  const reason = Drop[name as 'PortBusy'];
  world.ports.api.says = reason;
  world.underlay.says = reason;
  return world.send('web', { destination: name.startsWith('Port') ? '10.244.1.3' : '10.244.2.7', flags: SYN });
}

/** The first of several. With TCP's header, 44 bytes of payload make 64. */
const FRAGMENT = { moreFragments: true, dontFragment: false } as const;
/** What ends a packet that is held is no outcome of a packet at hand: fragments.test.ts, test/links. */
const elsewhere = /^(FragmentTimeout|FragmentEvicted|LinkLoss|LinkQueueFull)$/;
/** Where more than the packet at hand is lost. */
const counts: Readonly<Record<string, number>> = { FragmentOverlap: 2 };

const ndTo = { source: own[1], destination: 'ff02::1' };

const provoked: Readonly<Record<string, (world: World) => string>> = {
  ...Object.fromEntries(said.map((name) => [name, (world: World) => saying(name, world)])),
  FrameTooShort: (world) => world.sendBytes('web', damaged().slice(0, 13)),
  UnsupportedEtherType: (world) => world.send('web', { etherType: 0x88cc }),
  VlanTagged: (world) => world.send('web', { etherType: 0x8100 }),
  BadSourceMac: (world) => world.send('web', { sourceMac: 'ff:ff:ff:ff:ff:ff' }),
  BadIpHeader: (world) => world.sendBytes('web', damaged([14, 0x65])),
  BadIpChecksum: (world) => world.sendBytes('web', damaged([24, 0], [25, 0])),
  SourceRouted: (world) => world.send('web', { ipOptions: [131, 3, 4] }),
  MartianAddress: (world) => world.send('web', { destination: '127.0.0.1' }),
  BadL4Header: (world) => world.sendBytes('web', damaged([46, 0x40])),
  BadL4Checksum: (world) => world.sendBytes('web', damaged([54, 0xff])),
  BadOffload: (world) => world.send('web', { payload: 4000, gsoSize: 1000, checksum: 'complete' }),
  BadFragment: (world) => world.send('web', { ...FRAGMENT, payload: 9 }),
  FragmentOverlap: (world) => {
    world.send('web', { ...FRAGMENT, payload: 44 });
    return world.send('web', { ...FRAGMENT, payload: 44, fragmentOffset: 8 });
  },
  SpoofedMac: (world) => world.send('web', { sourceMac: places.api.mac }),
  SpoofedSource: (world) => world.send('web', { source: '10.244.1.3' }),
  ArpUnknownTarget: (world) => world.sendBytes('web', arp({ sourceMac: mac, sender: own[0], target: '10.244.1.1' })),
  BadArp: (world) => world.sendBytes('web', arp({ sourceMac: mac, sender: own[0], target: '10.0.0.1', operation: 2 })),
  BadNeighbourMessage: (world) => world.send('web', { ...solicitation(own[1], NEXT_HOP), ttl: 64 }),
  NeighbourUnknownTarget: (world) => world.send('web', solicitation(own[1], places.api.addresses[1])),
  ForbiddenNeighbourMessage: (world) => world.send('web', { ...neighbourMessage(134, '::', []), ...ndTo }),
  LinkLocal: (world) => world.send('web', { destination: '169.254.169.254' }),
  Multicast: (world) => world.send('web', { destination: '224.0.0.251', protocol: 'udp' }),
  Invalid: (world) => world.send('web', { flags: 0 }),
  ConntrackFull: full,
  NatExhausted: exhausted,
  NoRoute: (world) => world.send('web', { destination: '8.8.8.8', flags: SYN }),
  NoSuchPod: (world) => world.send('web', { destination: '10.244.1.77', flags: SYN }),
  TtlExceeded: (world) => world.send('web', { ttl: 1, flags: SYN }),
  MtuExceeded: (world) => world.send('web', { payload: 1411, flags: SYN }),
  UnknownEndpoint: (world) => world.tunnelBytes('172.18.0.99', encapsulated('n2')),
  BadVxlan: (world) => world.tunnelBytes(nodes.n2.underlay, encapsulated('n2').fill(0, 0, 1)),
  UnknownVni: (world) => world.tunnelBytes(nodes.n2.underlay, encapsulated('n2').fill(2, 6, 7)),
  WrongTunnelMac: (world) => world.tunnel('n2', { destinationMac: nodes.n3.mac }),
  EcnCongestion: (world) => world.tunnel('n2', { tos: 0 }, 3),
  TunnelLoop: (world) => world.tunnel('n2', { destination: '10.244.3.7', flags: SYN }),
  PolicyDenied: (world) => {
    world.isolate(Direction.Egress, 0);
    return world.send('web', { flags: SYN });
  },
  NoEndpoints: (world) => serviceDrop(world, 80, {}),
  NoLocalEndpoints: (world) => serviceDrop(world, 80, { internalLocal: true }),
  NoServicePort: (world) => serviceDrop(world, 81, {}),
  NoService: (world) => serviceDrop(world, 80, {}, '10.96.0.2'),
  UnsupportedTunnelPayload: (world) => {
    const inner = arp({ sourceMac: nodes.n2.mac, sender: nodes.n2.pod[0], target: own[0] });
    return world.tunnelBytes(nodes.n2.underlay, Uint8Array.of(8, 0, 0, 0, 0, 0, 1, 0, ...inner));
  },
};

const mld = { protocol: 'icmpv6', icmpType: 143, payload: 8, ttl: 1, destination: 'ff02::16' } as const;
const absorbed: Readonly<Record<string, (world: World) => string>> = {
  ArpAnswered: (world) => world.sendBytes('web', arp({ sourceMac: mac, sender: own[0], target: '169.254.1.1' })),
  ArpProbeAbsorbed: (world) => world.sendBytes('web', arp({ sourceMac: mac, sender: '0.0.0.0', target: own[0] })),
  NeighbourAnswered: (world) => world.send('web', solicitation(own[1], NEXT_HOP)),
  NeighbourAbsorbed: (world) => world.send('web', solicitation('::', own[1])),
  RouterSolicitationAbsorbed: (world) => world.send('web', { ...neighbourMessage(133, '::', []), ...ndTo, payload: 0 }),
  MulticastListenerAbsorbed: (world) => world.send('web', mld),
};

describe('every drop reason', () => {
  test('has its provocation here', () => {
    expect(Object.keys(provoked).sort()).toEqual(
      dropReasons.flatMap(({ name }) => (elsewhere.test(name) ? [] : [name])).sort(),
    );
  });

  for (const [name, provoke] of Object.entries(provoked)) {
    test(`${name}: the last packet of the scenario ends so, is counted so, and goes nowhere`, () => {
      const world = new World({ connectionsMax: 8 });
      expect(provoke(world)).toBe(`dropped: ${name}`);
      expect(world.dp.counters.snapshot().dropped).toEqual({ [name]: counts[name] ?? 1 });
      expect(world.dp.flightRecorder.last(1)[0]!.outcome).toBe(Drop[name as 'Invalid']);
      world.balance();
    });
  }
});

describe('every consume reason', () => {
  test('has its provocation here', () => {
    const inFragments = ['Reassembled', 'FragmentRepeated']; // fragments.test.ts
    expect([...Object.keys(absorbed), ...inFragments]).toEqual(consumeReasons.map(({ name }) => name));
  });

  for (const [name, provoke] of Object.entries(absorbed)) {
    test(`${name}: counted so`, () => {
      const world = new World();
      expect(provoke(world)).toBe(`consumed: ${name}`);
      expect(world.dp.counters.snapshot()).toMatchObject({ consumed: { [name]: 1 }, dropped: {} });
      world.balance();
    });
  }
});

test('CT-004 no drop before the way out leaves an entry', () => {
  for (const [name, provoke] of Object.entries(provoked)) {
    const world = new World({ connectionsMax: 8 });
    provoke(world);
    const others: Readonly<Record<string, number>> = { ConntrackFull: 8, NatExhausted: 1 };
    expect(world.dp.connections.count, name).toBe(others[name] ?? (said.includes(name) ? 1 : 0));
  }
});

describe('a way out that is not there', () => {
  const gone: Readonly<Record<string, (world: World) => void>> = {
    'a pod port that is gone': (world) => {
      world.dp.pods[1] = undefined;
    },
    'a pod that never was': (world) => world.route(prefix('10.244.1.3/32', way(Way.Pod, 17))),
    'the host port': (world) => {
      world.dp.host = undefined;
      world.route(prefix('10.244.1.3/32', way(Way.Host, 0)));
    },
    'the underlay': (world) => {
      world.dp.underlay = undefined;
      world.route(prefix('10.244.1.3/32', way(Way.Tunnel, 0)));
    },
    'an endpoint that is not in the list': (world) => world.route(prefix('10.244.1.3/32', way(Way.Tunnel, 9))),
    'the outside, which must not be taken for pod 0': (world) =>
      world.route(prefix('10.244.1.3/32', way(Way.Outside, 0))),
    'no way at all, likewise': (world) => world.route(prefix('10.244.1.3/32', way(Way.None, 0))),
  };
  for (const [name, remove] of Object.entries(gone)) {
    test(`${name}: PortDown`, () => {
      const world = new World();
      remove(world);
      expect(world.send('web', { flags: SYN })).toBe('dropped: PortDown');
      expect(world.taken).toBe(0);
      world.balance();
    });
  }
});
