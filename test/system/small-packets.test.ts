/** Many small packets at once, made few between nodes: every byte arrives, in order, and it is seen that they were few. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kill, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { expectAccounted, ping, program } from './programs.ts';
import { describeUnless } from './skipping.ts';
import { addresses, twoNodes } from './worlds.ts';

const lacks = missing('root', 'linux', 'built', 'tun', 'vessel', 'program:ping');
const COUNT = 400;
const SIZE = 40;

/** What moved while datagrams were sent: packets as n1's stages saw them, frames that came to n2 from the underlay. */
interface Moved {
  readonly received: number;
  readonly frames: number;
}

function worldOf(flags: readonly string[]) {
  const cluster = testCluster();
  let port = 6000;
  beforeAll(async () => {
    await cluster.up(twoNodes(), flags);
    for (const family of ['v4', 'v6'] as const) await ping(cluster, 'a', addresses.b[family]);
  });
  afterAll(() => expectAccounted(cluster));

  /** The node sleeps while they are sent, so that all wait for it at once. */
  async function send(family: 'v4' | 'v6', flows: number, size = SIZE): Promise<Moved> {
    port++;
    const taker = cluster.startExec('b', [...program('udp-count'), 'take', String(port), String(COUNT)]);
    await taker.says(/listening/);
    const [n1, n2] = [await cluster.counters('n1'), await cluster.counters('n2')];
    const node = cluster.process('node', 'n1').pid;
    kill(node, 'SIGSTOP');
    const words = ['send', addresses.b[family], port, COUNT, flows, size].map(String);
    const { code, stderr } = await cluster.exec('a', [...program('udp-count'), ...words]);
    kill(node, 'SIGCONT');
    expect(code, stderr).toBe(0);
    const { stdout } = await taker.result;
    expect(JSON.parse(stdout.split('\n')[1]!)).toEqual({ seen: COUNT, damaged: 0, disordered: 0 });
    const [later1, later2] = [await cluster.counters('n1'), await cluster.counters('n2')];
    const framesOf = (counters: typeof n2) => counters.ports['underlay']!.receivedFrames;
    return { received: later1.received - n1.received, frames: framesOf(later2) - framesOf(n2) };
  }
  return { cluster, send };
}

for (const underlay of ['tap', 'udp']) {
  describeUnless(lacks, `the underlay by ${underlay}`, () => {
    const { cluster, send } = worldOf(['--underlay', underlay]);

    for (const family of ['v4', 'v6'] as const) {
      test(`packets of one flow are few packets (IP${family})`, async () => {
        const { received, frames } = await send(family, 1);
        expect(received).toBeLessThan(COUNT / 4);
        expect(frames).toBeLessThan(COUNT / 4);
      });

      test(`packets of many flows stay as many, and leave together (IP${family})`, async () => {
        const { received, frames } = await send(family, 20);
        expect(received).toBeGreaterThanOrEqual(COUNT);
        expect(frames).toBeLessThan(COUNT / 2);
      });
    }

    test('large ones too', async () => {
      const { received } = await send('v4', 1, 1400);
      expect(received).toBeLessThan(COUNT / 4);
    });

    test('who captures sees each', async () => {
      const file = `${cluster.home}/small.pcapng`;
      const capture = cluster.podwire([
        'capture',
        '-i',
        'pod/default/a',
        '-w',
        file,
        'udp and dst portrange 6000-6100',
      ]);
      await until(() => capture.stderr.includes('listening at'), 20_000);
      expect((await send('v4', 1)).received).toBeGreaterThanOrEqual(COUNT);
      capture.child.kill('SIGINT');
      const { stderr } = await capture.result;
      expect(stderr).toMatch(new RegExp(`\\b${COUNT} (packets|frames)`));
      expect((await send('v4', 1)).received).toBeLessThan(COUNT / 4);
    });
  });
}

describeUnless(lacks, 'without it', () => {
  const { send } = worldOf(['--without', 'merge,rows,spin,simd']);

  test('every packet is one packet all the way', async () => {
    const { received, frames } = await send('v4', 1);
    expect(Math.min(received, frames)).toBeGreaterThanOrEqual(COUNT);
  });
});
