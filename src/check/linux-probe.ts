/** A pair as the cluster's probe is asked for it, and what its answer means. */
import type { ProbeBody } from '../api/probe.ts';
import { podAddresses } from '../controllers/pod-state.ts';
import { explainConnection } from '../network-policy/explain.ts';
import type { PolicyWorld } from '../network-policy/policy-world.ts';
import type { ProbeReport } from '../nodes/protocol.ts';
import type { Service } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { parseAddress } from '../wire/address.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Party } from './party.ts';
import type { CheckAnswer } from './report.ts';
import type { Pair } from './resolve-pairs.ts';

export function probeBody(view: ClusterView, { from, to, protocol, port }: Pair, timeoutMs: number): ProbeBody {
  const { metadata } = from.pod ?? {};
  const place = metadata === undefined ? { node: from.group.slice('node/'.length) } : podOf(metadata);
  return { from: place, address: addressOf(view, to), port, protocol, timeoutMs };
}

function podOf({ namespace = 'default', name }: { readonly namespace?: string; readonly name: string }) {
  return { namespace, pod: name };
}

function addressOf(view: ClusterView, { endpoint, pod, service }: Party): string {
  if (parseAddress(endpoint) !== undefined) return endpoint;
  if (pod !== undefined) return podAddresses(pod)[0]!;
  return service?.spec.clusterIP ?? nodeAddress(view, endpoint);
}

function nodeAddress(view: ClusterView, endpoint: string): string {
  const node = view.list(kinds.Node).find(({ metadata }) => `node/${metadata.name}` === endpoint);
  return node?.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '';
}

/** @param world by which it was judged */
export function probeAnswer(view: ClusterView, world: PolicyWorld, pair: Pair, report: ProbeReport): CheckAnswer {
  const said = explanationOf(view, world, pair);
  const { rule, policies = [] } = said ?? {};
  const explanation = policies.length > 0 ? said?.sentence : undefined;
  const [outcome, reason] = outcomeOf(pair, report, said?.allowed === false);
  return { outcome, reason, rule, policies, explanation };
}

/** @param denied do policies say so? */
function outcomeOf(
  { protocol }: Pair,
  { outcome, detail }: ProbeReport,
  denied: boolean,
): [outcome: CheckAnswer['outcome'], reason: string] {
  // Few kernels have SCTP: they answer what has arrived with an ICMP error.
  if (outcome === 'refused' && protocol === 'SCTP') return ['delivered', detail];
  if (outcome === 'unreachable') return ['rejected', detail];
  if (outcome !== 'no-answer') return [outcome, detail];
  return denied ? ['dropped', 'PolicyDenied'] : ['lost', 'no-answer'];
}

/** Policies see a Service's pods (NP-031): what denies one of them comes first, as connections go to any. */
function explanationOf(view: ClusterView, world: PolicyWorld, pair: Pair) {
  const { from, to, protocol, port } = pair;
  const ends = to.service === undefined ? [{ address: addressOf(view, to), port }] : backendsOf(view, to.service, port);
  const explanations = ends.flatMap(({ address, port: of }) => {
    const source = sourceOf(view, from, address.includes(':'));
    return explainConnection(world, { source, destination: address, protocol, port: of });
  });
  return explanations.find(({ allowed }) => !allowed) ?? explanations[0];
}

function sourceOf(view: ClusterView, { pod, group }: Party, isIpv6: boolean): string {
  if (pod === undefined) return nodeAddress(view, group);
  const addresses = podAddresses(pod);
  return addresses.find((address) => address.includes(':') === isIpv6) ?? addresses[0]!;
}

function backendsOf(view: ClusterView, service: Service, port: number) {
  const { targetPort = port } = service.spec.ports?.find((one) => one.port === port) ?? {};
  return view.podsOf(service).map((pod) => {
    const named = pod.spec.containers.flatMap(({ ports = [] }) => ports).find(({ name }) => name === targetPort);
    return { address: podAddresses(pod)[0]!, port: Number(named?.containerPort ?? targetPort) };
  });
}
