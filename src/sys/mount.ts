import { check, libc } from './libc.ts';

/** Mounts (mount(2)) and the host name: what makes a namespace look like a machine of its own. */

/** Flags of mount(2). */
export const MountFlag = {
  readOnly: 0x1,
  noSetUserId: 0x2,
  noDevices: 0x4,
  noExecution: 0x8,
  remount: 0x20,
  bind: 0x1000,
  recursive: 0x4000,
  private: 0x40000,
} as const;

const cMount = libc.func(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
) as (source: string, target: string, type: string | null, flags: number, data: string | null) => number;
const cSethostname = libc.func('int sethostname(const char *name, size_t length)') as (
  name: string,
  length: number,
) => number;

/**
 * Mounts in the calling thread's mount namespace; make that a private one first.
 *
 * @param type null where the flags ask for no file system (bind, private, remount).
 * @param flags `MountFlag`s, or-ed.
 * @param data the file system's own options, such as `size=1m`.
 * @throws SystemCallError ENOENT, EPERM, EINVAL, EBUSY.
 */
export function mount(
  source: string,
  target: string,
  type: string | null,
  flags: number,
  data: string | null = null,
): void {
  check(cMount(source, target, type, flags, data), `mount(${source}, ${target})`);
}

/** Shows the file or directory `source` at `target`, which exists and is of the same sort. @throws SystemCallError */
export function bindMount(source: string, target: string): void {
  mount(source, target, null, MountFlag.bind);
}

/**
 * Names the host in the calling thread's UTS namespace.
 *
 * @throws SystemCallError EINVAL beyond 64 bytes, EPERM.
 */
export function setHostname(name: string): void {
  check(cSethostname(name, Buffer.byteLength(name)), `sethostname(${name})`);
}
