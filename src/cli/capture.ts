/** Packets at hops of a running cluster, into one file that says of each what became of it. */
import { ApiClient } from '../api/client.ts';
import type { NodeObject, ObjectList, PodObject } from '../api/objects.ts';
import { DiskFull, ReaderGone } from '../capture/capture-file.ts';
import { type CaptureOutput, isClassic, openCaptureOutput } from '../capture/capture-output.ts';
import { CaptureSession } from '../capture/capture-session.ts';
import { compileFilter } from '../capture/filter/compile-filter.ts';
import { clusterHops, HopChoice } from '../capture/hops.ts';
import type { NamedAddress } from '../capture/pcapng-writer.ts';
import { type PacketSink, SightingWriter } from '../capture/sighting-writer.ts';
import { Verdicts } from '../dataplane/capture.ts';
import { monotonicNs } from '../nodes/monotonic.ts';
import type { CaptureRequest } from '../nodes/protocol.ts';
import { parseAddress } from '../wire/address.ts';
import { clusterName, clusterOption, readArguments, readCount, readTime, UsageError } from './arguments.ts';
import { formatTable } from './table.ts';

export const usage = `Usage: podwire capture [-i HOP[,HOP]...] [-w FILE] [-c N] [-s BYTES] [--duration TIME] [--last TIME] [FILTER]
       podwire capture -D

Write packets of any hops into one pcapng file, in order of time, each with what became of it and why. Ends with
Ctrl-C. Live: podwire capture -w - | wireshark -k -i -

  -i HOP[,HOP]...      pod/NAMESPACE/NAME, node/N:host, node/N:underlay, link/A-B (what both send), drops (every
                       packet that was dropped, wherever), all (default)
  -D                   list the hops
  -w FILE              - is standard output; a name that ends in .pcap is written in the classic format, which has no
                       room for interfaces and comments. Without -w, a line for each packet
  -c N                 end after N packets
  -s BYTES             of each packet at most (default: 262144)
      --duration TIME  end after 10s, 500ms, …
      --last TIME      what the nodes' flight recorders still know of the last TIME (headers), and then end
      --noise          also MLD and IGMP reports and router solicitations, which every kernel makes on every link
  -B KIB               memory for packets that wait, on each node (default: 16384)
      --name NAME      of the cluster (default: podwire, or the only one)

FILTER is an expression as tcpdump has it, such as "host 10.244.0.2 and tcp port 80". It matches outer or inner headers
of tunnelled packets; outer: or inner: before a term narrows it: "outer:host 172.18.0.2 and inner:port 80".
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
/** Bytes that may wait for the reader of a pipe. */
const WAITING_MAX = 16 << 20;
const BUFFER_KIB = 16_384;
const BUFFER_KIB_MIN = 2048;
const BUFFER_KIB_MAX = 262_144;

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  const limits = readLimits(values);
  const program = positionals.length === 0 ? null : [...(await compileFilter(positionals.join(' ')))];
  const client = new ApiClient(clusterName(values.name));
  const { items: nodes } = await client.get<ObjectList<NodeObject>>('/api/v1/nodes');
  const { items: pods } = await client.get<ObjectList<PodObject>>('/api/v1/pods');
  const all = clusterHops(nodes, pods);
  if (values.list) {
    process.stdout.write(formatTable(all.map(({ name, description }) => [name, description])));
    return 0;
  }
  const choice = new HopChoice(
    all,
    (values.interface ?? []).flatMap((words) => words.split(',')),
  );
  if (values.write === undefined) throw new UsageError('-w FILE is needed', usage);
  if (isClassic(values.write)) {
    process.stderr.write('podwire capture: a .pcap file has no room for interfaces and comments; .pcapng has\n');
  }
  const output = await openCaptureOutput(values.write, choice.hops, namesOf(nodes, pods));
  const request: Omit<CaptureRequest, 'hops'> = {
    snapLen: limits.snapLen,
    verdicts: choice.drops ? Verdicts.Dropped : Verdicts.All,
    noise: values.noise,
    filter: program,
    ringBytes: limits.ringBytes,
    lastMs: limits.lastMs,
    live: limits.lastMs === 0,
  };
  return await capture({ client, nodes, choice, output, request, limits });
}

interface Task {
  readonly client: ApiClient;
  readonly nodes: readonly NodeObject[];
  readonly choice: HopChoice;
  readonly output: CaptureOutput;
  readonly request: Omit<CaptureRequest, 'hops'>;
  readonly limits: Limits;
}

async function capture({ client, nodes, choice, output, request, limits }: Task): Promise<number> {
  const counts = new Map<number, number>();
  let captured = 0;
  const sink: PacketSink = {
    packet: (packet) => {
      output.sink.packet(packet);
      counts.set(packet.interface, (counts.get(packet.interface) ?? 0) + 1);
      if (++captured === limits.packets) session.stop();
    },
  };
  const writer = new SightingWriter({
    sink,
    snapLen: limits.snapLen,
    epochNs: wallNs() - BigInt(monotonicNs()),
    interfaces: (sighting, scene) => choice.namesOf(sighting, scene).flatMap((name) => output.interfaceOf(name) ?? []),
    wanted: () => captured < limits.packets,
  });
  const session = new CaptureSession(client, {
    request: (scene) => {
      const hops = choice.waysOf(scene);
      return hops.length === 0 ? undefined : { ...request, hops };
    },
    sighting: (sighting, scene) => writer.write(sighting, scene),
    flush: () => {
      output.flush();
      if (output.waiting > 0) pace();
    },
    say,
  });
  /** The reader of the pipe is slow: beyond a bound the nodes keep what comes, and beyond theirs it is lost and counted. */
  let pacing = false;
  const pace = () => {
    if (output.waiting > WAITING_MAX) session.setPaused(true);
    if (pacing) return;
    pacing = true;
    output.settled().then(
      () => {
        pacing = false;
        session.setPaused(false);
      },
      (error: Error) => session.fail(error),
    );
  };
  let stops = 0;
  const stop = () => {
    session.setPaused(false);
    session.stop();
    if (++stops > 1) process.exit(130); // the reader of the pipe has stopped
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const timer = limits.durationMs === undefined ? undefined : setTimeout(() => session.stop(), limits.durationMs);
  let failure: unknown;
  try {
    await session.run(
      nodes.map(({ metadata }) => metadata.name),
      request.live,
    );
  } catch (error) {
    failure = error;
  }
  clearTimeout(timer);
  try {
    const time = { timeHigh: 0, timeLow: 0 };
    writer.setTime(time, monotonicNs());
    const statistics = choice.hops.map(({ name }) => {
      const id = output.interfaceOf(name)!;
      return { ...time, interface: id, received: counts.get(id) ?? 0, dropped: session.losses.get(name) ?? 0 };
    });
    await output.close(statistics);
  } catch (error) {
    failure ??= error;
  }
  summarize(captured - output.lost, output.lost, session);
  return explain(failure);
}

/** What the reader of a pipe does is its own affair; a full disk is not. */
function explain(failure: unknown): number {
  if (failure === undefined || failure instanceof ReaderGone) return 0;
  if (!(failure instanceof DiskFull)) throw failure;
  say(failure.message);
  return 1;
}

function summarize(captured: number, lost: number, session: CaptureSession): void {
  const lines = [`${captured} packet${captured === 1 ? '' : 's'} captured`];
  for (const [hop, count] of session.losses) lines.push(`${count} lost at ${hop}: more than this capture could take`);
  if (lost > 0) lines.push(`${lost} lost: the file could not be written as fast`);
  if (session.late > 0) lines.push(`${session.late} out of order`);
  process.stderr.write(`${lines.join('\n')}\n`);
}

function say(message: string): void {
  process.stderr.write(`podwire capture: ${message}\n`);
}

/** Nanoseconds since 1970, to the microsecond. */
function wallNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** Pods as `shop/web`, nodes by name, for those who read the file. */
function namesOf(nodes: readonly NodeObject[], pods: readonly PodObject[]): NamedAddress[] {
  const named = (ip: string, name: string): NamedAddress[] => {
    const address = parseAddress(ip);
    return address === undefined ? [] : [{ address, names: [name] }];
  };
  return [
    ...nodes.flatMap(({ metadata, status }) => {
      return status.addresses
        .filter(({ type }) => type === 'InternalIP')
        .flatMap(({ address }) => named(address, metadata.name));
    }),
    ...pods.flatMap(({ metadata, spec, status }) => {
      if (spec.hostNetwork === true) return [];
      return status.podIPs.flatMap(({ ip }) => named(ip, `${metadata.namespace}/${metadata.name}`));
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
