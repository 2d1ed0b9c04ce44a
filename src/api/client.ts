/** A client of a running cluster's API. */
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { KubernetesObject } from '../store/object.ts';
import type { Resource } from '../store/resources.ts';
import { Refusal } from '../vessel/refusal.ts';
import { socketPath } from '../vessel/run-directory.ts';
import { type Answer, type Exchange, exchange, TimeoutError } from './exchange.ts';
import { collectionPath, objectPath } from './resource-path.ts';

/** A cluster process that was stopped does not answer; nobody should wait for it for ever. */
const TIMEOUT_MS = 5_000;

/** The cluster has refused a request. `message` is its words. */
export class AnswerError extends Refusal {
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

export interface ObjectList<T> {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly T[];
}

export interface ListQuery {
  /** undefined: all. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export class ApiClient {
  readonly #cluster: string;
  readonly #socketPath: string;
  readonly #timeoutMs: number;

  /** @param timeoutMs of silence, where a request has none of its own. */
  constructor(cluster: string, timeoutMs = TIMEOUT_MS) {
    this.#cluster = cluster;
    this.#socketPath = socketPath(cluster);
    this.#timeoutMs = timeoutMs;
  }

  list<T extends KubernetesObject>(resource: Resource<T>, query: ListQuery = {}): Promise<ObjectList<T>> {
    return this.get(listPath(resource, query));
  }

  /** @throws AnswerError NotFound */
  object<T extends KubernetesObject>(resource: Resource<T>, namespace: string, name: string): Promise<T> {
    return this.get(objectPath(resource, namespace, name));
  }

  /**
   * Changes of objects as they come, until the cluster ends.
   *
   * @param resourceVersion of the list that the caller knows
   */
  async *watch<T extends KubernetesObject>(
    resource: Resource<T>,
    query: ListQuery,
    resourceVersion: string,
  ): AsyncGenerator<{ readonly type: string; readonly object: T }> {
    for await (const line of this.lines(listPath(resource, query, { watch: '1', resourceVersion }))) {
      const { type, object } = JSON.parse(line);
      if (type === 'ERROR') throw new AnswerError(object.code, object.reason, object.message);
      yield { type, object };
    }
  }

  get<T>(path: string): Promise<T> {
    return this.#ask({ method: 'GET', path });
  }

  /** @param timeoutMs of silence, for work that takes its time. @param signal ends it */
  post<T>(path: string, body?: object, timeoutMs = this.#timeoutMs, signal?: AbortSignal): Promise<T> {
    return this.#ask({ method: 'POST', path, timeoutMs, signal }, body);
  }

  patch<T>(path: string, body: object): Promise<T> {
    return this.#ask({ method: 'PATCH', path }, body);
  }

  delete<T>(path: string, timeoutMs = this.#timeoutMs): Promise<T> {
    return this.#ask({ method: 'DELETE', path, timeoutMs });
  }

  /** The lines of a long answer, as they come, until it ends or the cluster does. */
  async *lines(path: string): AsyncGenerator<string> {
    const response = await this.#open({ path });
    response.socket.setTimeout(0); // it may be long before there is something to say
    let rest = '';
    try {
      for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        yield* lines;
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
    } finally {
      response.destroy();
    }
  }

  /** A connection that has been switched to another protocol, and what came with the answer. */
  async upgrade(
    path: string,
    protocol: string,
    more: Readonly<Record<string, string>>,
  ): Promise<{ socket: Socket; head: Buffer }> {
    const start = await this.#requests();
    return new Promise((resolve, reject) => {
      const headers = { connection: 'Upgrade', upgrade: protocol, ...more };
      const outgoing = start({ path, headers }, reject);
      outgoing.on('response', (response) => void refusalOf(response).then(reject, reject));
      outgoing.on('upgrade', (_, socket, head) => {
        socket.setTimeout(0);
        resolve({ socket, head });
      });
      outgoing.end();
    });
  }

  async #ask<T>(asked: Omit<Exchange, 'timeoutMs'> & { timeoutMs?: number }, body?: object): Promise<T> {
    const text = body === undefined ? '' : JSON.stringify(body);
    let answer: Answer;
    try {
      answer = await exchange(this.#socketPath, { timeoutMs: this.#timeoutMs, ...asked, body: text });
    } catch (error) {
      throw this.#explain(error as Error);
    }
    if (answer.status !== 200) throw refusalIn(answer);
    try {
      return JSON.parse(answer.text) as T;
    } catch {
      throw new Refusal(`cluster "${this.#cluster}" broke off in the middle of its answer`);
    }
  }

  /** An answer that is no error, as it comes. */
  async #open(options: RequestOptions): Promise<IncomingMessage> {
    const start = await this.#requests();
    return new Promise((resolve, reject) => {
      const outgoing = start(options, reject);
      outgoing.on('response', (response) => {
        if (response.statusCode === 200) resolve(response);
        else refusalOf(response).then(reject, reject);
      });
      outgoing.end();
    });
  }

  /** Only for answers that go on: see `exchange.ts`. */
  async #requests(): Promise<(options: RequestOptions, reject: (error: Error) => void) => ClientRequest> {
    const { request } = await import('node:http');
    return (options, reject) => {
      const outgoing = request({ socketPath: this.#socketPath, timeout: this.#timeoutMs, ...options });
      outgoing.on('timeout', () => outgoing.destroy(new TimeoutError('no answer')));
      outgoing.on('error', (error) => reject(this.#explain(error)));
      return outgoing;
    };
  }

  #explain(error: NodeJS.ErrnoException): Error {
    if (error instanceof TimeoutError) {
      return new Refusal(`cluster "${this.#cluster}" does not answer: its cluster process may be stopped`);
    }
    if (error.code === 'EACCES') return new Refusal(`cluster "${this.#cluster}" belongs to another user`);
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
      return new Refusal(`no cluster named "${this.#cluster}" is running; start one: podwire up PATH`);
    }
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') {
      return new Refusal(`cluster "${this.#cluster}" has ended before it answered`);
    }
    return error;
  }
}

function listPath(resource: Resource, query: ListQuery, more: Readonly<Record<string, string>> = {}): string {
  const { namespace, labelSelector, fieldSelector } = query;
  const parameters = new URLSearchParams(more);
  if (labelSelector !== undefined) parameters.set('labelSelector', labelSelector);
  if (fieldSelector !== undefined) parameters.set('fieldSelector', fieldSelector);
  return `${collectionPath(resource, namespace)}${parameters.size === 0 ? '' : `?${parameters}`}`;
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function refusalOf(response: IncomingMessage): Promise<AnswerError> {
  return refusalIn({ status: response.statusCode ?? 0, text: await textOf(response) });
}

function refusalIn({ status, text }: Answer): AnswerError {
  try {
    const { message, reason } = JSON.parse(text) as { message: string; reason: string };
    return new AnswerError(status, reason, message);
  } catch {
    return new AnswerError(status, 'Unknown', `the cluster answered ${status}`);
  }
}
