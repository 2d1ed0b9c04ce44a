/** Services of a real cluster: real programs ask, podwire's workloads answer, across three nodes. */
import { beforeAll, describe, expect, test } from 'vitest';
import { report, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { expectAccounted, program } from './programs.ts';
import { apply, curl, deployment, documents, hostnames, pod, podsOf, service } from './service-world.ts';
import { describeUnless } from './skipping.ts';

const lacks = missing('linux', 'built', 'tun', 'vessel', 'program:nsenter', 'program:curl');

/** Connections for the spread: the least of them is expected 2,500 times. */
const CONNECTIONS = 10_000;
/** Of chi-square with 3 degrees of freedom, exceeded by chance once in a million runs. */
const CHI_SQUARE_MAX = 30.7;

const FIXED = '10.96.77.7';

const world = documents(
  deployment('web', 4),
  service('web', `clusterIP: ${FIXED}, ports: [{port: 80, targetPort: http}]`),
  service('headless', 'clusterIP: None, ports: [{port: 80, targetPort: http}]', 'web'),
  service('empty', 'clusterIP: 10.96.77.8, ports: [{port: 80}]'),
  service(
    'local',
    'clusterIP: 10.96.77.9, internalTrafficPolicy: Local, ports: [{port: 80, targetPort: 8080}]',
    'near',
  ),
  service('echo', 'clusterIP: 10.96.77.10, ports: [{port: 7, protocol: UDP, targetPort: 7007}]', 'echo'),
  deployment('echo', 2, '[{containerPort: 7007, protocol: UDP}]'),
  pod('near', 'n2', '{app: near}', '[{name: main, image: none, ports: [{containerPort: 8080}]}]'),
  pod('client', 'n1'),
  pod('other', 'n2'),
);

describeUnless(lacks, 'Services', () => {
  const cluster = testCluster();

  beforeAll(async () => {
    await cluster.up(world, ['--nodes', '3']);
  });

  test('a name leads to a backend, on whatever node, from pods and from nodes', async () => {
    const names = (await podsOf(cluster, 'web')).map(({ metadata }) => metadata.name);
    for (const from of ['client', 'other', 'node/n1', 'node/n2', 'node/n3']) {
      const { stdout, stderr } = await curl(cluster, from, 'http://web/hostname');
      expect(names, `${from}: ${stderr}`).toContain(stdout);
    }
  });

  test('connections spread evenly', async () => {
    const { answers, failures } = await hostnames(cluster, 'client', FIXED, 80, CONNECTIONS);
    expect(failures).toBe(0);
    const counts = Object.values(answers);
    expect(counts).toHaveLength(4);
    const expected = CONNECTIONS / 4;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    report(`${counts.join(', ')}: chi-square ${chiSquare.toFixed(2)} with 3 degrees of freedom`);
    expect(chiSquare).toBeLessThan(CHI_SQUARE_MAX);
  });

  test('a backend sees the client; one that asks itself sees the node', async () => {
    const client = await curl(cluster, 'client', 'http://web/clientip');
    expect(client.stdout).toMatch(/^10\.244\.0\.\d+:\d+$/);
    const [first] = await podsOf(cluster, 'web');
    const { name } = first!.metadata;
    const seen = new Set<string>();
    for (let i = 0; i < 40 && seen.size < 2; i++) {
      const { stdout } = await curl(cluster, name, 'http://web/');
      const { pod: answered, remote } = JSON.parse(stdout) as { pod: string; remote: string };
      const gateway = first!.status.podIP.replace(/\d+$/, '1');
      expect(remote.split(':')[0]).toBe(answered === name ? gateway : first!.status.podIP);
      seen.add(answered === name ? 'itself' : 'others');
    }
    expect([...seen].sort()).toEqual(['itself', 'others']);
  });

  test('KP-019 without endpoints a connection is refused at once', async () => {
    const { code, stderr, ms } = await curl(cluster, 'client', 'http://10.96.77.8/');
    expect(code, stderr).toBe(7); // failed to connect, and no time-out (28)
    report(`refused after ${Math.round(ms)} ms`);
  });

  test('KP-007 internalTrafficPolicy Local: the node’s own endpoint, or none', async () => {
    expect((await curl(cluster, 'other', 'http://local/hostname')).stdout).toBe('near');
    expect((await curl(cluster, 'client', 'http://local/hostname')).stdout).toBe('');
  });

  test('UDP goes there and back', async () => {
    const ask = [...program('udp-echo'), 'ask', '10.96.77.10', '7', '1', '100', '1400'];
    expect((await cluster.exec('client', ask)).stdout).toBe('3 of 3\n');
  });

  describe('names', () => {
    const ask = async (name: string) => {
      const { code, stdout } = await cluster.exec('client', ['getent', 'ahostsv4', name]);
      return code === 0 ? [...new Set(stdout.split('\n').flatMap((line) => line.split(' ')[0] || []))].sort() : code;
    };

    test('of a Service: its address, by short and long names', async () => {
      for (const name of ['web', 'web.default', 'web.default.svc', 'web.default.svc.cluster.local']) {
        expect(await ask(name)).toEqual([FIXED]);
      }
    });

    test('of a headless Service: its pods', async () => {
      const addresses = (await podsOf(cluster, 'web')).map(({ status }) => status.podIP);
      expect(await ask('headless')).toEqual(addresses.sort());
    });

    test('that nobody has are told at once', async () => {
      expect(await ask('nobody.default.svc.cluster.local')).toBe(2); // getent: not found
    });
  });

  test('scaling: connections to those that stay go on, the others end by FIN, new ones reach new pods', async () => {
    const before = (await podsOf(cluster, 'web')).map(({ metadata }) => metadata.name);
    const held = before.map(() => cluster.startExec('client', [...program('hold'), FIXED, '80']));
    const direct = (await podsOf(cluster, 'web')).map(({ metadata, status }) => {
      const running = cluster.startExec('client', [...program('hold'), status.podIP, '8080']);
      return { name: metadata.name, running };
    });
    await Promise.all([...held, ...direct.map(({ running }) => running)].map((running) => running.says(/^10$/m)));

    await apply(cluster, deployment('web', 2));
    await until(async () => (await podsOf(cluster, 'web')).length === 2, 10_000);
    const stayed = (await podsOf(cluster, 'web')).map(({ metadata }) => metadata.name);
    for (const { name, running } of direct) {
      if (stayed.includes(name)) {
        const last = Number(running.stdout.trimEnd().split('\n').at(-1));
        await until(() => Number(running.stdout.trimEnd().split('\n').at(-1)) > last + 5, 10_000);
      } else await running.says(/^(fin|rst)$/m);
    }
    expect(direct.filter(({ running }) => /fin|rst/.test(running.stdout))).toHaveLength(2);

    await apply(cluster, deployment('web', 5));
    const after = (await podsOf(cluster, 'web')).map(({ metadata }) => metadata.name);
    expect(after).toHaveLength(5);
    const { answers, failures } = await hostnames(cluster, 'client', FIXED, 80, 500);
    expect(failures).toBe(0);
    expect(Object.keys(answers).sort()).toEqual(after.sort());
    for (const running of [...held, ...direct.map((one) => one.running)]) {
      running.child.kill('SIGTERM');
      await running.result;
    }
  });

  test('after all that every packet is accounted for', async () => {
    await expectAccounted(cluster, ['NoEndpoints', 'NoLocalEndpoints']);
  });
});
