/** What captures tell of every kind of packet: what came in as it came, what left as it left, and what became of it. */
import { describe, expect, test } from 'vitest';
import { Verdicts } from '../../src/dataplane/capture.ts';
import { expire } from '../../src/dataplane/receive.ts';
import { Drop } from '../../src/packet/outcome.ts';
import { slowFragments } from '../oracle/slow-fragments.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { parseFrame } from '../support/read-frame.ts';
import { API, CapturedWorld, HOST, judge, N2, N3, type Seen, UNDERLAY, WEB } from './captured-world.ts';
import { arp, NEXT_HOP, solicitation } from './link-frames.ts';
import { encapsulated, NODE_MAC, nodes, type PlaceName, places, type World } from './world.ts';

const hopOf: Record<PlaceName, number> = { web: WEB, api: API, host: HOST };

function frameOf(from: PlaceName, spec: FrameSpec): Uint8Array {
  const source = places[from].addresses.find((one) => one.includes(':') === (spec.destination ?? '').includes(':'))!;
  return buildFrame({ sourceMac: places[from].mac, destinationMac: NODE_MAC, source, ...spec });
}

/** One frame from a place of the node, judged; returns all that was told. */
function told(spec: FrameSpec, from: PlaceName = 'web', prepare: (world: World) => void = () => {}): Seen[] {
  const one = new CapturedWorld();
  prepare(one.world);
  const tap = one.tap();
  const outcome = one.world.send(from, spec);
  const seen = tap.seen();
  judge(one.world, seen, hopOf[from], frameOf(from, spec), outcome);
  one.world.balance();
  return seen;
}

/** The same of a tunnel packet from n2. */
function toldOfTunnel(spec: FrameSpec, bytes = encapsulated('n2', spec), from: string = nodes.n2.underlay): Seen[] {
  const one = new CapturedWorld();
  const tap = one.tap();
  const outcome = one.world.tunnelBytes(from, bytes);
  const seen = tap.seen();
  judge(one.world, seen, from === nodes.n2.underlay ? N2 : UNDERLAY, bytes, outcome);
  one.world.balance();
  return seen;
}

const ways = (seen: readonly Seen[]) =>
  seen.map(({ hop, outgoing, outcome }) => `${hop}${outgoing ? ' out' : ' in'} ${outcome}`);

describe('what is delivered is told where it came in and where it left, under one number', () => {
  const cases: [string, FrameSpec, PlaceName, number][] = [
    ['pod to pod', { destination: places.api.addresses[0] }, 'web', API],
    ['pod to pod, IPv6', { destination: places.api.addresses[1] }, 'web', API],
    ['pod to host', { destination: places.host.addresses[0], protocol: 'udp', payload: 99 }, 'web', HOST],
    ['pod to itself', { destination: places.web.addresses[0] }, 'web', WEB],
    ['pod to tunnel', { destination: nodes.n2.pod[0], payload: 700 }, 'web', N2],
    ['pod to tunnel, IPv6', { destination: nodes.n3.pod[1], protocol: 'udp' }, 'web', N3],
    ['host to pod', { destination: places.web.addresses[0], protocol: 'icmp' }, 'host', WEB],
    ['host to tunnel', { destination: nodes.n2.pod[0] }, 'host', N2],
  ];
  for (const [name, spec, from, egress] of cases) {
    test(name, () => {
      const seen = told(spec, from);
      expect(ways(seen)).toEqual([`${hopOf[from]} in delivered`, `${egress} out sent`]);
      for (const one of seen) {
        expect(one).toMatchObject({ ingress: hopOf[from], egress, lost: 0, originated: false, number: 1, kept: -1 });
        expect(one.connection).not.toBe(0);
      }
      expect(seen[1]!.innerOffset).toBe(egress === N2 || egress === N3 ? 50 : 0);
    });
  }

  test('tunnel to pod, IPv4 and IPv6', () => {
    for (const destination of places.web.addresses) {
      const seen = toldOfTunnel({ destination, payload: 300 });
      expect(ways(seen)).toEqual([`${N2} in delivered`, `${WEB} out sent`]);
      for (const one of seen) expect(one).toMatchObject({ ingress: N2, egress: WEB, number: 1 });
      expect(seen.map(({ innerOffset }) => innerOffset)).toEqual([50, 0]);
    }
  });

  test('packets of a node are counted on', () => {
    const one = new CapturedWorld();
    const tap = one.tap();
    for (let i = 0; i < 3; i++) one.world.send('web');
    expect(tap.seen().map(({ number }) => number)).toEqual([1, 1, 2, 2, 3, 3]);
  });
});

describe('what is dropped is told once, as it came in', () => {
  const cases: [string, FrameSpec, PlaceName?, ((world: World) => void)?][] = [
    ['BadIpHeader', { destination: '10.244.1.3', etherType: 0x86dd }],
    ['SpoofedMac', { destination: '10.244.1.3', sourceMac: '02:00:00:00:00:99' }],
    ['SpoofedSource', { source: '10.244.9.9', destination: '10.244.1.3' }],
    ['SpoofedSource', { source: '10.244.9.9', destination: '10.244.1.3' }, 'host'],
    ['Multicast', { destination: '224.0.0.251', protocol: 'udp' }],
    ['Invalid', { destination: '10.244.1.3', flags: 0 }],
    ['PolicyDenied', { destination: nodes.n2.pod[0] }, 'web', (world) => world.isolate(1, 0)],
    ['PolicyDenied', { destination: '10.244.1.3' }, 'web', (world) => world.isolate(0, 2)],
    ['PolicyDenied', { destination: '10.244.1.3' }, 'web', (world) => world.isolate(1, 2)],
  ];
  for (const [name, spec, from = 'web', prepare] of cases) {
    test(`${name} of what comes from ${from}: ${JSON.stringify(spec)}`, () => {
      const seen = told(spec, from, prepare);
      expect(ways(seen)).toEqual([`${hopOf[from]} in dropped: ${name}`]);
      expect(seen[0]).toMatchObject({ ingress: hopOf[from] });
    });
  }

  test('when its way out does not take it, at both ends', () => {
    const seen = told({ destination: '10.244.1.3' }, 'web', (world) => {
      world.ports.api.says = Drop.PortBusy;
    });
    expect(ways(seen)).toEqual([`${WEB} in dropped: PortBusy`, `${API} out dropped: PortBusy`]);
  });

  test('from the underlay: the tunnel where the sender is known, the underlay where it is not', () => {
    const good = encapsulated('n2');
    expect(ways(toldOfTunnel({}, good, '172.18.9.9'))).toEqual([`${UNDERLAY} in dropped: UnknownEndpoint`]);
    const [seen] = toldOfTunnel({}, Uint8Array.of(8, 0, 0, 0, 0, 0, 99, 0, ...good.subarray(8)));
    expect(seen).toMatchObject({ outcome: 'dropped: UnknownVni', ingress: N2, egress: 0, connection: 0 });
    expect(ways(toldOfTunnel({}, good.slice(0, 5)))).toEqual([`${N2} in dropped: BadVxlan`]);
    expect(ways(toldOfTunnel({ destinationMac: '02:70:00:00:00:77' }))).toEqual([`${N2} in dropped: WrongTunnelMac`]);
  });
});

describe('what begins here', () => {
  test('an ICMP error has a number of its own and no way in', () => {
    for (const [spec, name] of [
      [{ destination: '8.8.8.8' }, 'NoRoute'],
      [{ destination: '10.244.1.99' }, 'NoSuchPod'],
      [{ destination: nodes.n2.pod[0], ttl: 1 }, 'TtlExceeded'],
      [{ destination: nodes.n2.pod[1], payload: 1500 }, 'MtuExceeded'],
    ] as const) {
      const seen = told(spec);
      expect(ways(seen)).toEqual([`${WEB} in dropped: ${name}`, `${WEB} out sent`]);
      expect(seen.map(({ number }) => number)).toEqual([1, 2]);
      expect(seen[1]).toMatchObject({ originated: true, ingress: 0, egress: WEB, connection: 0 });
    }
  });

  test('an ICMP error into a tunnel', () => {
    const seen = toldOfTunnel({ destination: '10.244.1.2', ttl: 1 });
    expect(ways(seen)).toEqual([`${N2} in dropped: TtlExceeded`, `${N2} out sent`]);
    expect(seen[1]).toMatchObject({ originated: true, innerOffset: 50, egress: N2 });
    expect(parseFrame(seen[1]!.bytes.slice(50))).toMatchObject({ icmpType: 11, destination: nodes.n2.pod[0] });
  });

  test('an answer to ARP and to Neighbour Discovery has the number of the question', () => {
    const one = new CapturedWorld();
    const tap = one.tap();
    const ask = arp({ sourceMac: places.web.mac, sender: '10.244.1.2', target: '169.254.1.1', padding: 18 });
    const outcome = one.world.sendBytes('web', ask);
    const seen = tap.seen();
    judge(one.world, seen, WEB, ask, outcome);
    expect(ways(seen)).toEqual([`${WEB} in consumed: ArpAnswered`, `${WEB} out sent`]);
    expect(seen.map(({ number }) => number)).toEqual([1, 1]);
    expect(seen.map(({ originated }) => originated)).toEqual([false, true]);
    expect(seen[0]).toMatchObject({ ingress: WEB, egress: 0 });
    expect(seen[1]).toMatchObject({ ingress: 0, egress: WEB });
    const discovery = told(solicitation(places.web.addresses[1], NEXT_HOP));
    expect(ways(discovery)).toEqual([`${WEB} in consumed: NeighbourAnswered`, `${WEB} out sent`]);
  });
});

describe('fragments', () => {
  const whole = frameOf('web', { destination: nodes.n2.pod[0], protocol: 'udp', dontFragment: false, payload: 3000 });

  test('each waits; the last one is told as it came, and every fragment that leaves', () => {
    const one = new CapturedWorld();
    const tap = one.tap();
    const fragments = slowFragments(whole, 1450, 77);
    const outcomes = fragments.map((fragment) => {
      const outcome = one.world.sendBytes('web', fragment);
      const seen = tap.seen();
      judge(one.world, seen, WEB, fragment, outcome);
      return ways(seen).join();
    });
    const out = Array(3).fill(`${N2} out sent`).join();
    expect(outcomes).toEqual([`${WEB} in held`, `${WEB} in held`, `${WEB} in delivered,${out}`]);
  });

  test('a datagram that is too long leaves in fragments, all with its number', () => {
    const one = new CapturedWorld();
    const tap = one.tap();
    const outcome = one.world.sendBytes('web', whole);
    const seen = tap.seen();
    judge(one.world, seen, WEB, whole, outcome);
    expect(ways(seen)).toEqual([`${WEB} in delivered`, ...Array(3).fill(`${N2} out sent`)]);
    expect(seen.map(({ number }) => number)).toEqual([1, 1, 1, 1]);
    expect(seen.map(({ ingress }) => ingress)).toEqual(Array(4).fill(WEB));
  });

  test('a datagram that never came together: the error about it is told', () => {
    const one = new CapturedWorld();
    const tap = one.tap();
    const [first] = slowFragments(whole, 1450, 77);
    one.world.sendBytes('web', first!);
    tap.seen();
    one.world.nowMs += 40_000;
    expire(one.world.dp, one.world.nowMs, 100);
    const seen = tap.seen();
    expect(ways(seen)).toEqual([`${WEB} out sent`]);
    expect(seen[0]).toMatchObject({ originated: true, number: 2 });
    expect(seen[0]!.bytes).toEqual(one.world.ports.web.sent[0]!.bytes);
  });
});

test('times are those of the clock, in the order of what happened', () => {
  const one = new CapturedWorld();
  const tap = one.tap();
  const before = one.timeNs;
  one.world.send('web');
  expect(tap.seen().map(({ timeNs }) => timeNs)).toEqual([before + 1, before + 2]);
});

test('the writer is idle between packets, and says so while one is told', () => {
  const one = new CapturedWorld();
  const tap = one.tap();
  const idle: boolean[] = [];
  const { api, web } = one.world.ports;
  const transmit = api.transmit.bind(api);
  api.transmit = (pkt) => {
    idle.push(tap.reader.idle);
    return transmit(pkt);
  };
  const answer = web.transmit.bind(web);
  web.transmit = (pkt) => {
    idle.push(tap.reader.idle);
    return answer(pkt);
  };
  one.world.send('web');
  idle.push(tap.reader.idle);
  one.world.send('web', { destination: '8.8.8.8' });
  expect([...idle, tap.reader.idle]).toEqual([false, true, false, true]);
});

test('nothing of a packet can be read before its story has ended', () => {
  const one = new CapturedWorld();
  const tap = one.tap();
  const { underlay } = one.world;
  const transmit = underlay.transmit.bind(underlay);
  const early: unknown[] = [];
  underlay.transmit = (pkt, endpoint) => {
    early.push(tap.reader.take(1 << 20), tap.reader.idle);
    return transmit(pkt, endpoint);
  };
  const long = { destination: nodes.n2.pod[0], protocol: 'udp', dontFragment: false, payload: 3000 } as const;
  one.world.send('web', long);
  expect(early).toEqual([undefined, false, undefined, false, undefined, false]);
  expect(tap.seen()).toHaveLength(4);
});

test('a partial checksum is told, and where it is', () => {
  const one = new CapturedWorld();
  const tap = one.tap();
  one.world.send('web', { destination: nodes.n2.pod[0], checksum: 'partial', payload: 9 });
  for (const { partial, sighting } of tap.seen()) {
    expect([partial, sighting.partialStart, sighting.partialOffset]).toEqual([true, 34, 16]);
  }
  one.world.send('web', { destination: nodes.n2.pod[0] });
  expect(tap.seen().map(({ partial }) => partial)).toEqual([false, false]);
});

test('noise is told only to who wants it', () => {
  const one = new CapturedWorld();
  const quiet = one.tap({ noise: false });
  const loud = one.tap({ noise: true, verdicts: Verdicts.Forwarded });
  one.world.send('web', { destination: '224.0.0.22', protocol: 2, payload: 8, ttl: 1 });
  const solicit = { protocol: 'icmpv6', icmpType: 133, ttl: 255, source: 'fe80::2', destination: 'ff02::2' } as const;
  one.world.send('web', { ...solicit, identifier: 0, icmpSequence: 0 });
  expect(quiet.seen()).toEqual([]);
  const outcomes = loud.seen().map(({ outcome }) => outcome);
  expect(outcomes).toEqual(['consumed: MulticastListenerAbsorbed', 'consumed: RouterSolicitationAbsorbed']);
});
