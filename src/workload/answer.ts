/**
 * `workload/`: what podwire itself says on the ports that containers declare, since images are not pulled. Nothing
 * here opens a socket: `nodes/workloads.ts` does on Linux, and the simulator has its own.
 *
 * This file is the HTTP part as a pure function.
 */

/** The pod whose port was asked. */
export interface WorkloadPod {
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  readonly hostname: string;
  /** The first is the pod's `status.podIP`. */
  readonly addresses: readonly string[];
}

export interface WorkloadRequest {
  readonly method: string;
  /** The request target as it came: origin form, absolute form or `*` (RFC 9112 §3.2). */
  readonly target: string;
  /** In the order in which they came, a repeated name as often as it came. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly bodyBytes: number;
  /** The client, as `hostPort` writes it. */
  readonly remote: string;
  /** The pod's readiness at this moment. */
  readonly ready: boolean;
}

export interface WorkloadAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Left out on the wire when the method is HEAD; the headers stay (RFC 9110 §9.3.2). */
  readonly body: string;
}

/** `10.244.1.5:40000`, `[fd00:10:244::5]:40000`; an IPv4 address that came through an IPv6 socket is one of IPv4. */
export function hostPort(address: string, port: number): string {
  const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/** The paths are those of agnhost's `netexec`, which Kubernetes' own tests use; any other path tells of the request. */
export function answer(pod: WorkloadPod, request: WorkloadRequest): WorkloadAnswer {
  const { path, query } = splitTarget(request.target);
  switch (path) {
    case '/hostname':
      return text(200, pod.name);
    case '/clientip':
      return text(200, request.remote);
    case '/echo':
      return text(200, new URLSearchParams(query).get('msg') ?? '');
    case '/healthz':
      return request.ready ? text(200, 'ok') : text(503, 'not ready');
    default:
      return written(200, 'application/json', `${JSON.stringify(description(pod, request, path), null, 2)}\n`);
  }
}

function splitTarget(target: string): { path: string; query: string } {
  const origin = target.replace(/^https?:\/\/[^/?]*/i, '');
  const mark = origin.indexOf('?');
  if (mark < 0) return { path: origin || '/', query: '' };
  return { path: origin.slice(0, mark) || '/', query: origin.slice(mark + 1) };
}

function description(pod: WorkloadPod, request: WorkloadRequest, path: string): object {
  // A map, because a client may name a header `__proto__`.
  const headers = new Map<string, string>();
  for (const [name, value] of request.headers) {
    const key = name.toLowerCase();
    const before = headers.get(key);
    headers.set(key, before === undefined ? value : `${before}, ${value}`); // RFC 9110 §5.3
  }
  return {
    method: request.method,
    path,
    target: request.target,
    headers: Object.fromEntries(headers),
    bodyBytes: request.bodyBytes,
    pod: pod.name,
    namespace: pod.namespace,
    node: pod.node,
    ip: pod.addresses[0] ?? '',
    remote: request.remote,
  };
}

function text(status: number, body: string): WorkloadAnswer {
  return written(status, 'text/plain; charset=utf-8', body);
}

function written(status: number, type: string, body: string): WorkloadAnswer {
  const length = new TextEncoder().encode(body).length;
  return { status, headers: { 'content-type': type, 'content-length': String(length) }, body };
}
