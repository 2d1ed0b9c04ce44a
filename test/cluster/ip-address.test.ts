import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressFault,
  type Cidr,
  cidrContains,
  cidrFault,
  cidrSize,
  cidrsOverlap,
  enclosingCidr,
  formatAddress,
  formatCidr,
  type IpAddress,
  type IpFamily,
  lastAddress,
  nthAddress,
  nthSubnet,
  parseAddress,
  parseCidr,
} from '../../src/cluster/ip-address.ts';
import { PACKETS } from '../support/packets.ts';

const run = { seed: 20_260_701, numRuns: PACKETS / 50 };

function addressArbitrary(family: IpFamily): fc.Arbitrary<IpAddress> {
  const count = family === 'ipv4' ? 4 : 16;
  // Half the bytes zero: runs of zero groups are where IPv6 text goes wrong.
  const byte = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 }));
  return fc.array(byte, { minLength: count, maxLength: count }).map((bytes) => ({ family, bytes }));
}

function cidrArbitrary(family: IpFamily): fc.Arbitrary<Cidr> {
  const prefix = fc.integer({ min: 0, max: family === 'ipv4' ? 32 : 128 });
  return fc.tuple(addressArbitrary(family), prefix).map(([address, length]) => enclosingCidr(address, length));
}

const anyFamily = fc.constantFrom<IpFamily>('ipv4', 'ipv6');

function numberOf(address: IpAddress): bigint {
  return address.bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

describe('parseAddress', () => {
  const cases = [
    ['10.244.0.1', '10.244.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['fd00:10:244::1', 'fd00:10:244::1'],
    ['FD00:0010:0244:0:0:0:0:1', 'fd00:10:244::1'],
    ['::', '::'],
    ['::1', '::1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], // RFC 5952 4.2.2: one zero group stays
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'], // 4.2.3: the longest run
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], // 4.2.3: of equals, the first
    ['1::', '1::'],
  ] as const;
  for (const [text, want] of cases) {
    test(`${text} is ${want}`, () => expect(formatAddress(parseAddress(text)!)).toBe(want));
  }

  const refused = [
    ['01.2.3.4', 'no leading zeros; write 1.2.3.4'],
    ['10.0.0.08', 'no leading zeros; write 10.0.0.8'],
    ['fe80::1%eth0', 'without a zone'],
    ['::ffff:1.2.3.4', 'IPv4-mapped'],
    ['::FFFF:102:304', 'IPv4-mapped'],
    ['0c8c2::', 'leading zeros; write c8c2::'],
    ['::1:2:3:4:5:6:7:8', 'an IPv4 or IPv6 address'],
    ['1.2.3', 'an IPv4 or IPv6 address'],
    ['1.2.3.4.5', 'an IPv4 or IPv6 address'],
    ['256.1.1.1', 'an IPv4 or IPv6 address'],
    ['0x7f.1.1.1', 'an IPv4 or IPv6 address'],
    [' 1.2.3.4', 'an IPv4 or IPv6 address'],
    ['1.2.3.4\n', 'an IPv4 or IPv6 address'],
    ['::1::', 'an IPv4 or IPv6 address'],
    ['', 'an IPv4 or IPv6 address'],
    ['localhost', 'an IPv4 or IPv6 address'],
  ] as const;
  for (const [text, reason] of refused) {
    test(`${JSON.stringify(text)} is refused: ${reason}`, () => {
      expect(parseAddress(text)).toBeUndefined();
      expect(addressFault(text)).toContain(reason);
    });
  }

  test('any text: an address exactly where net.isIP says so, zones and mapped ones apart', () => {
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[0-9a-f:.]{0,24}$/),
      fc.stringMatching(/^(0{0,2}[0-9]{1,3}\.){3}[0-9]{1,3}$/),
      fc.stringMatching(/^([0-9a-f]{0,5}:){2,8}[0-9a-f]{0,5}$/),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        const address = parseAddress(candidate);
        if (address === undefined)
          return isIP(candidate) === 0 || candidate.includes('%') || /^[0:]*:ffff:/i.test(candidate);
        return isIP(candidate) === (address.family === 'ipv4' ? 4 : 6);
      }),
      run,
    );
  });
});

describe('formatAddress', () => {
  test('IPv6 is what the URL standard writes (RFC 5952)', () => {
    fc.assert(
      fc.property(addressArbitrary('ipv6'), (address) => {
        expect(`[${formatAddress(address)}]`).toBe(new URL(`http://[${hex(address)}]/`).hostname);
      }),
      run,
    );
  });

  test('what is written is read as the same address', () => {
    const isMapped = (address: IpAddress) => hex(address).startsWith('0:0:0:0:0:ffff:');
    fc.assert(
      fc.property(anyFamily.chain(addressArbitrary), (address) => {
        if (!isMapped(address)) expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
      run,
    );
  });
});

function hex(address: IpAddress): string {
  return Array.from({ length: 8 }, (_, at) =>
    ((address.bytes[2 * at]! << 8) | address.bytes[2 * at + 1]!).toString(16),
  ).join(':');
}

describe('parseCidr', () => {
  for (const text of ['10.0.0.0/8', '0.0.0.0/0', '1.2.3.4/32', 'fd00:10:244::/56', '::/0', '::1/128']) {
    test(`${text} is itself`, () => expect(formatCidr(parseCidr(text)!)).toBe(text));
  }

  const refused = [
    ['10.1.2.3/8', 'no bits set after the prefix; write 10.0.0.0/8'],
    ['fd00::1/64', 'no bits set after the prefix; write fd00::/64'],
    ['10.0.0.0/08', 'no leading zeros; write 10.0.0.0/8'],
    ['010.0.0.0/8', 'no leading zeros; write 10.0.0.0'],
    ['10.0.0.0/33', 'a prefix length from 0 to 32'],
    ['::/129', 'a prefix length from 0 to 128'],
    ['10.0.0.0', 'a CIDR block'],
    ['10.0.0.0/', 'a CIDR block'],
    ['10.0.0.0/-1', 'a CIDR block'],
    ['10.0.0.0/8/8', 'a CIDR block'],
    ['/8', 'an IPv4 or IPv6 address'],
    ['::ffff:0:0/96', 'IPv4-mapped'],
    ['fe80::%eth0/10', 'zone'],
    ['10.0.0.0/8 ', 'a CIDR block'],
    ['', 'a CIDR block'],
  ] as const;
  for (const [text, reason] of refused) {
    test(`${JSON.stringify(text)} is refused: ${reason}`, () => {
      expect(parseCidr(text)).toBeUndefined();
      expect(cidrFault(text)).toContain(reason);
    });
  }
});

describe('blocks against node:net', () => {
  test('an address is in a block where BlockList has it', () => {
    fc.assert(
      fc.property(
        anyFamily.chain((family) =>
          fc.tuple(cidrArbitrary(family), addressArbitrary(family), fc.integer({ min: 0, max: 128 })),
        ),
        ([cidr, address, keep]) => {
          // Near the block as often as far from it: the first `keep` bits are the block's.
          const near = splice(cidr.network, address, keep);
          const list = new BlockList();
          list.addSubnet(formatAddress(cidr.network), cidr.prefixLength, cidr.family);
          expect(cidrContains(cidr, near)).toBe(list.check(formatAddress(near), near.family));
        },
      ),
      run,
    );
  });

  test('the families keep apart', () => {
    expect(cidrContains(parseCidr('::/0')!, parseAddress('10.0.0.1')!)).toBe(false);
    expect(cidrContains(parseCidr('0.0.0.0/0')!, parseAddress('::1')!)).toBe(false);
    expect(cidrsOverlap(parseCidr('::/0')!, parseCidr('0.0.0.0/0')!)).toBe(false);
  });

  test('blocks overlap where one has the first address of the other', () => {
    const pair = anyFamily.chain((family) =>
      fc.tuple(cidrArbitrary(family), cidrArbitrary(family), fc.integer({ min: 0, max: 128 })),
    );
    fc.assert(
      fc.property(pair, ([a, far, keep]) => {
        const b = enclosingCidr(splice(a.network, far.network, keep), far.prefixLength);
        const [low, high] = [numberOf(a.network), numberOf(lastAddress(a))];
        const apart = numberOf(lastAddress(b)) < low || numberOf(b.network) > high;
        expect(cidrsOverlap(a, b)).toBe(!apart);
        expect(cidrsOverlap(b, a)).toBe(!apart);
      }),
      run,
    );
  });
});

/** The first bits of `a`, the rest of `b`. */
function splice(a: IpAddress, b: IpAddress, bits: number): IpAddress {
  const bytes = a.bytes.map((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - 8 * index));
    const mask = (0xff00 >> kept) & 0xff;
    return (byte & mask) | (b.bytes[index]! & ~mask & 0xff);
  });
  return { family: a.family, bytes };
}

describe('counting', () => {
  test('the nth address is the first plus n, and inside', () => {
    const counted = anyFamily.chain((family) =>
      fc.tuple(cidrArbitrary(family), fc.integer({ min: 0, max: 0xffff_ffff })),
    );
    fc.assert(
      fc.property(counted, ([cidr, n]) => {
        const address = nthAddress(cidr, n);
        if (n >= cidrSize(cidr)) expect(address).toBeUndefined();
        else expect(numberOf(address!)).toBe(numberOf(cidr.network) + BigInt(n));
      }),
      run,
    );
  });

  test('the last address is the first plus the size, less one', () => {
    fc.assert(
      fc.property(anyFamily.chain(cidrArbitrary), (cidr) => {
        const bits = cidr.family === 'ipv4' ? 32 : 128;
        expect(numberOf(lastAddress(cidr))).toBe(numberOf(cidr.network) + 2n ** BigInt(bits - cidr.prefixLength) - 1n);
      }),
      run,
    );
  });

  const subnets = [
    ['10.244.0.0/16', 24, 0, '10.244.0.0/24'],
    ['10.244.0.0/16', 24, 255, '10.244.255.0/24'],
    ['10.244.0.0/16', 24, 256, undefined],
    ['10.0.0.0/8', 24, 300, '10.1.44.0/24'],
    ['10.244.0.0/16', 15, 0, undefined],
    ['fd00:10:244::/56', 64, 0, 'fd00:10:244::/64'],
    ['fd00:10:244::/56', 64, 255, 'fd00:10:244:ff::/64'],
    ['fd00:10:244::/56', 64, 256, undefined],
    ['fd00:10::/32', 64, 0x12345678, 'fd00:10:1234:5678::/64'],
  ] as const;
  for (const [cidr, prefix, n, want] of subnets) {
    test(`/${prefix} number ${n} of ${cidr} is ${want}`, () => {
      const subnet = nthSubnet(parseCidr(cidr)!, prefix, n);
      expect(subnet && formatCidr(subnet)).toBe(want);
    });
  }
});
