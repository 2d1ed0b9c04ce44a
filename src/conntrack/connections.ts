/**
 * `conntrack/`: flows and what is known about them. This file owns the table.
 *
 * A connection is two keys, one per direction; a packet finds it by its own key, and the direction with it (CT-001).
 * What a packet of one direction must look like after translation is the inverse of the *other* direction's key, so
 * NAT needs no storage of its own. Values are parallel arrays indexed by connection, or by connection * 2 + direction
 * ("half"). A connection exists once its first packet has passed every stage (CT-004).
 */
import { invertKey, KEY_WORDS } from '../packet/flow-key.ts';
import { FlowTable } from '../tables/flow-table.ts';
import { TimerWheel } from '../tables/timer-wheel.ts';

export const ConnectionFlag = {
  SeenReply: 1,
  Assured: 2,
  /** The packet's addresses or ports change on their way through. */
  Translated: 4,
} as const;

const TICK_MS = 1000;
const WHEEL_TICKS = 1024;

export class Connections {
  readonly capacity: number;
  readonly table: FlowTable;
  /** 0 is free; else a TcpState, or 1 for protocols without states. */
  readonly state: Uint8Array;
  readonly flags: Uint8Array;
  readonly createdMs: Float64Array;
  readonly deadlineMs: Float64Array;
  /** Per half: the way out that was found, 0 for none yet, and the route revision it was found under. */
  readonly egress: Int32Array;
  readonly routeRevision: Int32Array;
  readonly packets: Float64Array;
  readonly bytes: Float64Array;
  /** Per half: 1 once this side closed properly (FIN acknowledged by state). */
  readonly closed: Uint8Array;
  /** Half that sent the last RST, + 1; 0 for none. */
  readonly lastReset: Uint8Array;
  count = 0;
  inserted = 0;
  readonly #wheel: TimerWheel;
  readonly #free: Int32Array;
  #freeCount = 0;
  #highWater = 0;

  constructor(capacity: number, seed: number) {
    this.capacity = capacity;
    this.table = new FlowTable(capacity * 2, KEY_WORDS, seed);
    this.state = new Uint8Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.createdMs = new Float64Array(capacity);
    this.deadlineMs = new Float64Array(capacity);
    this.egress = new Int32Array(capacity * 2);
    this.routeRevision = new Int32Array(capacity * 2);
    this.packets = new Float64Array(capacity * 2);
    this.bytes = new Float64Array(capacity * 2);
    this.closed = new Uint8Array(capacity * 2);
    this.lastReset = new Uint8Array(capacity);
    this.#wheel = new TimerWheel(capacity, WHEEL_TICKS, 0);
    this.#free = new Int32Array(capacity);
  }

  /** Takes a connection number out of the free ones, or -1 when the table is full. The caller inserts or gives back. */
  allocate(): number {
    if (this.#freeCount > 0) return this.#free[--this.#freeCount]!;
    return this.#highWater < this.capacity ? this.#highWater++ : -1;
  }

  giveBack(connection: number): void {
    this.#free[this.#freeCount++] = connection;
  }

  /** Enters an allocated connection under its two keys; neither may be in the table. */
  insert(connection: number, original: Int32Array, reply: Int32Array, nowMs: number): void {
    const half = connection * 2;
    this.table.insert(half, original, 0, this.table.hash(original, 0));
    this.table.insert(half + 1, reply, 0, this.table.hash(reply, 0));
    this.flags[connection] = 0;
    this.createdMs[connection] = nowMs;
    this.lastReset[connection] = 0;
    for (let i = half; i < half + 2; i++) {
      this.egress[i] = 0;
      this.routeRevision[i] = 0;
      this.packets[i] = 0;
      this.bytes[i] = 0;
      this.closed[i] = 0;
    }
    this.count++;
    this.inserted++;
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

  /** Sets the deadline. Moving it later costs one store: the wheel asks again when the earlier one comes round. */
  refresh(connection: number, deadlineMs: number): void {
    this.deadlineMs[connection] = deadlineMs;
    const tick = Math.ceil(deadlineMs / TICK_MS);
    const due = this.#wheel.due(connection);
    if (due < 0 || tick < due) this.#wheel.schedule(connection, tick);
  }

  /** Lets the connection go at the next `expire`: the packet at hand still needs its entry. */
  end(connection: number, nowMs: number): void {
    this.deadlineMs[connection] = nowMs;
    this.#wheel.schedule(connection, Math.floor(nowMs / TICK_MS));
  }

  /** Looks at what is due, at most `budget` entries, and removes what has no time left; returns how many. */
  expire(nowMs: number, budget: number): number {
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

  /** Writes what packets of this half look like after translation. */
  translatedKey(half: number, to: Int32Array): void {
    invertKey(this.table.keys, (half ^ 1) * KEY_WORDS, to, 0);
  }

  /** Connection numbers that may be in use are below this. */
  get highWater(): number {
    return this.#highWater;
  }
}
