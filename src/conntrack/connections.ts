/**
 * `conntrack/`: flows and what is known about them. This file owns the table.
 *
 * A connection is two keys, one per direction; a packet finds it by its own key, and the direction with it (CT-001).
 * What a packet of one direction must look like after translation is the inverse of the *other* direction's key, so
 * NAT needs no storage of its own. Numbers are those of connections, or connection * 2 + direction ("half"). A connection
 * exists once its first packet has passed every stage (CT-004).
 *
 * Among a million flows each cache line that a packet touches costs more than all work on it. So what a packet needs of
 * its half lies with the key, and what it needs of the connection in one record; only the smallest arrays are apart.
 */
import {
  hashKey,
  invertKey,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_SOURCE,
  KEY_WORDS,
  keyIsIcmp,
  keyProtocol,
  keysEqual,
} from '../packet/flow-key.ts';
import type { Packet } from '../packet/packet.ts';
import { FlowTable, LINK_WORDS } from '../tables/flow-table.ts';
import { TimerWheel } from '../tables/timer-wheel.ts';
import { ADDRESS_WORDS } from '../wire/address.ts';
import { Protocol } from '../wire/protocol.ts';
import { sctpClosing } from './sctp-states.ts';
import { SCTP_RECORD_WORDS } from './sctp-tags.ts';
import { tcpClosing } from './tcp-states.ts';
import { TCP_RECORD_WORDS } from './tcp-window.ts';

export const ConnectionFlag = {
  SeenReply: 1,
  Assured: 2,
  /** The packet's addresses or ports change on their way through. */
  Translated: 4,
} as const;

const TICK_MS = 1000;
const WHEEL_TICKS = 1024;

/** Words of a half behind its key: how many packets and bytes, as doubles. They make it 64 bytes. */
const HALF_VALUES = 4;
/** In doubles: from half to half, and where the two are. */
const HALF_DOUBLES = (KEY_WORDS + LINK_WORDS + HALF_VALUES) / 2;
const PACKETS = (KEY_WORDS + LINK_WORDS) / 2;
const BYTES = PACKETS + 1;

/** Words of a connection's record, behind those of its protocol: */
const PROTOCOL_WORDS = Math.max(TCP_RECORD_WORDS, SCTP_RECORD_WORDS);
/** of each direction: the way out that was found, 0 for none yet; and the route revision that it was found under; */
const EGRESS = PROTOCOL_WORDS;
const ROUTE_REVISION = PROTOCOL_WORDS + 2;
/** the policies' revision that it was judged by last; the way that its first packet came in by. */
const POLICY_REVISION = PROTOCOL_WORDS + 4;
const INGRESS = PROTOCOL_WORDS + 5;
/** Whole cache lines. */
const RECORD_WORDS = (PROTOCOL_WORDS + 6 + 15) & ~15;

/** Buckets that are looked through for a connection that may go (CT-050, Linux's NF_CT_EVICTION_RANGE). */
const EVICTION_RANGE = 8;
/** Once a connection had to be refused, those that may go go early, until the table is no fuller than this (CT-053). */
const FULL_ENOUGH = 0.95;

/** Since the start, by the names of /proc/net/stat/nf_conntrack (CT-055). What two processors at once make is not here. */
class Statistics {
  /** A new connection's tuple was another's already. */
  found = 0;
  /** Packets, without those that are an `error`. */
  invalid = 0;
  insert = 0;
  /** No tuple of its own could be found. */
  insertFailed = 0;
  /** Packets that would have begun a connection: no tuple, or no room. */
  drop = 0;
  /** Connections that went to make room. */
  earlyDrop = 0;
  /** ICMP errors about no known connection, and ICMP of unknown types. */
  error = 0;
}

export class Connections {
  readonly capacity: number;
  readonly table: FlowTable;
  /** 0 is free; else a TcpState or an SctpState, or 1 for protocols without states. */
  readonly state: Uint8Array;
  readonly flags: Uint8Array;
  readonly createdMs: Float64Array;
  readonly deadlineMs: Float64Array;
  /** `RECORD_WORDS` for each; first what TCP or SCTP keeps: `tcp-window.ts` and `track-sctp.ts` say what. */
  readonly records: Int32Array;
  readonly statistics = new Statistics();
  count = 0;
  readonly #seed: number;
  /** The table's entries, as doubles. */
  readonly #traffic: Float64Array;
  readonly #wheel: TimerWheel;
  readonly #free: Int32Array;
  #freeCount = 0;
  /** The half that a packet was found to be of last. */
  #last = 0;
  #highWater = 0;
  /** A connection had to be refused: the next sweeps look for those that may go early. */
  #pressed = false;
  /** Where that search goes on. */
  #cursor = 0;

  constructor(capacity: number, seed: number) {
    this.capacity = capacity;
    this.#seed = seed | 0;
    this.table = new FlowTable(capacity * 2, KEY_WORDS, seed, HALF_VALUES);
    this.#traffic = new Float64Array(this.table.entries.buffer);
    this.state = new Uint8Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.createdMs = new Float64Array(capacity);
    this.deadlineMs = new Float64Array(capacity);
    this.records = new Int32Array(capacity * RECORD_WORDS);
    this.#wheel = new TimerWheel(capacity, WHEEL_TICKS, 0);
    this.#free = new Int32Array(capacity);
  }

  /** Hash of the flow key at `keys[index …]`: a packet's own is `pkt.hash`. */
  hash(keys: Int32Array, index: number): number {
    return hashKey(keys, index, this.#seed);
  }

  /** The half with the key at `keys[index …]`, whose hash this is, or -1. */
  find(keys: Int32Array, index: number, hash: number): number {
    const { table } = this;
    let half = table.firstNear(hash, 0);
    while (half >= 0 && !(table.hashOf(half) === hash && keysEqual(table.entries, table.keyAt(half), keys, index))) {
      half = table.after(half);
    }
    return half;
  }

  /** The half of the packet's key, or -1; sets `pkt.hash`. Most packets follow one of their own half: asked of it first. */
  findPacket(pkt: Packet): number {
    const { table } = this;
    const last = this.#last;
    if (this.state[last >> 1] !== 0 && keysEqual(table.entries, table.keyAt(last), pkt.key, 0)) {
      pkt.hash = table.hashOf(last);
      return last;
    }
    return this.#findNext(pkt);
  }

  #findNext(pkt: Packet): number {
    pkt.hash = this.hash(pkt.key, 0);
    const half = this.find(pkt.key, 0, pkt.hash);
    if (half >= 0) this.#last = half;
    return half;
  }

  /** Takes a connection number out of the free ones, or -1 when the table is full. The caller inserts or gives back. */
  allocate(): number {
    if (this.#freeCount > 0) return this.#free[--this.#freeCount]!;
    return this.#highWater < this.capacity ? this.#highWater++ : -1;
  }

  giveBack(connection: number): void {
    this.#free[this.#freeCount++] = connection;
  }

  /**
   * The table is full: lets one connection near the hash of the new one's key go that is over, or not assured (CT-050).
   * Linux empties the whole bucket of them; one is enough. False when all of the neighbourhood is assured (CT-052).
   */
  makeRoom(original: Int32Array, nowMs: number): boolean {
    const hash = this.hash(original, 0);
    for (let distance = 0; distance < EVICTION_RANGE; distance++) {
      for (let half = this.table.firstNear(hash, distance); half >= 0; half = this.table.after(half)) {
        const connection = half >> 1;
        const over = this.isOver(connection, nowMs);
        if (!over && (this.flags[connection]! & ConnectionFlag.Assured) !== 0) continue;
        if (!over) this.statistics.earlyDrop++;
        this.remove(connection);
        return true;
      }
    }
    this.#pressed = true;
    return false;
  }

  /** Enters an allocated connection under its two keys; neither may be in the table. */
  insert(connection: number, original: Int32Array, reply: Int32Array, nowMs: number): void {
    const half = connection * 2;
    this.table.insert(half, original, 0, this.hash(original, 0));
    this.table.insert(half + 1, reply, 0, this.hash(reply, 0));
    this.flags[connection] = 0;
    this.createdMs[connection] = nowMs;
    this.deadlineMs[connection] = Number.POSITIVE_INFINITY; // whatever comes first, comes earlier
    const record = this.recordOf(connection);
    for (let i = 0; i < RECORD_WORDS; i++) this.records[record + i] = 0; // `fill` is a call out of compiled code
    for (let i = half; i < half + 2; i++) {
      this.#traffic[i * HALF_DOUBLES + PACKETS] = 0;
      this.#traffic[i * HALF_DOUBLES + BYTES] = 0;
    }
    this.count++;
    this.statistics.insert++;
  }

  /** Index in `records` of the connection's first word. */
  recordOf(connection: number): number {
    return connection * RECORD_WORDS;
  }

  /** One more of this half: wire packets, and bytes of IP. */
  countTraffic(half: number, packets: number, bytes: number): void {
    this.#traffic[half * HALF_DOUBLES + PACKETS]! += packets;
    this.#traffic[half * HALF_DOUBLES + BYTES]! += bytes;
  }

  packetsOf(half: number): number {
    return this.#traffic[half * HALF_DOUBLES + PACKETS]!;
  }

  bytesOf(half: number): number {
    return this.#traffic[half * HALF_DOUBLES + BYTES]!;
  }

  /** The way out that packets of this half remember, if it was found under this route revision; else 0. */
  wayOut(half: number, routeRevision: number): number {
    const at = (half >> 1) * RECORD_WORDS + (half & 1);
    return this.records[at + ROUTE_REVISION] === routeRevision ? this.records[at + EGRESS]! : 0;
  }

  rememberWayOut(half: number, egress: number, routeRevision: number): void {
    const at = (half >> 1) * RECORD_WORDS + (half & 1);
    this.records[at + EGRESS] = egress;
    this.records[at + ROUTE_REVISION] = routeRevision;
  }

  /** Revision of the policies that it was judged by last. */
  policyRevision(connection: number): number {
    return this.records[connection * RECORD_WORDS + POLICY_REVISION]!;
  }

  setPolicyRevision(connection: number, revision: number): void {
    this.records[connection * RECORD_WORDS + POLICY_REVISION] = revision;
  }

  /** The way that its first packet came in by. */
  ingress(connection: number): number {
    return this.records[connection * RECORD_WORDS + INGRESS]!;
  }

  setIngress(connection: number, way: number): void {
    this.records[connection * RECORD_WORDS + INGRESS] = way;
  }

  /** Its time is over, whether or not the wheel has been there: nobody knows it any more. */
  isOver(connection: number, nowMs: number): boolean {
    return this.deadlineMs[connection]! <= nowMs;
  }

  remove(connection: number): void {
    this.table.remove(connection * 2);
    this.table.remove(connection * 2 + 1);
    this.#wheel.cancel(connection);
    this.state[connection] = 0;
    this.count--;
    this.giveBack(connection);
  }

  /**
   * Gives it that long to live from now on. Moving the deadline later costs one store: the wheel asks again when the
   * earlier one comes round. The sum is made here: as an argument it would be a number on the heap for each packet.
   */
  refresh(connection: number, nowMs: number, lifeMs: number): void {
    const deadlineMs = nowMs + lifeMs;
    const postponed = deadlineMs >= this.deadlineMs[connection]!;
    this.deadlineMs[connection] = deadlineMs;
    if (postponed) return; // the wheel is asked no later than at the old deadline
    const tick = Math.ceil(deadlineMs / TICK_MS);
    const due = this.#wheel.due(connection);
    if (due < 0 || tick < due) this.#wheel.schedule(connection, tick);
  }

  /** Lets the connection go at the next `expire`: the packet at hand still needs its entry. */
  end(connection: number, nowMs: number): void {
    this.deadlineMs[connection] = nowMs;
    this.#wheel.schedule(connection, Math.floor(nowMs / TICK_MS));
  }

  /**
   * Looks at what is due, at most `budget` entries, and removes what has no time left; and as many again of those that
   * may go early, when that is called for. Returns how many it has removed.
   */
  expire(nowMs: number, budget: number): number {
    const removed = this.#expireDue(nowMs, budget);
    return this.#pressed ? removed + this.#relieve(budget) : removed;
  }

  #expireDue(nowMs: number, budget: number): number {
    const tick = Math.floor(nowMs / TICK_MS);
    let removed = 0;
    for (let looked = 0; looked < budget; looked++) {
      const connection = this.#wheel.expire(tick);
      if (connection < 0) break;
      if (this.deadlineMs[connection]! <= nowMs) {
        this.remove(connection);
        removed++;
      } else {
        this.#wheel.schedule(connection, Math.ceil(this.deadlineMs[connection]! / TICK_MS));
      }
    }
    return removed;
  }

  /** One pass over the table, in as many calls as it takes, ends early when there is room again. Linux's `gc_worker`. */
  #relieve(budget: number): number {
    const enough = Math.floor(this.capacity * FULL_ENOUGH);
    let removed = 0;
    for (let looked = 0; looked < budget; looked++) {
      if (this.#cursor >= this.#highWater || this.count < enough) {
        this.#cursor = 0;
        this.#pressed = false;
        break;
      }
      const connection = this.#cursor++;
      if (this.state[connection] === 0 || !this.#mayGoEarly(connection)) continue;
      this.remove(connection);
      removed++;
    }
    return removed;
  }

  /** Not assured, or as good as closed. */
  #mayGoEarly(connection: number): boolean {
    if ((this.flags[connection]! & ConnectionFlag.Assured) === 0) return true;
    const protocol = keyProtocol(this.table.entries, this.table.keyAt(connection * 2));
    if (protocol === Protocol.Tcp) return tcpClosing(this.state[connection]!);
    return protocol === Protocol.Sctp && sctpClosing(this.state[connection]!);
  }

  /** Writes what packets of this half look like when they come in. */
  key(half: number, to: Int32Array): void {
    const at = this.table.keyAt(half);
    for (let i = 0; i < KEY_WORDS; i++) to[i] = this.table.entries[at + i]!;
  }

  /** Writes what packets of this half look like after translation. */
  translatedKey(half: number, to: Int32Array): void {
    invertKey(this.table.entries, this.table.keyAt(half ^ 1), to, 0);
  }

  /**
   * Writes what policies judge of the connection: its client as it came in, and where it really goes (NP-022, NP-031).
   * Not the client's address after masquerading, nor a source port that had to move.
   */
  judgedKey(connection: number, to: Int32Array): void {
    const { entries } = this.table;
    const reply = this.table.keyAt(connection * 2 + 1);
    this.key(connection * 2, to);
    for (let i = 0; i < ADDRESS_WORDS; i++) to[KEY_DESTINATION + i] = entries[reply + KEY_SOURCE + i]!;
    if (!keyIsIcmp(to, 0)) to[KEY_PORTS] = (to[KEY_PORTS]! & ~0xffff) | (entries[reply + KEY_PORTS]! >>> 16);
  }

  /** Connection numbers that may be in use are below this. */
  get highWater(): number {
    return this.#highWater;
  }
}
