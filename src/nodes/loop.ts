/**
 * The loop of a node: wait for any port, drain each in turn, run every packet to completion, look at the clock.
 *
 * One thread does this and nothing else. It blocks in `epoll_wait` through FFI, so nothing of Node's own event loop
 * runs here: messages are fetched with `receiveMessageOnPort` when the eventfd says so, and the stop word is checked
 * at every turn (a thread inside FFI cannot be terminated).
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Dataplane } from '../dataplane/dataplane.ts';
import type { LinkedUnderlay } from '../dataplane/linked-underlay.ts';
import { expire, receiveFromHost, receiveFromPod, receiveFromUnderlay } from '../dataplane/receive.ts';
import type { Packet } from '../packet/packet.ts';
import { Activity, type ActivityWord } from '../ports/activity.ts';
import type { TapPort } from '../ports/tap.ts';
import type { UnderlayPort } from '../ports/underlay.ts';
import { Epoll } from '../sys/epoll.ts';
import { drainEventfd } from '../sys/eventfd.ts';
import { Errno } from '../sys/io.ts';
import { yieldProcessor } from '../sys/yield.ts';
import { Spin } from './spin.ts';

/** Frames read from one port before the others have their turn; a superframe counts as one. */
const BATCH = 64;
/** From here on nothing is read ahead: what has been read ahead must be done before others have their turn. */
const LAST = BATCH - 1;
/** Ports that may be ready in one wait; more come with the next. */
const EVENTS_MAX = 128;
/** Longest sleep: the accounting is checked once a second. */
const TICK_MS = 1000;
/** Expired connections removed per turn, so that a crowd of them does not stop packets. */
const EXPIRE_BUDGET = 256;

const Token = { Control: 0xffff_ffff, Underlay: 0xffff_fffe, Host: 0xffff_fffd } as const;

export interface LoopParts {
  readonly dataplane: Dataplane;
  readonly underlay: UnderlayPort;
  readonly packet: Packet;
  readonly eventfd: number;
  readonly stop: Int32Array;
  readonly port: MessagePort;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  /** Whether it may look again before it sleeps. */
  readonly spins: boolean;
  readonly activity: ActivityWord;
  /** Handles one message; returns nothing: it answers by itself. */
  readonly onMessage: (message: unknown) => void;
  /** A pod's port has left the loop: its interface is gone. */
  readonly onGone: (index: number) => void;
  /** Something a person should know. */
  readonly log: (message: string) => void;
}

export class Loop {
  readonly #parts: LoopParts;
  readonly #epoll = new Epoll(EVENTS_MAX);
  readonly #spin = new Spin();
  readonly #pods: (TapPort | undefined)[] = [];
  #host: TapPort | undefined;
  #links: LinkedUnderlay | undefined;
  #nextTickMs: number;
  /** More has expired than one batch removes. */
  #expiring = false;
  #violationReported = false;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#nextTickMs = parts.clock() + TICK_MS;
    this.#epoll.add(parts.eventfd, Token.Control);
    this.#epoll.add(parts.underlay.receiveFd, Token.Underlay);
  }

  setHost(port: TapPort): void {
    this.#host = port;
    this.#epoll.add(port.fd, Token.Host);
  }

  /** What waits there is sent on when it is due. */
  setLinks(links: LinkedUnderlay): void {
    this.#links = links;
  }

  addPod(index: number, port: TapPort): void {
    this.#pods[index] = port;
    this.#epoll.add(port.fd, index);
  }

  /** Takes the port off the loop and returns it for closing. */
  removePod(index: number): TapPort | undefined {
    const port = this.#pods[index];
    if (port !== undefined) this.#epoll.remove(port.fd);
    this.#pods[index] = undefined;
    return port;
  }

  /** Until the stop word is set. */
  run(): void {
    const { stop, clock, dataplane, underlay, activity } = this.#parts;
    while (Atomics.load(stop, 0) === 0) {
      activity[0] = Activity.Waiting;
      const ready = this.#wait();
      activity[0] = Activity.Stories;
      const nowMs = clock(); // one reading per batch
      for (let i = 0; i < ready; i++) this.#serve(this.#epoll.token(i), nowMs);
      this.#links?.flush(nowMs);
      underlay.flush();
      this.#expiring = expire(dataplane, nowMs, EXPIRE_BUDGET);
      if (nowMs >= this.#nextTickMs) this.#tick(nowMs);
    }
  }

  /** Until something is ready or due: looking first, when that has been worth it, then asleep. */
  #wait(): number {
    const { clock, dataplane, spins } = this.#parts;
    if (this.#expiring || dataplane.staleFlows.pending) return this.#epoll.wait(0);
    const idleMs = clock();
    const wakeMs = Math.min(this.#nextTickMs, this.#links?.nextDueMs ?? Infinity);
    let ready = 0;
    if (spins && this.#spin.budgetMs > 0) {
      const enoughMs = Math.min(wakeMs, idleMs + this.#spin.budgetMs);
      let nowMs = idleMs;
      do {
        ready = this.#epoll.wait(0);
        if (ready > 0) break;
        yieldProcessor();
        nowMs = clock();
      } while (nowMs < enoughMs);
      this.#spin.looked(nowMs - idleMs);
    }
    if (ready === 0) ready = this.#epoll.wait(Math.max(0, Math.ceil(wakeMs - clock())));
    this.#spin.waited(clock() - idleMs);
    return ready;
  }

  #serve(token: number, nowMs: number): void {
    if (token === Token.Underlay) this.#drainUnderlay(nowMs);
    else if (token === Token.Control) this.#drainMessages();
    else if (token === Token.Host) this.#drainHost(nowMs);
    else this.#drainPod(token, nowMs);
  }

  #drainPod(index: number, nowMs: number): void {
    const { dataplane, packet } = this.#parts;
    const port = this.#pods[index];
    if (port === undefined) return;
    for (let i = 0; i < BATCH || port.pending; i++) {
      const got = port.receive(packet, i < LAST);
      if (got <= 0) {
        if (got < 0) this.#portFailed(port, index, got);
        return;
      }
      receiveFromPod(dataplane, port, packet, nowMs);
    }
  }

  #drainHost(nowMs: number): void {
    const { dataplane, packet } = this.#parts;
    const port = this.#host;
    if (port === undefined) return;
    for (let i = 0; (i < BATCH || port.pending) && port.receive(packet, i < LAST) > 0; i++)
      receiveFromHost(dataplane, port, packet, nowMs);
  }

  #drainUnderlay(nowMs: number): void {
    const { dataplane, packet, underlay } = this.#parts;
    for (let i = 0; (i < BATCH || underlay.pending) && underlay.receive(packet, i < LAST) > 0; i++) {
      receiveFromUnderlay(dataplane, packet, nowMs);
    }
  }

  #drainMessages(): void {
    this.#parts.activity[0] = Activity.Messages;
    drainEventfd(this.#parts.eventfd);
    let received = receiveMessageOnPort(this.#parts.port);
    while (received !== undefined) {
      this.#parts.onMessage(received.message);
      received = receiveMessageOnPort(this.#parts.port);
    }
  }

  /** A TAP that is gone says so at every wait: it must leave the loop, or the loop would spin. */
  #portFailed(port: TapPort, index: number, result: number): void {
    if (result === -Errno.EIO) return; // down, not gone: it reads again once it is up
    this.removePod(index);
    this.#parts.dataplane.pods[index] = undefined;
    this.#parts.log(`port ${index} (fd ${port.fd}) is gone: errno ${-result}`);
    this.#parts.onGone(index);
  }

  #tick(nowMs: number): void {
    this.#nextTickMs = nowMs + TICK_MS;
    const { dataplane, log, underlay } = this.#parts;
    const difference = dataplane.counters.check();
    if (difference !== 0 && !this.#violationReported) {
      this.#violationReported = true;
      log(`accounting does not add up by ${difference} packets: this is a bug in podwire, please report it`);
    }
    if (underlay.lastErrno !== 0) {
      log(`underlay refused a packet: errno ${underlay.lastErrno}`);
      underlay.lastErrno = 0;
    }
  }
}
