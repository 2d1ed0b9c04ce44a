/**
 * Machines that do not allow what a cluster needs, and input that makes no sense: one clear sentence with a remedy,
 * exit code 2, no stack, nothing left behind. And users without rights, for whom everything must work.
 */
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type CommandOptions,
  type CommandResult,
  kill,
  PODWIRE,
  report,
  TestCluster,
  testCluster,
  until,
} from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { describeUnless, testUnless } from './skipping.ts';
import { clusterManifest, twoNodes } from './worlds.ts';

const lacksBuild = missing('linux', 'built', 'vessel');
const lacks = lacksBuild ?? missing('tun', 'program:nsenter');

/** Nobody: a user without any right, whom every Linux has. */
const NOBODY = 65_534;
/** Beyond what fits into a socket's path. */
const LONG_HOME = join(tmpdir(), `pw${process.pid}`.padEnd(110, '-long'));
const AS_NOBODY = ['setpriv', '--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', '--'];

const lacksRoot = lacksBuild ?? missing('root', 'program:setpriv') ?? hiddenFromNobody();

/** A checkout, or a Node, in a home directory that is closed to others. */
function hiddenFromNobody(): string | undefined {
  const [program, ...rest] = [...AS_NOBODY, process.execPath, PODWIRE, 'help'];
  const readable = spawnSync(program!, rest, { stdio: 'ignore' }).status === 0;
  return readable || process.env['CI'] === 'true' ? undefined : 'a checkout that others may read';
}

function inShell(script: string): string[] {
  return ['sh', '-ec', `${script}\nexec "$@"`, 'sh'];
}

/** A mount namespace of its own, in which `script` may change what the machine looks like. */
function onMachine(script: string): string[] {
  return ['unshare', '--mount', '--propagation', 'private', ...inShell(script)];
}

/** /dev/net/tun that everybody may open, as most distributions have it. */
const OPEN_TUN = `
  mount -t tmpfs -o mode=0755 none /mnt
  mknod -m 0666 /mnt/tun c 10 200
  mount --bind /mnt/tun /dev/net/tun
`;

interface Refused {
  readonly says: RegExp;
  readonly remedy: RegExp;
}

/** One sentence, one line, a remedy, no stack, and nothing left of the attempt. */
function expectRefused(cluster: TestCluster, result: CommandResult, { says, remedy }: Refused): void {
  const { code, stdout, stderr } = result;
  expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: '' });
  const lines = stderr.split('\n').filter((line) => !line.startsWith(' ✓'));
  expect(lines.slice(1), stderr).toEqual(['']);
  expect(lines[0]).toMatch(says);
  expect(lines[0]).toMatch(remedy);
  expect(stderr).not.toMatch(/^\s+at |Error:/m);
  expect(cluster.processes()).toEqual([]);
  expect(cluster.leftBehind()).toEqual([]);
}

/** A user namespace that may have so many network namespaces. */
function withNetworks(count: number): string[] {
  return ['unshare', '--user', '--map-root-user', ...inShell(`echo ${count} >/proc/sys/user/max_net_namespaces`)];
}

/** A user namespace that may have no other, and in it a user who is not its root. */
const WITHOUT_USER_NAMESPACES = [
  ...['unshare', '--user', '--map-current-user', '--keep-caps'],
  ...inShell('echo 0 >/proc/sys/user/max_user_namespaces'),
  ...['setpriv', '--ambient-caps', '-all', '--inh-caps', '-all', '--'],
];

interface Machine extends Refused {
  readonly what: string;
  readonly lacks: string | undefined;
  readonly manifest?: string;
  readonly options: CommandOptions;
  /** Give the run directory to nobody first. */
  readonly owner?: number;
}

const machines: readonly Machine[] = [
  {
    what: '/dev/net/tun is missing',
    lacks: lacksRoot,
    options: { through: onMachine('mount -t tmpfs none /dev/net') },
    says: /\/dev\/net\/tun is missing/,
    remedy: /modprobe tun/,
  },
  {
    what: '/dev/net/tun may not be opened by this user',
    lacks: lacksRoot,
    options: { through: [...onMachine(`${OPEN_TUN}\nchmod 0600 /dev/net/tun`), ...AS_NOBODY] },
    owner: NOBODY,
    says: new RegExp(`/dev/net/tun may not be opened by user ${NOBODY}`),
    remedy: /chmod 0666 \/dev\/net\/tun/,
  },
  {
    what: 'user namespaces are forbidden',
    lacks: lacksRoot,
    options: { through: [...onMachine(OPEN_TUN), ...AS_NOBODY, ...WITHOUT_USER_NAMESPACES] },
    owner: NOBODY,
    says: /namespaces are refused/,
    remedy: /user\.max_user_namespaces is 0: sudo sysctl/,
  },
  {
    what: 'network namespaces are forbidden',
    lacks,
    options: { through: withNetworks(0) },
    says: /namespaces are refused/,
    remedy: /user\.max_net_namespaces is 0: sudo sysctl/,
  },
  {
    what: 'there are fewer network namespaces than pods',
    lacks,
    options: { through: withNetworks(4) },
    says: /unshare\(net\)/,
    remedy: /sysctl user\.max_net_namespaces/,
  },
  {
    what: 'there are fewer descriptors than pods',
    lacks,
    manifest: clusterManifest(
      1,
      Array.from({ length: 200 }, (_, i) => ({ name: `p${i}` })),
    ),
    options: { through: inShell('ulimit -n 64') },
    says: /EMFILE|open files/,
    remedy: /ulimit -n/,
  },
  {
    what: 'PODWIRE_HOME is too long for a socket',
    lacks,
    options: { env: { PODWIRE_HOME: LONG_HOME } },
    says: /too long for a unix socket/,
    remedy: /set PODWIRE_HOME to a shorter path/,
  },
  {
    what: 'the program unshare is missing',
    lacks,
    options: { env: { PATH: '/nonexistent' } },
    says: /the program unshare was not found/,
    remedy: /apt-get install util-linux/,
  },
];

describe('a machine that does not allow it', () => {
  let cluster: TestCluster;
  beforeEach(() => {
    cluster = new TestCluster();
  });
  afterEach(async () => {
    await cluster.close();
    rmSync(LONG_HOME, { recursive: true, force: true });
  });

  for (const { what, lacks, manifest = twoNodes(), options, owner, ...refused } of machines) {
    for (const flags of [[], ['-d']]) {
      testUnless(lacks, ['up', ...flags, 'says so and leaves nothing:', what].join(' '), async () => {
        const file = cluster.write('cluster.yaml', manifest);
        if (owner !== undefined) chownSync(cluster.home, owner, owner);
        const result = await cluster.run(['up', file, '--name', cluster.name, ...flags], options);
        expectRefused(cluster, result, refused);
        expect(existsSync(LONG_HOME)).toBe(false);
      });
    }
  }

  testUnless(lacks, 'exec says so: the program nsenter is missing', async () => {
    await cluster.up(twoNodes());
    const { code, stderr } = await cluster.exec('a', ['true'], { env: { PATH: '/nonexistent' } });
    expect({ code, stderr }).toEqual({ code: 125, stderr: expect.stringMatching(/^.*nsenter.*util-linux\n$/) });
  });

  testUnless(lacksRoot, 'doctor says the same and exits 1', async () => {
    const { code, stdout } = await cluster.run(['doctor'], { through: onMachine('mount -t tmpfs none /dev/net') });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^MISSING +\/dev\/net\/tun +.*modprobe tun/m);
    expect(stdout).toMatch(/No cluster can be started here yet\.\n$/);
    const json = await cluster.run(['doctor', '-o', 'json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ able: json.code === 0 });
    expect(cluster.leftBehind()).toEqual([]);
  });
});

describeUnless(lacks, 'a name that is taken', () => {
  const cluster = testCluster();

  beforeAll(async () => {
    await cluster.up(twoNodes());
  });

  for (const flags of [[], ['-d']]) {
    test(`up ${flags}: the message says how to end the first, which is unharmed`, async () => {
      const before = cluster.processes().map(({ pid }) => pid);
      const file = cluster.write('other.yaml', twoNodes());
      const { code, stderr } = await cluster.run(['up', file, '--name', cluster.name, ...flags]);
      expect(code).toBe(2);
      expect(stderr).toBe(
        `a cluster named "${cluster.name}" is running (host process ${cluster.process('host').pid}); ` +
          `choose another with --name, or end it: podwire down --name ${cluster.name}\n`,
      );
      expect(cluster.processes().map(({ pid }) => pid)).toEqual(before);
      expect((await cluster.exec('a', ['hostname'])).stdout).toBe('a\n');
    });
  }

  test('up -d: the log of the first is still its own', async () => {
    kill(cluster.process('node', 'n1').pid, 'SIGKILL');
    await until(() => cluster.log().includes('node n1 ended (SIGKILL)'), 20_000);
    const before = cluster.log();
    const file = cluster.write('other.yaml', twoNodes());
    expect((await cluster.run(['up', file, '-d', '--name', cluster.name])).code).toBe(2);
    expect(cluster.log()).toBe(before);
  });

  test('two at once under one name: one starts, the other is told', async () => {
    const file = cluster.write('race.yaml', twoNodes());
    const both = await Promise.all([1, 2].map(() => cluster.run(['up', file, '-d', '--name', 'race'])));
    expect(both.map(({ code }) => code).sort()).toEqual([0, 2]);
    expect(both.find(({ code }) => code === 2)!.stderr).toMatch(/a cluster named "race" is running/);
    expect((await cluster.run(['down', '--name', 'race'])).code).toBe(0);
  });

  test('clusters of two names live side by side, and down --all ends both', async () => {
    const file = cluster.write('second.yaml', twoNodes());
    expect((await cluster.run(['up', file, '-d', '--name', 'second'])).code).toBe(0);
    expect((await cluster.run(['exec', '--name', 'second', 'b', '--', 'hostname'])).stdout).toBe('b\n');
    expect((await cluster.run(['down', '--all'])).code).toBe(0);
    expect(cluster.processes()).toEqual([]);
  });
});

describeUnless(lacks, 'input that makes no sense', () => {
  const cluster = testCluster();

  test('every problem of a manifest is told with file, line and column', async () => {
    const text = `apiVersion: podwire.dev/v1alpha1
kind: Cluster
nodes: [{role: worker}]
---
apiVersion: v1
kind: Pod
metadata: {name: Bad_Name}
spec:
  nodeName: n7
  containers: [{name: main, image: none}]
`;
    const file = cluster.write('bad.yaml', text);
    for (const flags of [[], ['-d']]) {
      const { code, stdout, stderr } = await cluster.run(['up', file, '--name', cluster.name, ...flags]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/bad\.yaml:7:18: .*Bad_Name/);
      expect(stderr).not.toMatch(/^\s+at /m);
      expect(cluster.processes()).toEqual([]);
      expect(cluster.leftBehind()).toEqual([]);
    }
  });

  test.each([
    ['no such file', ['up', '/nonexistent/x.yaml'], /\/nonexistent\/x\.yaml: no such file or folder/],
    ['a binary', ['up', process.execPath], /node/],
    ['an unknown flag', ['up', '--bogus'], /Unknown option '--bogus'/],
    ['a flag without its value', ['up', '--name'], /--name/],
    ['a number that is none', ['up', '--nodes', 'three'], /--nodes takes a whole number, found "three"/],
    ['offload maybe', ['up', '--offload', 'maybe'], /--offload takes on or off/],
    ['an underlay that is none', ['up', '--underlay', 'tin'], /--underlay takes auto, tap, udp, found "tin"/],
    [
      'a technique that is none',
      ['up', '--without', 'rows,wings'],
      /--without takes merge, rows, spin, simd, found "wings"/,
    ],
    ['an unknown command', ['upp'], /unknown command "upp"/],
    ['an unknown kind', ['get', 'gnomes'], /there is no kind "gnomes"/],
    ['a cluster that is not there', ['down', '--name', 'nowhere'], /no cluster named "nowhere" is running/],
  ])('%s: exit code 2 and no stack', async (_, words, message) => {
    const { code, stderr } = await cluster.run(words);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at |this is a bug/m);
    expect(cluster.leftBehind()).toEqual([]);
  });

  test.each([
    ['down', []],
    ['get', ['nodes']],
    ['exec', ['a', '--', 'true']],
    ['conntrack', ['list']],
    ['up', []],
  ])('%s: a name that leads out of the run directory is refused before it is a path', async (command, rest) => {
    const victim = join(cluster.home, 'names.yaml', 'victim');
    mkdirSync(victim, { recursive: true });
    const dead = { name: 'victim', host: { pid: 1, startTime: '0' } };
    writeFileSync(join(victim, 'state.json'), JSON.stringify(dead));
    const env = { PODWIRE_HOME: join(cluster.home, 'names.yaml', 'own') };
    const result = await cluster.run([command, '--name', '../victim', ...rest], { env });
    expect(result.code).toBe(command === 'exec' ? 125 : 2);
    expect(result.stderr).toMatch(/--name: found "\.\.\/victim", expected/);
    expect(existsSync(join(victim, 'state.json'))).toBe(true);
  });

  test('input without an end is refused before it fills the memory', async () => {
    const { code, stderr } = await cluster.run(['up', '/dev/zero'], { timeoutMs: 20_000 });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/^\/dev\/zero: .*\n$/) });
  });

  test.each([['help'], ['doctor'], ['up', '--help'], ['upp']])(
    '%s: nobody reads the answer: no stack',
    async (...words) => {
      const command = [process.execPath, PODWIRE, ...words];
      const { stderr } = await cluster.start(['sh', '-c', '"$@" | :', 'sh', ...command]).result;
      expect(stderr).not.toMatch(/^\s+at |EPIPE/m);
    },
  );

  test('a directory that has gone away under us is no bug of ours', async () => {
    await cluster.up(twoNodes());
    const lost = (command: string) => ['sh', '-c', `mkdir "$0" && cd "$0" && rmdir "$0" && ${command}`];
    const words = [join(cluster.home, 'lost'), process.execPath, PODWIRE, 'exec', '--name', cluster.name, 'a', '--'];
    const { code, stdout, stderr } = await cluster.start([...lost('exec "$@"'), ...words, 'echo', 'here']).result;
    expect(stderr).not.toMatch(/this is a bug/);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'here\n' });
  });
});

describeUnless(lacksRoot, 'a user without rights', () => {
  const cluster = testCluster();

  test('has a cluster: pods reach each other, commands run in them, and nothing is left', async () => {
    chownSync(cluster.home, NOBODY, NOBODY);
    const { ms } = await cluster.up(twoNodes(), [], { through: [...onMachine(OPEN_TUN), ...AS_NOBODY] });
    report(`up as user ${NOBODY}: ${Math.round(ms)} ms`);
    expect(cluster.state().userNamespace).toBe(true);

    const asNobody = { through: AS_NOBODY };
    for (const [from, to] of [
      ['a', '10.244.1.2'],
      ['b', 'fd00:10:244::2'],
      ['a', '10.244.0.3'],
      ['node/n1', '10.244.1.2'],
      ['b', '172.18.0.2'],
    ] as const) {
      const { code, stdout, stderr } = await cluster.exec(from, ['ping', '-c', '1', '-W', '3', to], asNobody);
      expect(code, `${from} ${to} ${stdout}${stderr}`).toBe(0);
    }

    expect((await cluster.exec('a', ['sh', '-c', 'exit 3'], asNobody)).code).toBe(3);
    expect((await cluster.exec('a', ['hostname'], asNobody)).stdout).toBe('a\n');
    expect((await cluster.exec('a', ['ls', '/sys/class/net'], asNobody)).stdout).toBe('eth0\nlo\n');
    expect((await cluster.exec('a', ['grep', '-c', '10.244.0.2', '/etc/hosts'], asNobody)).stdout).toBe('1\n');
    const get = await cluster.run(['get', 'pods', '-o', 'wide', '--name', cluster.name], asNobody);
    expect(get.stdout).toMatch(/^a +1\/1 +Running/m);

    const left = await cluster.exec('a', ['sh', '-c', 'sleep 4245 </dev/null >/dev/null 2>&1 &'], asNobody);
    expect(left.code).toBe(0);
    expect((await cluster.down(asNobody)).code).toBe(0);
    await cluster.gone(5000);
    expect(cluster.leftBehind()).toEqual([]);
  });

  test('may not touch the cluster of another', async () => {
    const other = new TestCluster();
    try {
      await other.up(twoNodes());
      for (const words of [['get', 'nodes'], ['exec', 'a', '--', 'true'], ['down']]) {
        const [command, ...rest] = words;
        const { code, stderr } = await other.run([command!, '--name', other.name, ...rest], { through: AS_NOBODY });
        expect(code, stderr).not.toBe(0);
        expect(stderr).not.toMatch(/^\s+at |this is a bug/m);
      }
      expect((await other.exec('a', ['true'])).code).toBe(0);
    } finally {
      await other.close();
    }
  });
});
