/** Long answers, to readers who may be slow, or gone. */
import type { ServerResponse } from 'node:http';

/** A write for each line would cost more than the lines. */
const CHUNK_CHARACTERS = 65_536;

/** Whoever has read nothing for so long is cut off: what it would have to catch up on grows without end. */
const PATIENCE_MS = 30_000;

/** Nobody reads the answer any more. Nobody is left to be told either. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
}

/** The body of an answer, written as fast as it is read: one chunk waits here, and what the kernel holds. */
export class Reply {
  readonly #response: ServerResponse;
  readonly #patienceMs: number;
  #waiting = '';

  constructor(response: ServerResponse, contentType: string, patienceMs = PATIENCE_MS) {
    this.#response = response;
    this.#patienceMs = patienceMs;
    response.on('error', () => response.destroy());
    response.writeHead(200, { 'content-type': contentType });
    response.flushHeaders();
  }

  /** Goes out with the next `flush`, or when there is enough. @throws ReaderGone */
  async write(text: string): Promise<void> {
    this.#waiting += text;
    if (this.#waiting.length >= CHUNK_CHARACTERS) await this.flush();
  }

  /** @throws ReaderGone */
  async flush(): Promise<void> {
    const text = this.#waiting;
    this.#waiting = '';
    if (this.#response.destroyed) throw new ReaderGone();
    if (text !== '' && !this.#response.write(text)) await this.#drained();
  }

  async end(): Promise<void> {
    await this.flush();
    this.#response.end();
  }

  /** Resolves when the reader is gone, or has been given all of it. */
  closed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#response.closed) resolve();
      else this.#response.once('close', resolve);
    });
  }

  async #drained(): Promise<void> {
    const response = this.#response;
    let drained = false;
    const cut = () => void (drained || response.destroy());
    // When it was this process that had been stopped, what its readers did meanwhile comes before the verdict.
    const timer = setTimeout(() => setImmediate(cut), this.#patienceMs);
    await new Promise<void>((resolve) => {
      const done = () => {
        drained = true;
        clearTimeout(timer);
        response.off('drain', done).off('close', done);
        resolve();
      };
      response.on('drain', done).on('close', done);
    });
    if (this.#response.destroyed) throw new ReaderGone();
  }
}
