/** gzip (RFC 1952) as a stream that gives out what there is in front of a damage. */
import { createGunzip } from 'node:zlib';
import { CaptureError } from './records.ts';

/**
 * Compressed bytes that are handed over at once. Deflate makes at most 1032 times as many of them, so 1 MiB; and of the
 * piece that is damaged, zlib hands out nothing.
 */
const PIECE_BYTES = 1024;

/** The chunks; decompressed, when they begin as gzip. Throws `CaptureError` for damaged gzip. */
export async function* unpacked(chunks: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<Uint8Array> {
  const source = chunks[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let headLen = 0;
  while (headLen < 2) {
    const { done, value } = await source.next();
    if (done === true) break;
    head.push(value);
    headLen += value.length;
  }
  const [first, second] = Buffer.concat(head);
  const all = continued(head, source);
  yield* first === 0x1f && second === 0x8b ? gunzip(all, file) : all;
}

async function* continued(head: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* head;
    for (;;) {
      const { done, value } = await rest.next();
      if (done === true) return;
      yield value;
    }
  } finally {
    await rest.return?.();
  }
}

/** All members of a file that has several. Zeros behind the last one are padding, anything else is damage. */
async function* gunzip(chunks: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<Uint8Array> {
  const stream = createGunzip();
  const ready: Uint8Array[] = [];
  let offset = 0;
  let failure: Error | undefined;
  // In flowing mode zlib hands over all that a piece holds before it calls back: nothing waits in the stream, where an
  // error would destroy it.
  stream.on('data', (bytes: Uint8Array) => {
    offset += bytes.length;
    ready.push(bytes);
  });
  stream.on('error', (error) => {
    failure = error;
  });
  // Behind the last member zlib ends without calling back.
  const over = new Promise<void>((resolve) => stream.once('close', resolve).once('end', resolve));
  try {
    for await (const piece of pieces(chunks, PIECE_BYTES)) {
      await Promise.race([new Promise<void>((resolve) => stream.write(piece, () => resolve())), over]);
      yield* ready.splice(0);
      if (failure !== undefined || stream.readableEnded) break;
    }
    stream.end();
    await over;
    yield* ready.splice(0);
  } finally {
    stream.destroy();
  }
  if (failure !== undefined) throw new CaptureError(file, offset, 'sound gzip data', failure.message);
}

/** The same bytes in chunks of at most `max`. */
export async function* pieces(chunks: AsyncIterable<Uint8Array>, max: number): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += max) yield chunk.subarray(at, at + max);
  }
}
