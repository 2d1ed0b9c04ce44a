/**
 * SCTP associations without data (RFC 9260): the four-way handshake, its end by SHUTDOWN or ABORT, heartbeats answered, and
 * what a packet that belongs to nobody is told (section 8.4). DATA is not understood, and not answered.
 */
import { Protocol } from '../wire/protocol.ts';
import { SCTP_TAG_REFLECTED, SctpChunk } from '../wire/sctp.ts';
import type { ErrorReason, ErrorReport } from './icmp-error.ts';
import type { IpLayer } from './ip-layer.ts';
import type { IpPacket } from './ip-packet.ts';
import { PortTable } from './port-table.ts';
import {
  buildCookie,
  buildInitiation,
  buildSctp,
  readCookie,
  readInitiation,
  readSctpAt,
  type SctpPacket,
} from './sctp-packet.ts';

/** RFC 9260 section 16, and Linux's sctp_rto_initial and sctp_rto_max. */
const RTO_INITIAL_MS = 3000;
const RTO_MAX_MS = 60_000;
const RETRIES_INIT = 8;
const RETRIES = 10;
/** Chosen. Beyond it the oldest is forgotten. */
const ASSOCIATIONS_MAX = 256;

const NOTHING = new Uint8Array();

export interface SctpEvents {
  readonly open?: () => void;
  /** Once, the last of all; not after `abort`. */
  readonly closed?: (reason: 'done' | 'reset' | 'timeout' | ErrorReason, detail: string) => void;
}

export interface Association {
  readonly localPort: number;
  /** By SHUTDOWN, once it is open (RFC 9260 section 9.2). */
  shutdown(): void;
  /** Ends at once, by ABORT when the other side knows of it. */
  abort(): void;
}

interface Ends {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

type State = 'cookie-wait' | 'cookie-echoed' | 'established' | 'shutdown-sent' | 'shutdown-ack-sent';

interface Entry {
  readonly ends: Ends;
  readonly events: SctpEvents;
  readonly tag: number;
  state: State;
  peerTag: number;
  /** TSN of the other side's first DATA, which never comes: SHUTDOWN acknowledges the one before it. */
  peerSequence: number;
  /** Sent again until somebody answers. */
  pending: { readonly type: number; readonly tag: number; readonly body: Uint8Array } | undefined;
  dueMs: number;
  retries: number;
}

export class Sctp {
  readonly #ip: IpLayer;
  readonly #associations = new Map<string, Entry>();
  readonly #listeners: PortTable<() => SctpEvents>;
  readonly #secret: number;

  constructor(ip: IpLayer) {
    this.#ip = ip;
    this.#listeners = new PortTable<() => SctpEvents>(ip.random);
    this.#secret = ip.random();
  }

  get dueMs(): number {
    let dueMs = Infinity;
    for (const entry of this.#associations.values()) dueMs = Math.min(dueMs, entry.dueMs);
    return dueMs;
  }

  /** @returns undefined when no address or port is left for it. */
  connect(destination: string, destinationPort: number, events: SctpEvents): Association | undefined {
    const source = this.#ip.sourceFor(destination);
    const sourcePort = this.#listeners.freePort((port) => this.#hasLocalPort(port));
    if (source === undefined || sourcePort === undefined) return undefined;
    const tag = this.#newTag();
    const entry = this.#add(
      { source, sourcePort, destination, destinationPort },
      { tag, events, state: 'cookie-wait' },
    );
    this.#ask(entry, SctpChunk.Init, 0, buildInitiation({ tag, sequence: this.#ip.random() }));
    return {
      localPort: sourcePort,
      shutdown: () => this.#shutdown(entry),
      abort: () => {
        if (this.#associations.get(keyOf(entry.ends)) !== entry) return;
        if (entry.peerTag !== 0) this.#send(entry.ends, SctpChunk.Abort, entry.peerTag, NOTHING);
        this.#remove(entry);
      },
    };
  }

  /** @returns what ends it. @throws RangeError when somebody listens there already. */
  listen(port: number, accept: () => SctpEvents = () => ({})): () => void {
    this.#listeners.open(port, accept);
    return () => this.#listeners.close(port);
  }

  receive(packet: IpPacket): void {
    const sctp = readSctpAt(packet.view, packet.at, packet.end);
    if (sctp === undefined) return;
    const { sourcePort, destinationPort } = sctp;
    const { source, destination } = packet;
    const ends = { source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort };
    const entry = this.#associations.get(keyOf(ends));
    if (sctp.type === SctpChunk.Init) this.#receiveInit(ends, sctp);
    else if (sctp.type === SctpChunk.CookieEcho) this.#receiveCookie(ends, sctp, entry);
    else if (entry === undefined) this.#receiveStray(ends, sctp);
    else this.#receiveKnown(entry, sctp);
  }

  error(report: ErrorReport): void {
    const { source, destination, sourcePort, destinationPort, reason, detail } = report;
    const entry = this.#associations.get(keyOf({ source, sourcePort, destination, destinationPort }));
    const opening = entry?.state === 'cookie-wait' || entry?.state === 'cookie-echoed';
    if (entry !== undefined && opening && report.mtu === undefined) this.#end(entry, reason, detail);
  }

  wake(nowMs: number): void {
    for (const entry of this.#associations.values()) {
      if (entry.dueMs > nowMs || entry.pending === undefined) continue;
      const most = entry.state === 'cookie-wait' || entry.state === 'cookie-echoed' ? RETRIES_INIT : RETRIES;
      if (entry.retries > most) {
        this.#end(entry, 'timeout', 'no answer');
        continue;
      }
      const { type, tag, body } = entry.pending;
      this.#send(entry.ends, type, tag, body);
      entry.dueMs = nowMs + Math.min(RTO_MAX_MS, RTO_INITIAL_MS * 2 ** entry.retries++);
    }
  }

  /** A listener answers with a cookie and remembers nothing (RFC 9260 section 5.1). */
  #receiveInit(ends: Ends, { tag, body }: SctpPacket): void {
    const peer = readInitiation(body);
    if (peer === undefined || tag !== 0) return;
    if (this.#listeners.get(ends.sourcePort) === undefined) {
      this.#send(ends, SctpChunk.Abort, peer.tag, NOTHING);
      return;
    }
    const own = { tag: this.#newTag(), sequence: this.#ip.random() };
    const cookie = buildCookie({ ...own, peerTag: peer.tag, peerSequence: peer.sequence }, this.#cookieKey(ends));
    this.#send(ends, SctpChunk.InitAck, peer.tag, buildInitiation({ ...own, cookie }));
  }

  #receiveCookie(ends: Ends, { tag, body }: SctpPacket, known: Entry | undefined): void {
    const cookie = readCookie(body, this.#cookieKey(ends));
    if (cookie === undefined || cookie.tag !== tag) return;
    if (known === undefined || known.tag !== tag) {
      const accept = this.#listeners.get(ends.sourcePort);
      if (accept === undefined) return;
      const entry = this.#add(ends, { tag, events: accept(), state: 'established' });
      entry.peerTag = cookie.peerTag;
      entry.peerSequence = cookie.peerSequence;
      entry.events.open?.();
    }
    this.#send(ends, SctpChunk.CookieAck, cookie.peerTag, NOTHING);
  }

  /** RFC 9260 section 8.4: out of the blue. */
  #receiveStray(ends: Ends, { type, tag }: SctpPacket): void {
    const silent: readonly number[] = [
      SctpChunk.Abort,
      SctpChunk.ShutdownComplete,
      SctpChunk.CookieAck,
      SctpChunk.Error,
      SctpChunk.InitAck,
    ];
    if (type === SctpChunk.ShutdownAck) {
      this.#send(ends, SctpChunk.ShutdownComplete, tag, NOTHING, SCTP_TAG_REFLECTED);
    } else if (!silent.includes(type)) {
      this.#send(ends, SctpChunk.Abort, tag, NOTHING, SCTP_TAG_REFLECTED);
    }
  }

  #receiveKnown(entry: Entry, packet: SctpPacket): void {
    const { type, body } = packet;
    const { state } = entry;
    if (!tagIsRight(entry, packet)) return;
    if (type === SctpChunk.Abort) {
      const opening = state === 'cookie-wait' || state === 'cookie-echoed';
      this.#end(entry, opening ? 'refused' : 'reset', opening ? 'association refused' : 'association aborted');
    } else if (state === 'cookie-wait') {
      if (type === SctpChunk.InitAck) this.#receiveInitAck(entry, body);
    } else if (state === 'cookie-echoed') {
      if (type !== SctpChunk.CookieAck) return;
      this.#settle(entry, 'established');
      entry.events.open?.();
    } else if (type === SctpChunk.Heartbeat) {
      this.#send(entry.ends, SctpChunk.HeartbeatAck, entry.peerTag, body);
    } else {
      this.#receiveShutdown(entry, type);
    }
  }

  #receiveInitAck(entry: Entry, body: Uint8Array): void {
    const peer = readInitiation(body);
    if (peer?.cookie === undefined) return;
    entry.peerTag = peer.tag;
    entry.peerSequence = peer.sequence;
    entry.state = 'cookie-echoed';
    this.#ask(entry, SctpChunk.CookieEcho, peer.tag, peer.cookie);
  }

  /** RFC 9260 section 9.2. Pre: the association is open, or ending. */
  #receiveShutdown(entry: Entry, type: number): void {
    const ending = entry.state === 'shutdown-ack-sent';
    if (type === SctpChunk.Shutdown && !ending) {
      entry.state = 'shutdown-ack-sent';
      this.#ask(entry, SctpChunk.ShutdownAck, entry.peerTag, NOTHING);
    } else if (type === SctpChunk.ShutdownAck && entry.state !== 'established') {
      this.#send(entry.ends, SctpChunk.ShutdownComplete, entry.peerTag, NOTHING);
      this.#end(entry, 'done', 'closed');
    } else if (type === SctpChunk.ShutdownComplete && ending) {
      this.#end(entry, 'done', 'closed');
    }
  }

  #shutdown(entry: Entry): void {
    if (entry.state !== 'established') return;
    const body = new Uint8Array(4);
    new DataView(body.buffer).setInt32(0, (entry.peerSequence - 1) | 0);
    entry.state = 'shutdown-sent';
    this.#ask(entry, SctpChunk.Shutdown, entry.peerTag, body);
  }

  /** Sends with the next `wake`, which is due at once, and again until `#settle`. */
  #ask(entry: Entry, type: number, tag: number, body: Uint8Array): void {
    entry.pending = { type, tag, body };
    entry.retries = 0;
    entry.dueMs = 0;
  }

  #settle(entry: Entry, state: State): void {
    entry.state = state;
    entry.pending = undefined;
    entry.dueMs = Infinity;
  }

  #end(entry: Entry, reason: Parameters<NonNullable<SctpEvents['closed']>>[0], detail: string): void {
    this.#remove(entry);
    entry.events.closed?.(reason, detail);
  }

  #add(ends: Ends, { tag, events, state }: Pick<Entry, 'tag' | 'events' | 'state'>): Entry {
    const key = keyOf(ends);
    const oldest = this.#associations.keys().next().value;
    if (this.#associations.size >= ASSOCIATIONS_MAX && oldest !== undefined) this.#associations.delete(oldest);
    const rest = { peerTag: 0, peerSequence: 0, pending: undefined, dueMs: Infinity, retries: 0 };
    const entry: Entry = { ends, events, tag, state, ...rest };
    this.#associations.set(key, entry);
    return entry;
  }

  #remove(entry: Entry): void {
    const key = keyOf(entry.ends);
    if (this.#associations.get(key) === entry) this.#associations.delete(key);
  }

  #hasLocalPort(port: number): boolean {
    for (const { ends } of this.#associations.values()) if (ends.sourcePort === port) return true;
    return false;
  }

  #newTag(): number {
    return this.#ip.random() | 0 || 1;
  }

  #cookieKey(ends: Ends): string {
    return `${this.#secret} ${keyOf(ends)}`;
  }

  #send(ends: Ends, type: number, tag: number, body: Uint8Array, flags = 0): void {
    const { source, sourcePort, destination, destinationPort } = ends;
    const upper = buildSctp({ sourcePort, destinationPort, tag, type, flags, body });
    this.#ip.send({ source, destination, protocol: Protocol.Sctp }, upper);
  }
}

function keyOf({ source, sourcePort, destination, destinationPort }: Ends): string {
  return `${source} ${sourcePort} ${destination} ${destinationPort}`;
}

/** Only what carries the right tag is believed (RFC 9260 section 8.5). */
function tagIsRight(entry: Entry, { type, tag, flags }: SctpPacket): boolean {
  const mayReflect = type === SctpChunk.Abort || type === SctpChunk.ShutdownComplete;
  const reflected = mayReflect && (flags & SCTP_TAG_REFLECTED) !== 0;
  return reflected ? tag === entry.peerTag && tag !== 0 : tag === entry.tag;
}
