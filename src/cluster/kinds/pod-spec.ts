/** What pods and pod templates have in common: defaults and rules of PodSpec, but for its containers and scheduling. */
import type { PodSpec, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import { shown } from '../field.ts';
import { dnsLabel, dnsSubdomain } from '../text-rule.ts';
import { checkContainers, completeContainer } from './container.ts';
import { type ObjectCheck, PORT_MAX } from './object-check.ts';
import { checkLabels, checkTemplateMetadata } from './object-kind.ts';
import { checkScheduling } from './scheduling.ts';

const dnsPolicies = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'] as const;
const restartPolicies = ['Always', 'OnFailure', 'Never'] as const;

/** core/types.go: MaxDNSNameservers, and what a resolver takes. */
const NAME_SERVERS_MAX = 3;
const SEARCH_DOMAINS_MAX = 32;

/** Fields that would move pods or traffic and that nothing obeys yet: said aloud rather than ignored. */
const NOT_OBEYED = ['schedulingGates', 'hostAliases'] as const;

/** core/v1/defaults.go: SetDefaults_PodSpec and those of what it holds, but for volumes. */
export function completePodSpec(spec: PodSpec): void {
  spec.containers ??= []; // ours: images are not run
  spec.dnsPolicy ??= 'ClusterFirst';
  spec.restartPolicy ??= 'Always';
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  spec.schedulerName ??= 'default-scheduler';
  for (const container of spec.containers) completeContainer(container);
  for (const container of spec.initContainers ?? []) completeContainer(container);
  for (const container of spec.ephemeralContainers ?? []) completeContainer(container);
}

/** core/validation: ValidatePodSpec. Volumes, security contexts, claims and resources are not judged. */
export function checkPodSpec(spec: PodSpec, path: string, problems: ObjectCheck): void {
  for (const name of NOT_OBEYED) {
    if (spec[name] !== undefined) problems.note(`${path}.${name}`, `${name} of pods is not obeyed yet`);
  }
  checkContainers(spec, path, problems);
  problems.choice(`${path}.restartPolicy`, spec.restartPolicy, restartPolicies);
  checkNames(spec, path, problems);
  checkDns(spec, path, problems);
  checkLabels(spec.nodeSelector, `${path}.nodeSelector`, problems);
  checkScheduling(spec, path, problems);
  checkHostPorts(spec, path, problems);
  problems.count(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds);
  problems.count(`${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 1);
}

function checkNames(spec: PodSpec, path: string, problems: ObjectCheck): void {
  problems.text(`${path}.hostname`, spec.hostname, dnsLabel);
  problems.text(`${path}.subdomain`, spec.subdomain, dnsLabel);
  problems.text(`${path}.nodeName`, spec.nodeName, dnsSubdomain);
  problems.text(`${path}.serviceAccountName`, spec.serviceAccountName, dnsSubdomain);
  problems.text(`${path}.priorityClassName`, spec.priorityClassName, dnsSubdomain);
  problems.text(`${path}.runtimeClassName`, spec.runtimeClassName, dnsSubdomain);
  for (const [i, { ip, hostnames = [] }] of (spec.hostAliases ?? []).entries()) {
    const at = `${path}.hostAliases[${i}]`;
    problems.address(`${at}.ip`, ip);
    for (const [j, name] of hostnames.entries()) problems.text(`${at}.hostnames[${j}]`, name, dnsSubdomain);
  }
}

/** core/validation: validatePodDNSConfig. */
function checkDns({ dnsPolicy, dnsConfig }: PodSpec, path: string, problems: ObjectCheck): void {
  problems.choice(`${path}.dnsPolicy`, dnsPolicy, dnsPolicies);
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {};
  if (dnsPolicy === 'None' && nameservers.length === 0) {
    problems.refuse(`${path}.dnsConfig`, 'found no nameservers, expected at least one as dnsPolicy is None; add one');
  }
  if (nameservers.length > NAME_SERVERS_MAX) {
    const message = `found ${nameservers.length} name servers, expected at most ${NAME_SERVERS_MAX}; remove the others`;
    problems.refuse(`${path}.dnsConfig.nameservers`, message);
  }
  for (const [i, address] of nameservers.entries()) problems.address(`${path}.dnsConfig.nameservers[${i}]`, address);
  if (searches.length > SEARCH_DOMAINS_MAX) {
    const message = `found ${searches.length} domains, expected at most ${SEARCH_DOMAINS_MAX}; remove the others`;
    problems.refuse(`${path}.dnsConfig.searches`, message);
  }
  for (const [i, { name }] of options.entries()) {
    problems.required(`${path}.dnsConfig.options[${i}]`, 'name', name, 'name: ndots');
  }
}

/** core/validation: checkHostPortConflicts, validatePodHostNetworkDeps. */
function checkHostPorts(spec: PodSpec, path: string, problems: ObjectCheck): void {
  const seen = new Set<string>();
  for (const [i, { ports = [] }] of (spec.containers ?? []).entries()) {
    for (const [j, { hostPort = 0, hostIP = '', containerPort, protocol }] of ports.entries()) {
      if (hostPort === 0) continue;
      const at = `${path}.containers[${i}].ports[${j}].hostPort`;
      problems.integer(at, hostPort, 1, PORT_MAX);
      problems.first(at, seen, `${protocol}/${hostIP}/${hostPort}`, `hostPort ${hostPort}/${protocol}`);
      if (spec.hostNetwork !== true) problems.note(at, 'hostPort of containers is not obeyed yet');
      else if (hostPort !== containerPort) {
        problems.refuse(at, `found ${hostPort}, expected containerPort, ${containerPort}, as hostNetwork is true`);
      }
    }
  }
}

/**
 * A workload's template.
 *
 * @param restarts what restartPolicy may be
 */
export function checkTemplate(
  template: PodTemplateSpec | undefined,
  path: string,
  restarts: readonly string[],
  problems: ObjectCheck,
): void {
  const owner = path.slice(0, path.lastIndexOf('.'));
  problems.required(owner, 'template', template, 'template: {metadata: {labels: …}, spec: …}');
  if (template === undefined) return;
  checkTemplateMetadata(template.metadata, `${path}.metadata`, problems);
  const { spec } = template;
  problems.required(path, 'spec', spec, 'spec: {containers: …}');
  if (spec === undefined) return;
  checkPodSpec(spec, `${path}.spec`, problems);
  const { restartPolicy = 'Always' } = spec;
  if (restarts.includes(restartPolicy)) return;
  const message = `found ${shown(restartPolicy)}, expected ${restarts.join(' or ')} in this kind of workload`;
  const remedy = restarts.length > 1 ? `; write "restartPolicy: ${restarts[0]}"` : '; remove it';
  problems.refuse(`${path}.spec.restartPolicy`, `${message}${remedy}`);
}
