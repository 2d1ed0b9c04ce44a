/** A client of a running cluster's API. */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { Refusal } from '../vessel/refusal.ts';
import { socketPath } from '../vessel/run-directory.ts';

/** A cluster process that was stopped does not answer; nobody should wait for it for ever. */
const TIMEOUT_MS = 5_000;

export class ApiClient {
  readonly #cluster: string;
  readonly #socketPath: string;

  constructor(cluster: string) {
    this.#cluster = cluster;
    this.#socketPath = socketPath(cluster);
  }

  get<T>(path: string): Promise<T> {
    return this.#request('GET', path);
  }

  post<T>(path: string): Promise<T> {
    return this.#request('POST', path);
  }

  patch<T>(path: string, body: object): Promise<T> {
    return this.#request('PATCH', path, JSON.stringify(body));
  }

  /** A connection that has been switched to another protocol, and what came with the answer. */
  upgrade(
    path: string,
    protocol: string,
    more: Readonly<Record<string, string>>,
  ): Promise<{ socket: Socket; head: Buffer }> {
    return new Promise((resolve, reject) => {
      const headers = { connection: 'Upgrade', upgrade: protocol, ...more };
      const outgoing = request({ socketPath: this.#socketPath, path, headers, timeout: TIMEOUT_MS }, (response) => {
        this.#read(response, resolve as never, reject);
      });
      outgoing.on('upgrade', (_, socket, head) => {
        socket.setTimeout(0);
        resolve({ socket, head });
      });
      this.#settle(outgoing, reject);
      outgoing.end();
    });
  }

  #request<T>(method: string, path: string, body = ''): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const outgoing = request({ socketPath: this.#socketPath, method, path, timeout: TIMEOUT_MS }, (response) => {
        this.#read(response, resolve, reject);
      });
      this.#settle(outgoing, reject);
      outgoing.end(body);
    });
  }

  #read<T>(response: IncomingMessage, resolve: (answer: T) => void, reject: (error: Error) => void): void {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const answer = JSON.parse(Buffer.concat(chunks).toString('utf8')) as T & { message?: string };
      if (response.statusCode === 200) resolve(answer);
      else reject(new Refusal(answer.message ?? `the cluster answered ${response.statusCode}`));
    });
  }

  #settle(outgoing: ClientRequest, reject: (error: Error) => void): void {
    outgoing.on('timeout', () => {
      outgoing.destroy(new Refusal(`cluster "${this.#cluster}" does not answer: its cluster process may be stopped`));
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => reject(this.#explain(error)));
  }

  #explain(error: NodeJS.ErrnoException): Error {
    if (error.code === 'EACCES') return new Refusal(`cluster "${this.#cluster}" belongs to another user`);
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
      return new Refusal(`no cluster named "${this.#cluster}" is running; start one: podwire up PATH`);
    }
    return error;
  }
}
