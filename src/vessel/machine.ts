/**
 * What this machine allows, found out by doing, not by reading settings; settings are read only to explain a refusal.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { programUrl } from '../installation.ts';
import type { Offloads } from './offload-probe.ts';
import { Refusal } from './refusal.ts';
import { unshareArguments } from './vessel.ts';

export interface MachineCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What was found. */
  readonly found: string;
  /** What to do about it; empty when nothing need be done. */
  readonly remedy: string;
  /** False for what podwire can do without. */
  readonly required: boolean;
}

const TUN = '/dev/net/tun';

/** Everything `podwire doctor` shows. */
export function checkMachine(): MachineCheck[] {
  return [platform(), tunDevice(), vessel(), offloads(), ...programs()];
}

/** The first required thing that is missing, as a refusal; undefined when a cluster can be started. */
export function firstObstacle(): Refusal | undefined {
  for (const check of [platform, tunDevice]) {
    const result = check();
    if (!result.ok) return new Refusal(`${result.found}; ${result.remedy}`);
  }
  return undefined;
}

/** Why `unshare` failed, in words. @param how its exit, as the host process saw it. */
export function explainVesselFailure(how: string): Refusal {
  const check = vessel();
  if (!check.ok) return new Refusal(`${check.found}; ${check.remedy}`);
  return new Refusal(
    `the namespaces for the cluster could not be made (unshare: ${how}); \`podwire doctor\` tells more`,
  );
}

function platform(): MachineCheck {
  const ok = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);
  return {
    name: 'platform',
    ok,
    required: true,
    found: `${process.platform} ${process.arch}, Node ${process.versions.node}`,
    remedy: ok ? '' : 'podwire needs Linux on x86-64 or arm64',
  };
}

function tunDevice(): MachineCheck {
  const base = { name: TUN, required: true };
  if (!existsSync(TUN)) {
    const remedy = 'load the module: modprobe tun (in a container: --device /dev/net/tun)';
    return { ...base, ok: false, found: `${TUN} is missing`, remedy };
  }
  try {
    accessSync(TUN, constants.R_OK | constants.W_OK);
    return { ...base, ok: true, found: 'readable and writable', remedy: '' };
  } catch {
    const remedy = `allow it for your user: sudo chmod 0666 ${TUN} (it gives no rights outside your own namespaces), or run as root`;
    return { ...base, ok: false, found: `${TUN} may not be opened by user ${process.getuid?.()}`, remedy };
  }
}

/** Makes the namespaces for a moment, exactly as a cluster would. */
function vessel(): MachineCheck {
  const userNamespace = process.getuid?.() !== 0;
  const base = { name: 'namespaces', required: true };
  const result = spawnSync('unshare', [...unshareArguments(userNamespace), 'true'], { encoding: 'utf8' });
  if (result.error !== undefined) {
    return { ...base, ok: false, found: 'the program unshare was not found', remedy: 'apt-get install util-linux' };
  }
  if (result.status === 0) {
    const found = `${userNamespace ? 'user, ' : ''}network, mount and PID namespaces can be made`;
    return { ...base, ok: true, found, remedy: '' };
  }
  const said = result.stderr.trim().split('\n').at(-1) ?? `exit code ${result.status}`;
  return { ...base, ok: false, found: `namespaces are refused: ${said}`, remedy: namespaceRemedy() };
}

/** Asks the kernel inside a vessel. What it lacks costs speed, not truth. */
function offloads(): MachineCheck {
  const base = { name: 'offloads', required: false };
  const probe = fileURLToPath(programUrl('vessel/offload-probe.js'));
  const words = [...unshareArguments(process.getuid?.() !== 0), process.execPath, probe];
  const result = spawnSync('unshare', words, { encoding: 'utf8' });
  if (result.status !== 0) {
    return { ...base, ok: false, found: 'could not be tried', remedy: 'see what is missing above' };
  }
  const found = JSON.parse(result.stdout) as Offloads;
  const missing = Object.entries(found).flatMap(([name, has]) => (has ? [] : [name]));
  if (missing.length === 0) return { ...base, ok: true, found: 'TCP and UDP superframes, whole way', remedy: '' };
  const remedy = 'a newer kernel makes it faster (Linux 6.17 has them all)';
  return { ...base, ok: false, found: `the kernel has no ${missing.join(', ')}`, remedy };
}

/** The settings by which systems forbid namespaces to users, most common first. */
function namespaceRemedy(): string {
  if (setting('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return 'AppArmor restricts user namespaces: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or run as root';
  }
  if (setting('kernel/unprivileged_userns_clone') === '0') {
    return 'user namespaces are off: sudo sysctl kernel.unprivileged_userns_clone=1, or run as root';
  }
  for (const kind of ['user', 'net', 'mnt', 'pid']) {
    if (setting(`user/max_${kind}_namespaces`) === '0') {
      return `user.max_${kind}_namespaces is 0: sudo sysctl user.max_${kind}_namespaces=15000`;
    }
  }
  return 'run as root; inside a container, start it with --privileged (or allow unshare and mounting /proc)';
}

function setting(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${path}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** `unshare` and `nsenter` are needed; the rest are programs people run in pods, and how to get them. */
function programs(): MachineCheck[] {
  const wanted: readonly (readonly [program: string, debianPackage: string, required: boolean])[] = [
    ['nsenter', 'util-linux', true],
    ['ip', 'iproute2', false],
    ['ping', 'iputils-ping', false],
    ['curl', 'curl', false],
    ['iperf3', 'iperf3', false],
    ['tcpdump', 'tcpdump', false],
    ['tshark', 'tshark', false],
  ];
  return wanted.map(([name, debianPackage, required]) => {
    const ok = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', name]).status === 0;
    const remedy = ok ? '' : `apt-get install ${debianPackage}`;
    return { name, ok, required, found: ok ? 'installed' : 'not installed', remedy };
  });
}
