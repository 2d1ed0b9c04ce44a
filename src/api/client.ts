/** A client of a running cluster's API. */
import { request } from 'node:http';
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

  #request<T>(method: string, path: string, body = ''): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const outgoing = request({ socketPath: this.#socketPath, method, path, timeout: TIMEOUT_MS }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const answer = JSON.parse(Buffer.concat(chunks).toString('utf8')) as T & { message?: string };
          if (response.statusCode === 200) resolve(answer);
          else reject(new Refusal(answer.message ?? `the cluster answered ${response.statusCode}`));
        });
      });
      outgoing.on('timeout', () => {
        outgoing.destroy(new Refusal(`cluster "${this.#cluster}" does not answer: its cluster process may be stopped`));
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => reject(this.#explain(error)));
      outgoing.end(body);
    });
  }

  #explain(error: NodeJS.ErrnoException): Error {
    if (error.code === 'EACCES') return new Refusal(`cluster "${this.#cluster}" belongs to another user`);
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
      return new Refusal(`no cluster named "${this.#cluster}" is running; start one: podwire up PATH`);
    }
    return error;
  }
}
