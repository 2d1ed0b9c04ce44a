/**
 * One capture on its way out of the node: from the ring that the loop fills to the connection of whoever asked. Nobody
 * here waits for the other: when the reader is slow the ring fills, and what does not fit is lost and counted.
 *
 * The reader gets sightings until it closes its side, then what was still on the way, what was lost, and `End`.
 */
import type { Socket } from 'node:net';
import type { CaptureSpec, Loss } from '../dataplane/capture.ts';
import { verifyFilter } from '../recording/filter-machine.ts';
import { createRing, RingReader } from '../recording/ring.ts';
import { noteSighting, SightingKind } from '../recording/sighting.ts';
import { monotonicNs } from './monotonic.ts';
import type { CaptureRequest, ToDataplane } from './protocol.ts';

/** Room for all that a flight recorder remembers. */
const RING_BYTES_MIN = 2 << 20;
const RING_BYTES_MAX = 1 << 28;
const SNAP_LEN_MAX = 262_144;
/** Bytes that may wait in the connection; beyond, they wait in the ring. */
const BACKLOG_MAX = 4 << 20;
const PIECE_BYTES = 1 << 18;
/** How long an empty ring is left alone, and how long one that was not. */
const IDLE_MS = 5;
const BUSY_MS = 1;
/** Two threads read one clock each through a base of its own: what both call now may differ by some microseconds. */
const CLOCK_MARGIN_NS = 20_000;

export interface CaptureStreamHost {
  send(message: ToDataplane): void;
  /** The stream is over, its connection closed. */
  over(id: number): void;
}

export class CaptureStream {
  readonly #id: number;
  readonly #socket: Socket;
  readonly #host: CaptureStreamHost;
  #reader: RingReader | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  /** @param asked a `CaptureRequest` as JSON. */
  constructor(id: number, asked: string, socket: Socket, host: CaptureStreamHost) {
    this.#id = id;
    this.#socket = socket;
    this.#host = host;
    socket.allowHalfOpen = true; // or the end of the reader's side would end ours, with the rest unsaid
    socket.resume(); // the reader says nothing but that it has enough
    socket.on('end', () => this.#stop());
    socket.on('error', () => socket.destroy()); // the reader is gone
    socket.on('close', () => {
      clearTimeout(this.#timer);
      this.#stop();
      host.over(id);
    });
    const request = readRequest(asked);
    if (typeof request === 'string') {
      this.#refuse(request);
      return;
    }
    const ring = createRing(request.ringBytes);
    this.#reader = new RingReader(ring);
    host.send({ type: 'capture', id, spec: request.spec, ring, lastMs: request.lastMs, live: request.live });
  }

  /** The loop has begun to tell, or says why not. */
  begun(problem: string | undefined): void {
    if (problem === undefined) this.#pump();
    else this.#refuse(problem);
  }

  /** A port's interface is gone. */
  hopGone(hop: number): void {
    this.#write(noteSighting(SightingKind.Gone, monotonicNs(), hop));
  }

  /** The loop tells no more; what it has told is in the ring. */
  released(losses: readonly Loss[]): void {
    clearTimeout(this.#timer);
    for (let piece = this.#reader?.take(PIECE_BYTES); piece !== undefined; piece = this.#reader?.take(PIECE_BYTES)) {
      this.#write(piece);
    }
    const now = monotonicNs();
    for (const { hop, count } of losses) this.#write(noteSighting(SightingKind.Lost, now, hop, count));
    this.#write(noteSighting(SightingKind.End, now));
    this.#socket.end();
  }

  /** Takes what is in the ring; where nothing is and nothing was about to be, says so: the reader waits for no one. */
  #pump(): void {
    const reader = this.#reader!;
    const now = monotonicNs();
    const idle = reader.idle;
    let taken = 0;
    while (this.#socket.writableLength < BACKLOG_MAX) {
      const piece = reader.take(PIECE_BYTES);
      if (piece === undefined) {
        if (idle) this.#write(noteSighting(SightingKind.Quiet, now - CLOCK_MARGIN_NS));
        break;
      }
      taken += piece.length;
      this.#write(piece);
    }
    this.#timer = setTimeout(() => this.#pump(), taken > 0 ? BUSY_MS : IDLE_MS);
  }

  #stop(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    if (this.#reader !== undefined) this.#host.send({ type: 'release', id: this.#id });
    else this.#socket.destroy();
  }

  #refuse(problem: string): void {
    this.#ended = true;
    this.#write(noteSighting(SightingKind.Refused, monotonicNs(), 0, 0, Buffer.from(problem)));
    this.#write(noteSighting(SightingKind.End, monotonicNs()));
    this.#socket.end();
  }

  #write(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }
}

interface CheckedRequest {
  readonly spec: CaptureSpec;
  readonly ringBytes: number;
  readonly lastMs: number;
  readonly live: boolean;
}

/** The request, or what is wrong with it: our own command line wrote it, but it came over a socket. */
function readRequest(line: string): CheckedRequest | string {
  let value: CaptureRequest;
  try {
    value = JSON.parse(line) as CaptureRequest;
  } catch {
    return 'the request is not JSON';
  }
  const { snapLen, verdicts, noise, hops, filter, ringBytes, lastMs, live } = value;
  if (!isCount(snapLen, SNAP_LEN_MAX)) return `snapLen ${snapLen}`;
  if (!isCount(verdicts, 3) || typeof noise !== 'boolean' || typeof live !== 'boolean')
    return 'verdicts, noise or live';
  if (!Array.isArray(hops) || !hops.every((hop) => isCount(hop, 0x7fff_ffff))) return 'hops';
  if (!isCount(ringBytes, RING_BYTES_MAX) || ringBytes < RING_BYTES_MIN || (ringBytes & (ringBytes - 1)) !== 0) {
    return `ringBytes ${ringBytes}`;
  }
  if (!isCount(lastMs, 0x7fff_ffff)) return `lastMs ${lastMs}`;
  if (filter !== null && !(Array.isArray(filter) && filter.every((word) => Number.isInteger(word)))) return 'filter';
  const program = filter === null ? undefined : Int32Array.from(filter);
  const problem = program === undefined ? undefined : verifyFilter(program);
  if (problem !== undefined) return `filter: ${problem}`;
  return { spec: { snapLen, verdicts, noise, hops, filter: program }, ringBytes, lastMs, live };
}

function isCount(value: unknown, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
}
