/** Programs that run in a pod: whoever was started there, and what they have started. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNamespace } from '../sys/namespace.ts';

/** What programs have to end in after SIGTERM. */
const GRACE_MS = 500;
const LOOK_MS = 5;
/** What the kernel has to end them in; one that hangs in a device is left behind. */
const KILLED_MS = 2000;
/** TCP's last words, after the programs have ended. */
const CLOSING_MS = 200;

/**
 * Ends all programs that see one of these namespaces, by SIGTERM and then SIGKILL.
 *
 * @param namespaces as /proc has them: `net:[4026532201]`.
 */
export async function endPrograms(namespaces: readonly string[]): Promise<void> {
  const deadline = performance.now() + GRACE_MS;
  let programs = programsIn(namespaces);
  for (const pid of programs) signal(pid, 'SIGTERM');
  while (programs.length > 0 && performance.now() < deadline + KILLED_MS) {
    await sleep(LOOK_MS);
    programs = programsIn(namespaces);
    if (performance.now() > deadline) for (const pid of programs) signal(pid, 'SIGKILL');
  }
}

/** Resolves when the kernel of a network namespace has no TCP connection left that still has something to say. */
export async function connectionsClosed(network: number): Promise<void> {
  const deadline = performance.now() + CLOSING_MS;
  while (performance.now() < deadline && hasConnections(network)) await sleep(LOOK_MS);
}

/** The name of the namespace behind a descriptor of this process. */
export function namespaceName(fd: number): string {
  return readlinkSync(`/proc/self/fd/${fd}`);
}

function programsIn(namespaces: readonly string[]): number[] {
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    return namespaces.some((name) => seenBy(pid, name)) ? [pid] : [];
  });
}

function seenBy(pid: number, namespace: string): boolean {
  const type = namespace.slice(0, namespace.indexOf(':'));
  try {
    return readlinkSync(`/proc/${pid}/ns/${type}`) === namespace;
  } catch {
    return false; // it has ended meanwhile
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it has ended meanwhile
  }
}

/** States of /proc/net/tcp (include/net/tcp_states.h) in which nothing is to be sent any more. */
const QUIET = new Set(['06' /* TIME_WAIT */, '07' /* CLOSE */, '0A' /* LISTEN */]);

function hasConnections(network: number): boolean {
  const tables = inNamespace(network, 'net', () =>
    ['tcp', 'tcp6'].map((name) => readFileSync(`/proc/thread-self/net/${name}`, 'latin1')),
  );
  return tables.some((table) =>
    table
      .split('\n')
      .slice(1)
      .some((line) => line !== '' && !QUIET.has(line.trim().split(/\s+/)[3] ?? '0A')),
  );
}
