/** Random packets of every kind: captures tell exactly what went in and out, change nothing, and leave no garbage. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Verdicts } from '../../src/dataplane/capture.ts';
import { expire } from '../../src/dataplane/receive.ts';
import { Drop } from '../../src/packet/outcome.ts';
import { API, CapturedWorld, HOST, judge, N2, N3, UNDERLAY, WEB } from '../dataplane/captured-world.ts';
import { arp, NEXT_HOP, solicitation } from '../dataplane/link-frames.ts';
import type { Storm } from '../dataplane/packet-storm.ts';
import { encapsulated, NODE_MAC, nodes, type PlaceName, places, World, words } from '../dataplane/world.ts';
import { slowFragments } from '../oracle/slow-fragments.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';
import { servicesOf } from '../support/services.ts';

/** `PODWIRE_PACKETS=1000000` makes it 4,000. */
const SENT = PACKETS / 250;
const hopOf: Record<PlaceName, number> = { web: WEB, api: API, host: HOST };

function busyWorld(): World {
  const world = new World({ connectionsMax: 256 });
  const backends = ['10.244.1.3', '10.244.2.7'].map((address) => ({ address: words(address), port: 8080 }));
  const protocols = [6, 17].map((number) => (4 << 8) | number);
  world.dp.services = servicesOf(
    protocols.map((protocolWord) => ({ address: words('10.96.0.1'), port: 80, protocolWord, backends })),
    3,
  );
  return world;
}

const destinations = [
  ...[...places.web.addresses, ...places.api.addresses, '172.18.0.2', 'fd00:172:18::2'],
  ...[...nodes.n2.pod, ...nodes.n3.pod, '10.96.0.1', '8.8.8.8', '10.244.1.77', '224.0.0.1', 'ff02::2'],
];

function randomSpec(random: Random): FrameSpec {
  const protocol = random.pick(['tcp', 'udp', 'tcp', 'icmp', 'sctp'] as const);
  const destination = random.pick(destinations);
  const cuttable = protocol === 'tcp' || protocol === 'udp';
  const gso = cuttable && random.once(4) ? { gsoSize: random.between(8, 1300) } : {};
  return {
    ...{ destination, protocol: protocol === 'icmp' && destination.includes(':') ? 'icmpv6' : protocol },
    ...{ payload: random.below(random.once(5) ? 4000 : 300), ttl: random.once(20) ? 1 : 64 },
    ...{ sourcePort: random.between(1, 6), destinationPort: 80, flags: random.pick([2, 16, 0x18, 0, 0x11, 0x12]) },
    ...{ checksum: cuttable && random.once(3) ? 'partial' : 'complete', dontFragment: random.once(2) },
    ...(random.once(25) ? { sourceMac: '02:09:09:09:09:09' } : {}),
    ...gso,
  };
}

function sourceOf(place: PlaceName, destination: string): string {
  return places[place].addresses.find((one) => one.includes(':') === destination.includes(':'))!;
}

/** What comes in: by which hop, its bytes, and how it is sent. */
interface Arrival {
  readonly hop: number;
  readonly bytes: Uint8Array;
  send(world: World): string;
}

function arrivals(random: Random): Arrival[] {
  const from = random.pick(['web', 'web', 'api', 'host'] as const);
  const spec = randomSpec(random);
  const hop = hopOf[from];
  const source = sourceOf(from, spec.destination!);
  const bytes = buildFrame({ sourceMac: places[from].mac, destinationMac: NODE_MAC, source, ...spec });
  const ofBytes = (bytes: Uint8Array): Arrival => ({ hop, bytes, send: (world) => world.sendBytes(from, bytes) });
  switch (random.below(10)) {
    case 0:
      return slowFragments(
        buildFrame({ ...spec, sourceMac: places[from].mac, destinationMac: NODE_MAC, source, gsoSize: 0 }),
        random.pick([600, 1300]),
        random.word(),
      ).map(ofBytes);
    case 1:
      return [
        ofBytes(
          arp({
            sourceMac: places[from].mac,
            sender: source.includes(':') ? '10.244.1.2' : source,
            target: '169.254.1.1',
          }),
        ),
      ];
    case 2:
      return [ofBytes(buildFrame({ sourceMac: places[from].mac, ...solicitation(sourceOf(from, '::'), NEXT_HOP) }))];
    case 3: {
      const broken = bytes.slice();
      broken[random.below(broken.length)]! ^= 1 << random.below(8);
      return [ofBytes(broken)];
    }
    case 4:
    case 5:
    case 6: {
      const to = random.pick(['web', 'api'] as const);
      const node = random.pick(['n2', 'n3'] as const);
      const destination = random.pick(places[to].addresses);
      const source = nodes[node].pod[destination.includes(':') ? 1 : 0];
      const protocol = spec.protocol === 'icmpv6' || spec.protocol === 'icmp' ? 'udp' : spec.protocol!;
      const inner = { ...spec, protocol, source, destination, gsoSize: 0, checksum: 'complete' } as const;
      const bytes = encapsulated(node, inner);
      return [{ hop: node === 'n2' ? N2 : N3, bytes, send: (world) => world.tunnelBytes(nodes[node].underlay, bytes) }];
    }
    default:
      return [{ hop, bytes, send: (world) => world.send(from, spec) }];
  }
}

/** Now and then a way out does not take anything, or time passes. */
function weather(random: Random, world: World): void {
  if (!random.once(20)) return;
  const busy = random.once(3);
  random.pick([world.ports.web, world.ports.api, world.ports.host]).says = busy ? Drop.PortBusy : 0;
  world.underlay.says = random.once(3) ? Drop.UnderlayBusy : 0;
  world.nowMs += random.below(3000);
}

test('whatever comes, captures tell what went in and what came out', () => {
  withRandom((random) => {
    const one = new CapturedWorld(busyWorld());
    const tap = one.tap();
    const fates = new Set<string>();
    for (let i = 0; i < SENT; i++) {
      for (const { hop, bytes, send } of arrivals(random)) {
        const outcome = send(one.world);
        const seen = tap.seen();
        judge(one.world, seen, hop, bytes, outcome);
        const numbers = new Set(seen.filter(({ originated }) => !originated).map(({ number }) => number));
        if (numbers.size !== 1) throw new Error(`${numbers.size} numbers`);
        fates.add(outcome);
      }
      weather(random, one.world);
      expire(one.world.dp, one.world.nowMs, 100);
      tap.seen(); // errors about fragments whose time was over
      for (const port of Object.values(one.world.ports)) port.sent.length = 0;
      one.world.underlay.sent.length = 0;
    }
    expect(fates.size).toBeGreaterThan(14);
    expect(tap.capture.losses()).toEqual([]);
  });
});

/** Digests of all that the ports hold. */
function sentBy({ ports, underlay }: World): string[] {
  return [...Object.values(ports), underlay].map(({ sent }) => {
    const hash = createHash('sha1');
    for (const { bytes, checksum, gsoSize } of sent) hash.update(bytes).update(` ${checksum} ${gsoSize};`);
    return `${sent.length} ${hash.digest('hex')}`;
  });
}

test('captures change neither packets nor counters, whatever they wish', () => {
  withRandom((random) => {
    const plain = busyWorld();
    const one = new CapturedWorld(busyWorld());
    const wishes = [
      { snapLen: 60 },
      { verdicts: Verdicts.Dropped },
      { verdicts: Verdicts.Events, ringBytes: 1 << 18 },
      { hops: [UNDERLAY], verdicts: Verdicts.Forwarded },
      { hops: [N3, API], snapLen: 0 },
    ];
    const taps = wishes.map((wish) => one.tap(wish));
    for (let i = 0; i < SENT; i++) {
      for (const { send } of arrivals(random)) {
        const outcomes = [send(plain), send(one.world)];
        if (outcomes[0] !== outcomes[1]) throw new Error(`${outcomes}`);
      }
      if (random.once(20)) plain.nowMs = one.world.nowMs += random.below(3000);
      expire(plain.dp, plain.nowMs, 100);
      expire(one.world.dp, one.world.nowMs, 100);
      if (random.once(100)) taps[random.below(taps.length)]!.seen();
    }
    expect(sentBy(one.world)).toEqual(sentBy(plain));
    expect(one.world.dp.counters.snapshot()).toEqual(plain.dp.counters.snapshot());
    expect(one.world.dp.connections.count).toBe(plain.dp.connections.count);
    expect(one.world.dp.flightRecorder.last(100)).toEqual(plain.dp.flightRecorder.last(100));
    one.world.balance();
  });
});

describe('packets without end, captured', () => {
  test('leave the garbage collector no more to do than without', async () => {
    const program = new URL('../dataplane/packet-storm.ts', import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program, 'captured']);
    const storm = JSON.parse(stdout) as Storm;
    expect(storm.told).toBeGreaterThan(storm.packets);
    expect(storm.collections).toBeLessThanOrEqual(1);
    expect(storm.heapGrowthBytes).toBeLessThan(250_000);
    expect(storm.collectionsOfProof).toBeGreaterThan(1);
  });
});
