/**
 * One TCP connection (RFC 9293 sections 3.4 to 3.10). `receive` and the calls of its user change what is known;
 * `output` alone sends, when the endpoint has finished with what woke it.
 *
 * Chosen: every segment with data is acknowledged at once; no Nagle algorithm, no SACK, no timestamps, no window
 * scaling, no urgent data. Segments that come early are kept. An ICMP error ends a connection that is not open yet; later
 * it is only remembered for the time-out (RFC 5461 section 6.1, as Linux).
 */
import { TcpFlag } from '../wire/tcp.ts';
import { ReceiveQueue } from './receive-queue.ts';
import { type Segment, segmentLen } from './tcp-segment.ts';
import { TcpSender } from './tcp-sender.ts';

/** Linux's tcp_syn_retries, tcp_synack_retries and tcp_retries2. */
const RETRIES_SYN = 6;
const RETRIES_SYN_ACK = 5;
const RETRIES = 15;
/** Chosen, short: Linux waits 60 s. It outlasts six lost acknowledgments of a FIN that is sent again from 200 ms on. */
const TIME_WAIT_MS = 15_000;
/** Linux's tcp_invalid_ratelimit: two ends that answer each other's answers must come to an end. */
const CHALLENGE_AGAIN_MS = 500;
/** Chosen: `write` says so when more is queued. */
const QUEUED_MAX = 256 * 1024;
/** Linux's TCP_MIN_SND_MSS (include/net/tcp.h). */
const SEGMENT_MIN = 48;

export type TcpState =
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'close-wait'
  | 'closing'
  | 'last-ack'
  | 'time-wait'
  | 'closed';

/** Why a connection is over: both sides have ended it, or what went wrong. */
export type CloseReason = 'done' | 'refused' | 'rejected' | 'unreachable' | 'reset' | 'timeout' | 'aborted';

export interface ConnectionEvents {
  readonly open?: () => void;
  readonly data?: (bytes: Uint8Array) => void;
  /** The other side has no more to send. */
  readonly end?: () => void;
  /** There is room again after `write` has returned false. */
  readonly drain?: () => void;
  /** Once, the last of all. */
  readonly closed?: (reason: CloseReason, detail: string) => void;
}

/** What a connection needs of the endpoint. */
export interface ConnectionHost {
  send(fields: Omit<Segment, 'sourcePort' | 'destinationPort'>): void;
  /** `output` is to be called before the endpoint rests. */
  touched(): void;
  /** A passive connection is open: who is told of it? */
  accepted(): ConnectionEvents;
  /** It needs no memory any more. */
  finished(): void;
}

export interface ConnectionOptions {
  readonly localPort: number;
  readonly initialSequence: number;
  /** Largest segment that the way out takes (its MTU less headers). */
  readonly segmentMax: number;
  /** RFC 9293 section 3.7.1: what the other side takes when it does not say. */
  readonly segmentDefault: number;
  /** None yet for a passive connection: `accepted` gives them. */
  readonly events?: ConnectionEvents;
}

const NOBODY: ConnectionEvents = {};
const NOTHING = new Uint8Array();

interface Ending {
  readonly reason: CloseReason;
  readonly detail: string;
}

export class TcpConnection {
  readonly #host: ConnectionHost;
  readonly #options: ConnectionOptions;
  readonly #received = new ReceiveQueue();
  readonly #sender: TcpSender;
  #events: ConnectionEvents;
  #state: TcpState;
  #waitUntilMs = Infinity;
  #acknowledge = false;
  #resetWanted = false;
  #challengedMs = -Infinity;
  #paused = false;
  /** `write` has returned false. */
  #full = false;
  #endTold = false;
  #ending: Ending | undefined;
  #closedTold = false;
  #softError: Ending | undefined;

  /** @param syn of a passive connection: what has been received. `output` begins it. */
  constructor(host: ConnectionHost, options: ConnectionOptions, syn?: Segment) {
    this.#host = host;
    this.#options = options;
    this.#events = options.events ?? NOBODY;
    this.#sender = new TcpSender(options.initialSequence, options.segmentMax, (sequence, flags, data) =>
      this.#emit(sequence, flags, data),
    );
    this.#state = syn === undefined ? 'syn-sent' : 'syn-received';
    if (syn !== undefined) this.#takeSyn(syn);
  }

  get localPort(): number {
    return this.#options.localPort;
  }

  get state(): TcpState {
    return this.#state;
  }

  /** When to `wake` it. */
  get dueMs(): number {
    return Math.min(this.#waitUntilMs, this.#sender.timerMs);
  }

  /** Queues bytes, all of them; false when it is time to wait for `drain`. Nothing after `end` or `abort`. */
  write(bytes: Uint8Array): boolean {
    if (this.#sender.endWanted || this.#over()) return false;
    this.#sender.queue.push(bytes);
    this.#full ||= this.#sender.queue.length > QUEUED_MAX;
    this.#host.touched();
    return !this.#full;
  }

  /** No more to send; receiving goes on. */
  end(): void {
    this.#sender.endWanted = true;
    this.#host.touched();
  }

  /** Ends at once, with a reset where the other side knows of the connection (RFC 9293 section 3.10.5). */
  abort(): void {
    if (this.#over()) return;
    this.#resetWanted = this.#state !== 'syn-sent';
    this.#close('aborted', 'aborted');
  }

  /** What comes is kept, and the window closes, until `resume`. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#acknowledge ||= this.#received.readable; // the window will be open again
    this.#host.touched();
  }

  /** RFC 9293 sections 3.10.7.3 and 3.10.7.4. */
  receive(segment: Segment, nowMs: number): void {
    if (this.#state === 'closed') return;
    this.#host.touched();
    if (this.#state === 'syn-sent') {
      this.#receiveSynSent(segment, nowMs);
      return;
    }
    const { flags, sequence } = segment;
    if (!this.#received.acceptable(sequence, segmentLen(segment))) {
      if ((flags & TcpFlag.Rst) === 0) this.#receiveStray(segment, nowMs);
    } else if ((flags & TcpFlag.Rst) !== 0) {
      this.#receiveReset(sequence, nowMs);
    } else if ((flags & TcpFlag.Syn) !== 0) {
      this.#challenge(nowMs);
    } else if ((flags & TcpFlag.Ack) !== 0 && this.#receiveAcknowledgment(segment, nowMs)) {
      this.#receiveText(segment, nowMs);
    }
  }

  /** The time of `dueMs` has come. */
  wake(nowMs: number): void {
    if (this.#waitUntilMs <= nowMs) {
      this.#waitUntilMs = Infinity;
      this.#close('done', 'closed');
    }
    if (this.#state === 'closed' || this.#sender.timerMs > nowMs) return;
    if (this.#sender.retries < this.#retriesMax()) {
      this.#sender.timeOut();
      this.#host.touched();
      return;
    }
    const { reason, detail } = this.#softError ?? { reason: 'timeout', detail: 'no answer' };
    this.#close(reason, detail);
  }

  /**
   * An ICMP error quotes a segment of ours. One that quotes nothing in flight is forged, or late (RFC 5927 section 4.1).
   * @param segmentMax for what was too long: the largest segment that fits from now on.
   */
  error(sequence: number, reason: CloseReason, detail: string, segmentMax?: number): void {
    if (this.#over() || !this.#sender.inFlight(sequence)) return;
    if (segmentMax !== undefined) {
      this.#sender.shorten(Math.max(segmentMax, SEGMENT_MIN));
      this.#host.touched();
    } else if (this.#state === 'syn-sent' || this.#state === 'syn-received') {
      this.#close(reason, detail);
    } else {
      this.#softError = { reason, detail };
    }
  }

  /** Tells the user what there is to tell, then sends what may be sent. */
  output(nowMs: number): void {
    this.#deliver();
    if (this.#resetWanted) {
      this.#resetWanted = false;
      this.#emit(this.#sender.bareSequence, TcpFlag.Rst | TcpFlag.Ack, NOTHING);
    }
    if (this.#state === 'closed') {
      if (this.#closedTold) this.#host.finished();
      return;
    }
    if (this.#sender.synAcknowledged) this.#sender.outputText(nowMs);
    else this.#sender.outputSyn(this.#state === 'syn-sent' ? TcpFlag.Syn : TcpFlag.Syn | TcpFlag.Ack, nowMs);
    if (this.#sender.finSent && this.#state === 'established') this.#state = 'fin-wait-1';
    if (this.#sender.finSent && this.#state === 'close-wait') this.#state = 'last-ack';
    if (this.#acknowledge) this.#emit(this.#sender.bareSequence, TcpFlag.Ack, NOTHING);
    this.#sender.setTimer(nowMs);
  }

  #retriesMax(): number {
    if (this.#state === 'syn-sent') return RETRIES_SYN;
    return this.#state === 'syn-received' ? RETRIES_SYN_ACK : RETRIES;
  }

  #takeSyn(syn: Segment): void {
    const { segmentDefault, segmentMax } = this.#options;
    this.#received.begin(syn.sequence);
    const wanted = Math.max(syn.maximumSegment || segmentDefault, SEGMENT_MIN);
    this.#sender.begin(Math.min(this.#sender.segment, segmentMax, wanted), syn);
  }

  #receiveSynSent(segment: Segment, nowMs: number): void {
    const { flags, acknowledgment } = segment;
    const acknowledges = (flags & TcpFlag.Ack) !== 0;
    if (acknowledges && !this.#sender.acknowledgesSyn(acknowledgment)) {
      if ((flags & TcpFlag.Rst) === 0) this.#sendReset(acknowledgment);
      return;
    }
    if ((flags & TcpFlag.Rst) !== 0) {
      if (acknowledges) this.#close('refused', 'connection refused');
      return;
    }
    if ((flags & TcpFlag.Syn) === 0) return;
    this.#takeSyn(segment);
    if (!acknowledges) {
      this.#state = 'syn-received'; // both sides have begun at once (RFC 9293 section 3.5)
      this.#sender.repeatSyn();
      return;
    }
    this.#sender.acknowledge(segment, nowMs);
    this.#acknowledge = true;
    this.#opened();
  }

  #opened(): void {
    this.#state = 'established';
    this.#softError = undefined;
    this.#events.open?.();
  }

  /** Outside the window: an old copy, or something that wants to know where we are. */
  #receiveStray({ flags, data, sequence }: Segment, nowMs: number): void {
    const repeatedSyn = (flags & TcpFlag.Syn) !== 0 && ((sequence + 1) | 0) === this.#received.next;
    if (this.#state === 'syn-received' && repeatedSyn) {
      this.#sender.repeatSyn(); // our SYN, ACK has been lost
      return;
    }
    const fin = (flags & TcpFlag.Fin) !== 0;
    if (this.#state === 'time-wait' && fin) this.#waitUntilMs = nowMs + TIME_WAIT_MS;
    if (data.length > 0 || fin) this.#acknowledge = true;
    else this.#challenge(nowMs);
  }

  #challenge(nowMs: number): void {
    if (nowMs - this.#challengedMs < CHALLENGE_AGAIN_MS) return;
    this.#challengedMs = nowMs;
    this.#acknowledge = true;
  }

  /** Second check: only an exact reset is believed, others are asked again (RFC 5961 section 3). */
  #receiveReset(sequence: number, nowMs: number): void {
    const state = this.#state;
    if (sequence !== this.#received.next) this.#challenge(nowMs);
    else if (state === 'closing' || state === 'last-ack' || state === 'time-wait') this.#close('done', 'closed');
    else if (state === 'syn-received') this.#close('refused', 'connection refused');
    else this.#close('reset', 'connection reset');
  }

  /** Fifth check. @returns false when the rest of the segment does not count. */
  #receiveAcknowledgment(segment: Segment, nowMs: number): boolean {
    const { acknowledgment } = segment;
    const sender = this.#sender;
    if (this.#state === 'syn-received') {
      if (!sender.acknowledgesSyn(acknowledgment)) {
        this.#sendReset(acknowledgment);
        return false;
      }
      if (this.#events === NOBODY) this.#events = this.#host.accepted();
      sender.acknowledge(segment, nowMs);
      this.#opened();
      return !this.#over();
    }
    if (sender.neverSent(acknowledgment) || sender.longAgo(acknowledgment)) {
      this.#challenge(nowMs);
      return false;
    }
    sender.countDuplicate(segment);
    if (sender.acknowledge(segment, nowMs)) this.#finAcknowledged(nowMs);
    return !this.#over();
  }

  #finAcknowledged(nowMs: number): void {
    if (this.#state === 'fin-wait-1') this.#state = 'fin-wait-2';
    else if (this.#state === 'closing') this.#waitForLate(nowMs);
    else if (this.#state === 'last-ack') this.#close('done', 'closed');
  }

  /** Seventh and eighth check. */
  #receiveText({ sequence, data, flags }: Segment, nowMs: number): void {
    const fin = (flags & TcpFlag.Fin) !== 0;
    if (data.length > 0 || fin) this.#acknowledge = true;
    const ended = this.#received.ended;
    this.#received.add(sequence, data, fin);
    if (!this.#received.ended || ended) return;
    if (this.#state === 'established') this.#state = 'close-wait';
    else if (this.#state === 'fin-wait-1') this.#state = 'closing';
    else if (this.#state === 'fin-wait-2') this.#waitForLate(nowMs);
  }

  #waitForLate(nowMs: number): void {
    this.#state = 'time-wait';
    this.#waitUntilMs = nowMs + TIME_WAIT_MS;
  }

  /** Events in their order: what was received, its end, that all is over. A broken connection has only the last. */
  #deliver(): void {
    if (this.#full && this.#sender.queue.length <= QUEUED_MAX / 2) {
      this.#full = false;
      this.#events.drain?.();
    }
    while (!this.#paused && !this.#broken()) {
      const bytes = this.#received.read();
      if (bytes === undefined) break;
      this.#events.data?.(bytes);
    }
    const read = this.#received.ended && !this.#received.readable;
    if (read && !this.#endTold && !this.#broken()) {
      this.#endTold = true;
      this.#events.end?.();
    }
    if (this.#broken() || (this.#over() && this.#endTold)) this.#tellClosed();
  }

  #tellClosed(): void {
    if (this.#closedTold) return;
    this.#closedTold = true;
    const { reason, detail } = this.#ending ?? { reason: 'done', detail: 'closed' };
    this.#events.closed?.(reason, detail);
  }

  #close(reason: CloseReason, detail: string): void {
    this.#ending = { reason, detail };
    this.#state = 'closed';
    this.#sender.timerMs = Infinity;
    this.#waitUntilMs = Infinity;
    this.#host.touched();
  }

  #over(): boolean {
    return this.#state === 'closed' || this.#state === 'time-wait';
  }

  #broken(): boolean {
    return this.#ending !== undefined && this.#ending.reason !== 'done';
  }

  #sendReset(sequence: number): void {
    this.#host.send({ sequence, acknowledgment: 0, flags: TcpFlag.Rst, window: 0, maximumSegment: 0, data: NOTHING });
  }

  #emit(sequence: number, flags: number, data: Uint8Array): void {
    const acknowledgment = (flags & TcpFlag.Ack) !== 0 ? this.#received.next : 0;
    const window = this.#received.window();
    const maximumSegment = (flags & TcpFlag.Syn) !== 0 ? this.#options.segmentMax : 0;
    this.#acknowledge = false;
    this.#host.send({ sequence, acknowledgment, flags, window, maximumSegment, data });
  }
}
