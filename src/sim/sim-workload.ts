/** What answers in a simulated pod: the same as in a real one, HTTP or echo, as far as one request a connection goes. */
import type { WorkloadSpec } from '../nodes/protocol.ts';
import type { Endpoint } from '../stack/endpoint.ts';
import { serveEcho } from '../stack/probe.ts';
import type { ConnectionEvents, TcpConnection } from '../stack/tcp-connection.ts';
import { answer, hostPort, type WorkloadAnswer } from '../workload/answer.ts';
import { spokenBy } from '../workload/first-bytes.ts';

/** A longer head is no request: it is closed. */
const HEAD_BYTES_MAX = 16 << 10;
const HEAD_END = '\r\n\r\n';

/** @returns what ends it: ports are closed, connections stay. */
export function serveWorkload(endpoint: Endpoint, spec: WorkloadSpec): () => void {
  const closers = spec.ports.map(({ port, protocol }) => {
    if (protocol !== 'TCP') return serveEcho(endpoint, protocol === 'UDP' ? 'udp' : 'sctp', port);
    return endpoint.listen(port, (connection, from) =>
      serveConnection(spec, connection, hostPort(from.address, from.port)),
    );
  });
  return () => {
    for (const close of closers) close();
  };
}

function serveConnection(spec: WorkloadSpec, connection: TcpConnection, remote: string): ConnectionEvents {
  let head = '';
  let isEcho = false;
  return {
    data: (bytes) => {
      if (isEcho) {
        echo(connection, bytes);
        return;
      }
      if (head === '' && spokenBy(bytes) === 'other') {
        isEcho = true;
        echo(connection, bytes);
        return;
      }
      head += Buffer.from(bytes).toString('latin1');
      const spoken = spokenBy(Buffer.from(head, 'latin1'));
      if (spoken === 'undecided') return;
      if (spoken !== 'http') {
        isEcho = true;
        echo(connection, Buffer.from(head, 'latin1'));
      } else if (head.includes(HEAD_END)) {
        connection.write(Buffer.from(respond(spec, head, remote)));
        connection.end();
      } else if (head.length > HEAD_BYTES_MAX) connection.abort();
    },
    drain: () => connection.resume(),
    end: () => connection.end(),
  };
}

/** Who does not read is not read from. */
function echo(connection: TcpConnection, bytes: Uint8Array): void {
  if (!connection.write(bytes)) connection.pause();
}

function respond(spec: WorkloadSpec, head: string, remote: string): string {
  const [requestLine = '', ...lines] = head.slice(0, head.indexOf(HEAD_END)).split('\r\n');
  const [method = 'GET', target = '/'] = requestLine.split(' ');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return formatResponse(method, answer(spec, { method, target, headers, bodyBytes: 0, remote, ready: spec.ready }));
}

function formatResponse(method: string, { status, headers, body }: WorkloadAnswer): string {
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${status === 200 ? 'OK' : 'Error'}\r\n${lines.join('')}\r\n${method === 'HEAD' ? '' : body}`;
}
