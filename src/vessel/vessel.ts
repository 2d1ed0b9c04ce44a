/**
 * The vessel: one private user (when not root), network, mount and PID namespace, entered by util-linux `unshare`
 * before Node starts, because a running Node has threads and the kernel lets no such process make a user namespace.
 *
 *     host process ── unshare ── reaper, pid 1 ── cluster process ── node processes
 *
 * Everything inside ends with pid 1: the kernel sees to that. Pid 1 ends when the cluster process does, when it is
 * told to, and when the host process is gone, which it learns from a pipe that only the host process holds open.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { identify, type ProcessIdentity, parentOf } from './process-identity.ts';

/** Descriptor of the lifeline pipe and of the status pipe inside the vessel. */
export const LIFELINE = 3;
const STATUS = 4;
/** Where the processes inside write what people shall read; 2 is for `unshare` alone, whose words become a refusal. */
const WORDS = 5;

/**
 * Pid 1. It is a shell because it must be small and reap orphans: while it waits, it collects every process that ends
 * and has no other parent. Node cannot do this: as pid 1 it ignores SIGTERM and leaves zombies.
 *
 * The watcher's `read` returns when the host process, the only holder of the other end, is gone. The cluster process
 * reads the same pipe: a program in a pod shares this PID namespace and could end one of the two.
 */
const REAPER = `
exec 2>&${WORDS} ${WORDS}>&-
trap 'exit 143' TERM
trap '' INT HUP
(read -r _ <&${LIFELINE}; kill -TERM 1) &
"$@" &
wait $!
`;

export interface Vessel {
  readonly process: ChildProcess;
  /** Lines of JSON from the cluster process. */
  readonly status: Readable;
  readonly userNamespace: boolean;
  /** Pid 1 as this side sees it; undefined when it is gone already. */
  pidOne(): ProcessIdentity | undefined;
}

/** Arguments of `unshare` for this user. */
export function unshareArguments(userNamespace: boolean): string[] {
  const user = userNamespace ? ['--user', '--map-root-user'] : [];
  return [...user, '--net', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'];
}

/** Starts the cluster process for the cluster in `directory`. What is inside has our stderr; `unshare` has not. */
export function startVessel(directory: string): Vessel {
  const userNamespace = process.getuid?.() !== 0;
  const cluster = fileURLToPath(new URL('../cluster/main.js', import.meta.url));
  const child = spawn(
    'unshare',
    [...unshareArguments(userNamespace), 'sh', '-c', REAPER, 'podwire-reaper', process.execPath, cluster, directory],
    {
      // A group of its own: Ctrl-C is for the host process alone.
      detached: true,
      stdio: ['ignore', 'inherit', 'pipe', 'pipe', 'pipe', 2],
    },
  );
  child.stderr?.resume();
  return {
    process: child,
    status: child.stdio[STATUS] as Readable,
    userNamespace,
    pidOne: () => (child.pid === undefined ? undefined : childOf(child.pid)),
  };
}

/** The one child of `unshare`. */
function childOf(parent: number): ProcessIdentity | undefined {
  for (const entry of readdirSync('/proc')) {
    if (/^\d+$/.test(entry) && parentOf(Number(entry)) === parent) return identify(Number(entry));
  }
  return undefined;
}
