/** What goes between nodes, as an independent dissector sees it. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { report, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { ping, program, transfer } from './programs.ts';
import { describeUnless } from './skipping.ts';
import { addresses, twoNodes } from './worlds.ts';

// tcpdump gives up the root of a user namespace for a user that is not there.
const lacks = missing(
  'root',
  ...(['linux', 'built', 'tun', 'vessel', 'program:nsenter', 'program:ping'] as const),
  ...(['program:tcpdump', 'program:tshark', 'program:ethtool'] as const),
);

const POD_MTU = 1450;

/** One captured datagram; fields of outer and inner headers, outer first. */
interface Datagram {
  readonly outerPort: number;
  readonly vnis: string[];
  readonly vxlanFlags: string[];
  readonly innerIpLen: number;
  /** Every checksum that an inner header has, true when it is right. */
  readonly innerChecksums: boolean[];
  readonly protocols: string;
}

const fields = [
  'udp.srcport',
  'vxlan.vni',
  'vxlan.flags',
  'ip.len',
  'ipv6.plen',
  'ip.checksum.status',
  'udp.checksum.status',
  'tcp.checksum.status',
  'tcp.checksum',
  'tcp.checksum_calculated',
  'icmp.checksum.status',
  'icmpv6.checksum.status',
  'frame.protocols',
] as const;

const IPV6_HEADER_LEN = 40;

function readDatagram(line: string): Datagram {
  const cells = line.split('\t').map((cell) => cell.split(',').filter((word) => word !== ''));
  const [ports, vnis, flags, ipLens, ipv6Lens, ip, udp, tcp, written, computed, icmp, icmpv6, protocols] = cells;
  // The outer header is IPv4, so the first of both is the tunnel's.
  const inner = [...ip!.slice(1), ...udp!.slice(1), ...tcp!, ...icmp!, ...icmpv6!];
  // Zero has two forms (RFC 1071), and Linux's skb_checksum_help writes the one that the dissector does not expect.
  const otherZero = written![0] === '0xffff' && computed![0] === '0x0000';
  return {
    outerPort: Number(ports![0]),
    vnis: vnis!,
    vxlanFlags: flags!,
    innerIpLen: ipv6Lens!.length > 0 ? Number(ipv6Lens![0]) + IPV6_HEADER_LEN : Number(ipLens![1]),
    innerChecksums: inner.map((status) => status === '1' || status === 'Good' || otherZero),
    protocols: protocols![0]!,
  };
}

/** Superframes are cut before the capture, so that it shows what a wire would: by the kernel, where they come whole. */
const wires = [
  {
    name: 'UDP sockets',
    flags: ['--underlay', 'udp'],
    devices: ['lo'],
    cut: ['gso', 'off', 'tx-udp-segmentation', 'off'],
    on: ['-i', 'lo'],
  },
  { name: 'offload off', flags: ['--offload', 'off'], devices: [], cut: [], on: ['-i', 'lo'] },
  {
    name: 'superframes whole',
    flags: ['--underlay', 'tap'],
    devices: ['underlay0', 'underlay1'],
    cut: ['tx-udp_tnl-segmentation', 'off', 'tx-udp_tnl-csum-segmentation', 'off', 'tx', 'off'],
    on: ['-i', 'any', '-Q', 'out'],
  },
] as const;

for (const { name, flags, devices, cut, on } of wires) {
  describeUnless(lacks, `a referee on the wire: ${name}`, () => {
    const cluster = testCluster();
    let capture = '';
    let datagrams: Datagram[] = [];

    beforeAll(async () => {
      await cluster.up(twoNodes(), [...flags]);
      capture = join(cluster.home, 'wire.pcap');
      const through = cluster.intoVessel();
      for (const device of devices) {
        const { code, stderr } = await cluster.start(['ethtool', '-K', device, ...cut], { through }).result;
        expect(code, stderr).toBe(0);
      }
      const tcpdump = cluster.start(
        [
          ...['tcpdump', ...on, '-B', '65536', '-s', '2048', '--immediate-mode', '-U'],
          ...['-w', capture, 'udp', 'port', '4789'],
        ],
        { through },
      );
      await until(() => tcpdump.stderr.includes('listening'), 10_000);
      await talk();
      await untilStill(capture);
      tcpdump.child.kill('SIGINT');
      const { stderr } = await tcpdump.result;
      expect(stderr).toMatch(/\b0 packets dropped by kernel/);
      datagrams = await dissect();
    });
    afterAll(() => report(`${datagrams.length} datagrams`));

    async function talk(): Promise<void> {
      const echo = cluster.startExec('b', [...program('udp-echo'), 'serve', '5010']);
      await echo.says(/listening/);
      for (const family of ['v4', 'v6'] as const) {
        await ping(cluster, 'a', addresses.b[family]);
        await ping(cluster, 'b', addresses.a[family], ['-s', '1400']);
        await transfer(cluster, 'a', 'b', addresses.b[family], 5011, 2 << 20);
        const sizes = ['0', '1', '64', '999', '1400'];
        const ask = [...program('udp-echo'), 'ask', addresses.b[family], '5010', ...sizes];
        expect((await cluster.exec('a', ask)).stdout).toBe('5 of 5\n');
      }
      echo.child.kill();
      await echo.result;
    }

    /** tcpdump throws away what it has not written when it is interrupted. */
    async function untilStill(file: string): Promise<void> {
      for (let size = -1; size !== statSync(file).size; await sleep(300)) size = statSync(file).size;
    }

    async function dissect(): Promise<Datagram[]> {
      const checks = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
      const columns = fields.flatMap((field) => ['-e', field]);
      const words = ['tshark', '-n', '-r', capture, ...checks, '-T', 'fields', '-E', 'occurrence=a', ...columns];
      const { code, stdout, stderr } = await cluster.start(words).result;
      expect(code, stderr).toBe(0);
      return stdout.trim().split('\n').map(readDatagram);
    }

    test('saw IPv4 and IPv6, TCP, UDP and ICMP', () => {
      expect(datagrams.length).toBeGreaterThan(1000);
      for (const protocol of ['ip:tcp', 'ip:udp', 'ip:icmp', 'ipv6:tcp', 'ipv6:udp', 'ipv6:icmpv6']) {
        expect(
          datagrams.some(({ protocols }) => protocols.includes(`vxlan:eth:ethertype:${protocol}`)),
          protocol,
        ).toBe(true);
      }
    });

    test('every datagram is one VXLAN packet of VNI 1 with only the I flag set', () => {
      const others = datagrams.filter(
        ({ vnis, vxlanFlags }) => vnis.join() !== '1' || vxlanFlags.map(Number).join() !== '2048',
      );
      expect(others).toEqual([]);
    });

    test('every inner checksum is there and right', () => {
      const wrong = datagrams.filter(
        ({ innerChecksums }) => innerChecksums.length === 0 || innerChecksums.includes(false),
      );
      expect(wrong.slice(0, 3)).toEqual([]);
    });

    test('no inner IP packet is larger than the pod MTU, and the largest fill it', () => {
      expect(Math.max(...datagrams.map(({ innerIpLen }) => innerIpLen))).toBe(POD_MTU);
    });

    test('outer source ports are dynamic ones and spread flows', () => {
      const ports = new Set(datagrams.map(({ outerPort }) => outerPort));
      expect([...ports].filter((port) => port < 49_152 || port > 65_535)).toEqual([]);
      expect(ports.size).toBeGreaterThan(1);
    });
  });
}
