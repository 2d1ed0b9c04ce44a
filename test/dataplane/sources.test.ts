/** An address proves nothing, the port does: what each side may call itself. */
import { describe, expect, test } from 'vitest';
import { Way, way } from '../../src/packet/way.ts';
import { nodes, places, prefix, World } from './world.ts';

const SYN = 2;

describe('CI-004 a pod speaks with its own addresses only', () => {
  const strangers = [
    ['10.244.1.3', "another pod's"],
    ['10.244.1.4', "nobody's, of its node"],
    ['10.244.1.1', "the node's"],
    ['172.18.0.2', "the node's, outside"],
    ['10.244.2.7', "a pod's of another node"],
    ['8.8.8.8', 'a foreign one'],
    ['fd00:10:244:1::3', "another pod's"],
    ['fd00:10:244:1::4', "nobody's"],
    ['2001:db8::1', 'a foreign one'],
    ['fd00:10:244:2::2', 'its own but for one word'],
  ] as const;
  for (const [source, whose] of strangers) {
    test(`${source}, ${whose}`, () => {
      const world = new World();
      const destination = source.includes(':') ? places.api.addresses[1] : places.api.addresses[0];
      expect(world.send('web', { source, destination, flags: SYN })).toBe('dropped: SpoofedSource');
      expect(world.taken).toBe(0);
      expect(world.dp.connections.count).toBe(0);
      world.balance();
    });
  }

  test('its own address as IPv4-mapped IPv6 is not its own', () => {
    const world = new World();
    const spec = { source: '::ffff:10.244.1.2', destination: '::ffff:10.244.1.3', flags: SYN };
    expect(world.send('web', spec)).toMatch(/^dropped: (SpoofedSource|MartianAddress)$/);
    world.balance();
  });

  test('a second pod cannot join a flow that it does not own', () => {
    const world = new World();
    world.send('web', { destination: '10.244.2.7', flags: SYN });
    const spec = { source: '10.244.1.2', destination: '10.244.2.7' };
    expect(world.send('api', spec)).toBe('dropped: SpoofedSource');
    expect(world.send('host', spec)).toBe('dropped: SpoofedSource');
    expect(world.dp.connections.packetsOf(0)).toBe(1);
    world.balance();
  });

  test('a port without addresses may send nothing', () => {
    const world = new World();
    Object.defineProperty(world.ports.web, 'addresses', { value: new Int32Array(0) });
    for (const destination of places.api.addresses) {
      expect(world.send('web', { destination, flags: SYN })).toBe('dropped: SpoofedSource');
    }
    world.balance();
  });
});

describe('a port speaks with its own MAC only', () => {
  for (const name of ['web', 'host'] as const) {
    for (const sourceMac of ['02:00:0a:f4:01:03', '02:70:00:00:00:01', '02:00:0a:f4:01:00', '00:00:0a:f4:01:02']) {
      test(`${name} as ${sourceMac}`, () => {
        const world = new World();
        expect(world.send(name, { sourceMac, flags: SYN })).toBe('dropped: SpoofedMac');
        world.balance();
      });
    }
  }

  test("a group address is nobody's source", () => {
    const world = new World();
    expect(world.send('web', { sourceMac: '03:00:0a:f4:01:02' })).toBe('dropped: BadSourceMac');
    world.balance();
  });
});

describe("from the host come only the node's addresses", () => {
  for (const source of ['10.244.1.2', '10.244.1.9', '10.244.2.7', '172.18.0.3', '8.8.8.8', 'fd00:10:244:1::2']) {
    test(`not ${source}`, () => {
      const world = new World();
      const destination = source.includes(':') ? places.api.addresses[1] : places.api.addresses[0];
      expect(world.send('host', { source, destination, flags: SYN })).toBe('dropped: SpoofedSource');
      world.balance();
    });
  }
});

describe('from a tunnel come only addresses that are behind it', () => {
  for (const source of [
    '10.244.1.2',
    '10.244.1.1',
    '172.18.0.2',
    '10.244.3.7',
    '10.244.4.7',
    '8.8.8.8',
    '172.18.0.3',
  ]) {
    test(`n2 cannot send as ${source}`, () => {
      const world = new World();
      expect(world.tunnel('n2', { source, flags: SYN })).toBe('dropped: SpoofedSource');
      world.balance();
    });
  }

  test('nor as IPv6 of another node', () => {
    const world = new World();
    const spec = { source: 'fd00:10:244:3::7', destination: places.web.addresses[1], flags: SYN };
    expect(world.tunnel('n2', spec)).toBe('dropped: SpoofedSource');
    expect(world.tunnel('n3', spec)).toBe('delivered');
    world.balance();
  });

  test("an address that moved to another node is that node's", () => {
    const world = new World();
    world.route(prefix('10.244.2.7/32', way(Way.Tunnel, 1)));
    expect(world.tunnel('n2', { source: '10.244.2.7', flags: SYN })).toBe('dropped: SpoofedSource');
    expect(world.tunnel('n3', { source: '10.244.2.7', flags: SYN })).toBe('delivered');
    world.balance();
  });

  test('who the outer source is decides, not the inner MAC', () => {
    const world = new World();
    const spec = { source: '10.244.3.7', sourceMac: nodes.n3.mac, flags: SYN };
    expect(world.tunnel('n2', spec)).toBe('dropped: SpoofedSource');
    world.balance();
  });
});
