/** Containers of pods: names, ports, probes. Environment, volumes and resources are not judged beyond their fields. */
import type { Container, ContainerPort, Lifecycle, PodSpec, Probe } from 'kubernetes-types/core/v1.d.ts';
import { shown } from '../field.ts';
import { dnsLabel, portName, protocols } from '../text-rule.ts';
import { type ObjectCheck, PORT_MAX } from './object-check.ts';

const probeNames = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;
const handlerNames = ['exec', 'httpGet', 'tcpSocket', 'grpc'] as const;
const pullPolicies = ['Always', 'IfNotPresent', 'Never'] as const;

/** core/v1/defaults.go: SetDefaults_Container, SetDefaults_Probe, SetDefaults_HTTPGetAction. */
export function completeContainer(container: Container): void {
  if (container.image !== undefined) {
    container.imagePullPolicy ??= isLatest(container.image) ? 'Always' : 'IfNotPresent';
  }
  container.terminationMessagePath ??= '/dev/termination-log';
  container.terminationMessagePolicy ??= 'File';
  for (const port of container.ports ?? []) port.protocol ??= 'TCP';
  for (const name of probeNames) {
    const probe = container[name];
    if (probe !== undefined) completeProbe(probe);
  }
  completeLifecycle(container.lifecycle);
}

/** Has the image the tag `latest`, or neither tag nor digest? The last colon after the last slash begins a tag. */
function isLatest(image: string): boolean {
  const [name = '', digest] = image.split('@');
  const [, tag] = name.slice(name.lastIndexOf('/') + 1).split(':');
  return tag === 'latest' || (tag === undefined && digest === undefined);
}

function completeProbe(probe: Probe): void {
  probe.timeoutSeconds = orDefault(probe.timeoutSeconds, 1);
  probe.periodSeconds = orDefault(probe.periodSeconds, 10);
  probe.successThreshold = orDefault(probe.successThreshold, 1);
  probe.failureThreshold = orDefault(probe.failureThreshold, 3);
  completeHttpGet(probe.httpGet);
  if (probe.grpc !== undefined) probe.grpc.service ??= '';
}

/** In Go a 0 is as good as nothing. */
function orDefault(value: number | undefined, byDefault: number): number {
  return value === undefined || value === 0 ? byDefault : value;
}

function completeLifecycle(lifecycle: Lifecycle | undefined): void {
  completeHttpGet(lifecycle?.postStart?.httpGet);
  completeHttpGet(lifecycle?.preStop?.httpGet);
}

function completeHttpGet(action: Probe['httpGet']): void {
  if (action === undefined) return;
  action.path ??= '/';
  action.scheme ??= 'HTTP';
}

/** core/validation: validateContainers and its like for init and ephemeral containers: one name each among all. */
export function checkContainers(spec: PodSpec, path: string, problems: ObjectCheck): void {
  const names = new Set<string>();
  for (const list of ['containers', 'initContainers', 'ephemeralContainers'] as const) {
    const containers: readonly Container[] = spec[list] ?? [];
    for (let i = 0; i < containers.length; i++) {
      const container = containers[i]!;
      const at = `${path}.${list}[${i}]`;
      problems.required(at, 'name', container.name, 'name: main');
      problems.text(`${at}.name`, container.name, dnsLabel);
      if (container.name) problems.first(`${at}.name`, names, container.name, `container ${shown(container.name)}`);
      problems.choice(`${at}.imagePullPolicy`, container.imagePullPolicy, pullPolicies);
      if (container.ports !== undefined) checkPorts(container.ports, `${at}.ports`, problems);
      for (const name of probeNames) checkProbe(container[name], `${at}.${name}`, problems);
    }
  }
}

/** core/validation: validateContainerPorts. */
function checkPorts(ports: readonly ContainerPort[], path: string, problems: ObjectCheck): void {
  const names = new Set<string>();
  for (let i = 0; i < ports.length; i++) {
    const { name, containerPort, protocol } = ports[i]!;
    const at = `${path}[${i}]`;
    problems.text(`${at}.name`, name, portName);
    if (name !== undefined) problems.first(`${at}.name`, names, name, `port ${shown(name)}`);
    problems.required(at, 'containerPort', containerPort, 'containerPort: 80');
    problems.integer(`${at}.containerPort`, containerPort, 1, PORT_MAX);
    problems.choice(`${at}.protocol`, protocol, protocols);
  }
}

/** core/validation: validateProbe, validateHandler. */
function checkProbe(probe: Probe | undefined, path: string, problems: ObjectCheck): void {
  if (probe === undefined) return;
  const handlers = handlerNames.filter((name) => probe[name] !== undefined);
  if (handlers.length !== 1) {
    const found = handlers.length === 0 ? 'no handler' : `the handlers ${handlers.join(' and ')}`;
    problems.refuse(path, `found ${found}, expected exactly one of ${handlerNames.join(', ')}`);
  }
  problems.count(`${path}.initialDelaySeconds`, probe.initialDelaySeconds);
  problems.count(`${path}.timeoutSeconds`, probe.timeoutSeconds);
  problems.count(`${path}.periodSeconds`, probe.periodSeconds);
  problems.count(`${path}.failureThreshold`, probe.failureThreshold);
  problems.count(`${path}.successThreshold`, probe.successThreshold);
  if (!path.endsWith('.readinessProbe') && probe.successThreshold !== 1) {
    problems.refuse(`${path}.successThreshold`, `found ${probe.successThreshold}, expected 1 in this probe; remove it`);
  }
  const { exec, httpGet, tcpSocket, grpc } = probe;
  if (exec !== undefined && (exec.command ?? []).length === 0) {
    problems.refuse(`${path}.exec`, 'found no command, expected one; add "command: [cat, /tmp/healthy]"');
  }
  if (httpGet !== undefined) {
    checkProbePort(httpGet.port, `${path}.httpGet`, problems);
    problems.choice(`${path}.httpGet.scheme`, httpGet.scheme, ['HTTP', 'HTTPS']);
  }
  if (tcpSocket !== undefined) checkProbePort(tcpSocket.port, `${path}.tcpSocket`, problems);
  if (grpc !== undefined) checkProbePort(grpc.port, `${path}.grpc`, problems);
}

function checkProbePort(port: number | string | undefined, path: string, problems: ObjectCheck): void {
  problems.required(path, 'port', port, 'port: 80');
  problems.port(`${path}.port`, port);
}
