import { close, OpenFlag, open } from './io.ts';
import { addressOf, check, checkReturned, libc } from './libc.ts';

/** Pseudo-terminals (pty(7)): a terminal for a program whose own would be that of another session. */

const TIOCSWINSZ = 0x5414;
const PATH_MAX = 64;
/** O_NOCTTY: opening it must not make it the caller's controlling terminal. */
const NO_CONTROL = 0x100;

const cOpenpt = libc.func('int posix_openpt(int flags)') as (flags: number) => number;
const cUnlockpt = libc.func('int unlockpt(int fd)') as (fd: number) => number;
const cPtsname = libc.func('int ptsname_r(int fd, uintptr_t buffer, size_t length)') as (
  fd: number,
  buffer: number,
  length: number,
) => number;
const cIoctl = libc.func('int ioctl(int fd, unsigned long request, uintptr_t argument)') as (
  fd: number,
  request: number,
  argument: number,
) => number;

export interface PseudoTerminal {
  /** The side that is read and written in place of a person. */
  readonly master: number;
  /** The side that is a program's terminal. */
  readonly slave: number;
}

/** @throws SystemCallError ENOSPC when there are no more, EMFILE. */
export function openPseudoTerminal(): PseudoTerminal {
  const flags = OpenFlag.readWrite | OpenFlag.closeOnExec | NO_CONTROL;
  const master = check(cOpenpt(flags), 'posix_openpt');
  try {
    check(cUnlockpt(master), 'unlockpt');
    const path = new Uint8Array(PATH_MAX);
    checkReturned(-cPtsname(master, addressOf(path), PATH_MAX), 'ptsname_r');
    const name = Buffer.from(path.subarray(0, path.indexOf(0))).toString();
    return { master, slave: checkReturned(open(name, flags), `open(${name})`) };
  } catch (error) {
    close(master);
    throw error;
  }
}

/** Tells the programs in it by SIGWINCH. */
export function setTerminalSize(fd: number, columns: number, rows: number): void {
  const size = Uint16Array.of(rows, columns, 0, 0);
  check(cIoctl(fd, TIOCSWINSZ, addressOf(size)), 'ioctl(TIOCSWINSZ)');
}
