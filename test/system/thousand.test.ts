/**
 * A thousand pods, killed, and at once a thousand again. All of it happens in a user namespace that allows hardly more
 * network namespaces than one such cluster has: the kernel counts each until it is really gone, so a single pod that
 * hides anywhere, held by a forgotten descriptor or process, keeps the next cluster from starting.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kill, type Running, report, testCluster } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { describeUnless } from './skipping.ts';
import { clusterManifest, type Listed } from './worlds.ts';

const lacks = missing('linux', 'root', 'built', 'tun', 'vessel', 'program:nsenter');

/** Of the cluster itself: kube-system/coredns. */
const NAME_SERVERS = 2;
const NODES = 4;
const PODS = 1000;
/** The vessel's, the nodes' and the pods' network namespaces, and a few for the kernel's bookkeeping. */
const NETWORKS_MAX = 1 + NODES + PODS + NAME_SERVERS + 5;
const UP_TIMEOUT_MS = 100_000;

describeUnless(lacks, `${PODS} pods where only ${NETWORKS_MAX} network namespaces are allowed`, () => {
  const cluster = testCluster();
  const pods = Array.from({ length: PODS }, (_, i) => ({ name: `p${i}`, node: `n${(i % NODES) + 1}` }));
  const manifest = clusterManifest(NODES, pods);
  let holder: Running;
  let through: string[] = [];

  beforeAll(async () => {
    // Somebody must stay in the user namespace, or it would go with the first cluster.
    const hold = 'echo "$1" >/proc/sys/user/max_net_namespaces; echo $$; read -r _';
    const words = ['unshare', '--user', '--map-root-user', 'sh', '-ec', hold, 'sh', String(NETWORKS_MAX)];
    holder = cluster.hold(words);
    const [, pid] = await holder.says(/^(\d+)$/m);
    through = ['nsenter', `--user=/proc/${pid}/ns/user`, '--preserve-credentials', '--'];
    expect(readFileSync(`/proc/${pid}/uid_map`, 'utf8')).toMatch(/^\s*0\s+0\s+1\n$/);
  });
  afterAll(() => holder.child.kill('SIGKILL'));

  async function up(): Promise<number> {
    const { ms } = await cluster.up(manifest, [], { through, timeoutMs: UP_TIMEOUT_MS });
    return Math.round(ms);
  }

  test('become ready, every one with addresses of its own', async () => {
    report(`${PODS} pods on ${NODES} nodes: up in ${await up()} ms`);
    const items = await cluster.get<Listed>('pods');
    const ready = items.filter(({ status }) =>
      status.conditions.some((c) => c.type === 'Ready' && c.status === 'True'),
    );
    expect(ready).toHaveLength(PODS);
    expect(new Set(items.flatMap(({ status }) => status.podIPs!.map(({ ip }) => ip))).size).toBe(2 * PODS);
    expect(cluster.networks().size).toBe(1 + NODES + PODS + NAME_SERVERS);
  });

  test('leave no room for another cluster, which is refused and harms nothing', async () => {
    const file = cluster.write(
      'second.yaml',
      clusterManifest(
        1,
        pods.slice(0, 10).map(({ name }) => ({ name })),
      ),
    );
    const second = await cluster.run(['up', file, '-d', '--name', 'second'], { through });
    expect(second.code, second.stderr).toBe(2);
    expect(second.stderr).toMatch(/max_net_namespaces/);
    expect((await cluster.run(['exec', '--name', cluster.name, 'p999', '--', 'hostname'], { through })).stdout).toBe(
      'p999\n',
    );
  });

  for (const kind of ['host', 'reaper', 'cluster'] as const) {
    test(`are gone so soon after SIGKILL of the ${kind} process that the same cluster starts at once`, async () => {
      expect(cluster.networks().size).toBe(1 + NODES + PODS + NAME_SERVERS);
      const startedMs = performance.now();
      kill(cluster.process(kind).pid, 'SIGKILL');
      const ms = await up();
      report(`SIGKILL of ${kind}, then up at once: ${ms} ms, ${Math.round(performance.now() - startedMs)} ms in all`);
      expect(cluster.networks().size).toBe(1 + NODES + PODS + NAME_SERVERS);
    });
  }

  test('are gone when down returns', async () => {
    const { code, ms } = await cluster.down({ through });
    expect(code).toBe(0);
    expect(cluster.processes()).toEqual([]);
    report(`down: ${Math.round(ms)} ms`);
  });
});
