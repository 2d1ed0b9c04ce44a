import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { close } from '../../src/sys/io.ts';
import { createNamespace, inNamespace } from '../../src/sys/namespace.ts';
import { Netlink } from '../../src/sys/netlink.ts';
import { openTap } from '../../src/sys/tap.ts';
import { missing } from '../support/requires.ts';
import { inNewNetwork } from './in-new-network.ts';

const lacks = missing('linux', 'root', 'tun', 'program:ip');

/** The referee: iproute2 in the namespace of the calling thread. */
function ip(...args: string[]) {
  return JSON.parse(execFileSync('ip', ['-j', '-d', ...args], { encoding: 'utf8' }) || '[]');
}

function withTap(action: (netlink: Netlink, index: number) => void): void {
  inNewNetwork(() => {
    const tap = openTap('eth0', { offload: 0 });
    const netlink = new Netlink();
    try {
      action(netlink, netlink.link('eth0').index);
    } finally {
      netlink.close();
      close(tap);
    }
  });
}

describe.skipIf(lacks)(`netlink${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  test('a link: what is set is what iproute2 and link() see', () => {
    withTap((netlink, index) => {
      netlink.setLink(index, { mac: '02:0a:0b:0c:0d:0e', mtu: 1450, txQueueLen: 2000, gsoMaxSize: 61_600 });
      expect(ip('link', 'show', 'eth0')).toMatchObject([
        { ifindex: index, address: '02:0a:0b:0c:0d:0e', mtu: 1450, txqlen: 2000, gso_max_size: 61_600 },
      ]);
      expect(netlink.link('eth0')).toEqual({
        index,
        mtu: 1450,
        mac: '02:0a:0b:0c:0d:0e',
        up: false,
        txQueueLen: 2000,
        gsoMaxSize: 61_600,
      });
      netlink.setLink(index, { name: 'pod0', up: true });
      expect(netlink.link('pod0')).toMatchObject({ index, mtu: 1450, up: true });
      expect(ip('link', 'show', 'pod0')[0].flags).toContain('UP');
      netlink.setLink(index, { up: false });
      expect(netlink.link('pod0').up).toBe(false);
      netlink.deleteLink(index);
      expect(() => netlink.link('pod0')).toThrow(expect.objectContaining({ code: 'ENODEV' }));
    });
  });

  test.each(['none', 'eui64'] as const)('link-local address generation: %s', (addressGeneration) => {
    withTap((netlink, index) => {
      netlink.setLink(index, { mac: '02:00:00:00:00:01', addressGeneration, up: true });
      const [link] = ip('link', 'show', 'eth0');
      expect(link.inet6_addr_gen_mode).toBe(addressGeneration);
      const own = { index, address: 'fe80::ff:fe00:1', prefixLen: 64, scope: 'link' };
      expect(netlink.dumpAddresses().filter((address) => address.index === index)).toEqual(
        addressGeneration === 'none' ? [] : [own],
      );
    });
  });

  test('addresses of both families', () => {
    withTap((netlink, index) => {
      netlink.setLink(index, { addressGeneration: 'none', up: true });
      netlink.addAddress(index, { address: '10.244.1.7', prefixLen: 32, noPrefixRoute: true });
      netlink.addAddress(index, { address: '169.254.1.1', prefixLen: 16, scope: 'link' });
      netlink.addAddress(index, { address: 'fd00:244:1::7', prefixLen: 64, noDad: true, noPrefixRoute: true });
      netlink.addAddress(index, { address: 'fd00:245::1', prefixLen: 64 });
      // The kernel lists by family and scope.
      expect(ip('address', 'show', 'eth0')[0].addr_info).toMatchObject([
        { family: 'inet', local: '169.254.1.1', prefixlen: 16, scope: 'link' },
        { family: 'inet', local: '10.244.1.7', prefixlen: 32, scope: 'global', noprefixroute: true },
        { family: 'inet6', local: 'fd00:245::1', prefixlen: 64, scope: 'global', tentative: true },
        { family: 'inet6', local: 'fd00:244:1::7', prefixlen: 64, scope: 'global', nodad: true, noprefixroute: true },
      ]);
      expect(netlink.dumpAddresses()).toEqual([
        { index, address: '169.254.1.1', prefixLen: 16, scope: 'link' },
        { index, address: '10.244.1.7', prefixLen: 32, scope: 'global' },
        { index, address: 'fd00:245::1', prefixLen: 64, scope: 'global' },
        { index, address: 'fd00:244:1::7', prefixLen: 64, scope: 'global' },
      ]);
      expect(ip('-6', 'route').map((route: { dst: string }) => route.dst)).not.toContain('fd00:244:1::/64');
      const again = () => netlink.addAddress(index, { address: '10.244.1.7', prefixLen: 32 });
      expect(again).toThrow(/^RTM_NEWADDR\(10\.244\.1\.7\/32, index \d+\): EEXIST, file already exists/);
      expect(again).toThrow(expect.objectContaining({ code: 'EEXIST', errno: 17 }));
      expect(() => netlink.addAddress(index, { address: 'pod', prefixLen: 32 })).toThrow(RangeError);
      expect(() => netlink.addAddress(index, { address: '10.0.0.1', prefixLen: 33 })).toThrow(RangeError);
    });
  });

  test('a dump that takes more than one answer', () => {
    withTap((netlink, index) => {
      for (let i = 0; i < 1500; i++) {
        netlink.addAddress(index, { address: `10.5.${i >> 8}.${i & 255}`, prefixLen: 32 });
      }
      const addresses = netlink.dumpAddresses();
      expect(addresses.length).toBe(1500);
      expect(addresses.at(-1)).toMatchObject({ address: '10.5.5.219' });
    });
  });

  test('routes and neighbours of both families', () => {
    withTap((netlink, index) => {
      netlink.setLink(index, { addressGeneration: 'none', up: true });
      netlink.addAddress(index, { address: '10.244.1.7', prefixLen: 32 });
      netlink.addAddress(index, { address: 'fd00:244:1::7', prefixLen: 128, noDad: true });
      netlink.addRoute({ destination: '169.254.1.1', prefixLen: 32, index });
      netlink.addRoute({ destination: '', prefixLen: 0, index, gateway: '169.254.1.1', mtu: 1410 });
      netlink.addRoute({ destination: '10.96.0.0', prefixLen: 12, index, gateway: '10.0.0.1', onlink: true });
      netlink.addRoute({ destination: '10.1.0.0', prefixLen: 16, index, source: '10.244.1.7', scope: 'global' });
      expect(ip('-4', 'route')).toMatchObject([
        { dst: 'default', gateway: '169.254.1.1', dev: 'eth0', metrics: [{ mtu: 1410 }] },
        { dst: '10.1.0.0/16', dev: 'eth0', prefsrc: '10.244.1.7', scope: 'global', protocol: 'static' },
        { dst: '10.96.0.0/12', gateway: '10.0.0.1', flags: ['onlink'] },
        { dst: '169.254.1.1', dev: 'eth0', scope: 'link' },
      ]);
      netlink.addRoute({ destination: 'fe80::1', prefixLen: 128, index });
      netlink.addRoute({ destination: '::', prefixLen: 0, index, gateway: 'fe80::1', onlink: true, mtu: 1400 });
      netlink.addRoute({ destination: 'fd00:96::', prefixLen: 112, index, source: 'fd00:244:1::7' });
      expect(ip('-6', 'route')).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ dst: 'default', gateway: 'fe80::1', metrics: [{ mtu: 1400 }] }),
          expect.objectContaining({ dst: 'fd00:96::/112', prefsrc: 'fd00:244:1::7' }),
          expect.objectContaining({ dst: 'fe80::1' }),
        ]),
      );
      const again = { destination: '10.96.0.0', prefixLen: 12, index, gateway: '10.0.0.1', onlink: true };
      expect(() => netlink.addRoute(again)).toThrow(expect.objectContaining({ code: 'EEXIST' }));

      netlink.addNeighbour(index, { address: '169.254.1.1', mac: '02:00:00:00:00:02' });
      netlink.addNeighbour(index, { address: '169.254.1.1', mac: 'ee:ee:ee:ee:ee:ee' });
      netlink.addNeighbour(index, { address: 'fe80::1', mac: 'EE:EE:EE:EE:EE:EE' });
      expect(ip('neighbour')).toEqual(
        ['169.254.1.1', 'fe80::1'].map((dst) =>
          expect.objectContaining({ dst, lladdr: 'ee:ee:ee:ee:ee:ee', state: ['PERMANENT'] }),
        ),
      );
      expect(() => netlink.addNeighbour(index, { address: '10.0.0.1', mac: 'ee:ee' })).toThrow(RangeError);
    });
  });

  test('the text of the kernel is in the message', () => {
    withTap((netlink, index) => {
      netlink.setLink(index, { up: true });
      const route = { destination: '10.0.0.1', prefixLen: 8, index };
      expect(() => netlink.addRoute(route)).toThrow(/EINVAL, invalid argument \(Invalid prefix/);
      expect(() => netlink.addRoute({ ...route, destination: '', prefixLen: 0, gateway: '10.0.0.1' })).toThrow(
        /^RTM_NEWROUTE\(0\.0\.0\.0\/0 via 10\.0\.0\.1, index \d+\): ENETUNREACH, .* \(Nexthop has invalid gateway\)$/,
      );
      expect(() => netlink.setLink(index, { mtu: 10 })).toThrow(/mtu less than device minimum/);
      // An error is not the end of the conversation.
      expect(netlink.link('eth0').up).toBe(true);
    });
  });

  test('a veth pair into another namespace, and its end', () => {
    const peer = createNamespace('net');
    inNewNetwork(() => {
      const netlink = new Netlink();
      netlink.addVethPair('left', 'right', peer);
      netlink.addVethPair('a', 'b');
      expect(ip('link').map((link: { ifname: string }) => link.ifname)).toEqual(['lo', 'left', 'b', 'a']);
      const inPeer = inNamespace(peer, 'net', () => new Netlink());
      expect(inPeer.link('right').index).toBeGreaterThan(1);
      expect(() => inPeer.link('left')).toThrow('ENODEV');
      netlink.deleteLink(netlink.link('left').index);
      expect(() => inPeer.link('right')).toThrow('ENODEV');
      expect(() => netlink.addVethPair('a', 'c')).toThrow(expect.objectContaining({ code: 'EEXIST' }));
      expect(() => netlink.deleteLink(1)).toThrow(expect.objectContaining({ code: 'ENOTSUP' }));
      inPeer.close();
      netlink.close();
    });
    close(peer);
  });
});
