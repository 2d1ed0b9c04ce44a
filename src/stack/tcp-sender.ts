/**
 * The sending half of a TCP connection: what is written, sent and acknowledged, the other side's window, and when to
 * send again (RFC 9293 sections 3.8 and 3.10.7.4).
 */
import { TcpFlag } from '../wire/tcp.ts';
import { Congestion, RetransmissionTimeout } from './retransmission.ts';
import { SendQueue } from './send-queue.ts';
import { before, type Segment } from './tcp-segment.ts';

/** Sends one segment; the connection knows what it acknowledges. */
export type Emit = (sequence: number, flags: number, data: Uint8Array) => void;

const NOTHING = new Uint8Array();

export class TcpSender {
  /** Bytes written; those from `unacknowledged` on. */
  readonly queue = new SendQueue();
  /** No more will be written. */
  endWanted = false;
  /** When to `timeOut`; Infinity when nothing waits for an answer. */
  timerMs = Infinity;
  /** MSS to send. */
  segment: number;
  /** Times in a row that nobody answered. */
  retries = 0;
  readonly #emit: Emit;
  readonly #rto = new RetransmissionTimeout();
  readonly #congestion = new Congestion();
  /** ISS */
  readonly #initial: number;
  /** SND.UNA, SND.NXT, and the highest SND.NXT ever: a time-out sets NXT back. */
  #unacknowledged: number;
  #next: number;
  #highest: number;
  /** SND.WND, the largest ever, SND.WL1, SND.WL2 */
  #window = 0;
  #windowMax = 0;
  #windowSequence = 0;
  #windowAcknowledgment = 0;
  /** Sequence number of our FIN, once it has been sent. */
  #fin: number | undefined;
  /** One byte goes into a closed window (RFC 9293 section 3.8.6.1). */
  #probing = false;
  #firstAgain = false;

  constructor(initial: number, segment: number, emit: Emit) {
    this.segment = segment;
    this.#emit = emit;
    this.#initial = initial | 0;
    this.#unacknowledged = this.#initial;
    this.#next = this.#initial;
    this.#highest = this.#initial;
  }

  /**
   * Sequence number of what carries no data: as far as we have been, also while lost data is sent again, or the other side
   * would take it for old and not see what it acknowledges; but in its window (Linux's tcp_acceptable_seq).
   */
  get bareSequence(): number {
    const edge = (this.#unacknowledged + this.#window) | 0;
    return this.synAcknowledged && before(edge, this.#highest) ? edge : this.#highest;
  }

  get finSent(): boolean {
    return this.#fin !== undefined;
  }

  get synAcknowledged(): boolean {
    return this.#unacknowledged !== this.#initial;
  }

  /** Is it the number of something sent and not acknowledged? */
  inFlight(sequence: number): boolean {
    return !before(sequence, this.#unacknowledged) && before(sequence, this.#highest);
  }

  /** May the other side acknowledge that? Nothing before the SYN, nothing never sent. */
  acknowledgesSyn(acknowledgment: number): boolean {
    return before(this.#initial, acknowledgment) && !before(this.#highest, acknowledgment);
  }

  neverSent(acknowledgment: number): boolean {
    return before(this.#highest, acknowledgment);
  }

  /** RFC 5961 section 5.2. */
  longAgo(acknowledgment: number): boolean {
    return before(acknowledgment, (this.#unacknowledged - this.#windowMax) | 0);
  }

  /** The other side's SYN tells its MSS and window. */
  begin(segment: number, syn: Segment): void {
    this.segment = segment;
    this.#congestion.begin(segment);
    this.#takeWindow(syn);
  }

  /** The SYN is to be sent again, now. */
  repeatSyn(): void {
    this.#next = this.#initial;
    this.#rto.forget();
  }

  /** @returns true when that acknowledges our FIN for the first time. Pre: `acknowledgment` was sent, and not long ago. */
  acknowledge(segment: Segment, nowMs: number): boolean {
    const finished = before(this.#unacknowledged, segment.acknowledgment) && this.#advance(segment, nowMs);
    this.#updateWindow(segment);
    return finished;
  }

  #advance({ acknowledgment }: Segment, nowMs: number): boolean {
    const finished = this.#fin !== undefined && before(this.#fin, acknowledgment);
    const from = this.synAcknowledged ? this.#unacknowledged : (this.#initial + 1) | 0;
    const bytes = (acknowledgment - from) | 0;
    this.queue.drop(finished ? bytes - 1 : bytes);
    this.#unacknowledged = acknowledgment;
    if (before(this.#next, acknowledgment)) this.#next = acknowledgment;
    this.#rto.acknowledged(acknowledgment, nowMs);
    if (bytes > 0) this.#firstAgain ||= this.#congestion.acknowledged(acknowledgment, bytes, this.segment);
    this.retries = 0;
    this.timerMs = Infinity; // RFC 6298 section 5.3: begun anew in `setTimer`
    return finished;
  }

  /** RFC 5681 section 2: what makes an acknowledgment a duplicate. */
  countDuplicate({ acknowledgment, data, flags, window }: Segment): void {
    if (acknowledgment !== this.#unacknowledged) return;
    if (this.#window === 0) {
      this.retries = 0; // it lives, and has no room (RFC 9293 section 3.8.6.1)
      return;
    }
    if (window !== this.#window || data.length > 0 || (flags & TcpFlag.Fin) !== 0 || this.#flight() === 0) return;
    this.#firstAgain ||= this.#congestion.duplicate(this.#highest, this.#flight(), this.segment);
  }

  /** Nobody answers: begins again behind what is acknowledged. */
  timeOut(): void {
    this.timerMs = Infinity;
    this.retries++;
    this.#rto.backOff();
    if (this.#window > 0) this.#congestion.timedOut(this.#flight(), this.segment);
    this.#next = this.#unacknowledged;
    this.#probing = true;
  }

  /** Segments were too long for the way. */
  shorten(segment: number): void {
    if (segment >= this.segment) return;
    this.segment = segment;
    this.#rto.forget();
    this.#next = this.#unacknowledged;
  }

  outputSyn(flags: number, nowMs: number): void {
    if (this.#next === this.#initial) this.#send(this.#initial, flags, NOTHING, 1, nowMs);
  }

  /** What windows allow, and again what is lost. */
  outputText(nowMs: number): void {
    const limit = Math.min(this.#window, this.#congestion.windowBytes);
    if (this.#firstAgain) {
      this.#firstAgain = false;
      this.#rto.forget();
      this.#outputAt(0, Math.max(this.#window, 1), nowMs);
    }
    const most = this.#probing ? Math.max(limit, 1) : limit;
    this.#probing = false;
    while (this.#outputAt((this.#next - this.#unacknowledged) | 0, most, nowMs)) {}
  }

  /** RFC 6298 section 5; also while the window is closed. */
  setTimer(nowMs: number): void {
    const waits = this.#flight() > 0 || this.queue.length > 0 || (this.endWanted && !this.finSent);
    if (!waits) this.timerMs = Infinity;
    else if (this.timerMs === Infinity) this.timerMs = nowMs + this.#rto.ms;
  }

  /** One segment, `offset` bytes behind what is acknowledged, into a window of `limit`. @returns false for none. */
  #outputAt(offset: number, limit: number, nowMs: number): boolean {
    const sequence = (this.#unacknowledged + offset) | 0;
    const left = this.queue.length - offset;
    const room = limit - offset;
    if (room <= 0 || (this.#fin !== undefined && before(this.#fin, sequence))) return false; // FIN is the last of all
    const len = Math.min(left, this.segment, room);
    const fin = this.endWanted && len === left && room > len;
    if (len === 0 && !fin) return false;
    // Rather wait for room than send a silly small one (RFC 9293 section 3.8.6.2.1), unless nothing else would move.
    if (len < left && len < this.segment && offset > 0) return false;
    if (fin) this.#fin = (sequence + len) | 0;
    const flags = TcpFlag.Ack | (len > 0 && len === left ? TcpFlag.Psh : 0) | (fin ? TcpFlag.Fin : 0);
    this.#send(sequence, flags, this.queue.peek(offset, len), len + (fin ? 1 : 0), nowMs);
    return true;
  }

  #send(sequence: number, flags: number, data: Uint8Array, len: number, nowMs: number): void {
    const end = (sequence + len) | 0;
    this.#emit(sequence, flags, data);
    if (before(this.#next, end)) this.#next = end;
    if (!before(this.#highest, end)) return;
    if (sequence === this.#highest) this.#rto.sent(end, nowMs);
    this.#highest = end;
  }

  #flight(): number {
    return (this.#next - this.#unacknowledged) | 0;
  }

  /** RFC 9293 section 3.10.7.4: only by what is newer than the last update. */
  #updateWindow(segment: Segment): void {
    const { sequence, acknowledgment } = segment;
    if (before(acknowledgment, this.#unacknowledged) || before(sequence, this.#windowSequence)) return;
    if (sequence === this.#windowSequence && before(acknowledgment, this.#windowAcknowledgment)) return;
    if (this.#window === 0 && segment.window > 0) {
      this.#next = this.#unacknowledged; // probes were refused
      this.timerMs = Infinity;
    }
    this.#takeWindow(segment);
  }

  #takeWindow({ window, sequence, acknowledgment }: Segment): void {
    this.#window = window;
    this.#windowMax = Math.max(this.#windowMax, window);
    this.#windowSequence = sequence;
    this.#windowAcknowledgment = acknowledgment;
  }
}
