/** Pods that run programs of this machine, and pods that are Ready when their probes say so. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { report, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { expectAccounted } from './programs.ts';
import { apply, curl, documents, pod, service } from './service-world.ts';
import { describeUnless, testUnless } from './skipping.ts';

const lacks = missing('linux', 'built', 'tun', 'vessel', 'program:nsenter', 'program:curl');

interface PodItem {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly podIP: string;
    readonly conditions: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly restartCount: number }[];
  };
}

/** A pod whose container has what every test here needs, in the words of YAML. */
function programPod(name: string, command: string, more: { annotations?: string; container?: string; spec?: string }) {
  const run = `podwire.dev/run: ${JSON.stringify(command)}`;
  const annotations = [run, ...(more.annotations === undefined ? [] : [more.annotations])].join(', ');
  const metadata = `{name: ${name}, labels: {app: ${name}}, annotations: {${annotations}}}`;
  const container = `{name: main, image: none, ${more.container ?? ''}}`;
  const spec = `{nodeName: n2, containers: [${container}], ${more.spec ?? ''}}`;
  return `apiVersion: v1\nkind: Pod\nmetadata: ${metadata}\nspec: ${spec}\n`;
}

function job(name: string, command: string, spec: string): string {
  const metadata = `{annotations: {podwire.dev/run: ${JSON.stringify(command)}}}`;
  const template = `{metadata: ${metadata}, spec: {restartPolicy: Never, containers: [{name: c, image: none}]}}`;
  return `apiVersion: batch/v1\nkind: Job\nmetadata: {name: ${name}}\nspec: {${spec}, template: ${template}}\n`;
}

const OBEY = 'podwire.dev/probes: obey';
const PORTS = 'ports: [{name: http, containerPort: 8080}]';
const often = '{httpGet: {port: http, path: /healthz}, periodSeconds: 1, failureThreshold: 1}';

/** HTTP servers in words that stand in an annotation: node is there wherever podwire is. */
function server(port: number, answer: string): string {
  const script = `require("http").createServer((_, response) => response.end(${answer})).listen(${port})`;
  return `${process.execPath} -e '${script}'`;
}

describeUnless(lacks, 'programs as pods', () => {
  const cluster = testCluster();
  const run = (...words: string[]) => cluster.run([...words, '--name', cluster.name]);
  const logs = async (name: string) => (await run('logs', name)).stdout;
  const podNamed = async (name: string) => {
    return (await cluster.get<PodItem>('pods')).find(({ metadata }) => metadata.name === name);
  };
  const isReady = async (name: string) => {
    const conditions = (await podNamed(name))?.status.conditions ?? [];
    return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  };
  /** Programs begin with this in their environment, and so are found among the processes of the cluster. */
  const marked = () => `env: [{name: PODWIRE_HOME, value: ${cluster.home}}]`;
  const others = () => {
    return cluster.processes().filter(({ kind, words }) => kind === 'other' && !words.includes('podwire-reaper'));
  };

  beforeAll(async () => {
    // Its server takes a while: `up` waits for what probes say.
    const slow = programPod('slow', `sleep 1; exec ${server(8080, '"slow"')}`, {
      annotations: OBEY,
      container: `${PORTS}, readinessProbe: ${often}`,
    });
    await cluster.up(documents(pod('client', 'n1'), slow), ['--nodes', '2', '--allow-run']);
  });

  test('`up` returns when probes have declared their pods Ready', async () => {
    expect(await isReady('slow')).toBe(true);
  });

  test('a program answers behind a Service, in the pod’s network, names and environment', async () => {
    const command = server(8080, 'require("os").hostname() + " " + process.env.GREETING');
    const web = programPod('web', command, { container: `${PORTS}, env: [{name: GREETING, value: "good day"}]` });
    await apply(cluster, web, service('web', 'ports: [{port: 80, targetPort: http}]'));
    const answer = async () => (await curl(cluster, 'client', 'http://web/')).stdout || undefined;
    expect(await until(answer, 10_000)).toBe('web good day');
    expect((await cluster.exec('client', ['curl', '-s', '-m', '3', 'http://localhost:8080/'])).code).toBe(7);
  });

  testUnless(missing('program:python3'), 'a program of another language, which finds the cluster’s names', async () => {
    const fetch = 'import urllib.request as u; print(u.urlopen("http://web/").read().decode())';
    await apply(cluster, programPod('asks', `python3 -c '${fetch}'; exec python3 -m http.server 8080`, {}));
    await until(async () => (await logs('asks')).includes('web good day'), 10_000);
    const { status } = (await podNamed('asks'))!;
    await until(async () => (await curl(cluster, 'client', `http://${status.podIP}:8080/`)).code === 0, 20_000);
    await until(async () => (await logs('asks')).includes('"GET / HTTP/1.1" 200'), 20_000);
  });

  test('a pod is Ready while its probe succeeds, and Services know it', async () => {
    const flag = join(cluster.home, 'healthy.yaml');
    const answer = `require("fs").existsSync("${flag}") ? "ok" : (_.destroy(), "")`;
    const late = programPod('late', server(8080, answer), {
      annotations: OBEY,
      container: `${PORTS}, readinessProbe: ${often}`,
    });
    await apply(cluster, late, service('late', 'ports: [{port: 80, targetPort: http}]'));
    expect(await isReady('late')).toBe(false);
    expect((await curl(cluster, 'client', 'http://late/')).code).toBe(7); // refused: no endpoint
    cluster.write('healthy.yaml', '');
    await until(() => isReady('late'), 10_000);
    expect((await curl(cluster, 'client', 'http://late/')).stdout).toBe('ok');
    expect((await cluster.exec('client', ['rm', flag])).code).toBe(0);
    await until(async () => !(await isReady('late')), 10_000);
    expect((await curl(cluster, 'client', 'http://late/')).code).toBe(7);
    expect((await run('get', 'events')).stdout).toMatch(/Unhealthy +pod\/late +readiness probe failed/);
  });

  test('podwire’s own answer to /healthz is a probe’s matter too', async () => {
    const own = (ready: string) => `apiVersion: v1\nkind: Pod
metadata: {name: own, annotations: {${OBEY}, podwire.dev/ready: "${ready}"}}
spec: {nodeName: n1, containers: [{name: main, image: none, ${PORTS}, readinessProbe: ${often}}]}\n`;
    await apply(cluster, own('true'));
    await until(() => isReady('own'), 10_000);
    await apply(cluster, own('false'));
    await until(async () => (await logs('own')).includes('readiness probe failed: status 503'), 10_000);
  });

  test('a node that dies probes anew when it is back; programs in its pods go on', async () => {
    const before = await curl(cluster, 'slow', 'http://localhost:8080/');
    expect(before.stdout).toBe('slow');
    process.kill(cluster.process('node', 'n2').pid, 'SIGKILL');
    await until(async () => !(await isReady('slow')), 20_000);
    await until(() => isReady('slow'), 10_000);
    expect((await podNamed('slow'))?.status.containerStatuses).toMatchObject([{ restartCount: 0 }]);
  });

  test('probes forget the program that has ended, however patient they are', async () => {
    const mortal = server(8080, '_.url === "/end" ? process.exit(0) : "here"');
    const patient = often.replace('failureThreshold: 1', 'failureThreshold: 60');
    const again = programPod('again', `sleep 0.5; exec ${mortal}`, {
      annotations: OBEY,
      container: `${PORTS}, readinessProbe: ${patient}`,
    });
    await apply(cluster, again);
    await until(() => isReady('again'), 10_000);
    await curl(cluster, 'again', 'http://localhost:8080/end');
    expect(await isReady('again')).toBe(false);
    await until(() => isReady('again'), 10_000);
    expect((await podNamed('again'))?.status.containerStatuses).toMatchObject([{ restartCount: 1 }]);
  });

  test('a program that ends is started again, later each time', async () => {
    await apply(cluster, programPod('crash', 'echo crashing; exit 3', {}));
    const row = async () => /^crash.*$/m.exec((await run('get', 'pods')).stdout)?.[0] ?? '';
    await until(
      async () => /0\/1 +CrashLoopBackOff +1 /.test(await row()),
      20_000,
      () => 'CrashLoopBackOff',
    );
    expect(await logs('crash')).toBe('crashing\ncrashing\n');
    expect((await run('get', 'events')).stdout).toMatch(/BackOff +pod\/crash +back-off 10s/);
    await until(
      async () => /CrashLoopBackOff +2 /.test(await row()),
      15_000,
      () => 'a second restart',
    );
  });

  test('a Job is done when its programs are; their logs stay', async () => {
    // Not over before somebody has seen that it runs, however long the commands that look take.
    const seen = join(cluster.home, 'seen');
    const work = `echo working; until [ -e ${seen} ]; do sleep 0.05; done; echo done`;
    await apply(cluster, job('work', work, 'completions: 2, parallelism: 2'));
    const jobs = async () => (await run('get', 'jobs')).stdout;
    expect(await jobs()).toMatch(/work +Running +0\/2/);
    writeFileSync(seen, '');
    await until(
      async () => /work +Complete +2\/2/.test(await jobs()),
      10_000,
      () => 'the end of the Job',
    );
    rmSync(seen);
    expect(await logs('job/work')).toBe('working\ndone\n');
    await apply(cluster, job('bad', 'echo sorry >&2; exit 5', 'backoffLimit: 1'));
    await until(
      async () => /bad +Failed +0\/1/.test(await jobs()),
      10_000,
      () => 'the failure of the Job',
    );
    expect((await run('get', 'pods')).stdout.match(/^bad-.* Error /gm)).toHaveLength(2);
    expect(await logs('job/bad')).toBe('sorry\n');
  });

  test('what a pod runs ends with the pod, stubborn or not', async () => {
    expect(others()).toEqual([]);
    const children = `trap '' TERM; sleep 1000 & setsid sleep 1000 & echo begun; sleep 1000; sleep 1000`;
    await apply(cluster, programPod('doomed', children, { container: marked() }));
    await until(async () => (await logs('doomed')) === 'begun\n', 20_000);
    await until(() => others().length === 4, 20_000);
    const { code, ms } = await run('delete', 'pod', 'doomed');
    report(`deleted in ${Math.round(ms)} ms`);
    expect(code).toBe(0);
    expect(others()).toEqual([]);
  });

  test('every packet is accounted for', async () => {
    await expectAccounted(cluster, ['NoEndpoints', 'PortDown', 'PortClosed']);
  });

  test('nothing is left when the cluster ends', async () => {
    await apply(cluster, programPod('last', "trap '' TERM INT HUP; sleep 1000; sleep 1000", { container: marked() }));
    await until(() => others().length === 2, 20_000);
    expect((await cluster.down()).code).toBe(0);
    expect(cluster.processes()).toEqual([]);
    expect(cluster.leftBehind()).toEqual([]);
  });
});

describeUnless(lacks, 'a cluster without --allow-run', () => {
  const cluster = testCluster();

  test('refuses such pods at its start, and later, and runs nothing', async () => {
    const trace = join(cluster.home, 'trace');
    const bad = documents(programPod('bad', `touch ${trace}`, {}), job('worse', `touch ${trace}`, 'completions: 1'));
    const flags = ['--name', cluster.name];
    const up = await cluster.run(['up', cluster.write('bad.yaml', bad), '-d', ...flags]);
    await cluster.up(pod('fine', 'n1'));
    const later = await cluster.run(['apply', '-f', '-', ...flags], { stdin: bad });
    for (const { code, stderr } of [up, later]) {
      expect(code).toBe(2);
      expect(stderr.match(/metadata\.annotations\[podwire\.dev\/run\].*--allow-run/g), stderr).toHaveLength(2);
    }
    expect((await cluster.get<PodItem>('pods')).map(({ metadata }) => metadata.name)).not.toContain('bad');
    expect(existsSync(trace)).toBe(false);
  });
});

describeUnless(lacks, 'podwire run --allow-run', () => {
  const cluster = testCluster();

  test('has programs answer a command', async () => {
    const web = programPod('web', server(8080, '"hello"'), {
      annotations: OBEY,
      container: `${PORTS}, readinessProbe: ${often}`,
    });
    const text = documents(web.replace('n2', 'n1'), service('web', 'ports: [{port: 80, targetPort: http}]'));
    const file = cluster.write('web.yaml', text);
    const { code, stdout, stderr } = await cluster.run(['run', file, '--allow-run', '--', 'curl', '-s', 'http://web/']);
    expect([code, stdout], stderr).toEqual([0, 'hello']);
  });
});
