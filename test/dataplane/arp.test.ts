/** A pod has one neighbour, 169.254.1.1, and the node is it. */
import { describe, expect, test } from 'vitest';
import { buildFrame } from '../support/frames.ts';
import { arp, macBytes } from './link-frames.ts';
import { NODE_MAC, places, World } from './world.ts';

const { mac } = places.web;
const own = places.web.addresses[0];
const ask = { sourceMac: mac, sender: own, target: '169.254.1.1' } as const;

describe('a request for 169.254.1.1', () => {
  for (const name of ['web', 'host'] as const) {
    test(`from ${name} is answered on its own port with the node's MAC, and nowhere else`, () => {
      const world = new World();
      const { mac: asker, addresses } = places[name];
      const request = arp({ sourceMac: asker, sender: addresses[0], target: '169.254.1.1', padding: 18 });
      expect(world.sendBytes(name, request)).toBe('consumed: ArpAnswered');
      const answer = arp({
        ...{ sourceMac: NODE_MAC, destinationMac: asker, operation: 2, sender: '169.254.1.1' },
        ...{ target: addresses[0], targetMac: asker },
      });
      expect(world.ports[name].last.bytes).toEqual(answer);
      expect(world.taken).toBe(1);
      expect(world.dp.counters.snapshot()).toMatchObject({ received: 1, originated: 1, delivered: 1 });
      world.balance();
    });
  }

  test('also as a unicast question (a kernel that checks an old entry)', () => {
    const world = new World();
    expect(world.sendBytes('web', arp({ ...ask, destinationMac: NODE_MAC }))).toBe('consumed: ArpAnswered');
    world.balance();
  });

  test('an answer that the pod does not take is a drop of ours, and the request is still consumed', () => {
    const world = new World();
    world.ports.web.says = -35;
    expect(world.sendBytes('web', arp(ask))).toBe('consumed: ArpAnswered');
    const { originated, delivered, dropped } = world.dp.counters.snapshot();
    expect({ originated, delivered, dropped }).toEqual({ originated: 1, delivered: 0, dropped: { PortBusy: 1 } });
    world.balance();
  });

  test('makes no connection', () => {
    const world = new World();
    world.sendBytes('web', arp(ask));
    expect(world.dp.connections.count).toBe(0);
  });
});

describe('what kernels say by themselves is absorbed', () => {
  const cases = [
    { name: 'probe for the own address (RFC 5227)', spec: { sender: '0.0.0.0', target: own } },
    { name: 'announcement of the own address', spec: { sender: own, target: own } },
    { name: 'announcement as a reply', spec: { sender: own, target: own, operation: 2 } },
  ] as const;
  for (const { name, spec } of cases) {
    test(name, () => {
      const world = new World();
      expect(world.sendBytes('web', arp({ sourceMac: mac, ...spec }))).toBe('consumed: ArpProbeAbsorbed');
      expect(world.taken).toBe(0);
      world.balance();
    });
  }
});

describe('everything else is dropped by name', () => {
  for (const target of ['10.244.1.1', '10.244.1.3', '169.254.1.2', '169.254.0.1', '1.1.254.169', '8.8.8.8']) {
    test(`a request for ${target}`, () => {
      const world = new World();
      expect(world.sendBytes('web', arp({ ...ask, target }))).toBe('dropped: ArpUnknownTarget');
      expect(world.taken).toBe(0);
      world.balance();
    });
  }

  const bad = [
    { name: 'a reply that nobody asked for', spec: { operation: 2 } },
    { name: 'an unknown operation', spec: { operation: 3 } },
    { name: 'operation 0', spec: { operation: 0 } },
    { name: 'another hardware type', spec: { hardwareType: 6 } },
    { name: 'another protocol', spec: { protocolType: 0x86dd } },
    { name: 'wrong lengths', spec: { lengths: [8, 4] } },
    { name: 'wrong address length', spec: { lengths: [6, 16] } },
  ] as const;
  for (const { name, spec } of bad) {
    test(name, () => {
      const world = new World();
      expect(world.sendBytes('web', arp({ ...ask, ...spec }))).toBe('dropped: BadArp');
      world.balance();
    });
  }

  test('cut short, at every length', () => {
    const world = new World();
    const whole = arp(ask);
    for (let length = 0; length < whole.length; length++) {
      const want = length < 14 ? 'dropped: FrameTooShort' : 'dropped: BadArp';
      expect(world.sendBytes('web', whole.slice(0, length)), `${length} bytes`).toBe(want);
    }
    world.balance();
  });

  test('from another MAC', () => {
    const world = new World();
    const request = arp({ ...ask, sourceMac: places.api.mac });
    expect(world.sendBytes('web', request)).toBe('dropped: SpoofedMac');
    world.balance();
  });

  test('through a tunnel', () => {
    const world = new World();
    const inner = arp({ sourceMac: '02:70:00:00:00:02', sender: '10.244.2.7', target: '169.254.1.1' });
    const bytes = Uint8Array.of(8, 0, 0, 0, 0, 0, 1, 0, ...inner);
    expect(world.tunnelBytes('172.18.0.3', bytes)).toBe('dropped: UnsupportedTunnelPayload');
    world.balance();
  });
});

describe('IPv4 that stays on the link', () => {
  const cases = [
    {
      name: 'IGMP report',
      spec: { destination: '224.0.0.22', protocol: 2, payload: 8 },
      want: 'consumed: MulticastListenerAbsorbed',
    },
    { name: 'mDNS', spec: { destination: '224.0.0.251', protocol: 'udp' }, want: 'dropped: Multicast' },
    { name: 'broadcast', spec: { destination: '255.255.255.255', protocol: 'udp' }, want: 'dropped: Multicast' },
    { name: 'the next hop itself', spec: { destination: '169.254.1.1', protocol: 'icmp' }, want: 'dropped: LinkLocal' },
    { name: 'a metadata service', spec: { destination: '169.254.169.254' }, want: 'dropped: LinkLocal' },
    {
      name: 'a link-local source',
      spec: { source: '169.254.7.7', destination: '10.244.1.3' },
      want: 'dropped: LinkLocal',
    },
  ] as const;
  for (const { name, spec, want } of cases) {
    test(`${name}: ${want}`, () => {
      const world = new World();
      expect(world.send('web', spec)).toBe(want);
      expect(world.taken).toBe(0);
      world.balance();
    });
  }
});

test('the frame that asks may be of any kernel: a VLAN tag is none of them', () => {
  const world = new World();
  const tagged = buildFrame({ sourceMac: mac, etherType: 0x8100 });
  expect(tagged.slice(6, 12)).toEqual(Uint8Array.from(macBytes(mac)));
  expect(world.sendBytes('web', tagged)).toBe('dropped: VlanTagged');
  world.balance();
});
