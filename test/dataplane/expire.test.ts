import { expect, test } from 'vitest';
import { expire } from '../../src/dataplane/receive.ts';
import { nodes, World } from './world.ts';

test('a crowd that times out at once goes in batches, one after the other, until none is left', () => {
  const world = new World();
  const { connections } = world.dp;
  for (let port = 0; port < 250; port++) {
    const spec = { destination: nodes.n2.pod[0], protocol: 'udp', sourcePort: 20_000 + port, payload: 3 } as const;
    expect(world.send('web', spec)).toBe('delivered');
  }
  expect(connections.count).toBe(250);
  expect(expire(world.dp, world.nowMs, 100)).toBe(false);
  world.nowMs += 200_000;
  const more = [1, 2, 3, 4].map(() => expire(world.dp, world.nowMs, 100));
  expect([more, connections.count]).toEqual([[true, true, false, false], 0]);
  world.balance();
});
