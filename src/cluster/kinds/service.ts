/** Kind Service (v1). Which addresses it gets, and whether they are free, is judged where they are given out. */
import type { ServicePort, ServiceSpec } from 'kubernetes-types/core/v1.d.ts';
import type { Service } from '../../store/object.ts';
import { shown } from '../field.ts';
import { cidrFault, parseAddress, parseCidr } from '../ip-address.ts';
import { dnsLabel, dnsSubdomain, protocols, qualifiedName, serviceName } from '../text-rule.ts';
import { checkEndpointAddress } from './endpoint-address.ts';
import { type ObjectCheck, PORT_MAX } from './object-check.ts';
import { checkLabels, type ObjectKind } from './object-kind.ts';

/** core/types.go: three hours, and at most a day. */
const AFFINITY_SECONDS = 10_800;
const AFFINITY_SECONDS_MAX = 86_400;

const types = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const;
const trafficPolicies = ['Cluster', 'Local'] as const;
const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode'] as const;
const familyPolicies = ['SingleStack', 'PreferDualStack', 'RequireDualStack'] as const;

export const serviceKind: ObjectKind<Service> = {
  apiVersion: 'v1',
  kind: 'Service',
  isNamespaced: true,
  nameRule: serviceName,

  complete({ spec }) {
    completeService(spec);
  },

  check({ spec }, problems) {
    problems.choice('spec.type', spec.type, types);
    checkLabels(spec.selector, 'spec.selector', problems);
    checkPorts(spec, problems);
    if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') {
      problems.note(
        'spec.type',
        `Services of type ${spec.type} have their cluster IP only: nodes do not serve node ports yet`,
      );
    }
    if (spec.type === 'ExternalName') checkExternalName(spec, problems);
    checkClusterAddresses(spec, problems);
    checkFamilies(spec, problems);
    checkAffinity(spec, problems);
    checkTrafficPolicies(spec, problems);
    for (const [i, address] of (spec.externalIPs ?? []).entries()) {
      checkEndpointAddress(`spec.externalIPs[${i}]`, address, problems);
    }
    checkLoadBalancer(spec, problems);
  },
};

/** core/v1/defaults.go, SetDefaults_Service. */
function completeService(spec: ServiceSpec): void {
  spec.type ??= 'ClusterIP';
  spec.sessionAffinity ??= 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP' && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined) {
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: AFFINITY_SECONDS } };
  }
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0) port.targetPort = port.port;
    if (port.targetPort === undefined) delete port.targetPort;
  }
  if (isExternal(spec)) spec.externalTrafficPolicy ??= 'Cluster';
  if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
}

/** pkg/api/v1/service: ExternallyAccessible. */
function isExternal({ type, externalIPs = [] }: ServiceSpec): boolean {
  return type === 'NodePort' || type === 'LoadBalancer' || (type === 'ClusterIP' && externalIPs.length > 0);
}

function isHeadless({ clusterIP, clusterIPs }: ServiceSpec): boolean {
  return clusterIP === 'None' || clusterIPs?.[0] === 'None';
}

function checkPorts(spec: ServiceSpec, problems: ObjectCheck): void {
  const { ports = [], type } = spec;
  if (ports.length === 0 && type !== 'ExternalName' && !isHeadless(spec)) {
    problems.required('spec', 'ports', undefined, 'ports: [{port: 80}]');
  }
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (let i = 0; i < ports.length; i++) {
    const port = ports[i]!;
    const path = `spec.ports[${i}]`;
    checkPort(port, path, ports.length > 1, problems);
    if (port.name !== undefined) problems.first(`${path}.name`, names, port.name, `port ${shown(port.name)}`);
    const number = `${port.port}/${port.protocol}`;
    if (port.port !== undefined) problems.first(path, numbers, number, `port ${number}`);
    const { nodePort = 0 } = port;
    if (nodePort === 0) continue;
    const nodeNumber = `${nodePort}/${port.protocol}`;
    problems.first(`${path}.nodePort`, nodePorts, nodeNumber, `nodePort ${nodeNumber}`);
    if (type === 'ClusterIP') {
      problems.refuse(`${path}.nodePort`, 'found a nodePort, expected none in a Service of type ClusterIP; remove it');
    }
  }
}

/** core/validation: validateServicePort. */
function checkPort(port: ServicePort, path: string, isOneOfMany: boolean, problems: ObjectCheck): void {
  if (isOneOfMany) problems.required(path, 'name', port.name, 'name: http');
  problems.text(`${path}.name`, port.name, dnsLabel);
  problems.required(path, 'port', port.port, 'port: 80');
  problems.integer(`${path}.port`, port.port, 1, PORT_MAX);
  problems.choice(`${path}.protocol`, port.protocol, protocols);
  // Where targetPort is the port itself, that was judged already.
  if (port.targetPort !== port.port) problems.port(`${path}.targetPort`, port.targetPort);
  problems.integer(`${path}.nodePort`, port.nodePort, 0, PORT_MAX);
  problems.text(`${path}.appProtocol`, port.appProtocol, qualifiedName);
}

function checkExternalName(spec: ServiceSpec, problems: ObjectCheck): void {
  problems.required('spec', 'externalName', spec.externalName, 'externalName: db.example.com');
  problems.text('spec.externalName', spec.externalName?.replace(/\.$/, ''), dnsSubdomain);
  for (const name of ['clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'clusterIP'] as const) {
    if (spec[name] === undefined || spec[name].length === 0) continue;
    problems.refuse(`spec.${name}`, `found ${name}, expected none in a Service of type ExternalName; remove it`);
  }
}

/** core/validation: ValidateServiceClusterIPsRelatedFields, as far as the Service stands for itself. */
function checkClusterAddresses(spec: ServiceSpec, problems: ObjectCheck): void {
  const { clusterIP, clusterIPs = [], type } = spec;
  if (type === 'ExternalName') return;
  if (clusterIP !== 'None') problems.address('spec.clusterIP', clusterIP);
  for (const [i, address] of clusterIPs.entries()) {
    if (address !== 'None') problems.address(`spec.clusterIPs[${i}]`, address);
    else if (i > 0) problems.refuse(`spec.clusterIPs[${i}]`, 'found "None", expected it alone, as the first');
  }
  const first = clusterIPs[0];
  if (first !== undefined && first !== clusterIP) {
    const message = `found ${shown(clusterIP ?? '')}, expected the first of clusterIPs, ${shown(first)}; make them equal`;
    problems.refuse('spec.clusterIP', message);
  }
  const families = clusterIPs.map((address) => parseAddress(address)?.family);
  if (clusterIPs.length > 2 || (families.length === 2 && families[0] === families[1])) {
    problems.refuse('spec.clusterIPs', 'found two addresses of a family, expected at most one each; remove one');
  }
  if (isHeadless(spec) && (type === 'NodePort' || type === 'LoadBalancer')) {
    problems.refuse('spec.clusterIP', `found "None", expected an address or nothing in a Service of type ${type}`);
  }
}

function checkFamilies({ ipFamilies = [], ipFamilyPolicy, type }: ServiceSpec, problems: ObjectCheck): void {
  if (type === 'ExternalName') return;
  problems.choice('spec.ipFamilyPolicy', ipFamilyPolicy, familyPolicies);
  const seen = new Set<string>();
  for (const [i, family] of ipFamilies.entries()) {
    problems.choice(`spec.ipFamilies[${i}]`, family, ['IPv4', 'IPv6']);
    problems.first(`spec.ipFamilies[${i}]`, seen, family, shown(family));
  }
  if (ipFamilyPolicy === 'SingleStack' && ipFamilies.length > 1) {
    problems.refuse('spec.ipFamilies', 'found two families, expected one as ipFamilyPolicy is SingleStack; change one');
  }
}

function checkAffinity({ sessionAffinity, sessionAffinityConfig }: ServiceSpec, problems: ObjectCheck): void {
  problems.choice('spec.sessionAffinity', sessionAffinity, ['None', 'ClientIP']);
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  problems.integer('spec.sessionAffinityConfig.clientIP.timeoutSeconds', seconds, 1, AFFINITY_SECONDS_MAX);
}

function checkTrafficPolicies(spec: ServiceSpec, problems: ObjectCheck): void {
  problems.choice('spec.internalTrafficPolicy', spec.internalTrafficPolicy, trafficPolicies);
  problems.choice('spec.externalTrafficPolicy', spec.externalTrafficPolicy, trafficPolicies);
  problems.choice('spec.trafficDistribution', spec.trafficDistribution, distributions);
  if (spec.externalTrafficPolicy !== undefined && !isExternal(spec)) {
    const message = 'found one, expected none in a Service that only the cluster reaches; remove it or change type';
    problems.refuse('spec.externalTrafficPolicy', message);
  }
}

function checkLoadBalancer(spec: ServiceSpec, problems: ObjectCheck): void {
  for (const [i, text] of (spec.loadBalancerSourceRanges ?? []).entries()) {
    // Blanks around a block are taken (core/validation says: a historical accident).
    const block = text.trim();
    if (parseCidr(block) !== undefined) continue;
    problems.refuse(`spec.loadBalancerSourceRanges[${i}]`, `found ${shown(text)}, expected ${cidrFault(block)}`);
  }
  const { type, externalTrafficPolicy, healthCheckNodePort = 0 } = spec;
  problems.integer('spec.healthCheckNodePort', healthCheckNodePort, 0, PORT_MAX);
  if (healthCheckNodePort !== 0 && !(type === 'LoadBalancer' && externalTrafficPolicy === 'Local')) {
    const message =
      'found one, expected none unless type is LoadBalancer and externalTrafficPolicy is Local; remove it';
    problems.refuse('spec.healthCheckNodePort', message);
  }
  if (type === 'LoadBalancer') return;
  for (const name of ['loadBalancerSourceRanges', 'allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const) {
    if (spec[name] === undefined || (Array.isArray(spec[name]) && spec[name].length === 0)) continue;
    problems.refuse(
      `spec.${name}`,
      `found one, expected none as type is ${type}; remove it, or write "type: LoadBalancer"`,
    );
  }
}
