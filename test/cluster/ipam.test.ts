import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCidr } from '../../src/cluster/ip-address.ts';
import { AddressPool } from '../../src/cluster/ipam.ts';

function poolOf(cidr: string): AddressPool {
  return new AddressPool(parseCidr(cidr)!);
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

  test('the first addresses of a /64', () => {
    const pool = poolOf('fd00:10:244:1::/64');
    expect([pool.gateway, pool.take()]).toEqual(['fd00:10:244:1::1', 'fd00:10:244:1::2']);
  });

  test('a released address comes back only after all that were free longer', () => {
    const pool = poolOf('10.0.0.0/29'); // .2 to .6
    const [first, second] = [pool.take()!, pool.take()!];
    pool.release(second);
    pool.release(first);
    expect(takeAll(pool)).toEqual(['10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.3', '10.0.0.2']);
  });

  test('a reserved address is not handed out, and counts as used last when released', () => {
    const pool = poolOf('10.0.0.0/29');
    expect(pool.reserve('10.0.0.3')).toBe(true);
    expect(pool.reserve('10.0.0.3')).toBe(false);
    expect(pool.take()).toBe('10.0.0.2');
    pool.release('10.0.0.3');
    expect(takeAll(pool)).toEqual(['10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.3']);
  });

  test('a released address may be reserved again', () => {
    const pool = poolOf('10.0.0.0/29');
    const address = pool.take()!;
    pool.release(address);
    expect(pool.reserve(address)).toBe(true);
    expect(takeAll(pool)).not.toContain(address);
  });

  test('releasing what is not in use changes nothing', () => {
    const pool = poolOf('10.0.0.0/29');
    pool.release('10.0.0.6');
    expect(takeAll(pool)).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
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
          expect(poolCall(pool, action, address)).toBe(list[action](address));
          expect(pool.inUse).toBe(list.used.size);
        }
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});

function poolCall(pool: AddressPool, action: (typeof actions)[number], address: string) {
  return action === 'take' ? pool.take() : pool[action](address);
}

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
