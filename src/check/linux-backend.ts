/** A check on a cluster of real nodes, started for it and ended after it: real sockets in real network namespaces. */
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '../api/client.ts';
import { fetchPolicyWorld } from '../api/policy-worlds.ts';
import { PROBE_PATH, type ProbeBody } from '../api/probe.ts';
import { openCaptureOutput } from '../capture/capture-output.ts';
import { ClusterCapture } from '../capture/cluster-capture.ts';
import { clusterHops, HopChoice } from '../capture/hops.ts';
import { namesOf } from '../cli/capture.ts';
import { planTexts } from '../cli/start-plan.ts';
import type { ManifestText } from '../cluster/manifests.ts';
import { printable } from '../cluster/source.ts';
import type { Topology } from '../cluster/topology.ts';
import { Verdicts } from '../dataplane/capture.ts';
import type { ProbeReport } from '../nodes/protocol.ts';
import { kinds } from '../store/resources.ts';
import { ClusterHost, type Status } from '../vessel/host.ts';
import { startVessel } from '../vessel/vessel.ts';
import type { ClusterNetworks } from './addresses.ts';
import type { CheckBackend } from './ask.ts';
import { ClusterView, viewedKinds } from './cluster-view.ts';
import { probeAnswer, probeBody } from './linux-probe.ts';
import type { CheckAnswer } from './report.ts';
import type { Pair } from './resolve-pairs.ts';

const STDERR = 2;
/** Whoever is not heard of though policies allow it is asked once more, with more patience: the machine may be busy. */
const PATIENCE_MS = [700, 3000];
/** Beyond the question's own time. */
const ANSWER_MS = 10_000;
const AT_ONCE = 128;
const SNAP_LEN = 1 << 18;
const RING_BYTES = 4 << 20;
/** For frames that are on their way to the file. */
const SETTLE_MS = 100;

export interface LinuxBackendOptions {
  /** As the user wrote it. */
  readonly nodes: string | undefined;
  readonly allowRun: boolean;
  /** Of the command, for those who used it wrongly. */
  readonly usage: string;
  /** Told what policies do not do, though they were taken. */
  readonly note: (message: string) => void;
}

/** @throws what `planTexts` and `ClusterHost.start` throw; nothing is left behind then */
export async function startLinuxBackend(
  texts: readonly ManifestText[],
  { nodes, allowRun, usage, note }: LinuxBackendOptions,
): Promise<CheckBackend> {
  const vessel = startVessel(STDERR); // while the manifests are read
  let host: ClusterHost | undefined;
  let topology: Topology;
  let interrupted: number | undefined;
  const end = async () => void (await (host === undefined ? vessel.abandon() : host.stop()));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      interrupted ??= 128 + constants.signals[signal];
      const ended = end();
      if (host !== undefined) void ended.finally(() => process.exit(interrupted)); // else the start fails of it
    });
  }
  try {
    const values = { name: `check-${process.pid}`, filename: [], 'strict-checksums': false, 'allow-run': allowRun };
    const plan = planTexts(nodes === undefined ? values : { ...values, nodes }, texts, usage);
    topology = plan.topology;
    const onStatus = (status: Status) => {
      if (status.type === 'note') note(status.message);
    };
    host = await ClusterHost.start({ ...plan, vessel, logFile: undefined, onStatus });
  } catch (error) {
    await end();
    if (interrupted !== undefined) process.exit(interrupted);
    throw error;
  }
  for (const line of host.summary.unready) process.stderr.write(` ✗ ${printable(line)}\n`);
  return { ...clusterBackend(new ApiClient(host.name), topology), close: end };
}

/** Of a cluster that runs; closing it is the caller's. */
export function clusterBackend(client: ApiClient, networks: ClusterNetworks): Omit<CheckBackend, 'close'> {
  const view = async () => {
    const lists = await Promise.all(viewedKinds.map((kind) => client.list(kind)));
    return new ClusterView(new Map(viewedKinds.map((kind, i) => [kind, lists[i]!.items])), networks);
  };
  return {
    name: 'linux',
    view,
    ask: async (pairs) => askAll(client, await view(), pairs),
    capture: async (pair, path) => capture(client, await view(), pair, path),
  };
}

async function askAll(client: ApiClient, view: ClusterView, pairs: readonly Pair[]): Promise<CheckAnswer[]> {
  const world = await fetchPolicyWorld(client);
  const reports = new Map<Pair, ProbeReport>();
  let open: readonly Pair[] = pairs;
  for (const timeoutMs of PATIENCE_MS) {
    await eachOf(open, async (pair) => {
      reports.set(pair, await askOne(client, probeBody(view, pair, timeoutMs)));
    });
    open = open.filter((pair) => probeAnswer(view, world, pair, reports.get(pair)!).outcome === 'lost');
  }
  return pairs.map((pair) => probeAnswer(view, world, pair, reports.get(pair)!));
}

function askOne(client: ApiClient, body: ProbeBody): Promise<ProbeReport> {
  return client.post<ProbeReport>(PROBE_PATH, body, body.timeoutMs + ANSWER_MS);
}

/** So many at a time. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const worker = async () => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Asks again while everything is captured. */
async function capture(client: ApiClient, view: ClusterView, pair: Pair, path: string): Promise<void> {
  const [nodes, pods] = [view.list(kinds.Node), view.list(kinds.Pod)];
  const choice = new HopChoice(clusterHops(nodes, pods), []);
  const output = await openCaptureOutput(path, choice.hops, namesOf(nodes, pods));
  let listening = () => {};
  const begun = new Promise<void>((resolve) => {
    listening = resolve;
  });
  const request = { snapLen: SNAP_LEN, verdicts: Verdicts.All, noise: false, filter: null, lastMs: 0, live: true };
  const capturing = new ClusterCapture({
    client,
    choice,
    output,
    request: { ...request, ringBytes: RING_BYTES },
    packets: Number.POSITIVE_INFINITY,
    say: listening, // the first thing it says is that it listens
  });
  const ended = capturing.run(nodes.map(({ metadata }) => metadata.name));
  await Promise.race([begun, ended]);
  await askOne(client, probeBody(view, pair, PATIENCE_MS[0]!));
  await sleep(SETTLE_MS);
  capturing.stop();
  const failure = await ended;
  if (failure !== undefined) throw failure;
}
