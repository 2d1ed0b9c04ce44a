/** `podwire check` as CI runs it: by its own process, with other programs that read what it writes. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readCaptureFile } from '../../src/capture/read-capture.ts';
import { type CommandResult, report, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { describeUnless, testUnless } from './skipping.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const example = join(root, 'examples/policy-test');
const expectations = join(example, 'expectations.yaml');
const DEMO_MS_MAX = 60_000;

/** The example, with a policy that lets nobody reach the database: its port is another one. */
function wrongPolicies(): string {
  return readFileSync(join(example, 'policies.yaml'), 'utf8').replace('port: 5432', 'port: 5433');
}

describeUnless(missing('built'), 'podwire check', () => {
  const cluster = testCluster();

  function check(...words: string[]): Promise<CommandResult> {
    return cluster.run(['check', ...words], { cwd: cluster.home });
  }

  function checkWrong(...words: string[]): Promise<CommandResult> {
    const policies = cluster.write('wrong.yaml', wrongPolicies());
    return check(join(example, 'shop.yaml'), policies, '--expect', expectations, ...words);
  }

  test('of the example ends with 0, of a wrong policy with 1 and says why', async () => {
    expect(await check(example, '--expect', expectations)).toMatchObject({ code: 0 });
    const { code, stdout } = await checkWrong();
    expect(code).toBe(1);
    expect(stdout).toContain('rule 1 allows app=api, but on TCP 5433 only; asked was TCP 5432\n');
    expect(stdout).toContain('    packets: podwire-check/001-shop_api-to-shop_db-tcp-5432.pcapng\n');
    expect(existsSync(join(cluster.home, 'podwire-check/001-shop_api-to-shop_db-tcp-5432.pcapng'))).toBe(true);
  });

  test('reads manifests and expectations from standard input', async () => {
    const text = readFileSync(expectations, 'utf8');
    const { code } = await cluster.run(['check', example, '--expect', '-'], { stdin: text });
    expect(code).toBe(0);
  });

  test('--help says what expectations are; without a PATH it is wrong usage', async () => {
    const help = await check('--help');
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('podwire check PATH... --expect FILE');
    expect(await check()).toMatchObject({ code: 2, stdout: '' });
  });

  testUnless(missing('program:python3'), "writes JUnit's XML as its readers know it", async () => {
    const { stdout } = await checkWrong('-o', 'junit', '--captures', 'none');
    const read = await cluster.start(['python3', '-c', readJunit], { stdin: stdout }).result;
    expect(read).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(read.stdout)).toEqual({
      unknown: [],
      counts: { tests: '5', failures: '1', errors: '0' },
      cases: ['passed', 'passed', 'failed', 'passed', 'passed'],
      failure: expect.stringContaining('ingress to shop/db is restricted by db-allow-api'),
    });
  });

  test('from an empty folder to a failing and a passing test takes no minute', async () => {
    const result = await cluster.start(['sh', join(root, 'scripts/policy-test-demo')], { timeoutMs: DEMO_MS_MAX })
      .result;
    report(`from an empty folder to a passing test: ${(result.ms / 1000).toFixed(1)} s`);
    expect(result).toMatchObject({ code: 0 });
    expect(result.stdout).toContain(
      '! default/web → default/db TCP 5432: expected allowed (expectations.yaml:2), was blocked\n',
    );
    expect(result.stdout).toContain('rule 1 wants app=website, default/web has app=web; port 5432 was fine\n');
    expect(result.stdout).toContain('<testsuites tests="2" failures="0" errors="0"');
  });

  describeUnless(missing('vessel', 'tun'), 'with real sockets', () => {
    interface Document {
      readonly backend: string;
      readonly elapsedMs: number;
      readonly pairs: readonly Pair[];
    }

    interface Pair {
      readonly capture?: string;
      readonly outcome: string;
      readonly reason: string;
      readonly inferred?: boolean;
    }

    const verdicts = ({ pairs }: Document) =>
      pairs.map(({ capture: _, inferred: __, outcome, reason, ...rest }) => {
        return outcome === 'delivered' ? rest : { ...rest, reason };
      });

    test('finds what the simulator finds, leaves captures, and nothing else', async () => {
      const sim = JSON.parse((await checkWrong('-o', 'json')).stdout) as Document;
      const { code, stdout, ms } = await checkWrong(
        '-o',
        'json',
        '--backend',
        'linux',
        '--nodes',
        '2',
        '--captures',
        'real',
      );
      expect(code).toBe(1);
      const real = JSON.parse(stdout) as Document;
      expect(real.backend).toBe('linux');
      expect(verdicts(real)).toEqual(verdicts(sim));
      for (const { reason, inferred } of real.pairs) expect(inferred === true).toBe(reason === 'PolicyDenied');
      expect(sim.pairs.some(({ inferred }) => inferred === true)).toBe(false);
      expect(real.elapsedMs).toBeLessThan(ms);
      expect(real.elapsedMs).toBeGreaterThan(ms / 2);
      const [file] = readdirSync(join(cluster.home, 'real'));
      expect((await commentsOf(join(cluster.home, 'real', file!))).join('\n')).toMatch(
        /DROPPED at ingressPolicy: PolicyDenied \| ingress to shop\/db is restricted by db-allow-api/,
      );
      await cluster.gone(5000);
    });

    test('tells what policies do not do, and knows which addresses nobody has', async () => {
      const policies = cluster.write('odd.yaml', wrongPolicies().replace('app: api', 'app: apii'));
      const manifests = [join(example, 'shop.yaml'), policies];
      const asked = cluster.write('nobody.yaml', 'allow: [{from: shop/api, to: 10.244.0.99, port: 80}]\n');
      const { code, stderr } = await check(...manifests, '--expect', asked, '--backend', 'linux');
      expect(code).toBe(2);
      expect(stderr).toContain('allow[0]: nobody has 10.244.0.99, of the pod network 10.244.0.0/16; near it are ');
      expect(stderr).toContain('NetworkPolicy shop/api-allow-web: spec.podSelector: ');
      await cluster.gone(5000);
    });

    test('ends in order when interrupted', async () => {
      const running = cluster.podwire([
        'check',
        example,
        '--expect',
        expectations,
        '--backend',
        'linux',
        '--captures',
        join(cluster.home, 'none-yet'),
      ]);
      await until(() => cluster.processes().some(({ words }) => words.includes('podwire-reaper')), 20_000);
      running.child.kill('SIGINT');
      expect(await running.result).toMatchObject({ code: 130, stdout: '' });
      expect(existsSync(join(cluster.home, 'none-yet'))).toBe(false);
      await cluster.gone(5000);
      expect(cluster.leftBehind().filter((entry) => entry.startsWith('check-'))).toEqual([]);
    });
  });

  describe('is refused', () => {
    test('for a backend that is not there yet', async () => {
      const { code, stderr } = await check(example, '--expect', expectations, '--backend', 'embedded');
      expect([code, stderr]).toEqual([
        2,
        'podwire check: the backend embedded is not there yet; sim needs no rights either\n',
      ]);
    });
  });
});

/** Names of elements and attributes: those that the schemas of Ant, Maven and Jenkins have in common. */
const readJunit = `
import json, sys, xml.etree.ElementTree as tree
known = {
  'testsuites': {'tests', 'failures', 'errors', 'time'},
  'testsuite': {'name', 'tests', 'failures', 'errors', 'skipped', 'time'},
  'testcase': {'name', 'classname', 'time'},
  'failure': {'type', 'message'},
}
root = tree.fromstring(sys.stdin.buffer.read())
unknown = [one.tag for one in root.iter() if one.tag not in known or not set(one.attrib) <= known[one.tag]]
cases = list(root.iter('testcase'))
print(json.dumps({
  'unknown': unknown,
  'counts': {key: root.attrib[key] for key in ('tests', 'failures', 'errors')},
  'cases': ['passed' if one.find('failure') is None else 'failed' for one in cases],
  'failure': next(root.iter('failure')).text,
}))
`;

async function commentsOf(path: string): Promise<string[]> {
  const comments: string[] = [];
  for await (const record of readCaptureFile(path)) if (record.kind === 'packet') comments.push(...record.comments);
  return comments;
}
