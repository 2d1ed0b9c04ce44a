/** Random Services that come, change and go, and random connections to them, beside the rules told slowly. */
import { expect, test } from 'vitest';
import * as receive from '../../src/dataplane/receive.ts';
import { ServiceCompiler } from '../../src/service/service-compiler.ts';
import type { EndpointSpec, FrontendSpec, ServiceSpec, ServicesUpdate } from '../../src/service/service-spec.ts';
import { type Judgement, SlowServices, type Tuple } from '../oracle/slow-services.ts';
import { type Random, withRandom } from '../support/random.ts';
import { places, type Taken, World } from './world.ts';

/** `PODWIRE_STEPS=100000` makes it longer. */
const STEPS = Number(process.env['PODWIRE_STEPS'] ?? 4000);
const NETWORKS = ['10.96.0.0/16', 'fd00:10:96::/112', '192.0.2.0/24', '2001:db8::/64'];
const NAMES = ['a', 'b', 'c', 'd'] as const;
const PORTS = [80, 53] as const;

const local = [places.web, places.api].flatMap(({ addresses }) => addresses);
const remote = [1, 2, 3].flatMap((i) => [`10.244.2.${i}`, `fd00:10:244:2::${i}`, `10.244.3.${i}`]);
const clients = ['web', 'api', 'host'] as const;

function clusterIps(name: string): string[] {
  const i = NAMES.indexOf(name as 'a') + 1;
  return [`10.96.0.${i}`, `fd00:10:96::${i}`];
}

function externalIps(name: string): string[] {
  const i = NAMES.indexOf(name as 'a') + 1;
  return [`192.0.2.${i}`, `2001:db8::${i}`];
}

function randomEndpoint(random: Random): EndpointSpec {
  const own = random.once(2);
  const conditions = random.pick<Partial<EndpointSpec>>([
    ...[{}, {}, {}, { ready: false }, { ready: false, serving: true }],
    ...[
      { ready: false, serving: true, terminating: true },
      { ready: false, serving: false, terminating: true },
    ],
  ]);
  const address = random.pick(own ? local : remote);
  return { address, port: random.pick([8080, 8081]), ...(own ? { local: true } : {}), ...conditions };
}

function randomService(random: Random, name: string): ServiceSpec {
  const frontends = (port: number): FrontendSpec[] => [
    ...clusterIps(name).map((address) => ({ address, port })),
    ...externalIps(name).map((address): FrontendSpec => ({ address, port, kind: 'external' })),
  ];
  const endpoints = Array.from({ length: random.below(8) }, () => randomEndpoint(random));
  // An endpoint that comes twice comes with one condition.
  const distinct = [...new Map(endpoints.map((endpoint) => [endpoint.address, endpoint])).values()];
  return {
    key: `default/${name}`,
    ports: (['TCP', 'UDP'] as const).flatMap((protocol) =>
      PORTS.filter(() => !random.once(5)).map((port) => ({
        protocol,
        frontends: frontends(port),
        endpoints: distinct,
      })),
    ),
    ...(random.once(3) ? { internalLocal: true } : {}),
    ...(random.once(3) ? { externalLocal: true } : {}),
    ...(random.once(2) ? { affinitySeconds: random.between(1, 20) } : {}),
  };
}

class Pair {
  readonly world = new World({ connectionsMax: 65_536, seed: 12 });
  readonly slow = new SlowServices();
  readonly #compiler = new ServiceCompiler(9);
  readonly #random: Random;
  /** What became of packets, to see that all of it was met. */
  readonly met = new Map<string, number>();

  constructor(random: Random) {
    this.#random = random;
    this.#update({ set: [], remove: [], networks: NETWORKS });
  }

  step(): void {
    const { world } = this;
    const random = this.#random;
    world.randomWord = random.word() | 0;
    if (random.once(60)) this.#change();
    if (random.once(10)) world.nowMs += random.below(random.once(20) ? 40_000 : 800);
    this.#send();
  }

  #change(): void {
    const name = this.#random.pick(NAMES);
    if (this.#random.once(5)) {
      this.slow.remove(`default/${name}`);
      this.#update({ set: [], remove: [`default/${name}`] });
    } else {
      const spec = randomService(this.#random, name);
      this.slow.set(spec);
      this.#update({ set: [spec], remove: [] });
    }
  }

  #update(update: ServicesUpdate): void {
    const { world } = this;
    world.dp.setServices(this.#compiler.compile(update));
    receive.expire(world.dp, world.nowMs, Number.POSITIVE_INFINITY);
  }

  #send(): void {
    const random = this.#random;
    const { world, slow } = this;
    const from = random.pick(clients);
    const name = random.pick(NAMES);
    const destination = random.pick([...clusterIps(name), ...externalIps(name)]);
    const source = places[from].addresses.find((text) => text.includes(':') === destination.includes(':'))!;
    const protocol = random.pick(['TCP', 'UDP'] as const);
    const tuple = { protocol, source, destination, sourcePort: 40_000 + random.below(12), port: random.pick(PORTS) };
    const judgement = slow.judge(from === 'host' ? 'host' : 'pod', tuple, world.nowMs);
    const before = this.#counts();
    const outcome = world.send(from, {
      ...{ protocol: protocol === 'TCP' ? 'tcp' : 'udp', source, destination },
      ...{ sourcePort: tuple.sourcePort, destinationPort: tuple.port, flags: 2 },
    });
    this.#compare(tuple, judgement, outcome, before);
  }

  #compare(tuple: Tuple, judgement: Judgement, outcome: string, before: readonly number[]): void {
    const { world, slow } = this;
    const what = JSON.stringify({ tuple, judgement, outcome });
    if ('drop' in judgement) {
      if (outcome !== `dropped: ${judgement.drop}`) throw new Error(`wrong: ${what}`);
      this.#count(judgement.drop);
      return;
    }
    if (outcome !== 'delivered') throw new Error(`not delivered: ${what}`);
    const { frame } = this.#taker(before);
    const backend = `${frame.destination}/${frame.destinationPort}`;
    if (!judgement.backends.includes(backend)) throw new Error(`to ${backend}: ${what}`);
    const hairpin = frame.destination === tuple.source && !judgement.known;
    const source = hairpin ? SlowServices.hairpinSource(tuple.source) : judgement.source;
    if (frame.source !== source || frame.checksum !== 'right') throw new Error(`from ${frame.source}: ${what}`);
    slow.taken(tuple, backend, source, world.nowMs);
    const kind = hairpin ? 'hairpin' : source === tuple.source ? 'kept' : 'masqueraded';
    this.#count(judgement.known ? 'known' : kind);
  }

  #counts(): number[] {
    return [...Object.values(this.world.ports), this.world.underlay].map(({ count }) => count);
  }

  /** What the port or tunnel got that has one more than before. */
  #taker(before: readonly number[]): Taken {
    const { ports, underlay } = this.world;
    const places = [...Object.values(ports), underlay];
    return places[this.#counts().findIndex((count, i) => count > before[i]!)]!.last;
  }

  #count(what: string): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1);
  }
}

test('KP-006, KP-019, KP-037, KP-040, KP-042, KP-064, KP-090 random worlds do as the rules say', () => {
  withRandom((random) => {
    const pair = new Pair(random);
    for (let i = 0; i < STEPS; i++) pair.step();
    const { world, slow, met } = pair;
    expect(living(world)).toBe(slow.living(world.nowMs));
    for (const what of ['NoEndpoints', 'NoLocalEndpoints', 'NoServicePort', 'NoService']) {
      expect(met.get(what), what).toBeGreaterThan(STEPS / 200);
    }
    for (const what of ['hairpin', 'kept', 'masqueraded', 'known']) {
      expect(met.get(what), what).toBeGreaterThan(STEPS / 100);
    }
    world.balance();
    expectRepliesReturn(world);
  });
});

/** Connections whose time is not over; the table looks at that once a second. */
function living({ dp: { connections }, nowMs }: World): number {
  let count = 0;
  for (let connection = 0; connection < connections.highWater; connection++) {
    if (connections.state[connection] !== 0 && !connections.isOver(connection, nowMs)) count++;
  }
  return count;
}

/** Every connection's replies become what the client waits for: from the Service, to its own port. */
function expectRepliesReturn({ dp }: World): void {
  const { connections } = dp;
  const [sent, back] = [new Int32Array(10), new Int32Array(10)];
  const replies = new Set<string>();
  for (let connection = 0; connection < connections.highWater; connection++) {
    if (connections.state[connection] === 0) continue;
    connections.key(connection * 2, sent);
    connections.translatedKey(connection * 2 + 1, back);
    expect([...back.slice(0, 8)]).toEqual([...sent.slice(4, 8), ...sent.slice(0, 4)]);
    connections.key(connection * 2 + 1, back);
    replies.add(back.join());
  }
  expect(replies.size).toBe(connections.count);
}
