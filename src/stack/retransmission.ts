/**
 * When to send again (RFC 6298) and how much at once (RFC 5681, with the partial acknowledgments of RFC 6582). The
 * bounds of the time-out are Linux's, TCP_RTO_MIN and TCP_RTO_MAX (include/net/tcp.h).
 */
import { before } from './tcp-segment.ts';

const RTO_INITIAL_MS = 1000;
const RTO_MIN_MS = 200;
const RTO_MAX_MS = 120_000;
/** RFC 6298 section 2: alpha, beta, K. */
const ALPHA = 1 / 8;
const BETA = 1 / 4;
const K = 4;

export class RetransmissionTimeout {
  #smoothedMs = -1;
  #varianceMs = 0;
  #rtoMs = RTO_INITIAL_MS;
  #backOffs = 0;
  #timedSequence = 0;
  #timedSinceMs = -1;

  get ms(): number {
    return Math.min(RTO_MAX_MS, this.#rtoMs * 2 ** this.#backOffs);
  }

  /** A segment that ends before `end` has been sent for the first time. One at a time is measured. */
  sent(end: number, nowMs: number): void {
    if (this.#timedSinceMs >= 0) return;
    this.#timedSequence = end;
    this.#timedSinceMs = nowMs;
  }

  /** What is new ends the back-off, as in Linux's tcp_ack, measured or not. */
  acknowledged(to: number, nowMs: number): void {
    this.#backOffs = 0;
    if (this.#timedSinceMs < 0 || before(to, this.#timedSequence)) return;
    const sampleMs = nowMs - this.#timedSinceMs;
    this.#timedSinceMs = -1;
    if (this.#smoothedMs < 0) {
      this.#smoothedMs = sampleMs;
      this.#varianceMs = sampleMs / 2;
    } else {
      this.#varianceMs += BETA * (Math.abs(this.#smoothedMs - sampleMs) - this.#varianceMs);
      this.#smoothedMs += ALPHA * (sampleMs - this.#smoothedMs);
    }
    this.#rtoMs = this.#smoothedMs + Math.max(RTO_MIN_MS, K * this.#varianceMs);
  }

  /** Something is sent again: its acknowledgment will measure nothing (Karn's algorithm, RFC 6298 section 3). */
  forget(): void {
    this.#timedSinceMs = -1;
  }

  backOff(): void {
    this.forget();
    this.#backOffs++;
  }
}

/** RFC 6928. */
const INITIAL_SEGMENTS = 10;
const DUPLICATES_MAX = 3;

export class Congestion {
  windowBytes = 0;
  #threshold = Infinity;
  #duplicates = 0;
  #recovering = false;
  #recover = 0;

  begin(segmentBytes: number): void {
    this.windowBytes = INITIAL_SEGMENTS * segmentBytes;
  }

  /** @returns true when the first unacknowledged segment is to be sent again. */
  acknowledged(to: number, bytes: number, segmentBytes: number): boolean {
    this.#duplicates = 0;
    if (this.#recovering && before(to, this.#recover)) return true;
    this.#recovering = false;
    const slowStart = this.windowBytes < this.#threshold;
    this.windowBytes += slowStart
      ? Math.min(bytes, segmentBytes)
      : Math.ceil((segmentBytes * segmentBytes) / this.windowBytes);
    return false;
  }

  /** @param sentTo the highest sequence number sent. @returns as above. */
  duplicate(sentTo: number, flightBytes: number, segmentBytes: number): boolean {
    if (this.#recovering || ++this.#duplicates < DUPLICATES_MAX) return false;
    this.#threshold = Math.max(flightBytes / 2, 2 * segmentBytes);
    this.windowBytes = this.#threshold;
    this.#recovering = true;
    this.#recover = sentTo;
    return true;
  }

  timedOut(flightBytes: number, segmentBytes: number): void {
    this.#threshold = Math.max(flightBytes / 2, 2 * segmentBytes);
    this.windowBytes = segmentBytes;
    this.#recovering = false;
    this.#duplicates = 0;
  }
}
