/** Throughput, latency and packet rate between pods of a running cluster, and what they were limited by. */
import { execFileSync } from 'node:child_process';
import { constants } from 'node:os';
import { ApiClient } from '../api/client.ts';
import { benchOrigin } from '../measure/bench-machine.ts';
import { wrapped } from '../measure/bench-text.ts';
import { NothingArrives } from '../measure/latency.ts';
import { FOREIGN_CORES_MAX, type MachineUse, noiseOf, STEAL_SHARE_MAX } from '../measure/machine-use.ts';
import { type Measured, measurements, type Run } from '../measure/measurements.ts';
import { type NetworkSetting, networkSetting } from '../measure/network-setting.ts';
import { type PodPlace, PodPrograms } from '../measure/pod-program.ts';
import { ClusterWatch } from '../measure/run-watch.ts';
import { startServers } from '../measure/servers.ts';
import { Refusal } from '../vessel/refusal.ts';
import { readState } from '../vessel/run-directory.ts';
import { clusterName, clusterOption, readArguments, readTime, UsageError } from './arguments.ts';
import { type BenchEnds, type BenchPod, findBenchEnds } from './bench-places.ts';
import { policyVoice, traceCommand } from './bench-policy.ts';
import { podPath, wayInto } from './enter-pod.ts';

export const usage = `Usage: podwire bench throughput|latency|pps [-n NAMESPACE] [--from SRC] [--to DST[:PORT]] [-R] [-6]
                     [-t 10s] [-o table|json|svg] [--noisy]

Measure between two pods of a running cluster, with programs that run in them, and say what was the limit.
  throughput   one TCP stream, by iperf3 where this machine has it, else by a program of podwire's own
  latency      round trips of a 64-byte UDP datagram, one at a time
  pps          the highest rate of 64-byte UDP datagrams of which at most 0.1 % are lost, by binary search

SRC is [NAMESPACE/]POD or KIND/NAME; DST also svc/[NAMESPACE/]NAME[:PORT]. A server is started in the pod of DST, on
PORT or on a free one; behind a Service in every Ready pod, on the port that it leads to, which has to be free: no
container declares it. Without --from and --to, two Ready pods are taken that policies let talk, on different nodes
where there are such.

  -n, --namespace NS    of names without one (default: default)
  -t, --duration TIME   of the measurement, whole seconds: 10, 10s (default), 1m; the trials of pps take 1 s each
  -R, --reverse         the other way round: DST sends to SRC
  -6, --ipv6            over IPv6, where pods have both
  -o, --output FORMAT   table (default), json (one document, with raw figures) or svg (a plot)
      --noisy           print figures, marked, also when the machine was too noisy: more than ${FOREIGN_CORES_MAX} cores used by
                        other processes, or more than ${STEAL_SHARE_MAX * 100} % of its time taken by its host
      --name NAME       of the cluster (default: podwire, or the only one)

Intervals are shown as they come; they do not count when the machine turns out to have been too noisy. The exit code is 1
when it was, or when nothing could be measured: nothing arrives, a port is taken, a node or server ends meanwhile.
`;

const options = {
  ...clusterOption,
  namespace: { type: 'string', short: 'n', default: 'default' },
  from: { type: 'string' },
  to: { type: 'string' },
  duration: { type: 'string', short: 't', default: '10s' },
  reverse: { type: 'boolean', short: 'R', default: false },
  ipv6: { type: 'boolean', short: '6', default: false },
  output: { type: 'string', short: 'o', default: 'table' },
  noisy: { type: 'boolean', default: false },
} as const;

const SECONDS_MAX = 3600;
/** How long the machine is looked at before anything begins. */
const REST_MS = 1000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface Wanted {
  readonly kind: keyof typeof measurements;
  readonly seconds: number;
  readonly output: 'table' | 'json' | 'svg';
  readonly noisy: boolean;
  readonly ipv6: boolean;
}

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(durationSpelledOut(argv), options, usage);
  const [kind = '', ...more] = positionals;
  if (!Object.hasOwn(measurements, kind) || more.length > 0) {
    throw new UsageError(`expected throughput, latency or pps, found "${positionals.join(' ')}"`, usage);
  }
  const { output, namespace, from, to, noisy, reverse, ipv6 } = values;
  if (output !== 'table' && output !== 'json' && output !== 'svg') {
    throw new UsageError(`-o takes table, json or svg, found "${output}"`, usage);
  }
  const wanted = { kind: kind as Wanted['kind'], seconds: readSeconds(values.duration), output, noisy, ipv6 } as const;
  const name = clusterName(values.name);
  const client = new ApiClient(name);
  const { protocol } = measurements[wanted.kind];
  const found = await findBenchEnds(client, { from, to, namespace, protocol, usage });
  const ends = reverse ? reversed(found) : found;
  const programs = new PodPrograms();
  for (const signal of SIGNALS) {
    process.once(signal, () => void programs.end().then(() => process.exit(128 + constants.signals[signal])));
  }
  try {
    return await measure(client, name, ends, wanted, programs);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const words = error instanceof NothingArrives ? await silenceWords(client, ends, error) : error.message;
    process.stderr.write(`podwire bench: nothing was measured: ${words}\n`);
    return 1;
  } finally {
    await programs.end();
  }
}

/** The parser takes `--duration -1s` for two flags; what is wrong with it is said by `readSeconds`. */
function durationSpelledOut(argv: readonly string[]): string[] {
  const isDuration = (word: string | undefined) => word === '--duration' || word === '-t';
  return argv.flatMap((word, i) => {
    if (isDuration(word) && /^-\d/.test(argv[i + 1] ?? '')) return [];
    return [isDuration(argv[i - 1]) && /^-\d/.test(word) ? `--duration=${word}` : word];
  });
}

function readSeconds(text: string): number {
  const seconds = /^\d{1,4}$/.test(text)
    ? Number(text)
    : /^\d/.test(text)
      ? readTime(text, '--duration', usage) / 1000
      : Number.NaN;
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= SECONDS_MAX) return seconds;
  throw new UsageError(`--duration takes whole seconds from 1s to 1h, found "${text}"`, usage);
}

function reversed({ client, target, notes }: BenchEnds): BenchEnds {
  const { servers, service } = target;
  if (service !== undefined) throw new UsageError('--reverse: a Service cannot be the one that sends', usage);
  return { client: servers[0]!, target: { ...target, servers: [client] }, notes };
}

/** Which policy it was, where it was one, and the command that tells the whole story. */
async function silenceWords(client: ApiClient, ends: BenchEnds, silence: NothingArrives): Promise<string> {
  const { address: destination, port, protocol, message } = silence;
  const source = ends.client.addresses.find((one) => one.includes(':') === destination.includes(':')) ?? '';
  const { service, servers, serverPort } = ends.target;
  const asked = { source, destination, protocol, port };
  // Policies speak of the pod behind a Service, and of its port.
  const judged =
    service === undefined ? asked : { ...asked, destination: servers[0]!.addresses[0] ?? '', port: serverPort };
  const why = (await policyVoice(client))(judged);
  return [message, ...(why === undefined ? [] : [why]), traceCommand(ends.client, asked)].join('\n  ');
}

async function measure(
  client: ApiClient,
  cluster: string,
  ends: BenchEnds,
  wanted: Wanted,
  programs: PodPrograms,
): Promise<number> {
  const state = readState(cluster);
  if (state?.vessel === undefined) throw new Refusal(`cluster "${cluster}" is not ready`);
  const watch = new ClusterWatch(client, state.vessel.pid, state.host.pid);
  if (!wanted.noisy && isTooNoisy(await watch.rest(REST_MS), false, 'is too noisy to begin')) return 1;
  const place = (pod: BenchPod) => placeOf(client, cluster, pod);
  const clientPlace = await place(ends.client);
  const { servers: serverPods, serverPort, service } = ends.target;
  const nodes = [...new Set([ends.client, ...serverPods].map(({ node }) => node))];
  const threads = (await Promise.all(nodes.map((node) => watch.threadOf(node)))).flatMap((thread) => thread ?? []);
  const isIpv6 = wanted.ipv6 || ends.client.addresses[0]?.includes(':') === true;
  if (wanted.ipv6) refuseWithoutIpv6(ends);
  const places = await Promise.all(
    serverPods.map(async (pod) => {
      const address = pod.addresses.find((one) => one.includes(':') === isIpv6) ?? pod.addresses[0]!;
      return { ...(await place(pod)), address };
    }),
  );
  const live = (text: string) => {
    if (wanted.output === 'table') process.stdout.write(text);
  };
  for (const note of ends.notes) process.stderr.write(`podwire bench: ${note}\n`);
  const capturing = await Promise.all(
    nodes.map(async (node) => ((await watch.activity(node, 0)).captures > 0 ? [node] : [])),
  );
  const common: Run = {
    ...{ programs, watch, threads, client: clientPlace, seconds: wanted.seconds, noisy: wanted.noisy, live },
    network: await networkSetting(client, nodes, threads, capturing.flat()),
    progress: (line) => void process.stderr.write(`${line}\n`),
    serve: (serverKind) => startServers(programs, { kind: serverKind, places, port: serverPort, service }),
    serverCount: places.length,
    iperf3: iperfVersion(),
  };
  const before = watch.look();
  try {
    const measured = await measurements[wanted.kind].measure(common);
    const whole = watch.between(before, watch.look());
    return report(measured, { ...wanted, from: ends.client.words, whole, network: common.network });
  } finally {
    watch.ended = true;
  }
}

function refuseWithoutIpv6({ client, target: { servers, service } }: BenchEnds): void {
  const without = [client, ...servers].find(({ addresses }) => !addresses.some((one) => one.includes(':')));
  if (without !== undefined) throw new Refusal(`pod ${without.words} has no IPv6 address`);
  if (service !== undefined && !service.address.includes(':'))
    throw new Refusal(`${service.words} has no IPv6 address`);
}

async function placeOf(client: ApiClient, cluster: string, pod: BenchPod): Promise<PodPlace> {
  const { words, missing } = await wayInto(client, cluster, podPath(pod.namespace, pod.name));
  for (const thing of missing) process.stderr.write(`podwire bench: not set up: ${thing}\n`);
  return { wayIn: words, words: pod.words };
}

/** `iperf3 3.12`; undefined where there is none. */
function iperfVersion(): string | undefined {
  try {
    const text = execFileSync('iperf3', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return `iperf3 ${/\d+\.\d+\S*/.exec(text)?.[0] ?? ''}`.trim();
  } catch {
    return undefined;
  }
}

/** Says what was seen. @returns true when figures are not to be printed. */
function isTooNoisy(use: MachineUse, noisy: boolean, verb: string): boolean {
  const reasons = noiseOf(use);
  if (reasons.length === 0) return false;
  process.stderr.write(`podwire bench: the machine ${verb}: ${reasons.join('; ')}\n`);
  if (!noisy) process.stderr.write('podwire bench: --noisy prints the figures all the same, marked\n');
  return !noisy;
}

interface Reported extends Wanted {
  readonly from: string;
  readonly whole: MachineUse;
  readonly network: NetworkSetting;
}

function report(measured: Measured, wanted: Reported): number {
  const { whole, output, noisy, from, kind } = wanted;
  // A burst may be lost in the whole, and still have hit what counts.
  const worst = [whole, ...measured.uses.map(({ machine }) => machine)].find((use) => noiseOf(use).length > 0);
  const reasons = worst === undefined ? [] : noiseOf(worst);
  if (worst !== undefined && isTooNoisy(worst, noisy, 'was too noisy to trust')) return 1;
  const mark = reasons.length === 0 ? '' : `NOISY, not to be trusted: ${reasons.join('; ')}`;
  if (output === 'table') process.stdout.write(`${measured.text}${mark === '' ? '' : wrapped(mark)}`);
  if (output === 'svg') {
    const words = `${from} to ${measured.to}, ${measured.method}`;
    process.stdout.write(
      measured.plot({ title: `podwire bench ${kind}`, subtitle: mark === '' ? words : `${mark}. ${words}` }),
    );
  }
  if (output === 'json') {
    const { stealShare, foreignCores } = worst ?? whole;
    const document = {
      ...{
        measurement: kind,
        from,
        to: measured.to,
        method: measured.method,
        ...benchOrigin(),
        network: wanted.network,
      },
      noise: {
        ...{ trusted: reasons.length === 0, reasons, stealShare, foreignCores },
        limits: { stealShare: STEAL_SHARE_MAX, foreignCores: FOREIGN_CORES_MAX },
      },
      ...measured.document,
    };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  }
  return measured.complete ? 0 : 1;
}
