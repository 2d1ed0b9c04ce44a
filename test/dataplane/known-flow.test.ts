/** After its first packet a connection needs no stage but its own entry; what changes under it is seen all the same. */
import { describe, expect, test } from 'vitest';
import { Way, way } from '../../src/packet/way.ts';
import { nodes, prefix, World } from './world.ts';

const SYN = 2;
const SYN_ACK = 0x12;
const reply = { destination: '10.244.1.2', sourcePort: 8080, destinationPort: 40_000 };

describe('replies', () => {
  test('CT-001 a reply finds the connection by the inverted tuple: one entry, two directions', () => {
    const world = new World();
    world.send('web', { flags: SYN });
    expect(world.send('api', { ...reply, flags: SYN_ACK })).toBe('delivered');
    expect(world.dp.connections.count).toBe(1);
    expect([0, 1].map((half) => world.dp.connections.packetsOf(half))).toEqual([1, 1]);
    world.balance();
  });

  test('a reply through the tunnel', () => {
    const world = new World();
    world.send('web', { destination: '10.244.2.7', flags: SYN });
    expect(world.tunnel('n2', { ...reply, flags: SYN_ACK })).toBe('delivered');
    expect(world.dp.connections.count).toBe(1);
    world.balance();
  });

  test('without a request there is no reply', () => {
    const world = new World();
    expect(world.send('api', { ...reply, flags: SYN_ACK })).toBe('dropped: Invalid');
    expect(world.tunnel('n2', { ...reply, flags: SYN_ACK })).toBe('dropped: Invalid');
    expect(world.dp.connections.count).toBe(0);
    world.balance();
  });

  test('packets and IP bytes are counted per direction; a superframe counts as the packets it becomes', () => {
    const world = new World();
    world.send('web', { flags: SYN });
    world.send('api', { ...reply, flags: SYN_ACK });
    world.send('web', { payload: 2801, gsoSize: 1400 });
    const { connections } = world.dp;
    expect([connections.packetsOf(0), connections.packetsOf(1)]).toEqual([4, 1]);
    expect([connections.bytesOf(0), connections.bytesOf(1)]).toEqual([40 + 40 + 2801, 40]);
  });
});

describe('routes change under a live flow', () => {
  test('the next packet finds the new way, in both directions', () => {
    const world = new World();
    world.send('web', { flags: SYN });
    world.send('api', { ...reply, flags: SYN_ACK });
    world.route(prefix('10.244.1.3/32', way(Way.Tunnel, 0)));
    expect(world.send('web', {})).toBe('delivered');
    expect(world.underlay.last.frame.destinationMac).toBe(nodes.n2.mac);
    expect(world.tunnel('n2', { source: '10.244.1.3', ...reply })).toBe('delivered');
    world.route(prefix('10.244.1.3/32', way(Way.Tunnel, 1)));
    expect(world.send('web', {})).toBe('delivered');
    expect(world.underlay.last).toMatchObject({ endpoint: 1 });
    expect(world.dp.connections.count).toBe(1);
    world.balance();
  });

  test('an entry that is used again remembers nothing of the flow before', () => {
    const world = new World({ connectionsMax: 1 });
    const udp = { protocol: 'udp' } as const;
    world.send('web', udp);
    world.send('api', { ...reply, ...udp });
    world.nowMs += 60_000;
    world.dp.connections.expire(world.nowMs, 10);
    expect(world.send('host', udp)).toBe('delivered');
    expect(world.send('api', { ...reply, ...udp, destination: '172.18.0.2' })).toBe('delivered');
    expect(world.ports.host.count).toBe(1);
    expect(world.ports.web.count).toBe(1);
    expect([0, 1].map((half) => world.dp.connections.packetsOf(half))).toEqual([1, 1]);
    world.balance();
  });

  test('the route is asked once per direction and revision', () => {
    const world = new World();
    world.send('web', { flags: SYN });
    world.send('api', { ...reply, flags: SYN_ACK });
    let asked = 0;
    const { find } = world.dp.routes;
    world.dp.routes.find = function counted(keys, index) {
      asked++;
      return find.call(this, keys, index);
    };
    for (let i = 0; i < 5; i++) {
      world.send('web', {});
      world.send('api', reply);
    }
    expect(asked).toBe(0);
    world.balance();
  });

  test('a destination that went away is a named drop, and comes back to life with its route', () => {
    const world = new World();
    world.send('web', { flags: SYN });
    world.send('api', { ...reply, flags: SYN_ACK });
    world.route(prefix('10.244.1.3/32', way(Way.Blackhole, 0)));
    expect(world.send('web', {})).toBe('dropped: NoSuchPod');
    expect(world.send('web', {})).toBe('dropped: NoSuchPod');
    world.route();
    expect(world.send('web', {})).toBe('delivered');
    world.balance();
  });

  test('the revision is never the one that a new entry has', () => {
    const world = new World();
    world.dp.routeRevision = -1;
    world.route();
    expect(world.dp.routeRevision).not.toBe(0);
  });

  test('a flow of a tunnel that now would have to leave through one is a loop', () => {
    const world = new World();
    world.tunnel('n2', { flags: SYN });
    world.route(prefix('10.244.1.2/32', way(Way.Tunnel, 1)));
    expect(world.tunnel('n2', { flags: SYN })).toBe('dropped: TunnelLoop');
    world.balance();
  });
});
