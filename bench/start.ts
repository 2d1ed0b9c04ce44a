/**
 * How long does it take from typing `podwire up` to the first HTTP answer through a Service? Three nodes, six pods, two
 * name servers; two ways to ask: `up -d` and then `exec` (three command lines), and `run` (one). The rival is the clock:
 * a second; and beside it what Node needs to start at all, of which every way contains several. Usage: --help.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandLine, readRounds } from './command-line.ts';
import { refuse, requireBuild } from './requirements.ts';
import { missingWords } from './rivals/rival.ts';

const usage = `Usage: npm run bench:start [-- ROUNDS]

From \`podwire up\` to the first HTTP answer through a Service. ROUNDS, 20, of some 5 s each; needs npm run build and curl,
no root.
`;

const rounds = commandLine(usage, (words) => readRounds(words, 20));
requireBuild();
const missing = missingWords([['curl', 'curl']]);
if (missing !== undefined) refuse(missing);
const podwire = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'pwstart'));
const manifest = join(home, 'six-pods.yaml');

const deployment = (name: string, replicas: number) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec: {containers: [{name: main, image: none, ports: [{containerPort: 8080, name: http}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: ${name}}, ports: [{port: 80, targetPort: http}]}
---
`;
const client = 'apiVersion: v1\nkind: Pod\nmetadata: {name: client}\nspec: {nodeName: n3}\n';
writeFileSync(manifest, `${deployment('web', 3)}${deployment('api', 2)}${client}`);

const question = ['curl', '-sf', '-m', '3', 'http://web/hostname'];

/** Milliseconds of a command that must succeed. */
function timed(command: string, words: readonly string[]): number {
  const startMs = performance.now();
  const { status, stderr } = spawnSync(command, words, {
    env: { ...process.env, PODWIRE_HOME: home },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${words.join(' ')}: ${status}\n${stderr}`);
  return performance.now() - startMs;
}

const cli = (...words: string[]) => timed(process.execPath, [podwire, ...words]);

const columns: Record<string, number[]> = { 'node -e 0': [], 'up -d': [], 'up -d, exec': [], run: [] };
try {
  for (let round = 0; round < rounds; round++) {
    columns['node -e 0']!.push(timed(process.execPath, ['-e', '0']));
    const up = cli('up', '-d', '--nodes', '3', manifest);
    columns['up -d']!.push(up);
    columns['up -d, exec']!.push(up + cli('exec', 'client', '--', ...question));
    cli('down');
    columns['run']!.push(cli('run', '--nodes', '3', manifest, '--', ...question));
  }
} finally {
  cli('down', '--all');
  rmSync(home, { recursive: true });
}
for (const [name, ms] of Object.entries(columns)) {
  const sorted = [...ms].sort((a, b) => a - b);
  const [least, median, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!].map(Math.round);
  const within = ms.filter((one) => one <= 1000).length;
  process.stdout.write(
    `${name}: ${least} / ${median} / ${most} ms (least, median, most); ${within} of ${rounds} ≤ 1 s\n`,
  );
}
