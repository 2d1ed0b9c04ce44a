/** A pod as the network has it: on a node, with addresses. */
import { commandOf, declaresReady, isActive, isPlaced, podAddresses } from '../controllers/pod-state.ts';
import type { WorkloadPort, WorkloadSpec } from '../nodes/protocol.ts';
import type { Pod } from '../store/object.ts';
import { lastingContainers, readinessProbes } from './compile-probes.ts';
import { parseAddress } from './ip-address.ts';
import { podMac } from './mac-address.ts';
import type { TopologyNode } from './topology.ts';

export interface PlacedPod {
  /** `namespace/name`. */
  readonly key: string;
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** The node's name. */
  readonly node: string;
  readonly hostNetwork: boolean;
  readonly hostname: string;
  /** One a family, IPv4 first; with hostNetwork, the node's underlay address. */
  readonly addresses: readonly string[];
  readonly mac: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A Linux host name's limit, to which kubelet cuts pod names (pkg/kubelet/util/util.go). */
const HOSTNAME_LENGTH_MAX = 63;

export const SYSTEM_NAMESPACE = 'kube-system';
/** Pods of the cluster's name service, whoever has declared them. */
export const DNS_LABELS = { 'k8s-app': 'kube-dns' };

/** Is there to be a network for it: has it a node and addresses, and has nobody ended it? */
export function runs(pod: Pod): boolean {
  return isPlaced(pod) && isActive(pod) && podAddresses(pod).length > 0;
}

/** Pre: the pod `runs`. @param macs of the cluster; the pod's is added. */
export function placedPod(object: Pod, node: TopologyNode, macs: Set<string>): PlacedPod {
  const { metadata, spec } = object;
  const { namespace = 'default', name, uid = '', labels = {}, annotations = {} } = metadata;
  const addresses = podAddresses(object);
  const hostNetwork = spec.hostNetwork === true;
  return {
    key: `${namespace}/${name}`,
    uid,
    namespace,
    name,
    node: node.name,
    hostNetwork,
    hostname: hostNetwork ? node.name : (spec.hostname ?? hostnameOf(name)),
    addresses,
    mac: hostNetwork
      ? node.mac
      : podMac(
          addresses.map((text) => parseAddress(text)!),
          macs,
        ),
    labels,
    annotations,
  };
}

/** What answers on the pod's ports, and what is asked of it. A program of the pod's own takes the place of both answers. */
export function workloadOf(object: Pod, pod: PlacedPod, namespacePath: string): WorkloadSpec {
  const hasProgram = commandOf(object) !== undefined;
  const { uid, namespace, name, node, hostname, addresses } = pod;
  const isNameServer = !hasProgram && namespace === SYSTEM_NAMESPACE && pod.labels['k8s-app'] === DNS_LABELS['k8s-app'];
  return {
    namespacePath,
    ...{ uid, namespace, name, node, hostname, addresses },
    ports: hasProgram ? [] : portsOf(object),
    answers: isNameServer ? 'dns' : 'http',
    ready: declaresReady(object),
    ...readinessProbes(object),
  };
}

/** Those that its containers declare, each once. */
function portsOf(object: Pod): WorkloadPort[] {
  const ports = new Map<string, WorkloadPort>();
  for (const container of lastingContainers(object)) {
    for (const { containerPort: port, protocol = 'TCP' } of container.ports ?? []) {
      ports.set(`${port}/${protocol}`, { port, protocol: protocol as WorkloadPort['protocol'] });
    }
  }
  return [...ports.values()];
}

function hostnameOf(podName: string): string {
  return podName.slice(0, HOSTNAME_LENGTH_MAX).replace(/[-.]+$/, '');
}
