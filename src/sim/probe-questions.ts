/** Questions to a simulated cluster in the words that users write. */
import type { CaptureScene } from '../cluster/capture-scene.ts';
import type { Sighting } from '../recording/sighting.ts';
import type { ProbeProtocol } from '../stack/probe.ts';
import { answerOf, type ProbeAnswer } from './probe-answer.ts';
import { ProbePlaces } from './probe-places.ts';
import { SimCaptures } from './sim-captures.ts';
import type { SimCluster, SimQuestion } from './sim-cluster.ts';

export interface ProbeQuestion {
  /** `[NAMESPACE/]POD`, `KIND/NAME`, `node/NAME`. */
  readonly from: string;
  /** The same, `svc/[NAMESPACE/]NAME`, or an IP address. */
  readonly to: string;
  /** A number or a port's name; not for ICMP. */
  readonly port?: number | string;
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP' | 'ICMP';
}

/** @throws Error in words, for what cannot be asked. */
export function askOne(cluster: SimCluster, question: ProbeQuestion): ProbeAnswer {
  const { at, target } = resolve(new ProbePlaces(cluster), question);
  const world = cluster.policyWorld();
  return answerOf(cluster.probe(at, target), target.protocol, world);
}

/** The same for many. @throws Error before anything is asked. */
export function askAll(cluster: SimCluster, questions: readonly ProbeQuestion[]): ProbeAnswer[] {
  const places = new ProbePlaces(cluster);
  const resolved = questions.map((question) => resolve(places, question));
  const world = cluster.policyWorld();
  return cluster.probeAll(resolved).map((report, i) => answerOf(report, resolved[i]!.target.protocol, world));
}

/** As `askOne`, and tells of every packet meanwhile at every hop. @param take see `SimCaptures`. */
export function askCaptured(
  cluster: SimCluster,
  question: ProbeQuestion,
  take: (sighting: Sighting, scene: CaptureScene) => void,
): ProbeAnswer {
  const captures = new SimCaptures(cluster.simulation, cluster.plan, take);
  try {
    return askOne(cluster, question);
  } finally {
    captures.close();
  }
}

function resolve(places: ProbePlaces, { from, to, port = 0, protocol = 'TCP' }: ProbeQuestion): SimQuestion {
  const source = places.source(from);
  const target = places.target(to, port, protocol);
  const isIpv6 = target.address.includes(':');
  const address = source.addresses.find((own) => own.includes(':') === isIpv6) ?? source.addresses[0]!;
  const asked = { protocol: protocol.toLowerCase() as ProbeProtocol, address: target.address, port: target.port };
  return { at: { node: source.node, address }, target: asked };
}
