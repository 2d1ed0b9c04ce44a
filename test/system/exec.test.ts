/** `podwire exec`: the command's world, its streams, its signals, its exit code; and a person at a terminal. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { PODWIRE, report, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { describeUnless } from './skipping.ts';
import { Terminal } from './terminal.ts';
import { twoNodes } from './worlds.ts';

const lacks = missing('linux', 'built', 'tun', 'vessel', 'program:nsenter');
const lacksTerminal = lacks ?? missing('program:tmux');

describeUnless(lacks, 'exec', () => {
  const cluster = testCluster();

  beforeAll(async () => {
    await cluster.up(twoNodes());
  });

  describe('the exit code', () => {
    test.each([
      ['is the command’s own', ['sh', '-c', 'exit 0'], 0],
      ['is the command’s own, also when it is not 0', ['sh', '-c', 'exit 3'], 3],
      ['is 127 for a command that is not found', ['/nonexistent/program'], 127],
      ['is 126 for a file that is no program', ['/etc/passwd'], 126],
      ['is 126 for a directory', ['/etc'], 126],
      ['is 128 and the signal’s number for a command that a signal ended', ['sh', '-c', 'kill -KILL $$'], 137],
    ])('%s', async (_, command, code) => {
      expect((await cluster.exec('a', command)).code).toBe(code);
    });

    test.each([
      ['there is no such pod', ['no-such-pod', '--', 'true'], /pods "no-such-pod" not found/],
      ['there is no such namespace', ['-n', 'elsewhere', 'a', '--', 'true'], /"a" not found in namespace "elsewhere"/],
      ['there is no such node', ['node/n9', '--', 'true'], /nodes "n9" not found/],
      ['the endpoint is none', ['a/b/c', '--', 'true'], /"a\/b\/c" is no endpoint/],
      ['the command is missing', ['a'], /expected a command behind --/],
      ['a flag is unknown', ['--bogus', 'a', '--', 'true'], /Unknown option '--bogus'/],
    ])('is 125 when %s', async (_, words, message) => {
      const { code, stdout, stderr } = await cluster.run(['exec', '--name', cluster.name, ...words]);
      expect({ code, stdout }).toEqual({ code: 125, stdout: '' });
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/^\s+at /m);
    });

    test('is 125 when there is no such cluster', async () => {
      const { code, stderr } = await cluster.run(['exec', '--name', 'nowhere', 'a', '--', 'true']);
      expect(code).toBe(125);
      expect(stderr).toMatch(/no cluster named "nowhere" is running; start one: podwire up/);
    });
  });

  describe('streams', () => {
    test('with -i the command reads our standard input to its end', async () => {
      const text = `first\n${'x'.repeat(300_000)}\nlast`;
      const { code, stdout } = await cluster.startExec('a', ['cat'], ['-i'], { stdin: text }).result;
      expect({ code, same: stdout === text }).toEqual({ code: 0, same: true });
    });

    test('without -i its standard input is empty', async () => {
      const { code, stdout } = await cluster.exec('a', ['cat'], { stdin: 'not for you' });
      expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    });

    test('standard output and standard error stay apart', async () => {
      const { stdout, stderr } = await cluster.exec('a', ['sh', '-c', 'echo out; echo err >&2']);
      expect({ stdout, stderr }).toEqual({ stdout: 'out\n', stderr: 'err\n' });
    });

    test('arguments arrive as they are: no shell looks at them', async () => {
      const words = ['$HOME', '*', "it's", 'a  b', '', '--', '-n', '"', '\\', '&', 'ü'];
      const print = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))';
      const { stdout } = await cluster.exec('a', [process.execPath, '-e', print, '--', ...words]);
      expect(JSON.parse(stdout)).toEqual(words);
    });
  });

  describe('signals', () => {
    test('SIGTERM to podwire reaches the command, and its exit code comes back', async () => {
      const script = 'trap "echo told; exit 42" TERM; echo ready; while :; do sleep 0.05; done';
      const running = cluster.startExec('a', ['sh', '-c', script]);
      await running.says(/ready/);
      running.child.kill('SIGTERM');
      const { code, stdout } = await running.result;
      expect({ code, stdout }).toEqual({ code: 42, stdout: 'ready\ntold\n' });
    });

    test('a signal that comes as early as the command’s first word leaves no command behind', async () => {
      // Many at once, so that podwire gets its turn late.
      const rounds = Array.from({ length: 32 }, async () => {
        const running = cluster.startExec('c', ['sh', '-c', 'echo ready; exec sleep 4246']);
        running.child.stdout!.once('data', () => running.child.kill('SIGTERM'));
        return (await running.result).code;
      });
      expect(new Set(await Promise.all(rounds))).toEqual(new Set([143]));
      expect(cluster.processes().filter(({ words }) => words.includes('4246'))).toEqual([]);
    });

    test.each([
      ['SIGTERM', 143],
      ['SIGINT', 130],
      ['SIGHUP', 129],
    ] as const)('%s ends a command that does not catch it', async (signal, code) => {
      const running = cluster.startExec('a', ['sh', '-c', 'echo ready; exec sleep 100']);
      await running.says(/ready/);
      running.child.kill(signal);
      expect((await running.result).code).toBe(code);
    });
  });

  describe('the command’s world', () => {
    const read = async (endpoint: string, ...command: string[]) => (await cluster.exec(endpoint, command)).stdout;

    test('has the pod’s name as host name, in every place that tells it', async () => {
      expect(await read('a', 'hostname')).toBe('a\n');
      expect(await read('a', 'cat', '/etc/hostname')).toBe('a\n');
      expect(await read('b', 'hostname')).toBe('b\n');
      expect(await read('node/n2', 'hostname')).toBe('n2\n');
    });

    test('has hosts with localhost and itself in both families', async () => {
      const lines = (await read('a', 'cat', '/etc/hosts')).split('\n').map((line) => line.split(/\s+/));
      const addressesOf = (name: string) =>
        lines.filter(([, ...names]) => names.includes(name)).map(([first]) => first);
      expect(addressesOf('localhost')).toEqual(['127.0.0.1', '::1']);
      expect(addressesOf('a')).toEqual(['10.244.0.2', 'fd00:10:244::2']);
    });

    test('asks files before name servers, and no name server of the machine', async () => {
      expect(await read('a', 'cat', '/etc/nsswitch.conf')).toMatch(/^hosts:\s+files dns$/m);
      const outside = await cluster.start(['cat', '/etc/resolv.conf']).result;
      const inside = await read('a', 'cat', '/etc/resolv.conf');
      const servers = (text: string) => [...text.matchAll(/^nameserver\s+(\S+)/gm)].map(([, server]) => server);
      expect(servers(inside).filter((server) => servers(outside.stdout).includes(server))).toEqual([]);
    });

    test('shows the pod’s own interfaces in /sys, and nothing of them outside', async () => {
      expect(await read('a', 'ls', '/sys/class/net')).toBe('eth0\nlo\n');
      expect(await read('a', 'cat', '/sys/class/net/eth0/mtu')).toBe('1450\n');
      const [a, c] = [
        await read('a', 'cat', '/sys/class/net/eth0/address'),
        await read('c', 'cat', '/sys/class/net/eth0/address'),
      ];
      expect(a).toMatch(/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\n$/);
      expect(a).not.toBe(c);
    });

    test('begins in the directory that we are in', async () => {
      const { stdout } = await cluster.exec('a', ['pwd'], { cwd: cluster.home });
      expect(stdout).toBe(`${cluster.home}\n`);
    });

    test('what a command leaves behind is there for the next, in the pod it was started in', async () => {
      const left = await cluster.exec('a', ['sh', '-c', 'sleep 4242 </dev/null >/dev/null 2>&1 & echo $!']);
      const pid = left.stdout.trim();
      expect(left.code).toBe(0);
      const look = ['sh', '-c', `tr '\\0' ' ' </proc/${pid}/cmdline; readlink /proc/${pid}/ns/net /proc/self/ns/net`];
      const [first, ...networks] = (await read('a', ...look)).split('\n');
      expect(first).toMatch(/^sleep 4242 net:/);
      expect(first!.endsWith(networks[0]!)).toBe(true);
      expect(await read('c', 'sh', '-c', `kill -0 ${pid} && echo there`)).toBe('there\n');
    });
  });

  test('down ends what commands have left behind, and commands that still run', async () => {
    const running = cluster.startExec('b', ['sh', '-c', 'echo ready; exec sleep 4243']);
    await running.says(/ready/);
    await until(() => cluster.processes().filter(({ words }) => words[0] === 'sleep').length === 2, 5000);
    expect((await cluster.down()).code).toBe(0);
    report(`gone ${Math.round(await cluster.gone(5000))} ms after down`);
    expect((await running.result).code).toBe(137);
  });
});

describeUnless(lacksTerminal, 'exec -it', () => {
  const cluster = testCluster();
  const columns = 100;
  const rows = 30;

  beforeAll(async () => {
    await cluster.up(twoNodes());
  });

  /** `exec -it a -- COMMAND` in a terminal. */
  async function inTerminal(command: readonly string[], use: (screen: Terminal) => Promise<void>): Promise<void> {
    const words = [process.execPath, PODWIRE, 'exec', '--name', cluster.name, '-it', 'a', '--', ...command];
    await Terminal.with(words, { columns, rows, env: cluster.env }, use);
  }

  for (const command of [['sh'], ['bash', '--norc', '-i']]) {
    const name = command.join(' ');
    const lacksShell = missing(`program:${command[0]!}`);
    describeUnless(lacksShell, name, () => {
      test('shows a prompt and has the terminal’s size, also when that changes', async () => {
        await inTerminal(command, async (screen) => {
          await screen.shows(/[#$] *$/m);
          screen.type('stty size; tty\n');
          await screen.shows(new RegExp(`^${rows} ${columns}$`, 'm'));
          await screen.shows(/^\/dev\/pts\/\d+$/m);
          screen.resize(80, 24);
          screen.type('clear; stty size\n');
          await screen.shows(/^24 80$/m);
        });
      });

      test('has job control', async () => {
        await inTerminal(command, async (screen) => {
          await screen.shows(/[#$] *$/m);
          screen.type('sleep 100\n');
          await sleep(300);
          screen.press('C-z');
          await screen.shows(/Stopped +sleep 100/);
          screen.type('bg; jobs\n');
          await screen.shows(/Running +sleep 100/);
          screen.type('kill %1; echo kil"led"\n');
          await screen.shows(/^killed$/m);
          expect(screen.text()).not.toMatch(/job control|process group/);
        });
      });

      test('Ctrl-C interrupts what it runs, and not the shell', async () => {
        await inTerminal(command, async (screen) => {
          await screen.shows(/[#$] *$/m);
          screen.type('sleep 100\n');
          await sleep(300);
          screen.press('C-c');
          screen.type('echo st"ill" $? here\n');
          // What was typed ahead may stand before the prompt, and the answer behind it.
          await screen.shows(/still 130 here$/m);
        });
      });

      test('its exit code comes back without a word', async () => {
        await inTerminal(command, async (screen) => {
          await screen.shows(/[#$] *$/m);
          screen.type('exit 7\n');
          await screen.shows(/^code \d+$/m);
          expect(screen.text()).toMatch(/^code 7$/m);
          expect(screen.text()).not.toMatch(/process group|error/i);
        });
      });

      test('whoever has called it can read the terminal afterwards', async () => {
        await inTerminal(command, async (screen) => {
          await screen.shows(/[#$] *$/m);
          screen.type('exit 0\n');
          await screen.shows(/^code \d+$/m);
          screen.type('hello\n');
          await screen.shows(/^after: hello$/m);
        });
      });
    });
  }

  test('a full-screen program finds a terminal on all three streams and on /dev/tty', async () => {
    const script = '[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && : </dev/tty && echo all four; exit 5';
    await inTerminal(['sh', '-c', script], async (screen) => {
      await screen.shows(/^code 5$/m);
      expect(screen.text()).toMatch(/^all four$/m);
    });
  });

  test('Ctrl-C ends a command that does not catch it', async () => {
    await inTerminal(['sleep', '4244'], async (screen) => {
      await until(() => cluster.processes().some(({ words }) => words.join(' ') === 'sleep 4244'), 10_000);
      screen.press('C-c');
      await screen.shows(/code 130$/m);
      expect(cluster.processes().some(({ words }) => words[1] === '4244')).toBe(false);
    });
  });

  test('keys arrive as they are typed when the program asks for that', async () => {
    const script = 'stty raw -echo; dd bs=1 count=3 2>/dev/null | od -An -tx1; stty sane';
    const file = join(cluster.home, 'raw.sh');
    writeFileSync(file, `${script}\necho done\n`);
    await inTerminal(['sh', file], async (screen) => {
      await sleep(500);
      screen.press('C-c');
      screen.press('C-d');
      screen.press('C-z');
      await screen.shows(/03 04 1a/);
      await screen.shows(/^code 0$/m);
    });
  });
});
