/**
 * The vessel: one private user (when not root), network, mount and PID namespace, entered by util-linux `unshare`
 * before Node starts, because a running Node has threads and the kernel lets no such process make a user namespace.
 *
 *     host process ── unshare ── reaper, pid 1 ── cluster process ── node processes
 *
 * Everything inside ends with pid 1: the kernel sees to that. Pid 1 ends when the cluster process does, when it is
 * told to, and when the host process is gone, which it learns from a pipe that only the host process holds open.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { ManifestText } from '../cluster/manifests.ts';
import type { Topology } from '../cluster/topology.ts';
import { programUrl } from '../installation.ts';
import { identify, isAlive, type ProcessIdentity, parentOf } from './process-identity.ts';

/** Descriptor of the lifeline pipe and of the status pipe inside the vessel. */
export const LIFELINE = 3;
const STATUS = 4;
/** Where the processes inside write what people shall read; 2 is for `unshare` alone, whose words become a refusal. */
const WORDS = 5;
/** Grace for the kernel to end what is inside. */
const END_TIMEOUT_MS = 2_000;
/** Where the cluster process reads what it is to be, to the end. */
export const ORDER = 6;

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

/** What the cluster process is to be. */
export interface ClusterOrder {
  /** The run directory of the cluster; exists. */
  readonly directory: string;
  readonly topology: Topology;
  readonly manifests: readonly ManifestText[];
}

export interface Vessel {
  /** Resolves when it has ended, with how, in words. */
  readonly ended: Promise<string>;
  /** Lines of JSON from the cluster process. */
  readonly status: Readable;
  readonly userNamespace: boolean;
  /** Pid 1 as this side sees it; undefined when it is gone already. */
  pidOne(): ProcessIdentity | undefined;
  /** Once: what the processes inside are waiting for. */
  begin(order: ClusterOrder): void;
  /** Ends it. Resolves when all that was inside is gone, or after a time. */
  abandon(): Promise<void>;
}

/** A vessel that another process of ours is to hold. */
export interface StartedVessel extends Vessel {
  /** This end of its pipes, in the order that `adoptVessel` expects: to be the other process's descriptors from some on. */
  readonly pipes: readonly (Readable | Writable)[];
  /** `unshare`; undefined when it could not be started. */
  readonly identity: ProcessIdentity | undefined;
  /** Closes this process's pipes: whoever has the others holds it now. */
  letGo(): void;
}

/** Arguments of `unshare` for this user. */
export function unshareArguments(userNamespace: boolean): string[] {
  const user = userNamespace ? ['--user', '--map-root-user'] : [];
  return [...user, '--net', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'];
}

/**
 * Starts the vessel and the cluster process in it, which loads its code and waits for `begin`: that takes as long as
 * reading the manifests, and goes on beside it.
 *
 * @param output descriptor that those inside write to for people; `unshare` itself does not.
 */
export function startVessel(output: number): StartedVessel {
  const userNamespace = process.getuid?.() !== 0;
  const cluster = fileURLToPath(programUrl('cluster/main.cjs'));
  const child = spawn(
    'unshare',
    [...unshareArguments(userNamespace), 'sh', '-c', REAPER, 'podwire-reaper', process.execPath, cluster],
    {
      // A group of its own: Ctrl-C is for the host process alone.
      detached: true,
      stdio: ['ignore', output, 'pipe', 'pipe', 'pipe', output, 'pipe'],
    },
  );
  child.stderr?.resume();
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const stdio = child.stdio as readonly unknown[];
  const pipes = [LIFELINE, STATUS, ORDER].map((fd) => stdio[fd] as Readable & Writable);
  return {
    ...vesselOf(child.pid, pipes, ended, () => child.exitCode === null && child.signalCode === null),
    pipes,
    identity: child.pid === undefined ? undefined : identify(child.pid),
    letGo: () => {
      for (const pipe of [...pipes, child.stderr]) pipe?.destroy();
      child.unref();
    },
  };
}

/**
 * Holds a vessel that the process which started this one has started.
 *
 * @param firstFd of its `pipes` here.
 */
export function adoptVessel(identity: ProcessIdentity | undefined, firstFd: number): Vessel {
  const pipes = [LIFELINE, STATUS, ORDER].map((_, i) => new Socket({ fd: firstFd + i }));
  // All that is inside holds the status pipe.
  const ended = new Promise<string>((resolve) => pipes[1]!.on('close', () => resolve('its processes are gone')));
  return vesselOf(identity?.pid, pipes, ended, () => identity !== undefined && isAlive(identity));
}

function vesselOf(
  pid: number | undefined,
  [, status, order]: readonly (Readable & Writable)[],
  ended: Promise<string>,
  isOurs: () => boolean,
): Vessel {
  order?.on('error', () => {}); // `ended` tells
  return {
    ended,
    status: status!,
    userNamespace: process.getuid?.() !== 0,
    pidOne: () => (pid === undefined ? undefined : childOf(pid)),
    begin: (what) => void order?.end(JSON.stringify(what)),
    abandon: async () => {
      if (pid === undefined || !isOurs()) return;
      try {
        // Pid 1 ends when all that is inside has, and `unshare` after it.
        process.kill(childOf(pid)?.pid ?? pid, 'SIGKILL');
      } catch {
        return; // it has ended
      }
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, END_TIMEOUT_MS);
      });
      await Promise.race([ended, late]);
      clearTimeout(timer);
    },
  };
}

/** The one child of `unshare`. */
function childOf(parent: number): ProcessIdentity | undefined {
  for (const entry of readdirSync('/proc')) {
    if (/^\d+$/.test(entry) && parentOf(Number(entry)) === parent) return identify(Number(entry));
  }
  return undefined;
}
