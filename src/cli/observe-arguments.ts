/** What `podwire observe` is asked for: hubble's flags, read. */
import { parseArgs } from 'node:util';
import {
  type FilterFlag,
  FlowFilterError,
  type FlowTest,
  filterNames,
  flowFilter,
  wantsOnlyDrops,
} from '../events/flow-filter.ts';
import type { TextOptions } from '../events/flow-text.ts';
import { clusterOption, readArguments, readCount, readTime, UsageError } from './arguments.ts';
import { type FlowFormat, flowFormat } from './observe-output.ts';

export const observeUsage = `Usage: podwire observe [-f] [--last N] [--since TIME] [flags] [FILTER]

Show what happens to flows: the first packet of each direction, TCP's SYN, FIN and RST, ICMP errors, and every drop
with its reason. Flags are those of hubble observe.

  -f, --follow              go on with what happens from now on, until Ctrl-C
      --last N              the last N events (default: 20; with -f: none)
      --first N             the first N events that are still known
      --all                 all of them
      --since TIME          not longer ago than 5m, 30s, …, or since 2026-11-20T10:00:00Z
      --until TIME          likewise
  -o, --output FORMAT       compact (default), dict, table, json (one document), jsonl (a line each, as hubble's)
      --print-node-name     show which node tells
      --numeric             addresses instead of names
      --color WHEN          auto (default), always, never
      --name NAME           of the cluster (default: podwire, or the only one)

Filters. Values of one flag are alternatives, different flags must all match. --not before a flag turns it around.

      --verdict VERDICT     FORWARDED or DROPPED
      --drop-reason-desc R  a name of docs/DROPS.md
  -t, --type TYPE           drop, trace, trace:to-overlay, …
      --pod [NS/]PREFIX     --from-pod, --to-pod; without NS of namespace default, or of -n
  -n, --namespace NS        --from-namespace, --to-namespace; -A: pods of any
      --ip ADDRESS[/BITS]   --from-ip, --to-ip
      --port N              --from-port, --to-port
      --protocol NAME       tcp, udp, sctp, icmp, icmpv4, icmpv6
      --tcp-flags A,B       such as SYN,ACK
      --traffic-direction D ingress or egress
  -4, -6                    IPv4, IPv6
      --node-name NAME      * stands for anything
      --interface HOP       such as pod/shop/web

FILTER is an expression as tcpdump has it, which packets must match: "host 10.244.0.2 and tcp port 80".
`;

const usage = observeUsage;
const repeated = { type: 'string', multiple: true } as const;
const options = {
  ...clusterOption,
  follow: { type: 'boolean', short: 'f', default: false },
  last: { type: 'string' },
  first: { type: 'string' },
  all: { type: 'boolean', default: false },
  since: { type: 'string' },
  until: { type: 'string' },
  output: { type: 'string', short: 'o', default: 'compact' },
  'print-node-name': { type: 'boolean', default: false },
  numeric: { type: 'boolean', default: false },
  color: { type: 'string', default: 'auto' },
} as const;
const filters = {
  ...Object.fromEntries(filterNames.map((name) => [name, repeated])),
  type: { ...repeated, short: 't' },
  namespace: { ...repeated, short: 'n' },
  'all-namespaces': { type: 'boolean', short: 'A', multiple: true },
  ipv4: { type: 'boolean', short: '4', multiple: true },
  ipv6: { type: 'boolean', short: '6', multiple: true },
  not: { type: 'boolean', multiple: true },
} as const;

/** Filters that hubble has as flags without a value. */
const valueless: Readonly<Record<string, readonly [name: string, value: string]>> = {
  'all-namespaces': ['namespace', ''],
  ipv4: ['ip-version', 'v4'],
  ipv6: ['ip-version', 'v6'],
};

/** Flags of hubble that nothing here answers to, and why. */
const refused: readonly (readonly [flag: RegExp, why: string])[] = [
  [/^(from-|to-)?service$/, 'flows name pods, not services; use --ip or --port'],
  [/^(from-|to-)?fqdn$/, 'flows know no DNS names; use --ip'],
  [/^(from-|to-)?(label|workload)$/, 'no filter here; use --pod with the beginning of a name'],
  [/^(from-|to-)?identity$/, 'there are no security identities here; use --pod or --ip'],
  [/^(from-|to-)?cluster$/, 'there is one cluster; --name says which'],
  [/^(from-|to-)all-namespaces$/, 'flows of all namespaces are shown anyway'],
  [/^http-/, 'flows end at layer 4 here'],
  [/^(uuid|trace-id|snat-ip|node-label|cel-expression|allowlist|denylist)$/, 'no filter here'],
  [/^(server|tls.*|.*port-forward.*|input-file|config|timeout)$/, 'flows come from the running cluster itself'],
  [/^print-policy-names$/, 'drops tell their reason anyway'],
  [/^time-format$/, 'compact has the stamps of hubble, json those of RFC 3339'],
];

const LAST_DEFAULT = 20;
/** As far back as anything is known. */
const EVER_MS = 0x7fff_ffff;
const NS_PER_MS = 1_000_000n;

/** Which events, by time and number. */
export interface Span {
  readonly follow: boolean;
  /** How long ago the first one was, for a node's flight recorder; 0 for none of the past. */
  readonly lastMs: number;
  /** Nanoseconds since 1970. */
  readonly sinceNs: bigint;
  readonly untilNs: bigint | undefined;
  /** Of the past, at most so many; the first or the last ones. */
  readonly count: number;
  readonly end: 'first' | 'last';
}

export interface ObserveOrder {
  readonly cluster: string | undefined;
  readonly wanted: FlowTest;
  readonly onlyDrops: boolean;
  readonly span: Span;
  /** For `compileFilter`; empty for none. */
  readonly expression: string;
  readonly format: FlowFormat;
  readonly text: TextOptions;
}

type Values = ReturnType<typeof readArguments<typeof options>>['values'];

/** @param nowMs since 1970. @param terminal standard output is one, and colours are not unwelcome. */
export function readObserve(argv: readonly string[], nowMs: number, terminal: boolean): ObserveOrder {
  for (const word of argv) refuse(word);
  const all = { ...options, ...filters };
  const { values, positionals } = readArguments(argv, all as typeof options, usage);
  const flags = filterFlags(argv, all);
  const format = flowFormat(values.output);
  if (format === undefined) {
    throw new UsageError(`-o takes compact, dict, table, json or jsonl, found "${values.output}"`, usage);
  }
  if (values.follow && (format === 'table' || format === 'json')) {
    throw new UsageError(`-o ${values.output} needs an end, which -f has not; use -o jsonl or compact`, usage);
  }
  if (!['auto', 'always', 'never'].includes(values.color)) {
    throw new UsageError(`--color takes auto, always or never, found "${values.color}"`, usage);
  }
  const colour = values.color === 'always' || (values.color === 'auto' && terminal);
  return {
    cluster: values.name,
    wanted: readFilter(flags),
    onlyDrops: wantsOnlyDrops(flags),
    span: readSpan(values, nowMs),
    expression: positionals.join(' '),
    format,
    // Columns are as wide as what is written, and colours would count.
    text: { nodeName: values['print-node-name'], numeric: values.numeric, colour: colour && format !== 'table' },
  };
}

function refuse(word: string): void {
  const [, flag] = /^--([^=]+)/.exec(word) ?? [];
  const [, short] = /^-(l)/.exec(word) ?? [];
  const name = flag ?? (short === 'l' ? 'label' : '');
  const found = refused.find(([pattern]) => pattern.test(name));
  if (found !== undefined) throw new UsageError(`${word.split('=')[0]}: ${found[1]}`, usage);
}

/** Filters in their order, as each `--not` is for the one behind it. */
function filterFlags(argv: readonly string[], all: typeof options & typeof filters): FilterFlag[] {
  const { tokens } = parseArgs({ args: [...argv], options: all, allowPositionals: true, tokens: true });
  const flags: FilterFlag[] = [];
  let not = false;
  for (const token of tokens) {
    if (token.kind !== 'option' || !(token.name in filters)) continue;
    if (token.name === 'not') {
      if (not) throw new UsageError('--not twice; once is enough', usage);
      not = true;
      continue;
    }
    const [name, value] = valueless[token.name] ?? [token.name, token.value ?? ''];
    flags.push({ name, value, not });
    not = false;
  }
  if (not) throw new UsageError('--not with no filter behind it', usage);
  return flags;
}

function readFilter(flags: readonly FilterFlag[]): FlowTest {
  try {
    return flowFilter(flags);
  } catch (error) {
    if (error instanceof FlowFilterError) throw new UsageError(error.message, usage);
    throw error;
  }
}

function readSpan(values: Values, nowMs: number): Span {
  const { follow, all } = values;
  const last = readCount(values.last, '--last', usage);
  const first = readCount(values.first, '--first', usage);
  if ([last !== undefined, first !== undefined, all].filter(Boolean).length > 1) {
    throw new UsageError('--last, --first and --all exclude each other', usage);
  }
  if (follow && (first !== undefined || values.until !== undefined)) {
    throw new UsageError(`-f has no end, and ${first === undefined ? '--until' : '--first'} asks for one`, usage);
  }
  const sinceMs = values.since === undefined ? undefined : readMoment(values.since, '--since', nowMs);
  const untilMs = values.until === undefined ? undefined : readMoment(values.until, '--until', nowMs);
  const bounded = sinceMs !== undefined || untilMs !== undefined || all;
  const count = last ?? first ?? (bounded ? Infinity : follow ? 0 : LAST_DEFAULT);
  const backMs = Math.min(EVER_MS, Math.max(1, Math.ceil(nowMs - (sinceMs ?? -Infinity))));
  return {
    follow,
    lastMs: count === 0 ? 0 : backMs,
    sinceNs: BigInt(Math.round(sinceMs ?? 0)) * NS_PER_MS,
    untilNs: untilMs === undefined ? undefined : BigInt(Math.round(untilMs)) * NS_PER_MS,
    count,
    end: first === undefined ? 'last' : 'first',
  };
}

/** Milliseconds since 1970, of `5m` (ago) or RFC 3339. */
function readMoment(text: string, flag: string, nowMs: number): number {
  if (!/^\d{4}-/.test(text)) return nowMs - readTime(text, flag, usage);
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw new UsageError(`${flag} takes a time such as 5m or 2026-11-20T10:00:00Z, found "${text}"`, usage);
  }
  return ms;
}
