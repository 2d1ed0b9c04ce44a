/**
 * Connection lists of np-guard's netpol-analyzer: of each pair of workloads, or of a workload and a range of addresses
 * outside, what may pass. `shop/web[Deployment] => shop/api[Deployment] : TCP 80,8000-8080,UDP 53`; what is not listed is
 * denied. The same in text, CSV and JSON.
 */
import { readFileSync } from 'node:fs';

export type Transport = 'TCP' | 'UDP' | 'SCTP';

export const transports: readonly Transport[] = ['TCP', 'UDP', 'SCTP'];

interface Ports {
  readonly protocol: Transport;
  readonly first: number;
  readonly last: number;
}

interface Connection {
  readonly from: string;
  readonly to: string;
  readonly allowed: readonly Ports[];
}

/** Whoever comes in by Ingress or Route: no pod, and no address. */
const INGRESS = '{ingress-controller}';

export class ConnectionList {
  readonly connections: readonly Connection[];
  /** What was asked for before. */
  readonly #byPair = new Map<string, readonly Connection[]>();

  constructor(connections: readonly Connection[]) {
    this.connections = connections.filter(({ from }) => from !== INGRESS);
  }

  /** Addresses outside: the first and the last of each range. */
  get outside(): readonly string[] {
    const ranges = this.connections.flatMap(({ from, to }) => [rangeOf(from) ?? [], rangeOf(to) ?? []].flat());
    return [...new Set(ranges)].sort();
  }

  /** Ports at which something may change: the ends of every range, and those beside them. */
  get edges(): readonly number[] {
    const ends = this.connections.flatMap(({ allowed }) => allowed.flatMap(({ first, last }) => [first, last]));
    const near = ends.flatMap((port) => [port - 1, port, port + 1]);
    return [...new Set([1, 65535, ...near])].filter((port) => port > 0 && port < 65536).sort((a, b) => a - b);
  }

  /** @param from a workload, or an address outside */
  allows(from: string, to: string, protocol: Transport, port: number): boolean {
    return this.#between(from, to).some(({ allowed }) =>
      allowed.some((ports) => ports.protocol === protocol && ports.first <= port && port <= ports.last),
    );
  }

  #between(from: string, to: string): readonly Connection[] {
    const pair = `${from} ${to}`;
    let found = this.#byPair.get(pair);
    if (found === undefined) {
      found = this.connections.filter((one) => isEnd(one.from, from) && isEnd(one.to, to));
      this.#byPair.set(pair, found);
    }
    return found;
  }
}

const EXTERNAL = '[External]';

/** The ends of `0.0.0.0-9.255.255.255[External]`. */
function rangeOf(end: string): readonly [string, string] | undefined {
  if (!end.endsWith(EXTERNAL)) return undefined;
  const [first, last] = end.slice(0, -EXTERNAL.length).split('-');
  return [first!, last!];
}

function isEnd(listed: string, wanted: string): boolean {
  if (listed === wanted) return true;
  const range = rangeOf(listed);
  const isAddress = /^[0-9.]+$/.test(wanted);
  return isAddress && range !== undefined && number(range[0]) <= number(wanted) && number(wanted) <= number(range[1]);
}

function number(address: string): number {
  return address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

export function readConnectionList(file: string): ConnectionList {
  const text = readFileSync(file, 'utf8');
  if (file.endsWith('.json')) {
    const lines = JSON.parse(text) as readonly { src: string; dst: string; conn: string }[];
    return new ConnectionList(lines.map(({ src, dst, conn }) => connection(src, dst, conn)));
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (!file.endsWith('.csv')) return new ConnectionList(lines.map(readLine));
  // src,dst,conn, the last in quotes when it has commas itself
  const cells = lines.slice(1).map((line) => /^([^,]*),([^,]*),"?([^"]*)"?$/.exec(line)!);
  return new ConnectionList(cells.map(([, from, to, conn]) => connection(from!, to!, conn!)));
}

function readLine(line: string): Connection {
  const [, from, to, conn] = /^(.*) => (.*) : (.*)$/.exec(line)!;
  return connection(from!, to!, conn!);
}

/** `All Connections`, `No Connections`, or `SCTP 7070,TCP 8080-8081,90,UDP 9090`. */
function connection(from: string, to: string, conn: string): Connection {
  if (conn === 'All Connections') {
    return { from, to, allowed: transports.map((protocol) => ({ protocol, first: 1, last: 65535 })) };
  }
  let protocol: Transport | undefined;
  const allowed = conn.split(',').map((item) => {
    const [, name, range] = /^(?:(TCP|UDP|SCTP) )?([0-9-]+)$/.exec(item.trim())!;
    protocol = (name as Transport | undefined) ?? protocol;
    const [first, last = first] = range!.split('-').map(Number);
    return { protocol: protocol!, first: first!, last: last! };
  });
  return { from, to, allowed };
}
