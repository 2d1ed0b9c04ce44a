/** Kind NetworkPolicy (networking.k8s.io/v1). */
import type { NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec } from 'kubernetes-types/networking/v1.d.ts';
import type { KubernetesObject } from '../../store/object.ts';
import { shown } from '../field.ts';
import { type Cidr, cidrContains, cidrFault, parseCidr } from '../ip-address.ts';
import { dnsSubdomain, protocols } from '../text-rule.ts';
import { checkLabelSelector } from './label-selector.ts';
import { type ObjectCheck, PORT_MAX } from './object-check.ts';
import type { ObjectKind } from './object-kind.ts';

interface NetworkPolicy extends KubernetesObject {
  readonly spec: NetworkPolicySpec;
}

export const networkPolicyKind: ObjectKind<NetworkPolicy> = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  isNamespaced: true,
  nameRule: dnsSubdomain,

  /** networking/v1/defaults.go. A podSelector left out is an empty one: all pods of the namespace. */
  complete({ spec }) {
    spec.podSelector ??= {};
    if ((spec.policyTypes ?? []).length === 0) {
      spec.policyTypes = (spec.egress ?? []).length === 0 ? ['Ingress'] : ['Ingress', 'Egress'];
    }
    for (const { ports = [] } of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
      for (const port of ports) port.protocol ??= 'TCP';
    }
  },

  /** networking/validation: ValidateNetworkPolicySpec. */
  check({ spec }, problems) {
    checkLabelSelector(spec.podSelector, 'spec.podSelector', problems);
    for (const [i, { ports, from }] of (spec.ingress ?? []).entries()) {
      checkRule(`spec.ingress[${i}]`, ports, 'from', from, problems);
    }
    for (const [i, { ports, to }] of (spec.egress ?? []).entries()) {
      checkRule(`spec.egress[${i}]`, ports, 'to', to, problems);
    }
    const types = spec.policyTypes ?? [];
    if (types.length > 2) problems.refuse('spec.policyTypes', `found ${types.length} types, expected at most two`);
    for (const [i, type] of types.entries()) problems.choice(`spec.policyTypes[${i}]`, type, ['Ingress', 'Egress']);
  },
};

function checkRule(
  path: string,
  ports: readonly NetworkPolicyPort[] | undefined,
  side: 'from' | 'to',
  peers: readonly NetworkPolicyPeer[] | undefined,
  problems: ObjectCheck,
): void {
  for (const [i, port] of (ports ?? []).entries()) checkPort(port, `${path}.ports[${i}]`, problems);
  for (const [i, peer] of (peers ?? []).entries()) checkPeer(peer, `${path}.${side}[${i}]`, problems);
}

function checkPort({ protocol, port, endPort }: NetworkPolicyPort, path: string, problems: ObjectCheck): void {
  // Pointers in the API: an empty text is there, and is neither TCP nor every port.
  problems.notEmpty(`${path}.protocol`, protocols.join(' or '));
  problems.choice(`${path}.protocol`, protocol, protocols);
  problems.notEmpty(`${path}.port`, 'a number from 1 to 65535, a name, or for all ports nothing');
  problems.port(`${path}.port`, port);
  if (endPort === undefined) return;
  problems.integer(`${path}.endPort`, endPort, 1, PORT_MAX);
  if (typeof port !== 'number') {
    const found = port === undefined ? 'no port' : 'a port by name';
    problems.refuse(`${path}.endPort`, `found ${found} beside endPort, expected a number; add or change port`);
  } else if (endPort < port) {
    problems.refuse(`${path}.endPort`, `found ${endPort}, expected port, ${port}, or more`);
  }
}

function checkPeer(peer: NetworkPolicyPeer, path: string, problems: ObjectCheck): void {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  checkLabelSelector(podSelector, `${path}.podSelector`, problems);
  checkLabelSelector(namespaceSelector, `${path}.namespaceSelector`, problems);
  const hasSelector = podSelector !== undefined || namespaceSelector !== undefined;
  if (!hasSelector && ipBlock === undefined) {
    problems.refuse(
      path,
      'found no peer, expected podSelector, namespaceSelector or ipBlock; for all, leave the list out',
    );
  }
  if (ipBlock === undefined) return;
  if (hasSelector) {
    problems.refuse(path, 'found ipBlock beside a selector, expected one of them; make two entries');
  }
  problems.required(`${path}.ipBlock`, 'cidr', ipBlock.cidr, 'cidr: 10.0.0.0/8');
  const block = ipBlock.cidr ? readCidr(`${path}.ipBlock.cidr`, ipBlock.cidr, problems) : undefined;
  for (const [i, text] of (ipBlock.except ?? []).entries()) {
    const at = `${path}.ipBlock.except[${i}]`;
    const except = readCidr(at, text, problems);
    if (block === undefined || except === undefined) continue;
    if (cidrContains(block, except.network) && except.prefixLength > block.prefixLength) continue;
    problems.refuse(at, `found ${shown(text)}, expected a part of cidr, ${shown(ipBlock.cidr)}, smaller than it`);
  }
}

/**
 * As with StrictIPCIDRValidation (KEP-4858). Without, Kubernetes takes blocks with bits set after the prefix, and warns;
 * which pods they mean differs between implementations.
 */
function readCidr(path: string, text: string, problems: ObjectCheck): Cidr | undefined {
  const cidr = parseCidr(text);
  if (cidr === undefined) problems.refuse(path, `found ${shown(text)}, expected ${cidrFault(text)}`);
  return cidr;
}
