import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readCaptureFile } from '../../src/capture/read-capture.ts';
import { captureName } from '../../src/check/captures.ts';
import { usage } from '../../src/cli/check.ts';
import type { Said } from '../cli/run-here.ts';
import { CheckFolder, podYaml } from './check-command.ts';

const pods = podYaml('web', { app: 'web' }) + podYaml('api', { app: 'api' }) + podYaml('db', { app: 'db' });

/** Its policy stands in line 3, its rule in line 7. */
const policy = (app: string) => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-api}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
    - from: [{podSelector: {matchLabels: {app: ${app}}}}]
      ports: [{port: 80}]
`;

const expectations = `allow:
- {from: api, to: db, port: 80}
deny:
- {from: web, to: db}
`;

const folder = new CheckFolder();
const paths = { pods: '', policy: '', wrong: '', expect: '' };

beforeAll(() => {
  paths.pods = folder.write('pods.yaml', pods);
  paths.policy = folder.write('policy.yaml', policy('api'));
  paths.wrong = folder.write('wrong.yml', policy('web'));
  paths.expect = folder.write('expectations.yaml', expectations);
});

function check(...words: string[]): Promise<Said> {
  return folder.check(paths.pods, '--expect', paths.expect, ...words);
}

const captures = () => join(folder.path, 'captures');

describe('podwire check', () => {
  test('ends with 0 where all is as expected, and writes no files', async () => {
    const { code, stdout, stderr } = await check(paths.policy, '--captures', captures());
    expect(stdout).toBe(
      [
        ...['TCP 80, from row to column:', '             default/db', 'default/api  .', 'default/web  X', ''],
        ...['UDP 53, from row to column:', '             default/db', 'default/web  X', ''],
        ...['. allowed   X blocked', ''],
      ].join('\n'),
    );
    expect(stderr).toMatch(/^all 3 connections are as expected \(sim, \d+\.\d s\)\n$/);
    expect(code).toBe(0);
    expect(existsSync(captures())).toBe(false);
  });

  test('ends with 1 where something is not, says which line of which policy, and keeps the packets', async () => {
    const { code, stdout, stderr } = await check(paths.wrong, '--captures', captures());
    expect(code).toBe(1);
    expect(stdout).toContain('default/api  X!\ndefault/web  .!\n');
    expect(stdout).toContain('2 of 3 connections are not as expected:\n');
    expect(stdout).toContain(`! default/api → default/db TCP 80: expected allowed (${paths.expect}:2), was blocked\n`);
    expect(stdout).toContain(
      `    dropped: ingress to default/db is restricted by db-allow-api (${paths.wrong}:6); no rule matched: ` +
        'rule 1 wants app=web, default/api has app=api; port 80 was fine\n',
    );
    expect(stdout).toContain(`! default/web → default/db TCP 80: expected blocked (${paths.expect}:4), was allowed\n`);
    expect(stdout).toContain(`    ingress to default/db is allowed by db-allow-api rule 1 (${paths.wrong}:8)\n`);
    expect(stderr).toContain('2 of 3 connections are not as expected (sim, ');
    const files = readdirSync(captures()).sort();
    expect(files).toEqual([
      '001-default_api-to-default_db-tcp-80.pcapng',
      '002-default_web-to-default_db-tcp-80.pcapng',
    ]);
    for (const file of files) expect(stdout).toContain(`    packets: ${join(captures(), file)}\n`);
    const [drop] = await commentsOf(join(captures(), files[0]!));
    expect(drop).toContain(
      'DROPPED at ingressPolicy: PolicyDenied | ingress to default/db is restricted by db-allow-api',
    );
    expect((await commentsOf(join(captures(), files[1]!))).join()).toContain('forwarded to pod/default/db');
  });

  test('says the same twice', async () => {
    const words = [paths.wrong, '--captures', captures()];
    const first = await check(...words);
    const bytes = () => readdirSync(captures()).map((file) => readFileSync(join(captures(), file)));
    const before = bytes();
    expect((await check(...words)).stdout).toBe(first.stdout);
    expect(bytes()).toEqual(before);
  });

  test('takes a folder that has its expectations in it', async () => {
    const inner = join(folder.path, 'inner');
    mkdirSync(inner);
    folder.write('inner/all.yaml', `${pods}---${policy('api')}`);
    const expected = folder.write('inner/netassert.yaml', netAssert);
    expect(await folder.check(inner, '--expect', expected)).toMatchObject({ code: 0 });
  });

  test('leaves expectations aside that lie among manifests, and says so', async () => {
    const other = join(folder.path, 'other');
    mkdirSync(other);
    folder.write('other/pods.yaml', pods);
    const idle = folder.write('other/idle.yaml', 'deny: []\ndefault: deny\n');
    const expected = folder.write('allowed.yaml', 'allow: [{from: api, to: db, port: 80}]\n');
    const { code, stderr } = await folder.check(other, '--expect', expected);
    expect(code).toBe(0);
    expect(stderr).toContain(`${idle}:1:1: skipped expectations, which \`podwire check --expect\` reads\n`);
  });

  test('removes captures of an earlier check, and nothing else', async () => {
    const old = join(folder.path, 'old');
    mkdirSync(join(old, '003-a-to-b-tcp-80.pcapng'), { recursive: true });
    const kept = ['mine.pcapng', '01-a-to-b-tcp-80.pcapng', '001-notes.pcapng', '001-a-to-b-tcp-80.pcapng.gz'];
    for (const name of kept) writeFileSync(join(old, name), '');
    for (const name of ['001-a-to-b-tcp-80.pcapng', '1001-a_x-to-svc_b-icmp.pcapng'])
      writeFileSync(join(old, name), '');
    expect(await check(paths.policy, '--captures', old)).toMatchObject({ code: 0 });
    expect(readdirSync(old).sort()).toEqual([...kept, '003-a-to-b-tcp-80.pcapng'].sort());
  });

  test('removes folders that it has made for nothing, and no others', async () => {
    const outer = join(folder.path, 'outer');
    expect(await check(paths.policy, '--captures', join(outer, 'inner'))).toMatchObject({ code: 0 });
    expect(existsSync(outer)).toBe(false);
    mkdirSync(outer);
    const nobody = folder.write('nobody.yaml', 'allow: [{from: api, to: nobody, port: 80}]\n');
    const words = [paths.pods, '--expect', nobody, '--captures', join(outer, 'inner')];
    expect(await folder.check(...words)).toMatchObject({ code: 2 });
    expect(readdirSync(outer)).toEqual([]);
  });

  test('refuses a folder that cannot be one before it asks; none needs none', async () => {
    const { code, stdout, stderr } = await check(paths.wrong, '--captures', join(paths.pods, 'inner'));
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^--captures .*: E[A-Z]+: .*; `--captures none` does without\n$/);
    expect(await check(paths.wrong, '--captures', 'none')).toMatchObject({ code: 1 });
  });

  test('keeps its report where a capture cannot be written', async () => {
    const full = join(folder.path, 'full');
    mkdirSync(join(full, '001-default_api-to-default_db-tcp-80.pcapng'), { recursive: true });
    const { code, stdout, stderr } = await check(paths.wrong, '--captures', full);
    expect(code).toBe(1);
    expect(stdout).toMatch(/expected allowed \(.*\), was blocked\n.*\n {4}packets: none \(.*\)\n/);
    expect(stdout).toContain(`    packets: ${join(full, '002-default_web-to-default_db-tcp-80.pcapng')}\n`);
    expect(stderr).toContain('note: packets of 1 of the differences could not be kept: ');
    expect(existsSync(join(full, '001-default_api-to-default_db-tcp-80.pcapng'))).toBe(true);
    const { pairs } = JSON.parse((await check(paths.wrong, '-o', 'json', '--captures', full)).stdout);
    expect(pairs[0].captureFailure).toContain('001-default_api-to-default_db-tcp-80.pcapng');
    expect((await check(paths.wrong, '-o', 'tap', '--captures', full)).stdout).toContain('; packets: none (');
  });

  test('counts the time since the command began', async () => {
    const before = performance.now();
    const { elapsedMs } = JSON.parse((await check(paths.policy, '-o', 'json')).stdout);
    expect(elapsedMs).toBeGreaterThan(Math.floor(before));
    expect(elapsedMs).toBeLessThanOrEqual(Math.ceil(performance.now()));
  });

  test('tells pods of a workload with the same fault in one block, with the packets of each', async () => {
    const template = '{metadata: {labels: {app: many}}, spec: {containers: [{name: c, image: x}]}}';
    const many = folder.write(
      'many.yaml',
      `apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: many}\nspec: {replicas: 2, selector: {matchLabels: {app: many}}, template: ${template}}\n`,
    );
    const expected = folder.write(
      'many-allowed.yaml',
      'allow: [{from: {podSelector: {app: many}}, to: db, port: 80}]\n',
    );
    const words = [paths.pods, paths.policy, many, '--expect', expected, '--captures', captures()];
    const { stdout } = await folder.check(...words);
    expect(stdout.match(/^! .*$/gm)).toEqual([
      `! 2 pods of default/many → default/db TCP 80: expected allowed (${expected}:1), was blocked`,
    ]);
    expect(stdout.match(/ {4}packets: .*/g)).toEqual(
      [1, 2].map((n) => `    packets: ${captures()}/00${n}-default_many-${n - 1}-to-default_db-tcp-80.pcapng`),
    );
    const markdown = (await folder.check(...words, '-o', 'markdown')).stdout;
    expect(markdown.match(/^\| 2 pods of default\/many \| .*$/gm)).toHaveLength(1);
  });

  test('tells what policies do not do, and what default does not ask', async () => {
    const odd = folder.write('odd.yaml', policy('apii'));
    const quiet = 'apiVersion: v1\nkind: Pod\nmetadata: {name: quiet}\nspec: {containers: [{name: c, image: x}]}\n';
    const expected = folder.write('all.yaml', 'default: allow\n');
    const words = [paths.pods, folder.write('quiet.yaml', quiet), odd, '--expect', expected, '--captures', 'none'];
    const { stderr, stdout } = await folder.check(...words, '-o', 'json');
    const lines = stderr.split('\n');
    expect(lines[0]).toContain(`${odd}:8:`);
    expect(lines[0]).toContain('NetworkPolicy default/db-allow-api: spec.ingress[0]');
    const note = `${expected}:1:10: default: allow tries no way to default/quiet: it declares no containerPort`;
    expect(lines[1]).toBe(note);
    expect(JSON.parse(stdout).notes).toEqual([note]);
  });

  test('as JSON', async () => {
    const { stdout } = await check(paths.wrong, '-o', 'json', '--captures', captures());
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ passed: false, backend: 'sim', counts: { pairs: 3, failed: 2 } });
    expect(document.expectations).toEqual([
      {
        name: 'allow default/api → default/db TCP 80',
        expected: 'allow',
        file: paths.expect,
        line: 2,
        column: 3,
        pairs: 1,
        passed: false,
      },
      {
        name: 'deny default/web → default/db TCP 80, UDP 53',
        expected: 'deny',
        file: paths.expect,
        line: 4,
        column: 3,
        pairs: 2,
        passed: false,
      },
    ]);
    expect(document.pairs[0]).toMatchObject({
      from: { kind: 'Pod', namespace: 'default', name: 'api' },
      to: { kind: 'Pod', namespace: 'default', name: 'db' },
      ...{ protocol: 'TCP', port: 80, expected: 'allow', actual: 'blocked', passed: false },
      ...{ outcome: 'dropped', reason: 'PolicyDenied' },
      rule: { kind: 'NetworkPolicy', name: 'db-allow-api', path: 'spec.podSelector', file: paths.wrong, line: 6 },
      policies: [{ name: 'db-allow-api' }],
      capture: join(captures(), '001-default_api-to-default_db-tcp-80.pcapng'),
    });
    expect(document.pairs[2]).toMatchObject({ protocol: 'UDP', port: 53, passed: true });
    expect(document.matrices[0]).toEqual({
      ...{ ports: ['TCP 80'], rows: ['default/api', 'default/web'], columns: ['default/db'] },
      cells: [['X!'], ['.!']],
    });
  });

  test('as JUnit', async () => {
    const { stdout } = await check(paths.wrong, '-o', 'junit', '--captures', 'none');
    const lines = stdout.replaceAll(/ time="[\d.]+"/g, '').split('\n');
    expect(lines.slice(0, 4)).toEqual([
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<testsuites tests="2" failures="2" errors="0">',
      '  <testsuite name="podwire check" skipped="0" tests="2" failures="2" errors="0">',
      `    <testcase classname="${paths.expect}" name="allow default/api → default/db TCP 80 (line 2)">`,
    ]);
    expect(lines[4]).toContain(
      '<failure type="expectation" message="1 of 1 not as expected; default/api → default/db TCP 80: ',
    );
    expect(lines.slice(-3)).toEqual(['  </testsuite>', '</testsuites>', '']);
  });

  test('as TAP', async () => {
    const { stdout } = await check(paths.wrong, '-o', 'tap', '--captures', 'none');
    const lines = stdout.split('\n');
    expect(lines.slice(0, 4)).toEqual([
      'TAP version 14',
      '1..2',
      'not ok 1 - allow default/api → default/db TCP 80',
      '  ---',
    ]);
    expect(lines[4]).toMatch(/^ {2}message: "dropped: ingress to default\/db is restricted by /);
    expect(lines[5]).toBe(`  at: {file: "${paths.expect}", line: 2}`);
    expect(lines[6]).toBe('  differences:');
    expect(lines[7]).toMatch(/^ {4}- "default\/api → default\/db TCP 80: expected allowed /);
    expect(lines[8]).toBe('  ...');
    expect((await check(paths.policy, '-o', 'tap')).stdout).toMatch(/^TAP version 14\n1\.\.2\nok 1 - .*\nok 2 - .*\n$/);
  });

  test('names from elsewhere break no format', async () => {
    const name = 'a # SKIP | <b>`&"\u001b[31m\u0000';
    const expected = folder.write('hostile.yaml', netAssert.replace('name: t', `name: ${JSON.stringify(name)}`));
    const said = async (format: string) =>
      (await folder.check(paths.pods, paths.wrong, '--expect', expected, '--captures', 'none', '-o', format)).stdout;
    expect(await said('tap')).toContain('not ok 1 - a \\# SKIP | <b>`&"\\\\u{1b}[31m\\\\u{0}\n');
    expect(await said('junit')).toContain('name="a # SKIP | &lt;b&gt;`&amp;&quot;\\u{1b}[31m\\u{0} (line 1)"');
    for (const format of ['table', 'markdown', 'tap', 'junit']) expect(await said(format)).not.toMatch(/[^\P{Cc}\n]/u);
  });

  test('as Markdown', async () => {
    const { stdout } = await check(paths.wrong, '-o', 'markdown', '--captures', 'none');
    expect(stdout).toMatch(/^### ❌ podwire check: 2 of 3 connections are not as expected\n\n\| from \| to /);
    expect(stdout).toContain('\n| default/api | default/db | TCP 80 | allowed (');
    expect(stdout).toContain('default/web  .!\n');
    expect(stdout.endsWith('```\n</details>\n')).toBe(true);
    expect((await check(paths.policy, '-o', 'markdown')).stdout).toMatch(/^### ✅ podwire check: all 3 /);
  });

  test.each([
    ['no PATH', () => ['--expect', paths.expect], 'expected a PATH with manifests'],
    ['no FILE', () => [paths.pods], '--expect FILE is needed'],
    [
      'a format that is none',
      () => [paths.pods, '--expect', paths.expect, '-o', 'xml'],
      '-o takes table, json, junit, tap, markdown, found "xml"',
    ],
    [
      'a backend that is none',
      () => [paths.pods, '--expect', paths.expect, '--backend', 'qemu'],
      '--backend takes sim or linux, found "qemu"',
    ],
    ['standard input twice', () => ['-', '--expect', '-'], 'standard input is read once'],
    [
      'a namespace that is none',
      () => [paths.pods, '--expect', paths.expect, '-n', 'A'],
      '-n takes a namespace, found "A"',
    ],
  ])('with %s is wrong usage', async (_, words, message) => {
    const { code, stdout, stderr } = await folder.check(...words());
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toBe(`${stderr.slice(0, stderr.indexOf(usage))}${usage}`);
    expect(stderr).toContain(message);
  });

  test.each([
    ['a file that is not there', ['--expect', '/nowhere.yaml'], '/nowhere.yaml: no such file or folder'],
    ['a backend that is not there yet', ['--backend', 'embedded'], 'the backend embedded is not there yet'],
  ])('with %s ends with 2', async (_, words, message) => {
    const { code, stderr } = await check(...words);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  test('tells what is wrong with manifests and expectations at once', async () => {
    const manifest = folder.write(
      'bad.yaml',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: A}\nspec: {containers: [{name: c}]}\n',
    );
    const expected = folder.write('bad-expectations.yaml', 'allow: [{from: a}]\n');
    const { code, stdout, stderr } = await folder.check(manifest, '--expect', expected);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`${manifest}:3:`);
    expect(stderr).toContain(`${expected}:1:9: allow[0]: found no to`);
  });

  test('tells of expectations that cannot be read, and of those that mean nobody, at once', async () => {
    const expected = folder.write('faulty.yaml', 'allow:\n- {from: api}\n- {from: api, to: dbb, port: 80}\n');
    const { code, stderr } = await folder.check(paths.pods, '--expect', expected);
    expect(code).toBe(2);
    expect(stderr.match(/^.*(allow|expectations).*$/gm)).toEqual([
      expect.stringContaining(`${expected}:2:3: allow[0]: found no to`),
      expect.stringContaining(`${expected}:3:3: allow[1]: there is no pod default/dbb`),
    ]);
  });

  test('doubts what no policy blocks', async () => {
    const service = folder.write(
      'service.yaml',
      'apiVersion: v1\nkind: Service\nmetadata: {name: none}\nspec: {selector: {app: none}, ports: [{port: 80}]}\n',
    );
    const expected = folder.write('doubtful.yaml', 'deny: [{from: web, to: svc/none, port: 80}]\n');
    const { code, stderr } = await folder.check(paths.pods, service, '--expect', expected);
    expect(code).toBe(0);
    expect(stderr).toContain(
      'note: default/web → svc/default/none TCP 80 is blocked as expected, but by no policy: rejected, NoEndpoints\n',
    );
  });

  test('judges packets to the world by policies alone', async () => {
    const egress = 'spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}]}]}';
    const text = `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: out}\n${egress}\n`;
    const expected =
      'allow: [{from: web, to: 192.0.2.7, port: 443}]\ndeny: [{from: web, to: {ip: 198.51.100.7}, port: 443}]\n';
    const words = [folder.write('egress.yaml', text), '--expect', folder.write('world.yaml', expected)];
    expect(await folder.check(paths.pods, ...words)).toMatchObject({ code: 0 });
  });
});

test('names of captures are safe, and not too long', () => {
  const pair = (name: string) => ({ from: { name }, to: { name: 'svc/shop/api' }, protocol: 'ICMP', port: 0 });
  expect(captureName(7, { pair: pair('../a b;$(x)/\u0000') } as never)).toBe(
    '007-.._a_b_x_-to-svc_shop_api-icmp.pcapng',
  );
  expect(captureName(1000, { pair: pair('x'.repeat(500)) } as never).length).toBeLessThan(200);
});

const netAssert = `- name: t
  type: k8s
  targetPort: 80
  exitCode: 0
  src: {k8sResource: {kind: pod, name: api, namespace: default}}
  dst: {k8sResource: {kind: pod, name: db, namespace: default}}
`;

async function commentsOf(path: string): Promise<string[]> {
  const comments: string[] = [];
  for await (const record of readCaptureFile(path)) {
    if (record.kind === 'packet') comments.push(record.comments?.join() ?? '');
  }
  return comments;
}
