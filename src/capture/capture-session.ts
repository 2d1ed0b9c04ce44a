/**
 * A capture of a running cluster, as its reader sees it: one connection to each node, sightings of all of them in order
 * of time. A node that dies is asked again when it is back; one that is stopped is not waited for.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CAPTURE_PROTOCOL, CAPTURE_REQUEST_HEADER } from '../api/capture.ts';
import type { ApiClient } from '../api/client.ts';
import { fetchPolicyWorld } from '../api/policy-worlds.ts';
import type { CaptureScene } from '../cluster/capture-scene.ts';
import type { CaptureRequest } from '../nodes/protocol.ts';
import { type Sighting, SightingKind } from '../recording/sighting.ts';
import { Refusal } from '../vessel/refusal.ts';
import { Denials, judgedRevision } from './denials.ts';
import { FetchedWorlds } from './fetched-worlds.ts';
import { SightingMerge } from './merge-sightings.ts';
import { SightingStream } from './sighting-stream.ts';
import { hopName } from './verdict-words.ts';

/** A node that has said nothing for so long is not waited for: an idle one says so every few milliseconds. */
const SILENT_MS = 1_000;
/** Between two attempts to reach a node that is gone. */
const RETRY_MS = 200;
/** How long nodes have to tell the rest, once they have been told to stop. */
const FINISH_MS = 3_000;
/** How often the state of things is looked at. */
const LOOK_MS = 50;

export interface SessionHandlers {
  /** What to ask a node for, at first and whenever it has come back; undefined for nothing. */
  readonly request: (scene: CaptureScene) => CaptureRequest | undefined;
  /** The sighting is used again: copy what is to be kept. Throwing ends the session. */
  readonly sighting: (sighting: Sighting, scene: CaptureScene) => void;
  /** After a row of them: a moment to write what has been gathered. Throwing ends the session. */
  readonly flush: () => void;
  /** Every node has begun to tell, but for those that say nothing. */
  readonly begun: () => void;
  /** Something a person should know. */
  readonly say: (message: string) => void;
}

interface Source {
  readonly node: string;
  readonly stream: SightingStream;
  socket: Socket | undefined;
  scene: CaptureScene | undefined;
  /** It was asked for something. */
  asked: boolean;
  heardMs: number;
  heard: boolean;
  silent: boolean;
  closed: boolean;
}

export class CaptureSession {
  /** What nodes could not tell, by hop. */
  readonly losses = new Map<string, number>();
  /** Why policies denied what is handed on: a sighting waits a moment until that is known. */
  readonly denials: Denials;
  readonly #worlds: FetchedWorlds;
  readonly #client: ApiClient;
  readonly #handlers: SessionHandlers;
  readonly #merge = new SightingMerge();
  readonly #sources = new Map<SightingStream, Source>();
  /** Nodes that have gone and are expected back. */
  readonly #absent = new Set<string>();
  #stopping = false;
  #over = false;
  #paused = false;
  #begun = false;
  #lookedMs = performance.now();
  #failure: Error | undefined;

  constructor(client: ApiClient, handlers: SessionHandlers) {
    this.#client = client;
    this.#handlers = handlers;
    this.#worlds = new FetchedWorlds({
      fetch: (revision) => fetchPolicyWorld(client, revision),
      settled: () => {
        if (!this.#over) this.#handOn();
      },
    });
    this.denials = new Denials((revision) => this.#worlds.get(revision));
  }

  /** Nodes that say nothing: what they have seen is missing so far. */
  get silent(): string[] {
    return [...this.#sources.values()].filter(({ silent }) => silent).map(({ node }) => node);
  }

  /** Sightings that came after later ones had been handed on. */
  get late(): number {
    return this.#merge.late;
  }

  /** No more. `run` resolves when what was under way has arrived. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const { socket } of this.#sources.values()) socket?.end();
  }

  /** Ends `run` with this error. */
  fail(error: Error): void {
    this.#failure ??= error;
  }

  /** While what was handed on is being written: nodes keep what comes meanwhile. */
  setPaused(paused: boolean): void {
    this.#paused = paused;
    for (const { socket } of this.#sources.values()) {
      if (paused) socket?.pause();
      else socket?.resume();
    }
  }

  /**
   * Until `stop`, or until all nodes have told all. Throws what a handler threw.
   *
   * @param live a node that goes away is expected back.
   */
  async run(nodes: readonly string[], live: boolean): Promise<void> {
    const sources = nodes.map((node) => this.#expect(node)); // all, before the first tells anything
    try {
      await Promise.all(sources.map((source) => this.#connect(source)));
      await this.#watch(live);
      if (this.#failure !== undefined) throw this.#failure;
      while (this.#drain(true)) await sleep(LOOK_MS);
      if (this.#failure !== undefined) throw this.#failure;
      this.#handlers.flush();
    } finally {
      this.#over = true;
      this.stop();
      for (const { socket } of this.#sources.values()) socket?.destroy(); // a node that is stopped does not close it
    }
  }

  async #watch(live: boolean): Promise<void> {
    let deadlineMs = Infinity;
    while (this.#failure === undefined) {
      this.#removeClosed(live);
      if (this.#stopping ? this.#sources.size === 0 : this.#sources.size + this.#absent.size === 0) return;
      const now = performance.now();
      if (this.#stopping) deadlineMs = this.#paused ? Infinity : Math.min(deadlineMs, now + FINISH_MS);
      if (now > deadlineMs) {
        const nodes = [...this.#sources.values()].map(({ node }) => node).join(', ');
        this.#handlers.say(`no answer from ${nodes}: the end of what was seen there is missing`);
        return;
      }
      this.#lookForSilence(now);
      await sleep(LOOK_MS);
    }
  }

  /** From now on nothing is handed on that the node might have something older to. */
  #expect(node: string): Source {
    const source: Source = {
      node,
      stream: new SightingStream(),
      socket: undefined,
      scene: undefined,
      asked: false,
      heardMs: performance.now(),
      heard: false,
      silent: false,
      closed: false,
    };
    this.#sources.set(source.stream, source);
    this.#merge.add(source.stream);
    return source;
  }

  async #connect(source: Source): Promise<void> {
    const path = `/apis/podwire.dev/v1/nodes/${encodeURIComponent(source.node)}`;
    const scene = await this.#client.get<CaptureScene>(`${path}/scene`);
    source.scene = scene;
    const request = this.#stopping ? undefined : this.#handlers.request(scene);
    source.asked = request !== undefined;
    if (request === undefined) {
      this.#setClosed(source);
      return;
    }
    const headers = { [CAPTURE_REQUEST_HEADER]: JSON.stringify(request) };
    const { socket, head } = await this.#client.upgrade(`${path}/capture`, CAPTURE_PROTOCOL, headers);
    source.socket = socket;
    socket.on('data', (bytes: Buffer) => this.#hear(source, bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#setClosed(source));
    if (head.length > 0) this.#hear(source, head);
    if (this.#stopping) socket.end();
  }

  #hear(source: Source, bytes: Uint8Array): void {
    source.heardMs = performance.now();
    if (!source.heard) {
      source.heard = true;
      this.#lookForBegin();
    }
    if (source.silent) this.#setSilent(source, false);
    this.#handOn(() => source.stream.push(bytes));
  }

  #handOn(before = () => {}): void {
    try {
      before();
      this.#drain();
      this.#handlers.flush();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Whether a sighting waits for its words. */
  #drain(rest = false): boolean {
    return this.#merge.drain(this.#take, rest, (sighting) => {
      const revision = judgedRevision(sighting);
      return revision === undefined || this.#worlds.isSettled(revision);
    });
  }

  /** A node that says nothing is not waited for. */
  #lookForBegin(): void {
    const isAwaited = ({ heard, closed, silent }: Source) => !heard && !closed && !silent;
    if (this.#begun || [...this.#sources.values()].some(isAwaited)) return;
    this.#begun = true;
    this.#handlers.begun();
  }

  readonly #take = (sighting: Sighting, stream: SightingStream): void => {
    const { scene } = this.#sources.get(stream)!;
    const { kind, lost, hop } = sighting;
    if (lost > 0) {
      const name = hopName(scene!, hop);
      this.losses.set(name, (this.losses.get(name) ?? 0) + lost);
    }
    if (kind === SightingKind.Packet) this.#handlers.sighting(sighting, scene!);
    if (kind === SightingKind.Refused) {
      const reason = Buffer.from(sighting.bytes.subarray(sighting.at, sighting.at + sighting.captured)).toString(
        'utf8',
      );
      this.fail(new Refusal(`node ${scene!.node}: ${reason}`));
    }
    if (kind === SightingKind.Gone) this.#handlers.say(`${hopName(scene!, hop)} is gone: its interface was removed`);
  };

  /** A connection that has closed goes once all that came through it has been handed on. */
  #removeClosed(live: boolean): void {
    for (const source of this.#sources.values()) {
      const { stream, node } = source;
      if (!source.closed) continue;
      const complete = stream.over || !source.asked;
      stream.end();
      this.#drain();
      if (stream.ready) continue; // younger than what others have told: it waits for them
      this.#forget(source);
      if (complete || this.#stopping) continue;
      this.#handlers.say(`node ${node} has gone${live ? '; the capture goes on when it is back' : ''}`);
      if (live) void this.#awaitReturn(node);
    }
  }

  #clusterAnswers(): Promise<boolean> {
    return this.#client.get('/version').then(
      () => true,
      () => false,
    );
  }

  #forget({ stream }: Source): void {
    this.#merge.remove(stream);
    this.#sources.delete(stream);
  }

  async #awaitReturn(node: string): Promise<void> {
    this.#absent.add(node);
    while (!this.#stopping) {
      await sleep(RETRY_MS);
      const source = this.#expect(node);
      try {
        await this.#connect(source);
        break;
      } catch {
        this.#forget(source); // not yet
        if (!(await this.#clusterAnswers()) && !this.#stopping) {
          this.#handlers.say('the cluster has ended');
          this.stop();
        }
      }
    }
    this.#absent.delete(node);
  }

  #lookForSilence(nowMs: number): void {
    const deaf = this.#paused || nowMs - this.#lookedMs > SILENT_MS / 2;
    this.#lookedMs = nowMs;
    for (const source of this.#sources.values()) {
      if (deaf) source.heardMs = nowMs; // it was this process that did not listen
      if (source.silent || source.closed || nowMs - source.heardMs < SILENT_MS) continue;
      this.#setSilent(source, true);
      this.#handlers.say(`node ${source.node} says nothing; its packets may come late`);
    }
  }

  #setClosed(source: Source): void {
    source.closed = true;
    if (!this.#stopping) this.#lookForBegin();
  }

  #setSilent(source: Source, silent: boolean): void {
    source.silent = silent;
    this.#merge.setSilent(source.stream, silent);
    if (silent) this.#lookForBegin();
  }
}
