/** Real programs in pods, on one node and on two, and what a referee sees on the wire between the nodes. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { podAddresses, report, type TestCluster, testCluster, twoNodes, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { describeUnless } from './skipping.ts';

const lacks = missing('linux', 'built', 'tun', 'vessel', 'program:nsenter', 'program:ping');
const lacksReferee = lacks ?? missing('program:tcpdump', 'program:tshark', 'program:ethtool');

const TRANSFER_BYTES = 100 * 1024 * 1024;
const POD_MTU = 1450;
const IPV4_ICMP_LEN = 28;
const IPV6_ICMP_LEN = 48;

const addresses = {
  a: { v4: '10.244.0.2', v6: 'fd00:10:244::2' },
  b: { v4: '10.244.1.2', v6: 'fd00:10:244:1::2' },
  c: { v4: '10.244.0.3', v6: 'fd00:10:244::3' },
  n1: { v4: '172.18.0.2', first: '10.244.0.1', v6: 'fd00:10:244::1' },
  n2: { v4: '172.18.0.3', first: '10.244.1.1', v6: 'fd00:10:244:1::1' },
} as const;

function program(name: string): string[] {
  return [process.execPath, fileURLToPath(new URL(`./programs/${name}.mjs`, import.meta.url))];
}

/** Pings and returns the TTL (hop limit) of the answer. */
async function ping(cluster: TestCluster, from: string, to: string, flags: readonly string[] = []): Promise<number> {
  const { code, stdout, stderr } = await cluster.exec(from, ['ping', '-c', '2', '-i', '0.02', '-W', '3', ...flags, to]);
  expect({ code, received: /(\d) received/.exec(stdout)?.[1] }, stdout + stderr).toEqual({ code: 0, received: '2' });
  return Number(/ttl=(\d+)/.exec(stdout)?.[1]);
}

/** Every packet is accounted for now, and none was dropped for a reason that is not in `explained`. */
async function expectAccounted(cluster: TestCluster, explained: readonly string[] = []): Promise<void> {
  for (const node of ['n1', 'n2']) {
    const counters = await cluster.counters(node);
    const { received, originated, delivered, held, violations, dropped, consumed } = counters;
    const sum = (reasons: Readonly<Record<string, number>>) => Object.values(reasons).reduce((a, b) => a + b, 0);
    expect(violations).toBe(0);
    expect(received + originated, JSON.stringify(counters)).toBe(delivered + held + sum(dropped) + sum(consumed));
    expect(Object.keys(dropped).filter((reason) => !explained.includes(reason))).toEqual([]);
  }
}

interface Transferred {
  readonly sent: string;
  readonly received: string;
  readonly receivedBytes: number;
}

/** The server's and the client's report; `meanwhile` runs while the connection is open. */
async function transfer(cluster: TestCluster, from: string, to: string, address: string, port: number, bytes: number) {
  const server = cluster.startExec(to, [...program('transfer'), 'serve', String(port), String(bytes)]);
  await server.says(/listening/);
  const client = await cluster.exec(from, [...program('transfer'), 'connect', address, String(port), String(bytes)]);
  expect(client.code, client.stderr).toBe(0);
  const serverSide = await server.result;
  expect(serverSide.code, serverSide.stderr).toBe(0);
  report(`${from} to ${to}: ${bytes >> 20} MiB both ways in ${Math.round(client.ms)} ms`);
  return {
    client: JSON.parse(client.stdout) as Transferred,
    server: JSON.parse(serverSide.stdout.split('\n')[1]!) as Transferred,
  };
}

async function expectSameBytes(...parameters: Parameters<typeof transfer>): Promise<void> {
  const { client, server } = await transfer(...parameters);
  expect(server.receivedBytes).toBe(parameters[5]);
  expect(client.receivedBytes).toBe(parameters[5]);
  expect(server.received).toBe(client.sent);
  expect(client.received).toBe(server.sent);
}

for (const offload of ['on', 'off'] as const) {
  describeUnless(lacks, `traffic with offload ${offload}`, () => {
    const cluster = testCluster();

    beforeAll(async () => {
      await cluster.up(twoNodes(), ['--offload', offload]);
    });

    test('pods have the first addresses of their nodes that are free, and so on every run', async () => {
      const { a, b, c } = addresses;
      expect(await podAddresses(cluster)).toEqual({ a, b, c });
    });

    for (const family of ['v4', 'v6'] as const) {
      test(`ping${family}: a pod on another node is two hops away, in both directions`, async () => {
        expect(await ping(cluster, 'a', addresses.b[family])).toBe(62);
        expect(await ping(cluster, 'b', addresses.a[family])).toBe(62);
      });

      test(`ping${family}: a pod on the same node is one hop away`, async () => {
        expect(await ping(cluster, 'a', addresses.c[family])).toBe(63);
        expect(await ping(cluster, 'c', addresses.a[family])).toBe(63);
      });

      test(`ping${family}: a node reaches its own pods and those of others, and they reach it`, async () => {
        expect(await ping(cluster, 'node/n1', addresses.a[family])).toBe(64);
        await ping(cluster, 'node/n1', addresses.b[family]);
        expect(await ping(cluster, 'a', addresses.n1[family])).toBe(64);
        await ping(cluster, 'b', addresses.n1[family]);
      });

      test(`ping${family}: the largest packet of the pod MTU passes whole, one byte more is refused in the pod`, async () => {
        const largest = POD_MTU - (family === 'v4' ? IPV4_ICMP_LEN : IPV6_ICMP_LEN);
        await ping(cluster, 'a', addresses.b[family], ['-M', 'do', '-s', String(largest)]);
        const refused = await cluster.exec('a', [
          ...['ping', '-c', '1', '-W', '1', '-M', 'do', '-s', String(largest + 1)],
          addresses.b[family],
        ]);
        expect(refused.code).not.toBe(0);
        expect(refused.stdout + refused.stderr).toMatch(/message too long/i);
      });

      test(`TCP/I${family}: 100 MiB each way at once between nodes arrive as they were sent`, async () => {
        await expectSameBytes(cluster, 'a', 'b', addresses.b[family], 5000, TRANSFER_BYTES);
      });
    }

    test('ping: every address of a node answers, from near and far', async () => {
      for (const from of ['a', 'b']) {
        for (const to of [addresses.n1.v4, addresses.n1.first, addresses.n2.v4, addresses.n2.first]) {
          await ping(cluster, from, to);
        }
      }
    });

    test('TCP: a pod to a pod beside it, to a node and from a node', async () => {
      const bytes = TRANSFER_BYTES / 10;
      await expectSameBytes(cluster, 'a', 'c', addresses.c.v4, 5001, bytes);
      await expectSameBytes(cluster, 'a', 'node/n1', addresses.n1.v4, 5002, bytes);
      await expectSameBytes(cluster, 'node/n2', 'a', addresses.a.v4, 5003, bytes);
    });

    test('UDP: datagrams of every size up to the MTU come back as they were sent, empty ones too', async () => {
      const server = cluster.startExec('b', [...program('udp-echo'), 'serve', '5004']);
      await server.says(/listening/);
      const largest = { v4: POD_MTU - 28, v6: POD_MTU - 48 };
      for (const family of ['v4', 'v6'] as const) {
        const sizes = [0, 1, 2, 63, 64, 65, 1000, largest[family] - 1, largest[family]].map(String);
        const ask = [...program('udp-echo'), 'ask', addresses.b[family], '5004', ...sizes];
        expect((await cluster.exec('a', ask)).stdout).toBe('9 of 9\n');
      }
      server.child.kill();
      await server.result;
    });

    test('after all that every packet is accounted for and none was dropped', async () => {
      await expectAccounted(cluster);
    });
  });
}

describeUnless(lacks, 'connections and drops', () => {
  const cluster = testCluster();

  beforeAll(async () => {
    await cluster.up(twoNodes());
  });

  interface Tuple {
    readonly source: string;
    readonly destination: string;
    readonly sourcePort: number;
    readonly destinationPort: number;
  }

  interface Connection {
    readonly node: string;
    readonly protocol: string;
    readonly state: string;
    readonly replied: boolean;
    readonly assured: boolean;
    readonly original: Tuple;
    readonly reply: Tuple;
  }

  async function connectionsTo(port: number): Promise<Connection[]> {
    const { stdout } = await cluster.run(['conntrack', 'list', '-o', 'json', '--name', cluster.name]);
    const { items } = JSON.parse(stdout) as { items: Connection[] };
    return items.filter(({ original }) => original.destinationPort === port);
  }

  test('an open TCP connection is ESTABLISHED on both nodes, with both tuples; closed, it is no more', async () => {
    const server = cluster.startExec('b', [...program('ticker'), 'serve', '5005']);
    await server.says(/listening/);
    const client = cluster.startExec('a', [...program('ticker'), 'connect', addresses.b.v4, '5005']);
    await client.says(/^3$/m);

    const open = await connectionsTo(5005);
    expect(open.map(({ node }) => node).sort()).toEqual(['n1', 'n2']);
    for (const { protocol, state, replied, assured, original, reply } of open) {
      expect({ protocol, state, replied, assured }).toEqual({
        protocol: 'tcp',
        state: 'ESTABLISHED',
        replied: true,
        assured: true,
      });
      expect(original).toMatchObject({ source: addresses.a.v4, destination: addresses.b.v4, destinationPort: 5005 });
      expect(original.sourcePort).toBeGreaterThan(1023);
      expect(reply).toMatchObject({
        source: original.destination,
        destination: original.source,
        sourcePort: 5005,
        destinationPort: original.sourcePort,
      });
    }

    client.child.kill();
    server.child.kill();
    await Promise.all([client.result, server.result]);
    const closed = await until(async () => {
      const connections = await connectionsTo(5005);
      return connections.every(({ state }) => state !== 'ESTABLISHED') && connections;
    }, 10_000);
    report(`closed: ${closed.map(({ node, state }) => `${node} ${state}`).join(', ') || 'no entries'}`);
  });

  test('a packet to an address without a pod, or outside the cluster, is dropped under its name', async () => {
    const destinations = [
      '10.244.0.99',
      '10.244.1.99',
      'fd00:10:244::99',
      'fd00:10:244:1::99',
      '192.0.2.1',
      '2001:db8::1',
    ];
    const pings = destinations.map(async (to) => {
      const { code, stdout } = await cluster.exec('a', ['ping', '-c', '1', '-W', '1', to]);
      return { code, received: /(\d) received/.exec(stdout)?.[1] };
    });
    expect(await Promise.all(pings)).toEqual(destinations.map(() => ({ code: 1, received: '0' })));
    // Where the packet is when it is found out: a pod CIDR is its node's business.
    expect((await cluster.counters('n1')).dropped).toEqual({ NoSuchPod: 2, NoRoute: 2 });
    expect((await cluster.counters('n2')).dropped).toEqual({ NoSuchPod: 2 });
    await expectAccounted(cluster, ['NoSuchPod', 'NoRoute']);
  });

  test('a datagram in fragments either arrives or is dropped under its name', async () => {
    const { code } = await cluster.exec('a', ['ping', '-c', '1', '-W', '1', '-s', '3000', addresses.b.v4]);
    const dropped = (await cluster.counters('n1')).dropped['Fragment'] ?? 0;
    expect(code === 0 ? dropped === 0 : dropped >= 2).toBe(true);
    await expectAccounted(cluster, ['NoSuchPod', 'NoRoute', 'Fragment']);
  });
});

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
  'icmp.checksum.status',
  'icmpv6.checksum.status',
  'frame.protocols',
] as const;

const IPV6_HEADER_LEN = 40;

function readDatagram(line: string): Datagram {
  const [ports, vnis, flags, ipLens, ipv6Lens, ip, udp, tcp, icmp, icmpv6, protocols] = line
    .split('\t')
    .map((cell) => cell.split(',').filter((word) => word !== '')) as [string[], ...string[][]];
  // The outer header is IPv4, so the first of both is the tunnel's.
  const inner = [...ip!.slice(1), ...udp!.slice(1), ...tcp!, ...icmp!, ...icmpv6!];
  return {
    outerPort: Number(ports[0]),
    vnis: vnis!,
    vxlanFlags: flags!,
    innerIpLen: ipv6Lens!.length > 0 ? Number(ipv6Lens![0]) + IPV6_HEADER_LEN : Number(ipLens![1]),
    innerChecksums: inner.map((status) => status === '1' || status === 'Good'),
    protocols: protocols![0]!,
  };
}

for (const offload of ['on', 'off'] as const) {
  describeUnless(lacksReferee, `a referee on the wire, offload ${offload}`, () => {
    const cluster = testCluster();
    const capture = join(cluster.home, 'wire.pcap');
    let datagrams: Datagram[] = [];

    beforeAll(async () => {
      await cluster.up(twoNodes(), ['--offload', offload]);
      const through = cluster.intoVessel();
      // Superframes are cut before the capture, so that it shows what a wire would.
      const cut = ['ethtool', '-K', 'lo', 'gso', 'off', 'tx-udp-segmentation', 'off'];
      expect((await cluster.start(cut, { through }).result).code).toBe(0);
      const tcpdump = cluster.start(
        [...['tcpdump', '-i', 'lo', '-B', '65536', '--immediate-mode', '-U'], '-w', capture, 'udp', 'port', '4789'],
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
        await transfer(cluster, 'a', 'b', addresses.b[family], 5011, 4 << 20);
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
