import { Duplex } from 'node:stream';
import type { Turns } from './turns.ts';

/** Bytes. A portion is twice as long as the one before. */
export interface Portions {
  readonly least: number;
  readonly most: number;
}

type Done = (error?: Error | null) => void;

/**
 * A connection whose bytes come in portions, one in each turn of its owner. Node itself reads up to 2 MB of one
 * connection before it looks at the next, and its HTTP parser works off whatever it is given in one go.
 */
export class PacedConnection extends Duplex {
  readonly #socket: Duplex;
  readonly #turns: Turns;
  readonly #owner: object;
  readonly #portions: Portions;
  #portion: number;
  /** The reader wants bytes, and there were none. */
  #hungry = false;

  /** @param owner among whose connections the turns are shared. */
  constructor(socket: Duplex, turns: Turns, owner: object, portions: Portions) {
    super({ allowHalfOpen: true });
    this.#portions = portions;
    this.#portion = portions.least;
    this.#socket = socket;
    this.#turns = turns;
    this.#owner = owner;
    this.on('error', () => {}); // of the socket, when it was reset in the middle of a write; 'close' follows
    socket.on('readable', () => this.#arrived());
    socket.on('end', () => this.push(null));
    socket.on('close', () => this.destroy());
  }

  /** The next portion is the least again: what is done with the bytes has become expensive. */
  beSmall(): void {
    this.#portion = this.#portions.least;
  }

  override _read(): void {
    this.#turns.take(this.#owner, () => this.#pass());
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: Done): void {
    // After the socket's FIN, which comes early when the pod is stopped, the rest is for nobody.
    if (this.#socket.writableEnded) done();
    else this.#socket.write(bytes, done);
  }

  /** Head and body of an answer, in one segment. */
  override _writev(pieces: { chunk: Buffer }[], done: Done): void {
    this._write(Buffer.concat(pieces.map(({ chunk }) => chunk)), 'binary', done);
  }

  override _final(done: Done): void {
    this.#socket.end(() => done()); // FIN may have been sent already, which is as good
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#socket.destroy();
    done(error);
  }

  #arrived(): void {
    if (!this.#hungry) return;
    this.#hungry = false;
    this._read();
  }

  #pass(): void {
    if (this.destroyed) return;
    const length = Math.min(this.#portion, this.#socket.readableLength);
    // Nothing there: reading asks the socket for more, or for its end.
    const bytes: Buffer | null = this.#socket.read(length);
    this.#hungry = bytes === null;
    if (bytes === null) return;
    this.#portion = Math.min(this.#portion * 2, this.#portions.most);
    this.push(bytes);
  }
}
