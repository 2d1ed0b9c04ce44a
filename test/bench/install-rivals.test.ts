/** scripts/install-rivals and Debian's policy-rc.d: whatever was there is there again, also after a run that was killed. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/install-rivals', import.meta.url));
const USERS = '#!/bin/sh\nexit 104\n';
let directory = '';
let policy = '';
const kept = () => `${policy}.before-podwire`;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pwrivals'));
  policy = join(directory, 'policy-rc.d');
  mkdirSync(join(directory, 'bin'));
  const program = (name: string, text: string) => {
    writeFileSync(join(directory, 'bin', name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(directory, 'bin', name), 0o755);
  };
  program('id', 'echo 0');
  program('apt-cache', 'echo "  Candidate: 1.0"');
  program('systemctl', ':');
  // The script's shell is its parent.
  program('apt-get', 'case "$*" in *install*) cp "$POLICY" "$SEEN"; [ -z "$KILL" ] || kill -s "$KILL" "$PPID";; esac');
  for (const name of ['grep', 'rm', 'mv', 'chmod', 'sed', 'cp']) {
    const path = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
    program(name, `exec ${path} "$@"`);
  }
});
afterEach(() => rmSync(directory, { recursive: true }));

function install(kill = ''): { status: number | null; stderr: string } {
  const env = { PATH: join(directory, 'bin'), PODWIRE_POLICY_RC_D: policy, POLICY: policy, SEEN: seen(), KILL: kill };
  const { status, stderr } = spawnSync('/bin/sh', [script], { env, encoding: 'utf8' });
  return { status, stderr };
}

const seen = () => join(directory, 'seen');
const text = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);

test.each([['none'], ['a']])(
  '%s policy before: nothing may start meanwhile, and afterwards all is as it was',
  (which) => {
    if (which === 'a') writeFileSync(policy, USERS);
    expect(install()).toEqual({ status: 0, stderr: '' });
    expect(text(seen())).toMatch(/\nexit 101\n$/);
    expect([text(policy), text(kept())]).toEqual([which === 'a' ? USERS : undefined, undefined]);
  },
);

test.each([
  ['none', 'KILL'],
  ['a', 'KILL'],
  ['a', 'TERM'],
])('%s policy before, killed by SIG%s: the next run brings it back, and does not lose it', (which, signal) => {
  const before = which === 'a' ? USERS : undefined;
  if (before !== undefined) writeFileSync(policy, before);
  install(signal);
  if (signal === 'KILL') expect([text(policy), text(kept())]).toEqual([expect.stringMatching(/exit 101/), before]);
  else expect([text(policy), text(kept())]).toEqual([before, undefined]);
  expect(install('KILL').status).not.toBe(0);
  expect(install()).toEqual({ status: 0, stderr: '' });
  expect([text(policy), text(kept())]).toEqual([before, undefined]);
});

test('a policy that somebody has written beside a backup: neither is lost', () => {
  writeFileSync(policy, '#!/bin/sh\nexit 0\n');
  writeFileSync(kept(), USERS);
  const { status, stderr } = install();
  expect(status).toBe(1);
  expect(stderr).toContain('remove one of them');
  expect([text(policy), text(kept())]).toEqual(['#!/bin/sh\nexit 0\n', USERS]);
});
