import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCidr } from '../../src/cluster/ip-address.ts';
import { AddressPool } from '../../src/controllers/address-pool.ts';
import type { KubernetesObject } from '../../src/store/object.ts';
import { kinds } from '../../src/store/resources.ts';
import { deployment, object, Plane, pod } from './plane.ts';

function poolOf(cidr: string, first?: number): AddressPool {
  return new AddressPool(parseCidr(cidr)!, first);
}

function takeAll(pool: AddressPool): string[] {
  const taken: string[] = [];
  for (let address = pool.take(); address !== undefined; address = pool.take()) taken.push(address);
  return taken;
}

describe('AddressPool', () => {
  test('starts after the network address and the gateway', () => {
    const pool = poolOf('10.244.3.0/24');
    expect([pool.gateway, pool.take(), pool.take()]).toEqual(['10.244.3.1', '10.244.3.2', '10.244.3.3']);
  });

  test('an IPv4 /24 has 253 addresses for pods, the last before broadcast', () => {
    const pool = poolOf('10.244.0.0/24');
    const taken = takeAll(pool);
    expect([taken.length, taken[0], taken.at(-1), pool.inUse]).toEqual([253, '10.244.0.2', '10.244.0.254', 253]);
  });

  test('IPv6 has no broadcast address', () => {
    expect(takeAll(poolOf('fd00::/125'))).toEqual(['fd00::2', 'fd00::3', 'fd00::4', 'fd00::5', 'fd00::6', 'fd00::7']);
  });

  test('carries over bytes, and starts where it is told', () => {
    expect(poolOf('10.96.0.0/16', 256).take()).toBe('10.96.1.0');
    const pool = poolOf('10.96.0.0/16', 254);
    expect([pool.take(), pool.take(), pool.take()]).toEqual(['10.96.0.254', '10.96.0.255', '10.96.1.0']);
    expect(poolOf('fd00:10:96::/112', 0xffff).take()).toBe('fd00:10:96::ffff');
  });

  test('a released address comes back only after all that were free longer', () => {
    const pool = poolOf('10.0.0.0/29'); // .2 to .6
    const [first, second] = [pool.take()!, pool.take()!];
    pool.release(second);
    pool.release(first);
    expect(takeAll(pool)).toEqual(['10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.3', '10.0.0.2']);
  });

  test('ownerOf names the addresses that no pod gets', () => {
    const owners = (cidr: string, ...addresses: string[]) => addresses.map((address) => poolOf(cidr).ownerOf(address));
    expect(owners('10.0.0.0/24', '10.0.0.0', '10.0.0.1', '10.0.0.255', '10.0.0.2')).toEqual([
      'network',
      'gateway',
      'broadcast',
      undefined,
    ]);
    expect(owners('fd00::/125', 'fd00::', 'fd00::1', 'fd00::7')).toEqual(['network', 'gateway', undefined]);
  });

  test('against a list in order of last use', () => {
    const step = fc.tuple(fc.constantFrom(...actions), fc.integer({ min: 2, max: 14 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const pool = poolOf('10.0.0.0/28');
        const list = new AddressList();
        for (const [action, host] of steps) {
          const address = `10.0.0.${host}`;
          const found = action === 'take' ? pool.take() : pool[action](address);
          expect(found).toBe(list[action](address));
          expect(pool.inUse).toBe(list.used.size);
        }
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});

const actions = ['take', 'reserve', 'release'] as const;

/** The obvious version: free addresses in order of last use. */
class AddressList {
  readonly free = Array.from({ length: 13 }, (_, index) => `10.0.0.${index + 2}`);
  readonly used = new Set<string>();

  take(_: string): string | undefined {
    const address = this.free.shift();
    if (address !== undefined) this.used.add(address);
    return address;
  }

  reserve(address: string): boolean {
    if (this.used.has(address)) return false;
    this.free.splice(this.free.indexOf(address), 1);
    this.used.add(address);
    return true;
  }

  release(address: string): void {
    if (this.used.delete(address)) this.free.push(address);
  }
}

describe('pods', () => {
  const addresses = (plane: Plane) => {
    return Object.fromEntries(
      plane.pods().map(({ metadata, status }) => [metadata.name, status?.podIPs?.map(({ ip }) => ip)]),
    );
  };

  test('get one address a family of their node, and say where they are', () => {
    const plane = new Plane({ families: 'dual' });
    plane.apply(pod('a'), pod('b'), pod('c'), pod('d'));
    expect(addresses(plane)).toEqual({
      a: ['10.244.0.2', 'fd00:10:244::2'],
      b: ['10.244.1.2', 'fd00:10:244:1::2'],
      c: ['10.244.2.2', 'fd00:10:244:2::2'],
      d: ['10.244.0.3', 'fd00:10:244::3'],
    });
    expect(plane.pod('b').status).toMatchObject({ phase: 'Pending', hostIP: '172.18.0.3', podIP: '10.244.1.2' });
  });

  test('with hostNetwork have the addresses of their node', () => {
    const plane = new Plane();
    plane.apply(pod('a', { hostNetwork: true, nodeName: 'n2' }), pod('b', { nodeName: 'n2' }));
    expect(addresses(plane)).toEqual({ a: ['172.18.0.3'], b: ['10.244.1.2'] });
  });

  test('given addresses are honoured in any block, on any node, and kept free for their pod', () => {
    const plane = new Plane({ families: 'dual' });
    plane.apply(
      pod('first', { nodeName: 'n1' }),
      pod('given', { nodeName: 'n2' }, {}, { podIP: '10.244.0.2' }),
      pod('nobody', { nodeName: 'n2' }, {}, { podIPs: [{ ip: 'fd00:10:244:77:8::1' }] }),
    );
    expect(addresses(plane)).toEqual({
      first: ['10.244.0.3', 'fd00:10:244::2'],
      given: ['10.244.0.2', 'fd00:10:244:1::2'],
      nobody: ['10.244.1.2', 'fd00:10:244:77:8::1'],
    });
  });

  test('more than a node has addresses for wait, with an event, and go on when one is free', () => {
    const plane = new Plane({ nodes: 1 });
    plane.apply(deployment('web', 253), pod('late'));
    const waiting = plane.pods().filter(({ status }) => status?.hostIP === undefined);
    expect(waiting).toHaveLength(1);
    expect(plane.events()).toContain(
      "FailedCreatePodSandBox: node n1's pod CIDR 10.244.0.0/24 has no free address: 253 in use; add nodes, or place pods elsewhere",
    );
    const victim = plane.pods().find(({ status }) => status?.hostIP !== undefined)!;
    plane.apply(deployment('web', 200));
    plane.run();
    expect(plane.pods().filter(({ status }) => status?.hostIP === undefined)).toEqual([]);
    expect(victim.status?.podIP).toBeDefined();
  });

  test('a pod that gets one family only gets none', () => {
    const plane = new Plane({ nodes: 0 });
    const addresses = [{ type: 'InternalIP', address: '172.18.0.2' }];
    const node = object(kinds.Node, 'n1', { podCIDRs: ['10.244.0.0/29', 'fd00:10:244::/126'] });
    plane.apply({ ...node, status: { addresses } } as KubernetesObject);
    plane.apply(...['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => pod(name)));
    expect(plane.pods().filter(({ status }) => status?.hostIP !== undefined)).toHaveLength(2);
    const told = plane.events().filter((text) => text.startsWith('FailedCreatePodSandBox'));
    expect(told).toHaveLength(6);
    expect(told.filter((text) => !text.includes('fd00:10:244::/126 has no free address: 2 in use'))).toEqual([]);
  });

  test('an address is free again when its pod is gone, not before', () => {
    const plane = new Plane({ nodes: 1 });
    plane.apply(deployment('web', 253));
    plane.run();
    const [one] = plane.pods();
    plane.delete(kinds.Pod, one!.metadata.name);
    const waiting = () => plane.pods().filter(({ status }) => status?.hostIP === undefined).length;
    expect(waiting()).toBe(1);
    plane.runOnce();
    expect(waiting()).toBe(0);
    expect(plane.pods().some(({ status }) => status?.podIP === one!.status!.podIP)).toBe(true);
  });

  test('a cluster that is taken over knows which addresses are held', () => {
    const plane = new Plane();
    plane.apply(pod('a', { nodeName: 'n1' }));
    const after = new Plane({ nodes: 0 });
    for (const item of plane.store.inOrderOfCreation()) {
      if (item.kind === 'Node' || item.kind === 'Pod') after.store.create(item);
    }
    after.apply(pod('b', { nodeName: 'n1' }));
    expect(addresses(after)).toEqual({ a: ['10.244.0.2'], b: ['10.244.0.3'] });
  });
});
