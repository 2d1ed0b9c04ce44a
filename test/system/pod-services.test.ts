/** Probes of a node's pods: what the cluster process hears, and when. */
import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PodServices } from '../../src/nodes/pod-services.ts';
import type { FromNode, WorkloadSpec } from '../../src/nodes/protocol.ts';
import { missing } from '../support/requires.ts';
import { TestPod, tcp } from './workload-pod.ts';

const lacks = missing('linux', 'root', 'tun');
const often = { periodSeconds: 0.02, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 1 };
const healthz = { ...often, httpGet: { path: '/healthz', port: 8080 } };
const web = { namespace: 'default', name: 'web' };

class World {
  readonly pod = new TestPod('web', ['10.244.0.2'], [tcp(8080)]);
  readonly heard: FromNode[] = [];
  readonly services = new PodServices(
    () => {},
    (message) => this.heard.push(message),
  );
  #version = 0;

  constructor() {
    const { path: namespacePath } = this.pod;
    const host = { namespacePath, interfaceName: '', mac: '', addresses: [] };
    this.services.apply({ version: 0, host });
    onTestFinished(() => this.services.obey({ order: 'end', pod: web }) as Promise<void>);
  }

  tell(spec: Partial<WorkloadSpec>): void {
    this.services.apply({ version: ++this.#version, workloads: [{ ...this.pod.spec, ...spec }] });
  }

  probed(): boolean[] {
    return this.heard.flatMap((message) => (message.type === 'probed' ? [message.ready] : []));
  }
}

describe.skipIf(lacks)(`pods that are probed${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  test('are unready at first, then what the probes say; each failure is told, and is in the log', async () => {
    const world = new World();
    world.tell({ probes: [healthz], notes: ['a note'] });
    expect(world.heard).toEqual([{ type: 'probed', pod: web, ready: false }]);
    await expect.poll(() => world.probed()).toEqual([false, true]);
    world.tell({ probes: [healthz], ready: false });
    await expect.poll(() => world.probed()).toEqual([false, true, false]);
    const message = 'readiness probe failed: status 503';
    expect(world.heard).toContainEqual({ type: 'unhealthy', pod: web, message });
    const log = await world.services.obey({ order: 'log', pod: web });
    expect(log).toMatch(/ a note\n/);
    expect(log).toContain(message);
  });

  test('begin anew when told to, and when their probes change; without probes they are ready', async () => {
    const world = new World();
    world.tell({ probes: [healthz] });
    await expect.poll(() => world.probed()).toEqual([false, true]);
    world.tell({ probes: [healthz] });
    expect(world.probed()).toEqual([false, true]);
    await world.services.obey({ order: 'probe', pod: web });
    await expect.poll(() => world.probed()).toEqual([false, true, false, true]);
    const other: Probe = { ...often, tcpSocket: { port: 8081 } };
    world.tell({ probes: [other] });
    await expect.poll(() => world.heard.some(({ type }) => type === 'unhealthy')).toBe(true);
    world.tell({ probes: [] });
    expect(world.probed()).toEqual([false, true, false, true, false, true]);
  });

  test('notes are in the log though there is nothing to probe', async () => {
    const world = new World();
    world.tell({ notes: ['exec is not done'] });
    expect(await world.services.obey({ order: 'log', pod: web })).toMatch(/ exec is not done\n$/);
    expect(world.heard).toEqual([]);
  });

  test('another pod of the name is probed anew', async () => {
    const world = new World();
    world.tell({ probes: [healthz] });
    await expect.poll(() => world.probed()).toEqual([false, true]);
    world.tell({ probes: [healthz], uid: 'another' });
    expect(world.probed()).toEqual([false, true, false]);
    await expect.poll(() => world.probed()).toEqual([false, true, false, true]);
  });

  test('are not probed any more once they have ended', async () => {
    const world = new World();
    world.tell({ probes: [{ ...often, tcpSocket: { port: 8081 } }] });
    await expect.poll(() => world.heard.length).toBeGreaterThan(1);
    await world.services.obey({ order: 'end', pod: web });
    const { length } = world.heard;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(world.heard).toHaveLength(length);
  });

  test('a port that no container has named is a failure with words', async () => {
    const world = new World();
    world.tell({ probes: [{ ...often, tcpSocket: { port: 'http' } }] });
    await expect.poll(() => world.heard.at(-1)).toMatchObject({ message: expect.stringContaining('named "http"') });
  });
});
