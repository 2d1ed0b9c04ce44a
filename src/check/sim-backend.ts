/** A check on a simulated cluster: in this process, without rights, on a clock of its own. */
import { openCaptureOutput } from '../capture/capture-output.ts';
import { Denials } from '../capture/denials.ts';
import { clusterHops, HopChoice } from '../capture/hops.ts';
import { SightingWriter } from '../capture/sighting-writer.ts';
import { namesOf } from '../cli/capture.ts';
import type { Manifests } from '../cluster/manifests.ts';
import { policyNotes } from '../cluster/policy-notes.ts';
import { askAll, askCaptured, type ProbeQuestion } from '../sim/probe-questions.ts';
import { SimCluster } from '../sim/sim-cluster.ts';
import { kinds } from '../store/resources.ts';
import type { CheckBackend } from './ask.ts';
import { ClusterView, viewedKinds } from './cluster-view.ts';
import type { CheckAnswer } from './report.ts';
import type { Pair } from './resolve-pairs.ts';

/** Whole frames. */
const SNAP_LEN = 1 << 18;

export interface SimBackendOptions {
  readonly manifests: Manifests;
  readonly nodes: number | undefined;
  readonly seed: number | undefined;
  /** Told what policies do not do, though they were taken. */
  readonly note: (message: string) => void;
}

/** @throws ManifestError when objects cannot stand beside each other */
export async function startSimBackend({ manifests, nodes, seed, note }: SimBackendOptions): Promise<CheckBackend> {
  const cluster = new SimCluster({ nodes, seed }, manifests);
  await cluster.applyManifests(manifests.objects);
  cluster.plane.applyAddons(); // the name service, which policies speak of
  await cluster.applyManifests([]);
  for (const message of policyNotes(cluster.topology, cluster.plane, manifests.objects)) note(message);
  const objects = new Map(viewedKinds.map((kind) => [kind, cluster.plane.store.list(kind)]));
  const view = new ClusterView(objects, cluster.topology);
  return {
    name: 'sim',
    view: async () => view,
    ask: async (pairs): Promise<CheckAnswer[]> => askAll(cluster, pairs.map(questionOf)),
    capture: (pair, path) => capture(cluster, view, pair, path),
    close: async () => cluster.close(),
  };
}

function questionOf({ from, to, protocol, port }: Pair): ProbeQuestion {
  return { from: from.endpoint, to: to.endpoint, protocol, port };
}

async function capture(cluster: SimCluster, view: ClusterView, pair: Pair, path: string): Promise<void> {
  const [nodes, pods] = [view.list(kinds.Node), view.list(kinds.Pod)];
  const choice = new HopChoice(clusterHops(nodes, pods), []);
  const output = await openCaptureOutput(path, choice.hops, namesOf(nodes, pods));
  const writer = new SightingWriter({
    sink: output.sink,
    snapLen: SNAP_LEN,
    epochNs: 0n,
    interfaces: (sighting, scene) => {
      return choice.namesOf(sighting, scene).flatMap((name) => output.interfaceOf(name) ?? []);
    },
    wanted: () => true,
    denials: new Denials(() => cluster.policyWorld()),
  });
  let failure: Error | undefined;
  askCaptured(cluster, questionOf(pair), (sighting, scene) => {
    try {
      if (failure === undefined) writer.write(sighting, scene);
    } catch (error) {
      failure = error as Error; // not for the simulation, which is in the midst of its work
    }
  });
  if (failure === undefined) return await output.close([]);
  await output.close([]).catch(() => {}); // it says the same again
  throw failure;
}
