/**
 * TCP, in a pod: `receive --port P` compares every byte that comes with what it should be; `send --to A --port P
 * --bytes N --seed S [--plant]` sends that many in connections of some hundred megabytes.
 *
 * A connection: 16 bytes of header (magic, seed, bytes), the bytes, FIN; then the receiver answers with the number of
 * bytes that it found right, and closes.
 */
import { parseArgs } from 'node:util';
import { close, Errno, read, write } from '../../src/sys/io.ts';
import { addressOf, checkReturned } from '../../src/sys/libc.ts';
import { BLOCK_BYTES, makeBlock, placeOf, StreamCheck } from './pattern.ts';
import { accept, connectTcp, endWriting, listen, setNoDelay, tell } from './sockets.ts';

const HEADER_LEN = 16;
const MAGIC = 0x534f_414b;
const READ_BYTES = 1 << 20;
const WRITE_BYTES = 256 << 10;
const CONNECTION_BYTES = 200 << 20;
/** The beginning of a connection is sent in pieces of odd sizes, at once: segments of every length. */
const ODD_BYTES = 2 << 20;
const ODD_MAX = 6000;
const TELL_MS = 500;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '5001' },
    to: { type: 'string', default: '' },
    bytes: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    plant: { type: 'boolean', default: false },
  },
});
const port = Number(values.port);
const block = makeBlock();
const blockAt = addressOf(block);

/** Reads `length` bytes, or fewer at the end of the stream. */
function readWhole(fd: number, buffer: Buffer, length: number): number {
  let have = 0;
  while (have < length) {
    const got = read(fd, addressOf(buffer) + have, length - have);
    if (got === -Errno.EINTR) continue;
    if (checkReturned(got, 'read') === 0) break;
    have += got;
  }
  return have;
}

function writeWhole(fd: number, at: number, length: number): void {
  for (let done = 0; done < length; ) {
    const wrote = write(fd, at + done, length - done);
    if (wrote !== -Errno.EINTR) done += checkReturned(wrote, 'write');
  }
}

function receive(): void {
  const listener = listen(port);
  const buffer = Buffer.alloc(READ_BYTES);
  let total = 0;
  let toldMs = 0;
  const verified = (bytes: number) => {
    const nowMs = performance.now();
    total += bytes;
    if (bytes > 0 && nowMs - toldMs < TELL_MS) return;
    toldMs = nowMs;
    tell({ type: 'verified', bytes: total });
  };
  tell({ type: 'ready' });
  for (;;) {
    const fd = accept(listener);
    try {
      receiveConnection(fd, buffer, verified);
    } catch (error) {
      tell({ type: 'wrong', what: `receiver: ${error instanceof Error ? error.message : error}` });
    }
    close(fd);
    verified(0);
  }
}

/** To its end, or to the first byte that is wrong. */
function receiveConnection(fd: number, buffer: Buffer, verified: (bytes: number) => void): void {
  const header = Buffer.alloc(HEADER_LEN);
  if (readWhole(fd, header, HEADER_LEN) < HEADER_LEN || header.readUInt32BE(0) !== MAGIC) {
    throw new Error(`a connection began with ${header.toString('hex')}`);
  }
  const seed = header.readUInt32BE(4);
  const bytes = header.readUIntBE(8, 6);
  const check = new StreamCheck(block, seed);
  const at = addressOf(buffer);
  for (;;) {
    const got = read(fd, at, buffer.length);
    if (got === -Errno.EINTR) continue;
    if (checkReturned(got, `read, stream ${seed}, byte ${check.verified}`) === 0) break;
    const wrong = check.take(buffer.subarray(0, got));
    if (wrong !== undefined) throw new Error(wrong);
    verified(got);
  }
  if (check.verified !== bytes) throw new Error(`stream ${seed}: ended after ${check.verified} of ${bytes} bytes`);
  header.writeUIntBE(check.verified, 8, 6);
  writeWhole(fd, at0(header), HEADER_LEN);
}

/** For one call: `addressOf` keeps the buffer. */
function at0(buffer: Buffer): number {
  return addressOf(buffer);
}

function send(): void {
  const wanted = Number(values.bytes);
  let seed = Number(values.seed);
  let sent = 0;
  let connections = 0;
  while (sent < wanted) {
    const bytes = Math.min(CONNECTION_BYTES, wanted - sent);
    try {
      sendConnection(seed, bytes, values.plant && connections === 0);
    } catch (error) {
      tell({ type: 'wrong', what: `sender of stream ${seed}: ${error instanceof Error ? error.message : error}` });
    }
    sent += bytes;
    connections++;
    seed += 2;
  }
  tell({ type: 'sent', bytes: sent, connections });
}

function sendConnection(seed: number, bytes: number, plant: boolean): void {
  const fd = connectTcp(values.to, port);
  const header = Buffer.alloc(HEADER_LEN);
  header.writeUInt32BE(MAGIC, 0);
  header.writeUInt32BE(seed, 4);
  header.writeUIntBE(bytes, 8, 6);
  setNoDelay(fd, true);
  writeWhole(fd, at0(header), HEADER_LEN);
  let odd = seed;
  for (let sent = 0; sent < bytes; ) {
    if (sent >= ODD_BYTES) setNoDelay(fd, false);
    odd = (Math.imul(odd, 1_103_515_245) + 12_345) >>> 1;
    const most = sent < ODD_BYTES ? 1 + (odd % ODD_MAX) : WRITE_BYTES;
    const place = placeOf(seed, sent);
    const length = Math.min(most, bytes - sent, BLOCK_BYTES - place);
    if (plant && sent + length > bytes / 2 && sent <= bytes / 2) sendSpoiled(fd, place, length);
    else writeWhole(fd, blockAt + place, length);
    sent += length;
  }
  endWriting(fd);
  const got = readWhole(fd, header, HEADER_LEN);
  close(fd);
  const found = got === HEADER_LEN ? header.readUIntBE(8, 6) : 0;
  if (found !== bytes) throw new Error(`the receiver found ${found} of ${bytes} bytes right`);
}

/** One bit of one byte is not what it should be. */
function sendSpoiled(fd: number, place: number, length: number): void {
  const copy = Buffer.from(block.subarray(place, place + length));
  copy[length >> 1]! ^= 1;
  writeWhole(fd, at0(copy), length);
}

if (positionals[0] === 'receive') receive();
else send();
