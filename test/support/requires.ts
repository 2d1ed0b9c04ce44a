import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { release } from 'node:os';

/**
 * What a test may need from the machine. A test names its needs; where one is missing the test is skipped, the
 * reason stands in its name, and the run's summary counts it. Under `CI=true` nothing may be missing: the test then
 * runs and fails on the missing thing itself.
 */
const probes = {
  linux: () => process.platform === 'linux',
  root: () => process.getuid?.() === 0,
  tun: () => {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    return true;
  },
  /** May this user make user + network + mount + PID namespaces? */
  vessel: () => {
    const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
    execFileSync('unshare', [...user, '--net', '--mount', '--pid', '--fork', '--mount-proc', 'true'], {
      stdio: 'ignore',
    });
    return true;
  },
  /** Superframes in tunnels through TAPs. */
  'tunnel-offload': () => {
    const [major, minor] = release().split('.').map(Number);
    return major! > 6 || (major === 6 && minor! >= 17);
  },
  built: () => existsSync(new URL('../../dist/cli/main.js', import.meta.url)),
  /** The distribution's: its Python, which need not be the first in PATH. */
  scapy: () => {
    execFileSync('/usr/bin/python3', ['-c', 'import scapy'], { stdio: 'ignore' });
    return true;
  },
  testdata: () => existsSync(process.env['PODWIRE_TESTDATA'] ?? '/nonexistent'),
} as const;

export type Need = keyof typeof probes | `program:${string}`;

function has(need: Need): boolean {
  try {
    if (need.startsWith('program:')) {
      execFileSync('sh', ['-c', `command -v "$1"`, 'sh', need.slice('program:'.length)], { stdio: 'ignore' });
      return true;
    }
    return probes[need as keyof typeof probes]();
  } catch {
    return false;
  }
}

const known = new Map<Need, boolean>();

/** The first need that this machine does not meet, or undefined when all are met (or when skipping is forbidden). */
export function missing(...needs: readonly Need[]): Need | undefined {
  if (process.env['CI'] === 'true') return undefined;
  return needs.find((need) => {
    if (!known.has(need)) known.set(need, has(need));
    return !known.get(need);
  });
}
