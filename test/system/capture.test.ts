/**
 * `podwire capture` on real clusters: Wireshark's programs judge the files, and tcpdump in a pod is a second witness.
 */
import { beforeAll, expect, test } from 'vitest';
import {
  capinfos,
  faults,
  fields,
  packetCount,
  RANDOM_TCP_PORT,
  RANDOM_UDP_PORT,
  said,
  streamHashes,
  TestCapture,
} from '../support/capturing.ts';
import { kill, type TestCluster, testCluster } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { expectAccounted, ping, program, transfer } from './programs.ts';
import { describeUnless, testUnless } from './skipping.ts';
import { addresses, twoNodes } from './worlds.ts';

const lacks = missing(
  ...(['linux', 'built', 'tun', 'vessel', 'program:nsenter', 'program:ping', 'program:ip'] as const),
  ...(['program:traceroute', 'program:tshark', 'program:capinfos', 'program:editcap'] as const),
);

/** An address that is nobody's, and that pod a says is its own. */
const FOREIGN = '10.99.0.1';
const CLOSED_PORT = 47_099;
/** Payload of the ping that is followed from hop to hop. */
const FOLLOWED_LEN = 300;

const { a, b, n1, n2 } = addresses;

/** Where packets between pods a and b are seen. */
const HOPS = ['node/n1:underlay', 'node/n2:underlay', 'pod/default/a', 'pod/default/b'];

const kinds = [
  { name: 'underlay auto', flags: [], bytes: 10 << 20 },
  { name: 'underlay udp', flags: ['--underlay', 'udp'], bytes: 1 << 20 },
  { name: 'offload off', flags: ['--offload', 'off'], bytes: 1 << 20 },
] as const;

/** Of everything a little. */
async function traffic(cluster: TestCluster): Promise<void> {
  const server = cluster.startExec('b', [...program('udp-echo'), 'serve', String(RANDOM_UDP_PORT)]);
  await server.says(/listening/);
  const script = [
    `ping -c 2 -i 0.05 -s ${FOLLOWED_LEN} ${b.v4}`,
    `ping -c 1 -s ${FOLLOWED_LEN} ${b.v6}`,
    `ping -c 1 ${addresses.c.v4}`,
    `ip address add ${FOREIGN}/32 dev lo`,
    `ping -c 1 -W 1 -I ${FOREIGN} ${b.v4} || true`,
    `traceroute -n -q 1 ${b.v4}`,
    `traceroute -n -q 1 ${b.v6}`,
    `"$1" "$2" ask ${b.v4} ${RANDOM_UDP_PORT} 4000`,
    `"$1" "$2" ask ${b.v6} ${RANDOM_UDP_PORT} 4000`,
    `! "$1" "$3" connect ${b.v4} ${CLOSED_PORT} 1`,
  ];
  const programs = [...program('udp-echo'), program('transfer')[1]!];
  const { code, stdout, stderr } = await cluster.exec('a', ['sh', '-exc', script.join('\n'), 'sh', ...programs]);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout.match(/1 of 1/g)?.length).toBe(2);
  await ping(cluster, 'node/n1', b.v4);
  kill(server.child.pid!, 'SIGTERM');
  await server.result;
}

for (const { name, flags, bytes } of kinds) {
  describeUnless(
    lacks ?? (name === 'underlay auto' ? missing('tunnel-offload') : undefined),
    `capture: ${name}`,
    () => {
      const cluster = testCluster();
      let path = '';
      let summary = '';

      beforeAll(async () => {
        await cluster.up(twoNodes(), flags);
        const capture = new TestCapture(cluster, 'all.pcapng');
        path = capture.path;
        await capture.begun(() => ping(cluster, 'a', b.v4));
        await traffic(cluster);
        const { code, stdout, stderr } = await capture.end();
        expect([code, stdout], stderr).toEqual([0, '']);
        summary = stderr;
      });

      test('nothing malformed, no wrong checksum, in order of time, and as many packets as it says', async () => {
        expect(await faults(path)).toEqual([]);
        expect(await capinfos(path)).toMatch(/Strict time order: +True/);
        expect(summary).toBe(
          `podwire capture: listening at 9 hops; Ctrl-C ends\n${await packetCount(path)} packets captured\n`,
        );
      });

      test('hops have names and descriptions', async () => {
        const text = await capinfos(path);
        const found = [...text.matchAll(/Name = (.*)\n +Description = (.*)/g)].map(([, hop, what]) => [hop, what]);
        expect(found.filter(([hop]) => /^pod\/kube-system\/coredns-/.test(hop!))).toHaveLength(2);
        expect(found.filter(([hop]) => !/^pod\/kube-system\//.test(hop!))).toEqual([
          ['pod/default/a', `pod default/a on n1, ${a.v4}, ${a.v6}`],
          ['pod/default/b', `pod default/b on n2, ${b.v4}, ${b.v6}`],
          ['pod/default/c', `pod default/c on n1, ${addresses.c.v4}, ${addresses.c.v6}`],
          ['node/n1:host', `network namespace of node n1, ${n1.v4}`],
          ['node/n1:underlay', `underlay of node n1, ${n1.v4}, VXLAN`],
          ['node/n2:host', `network namespace of node n2, ${n2.v4}`],
          ['node/n2:underlay', `underlay of node n2, ${n2.v4}, VXLAN`],
        ]);
        const total = [...text.matchAll(/Number of packets = (\d+)/g)].reduce(
          (sum, [, count]) => sum + Number(count),
          0,
        );
        expect(total).toBe(await packetCount(path));
      });

      test('directions are those of the place', async () => {
        const senders: Record<string, string> = {
          'pod/default/a': '0a:58:0a:f4:00:02',
          'pod/default/b': '0a:58:0a:f4:01:02',
          'pod/default/c': '0a:58:0a:f4:00:03',
          'node/n1:host': '06:70:ac:12:00:02',
          'node/n1:underlay': n1.v4,
          'node/n2:underlay': n2.v4,
        };
        const rows = await fields(path, [
          'frame.interface_name',
          'frame.packet_flags_direction',
          'eth.src',
          'ip.src',
          'vxlan.vni',
        ]);
        const seen = new Set<string>();
        for (const row of rows) {
          const hop = row['frame.interface_name'];
          const underlay = hop.endsWith(':underlay');
          const sender = (underlay ? row['ip.src'] : row['eth.src']).split(',')[0];
          const direction = row['frame.packet_flags_direction'] === '0x00000002' ? 'outbound' : 'inbound';
          expect(direction, JSON.stringify(row)).toBe(sender === senders[hop] ? 'outbound' : 'inbound');
          expect(row['vxlan.vni'] !== '', JSON.stringify(row)).toBe(underlay);
          seen.add(`${hop} ${direction}`);
        }
        const hops = Object.keys(senders).sort();
        expect([...seen].sort()).toEqual(hops.flatMap((hop) => [`${hop} inbound`, `${hop} outbound`]));
      });

      test('a ping from hop to hop: what became of it, and one number on each node', async () => {
        const names = ['frame.interface_name', 'frame.comment', 'frame.packet_id'] as const;
        const rows = await fields(path, names, `icmp && ip.len == ${FOLLOWED_LEN + 28}`);
        const there = [
          ['pod/default/a', 'n1: from pod/default/a | forwarded to n2'],
          ['node/n1:underlay', 'n1: to n2, from pod/default/a | sent'],
          ['node/n2:underlay', 'n2: from n1 | forwarded to pod/default/b'],
          ['pod/default/b', 'n2: to pod/default/b, from n1 | sent'],
        ] as const;
        const back = [
          ['pod/default/b', 'n2: from pod/default/b | forwarded to n1'],
          ['node/n2:underlay', 'n2: to n1, from pod/default/b | sent'],
          ['node/n1:underlay', 'n1: from n2 | forwarded to pod/default/a'],
          ['pod/default/a', 'n1: to pod/default/a, from n2 | sent'],
        ] as const;
        const told = (hops: typeof there | typeof back, state: string) =>
          hops.map(([hop, words]) => [hop, `${words} | conntrack ${state}`]);
        expect(rows.map((row) => [row['frame.interface_name'], row['frame.comment']])).toEqual([
          ...told(there, 'NEW, original'),
          ...told(back, 'ESTABLISHED, reply'),
          ...told(there, 'ESTABLISHED, original'),
          ...told(back, 'ESTABLISHED, reply'),
        ]);
        const ids = rows.map((row) => row['frame.packet_id']);
        for (let i = 0; i < ids.length; i += 2) expect(ids[i]).toBe(ids[i + 1]);
        expect(new Set(ids).size).toBe(ids.length / 2);
      });

      test('what was dropped says where and why', async () => {
        const rows = await fields(
          path,
          ['frame.interface_name', 'frame.comment', 'ip.src'],
          'frame.comment contains "DROPPED"',
        );
        const drops = rows.map((row) => [
          row['frame.interface_name'],
          /DROPPED at (\w+: \w+) \|/.exec(row['frame.comment'])?.[1],
        ]);
        expect(new Set(drops.map((drop) => drop.join(' ')))).toEqual(
          new Set([
            'pod/default/a antiSpoof: SpoofedSource',
            'pod/default/a hopLimit: TtlExceeded',
            'node/n2:underlay hopLimit: TtlExceeded',
          ]),
        );
        expect(rows.filter((row) => row['ip.src'] === FOREIGN).length).toBe(1);
      });

      test('fragments, errors and refusals are there, at every hop on their way', async () => {
        const kinds: Record<string, string> = {
          'a datagram in pieces': `ip.flags.mf == 1 && ip.dst == ${b.v4}`,
          'a datagram in pieces, IPv6': `ipv6.fraghdr && ipv6.dst == ${b.v6}`,
          'a refusal': `tcp.flags.reset == 1 && tcp.srcport == ${CLOSED_PORT}`,
          'the end of a traceroute': 'icmp.type == 3 && icmp.code == 3',
          'the end of a traceroute, IPv6': 'icmpv6.type == 1 && icmpv6.code == 4',
        };
        const found = await Promise.all(
          Object.values(kinds).map((filter) => fields(path, ['frame.interface_name'], filter)),
        );
        for (const [i, what] of Object.keys(kinds).entries()) {
          const hops = found[i]!.map((row) => row['frame.interface_name']);
          expect([...new Set(hops)].sort(), what).toEqual(HOPS);
        }
        const expired = await fields(path, ['frame.interface_name', 'frame.comment'], 'icmp.type == 11');
        expect(expired[0]).toMatchObject({ 'frame.interface_name': 'pod/default/a' });
        expect(expired[0]!['frame.comment']).toContain('n1: to pod/default/a, begins here | sent');
      });

      test('every byte of a TCP connection is on every hop, and the last ones are not lost to Ctrl-C', async () => {
        const capture = new TestCapture(cluster, 'stream.pcapng', ['-B', '131072', 'tcp', 'or', 'icmp']);
        await capture.begun(() => ping(cluster, 'a', b.v4));
        const { client, server } = await transfer(cluster, 'a', 'b', b.v4, RANDOM_TCP_PORT, bytes);
        const { code, stderr } = await capture.end();
        expect(code).toBe(0);
        expect(stderr).toMatch(/^podwire capture: listening at 9 hops; Ctrl-C ends\n\d+ packets captured\n$/);
        expect([client.received, server.received]).toEqual([server.sent, client.sent]);
        const hashes = await streamHashes(capture.path, RANDOM_TCP_PORT);
        expect([...hashes.keys()].sort()).toEqual(HOPS);
        for (const hop of HOPS) {
          expect(Object.fromEntries(hashes.get(hop)!), hop).toEqual({ client: client.sent, server: server.sent });
        }
        expect(await capinfos(capture.path)).toMatch(/Strict time order: +True/);
      });

      test('nothing was harmed', async () => {
        await expectAccounted(cluster, ['TtlExceeded', 'SpoofedSource']);
      });

      if (name !== 'underlay auto') return;

      test('other programs read it', async () => {
        const named = await said('tshark', '-r', path, '-N', 'n', '-c', '20');
        expect(named.text).toMatch(/default\/a → default\/b/);
        expect(await said('editcap', '-F', 'pcap', path, `${path}.pcap`)).toMatchObject({ code: 0 });
        expect(await packetCount(`${path}.pcap`)).toBe(await packetCount(path));
      });

      testUnless(missing('program:tcpdump'), 'tcpdump reads it', async () => {
        const { code, text } = await said('tcpdump', '-nr', path, 'icmp', 'or', 'udp', 'port', '4789');
        expect(code, text.slice(0, 300)).toBe(0);
        expect(text).toMatch(new RegExp(`IP ${a.v4} > ${b.v4}: ICMP echo request`));
        expect(text).toMatch(/VXLAN, flags \[I\]/);
      });

      testUnless(missing('scapy'), 'scapy reads it', async () => {
        const script = [
          'import sys; from scapy.all import PcapNgReader, VXLAN, ICMP',
          'pkts = list(p for _, p in zip(range(2000), PcapNgReader(sys.argv[1])))',
          'print(len([p for p in pkts if VXLAN in p and ICMP in p[VXLAN]]) > 8)',
        ];
        expect((await said('/usr/bin/python3', '-c', script.join('\n'), path)).text).toMatch(/^True\n/);
      });
    },
  );
}
