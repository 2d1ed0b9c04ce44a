/** What the cluster chose for an object stays chosen when the object is applied again without it. */
import type { ServicePort, ServiceSpec } from 'kubernetes-types/core/v1.d.ts';
import type { KubernetesObject, Pod, Service } from './object.ts';

/**
 * The object as it was written, with what the stored one has and it leaves to the cluster. What somebody else may have
 * put into the metadata of the stored one, its owners and finalizers, stays too.
 */
export function carryOver(wanted: KubernetesObject, stored: KubernetesObject): KubernetesObject {
  const { ownerReferences, finalizers } = stored.metadata;
  const metadata = {
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
    ...(finalizers === undefined ? {} : { finalizers }),
    ...wanted.metadata,
  };
  const object = { ...wanted, metadata };
  if (object.kind === 'Service') return withAllocated(object as Service, stored as Service);
  if (object.kind === 'Pod') return withNode(object as Pod, stored as Pod);
  if (object.kind === 'Namespace') return withNameLabel(object);
  return object;
}

function withNode(pod: Pod, stored: Pod): Pod {
  const nodeName = pod.spec.nodeName ?? stored.spec.nodeName;
  return { ...pod, spec: { ...pod.spec, ...(nodeName === undefined ? {} : { nodeName }) } };
}

function withNameLabel(namespace: KubernetesObject): KubernetesObject {
  const { labels, name } = namespace.metadata;
  const own = { 'kubernetes.io/metadata.name': name };
  return { ...namespace, metadata: { ...namespace.metadata, labels: { ...labels, ...own } } };
}

function hasClusterIp({ spec }: Service): boolean {
  return spec.type !== 'ExternalName';
}

function hasNodePorts({ spec }: Service): boolean {
  return spec.type === 'NodePort' || spec.type === 'LoadBalancer';
}

/** As pkg/registry/core/service/strategy.go, patchAllocatedValues. */
function withAllocated(service: Service, stored: Service): Service {
  const spec = { ...service.spec };
  if (hasClusterIp(service) && hasClusterIp(stored)) keepAddresses(spec, stored.spec);
  if (hasNodePorts(service) && hasNodePorts(stored)) {
    spec.ports = withNodePorts(spec.ports ?? [], stored.spec.ports ?? []);
    if (stored.spec.healthCheckNodePort !== undefined) spec.healthCheckNodePort ??= stored.spec.healthCheckNodePort;
  }
  return { ...service, spec };
}

/** Addresses and families stay while the first address does, and the policy that says how many there are. */
function keepAddresses(spec: ServiceSpec, stored: ServiceSpec): void {
  const { clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy } = stored;
  if (ipFamilyPolicy !== undefined) spec.ipFamilyPolicy ??= ipFamilyPolicy;
  if (clusterIP === undefined || (spec.clusterIP !== undefined && spec.clusterIP !== clusterIP)) return;
  spec.clusterIP = clusterIP;
  if (spec.ipFamilyPolicy !== ipFamilyPolicy) return;
  if (clusterIPs !== undefined) spec.clusterIPs ??= clusterIPs;
  if (ipFamilies !== undefined) spec.ipFamilies ??= ipFamilies;
}

/** Ports that were there before keep their node ports, unless another has been given the number. */
function withNodePorts(ports: readonly ServicePort[], stored: readonly ServicePort[]): ServicePort[] {
  const key = ({ protocol, port }: ServicePort) => `${protocol ?? 'TCP'} ${port}`;
  const before = new Map(stored.map((port) => [key(port), port.nodePort]));
  const given = new Set(ports.map(({ nodePort }) => nodePort));
  return ports.map((port) => {
    const nodePort = port.nodePort ?? before.get(key(port));
    const isFree = port.nodePort !== undefined || !given.has(nodePort);
    return nodePort === undefined || !isFree ? port : { ...port, nodePort };
  });
}
