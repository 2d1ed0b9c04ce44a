/** `podwire observe` on a real cluster: what flight recorders still know, and what happens from now on. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { FlowEvent } from '../../src/events/flow-text.ts';
import { kill, PODWIRE, type Running, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { ping, program } from './programs.ts';
import { describeUnless } from './skipping.ts';
import { addresses, twoNodes } from './worlds.ts';

const lacks = missing('linux', 'built', 'tun', 'vessel', 'program:nsenter', 'program:ping', 'program:ip');

/** An address that is nobody's, and that pod a says is its own. */
const FOREIGN = '10.99.0.1';
/** A port that nobody listens on. */
const CLOSED = 5099;
/** Two commands read two clocks each, some microseconds apart. */
function timeless({ flow, node_name }: FlowEvent) {
  const { time: _, ...rest } = flow;
  return { ...rest, node_name };
}

/** More events than wait for a reader anywhere. */
const FLOOD = 100_000;
const STAMP = String.raw`^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\.\d{3}: `;

describeUnless(lacks, 'observe', () => {
  const cluster = testCluster();
  const observe = (...flags: string[]) => cluster.run(['observe', ...flags, '--name', cluster.name]);
  const follow = (...flags: string[]) => cluster.podwire(['observe', '-f', ...flags, '--name', cluster.name]);

  /** Every event that the flags let through. */
  async function events(...flags: string[]): Promise<FlowEvent[]> {
    const count = flags.includes('--first') ? [] : ['--all'];
    const { code, stdout, stderr } = await observe(...count, '-o', 'json', ...flags);
    expect([code, stderr]).toEqual([0, '']);
    return (JSON.parse(stdout) as { items: FlowEvent[] }).items;
  }

  async function refusedConnection(from: string, to: string): Promise<void> {
    const { code } = await cluster.exec(from, [...program('transfer'), 'connect', to, String(CLOSED), '1']);
    expect(code).not.toBe(0);
  }

  async function spoofedPing(): Promise<void> {
    const { stdout } = await cluster.exec('a', ['ping', '-c', '1', '-W', '1', '-I', FOREIGN, addresses.b.v4]);
    expect(stdout).toContain('100% packet loss');
  }

  /** UDP from an address that is not the pod's: each datagram is a drop, and so an event. */
  async function flood(count: number): Promise<void> {
    const script = `const socket = require('dgram').createSocket('udp4');
      let left = ${count};
      const send = () => left-- > 0 ? socket.send('x', 9, '${addresses.b.v4}', send) : socket.close();
      socket.bind(0, '${FOREIGN}', send);`;
    expect((await cluster.exec('a', [process.execPath, '-e', script])).code).toBe(0);
  }

  /** Nothing is heard before nodes have been asked: sends until something is. */
  async function hears(running: Running, pattern: RegExp, cause: () => Promise<unknown>): Promise<void> {
    await until(async () => {
      await cause();
      return pattern.test(running.stdout);
    }, 20_000);
  }

  beforeAll(async () => {
    await cluster.up(twoNodes());
    await ping(cluster, 'a', addresses.b.v4);
    await refusedConnection('a', addresses.b.v4);
    expect((await cluster.exec('a', ['ip', 'addr', 'add', `${FOREIGN}/32`, 'dev', 'lo'])).code).toBe(0);
    await spoofedPing();
  });

  describe('the past', () => {
    test('a ping: both directions, on both nodes, in order of time', async () => {
      const seen = await events('--protocol', 'icmpv4', '--verdict', 'FORWARDED');
      expect(
        seen.map(({ flow }) => [flow.node_name, flow.Summary, flow.trace_observation_point, flow.is_reply]),
      ).toEqual([
        ['n1', 'ICMPv4 EchoRequest', 'TO_OVERLAY', false],
        ['n2', 'ICMPv4 EchoRequest', 'TO_ENDPOINT', false],
        ['n2', 'ICMPv4 EchoReply', 'TO_OVERLAY', true],
        ['n1', 'ICMPv4 EchoReply', 'TO_ENDPOINT', true],
      ]);
      const times = seen.map(({ time }) => time);
      expect(times).toEqual([...times].sort());
      expect(Math.abs(Date.parse(times[0]!) - Date.now())).toBeLessThan(600_000);
    });

    test('a refused connection: who asked, and who said no', async () => {
      const seen = await events('--port', String(CLOSED), '--node-name', 'n2', '--ip', addresses.a.v4);
      const [syn, reset] = seen.map(({ flow }) => flow);
      expect(syn).toMatchObject({
        source: { namespace: 'default', pod_name: 'a' },
        destination: { namespace: 'default', pod_name: 'b' },
        IP: { source: addresses.a.v4, destination: addresses.b.v4, ipVersion: 'IPv4' },
        l4: { TCP: { destination_port: CLOSED, flags: { SYN: true } } },
        traffic_direction: 'INGRESS',
        is_reply: false,
      });
      expect(reset).toMatchObject({ l4: { TCP: { flags: { RST: true } } }, is_reply: true, source: { pod_name: 'b' } });
    });

    test('a spoofed packet: dropped, by which stage, and why', async () => {
      const seen = await events('--verdict', 'DROPPED');
      expect(seen.length).toBe(1);
      expect(seen[0]!.flow).toMatchObject({
        node_name: 'n1',
        drop_reason_desc: 'SpoofedSource',
        stage: 'antiSpoof',
        source: { pod_name: 'a' },
        spoofed_source: FOREIGN,
        interface: { name: 'pod/default/a' },
      });
      for (const flags of [
        ['--drop-reason-desc', 'SpoofedSource', '--to-pod', 'b'],
        ['--not', '--verdict', 'FORWARDED'],
      ]) {
        expect((await events(...flags)).map(timeless)).toEqual(seen.map(timeless));
      }
    });

    test('--last, in lines', async () => {
      const { stdout } = await observe('--last', '1');
      const drop = `default/a\\(10\\.99\\.0\\.1\\) <> default/b SpoofedSource DROPPED \\(ICMPv4 EchoRequest\\): The source `;
      expect(stdout).toMatch(new RegExp(STAMP + drop));
      expect(stdout.split('\n').length).toBe(2);
      const all = (await events()).map(timeless);
      const lines = (await observe('--last', '3', '-o', 'jsonl')).stdout.trim().split('\n');
      expect(lines.map((line) => timeless(JSON.parse(line) as FlowEvent))).toEqual(all.slice(-3));
      expect((await events('--first', '2')).map(timeless)).toEqual(all.slice(0, 2));
    });

    test('--since, a table, and an expression', async () => {
      expect((await observe('--since', '1ms')).stdout).toBe('');
      const { stdout } = await observe('-o', 'table', '--print-node-name', 'tcp', 'and', 'dst', 'port', String(CLOSED));
      expect(stdout).toMatch(/^TIMESTAMP +NODE +SOURCE +DESTINATION +TYPE +VERDICT +SUMMARY\n/);
      expect(stdout.split('\n')[1]).toMatch(
        / n1 +default\/a:\d+ +default\/b:5099 +to-overlay +FORWARDED +TCP Flags: SYN$/,
      );
    });
  });

  describe('what happens now', () => {
    test('comes as it happens, without the past; Ctrl-C ends it', async () => {
      const running = follow('--pod', 'c');
      await hears(running, /default\/c:\d+ <- default\/b:5099/, () => refusedConnection('c', addresses.b.v4));
      expect(running.stdout).toMatch(new RegExp(`${STAMP}default/c:\\d+ -> default/b:5099 to-overlay FORWARDED`, 'm'));
      expect(running.stdout).not.toContain('default/a');
      kill(running.child.pid!, 'SIGINT');
      expect(await running.result).toMatchObject({ code: 0, stderr: '' });
    });

    test('after the last ones of the past', async () => {
      const running = follow('--last', '1', '--verdict', 'DROPPED', '-o', 'jsonl');
      await running.says(/\n/);
      expect(running.stdout.split('\n').length).toBe(2);
      await hears(running, /\n.*\n/, spoofedPing);
      const reasons = running.stdout
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as FlowEvent).flow.reason);
      expect(new Set(reasons)).toEqual(new Set(['SpoofedSource']));
      kill(running.child.pid!, 'SIGTERM');
      expect((await running.result).code).toBe(0);
    });

    test('until nobody reads it any more, and nobody is told of that', async () => {
      const shell = 'set -o pipefail; "$@" | head -n 1';
      const command = [process.execPath, PODWIRE, 'observe', '-f', '--name', cluster.name];
      const running = cluster.start(['bash', '-c', shell, 'bash', ...command]);
      await hears(running, /\n/, () => refusedConnection('c', addresses.a.v4));
      await until(async () => {
        await refusedConnection('c', addresses.a.v4);
        return running.child.exitCode !== null;
      }, 20_000);
      expect(await running.result).toMatchObject({ code: 0, stderr: '' });
    });
  });

  test('what a slow reader misses is counted: every drop is told or said to be lost', async () => {
    const dropped = async () => (await cluster.counters('n1')).dropped['SpoofedSource']!;
    const before = await dropped();
    const running = follow('--verdict', 'DROPPED', '--protocol', 'udp');
    await hears(running, /UDP/, () => flood(1));
    kill(running.child.pid!, 'SIGSTOP');
    // On a machine with much else to do a pod's own queue takes less than all of a flood.
    await until(async () => {
      await flood(FLOOD);
      return (await dropped()) - before > 0.9 * FLOOD;
    }, 20_000);
    kill(running.child.pid!, 'SIGCONT');
    await until(async () => {
      await flood(1);
      return /EVENTS LOST: \d+ at pod\/default\/a\n/.test(running.stderr);
    }, 20_000);
    const after = (await dropped()) - before;
    kill(running.child.pid!, 'SIGINT');
    const { stdout, stderr, code } = await running.result;
    const lost = [...stderr.matchAll(/EVENTS LOST: (\d+) at pod\/default\/a\n/g)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
    expect([code, stderr.replaceAll(/EVENTS LOST: .*\n/g, '')]).toEqual([0, '']);
    // Of the first few nobody was told: `hears` began before nodes had been asked.
    const told = stdout.split('\n').length - 1 + lost;
    expect(told).toBeLessThanOrEqual(after);
    expect(told).toBeGreaterThan(after - 100);
  });

  describe('a refusal says why', () => {
    for (const [words, message] of [
      [['--service', 'web'], '--service: flows name pods, not services'],
      [['--verdict', 'AUDIT'], '--verdict takes FORWARDED or DROPPED'],
      [['tcp', 'prot', '80'], 'filter: column '],
    ] as const) {
      test(words.join(' '), async () => {
        const { code, stderr } = await observe(...words);
        expect(code).toBe(2);
        expect(stderr).toContain(message);
      });
    }
  });
});
