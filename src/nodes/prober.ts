/**
 * Questions that somebody asks from a pod's network: does this address answer on that port? Real sockets, many at once.
 * Node's own sockets would not do: of datagrams they hide what ICMP says, and raw ones they have not.
 */
import { Epoll, EpollEvent } from '../sys/epoll.ts';
import { close, Errno, read, write } from '../sys/io.ts';
import { addressOf, SystemCallError } from '../sys/libc.ts';
import { inNamespace, openNamespace } from '../sys/namespace.ts';
import { localAddress, openProbeSocket, takeIcmpError } from '../sys/probe-socket.ts';
import { type ProbeQuestion, probeQuestion, type Verdict } from './probe-questions.ts';
import type { ProbeOrder, ProbeReport } from './protocol.ts';

/** How often sockets are looked at while somebody waits. */
const LOOK_MS = 2;
const EVENTS_MAX = 256;
const READ_MAX = 2048;
/** Datagrams may be lost: this many, spread over the time that there is. */
const DATAGRAMS = 3;
/** A server that waits for more is there all the same. */
const SAYS_NOTHING_MS = 300;
/** Marks of raw sockets: source ports as Linux gives them to clients (net.ipv4.ip_local_port_range). */
const MARK_FIRST = 32_768;
const MARKS = 28_232;

interface Asked {
  readonly fd: number;
  readonly question: ProbeQuestion;
  readonly source: ProbeReport['source'];
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly done: (report: ProbeReport) => void;
  sent: number;
  nextMs: number;
}

export class Prober {
  readonly #epoll = new Epoll(EVENTS_MAX);
  readonly #asked = new Map<number, Asked>();
  readonly #buffer = new Uint8Array(READ_MAX);
  #timer: NodeJS.Timeout | undefined;
  #nextToken = 1;
  #nextMark: number;

  /** @param random 32 random bits: where marks of raw sockets begin. */
  constructor(random: number) {
    this.#nextMark = (random >>> 0) % MARKS;
  }

  /** Resolves when it is known, or after the question's time; never rejects. @param signal ends it */
  ask(order: ProbeOrder, signal?: AbortSignal): Promise<ProbeReport> {
    return new Promise((resolve) => {
      try {
        const token = this.#begin(order, resolve);
        signal?.addEventListener('abort', () => this.#cancel(token), { once: true });
      } catch (error) {
        const code = error instanceof SystemCallError ? error.code : '';
        const detail = error instanceof Error ? error.message : String(error);
        const outcome = code === 'ECONNREFUSED' ? 'refused' : 'no-answer';
        const taken = code === 'EADDRINUSE' ? ({ portTaken: true } as const) : {};
        resolve({ outcome, detail, source: undefined, ...taken });
      }
    });
  }

  /** @returns its token. */
  #begin(order: ProbeOrder, done: (report: ProbeReport) => void): number {
    const question = probeQuestion(order, order.sourcePort ?? this.#freeMark());
    const fd = openIn(order, question);
    const token = this.#nextToken++;
    const nowMs = performance.now();
    const asked: Asked = {
      ...{ fd, question, done, sent: 0, nextMs: nowMs },
      source: this.#watch(fd, token, question),
      timeoutMs: order.timeoutMs,
      deadlineMs: nowMs + order.timeoutMs,
    };
    this.#asked.set(token, asked);
    if (!question.isStream) this.#send(token, asked, nowMs);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
    return token;
  }

  /** Nobody waits for it: its kernel is not to try again. */
  #cancel(token: number): void {
    const asked = this.#asked.get(token);
    if (asked !== undefined) this.#finish(token, asked, { outcome: 'no-answer', detail: 'cancelled' });
  }

  #freeMark(): number {
    const mark = MARK_FIRST + this.#nextMark;
    this.#nextMark = (this.#nextMark + 1) % MARKS;
    return mark;
  }

  /** @returns what it sends from. @throws SystemCallError, and the descriptor is closed */
  #watch(fd: number, token: number, { isStream, mark }: ProbeQuestion): { address: string; port: number } {
    try {
      const { address, port } = localAddress(fd);
      this.#epoll.add(fd, token, isStream ? EpollEvent.writable : EpollEvent.readable);
      return { address, port: mark ?? port };
    } catch (error) {
      close(fd);
      throw error;
    }
  }

  #look(): void {
    const count = this.#epoll.wait(0);
    for (let i = 0; i < count; i++) {
      const token = this.#epoll.token(i);
      const asked = this.#asked.get(token);
      if (asked !== undefined) this.#hear(token, asked);
    }
    const nowMs = performance.now();
    for (const [token, asked] of this.#asked) {
      if (nowMs >= asked.deadlineMs) this.#finish(token, asked, silence(asked));
      else if (nowMs >= asked.nextMs) this.#due(token, asked, nowMs);
    }
  }

  #due(token: number, asked: Asked, nowMs: number): void {
    if (!asked.question.isStream) this.#send(token, asked, nowMs);
    else if (asked.sent > 0) this.#finish(token, asked, silence(asked));
  }

  #hear(token: number, asked: Asked): void {
    const { fd, question } = asked;
    let verdict = this.#icmpVerdict(asked);
    if (verdict === undefined && question.isStream && asked.sent === 0) {
      this.#send(token, asked, performance.now());
      return;
    }
    verdict ??= this.#read(fd, question);
    if (verdict !== undefined) this.#finish(token, asked, verdict);
  }

  #icmpVerdict({ fd, question }: Asked): Verdict | undefined {
    for (let report = takeIcmpError(fd); report !== undefined; report = takeIcmpError(fd)) {
      const verdict = question.icmpError(report);
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  }

  #read(fd: number, question: ProbeQuestion): Verdict | undefined {
    const length = read(fd, addressOf(this.#buffer), READ_MAX);
    if (length < 0) return failure(-length, question);
    const bytes = this.#buffer.subarray(0, length);
    const verdict = question.answer(bytes);
    const retort = verdict === undefined ? question.retort?.(bytes) : undefined;
    if (retort !== undefined) write(fd, addressOf(retort), retort.length);
    return verdict;
  }

  #send(token: number, asked: Asked, nowMs: number): void {
    const { fd, question, timeoutMs } = asked;
    const written = write(fd, addressOf(question.message), question.message.length);
    if (written < 0) {
      const verdict = failure(-written, question);
      if (verdict !== undefined) this.#finish(token, asked, verdict);
      return;
    }
    asked.sent++;
    if (question.isStream) {
      this.#epoll.modify(fd, token, EpollEvent.readable);
      asked.nextMs = nowMs + SAYS_NOTHING_MS;
    } else {
      asked.nextMs = asked.sent < DATAGRAMS ? nowMs + timeoutMs / DATAGRAMS : Infinity;
    }
  }

  #finish(token: number, { fd, source, done }: Asked, verdict: Verdict): void {
    this.#asked.delete(token);
    this.#epoll.remove(fd);
    close(fd);
    if (this.#asked.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    done({ ...verdict, source });
  }
}

/** @throws SystemCallError, RangeError */
function openIn({ namespacePath, sourcePort }: ProbeOrder, { peer }: ProbeQuestion): number {
  const namespace = openNamespace(namespacePath);
  try {
    return inNamespace(namespace, 'net', () => openProbeSocket(peer, sourcePort));
  } finally {
    close(namespace);
  }
}

/** Of a stream that stands, silence is no failure: the far end's kernel has answered. */
function silence({ question, sent }: Asked): Verdict {
  if (question.isStream && sent > 0) return { outcome: 'delivered', detail: 'connected; nothing came back' };
  return { outcome: 'no-answer', detail: 'no answer' };
}

/** What a system call's error says of the far end; undefined for nothing. */
function failure(reason: number, { isStream, mark }: ProbeQuestion): Verdict | undefined {
  // A raw socket also gets errors about packets of others; its own came by the error queue.
  if (reason === Errno.EAGAIN || reason === Errno.EINTR || (mark !== undefined && !isLocal(reason))) return undefined;
  if (reason === Errno.ECONNREFUSED) return { outcome: 'refused', detail: 'connection refused' };
  if (isStream && reason === ECONNRESET) return { outcome: 'delivered', detail: 'connected, then reset' };
  return { outcome: 'no-answer', detail: new SystemCallError('send', reason).message };
}

const ECONNRESET = 104;

/** Nothing left this machine. */
function isLocal(reason: number): boolean {
  return reason === Errno.EPERM || reason === Errno.ENETUNREACH || reason === Errno.ENETDOWN;
}
