/**
 * The receiving half of a TCP connection's sequence space: puts segments in order. What comes early is kept, as far as
 * the window reaches; bytes that nobody reads yet make the window smaller.
 */
import { before } from './tcp-segment.ts';

/** Bytes. Without window scaling there is no larger one (RFC 9293 section 3.1). */
const RECEIVE_WINDOW = 65_535;
/** Chosen: a window full of tiny segments would cost more than what it holds. */
const EARLY_MAX = 128;

interface Early {
  readonly sequence: number;
  readonly data: Uint8Array;
  readonly fin: boolean;
}

export class ReceiveQueue {
  /** RCV.NXT */
  next = 0;
  /** Has the other side's FIN been reached? */
  ended = false;
  /** What the other side has been allowed to send; it never moves back (RFC 9293 section 3.8.6.2.1). */
  #edge = 0;
  readonly #ready: Uint8Array[] = [];
  #readyLen = 0;
  readonly #early: Early[] = [];

  /** @param initial IRS: the sequence number of the SYN. */
  begin(initial: number): void {
    this.next = (initial + 1) | 0;
    this.#edge = this.next;
  }

  /** RCV.WND, of which the other side is told. */
  window(): number {
    const wanted = (this.next + RECEIVE_WINDOW - this.#readyLen) | 0;
    if (before(this.#edge, wanted)) this.#edge = wanted;
    return (this.#edge - this.next) | 0;
  }

  /** RFC 9293 section 3.10.7.4, the table of the first check. */
  acceptable(sequence: number, len: number): boolean {
    const window = (this.#edge - this.next) | 0;
    const first = (sequence - this.next) | 0;
    const last = first + len - 1;
    if (window === 0) return first === 0; // data is refused in `add`: ACK and RST count all the same
    return (first >= 0 && first < window) || (len > 0 && last >= 0 && last < window);
  }

  /** Takes what is new and fits. Pre: acceptable. */
  add(sequence: number, data: Uint8Array, fin: boolean): void {
    if (this.ended) return;
    const room = (this.#edge - sequence) | 0;
    const early = { sequence, data: data.subarray(0, Math.max(0, room)), fin: fin && data.length < room };
    if (before(this.next, sequence)) {
      this.#keep(early);
      return;
    }
    this.#take(early);
    let following = this.#early[0];
    while (following !== undefined && !before(this.next, following.sequence)) {
      this.#early.shift();
      this.#take(following);
      following = this.#early[0];
    }
  }

  /** Hands out what is in order, the oldest first; undefined when there is nothing. */
  read(): Uint8Array | undefined {
    const bytes = this.#ready.shift();
    this.#readyLen -= bytes?.length ?? 0;
    return bytes;
  }

  get readable(): boolean {
    return this.#ready.length > 0;
  }

  #keep(early: Early): void {
    if (early.data.length === 0 && !early.fin) return;
    const next = this.#early.findIndex(({ sequence }) => !before(sequence, early.sequence));
    const at = next < 0 ? this.#early.length : next;
    const same = this.#early[at];
    if (same !== undefined && same.sequence === early.sequence && same.data.length >= early.data.length) return;
    if (this.#early.length < EARLY_MAX) this.#early.splice(at, 0, early);
  }

  #take({ sequence, data, fin }: Early): void {
    const seen = (this.next - sequence) | 0;
    if (seen > data.length || this.ended) return;
    if (seen < data.length) {
      this.#ready.push(data.subarray(seen));
      this.#readyLen += data.length - seen;
      this.next = (sequence + data.length) | 0;
    }
    if (!fin) return;
    this.next = (this.next + 1) | 0;
    this.ended = true;
  }
}
