/**
 * Places that captures are written to. What a place is, and what becomes of it:
 *
 * - regular file: created or truncated, mode 0666 less umask, symbolic links followed, as tcpdump does.
 * - FIFO: opening waits until somebody reads.
 * - standard output (`-`): a file, pipe or socket; not a terminal.
 * - character device: as it is; `/dev/null` is one.
 * - directory, socket, block device, terminal, no folder, no permission: `Refusal`.
 * - reader gone: `ReaderGone`. Reader slow: what it has not taken waits here, and `settled` tells when it has.
 * - full disk, quota, file size limit: the file is cut behind its last whole block, then `DiskFull`.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { Refusal } from '../vessel/refusal.ts';
import { wholeBlocks } from './pcapng-writer.ts';

const STANDARD_OUTPUT = 1;
/** As fopen(3) does. */
const FILE_MODE = 0o666;
/** How often a FIFO is tried that has no reader; and how long a pipe is left that is full. */
const READER_POLL_MS = 100;
const FULL_PIPE_WAIT_MS_MIN = 1;
const FULL_PIPE_WAIT_MS_MAX = 20;

const diskFullCodes = ['ENOSPC', 'EDQUOT', 'EFBIG'];
/** A pipe, and a socket whose peer had bytes unread. */
const readerGoneCodes = ['EPIPE', 'ECONNRESET'];

/** The file ends behind its last whole block, or record: it is sound, and goes no further. */
export class DiskFull extends Error {
  override readonly name = 'DiskFull';
  readonly path: string;
  readonly bytesKept: number;

  constructor(path: string, bytesKept: number, cause: NodeJS.ErrnoException) {
    super(`${path}: no space left (${cause.code}); the capture ends after ${bytesKept} bytes`, { cause });
    this.path = path;
    this.bytesKept = bytesKept;
  }
}

/** Whoever read the pipe has had enough. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
  readonly path: string;

  constructor(path: string, cause: NodeJS.ErrnoException) {
    super(`${path}: nobody reads any more`, { cause });
    this.path = path;
  }
}

export interface CaptureFile {
  /** Bytes that the reader of a pipe has not taken yet. The caller decides how many are too many. */
  readonly waiting: number;
  /**
   * Writes all of it before it returns, except to a pipe that is full; or throws `DiskFull`, `ReaderGone` or `Refusal`;
   * then every later call throws the same again.
   *
   * @param blocks whole pcapng blocks, little-endian: the file can be cut between them.
   */
  write(blocks: Uint8Array): void;
  /** Resolves when nothing waits; rejects with what `write` throws. */
  settled(): Promise<void>;
  /**
   * What waits is given up. May throw what `write` throws: some file systems (NFS) find out then. Standard output stays
   * open.
   */
  close(): void;
}

/**
 * @param path a file, FIFO or character device; `-` is standard output.
 * @param signal ends the wait for the reader of a FIFO, with an AbortError.
 */
export async function openCaptureFile(path: string, signal?: AbortSignal): Promise<CaptureFile> {
  if (path === '-') return new OpenFile('standard output', standardOutput());
  for (;;) {
    const fd = tryToOpen(path, checkedTarget(path));
    if (fd !== undefined) return new OpenFile(path, fd);
    await sleep(READER_POLL_MS, undefined, { signal });
  }
}

/** What is there; undefined for nothing. Throws `Refusal` for what a capture is never written to. */
export function checkedTarget(path: string): Stats | undefined {
  if (path === '') throw new Refusal('the name of the capture file is empty; name a file, or - for standard output');
  const target = tried(path, () => statSync(path, { throwIfNoEntry: false }));
  if (target?.isDirectory()) {
    throw new Refusal(`${path}: a directory; name a file in it, such as ${join(path, 'capture.pcapng')}`);
  }
  if (target?.isSocket()) throw new Refusal(`${path}: a socket; name a file, or a FIFO made by mkfifo`);
  if (target?.isBlockDevice()) throw new Refusal(`${path}: a block device, whose contents would be lost; name a file`);
  return target;
}

/** A pipe is opened once more: what makes that not wait must not change the pipe for others that write to it. */
function standardOutput(): number {
  if (!fstatSync(STANDARD_OUTPUT).isFIFO()) return STANDARD_OUTPUT;
  try {
    return openSync(`/proc/self/fd/${STANDARD_OUTPUT}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return STANDARD_OUTPUT; // somebody else's pipe, or no reader any more: writing will tell
  }
}

/** Undefined for a FIFO that nobody reads. */
function tryToOpen(path: string, target: Stats | undefined): number | undefined {
  const { O_WRONLY, O_NONBLOCK, O_CREAT, O_TRUNC } = constants;
  if (!target?.isFIFO()) return tried(path, () => openSync(path, O_WRONLY | O_NONBLOCK | O_CREAT | O_TRUNC, FILE_MODE));
  try {
    return openSync(path, O_WRONLY | O_NONBLOCK);
  } catch (error) {
    // fifo(7): what open(2) says with O_NONBLOCK, where without it would hang.
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return undefined;
    throw refusal(path, error as NodeJS.ErrnoException);
  }
}

function tried<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw refusal(path, error as NodeJS.ErrnoException);
  }
}

/** What the system said of a path, and what to do about it. */
export function refusal(path: string, error: NodeJS.ErrnoException): Refusal {
  const folder = dirname(path);
  switch (error.code) {
    case 'ENOENT':
      if (existsSync(folder)) return new Refusal(`${path}: a symbolic link to where no folder is; name another file`);
      return new Refusal(`${path}: its folder is not there; make it: mkdir -p ${folder}`);
    case 'ENOTDIR':
      return new Refusal(`${path}: ${folder} is no folder; name another file`);
    case 'EACCES':
    case 'EPERM':
      return new Refusal(`${path}: not writable by this user; name another file, or change its permissions`);
    case 'EROFS':
      return new Refusal(`${path}: on a read-only file system; name another file`);
    default:
      return new Refusal(`${path}: cannot be written (${error.message}); name another file`);
  }
}

export function isDiskFull(error: NodeJS.ErrnoException): boolean {
  return diskFullCodes.includes(error.code ?? '');
}

class OpenFile implements CaptureFile {
  /** As messages name it. */
  readonly #path: string;
  readonly #fd: number;
  readonly #isFile: boolean;
  /** Where the file ended when it was opened: standard output may lead into one that is not empty (`>>`). */
  readonly #sizeAtFirst: number;
  /** Bytes behind that, all of whole blocks. */
  #kept = 0;
  waiting = 0;
  readonly #queue: Uint8Array[] = [];
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;
  #open = true;

  constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
    if (isatty(fd)) {
      this.close();
      throw new Refusal(`${path}: a terminal, which cannot show a capture; name a file, or pipe it into tcpdump -r -`);
    }
    const stats = fstatSync(fd);
    this.#isFile = stats.isFile();
    this.#sizeAtFirst = stats.size;
  }

  write(blocks: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    const written = this.#queue.length === 0 ? this.#writeAll(blocks) : 0;
    if (written === blocks.length) return;
    this.#queue.push(blocks.slice(written));
    this.waiting += blocks.length - written;
    this.#timer ??= setTimeout(() => this.#retry(FULL_PIPE_WAIT_MS_MIN), FULL_PIPE_WAIT_MS_MIN);
  }

  async settled(): Promise<void> {
    while (this.waiting > 0 && this.#failure === undefined) await sleep(FULL_PIPE_WAIT_MS_MIN);
    if (this.#failure !== undefined) throw this.#failure;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    clearTimeout(this.#timer);
    if (this.#fd === STANDARD_OUTPUT) return;
    try {
      closeSync(this.#fd);
    } catch (error) {
      // After a failure this says the same once more.
      if (this.#failure === undefined) throw this.#fail(error as NodeJS.ErrnoException);
    }
  }

  /** A pipe cannot be asked through a file's functions when it has room: it is tried. */
  #retry(waitMs: number): void {
    try {
      for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
        const written = this.#writeAll(first);
        this.waiting -= written;
        if (written < first.length) {
          this.#queue[0] = first.subarray(written);
          const longer = written > 0 ? FULL_PIPE_WAIT_MS_MIN : Math.min(2 * waitMs, FULL_PIPE_WAIT_MS_MAX);
          this.#timer = setTimeout(() => this.#retry(longer), longer);
          return;
        }
        this.#queue.shift();
      }
    } catch {
      // `#failure` holds it, for `write` and `settled`.
    }
    this.#timer = undefined;
  }

  /** @returns bytes written; fewer than there are when a pipe is full. */
  #writeAll(blocks: Uint8Array): number {
    let at = 0;
    while (at < blocks.length) {
      const count = this.#writeSome(blocks, at);
      if (count === 0) break;
      at += count;
    }
    this.#kept += at;
    return at;
  }

  /** @returns bytes written, 0 when there is no room at the moment. */
  #writeSome(blocks: Uint8Array, at: number): number {
    try {
      return writeSync(this.#fd, blocks, at, blocks.length - at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      this.#cut(blocks, at);
      throw this.#fail(error as NodeJS.ErrnoException);
    }
  }

  /** Takes away the part of a block at the file's end. @param written of `blocks`. */
  #cut(blocks: Uint8Array, written: number): void {
    const end = this.#sizeAtFirst + this.#kept + written;
    this.#kept += wholeBlocks(blocks, written);
    // Somebody else may have written to standard output's file: then nothing can be taken away.
    if (this.#isFile && fstatSync(this.#fd).size === end) ftruncateSync(this.#fd, this.#sizeAtFirst + this.#kept);
  }

  #fail(error: NodeJS.ErrnoException): Error {
    if (isDiskFull(error)) this.#failure = new DiskFull(this.#path, this.#kept, error);
    else if (readerGoneCodes.includes(error.code ?? '')) this.#failure = new ReaderGone(this.#path, error);
    else this.#failure = refusal(this.#path, error);
    return this.#failure;
  }
}
