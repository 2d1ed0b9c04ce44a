/** Kind Pod (v1). Images are not run, so a pod without containers is a pod. */
import type { PodStatus } from 'kubernetes-types/core/v1.d.ts';
import type { Pod } from '../../store/object.ts';
import { shown } from '../field.ts';
import { formatAddress, parseAddress } from '../ip-address.ts';
import { dnsSubdomain } from '../text-rule.ts';
import type { ObjectCheck } from './object-check.ts';
import type { ObjectKind } from './object-kind.ts';
import { checkPodSpec, completePodSpec } from './pod-spec.ts';

export const podKind: ObjectKind<Pod> = {
  apiVersion: 'v1',
  kind: 'Pod',
  isNamespaced: true,
  nameRule: dnsSubdomain,

  complete({ spec, status }) {
    completePodSpec(spec);
    spec.enableServiceLinks ??= true;
    if (spec.hostNetwork === true) {
      const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
      for (const port of containers.flatMap(({ ports = [] }) => ports)) port.hostPort ??= port.containerPort;
    }
    if (status !== undefined) completeAddresses(status);
  },

  check({ spec, status }, problems) {
    checkPodSpec(spec, 'spec', problems);
    if (status !== undefined) checkAddresses(status, problems);
  },
};

/** Addresses that the pod must get. podIPs holds all and podIP the first of them; either may stand alone. */
function completeAddresses(status: PodStatus): void {
  for (const entry of status.podIPs ?? []) if (entry.ip !== undefined) entry.ip = canonical(entry.ip);
  if (status.podIP !== undefined) status.podIP = canonical(status.podIP);
  const first = status.podIPs?.[0]?.ip;
  if (status.podIP === undefined && first !== undefined) status.podIP = first;
  else if (status.podIP !== undefined && first === undefined) status.podIPs = [{ ip: status.podIP }];
}

/** As Kubernetes writes addresses (RFC 5952); what is none stays for the check to tell. */
function canonical(text: string): string {
  const address = parseAddress(text);
  return address === undefined ? text : formatAddress(address);
}

/** core/validation: validatePodIPs. */
function checkAddresses({ podIP, podIPs = [] }: PodStatus, problems: ObjectCheck): void {
  problems.address('status.podIP', podIP);
  for (const [i, { ip }] of podIPs.entries()) {
    problems.required(`status.podIPs[${i}]`, 'ip', ip, 'ip: 10.244.0.7');
    // A podIP that stands alone was judged above.
    if (ip !== podIP) problems.address(`status.podIPs[${i}].ip`, ip);
  }
  const first = podIPs[0]?.ip;
  if (first !== undefined && podIP !== first) {
    problems.refuse('status.podIP', `found ${podIP}, expected the first of podIPs, ${first}; make them equal`);
  }
  const families = new Set<string>();
  for (const [i, { ip = '' }] of podIPs.entries()) {
    const family = parseAddress(ip)?.family;
    if (family !== undefined && families.has(family)) {
      problems.refuse(`status.podIPs[${i}].ip`, `found ${shown(ip)}, expected one address a family; remove one`);
    }
    if (family !== undefined) families.add(family);
  }
}
