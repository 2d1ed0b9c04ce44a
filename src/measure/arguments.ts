/** What the meter program is told on its command line. */
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';

export const METER_USAGE = `usage: meter ROLE [--to ADDRESS] --port PORT
  echo --port P                     answers each UDP datagram with itself
  ping --to A --port P [--timeout MS]
                                   {"count":N,"size":64} or {"seconds":S}: UDP round trips, one at a time
  sink --port P [--gro]             {"report":true} and {"reset":true,"first":N}: counts UDP datagrams, from sequence number N on
  blast --to A --port P [--segment] {"pps":R,"seconds":S,"size":64}: sends UDP datagrams; pps 0 is as fast as it can
  stream-sink --port P              reads what comes over TCP; a line for each connection
  stream --to A --port P            {"seconds":S}: bytes over TCP, a connection for each order
Servers listen on all addresses and say {"ready":true} first, with "port" when P was 0: one that the kernel chose.
Orders are lines of JSON on standard input; each is answered by one line on standard output, {"error":...} when it
cannot be obeyed. The end of standard input ends it.
`;

/** Roles, and what each of them has beyond --port. */
const roles = {
  echo: [],
  ping: ['to', 'timeout'],
  sink: ['gro'],
  blast: ['to', 'segment'],
  'stream-sink': [],
  stream: ['to'],
} as const satisfies Readonly<Record<string, readonly ('to' | 'gro' | 'segment' | 'timeout')[]>>;

export type MeterRole = keyof typeof roles;

export interface MeterArguments {
  readonly role: MeterRole;
  /** Whom a client talks to; a server has none. */
  readonly to: string;
  readonly port: number;
  readonly gro: boolean;
  readonly segment: boolean;
  /** An answer that takes longer is lost. */
  readonly timeoutMs: number;
}

/** @throws Error with words for the user, also from parseArgs. */
export function readMeterArguments(words: readonly string[]): MeterArguments {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      to: { type: 'string' },
      port: { type: 'string' },
      gro: { type: 'boolean' },
      segment: { type: 'boolean' },
      timeout: { type: 'string' },
    },
  });
  const [role = '', ...more] = positionals;
  if (!Object.hasOwn(roles, role) || more.length > 0) throw new Error(`one role of: ${Object.keys(roles).join(', ')}`);
  const own: readonly string[] = roles[role as MeterRole];
  const extra = (['to', 'gro', 'segment', 'timeout'] as const).find(
    (name) => values[name] !== undefined && !own.includes(name),
  );
  if (extra !== undefined) throw new Error(`${role} has no --${extra}`);
  const { to = '', port: portText = '', gro = false, segment = false } = values;
  const isClient = own.includes('to');
  if (isClient && isIP(to) === 0) throw new Error('--to wants an IP address');
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : -1;
  const least = isClient ? 1 : 0;
  if (port < least || port > 65_535) throw new Error(`--port wants a number from ${least} to 65535`);
  const { timeout = '200' } = values;
  if (!/^[1-9]\d{0,6}$/.test(timeout)) throw new Error('--timeout wants milliseconds');
  return { role: role as MeterRole, to, port, gro, segment, timeoutMs: Number(timeout) };
}
