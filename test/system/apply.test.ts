/** A cluster that changes while it runs: what `apply` and `delete` say is in force when they return. */
import { beforeAll, expect, test } from 'vitest';
import { report, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { expectAccounted } from './programs.ts';
import { apply, curl, deployment, documents, pod, podsOf, service } from './service-world.ts';
import { describeUnless } from './skipping.ts';

const lacks = missing('linux', 'built', 'tun', 'vessel', 'program:nsenter', 'program:curl');

interface NamedItem {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status?: { readonly podIP?: string };
}

describeUnless(lacks, 'a cluster that changes', () => {
  const cluster = testCluster();
  const names = async (kind: string) => (await cluster.get<NamedItem>(kind)).map(({ metadata }) => metadata.name);

  beforeAll(async () => {
    await cluster.up(documents(pod('client', 'n1'), pod('other', 'n3')), ['--nodes', '3']);
  });

  test('what is applied answers at once, on other nodes too', async () => {
    for (let round = 0; round < 5; round++) {
      const name = `web${round}`;
      const said = await apply(cluster, deployment(name, 3), service(name, 'ports: [{port: 80, targetPort: http}]'));
      expect(said).toBe(`deployment.apps/${name} created\nservice/${name} created\n`);
      for (const from of ['client', 'other', 'node/n2']) {
        expect((await curl(cluster, from, `http://${name}/hostname`)).stdout).toMatch(new RegExp(`^${name}-`));
      }
    }
  });

  test('the same again changes nothing', async () => {
    const before = await cluster.get<NamedItem>('pods');
    expect(await apply(cluster, deployment('web0', 3))).toBe('deployment.apps/web0 unchanged\n');
    expect(await cluster.get<NamedItem>('pods')).toEqual(before);
  });

  test('a template that changes replaces the pods, and the Service goes on', async () => {
    const before = (await podsOf(cluster, 'web1')).map(({ metadata }) => metadata.name);
    await apply(cluster, deployment('web1', 3, '[{name: http, containerPort: 9090}]'));
    await until(async () => (await podsOf(cluster, 'web1')).length === 3, 10_000);
    const after = (await podsOf(cluster, 'web1')).map(({ metadata }) => metadata.name);
    expect(after.filter((name) => before.includes(name))).toEqual([]);
    expect(after).toContain((await curl(cluster, 'client', 'http://web1/hostname')).stdout);
  });

  test('a pod that declares itself unready gets no connections, and is back when it does not', async () => {
    const one = (ready: string) =>
      pod('shy', 'n2', '{app: shy}', '[{name: main, image: none, ports: [{containerPort: 8080}]}]').replace(
        'labels:',
        `annotations: {podwire.dev/ready: "${ready}"}, labels:`,
      );
    await apply(cluster, one('false'), service('shy', 'ports: [{port: 80, targetPort: 8080}]'));
    expect((await curl(cluster, 'client', 'http://shy/hostname')).code).toBe(7);
    await apply(cluster, one('true'));
    expect((await curl(cluster, 'client', 'http://shy/hostname')).stdout).toBe('shy');
    await apply(cluster, one('false'));
    expect((await curl(cluster, 'client', 'http://shy/hostname')).code).toBe(7);
  });

  test('what is deleted is gone: pods, names, namespaces of the kernel', async () => {
    const networks = cluster.networks().size;
    const pods = (await podsOf(cluster, 'web2')).length;
    const { code, stderr } = await cluster.run(['delete', 'deploy/web2', 'svc/web2', '--name', cluster.name]);
    expect(code, stderr).toBe(0);
    expect(await podsOf(cluster, 'web2')).toEqual([]);
    expect((await curl(cluster, 'client', 'http://web2/hostname')).code).toBe(6); // no such name
    expect(cluster.networks().size).toBe(networks - pods);
  });

  test('a program in a deleted pod ends with it', async () => {
    await apply(cluster, pod('doomed', 'n2'));
    const program = cluster.startExec('doomed', ['sh', '-c', 'echo begun; sleep 1000']);
    await program.says(/begun/);
    expect((await cluster.run(['delete', 'pod', 'doomed', '--name', cluster.name])).code).toBe(0);
    expect((await program.result).code).not.toBe(0);
    expect(await names('pods')).not.toContain('doomed');
  });

  test('an address that was given back is not given out next', async () => {
    await apply(cluster, pod('first', 'n2'));
    const addressOf = async (name: string) => {
      const pods = await cluster.get<NamedItem>('pods');
      return pods.find(({ metadata }) => metadata.name === name)?.status?.podIP;
    };
    const address = await addressOf('first');
    await cluster.run(['delete', 'pod', 'first', '--name', cluster.name]);
    await apply(cluster, pod('second', 'n2'));
    expect(await addressOf('second')).not.toBe(address);
  });

  test('refused input changes nothing, and names every problem', async () => {
    const before = await names('pods');
    const bad = documents(
      deployment('fine', 1),
      deployment('bad', 1).replace('containerPort: 8080', 'containerPort: 80800'),
    );
    const { code, stderr } = await cluster.run(['apply', '-f', '-', '--name', cluster.name], { stdin: bad });
    expect(code).toBe(2);
    expect(stderr).toMatch(/standard input:\d+:\d+: .*containerPort: found 80800/);
    expect(await names('pods')).toEqual(before);
  });

  test('a node that dies comes back with all that was applied', async () => {
    const { pid } = cluster.process('node', 'n2');
    process.kill(pid, 'SIGKILL');
    await until(() => cluster.processes().some((other) => other.words.includes('n2') && other.pid !== pid), 20_000);
    const answered = await until(async () => {
      const { stdout } = await curl(cluster, 'node/n2', 'http://web0/hostname');
      return stdout.startsWith('web0-') ? stdout : undefined;
    }, 10_000);
    report(`answered by ${answered}`);
    for (const { metadata } of await podsOf(cluster, 'web0')) {
      expect((await curl(cluster, metadata.name, 'http://web1/hostname')).stdout).toMatch(/^web1-/);
    }
  });

  test('after all that every packet is accounted for', async () => {
    await expectAccounted(cluster, ['NoEndpoints', 'PortDown']);
  });
});
