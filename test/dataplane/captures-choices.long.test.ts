/** What a capture leaves out: by filter, length, verdict, hop; and what it loses. */
import { describe, expect, test } from 'vitest';
import { Verdicts } from '../../src/dataplane/capture.ts';
import { LinkedUnderlay } from '../../src/dataplane/linked-underlay.ts';
import { Drop } from '../../src/packet/outcome.ts';
import { Way, way } from '../../src/packet/way.ts';
import { Op } from '../../src/recording/filter-program.ts';
import { withRandom } from '../support/random.ts';
import { servicesOf } from '../support/services.ts';
import { API, CapturedWorld, everyHop, HOST, N2, N3, type Seen, UNDERLAY, WEB } from './captured-world.ts';
import { arp } from './link-frames.ts';
import { nodes, places, World, words } from './world.ts';

const ways = (seen: readonly Seen[]) =>
  seen.map(({ hop, outgoing, outcome }) => `${hop}${outgoing ? ' out' : ' in'} ${outcome}`);
const SYN = 2;
const SYN_ACK = 0x12;
const FIN_ACK = 0x11;

/** Accepts frames whose byte `at` is `value`. */
function byteIs(at: number, value: number): Int32Array {
  return Int32Array.from([
    ...[Op.LoadByte, 0, 0, at],
    ...[Op.JumpEqual, 2, 3, value],
    ...[Op.Return, 0, 0, 1],
    ...[Op.Return, 0, 0, 0],
  ]);
}

describe('verdicts', () => {
  /** One packet of every fate: delivered, dropped, dropped on the way out, consumed, dropped and told about. */
  function storm(verdicts: number): string[] {
    const one = new CapturedWorld();
    const tap = one.tap({ verdicts });
    const { world } = one;
    world.send('web');
    world.send('web', { destination: '10.244.1.3', flags: 0 });
    world.ports.host.says = Drop.PortBusy;
    world.send('web', { destination: places.host.addresses[0], sourcePort: 4 });
    world.sendBytes('web', arp({ sourceMac: places.web.mac, sender: '10.244.1.2', target: '169.254.1.1' }));
    world.send('web', { destination: '8.8.8.8', sourcePort: 5 });
    world.send('web');
    return ways(tap.seen());
  }
  const delivered = [`${WEB} in delivered`, `${API} out sent`];
  const answered = [`${WEB} in consumed: ArpAnswered`, `${WEB} out sent`];
  const error = `${WEB} out sent`;
  const dropped = [`${WEB} in dropped: Invalid`, `${WEB} in dropped: PortBusy`, `${WEB} in dropped: NoRoute`];

  test('all', () => {
    const busy = [dropped[1], `${HOST} out dropped: PortBusy`];
    const all = [...delivered, dropped[0], ...busy, ...answered, dropped[2], error, ...delivered];
    expect(storm(Verdicts.All)).toEqual(all);
  });

  test('forwarded', () => {
    expect(storm(Verdicts.Forwarded)).toEqual([...delivered, ...answered, error, ...delivered]);
  });

  test('dropped: each once, where it came in', () => {
    expect(storm(Verdicts.Dropped)).toEqual(dropped);
  });

  test('events: the first packet of a flow, and every drop', () => {
    expect(storm(Verdicts.Events)).toEqual([delivered[0], ...dropped]);
  });

  test('events: first packets of both directions, SYN, FIN and RST, errors about the flow', () => {
    const one = new CapturedWorld();
    const tap = one.tap({ verdicts: Verdicts.Events });
    const back = { destination: '10.244.1.2', sourcePort: 8080, destinationPort: 40_000 };
    const { world } = one;
    const told = (outcome: string) => `${outcome} ${tap.seen().length}`;
    expect(told(world.send('web', { flags: SYN }))).toBe('delivered 1');
    expect(told(world.send('web', { flags: SYN }))).toBe('delivered 1');
    expect(told(world.send('api', { ...back, flags: SYN_ACK }))).toBe('delivered 1');
    expect(told(world.send('web', {}))).toBe('delivered 0');
    expect(told(world.send('api', { ...back }))).toBe('delivered 0');
    expect(told(world.send('web', { flags: FIN_ACK }))).toBe('delivered 1');
    expect(told(world.send('api', { ...back, flags: 4, sequence: 1001 }))).toBe('delivered 1');
    const udp = { protocol: 'udp', sourcePort: 7, destinationPort: 8 } as const;
    const udpBack = { ...back, protocol: 'udp', sourcePort: 8, destinationPort: 7 } as const;
    expect(told(world.send('web', udp))).toBe('delivered 1');
    expect(told(world.send('web', udp))).toBe('delivered 0');
    expect(told(world.send('api', udpBack))).toBe('delivered 1');
    expect(told(world.send('api', udpBack))).toBe('delivered 0');
  });

  test('events: an ICMP error about a flow', () => {
    const one = new CapturedWorld();
    const { world } = one;
    world.send('web', { protocol: 'udp' });
    const quoted = world.ports.api.sent[0]!.bytes.slice(14);
    const tap = one.tap({ verdicts: Verdicts.Events });
    const error = { protocol: 'icmp', icmpType: 3, icmpCode: 3, identifier: 0, icmpSequence: 0 } as const;
    expect(world.send('api', { destination: '10.244.1.2', ...error, payload: quoted })).toBe('delivered');
    expect(tap.seen().map(({ sighting }) => sighting.related)).toEqual([true]);
  });

  test('a superframe with FIN is an event also where it was cut on its way', () => {
    const world = new World({ arenaBytes: 16 << 20 });
    const links = new LinkedUnderlay(world.dp.arena, world.dp.counters, world.underlay, 1450);
    links.setLinks([{ delayMs: 1, jitterMs: 0, loss: 0, duplicate: 0, reorder: 0, seed: 7 }]);
    world.dp.underlay = links;
    const one = new CapturedWorld(world);
    const tap = one.tap({ verdicts: Verdicts.Events });
    const destination = nodes.n2.pod[0];
    world.send('web', { destination, flags: SYN });
    world.tunnel('n2', { sourcePort: 8080, destinationPort: 40_000, flags: SYN_ACK, window: 60_000 });
    expect(tap.seen()).toHaveLength(2);
    expect(world.send('web', { destination, payload: 3000, gsoSize: 1000 })).toBe('held');
    expect(tap.seen()).toHaveLength(0);
    const last = { payload: 3000, gsoSize: 1000, flags: FIN_ACK, sequence: 4001 };
    expect(world.send('web', { destination, ...last })).toBe('held');
    expect(tap.seen()).toHaveLength(1);
  });

  test('what is dropped on its way out is told there when the way in is not watched', () => {
    for (const verdicts of [Verdicts.Dropped, Verdicts.Events]) {
      const one = new CapturedWorld();
      const tap = one.tap({ verdicts, hops: [API] });
      one.world.send('web');
      one.world.ports.api.says = Drop.PortBusy;
      one.world.send('web');
      expect(ways(tap.seen())).toEqual([`${API} out dropped: PortBusy`]);
    }
  });

  test('an answer, an error and a fragment that could not leave are told: nobody else tells of them', () => {
    for (const verdicts of [Verdicts.Dropped, Verdicts.Events]) {
      const one = new CapturedWorld();
      const tap = one.tap({ verdicts });
      const { world } = one;
      world.ports.web.says = Drop.PortBusy;
      world.underlay.says = Drop.UnderlayBusy;
      world.sendBytes('web', arp({ sourceMac: places.web.mac, sender: '10.244.1.2', target: '169.254.1.1' }));
      expect(ways(tap.seen())).toEqual([`${WEB} out dropped: PortBusy`]);
      world.send('web', { destination: '8.8.8.8' });
      expect(ways(tap.seen())).toEqual([`${WEB} in dropped: NoRoute`, `${WEB} out dropped: PortBusy`]);
      world.send('web', { destination: nodes.n2.pod[0], protocol: 'udp', dontFragment: false, payload: 2000 });
      const out = ways(tap.seen()).filter((one) => one.includes('out'));
      expect(out).toEqual(Array(2).fill(`${N2} out dropped: UnderlayBusy`));
      expect(Object.values(world.dp.counters.snapshot().dropped).reduce((a, b) => a + b)).toBe(5);
    }
  });
});

describe('hops', () => {
  const send = ({ world }: CapturedWorld) => {
    world.send('web', { destination: nodes.n2.pod[0] });
    world.send('web', { destination: nodes.n3.pod[0] });
    world.send('web');
    world.send('host', { destination: places.web.addresses[0] });
    world.tunnel('n2');
    world.tunnel('n3');
    world.tunnelBytes('172.18.9.9', new Uint8Array(60));
  };
  const cases: [string, number[], string[]][] = [
    ['none', [], []],
    [
      'web',
      [WEB],
      [`${WEB} in delivered`, `${WEB} in delivered`, `${WEB} in delivered`, ...Array(3).fill(`${WEB} out sent`)],
    ],
    ['api', [API], [`${API} out sent`]],
    ['host', [HOST], [`${HOST} in delivered`]],
    [
      'underlay',
      [UNDERLAY],
      [
        `${N2} out sent`,
        `${N3} out sent`,
        `${N2} in delivered`,
        `${N3} in delivered`,
        `${UNDERLAY} in dropped: UnknownEndpoint`,
      ],
    ],
    ['one endpoint of it', [N3], [`${N3} out sent`, `${N3} in delivered`]],
    ['the first endpoint', [N2], [`${N2} out sent`, `${N2} in delivered`]],
    ['two', [N2, HOST], [`${N2} out sent`, `${HOST} in delivered`, `${N2} in delivered`]],
    ['a pod that is not there', [way(Way.Pod, 7)], []],
  ];
  for (const [name, hops, wanted] of cases) {
    test(name, () => {
      const one = new CapturedWorld();
      const tap = one.tap({ hops });
      send(one);
      expect(ways(tap.seen())).toEqual(wanted);
    });
  }
});

describe('filters', () => {
  test('judge each hop by itself: before translation and after', () => {
    const world = new World();
    const backends = [{ address: words('10.244.1.3'), port: 8080 }];
    world.dp.services = servicesOf(
      [{ address: words('10.96.0.1'), port: 80, protocolWord: (4 << 8) | 6, backends }],
      3,
    );
    const one = new CapturedWorld(world);
    const service = one.tap({ filter: byteIs(31, 96) });
    const pod = one.tap({ filter: byteIs(31, 244) });
    world.send('web', { destination: '10.96.0.1', destinationPort: 80, flags: SYN });
    expect(ways(service.seen())).toEqual([`${WEB} in delivered`]);
    expect(ways(pod.seen())).toEqual([`${API} out sent`]);
  });

  test('see the whole frame with outer headers, whatever its length', () => {
    const one = new CapturedWorld();
    const port = one.tap({ filter: byteIs(37, 0xb5), hops: [UNDERLAY], snapLen: 20 }); // of 4789
    const late = one.tap({ filter: byteIs(150, 100 - 4), snapLen: 20, hops: [WEB] });
    one.world.send('web', { destination: nodes.n2.pod[0], payload: 200 });
    one.world.send('web', { destination: nodes.n2.pod[0], payload: 80 });
    expect(port.seen()).toHaveLength(2);
    expect(late.seen().map(({ bytes, wireLen }) => [bytes.length, wireLen])).toEqual([[20, 254]]);
  });
});

test('of every frame as many bytes as are wanted, and how many there were', () => {
  for (const snapLen of [0, 1, 14, 53, 54, 55, 63, 64, 65, 1000]) {
    const one = new CapturedWorld();
    const tap = one.tap({ snapLen });
    one.world.send('web', { destination: nodes.n2.pod[0], payload: 10 });
    const whole = new CapturedWorld();
    const all = whole.tap();
    whole.world.send('web', { destination: nodes.n2.pod[0], payload: 10 });
    const want = all.seen().map(({ bytes }) => [bytes.slice(0, snapLen), bytes.length]);
    expect(tap.seen().map(({ bytes, wireLen }) => [bytes, wireLen])).toEqual(want);
  }
});

test('nothing is written behind a sighting', () => {
  const superframe = { destination: nodes.n2.pod[0], payload: 237, gsoSize: 100 };
  for (let snapLen = 90; snapLen < 210; snapLen++) {
    const one = new CapturedWorld();
    const tap = one.tap({ snapLen, ringBytes: 1 << 18 });
    new Uint8Array(tap.ring, 64).fill(0x3c); // not what is behind the packet
    one.world.send('web', snapLen % 2 === 0 ? superframe : { destination: nodes.n2.pod[0], payload: snapLen });
    const [head] = new Int32Array(tap.ring, 0, 1);
    const behind = new Uint8Array(tap.ring, 64 + head!, 1000);
    expect(behind.every((byte) => byte === 0x3c)).toBe(true);
    expect(tap.seen()).toHaveLength(2);
  }
});

describe('lost sightings', () => {
  test('are counted at their hop and told with the next one there, or at the end', () => {
    const one = new CapturedWorld();
    const tap = one.tap({ ringBytes: 1 << 18 });
    const big = { payload: 1300 };
    let sent = 0;
    while (tap.capture.losses().length === 0) {
      one.world.send('web', big);
      sent += 2;
    }
    for (let i = 0; i < 10; i++) one.world.send('web', big);
    sent += 20;
    const before = tap.seen();
    expect(before.every(({ lost }) => lost === 0)).toBe(true);
    const losses = new Map(tap.capture.losses().map(({ hop, count }) => [hop, count]));
    expect(before.length + losses.get(WEB)! + losses.get(API)!).toBe(sent);
    one.world.send('web', big);
    expect(tap.seen().map(({ hop, lost }) => [hop, lost])).toEqual([...losses]);
    expect(tap.capture.losses()).toEqual([]);
    one.world.send('web', big);
    expect(tap.seen().map(({ lost }) => lost)).toEqual([0, 0]);
  });

  test('are told by the next one that is told, not by one that nobody wanted', () => {
    const one = new CapturedWorld();
    const tap = one.tap({ ringBytes: 1 << 18, verdicts: Verdicts.Dropped });
    const bad = { flags: 0, payload: 1300 };
    while (tap.capture.losses().length === 0) one.world.send('web', bad);
    for (let i = 0; i < 4; i++) one.world.send('web', bad);
    tap.seen();
    one.world.send('web');
    one.world.send('web', { destination: '10.244.2.7' });
    expect(tap.seen()).toEqual([]);
    expect(tap.capture.losses()).toEqual([{ hop: WEB, count: 5 }]);
    one.world.send('web', bad);
    expect(tap.seen().map(({ lost }) => lost)).toEqual([5]);
    expect(tap.capture.losses()).toEqual([]);
  });

  test('also where packets leave', () => {
    const one = new CapturedWorld();
    const tap = one.tap({ ringBytes: 1 << 18, verdicts: Verdicts.Dropped, hops: [API] });
    const { api } = one.world.ports;
    const big = { payload: 1300 };
    api.says = Drop.PortBusy;
    while (tap.capture.losses().length === 0) one.world.send('web', big);
    tap.seen();
    api.says = 0;
    one.world.send('web', big);
    expect(tap.capture.losses()).toEqual([{ hop: API, count: 1 }]);
    api.says = Drop.PortBusy;
    one.world.send('web', big);
    expect(tap.seen().map(({ lost }) => lost)).toEqual([1]);
  });

  for (const [name, verdicts] of [
    ['all', Verdicts.All],
    ['forwarded', Verdicts.Forwarded],
  ] as const) {
    test(`told and lost make all, whatever the reader does: ${name}`, () => {
      withRandom((random) => {
        const one = new CapturedWorld();
        const tap = one.tap({ ringBytes: 1 << 18, verdicts });
        const all = one.tap({ ringBytes: 1 << 24, verdicts, snapLen: 40 });
        const told: Seen[] = [];
        let count = 0;
        for (let i = 0; i < 3000; i++) {
          const destination = random.pick(['10.244.1.3', '10.244.2.7', '10.244.1.2', '172.18.0.2']);
          one.world.send('web', { destination, payload: random.below(1300) });
          if (random.once(400)) told.push(...tap.seen());
          if (random.once(50)) count += all.seen().length;
        }
        told.push(...tap.seen());
        count += all.seen().length;
        const rest = tap.capture.losses();
        const lostBefore = told.reduce((sum, { lost }) => sum + lost, 0);
        const lostLast = rest.reduce((sum, { count }) => sum + count, 0);
        expect(all.capture.losses()).toEqual([]);
        expect(told.length + lostBefore + lostLast).toBe(count);
        expect(Math.min(told.length, lostBefore)).toBeGreaterThan(0);
        expect(everyHop).toEqual(expect.arrayContaining(rest.map(({ hop }) => hop)));
        expect(new Set(rest.map(({ hop }) => hop)).size).toBe(rest.length);
      });
    });
  }
});
