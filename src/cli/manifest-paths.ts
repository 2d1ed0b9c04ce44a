/** Paths of the command line as texts. What is read is bounded: a path may be a device, a pipe, or a mistake. */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { decodeManifest } from '../cluster/manifest-bytes.ts';
import type { ManifestText } from '../cluster/manifests.ts';
import { Refusal } from '../vessel/refusal.ts';

/** One text; the largest manifests in use (bundles of CRDs) have 2 MiB. */
const BYTES_MAX = 16 << 20;
const FILES_MAX = 10_000;
const CHUNK_BYTES = 1 << 16;
const STANDARD_INPUT = 0;

/** A file, every manifest below a folder, or `-` for standard input. @throws Refusal with what is wrong with the path. */
export function readManifestPath(path: string): ManifestText[] {
  if (path === '-') return [decodeManifest('standard input', readBounded(STANDARD_INPUT, 'standard input'))];
  const fd = open(path);
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory()) return readFolder(path);
    if (!stat.isFile() && !stat.isFIFO()) throw new Refusal(`${path}: a device or socket, expected a file or folder`);
    return [decodeManifest(path, readBounded(fd, path))];
  } finally {
    closeSync(fd);
  }
}

function readFolder(path: string): ManifestText[] {
  const files = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(ya?ml|json)$/.test(file));
  if (files.length === 0) throw new Refusal(`${path}: no .yaml, .yml or .json file in this folder`);
  if (files.length > FILES_MAX) throw new Refusal(`${path}: ${files.length} manifests, at most ${FILES_MAX} are read`);
  return files.sort().flatMap((file) => readManifestPath(join(path, file)));
}

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new Refusal(`${path}: no such file or folder`);
    if (code === 'EACCES') throw new Refusal(`${path}: not readable by this user`);
    throw new Refusal(`${path}: ${message}`);
  }
}

function readBounded(fd: number, path: string): Buffer {
  const chunks: Buffer[] = [];
  let length = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const n = read(fd, chunk);
    if (n === 0) return Buffer.concat(chunks);
    length += n;
    if (length > BYTES_MAX)
      throw new Refusal(`${path}: more than ${BYTES_MAX >> 20} MiB, which is no manifest; split it`);
    chunks.push(chunk.subarray(0, n));
  }
}

/** Standard input may be a terminal or pipe that has nothing yet. */
function read(fd: number, chunk: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, chunk);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, PAUSE_MS);
    }
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));
const PAUSE_MS = 5;
