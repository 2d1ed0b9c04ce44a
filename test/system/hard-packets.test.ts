/** Datagrams in fragments, and what nodes say about packets that they cannot forward: real kernels send and judge. */
import { beforeAll, expect, test } from 'vitest';
import { type TestCluster, testCluster } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { expectAccounted, ping, program } from './programs.ts';
import { describeUnless } from './skipping.ts';
import { addresses, twoNodes } from './worlds.ts';

const lacks = missing(
  ...(['linux', 'built', 'tun', 'vessel', 'program:nsenter', 'program:ping'] as const),
  ...(['program:tracepath', 'program:traceroute'] as const),
);

const kinds = [
  { name: 'as ever', flags: [] },
  { name: 'UDP sockets between nodes', flags: ['--underlay', 'udp'] },
  { name: 'offload off', flags: ['--offload', 'off'] },
] as const;

/** Runs a command in a pod and returns what it says, whatever its exit code. */
async function said(cluster: TestCluster, pod: string, command: readonly string[]): Promise<string> {
  const { stdout, stderr } = await cluster.exec(pod, command);
  return stdout + stderr;
}

/** The hops of a traceroute or tracepath, in order, without repetitions. */
function hops(text: string): string[] {
  const found = [...text.matchAll(/^ *\d+: +([0-9a-f.:]+) |^ *\d+ {2}([0-9a-f.:]+) /gm)].map(([, a, b]) => a ?? b!);
  return [...new Set(found)];
}

for (const { name, flags } of kinds) {
  describeUnless(lacks, `hard packets: ${name}`, () => {
    const cluster = testCluster();

    beforeAll(async () => {
      await cluster.up(twoNodes(), [...flags]);
    });

    for (const family of ['v4', 'v6'] as const) {
      test(`ping${family} -s 4000 and -s 65000, between nodes, on one node, and with a node`, async () => {
        for (const size of ['4000', '65000']) {
          await ping(cluster, 'a', addresses.b[family], ['-s', size]);
          await ping(cluster, 'a', addresses.c[family], ['-s', size]);
          await ping(cluster, 'node/n1', addresses.b[family], ['-s', size]);
        }
      });

      test(`UDP/I${family} of 8,000 and 60,000 bytes comes back as it was sent`, async () => {
        const server = cluster.startExec('b', [...program('udp-echo'), 'serve', '5010']);
        await server.says(/listening/);
        const ask = [...program('udp-echo'), 'ask', addresses.b[family], '5010', '8000', '60000', '1403', '65507'];
        const asked = family === 'v4' ? ask : ask.slice(0, -1);
        expect((await cluster.exec('a', asked)).stdout).toBe(`${asked.length - 5} of ${asked.length - 5}\n`);
        server.child.kill();
        await server.result;
      });

      test(`traceroute and tracepath see the two nodes (I${family})`, async () => {
        const nodes = family === 'v4' ? [addresses.n1.first, addresses.n2.first] : [addresses.n1.v6, addresses.n2.v6];
        const way = [...nodes, addresses.b[family]];
        expect(hops(await said(cluster, 'a', ['traceroute', '-n', '-q', '1', addresses.b[family]]))).toEqual(way);
        const path = await said(cluster, 'a', ['tracepath', '-n', addresses.b[family]]);
        expect(hops(path).slice(-3)).toEqual(way);
        expect(path).toMatch(/Resume: pmtu 1450 hops 3 back 3/);
      });

      test(`a destination that is nowhere is told at once (I${family})`, async () => {
        const nowhere = family === 'v4' ? '192.0.2.1' : '2001:db8::1';
        const nobody = family === 'v4' ? '10.244.1.200' : 'fd00:10:244:1::200';
        const ask = (to: string) => said(cluster, 'a', ['ping', '-c', '1', '-W', '3', to]);
        expect(await ask(nowhere)).toMatch(/Destination (Net Unreachable|unreachable: No route)/);
        expect(await ask(nobody)).toMatch(/Destination (Host Unreachable|unreachable: Address unreachable)/);
      });
    }

    test('a pod whose MTU is too large learns the way’s, and its connections go on', async () => {
      const { a, b } = addresses;
      const large = ['ip', 'link', 'set', 'eth0', 'mtu', '9000'];
      expect((await cluster.exec('a', large)).code).toBe(0);
      expect((await cluster.exec('b', large)).code).toBe(0);
      for (const family of ['v4', 'v6'] as const) {
        // The second is refused by the pod's own kernel, which has learnt.
        const told = await said(cluster, 'a', ['ping', '-c', '2', '-M', 'do', '-s', '3000', '-W', '1', b[family]]);
        expect(told).toMatch(/mtu ?= ?1450|message too long/i);
        expect(await said(cluster, 'a', ['ip', 'route', 'get', b[family]])).toMatch(/ mtu 1450/);
        expect(await said(cluster, 'b', ['tracepath', '-n', addresses.a[family]])).toMatch(/Resume: pmtu 1450 hops 3/);
      }
      const ask = [...program('transfer'), 'connect', b.v4, '5011', String(4 << 20)];
      const server = cluster.startExec('b', [...program('transfer'), 'serve', '5011', String(4 << 20)]);
      await server.says(/listening/);
      const client = await cluster.exec('a', ask);
      expect(client.code, client.stderr).toBe(0);
      await server.result;
      for (const pod of ['a', 'b']) await cluster.exec(pod, ['ip', 'link', 'set', 'eth0', 'mtu', '1450']);
      expect(a.v4).toBe('10.244.0.2');
    });

    test('after all that every packet is accounted for', async () => {
      await expectAccounted(cluster, ['TtlExceeded', 'NoRoute', 'NoSuchPod', 'MtuExceeded']);
    });
  });
}
