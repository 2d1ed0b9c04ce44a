import { close, Errno, OpenFlag, open } from './io.ts';
import { check, checkReturned, errno, libc, SystemCallError } from './libc.ts';
import { MountFlag, mount } from './mount.ts';

/**
 * Linux namespaces, made and visited by the calling thread alone.
 *
 * A namespace lives as long as a descriptor of it, a socket or TAP made in it, or a thread inside; nothing has a name,
 * so nothing is left behind.
 *
 * What runs inside a namespace must be synchronous to the end. Work handed to Node's thread pool happens in whatever
 * namespace those threads are in, and a pool first started from inside stays there for good. Child processes made
 * inside inherit the namespace.
 */

export type NamespaceKind = 'net' | 'mnt' | 'uts';

const CLONE_FS = 0x200;
const CLONE_FLAG: Record<NamespaceKind, number> = { net: 0x4000_0000, mnt: 0x2_0000, uts: 0x400_0000 };

/**
 * The kernel takes namespaces down in the background, up to a second after the last user has gone, and counts them
 * until then. A cluster started right after another waits for that, with a margin.
 */
const EXHAUSTED_WAIT_MS = 3000;
const EXHAUSTED_PAUSE_MS = 20;

const cUnshare = libc.func('int unshare(int flags)') as (flags: number) => number;
const cSetns = libc.func('int setns(int fd, int kind)') as (fd: number, kind: number) => number;
const cFchdir = libc.func('int fchdir(int fd)') as (fd: number) => number;
const cChroot = libc.func('int chroot(const char *path)') as (path: string) => number;

const sleepCell = new Int32Array(new SharedArrayBuffer(4));

/**
 * Keeps a namespace by its path, such as `/proc/123/fd/45` or `/proc/self/ns/net` (of the main thread; of the calling
 * one: `/proc/thread-self/ns/net`).
 *
 * @throws SystemCallError ENOENT, EACCES.
 */
export function openNamespace(path: string): number {
  return checkReturned(open(path, OpenFlag.readOnly | OpenFlag.closeOnExec), `open(${path})`);
}

interface Place {
  restore(): void;
  forget(): void;
}

/**
 * Remembers the calling thread's root and working directory, which a change of mount namespace resets.
 *
 * Threads of a process share the two, and the kernel lets no thread that does change its mount namespace. So from
 * here on this thread has its own: its process.chdir() and process.umask() no longer reach the thread pool.
 */
function ownPlace(): Place {
  check(cUnshare(CLONE_FS), 'unshare(fs)');
  const flags = OpenFlag.path | OpenFlag.closeOnExec;
  const root = checkReturned(open('/', flags), 'open(/)');
  const directory = open('.', flags);
  return {
    restore() {
      check(cFchdir(root), 'fchdir(root)');
      check(cChroot('.'), 'chroot');
      if (directory >= 0) check(cFchdir(directory), 'fchdir(working directory)');
    },
    forget() {
      close(root);
      if (directory >= 0) close(directory);
    },
  };
}

/** Runs `action` after `enter` has taken the thread elsewhere, and brings the thread home whatever happens. */
function away<T>(kind: NamespaceKind, enter: () => void, action: () => T): T {
  const home = openNamespace(`/proc/thread-self/ns/${kind}`);
  let place: Place | undefined;
  try {
    if (kind === 'mnt') place = ownPlace();
    enter();
    try {
      return action();
    } finally {
      check(cSetns(home, CLONE_FLAG[kind]), `setns(${kind}) on the way back`);
      place?.restore();
    }
  } finally {
    place?.forget();
    close(home);
  }
}

function unshare(kind: NamespaceKind): void {
  const deadline = performance.now() + EXHAUSTED_WAIT_MS;
  while (cUnshare(CLONE_FLAG[kind]) < 0) {
    const reason = errno();
    if (kind !== 'net' || reason !== Errno.ENOSPC || performance.now() > deadline) {
      throw new SystemCallError(`unshare(${kind})`, reason);
    }
    Atomics.wait(sleepCell, 0, 0, EXHAUSTED_PAUSE_MS);
  }
}

/**
 * Makes a namespace and returns a descriptor that keeps it; the calling thread is back where it was, also after a
 * throw. Mounts made in a new mount namespace do not spread to the old one, nor the other way.
 *
 * @param populate runs inside, synchronously; when it throws, the namespace is given up.
 * @throws SystemCallError EPERM without CAP_SYS_ADMIN; ENOSPC at the limit of `user.max_net_namespaces` (for `net`
 * only after waiting 3 s for namespaces that are on their way out); EINVAL for `mnt` in a chroot, whose mounts cannot
 * be made private; whatever `populate` throws.
 */
export function createNamespace(kind: NamespaceKind, populate?: () => void): number {
  return away(
    kind,
    () => unshare(kind),
    () => {
      // Opened before `populate`, which may mount over /proc.
      const fd = openNamespace(`/proc/thread-self/ns/${kind}`);
      try {
        if (kind === 'mnt') mount('none', '/', null, MountFlag.recursive | MountFlag.private);
        populate?.();
      } catch (error) {
        close(fd);
        throw error;
      }
      return fd;
    },
  );
}

/**
 * Runs `action` with the calling thread inside the namespace `fd`, synchronously. In a mount namespace the working
 * directory is `/` meanwhile.
 *
 * @throws SystemCallError EPERM, EINVAL when `fd` is a namespace of another kind; whatever `action` throws.
 */
export function inNamespace<T>(fd: number, kind: NamespaceKind, action: () => T): T {
  return away(kind, () => check(cSetns(fd, CLONE_FLAG[kind]), `setns(${kind})`), action);
}
