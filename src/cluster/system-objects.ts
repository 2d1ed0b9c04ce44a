/** What a cluster has before anybody applies anything: as kubeadm leaves it, where that shapes the network. */
import { SERVICE_NAME } from '../controllers/slice-set.ts';
import type { KubernetesObject, Node } from '../store/object.ts';
import { formatAddress, nthAddress, parseCidr } from './ip-address.ts';
import { DNS_LABELS, SYSTEM_NAMESPACE } from './placed-pod.ts';
import type { Topology, TopologyNode } from './topology.ts';

const API_PORT = 6443;
const DNS_PORT = 53;
/** The tenth address of each Service network is the name service's (cmd/kubeadm/app/constants, GetDNSIP). */
const DNS_ADDRESS = 10;
const DNS_REPLICAS = 2;

/** Addresses of `kube-system/kube-dns`, one a family. */
export function dnsAddresses(topology: Topology): string[] {
  return serviceAddresses(topology, DNS_ADDRESS);
}

/** They are there from the beginning, and may not be deleted. */
export const systemNamespaces: readonly string[] = ['default', SYSTEM_NAMESPACE, 'kube-public', 'kube-node-lease'];

export function namespaceObject(name: string): KubernetesObject {
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: {}, status: { phase: 'Active' } };
  return object as KubernetesObject;
}

/** Namespaces and nodes: there before anything else. */
export function frameObjects(topology: Topology): KubernetesObject[] {
  return [...systemNamespaces.map(namespaceObject), ...topology.nodes.map((node) => nodeObject(node, false))];
}

/** The API's Service and the name service. Added after the first manifests, so that those get the first addresses. */
export function addonObjects(topology: Topology): KubernetesObject[] {
  return [apiService(topology), apiEndpoints(topology), nameService(topology), nameServers()];
}

/** Fields that a node's status must have and that mean nothing here. */
const UNKNOWN_MACHINE = {
  ...{ bootID: '', machineID: '', systemUUID: '', kernelVersion: '', osImage: '' },
  ...{ containerRuntimeVersion: 'podwire', kubeletVersion: 'podwire', kubeProxyVersion: '' },
};

function nodeObject(node: TopologyNode, ready: boolean): Node {
  const { name, labels, annotations, taints, podCidrs, underlayAddress } = node;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels, annotations },
    spec: {
      ...(podCidrs[0] === undefined ? {} : { podCIDR: podCidrs[0] }),
      podCIDRs: podCidrs,
      ...(taints.length === 0 ? {} : { taints }),
    },
    status: {
      addresses: [
        { type: 'InternalIP', address: underlayAddress },
        { type: 'Hostname', address: name },
      ],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      nodeInfo: { ...UNKNOWN_MACHINE, operatingSystem: 'linux', architecture: labels['kubernetes.io/arch'] ?? '' },
    },
  };
}

/** podwire's API is a unix socket; the Service is there for those who look it up, and refuses connections. */
function apiService(topology: Topology): KubernetesObject {
  const [clusterIP, ...others] = serviceAddresses(topology, 1);
  return service(
    'default',
    'kubernetes',
    { component: 'apiserver', provider: 'kubernetes' },
    {
      clusterIP,
      clusterIPs: [clusterIP, ...others].slice(0, 1), // single-stack, as kube-apiserver makes it
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: API_PORT }],
    },
  );
}

function apiEndpoints({ nodes }: Topology): KubernetesObject {
  const labels = { [SERVICE_NAME]: 'kubernetes' };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'kubernetes', namespace: 'default', labels },
    addressType: 'IPv4',
    endpoints: [{ addresses: [nodes[0]!.underlayAddress], conditions: { ready: true } }],
    ports: [{ name: 'https', port: API_PORT, protocol: 'TCP' }],
  } as KubernetesObject;
}

function nameService(topology: Topology): KubernetesObject {
  const clusterIPs = dnsAddresses(topology);
  const labels = { ...DNS_LABELS, 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' };
  return service(SYSTEM_NAMESPACE, 'kube-dns', labels, {
    selector: DNS_LABELS,
    clusterIP: clusterIPs[0],
    clusterIPs,
    ipFamilyPolicy: clusterIPs.length > 1 ? 'RequireDualStack' : 'SingleStack',
    ports: [
      { name: 'dns', port: DNS_PORT, protocol: 'UDP', targetPort: DNS_PORT },
      { name: 'dns-tcp', port: DNS_PORT, protocol: 'TCP', targetPort: DNS_PORT },
    ],
  });
}

function service(namespace: string, name: string, labels: object, spec: object): KubernetesObject {
  const defaults = { type: 'ClusterIP', sessionAffinity: 'None', internalTrafficPolicy: 'Cluster' };
  const object = { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace, labels } };
  return { ...object, spec: { ...defaults, ...spec } } as KubernetesObject;
}

/** cmd/kubeadm/app/phases/addons/dns/manifests.go, less what runs an image. */
function nameServers(): KubernetesObject {
  const hosts = { labelSelector: { matchLabels: DNS_LABELS }, topologyKey: 'kubernetes.io/hostname' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'coredns', namespace: SYSTEM_NAMESPACE, labels: DNS_LABELS },
    spec: {
      replicas: DNS_REPLICAS,
      selector: { matchLabels: DNS_LABELS },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: '25%' } },
      template: {
        metadata: { labels: DNS_LABELS },
        spec: {
          dnsPolicy: 'Default',
          restartPolicy: 'Always',
          priorityClassName: 'system-cluster-critical',
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          tolerations: [
            { key: 'CriticalAddonsOnly', operator: 'Exists' },
            { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' },
          ],
          affinity: {
            podAntiAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: hosts }],
            },
          },
          containers: [
            {
              name: 'coredns',
              image: 'podwire/names',
              ports: [
                { name: 'dns', containerPort: DNS_PORT, protocol: 'UDP' },
                { name: 'dns-tcp', containerPort: DNS_PORT, protocol: 'TCP' },
              ],
            },
          ],
        },
      },
    },
  } as KubernetesObject;
}

/** The nth address of each Service network, IPv4 first. */
function serviceAddresses(topology: Topology, index: number): string[] {
  return topology.serviceSubnets.map((subnet) => formatAddress(nthAddress(parseCidr(subnet)!, index)!));
}
