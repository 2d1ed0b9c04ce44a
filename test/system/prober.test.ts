import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Prober } from '../../src/nodes/prober.ts';
import type { ProbeOrder } from '../../src/nodes/protocol.ts';
import { Workloads } from '../../src/nodes/workloads.ts';
import { bindUdp, listenTcp } from '../../src/sys/listen.ts';
import { inNamespace } from '../../src/sys/namespace.ts';
import { missing } from '../support/requires.ts';
import { TestPod, tcp, udp } from './workload-pod.ts';

const lacks = missing('linux', 'root', 'tun');
const v4 = '10.244.0.2';
const v6 = 'fd00:10:244::2';

async function world() {
  const pod = new TestPod('web', [v4, v6], [tcp(8080), udp(5353)]);
  const workloads = new Workloads({ graceMs: 10 });
  workloads.start(pod.spec);
  onTestFinished(() => workloads.stop(pod.spec));
  const prober = new Prober(7);
  const ask = (protocol: ProbeOrder['protocol'], address: string, port: number, timeoutMs = 1000) =>
    prober.ask({ order: 'ask', namespacePath: pod.path, address, port, protocol, timeoutMs });
  // A kernel under load takes its time to make IPv6 addresses its own.
  await expect.poll(async () => (await ask('ICMP', v6, 0, 100)).outcome, { timeout: 10_000 }).toBe('delivered');
  return { pod, ask };
}

describe.skipIf(lacks)(`probes from a pod${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  for (const address of [v4, v6]) {
    test(`${address}: TCP, UDP and ICMP are answered, closed ports refuse`, async () => {
      const { ask } = await world();
      const connected = await ask('TCP', address, 8080);
      expect(connected).toMatchObject({ outcome: 'delivered', detail: 'connected, 14 bytes back' });
      expect(connected.source!.address).toBe(address);
      expect(connected.source!.port).toBeGreaterThan(1023);
      expect(await ask('TCP', address, 81)).toMatchObject({ outcome: 'refused', detail: 'connection refused' });
      expect(await ask('UDP', address, 5353)).toMatchObject({ outcome: 'delivered', detail: '14 bytes back' });
      expect(await ask('UDP', address, 81)).toMatchObject({
        outcome: 'refused',
        detail: `ICMP from ${address}: port unreachable`,
      });
      expect(await ask('ICMP', address, 0)).toMatchObject({ outcome: 'delivered', detail: 'echo reply' });
    });
  }

  test('a server that says nothing is there; one that hangs up or resets too', async () => {
    const { pod, ask } = await world();
    const listen = (port: number) => ({ fd: inNamespace(pod.network, 'net', () => listenTcp('0.0.0.0', port, 10)) });
    const servers = [
      createServer((socket) => void socket.on('error', () => {})).listen(listen(1)),
      createServer((socket) => void socket.on('error', () => {}).end()).listen(listen(2)),
      createServer((socket) => void socket.on('error', () => {}).once('data', () => socket.resetAndDestroy())).listen(
        listen(3),
      ),
    ];
    onTestFinished(() => {
      for (const server of servers) server.close();
    });
    const answers = await Promise.all([1, 2, 3].map((port) => ask('TCP', v4, port)));
    expect(answers.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered', 'delivered']);
    expect(answers[0]!.detail).toBe('connected; nothing came back');
  });

  test('silence ends with the time; datagrams are sent three times', async () => {
    const { pod, ask } = await world();
    let heard = 0;
    const socket = createSocket('udp4').on('message', () => heard++);
    socket.bind({ fd: inNamespace(pod.network, 'net', () => bindUdp('0.0.0.0', 9)) });
    onTestFinished(() => void socket.close());
    const began = performance.now();
    expect(await ask('UDP', v4, 9, 150)).toMatchObject({ outcome: 'no-answer', detail: 'no answer' });
    expect(performance.now() - began).toBeGreaterThan(140);
    expect(heard).toBe(3);
    expect(await ask('TCP', '10.9.9.9', 80, 100)).toMatchObject({ outcome: 'no-answer' });
  });

  test('no address, no namespace: said, not thrown', async () => {
    const { ask } = await world();
    expect(await ask('TCP', 'web', 80)).toMatchObject({ outcome: 'no-answer', source: undefined });
    const nowhere = { order: 'ask', namespacePath: '/nowhere', address: v4, port: 1, protocol: 'TCP' } as const;
    expect(await new Prober(1).ask({ ...nowhere, timeoutMs: 50 })).toMatchObject({
      outcome: 'no-answer',
      detail: expect.stringContaining('ENOENT'),
    });
  });

  test('SCTP: who asks himself says no himself, each port for itself', async () => {
    const { ask } = await world();
    for (const address of [v4, v6]) {
      const answers = await Promise.all([80, 81, 82].map((port) => ask('SCTP', address, port, 500)));
      for (const answer of answers) expect(answer).toMatchObject({ outcome: 'refused', detail: 'ABORT' });
      expect(new Set(answers.map(({ source }) => source!.port)).size).toBe(3);
    }
  });

  test('hundreds at once', async () => {
    const { ask } = await world();
    const questions = Array.from({ length: 400 }, (_, i) =>
      i % 2 === 0 ? ask('TCP', v4, 8080, 5000) : ask('UDP', v6, 5353, 5000),
    );
    const answers = await Promise.all(questions);
    expect(answers.filter(({ outcome }) => outcome !== 'delivered')).toEqual([]);
  });
});
