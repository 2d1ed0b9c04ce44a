/** Links between real nodes: `podwire link`, and what pods notice of it. */
import { beforeAll, describe, expect, test } from 'vitest';
import { kill, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { expectAccounted, transfer } from './programs.ts';
import { describeUnless } from './skipping.ts';
import { addresses, twoNodes } from './worlds.ts';

const lacks = missing('linux', 'built', 'tun', 'vessel', 'program:nsenter', 'program:ping');

describeUnless(lacks, 'links', () => {
  const cluster = testCluster();

  beforeAll(async () => {
    await cluster.up(twoNodes());
  });

  const link = (...words: string[]) => cluster.run(['link', ...words, '--name', cluster.name]);
  const ping = async (from: string, to: string, ...flags: string[]) =>
    (await cluster.exec(from, ['ping', '-c', '10', '-i', '0.05', '-W', '2', ...flags, to])).stdout;
  const fastestMs = (output: string) => Number(/= ([\d.]+)\//.exec(output)?.[1]);

  test('there are none at first', async () => {
    const { code, stdout, stderr } = await link('get');
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toMatch(/^No links found/);
    expect((await link('get', 'n2', 'n1')).stdout).toMatch(/n1 - n2 +0ms +0ms +0% +0% +0%/);
  });

  test('latency is there in both directions, and only between nodes', async () => {
    expect((await link('set', 'n2', 'n1', '--latency', '40ms')).stdout).toMatch(/n1 - n2 +40ms +0ms +0% +0% +0%/);
    for (const family of ['v4', 'v6'] as const) {
      expect(fastestMs(await ping('a', addresses.b[family]))).toBeGreaterThanOrEqual(80);
    }
    expect(fastestMs(await ping('a', addresses.c.v4))).toBeLessThan(40);
  });

  test('a node that comes back has its links again', async () => {
    const { pid } = cluster.process('node', 'n1');
    kill(pid, 'SIGKILL');
    await until(() => cluster.processes().some((other) => other.words.includes('n1') && other.pid !== pid), 20_000);
    await until(async () => (await ping('a', addresses.c.v4)).includes(' 0% packet loss'), 20_000);
    expect(fastestMs(await ping('a', addresses.b.v4))).toBeGreaterThanOrEqual(80);
  });

  test('loss, copies and the end of a link', async () => {
    expect((await link('set', 'n1', 'n2', '--latency', '0', '--duplicate', '100%')).code).toBe(0);
    expect(await ping('a', addresses.b.v4, '-w', '1')).toMatch(/duplicates/);
    expect((await link('set', 'n1', 'n2', '--duplicate', '0%', '--loss', '100%')).code).toBe(0);
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      expect(await ping(from, addresses[to].v4, '-w', '1')).toMatch(/100% packet loss/);
    }
    expect((await link('set', 'n1', 'n2', '--loss', '0%')).code).toBe(0);
    expect(await ping('a', addresses.b.v4)).toMatch(/ 0% packet loss/);
    expect((await link('get', '-o', 'json')).stdout).toBe('{\n  "items": []\n}\n');
    for (const node of ['n1', 'n2']) {
      const { violations, dropped } = await cluster.counters(node);
      expect(violations).toBe(0);
      expect(dropped['LinkLoss']).toBeGreaterThan(0);
    }
  });

  describe('a refusal says why', () => {
    for (const [words, message] of [
      [['set', 'n1', 'n1', '--loss', '1%'], 'a link has two ends, and "n1" is one node'],
      [['set', 'n1', 'n9', '--loss', '1%'], 'nodes "n9" not found'],
      [['set', 'n1', 'n2', '--reorder', '1%'], 'reorder needs a delay'],
      [['set', 'n1', 'n2', '--latency', '2000s'], 'delayMs: found 2000000, expected a number from 0 to 60000'],
      [['set', 'n1', 'n2', '--loss', '101%'], '--loss takes a share from 0% to 100%, found "101%"'],
      [['set', 'n1', 'n2', '--latency', '20'], '--latency takes a time such as 20ms or 1.5s, found "20"'],
      [['set', 'n1', 'n2'], 'link set needs a flag that says what to change'],
      [['get', 'n1', 'n2', '--loss', '1%'], 'link get changes nothing'],
      [['set', 'n1', '--loss', '1%'], 'link set takes two nodes'],
      [['lose'], 'expected "get" or "set", found "lose"'],
    ] as const) {
      test(words.join(' '), async () => {
        const { code, stderr } = await link(...words);
        expect(code).toBe(2);
        expect(stderr).toContain(message);
      });
    }
  });
});

/** Faults that TCP must mend; more delay than jitter, or nothing could overtake. */
const FAULTS = ['--latency', '3ms', '--jitter', '1ms', '--loss', '1%', '--duplicate', '1%', '--reorder', '1%'];
const TRANSFER_BYTES = 4 * 1024 * 1024;

for (const underlay of ['tap', 'udp'] as const) {
  const lacksThis = lacks ?? (underlay === 'tap' ? missing('tunnel-offload') : undefined);
  describeUnless(lacksThis, `TCP over a bad link, underlay ${underlay}`, () => {
    const cluster = testCluster();

    beforeAll(async () => {
      await cluster.up(twoNodes(), ['--underlay', underlay]);
      expect((await cluster.run(['link', 'set', 'n1', 'n2', ...FAULTS, '--name', cluster.name])).code).toBe(0);
    });

    test('every byte arrives, in both directions, and every packet is accounted for', async () => {
      const { client, server } = await transfer(cluster, 'a', 'b', addresses.b.v4, 5000, TRANSFER_BYTES);
      expect(server.received).toBe(client.sent);
      expect(client.received).toBe(server.sent);
      await expectAccounted(cluster, ['LinkLoss']);
      for (const node of ['n1', 'n2']) {
        const { dropped, copied, split } = await cluster.counters(node);
        for (const count of [dropped['LinkLoss'], copied, split]) expect(count).toBeGreaterThan(5);
      }
    });
  });
}
