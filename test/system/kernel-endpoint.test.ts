/**
 * A Linux vxlan device as the other end of a tunnel: what it sends arrives in our pods, and what they send arrives there,
 * superframes, fragments and all. The kernel fills in nothing that it can leave to the receiver.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Running, report, testCluster } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { expectAccounted, program } from './programs.ts';
import { describeUnless } from './skipping.ts';
import { addresses, twoNodes } from './worlds.ts';

const lacks = missing(
  ...(['linux', 'root', 'built', 'tun', 'vessel', 'tunnel-offload'] as const),
  ...(['program:nsenter', 'program:ping', 'program:ip'] as const),
);

const UNDERLAY = '172.18.0.100';
const ROUTER = '172.18.0.99';
const MAC = '02:00:00:00:00:64';
const KERNEL = { v4: '10.250.0.1', v6: 'fd00:250::1' } as const;
/** Of the kernel's network namespace: a name of this run's own. */
const NETNS = `podwire-test-${process.pid}`;
const nodeMacs = { n1: '02:70:ac:12:00:02', n2: '02:70:ac:12:00:03' } as const;

const endpoint = `tunnelEndpoints:
- {name: kernel, address: ${UNDERLAY}, mac: "${MAC}", kernelLocal: true, routes: [10.250.0.0/24, "fd00:250::/64"]}
`;

/**
 * The kernel's side, made inside the vessel: a namespace with a vxlan device, behind a veth of the router's. As any
 * routed overlay has it, each node is a neighbour with a known MAC and a known place.
 */
const setUp = `set -e
ip netns add ${NETNS}
ip link add toward type veth peer name eth0 netns ${NETNS}
ip addr add ${ROUTER}/32 dev toward
ip link set toward up
ip route add ${UNDERLAY}/32 dev toward
k() { ip -n ${NETNS} "$@"; }
k link set lo up
k addr add ${UNDERLAY}/32 dev eth0
k link set eth0 mtu 1500 up
k route add ${ROUTER}/32 dev eth0
k route add 172.18.0.0/16 via ${ROUTER} dev eth0
k link add vx type vxlan id 1 local ${UNDERLAY} dstport 4789 nolearning
k link set vx address ${MAC} mtu 1450
k addr add ${KERNEL.v4}/32 dev vx
k addr add ${KERNEL.v6}/128 dev vx nodad
k link set vx up
node() { # NAME UNDERLAY MAC GATEWAY4 GATEWAY6 PODS4 PODS6
  ip netns exec ${NETNS} bridge fdb append "$2" dev vx dst "$1"
  k neigh add "$3" lladdr "$2" dev vx
  k neigh add "$4" lladdr "$2" dev vx
  k route add "$3"/32 dev vx
  k route add "$5" via "$3" dev vx onlink
  k -6 route add "$4"/128 dev vx
  k -6 route add "$6" via "$4" dev vx
}
node 172.18.0.2 ${nodeMacs.n1} 10.244.0.1 fd00:10:244::1 10.244.0.0/24 fd00:10:244::/64
node 172.18.0.3 ${nodeMacs.n2} 10.244.1.1 fd00:10:244:1::1 10.244.1.0/24 fd00:10:244:1::/64
`;

for (const underlay of ['tap', 'udp'] as const) {
  describeUnless(lacks, `a Linux vxlan device as tunnel endpoint, underlay ${underlay}`, () => {
    const cluster = testCluster();
    let through: readonly string[] = [];
    const inKernel = ['ip', 'netns', 'exec', NETNS];

    /** A command in the kernel's namespace. */
    function kernel(words: readonly string[]): Running {
      return cluster.start([...inKernel, ...words], { through: [...through] });
    }

    beforeAll(async () => {
      const [first, ...rest] = twoNodes().split('---\n');
      await cluster.up([`${first}${endpoint}`, ...rest].join('---\n'), ['--underlay', underlay]);
      through = cluster.intoVessel();
      const { code, stderr } = await cluster.start(['sh', '-c', setUp], { through: [...through] }).result;
      expect(code, stderr).toBe(0);
    });
    afterAll(async () => {
      if (through.length === 0) return;
      await cluster.start(['ip', 'netns', 'delete', NETNS], { through: [...through] }).result.catch(() => {});
    });

    for (const family of ['v4', 'v6'] as const) {
      test(`ping I${family}, both ways, small, of 4,000 and of 20,000 bytes`, async () => {
        for (const size of ['56', '4000', '20000']) {
          for (const pod of [addresses.a, addresses.b]) {
            const { stdout } = await kernel(['ping', '-c', '1', '-W', '2', '-s', size, pod[family]]).result;
            expect(stdout).toMatch(/ 1 received/);
          }
          const there = await cluster.exec('a', ['ping', '-c', '1', '-W', '2', '-s', size, KERNEL[family]]);
          expect(there.stdout).toMatch(/ 1 received/);
        }
      });

      test(`TCP/I${family}: 50 MiB each way at once, superframes whole, arrive as they were sent`, async () => {
        const bytes = String(50 << 20);
        const server = kernel([...program('transfer'), 'serve', '5019', bytes]);
        await server.says(/listening/);
        const client = await cluster.exec('b', [...program('transfer'), 'connect', KERNEL[family], '5019', bytes]);
        expect(client.code, client.stderr).toBe(0);
        const there = await server.result;
        const [ours, theirs] = [client.stdout, there.stdout.split('\n')[1]!].map((text) => JSON.parse(text));
        expect([ours.received, ours.receivedBytes]).toEqual([theirs.sent, 50 << 20]);
        expect([theirs.received, theirs.receivedBytes]).toEqual([ours.sent, 50 << 20]);
        report(`50 MiB both ways in ${Math.round(client.ms)} ms`);
      });

      test(`UDP/I${family}: datagrams of every size to 8,000 bytes come back from the kernel as they were sent`, async () => {
        const server = kernel([...program('udp-echo'), 'serve', '5020']);
        await server.says(/listening/);
        const sizes = ['0', '1', '1000', '1402', '1403', '3000', '8000'];
        const { stdout } = await cluster.exec('a', [...program('udp-echo'), 'ask', KERNEL[family], '5020', ...sizes]);
        expect(stdout).toBe('7 of 7\n');
        server.child.kill();
        await server.result;
      });

      test(`UDP/I${family}: and from our pods to the kernel`, async () => {
        const server = cluster.startExec('b', [...program('udp-echo'), 'serve', '5021']);
        await server.says(/listening/);
        const ask = [...program('udp-echo'), 'ask', addresses.b[family], '5021', '0', '1', '1402', '1403', '8000'];
        expect((await kernel(ask).result).stdout).toBe('5 of 5\n');
        server.child.kill();
        await server.result;
      });
    }

    test('an address that the endpoint does not stand for is not believed', async () => {
      const spoof = ['ip', 'addr', 'add', '10.9.9.9/32', 'dev', 'vx'];
      expect((await kernel(spoof).result).code).toBe(0);
      await kernel(['ping', '-c', '1', '-W', '1', '-I', '10.9.9.9', addresses.a.v4]).result;
      expect((await cluster.counters('n1')).dropped).toEqual({ SpoofedSource: 1 });
    });

    test('after all that every packet is accounted for', async () => {
      await expectAccounted(cluster, ['SpoofedSource']);
    });
  });
}
