/** Several captures at once, and ports that come and go meanwhile. */
import { describe, expect, test } from 'vitest';
import { Verdicts } from '../../src/dataplane/capture.ts';
import { CAPTURES_MAX } from '../../src/dataplane/captures.ts';
import { Way, way } from '../../src/packet/way.ts';
import { MemoryPort } from '../../src/ports/memory.ts';
import { parseFrame } from '../support/read-frame.ts';
import { API, CapturedWorld, type Seen, UNDERLAY, WEB } from './captured-world.ts';
import { nodes, words } from './world.ts';

const ways = (seen: readonly Seen[]) =>
  seen.map(({ hop, outgoing, outcome }) => `${hop}${outgoing ? ' out' : ' in'} ${outcome}`);

describe('several at once', () => {
  test('each sees what it wants, from when it began to when it was stopped', () => {
    const one = new CapturedWorld();
    const { world, captures } = one;
    const { web, api, host } = world.ports;
    const before = [world.dp.pods[0], world.dp.pods[1], world.dp.host, world.dp.underlay, world.dp.recorder];
    expect(before).toEqual([web, api, host, world.underlay, world.dp.flightRecorder]);
    const all = one.tap();
    world.send('web');
    const short = one.tap({ snapLen: 20, hops: [API] });
    const drops = one.tap({ verdicts: Verdicts.Dropped });
    world.send('web');
    world.send('web', { flags: 0 });
    expect(ways(drops.seen())).toEqual([`${WEB} in dropped: Invalid`]);
    captures.stop(all.capture);
    captures.stop(all.capture); // once more does nothing
    world.send('web');
    world.send('web', { flags: 0 });
    expect(drops.seen()).toHaveLength(1);
    expect(all.seen().map(({ number }) => number)).toEqual([1, 1, 2, 2, 3]);
    expect(short.seen().map(({ number, bytes }) => `${number} ${bytes.length}`)).toEqual(['2 20', '4 20']);
    captures.stop(short.capture);
    captures.stop(drops.capture);
    const after = [world.dp.pods[0], world.dp.pods[1], world.dp.host, world.dp.underlay, world.dp.recorder];
    for (const [i, port] of after.entries()) expect(port).toBe(before[i]);
    world.send('web', { flags: 0 });
    expect([...short.seen(), ...drops.seen()]).toEqual([]);
    world.balance();
  });

  test('no more than so many', () => {
    const one = new CapturedWorld();
    for (let i = 0; i < CAPTURES_MAX; i++) one.tap();
    const more = one.create();
    expect(one.captures.start(more.capture)).toBe(false);
    one.world.send('web');
    expect(more.seen()).toEqual([]);
  });

  test('while one asks for the host and one for nothing, ports come and go', () => {
    const one = new CapturedWorld();
    const { world, captures } = one;
    const tap = one.tap({ hops: [way(Way.Pod, 4), WEB] });
    const { macHigh, macLow } = world.ports.api;
    const fresh = new MemoryPort({
      ...{ way: way(Way.Pod, 4), macHigh, macLow, mtu: 1000 },
      addresses: words('10.244.1.9'),
    });
    world.dp.pods[4] = fresh;
    world.dp.pods[1] = undefined;
    world.dp.host = undefined;
    captures.refresh();
    world.route({ address: words('10.244.1.9'), length: 128, value: way(Way.Pod, 4) });
    expect(world.send('web', { destination: '10.244.1.9' })).toBe('delivered');
    expect(world.send('web', { destination: '10.244.1.9', payload: 1000 })).toBe('dropped: MtuExceeded');
    expect(world.send('web', { destination: '10.244.1.3' })).toBe('dropped: PortDown');
    expect(ways(tap.seen())).toEqual([
      `${WEB} in delivered`,
      `${way(Way.Pod, 4)} out sent`,
      `${WEB} in dropped: MtuExceeded`,
      `${WEB} out sent`,
      `${WEB} in dropped: PortDown`,
    ]);
    expect(fresh.sent).toHaveLength(1);
    fresh.mtu = 1450;
    captures.refresh();
    expect(world.send('web', { destination: '10.244.1.9', payload: 1000 })).toBe('delivered');
    expect(tap.seen()).toHaveLength(2);
    captures.stop(tap.capture);
    expect([world.dp.pods[4], world.dp.pods[1], world.dp.pods[2], world.dp.host]).toEqual([fresh, ...Array(3)]);
    expect(world.dp.pods[4]).toBe(fresh);
  });

  test('a node without an underlay is captured too', () => {
    const one = new CapturedWorld();
    one.world.dp.underlay = undefined;
    const tap = one.tap();
    expect(one.world.send('web', { destination: nodes.n2.pod[0] })).toBe('dropped: PortDown');
    expect(ways(tap.seen())).toEqual([`${WEB} in dropped: PortDown`]);
    one.captures.stop(tap.capture);
    expect(one.world.dp.underlay).toBeUndefined();
  });
});

test('the outer source port of a captured underlay is the underlay’s', () => {
  const one = new CapturedWorld();
  const want = one.world.underlay.sourcePort(0x123456);
  const tap = one.tap({ hops: [UNDERLAY] });
  expect(one.world.dp.underlay!.sourcePort(0x123456)).toBe(want);
  one.world.send('web', { destination: nodes.n2.pod[0] });
  expect(parseFrame(tap.seen()[0]!.bytes).sourcePort).toBe(one.world.underlay.sourcePort(one.world.pkt.hash));
});
