/** Packets at hops of a running cluster, into one file that says of each what became of it. */
import { ApiClient } from '../api/client.ts';
import { DiskFull, ReaderGone } from '../capture/capture-file.ts';
import { isClassic, openCaptureOutput } from '../capture/capture-output.ts';
import { ClusterCapture } from '../capture/cluster-capture.ts';
import { clusterHops, HopChoice } from '../capture/hops.ts';
import type { NamedAddress } from '../capture/pcapng-writer.ts';
import { Verdicts } from '../dataplane/capture.ts';
import type { CaptureRequest } from '../nodes/protocol.ts';
import type { Node, Pod } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { parseAddress } from '../wire/address.ts';
import { clusterName, clusterOption, readArguments, readCount, readTime, UsageError } from './arguments.ts';
import { readFilter } from './filter.ts';
import { formatTable } from './table.ts';

export const usage = `Usage: podwire capture [-i HOP[,HOP]...] [-w FILE] [-c N] [-s BYTES] [--duration TIME] [--last TIME] [FILTER]
       podwire capture -D

Write packets of any hops into one pcapng file, in order of time, each with what became of it and why. Ends with
Ctrl-C. Live: podwire capture -w - | wireshark -k -i -

  -i HOP[,HOP]...      pod/NAMESPACE/NAME, node/N:host, node/N:underlay, link/A-B (what both send), drops (what
                       was dropped there; alone: anywhere), all (default)
  -D                   list the hops
  -w FILE              - is standard output; a name that ends in .pcap is written in the classic format, which has no
                       room for interfaces and comments. Without -w, a line for each packet
  -c N                 end after N packets
  -s BYTES             of each packet at most (default: 262144)
      --duration TIME  end after 10s, 500ms, …
      --last TIME      what the nodes' flight recorders still know of the last TIME, and then end: headers of each node's
                       last 4,096 packets, as they came in, to the millisecond
      --noise          also MLD and IGMP reports and router solicitations, which every kernel makes on every link
  -B KIB               memory for packets that wait, on each node (default: 32768)
      --name NAME      of the cluster (default: podwire, or the only one)

FILTER is an expression as tcpdump has it, such as "host 10.244.0.2 and tcp port 80". It matches outer or inner headers
of tunnelled packets; outer: or inner: before a term narrows it: "outer:host 172.18.0.2 and inner:port 80". A packet
outside a tunnel has inner headers only.
`;

const options = {
  ...clusterOption,
  interface: { type: 'string', short: 'i', multiple: true },
  list: { type: 'boolean', short: 'D', default: false },
  write: { type: 'string', short: 'w' },
  count: { type: 'string', short: 'c' },
  snaplen: { type: 'string', short: 's' },
  duration: { type: 'string' },
  last: { type: 'string' },
  noise: { type: 'boolean', default: false },
  buffer: { type: 'string', short: 'B' },
  // What hands type out of habit, and what is so anyway: written at once, numbers not names.
  unbuffered: { type: 'boolean', short: 'U', default: false },
  numeric: { type: 'boolean', short: 'n', default: false },
} as const;

const SNAP_LEN_MAX = 262_144;
const BUFFER_KIB = 32_768;
const BUFFER_KIB_MIN = 2048;
const BUFFER_KIB_MAX = 262_144;

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  const limits = readLimits(values);
  const filter = await readFilter(positionals.join(' '));
  const client = new ApiClient(clusterName(values.name));
  const { items: nodes } = await client.list(kinds.Node);
  const { items: pods } = await client.list(kinds.Pod);
  const all = clusterHops(nodes, pods);
  if (values.list) {
    process.stdout.write(formatTable(all.map(({ name, description }) => [name, description])));
    return 0;
  }
  const choice = new HopChoice(
    all,
    (values.interface ?? []).flatMap((words) => words.split(',')),
  );
  if (isClassic(values.write)) {
    process.stderr.write('podwire capture: a .pcap file has no room for interfaces and comments; .pcapng has\n');
  }
  const output = await openCaptureOutput(values.write, choice.hops, namesOf(nodes, pods));
  const request: Omit<CaptureRequest, 'hops'> = {
    snapLen: limits.snapLen,
    verdicts: choice.drops ? Verdicts.Dropped : Verdicts.All,
    noise: values.noise,
    filter,
    ringBytes: limits.ringBytes,
    lastMs: limits.lastMs,
    live: limits.lastMs === 0,
  };
  const capture = new ClusterCapture({ client, choice, output, request, packets: limits.packets, say });
  endBySignals(capture);
  if (limits.durationMs !== undefined) setTimeout(() => capture.stop(), limits.durationMs).unref();
  const failure = await capture.run(nodes.map(({ metadata }) => metadata.name));
  summarize(capture);
  return explain(failure);
}

/** What the reader of a pipe does is its own affair; a full disk is not. */
function explain(failure: unknown): number {
  if (failure === undefined || failure instanceof ReaderGone) return 0;
  if (!(failure instanceof DiskFull)) throw failure;
  say(failure.message);
  return 1;
}

function summarize({ captured, unwritten, losses, late }: ClusterCapture): void {
  const lines = [`${captured} packet${captured === 1 ? '' : 's'} captured`];
  for (const [hop, count] of losses) lines.push(`${count} lost at ${hop}: more than this capture could take`);
  if (unwritten > 0) lines.push(`${unwritten} lost: the file could not be written as fast`);
  if (late > 0) lines.push(`${late} out of order`);
  process.stderr.write(`${lines.join('\n')}\n`);
}

/** The first asks for an end in order; the second does not wait for a reader that takes nothing. */
function endBySignals(capture: ClusterCapture): void {
  let signals = 0;
  const end = () => {
    if (++signals > 1) process.exit(130);
    capture.stop();
  };
  process.on('SIGINT', end).on('SIGTERM', end);
}

function say(message: string): void {
  process.stderr.write(`podwire capture: ${message}\n`);
}

/** Pods as `shop/web`, nodes by name, for those who read the file. */
export function namesOf(nodes: readonly Node[], pods: readonly Pod[]): NamedAddress[] {
  const named = (ip: string, name: string): NamedAddress[] => {
    const address = parseAddress(ip);
    return address === undefined ? [] : [{ address, names: [name] }];
  };
  return [
    ...nodes.flatMap(({ metadata, status }) => {
      return (status?.addresses ?? [])
        .filter(({ type }) => type === 'InternalIP')
        .flatMap(({ address }) => named(address, metadata.name));
    }),
    ...pods.flatMap(({ metadata, spec, status }) => {
      if (spec.hostNetwork === true) return [];
      return (status?.podIPs ?? []).flatMap(({ ip = '' }) => named(ip, `${metadata.namespace}/${metadata.name}`));
    }),
  ];
}

interface Limits {
  readonly packets: number;
  readonly snapLen: number;
  readonly durationMs: number | undefined;
  readonly lastMs: number;
  readonly ringBytes: number;
}

type Values = ReturnType<typeof readArguments<typeof options>>['values'];

function readLimits(values: Values): Limits {
  const snapLen = readCount(values.snaplen, '-s', usage) ?? 0;
  if (snapLen > SNAP_LEN_MAX) throw new UsageError(`-s takes at most ${SNAP_LEN_MAX}, found ${snapLen}`, usage);
  const packets = readCount(values.count, '-c', usage);
  if (packets === 0) throw new UsageError('-c takes a number from 1', usage);
  const kib = readCount(values.buffer, '-B', usage) ?? BUFFER_KIB;
  if (kib > BUFFER_KIB_MAX) throw new UsageError(`-B takes at most ${BUFFER_KIB_MAX}, found ${kib}`, usage);
  const lastMs = values.last === undefined ? 0 : readTime(values.last, '--last', usage);
  if (values.last !== undefined && (values.duration !== undefined || lastMs === 0)) {
    throw new UsageError('--last looks back and ends: it takes a time above 0, and no --duration', usage);
  }
  return {
    packets: packets ?? Infinity,
    snapLen: snapLen === 0 ? SNAP_LEN_MAX : snapLen,
    durationMs: values.duration === undefined ? undefined : readTime(values.duration, '--duration', usage),
    lastMs: Math.ceil(lastMs),
    ringBytes: 2 ** Math.ceil(Math.log2(Math.max(kib, BUFFER_KIB_MIN) * 1024)),
  };
}
