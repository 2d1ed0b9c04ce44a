/** A pair as the cluster's probe is asked for it, and what its answer means. */
import type { ContainerPort } from 'kubernetes-types/core/v1.d.ts';
import type { ProbeBody } from '../api/probe.ts';
import { podAddresses } from '../controllers/pod-state.ts';
import { explainConnection } from '../network-policy/explain.ts';
import type { PolicyWorld } from '../network-policy/policy-world.ts';
import type { ProbeReport } from '../nodes/protocol.ts';
import { type ProbeVerdict, probeVerdict } from '../stack/probe-verdict.ts';
import type { Pod, Service } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { parseAddress } from '../wire/address.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Party } from './party.ts';
import { type CheckAnswer, POLICY_DENIED } from './report.ts';
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
  const isDenied = said?.allowed === false;
  const { outcome, reason } = verdictOf(report, { isDenied, isOpen: servesSctp(view, pair) });
  return { outcome, reason, rule, policies, explanation, inferred: reason === POLICY_DENIED };
}

/** @param of what else is known: do policies deny it, and is it SCTP to a port that is declared? */
function verdictOf(
  report: ProbeReport,
  { isDenied, isOpen }: { readonly isDenied: boolean; readonly isOpen: boolean },
): ProbeVerdict {
  const { outcome, detail } = report;
  // Few kernels have SCTP: they answer what has arrived with an ICMP error, though somebody would listen.
  if (outcome === 'refused' && isOpen) return { outcome: 'delivered', reason: detail };
  // A socket hears nothing of who drops its packets. What is silent, and what policies deny by their text, is taken for
  // dropped by them; answers say that this is inferred.
  return probeVerdict(report, outcome === 'no-answer' && isDenied ? POLICY_DENIED : undefined, false);
}

/** Does the pod, or one of the Service's pods, declare that it serves SCTP there? */
function servesSctp(view: ClusterView, { to, protocol, port }: Pair): boolean {
  if (protocol !== 'SCTP') return false;
  const ends = to.service === undefined ? [{ pod: to.pod, port }] : backendsOf(view, to.service, protocol, port);
  return ends.some((end) => {
    return containerPorts(end.pod).some((one) => one.protocol === 'SCTP' && one.containerPort === end.port);
  });
}

function containerPorts(pod: Pod | undefined): readonly ContainerPort[] {
  return (pod?.spec.containers ?? []).flatMap(({ ports = [] }) => ports);
}

/** Policies see a Service's pods (NP-031): what denies one of them comes first, as connections go to any. */
function explanationOf(view: ClusterView, world: PolicyWorld, pair: Pair) {
  const { from, to, protocol, port } = pair;
  const ends =
    to.service === undefined ? [{ address: addressOf(view, to), port }] : backendsOf(view, to.service, protocol, port);
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

function backendsOf(view: ClusterView, service: Service, protocol: string, port: number) {
  const ofProtocol = (one: { readonly protocol?: string }) => (one.protocol ?? 'TCP') === protocol;
  const { targetPort = port } = service.spec.ports?.find((one) => one.port === port && ofProtocol(one)) ?? {};
  return view.podsOf(service).map((pod) => {
    const named = containerPorts(pod).find((one) => one.name === targetPort && ofProtocol(one));
    return { pod, address: podAddresses(pod)[0]!, port: Number(named?.containerPort ?? targetPort) };
  });
}
