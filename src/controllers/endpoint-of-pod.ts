/** A pod as an endpoint of a Service (k8s.io/endpointslice/utils.go and reconciler.go). */
import type { ServicePort } from 'kubernetes-types/core/v1.d.ts';
import type { Endpoint, EndpointPort } from 'kubernetes-types/discovery/v1.d.ts';
import { parseAddress } from '../cluster/ip-address.ts';
import type { Node, Pod, Service } from '../store/object.ts';
import { isReady, isTerminal, isTerminating, podAddresses } from './pod-state.ts';

const ZONE = 'topology.kubernetes.io/zone';

/** The pod's first address of a family; undefined when it is no endpoint of that family. */
export function endpointAddress(pod: Pod, addressType: 'IPv4' | 'IPv6'): string | undefined {
  if (isTerminal(pod) || pod.status?.hostIP === undefined) return undefined;
  const family = addressType === 'IPv4' ? 'ipv4' : 'ipv6';
  return podAddresses(pod).find(
    (address) => (address.includes(':') ? 'ipv6' : 'ipv4') === family && parseAddress(address),
  );
}

/** @param node the pod's; undefined when it is gone */
export function endpointOf(pod: Pod, address: string, service: Service, node: Node | undefined): Endpoint {
  const { namespace = '', name, uid = '' } = pod.metadata;
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const zone = node?.metadata.labels?.[ZONE];
  const { hostname, subdomain, nodeName } = pod.spec;
  const isNamed = hostname !== undefined && hostname !== '' && subdomain === service.metadata.name;
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    ...(isNamed ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
    ...(zone === undefined ? {} : { zone }),
  };
}

/** The Service's ports on this pod; a port whose name none of its containers has is left out. */
export function endpointPorts(pod: Pod, service: Service): EndpointPort[] {
  return (service.spec.ports ?? []).flatMap((servicePort) => {
    const port = targetPort(pod, servicePort);
    if (port === undefined) return [];
    const { name = '', protocol = 'TCP', appProtocol } = servicePort;
    return [{ name, port, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

/** pkg/api/v1/pod/util.go, FindPort. */
function targetPort(
  { spec }: Pod,
  { port, protocol = 'TCP', targetPort: target = port }: ServicePort,
): number | undefined {
  if (typeof target === 'number') return target === 0 ? port : target;
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const { ports } of [...spec.containers, ...sidecars]) {
    for (const found of ports ?? []) {
      if (found.name === target && (found.protocol ?? 'TCP') === protocol) return found.containerPort;
    }
  }
  return undefined;
}
