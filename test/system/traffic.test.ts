/** Real programs in pods, on one node and on two. */
import { beforeAll, expect, test } from 'vitest';
import { report, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { expectAccounted, ping, program, transfer } from './programs.ts';
import { describeUnless } from './skipping.ts';
import { addresses, podAddresses, twoNodes } from './worlds.ts';

const lacks = missing('linux', 'built', 'tun', 'vessel', 'program:nsenter', 'program:ping');

const lacksTunnels = lacks ?? missing('tunnel-offload');

const TRANSFER_BYTES = 100 * 1024 * 1024;
const POD_MTU = 1450;
const IPV4_ICMP_LEN = 28;
const IPV6_ICMP_LEN = 48;

async function expectSameBytes(...parameters: Parameters<typeof transfer>): Promise<void> {
  const { client, server } = await transfer(...parameters);
  expect(server.receivedBytes).toBe(parameters[5]);
  expect(client.receivedBytes).toBe(parameters[5]);
  expect(server.received).toBe(client.sent);
  expect(client.received).toBe(server.sent);
}

const kinds = [
  { name: 'superframes whole between nodes', flags: ['--underlay', 'tap'] },
  { name: 'UDP sockets between nodes', flags: ['--underlay', 'udp'] },
  { name: 'offload off', flags: ['--offload', 'off'] },
  { name: 'offload off, TAPs between nodes', flags: ['--offload', 'off', '--underlay', 'tap'] },
] as const;

for (const { name, flags } of kinds) {
  describeUnless(flags.some((flag) => flag === 'tap') ? lacksTunnels : lacks, `traffic: ${name}`, () => {
    const cluster = testCluster();

    beforeAll(async () => {
      await cluster.up(twoNodes(), [...flags]);
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
});
