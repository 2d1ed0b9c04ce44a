/** One request, as handlers see it. */
import type { IncomingMessage } from 'node:http';
import { ApiError, parseJson } from './api-error.ts';

/** Longest body of a request, where nothing says that it may be longer. */
const BODY_MAX = 65_536;

export class ApiRequest {
  readonly method: string;
  /** As it came, for messages. */
  readonly path: string;
  /** Of the path, decoded. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  readonly #incoming: IncomingMessage;

  /** @throws ApiError for a path that cannot be read */
  constructor(incoming: IncomingMessage) {
    const [path = '', ...query] = (incoming.url ?? '').split('?');
    this.method = incoming.method ?? '';
    this.path = path;
    this.segments = path.replace(/^\//, '').split('/').map(decode);
    this.query = new URLSearchParams(query.join('?'));
    this.#incoming = incoming;
  }

  /** A flag as k8s.io/apimachinery reads them: there without a value, it is set. */
  flag(name: string, otherwise = false): boolean {
    const value = this.query.get(name);
    return value === null ? otherwise : !/^(false|0)$/i.test(value);
  }

  /** Does what takes its time. The signal says that whoever has asked is gone. */
  async whileAwaited<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { socket } = this.#incoming;
    const ending = new AbortController();
    const end = () => ending.abort();
    socket.once('close', end);
    try {
      return await work(ending.signal);
    } finally {
      socket.off('close', end);
    }
  }

  /** @throws ApiError for what is not JSON, or more than `max` bytes */
  async json(max = BODY_MAX): Promise<unknown> {
    return parseJson(await this.text(max));
  }

  /** @throws ApiError for more than `max` bytes */
  async text(max = BODY_MAX): Promise<string> {
    const tooLong = new ApiError(413, 'RequestEntityTooLarge', `the body has more than ${max} bytes`);
    if (Number(this.#incoming.headers['content-length'] ?? 0) > max) throw tooLong;
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of this.#incoming as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > max) throw tooLong;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }
}

/** A slash in a name would be another path to whoever puts it together again. */
function decode(segment: string): string {
  try {
    const text = decodeURIComponent(segment);
    if (!/[/\0]/.test(text)) return text;
  } catch {
    // told below
  }
  throw new ApiError(400, 'BadRequest', `not a path segment: ${segment}`);
}
