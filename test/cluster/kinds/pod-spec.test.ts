/** Rules of pods that pod templates share. */
import { describe, expect, test } from 'vitest';
import { objectsOf, podText } from '../refusal.ts';
import { testRefusals } from './refused.ts';

const spec = (fields: string) => podText('a', `spec: {${fields}}`);
const container = (fields: string) => spec(`containers: [{name: c, ${fields}}]`);
const probe = (fields: string) => container(`livenessProbe: {${fields}}`);
const spread = (fields: string) => spec(`topologySpreadConstraints: [{${fields}}]`);
const whole = 'maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule';
const nodeTerm = (expression: string) =>
  spec(
    `affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{${expression}}]}}}`,
  );
const podTerm = (fields: string) =>
  spec(`affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{${fields}}]}}`);
const preferred = (side: string, fields: string) =>
  spec(`affinity: {${side}: {preferredDuringSchedulingIgnoredDuringExecution: [{${fields}}]}}`);

test('what the API server takes', () => {
  const texts = [
    probe('exec: {command: [a]}, initialDelaySeconds: 5'),
    probe('grpc: {port: 9000}'),
    container('readinessProbe: {tcpSocket: {port: http}, successThreshold: 3}'),
    container('resources: {limits: {cpu: 1, memory: 1.5Gi}, requests: {cpu: 100m, memory: 1e3}}'),
    container('env: [{name: A, value: ""}, {name: B, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]'),
    spec('tolerations: [{operator: Exists}, {key: a, value: b, effect: NoExecute, tolerationSeconds: 5}]'),
    spread(`${whole}, minDomains: 2, labelSelector: {matchLabels: {a: b}}, nodeTaintsPolicy: Honor`),
    nodeTerm('matchExpressions: [{key: a, operator: In, values: [b]}, {key: c, operator: Gt, values: ["5"]}]'),
    nodeTerm('matchFields: [{key: metadata.name, operator: In, values: [n1]}]'),
    podTerm('topologyKey: kubernetes.io/hostname, labelSelector: {}, namespaces: [a]'),
    preferred('nodeAffinity', 'weight: 1, preference: {matchExpressions: [{key: a, operator: Exists}]}'),
    preferred('podAffinity', 'weight: 100, podAffinityTerm: {topologyKey: zone}'),
    spec(
      'dnsPolicy: None, dnsConfig: {nameservers: [10.0.0.1], searches: [a.b], options: [{name: ndots, value: "2"}]}',
    ),
    spec('hostNetwork: true, containers: [{name: c, ports: [{containerPort: 80, hostPort: 80}]}]'),
  ];
  for (const text of texts) expect(() => objectsOf(text), text).not.toThrow();
});

describe('containers refused', () => {
  testRefusals([
    [
      'one name in containers and initContainers',
      spec('containers: [{name: c}], initContainers: [{name: c}]'),
      'spec.initContainers[0].name: found a second container "c"',
    ],
    [
      'a probe without handler',
      probe('periodSeconds: 5'),
      'livenessProbe: found no handler, expected exactly one of exec, httpGet, tcpSocket, grpc',
    ],
    [
      'a probe with two',
      probe('exec: {command: [a]}, tcpSocket: {port: 1}'),
      'livenessProbe: found the handlers exec and tcpSocket',
    ],
    ['a probe without port', probe('httpGet: {path: /}'), 'livenessProbe.httpGet: found no port'],
    ['a probe of port 0', probe('tcpSocket: {port: 0}'), 'livenessProbe.tcpSocket.port: found 0'],
    [
      'a probe of a port in quotes',
      probe('httpGet: {port: "8080"}'),
      'livenessProbe.httpGet.port: found "8080", expected a port name',
    ],
    [
      'a gRPC probe by name',
      probe('grpc: {port: http}'),
      'livenessProbe.grpc.port: found the string "http", expected a whole number',
    ],
    [
      'a scheme in lower case',
      probe('httpGet: {port: 80, scheme: https}'),
      'httpGet.scheme: found "https", expected HTTP or HTTPS; did you mean "HTTPS"?',
    ],
    ['a command of nothing', probe('exec: {}'), 'livenessProbe.exec: found no command'],
    [
      'two successes of liveness',
      probe('exec: {command: [a]}, successThreshold: 2'),
      'livenessProbe.successThreshold: found 2, expected 1',
    ],
    ['a period below 0', probe('exec: {command: [a]}, periodSeconds: -1'), 'livenessProbe.periodSeconds: found -1'],
    [
      'an amount that is none',
      container('resources: {limits: {memory: 1 GB}}'),
      'resources.limits.memory: found the string "1 GB", expected a quantity, such as 100m or 1.5Gi',
    ],
    ['a pull policy that is none', container('imagePullPolicy: ifNotPresent'), 'imagePullPolicy: found "ifNotPresent"'],
    [
      'a value that is a number',
      container('env: [{name: A, value: 1}]'),
      'env[0].value: found the number 1, expected a string; quote it: "1"',
    ],
    ['a command as one text', container('command: sh -c x'), 'command: found the string "sh -c x", expected a list'],
    [
      'a hostPort twice',
      container('ports: [{containerPort: 1, hostPort: 5}, {containerPort: 2, hostPort: 5}]'),
      'ports[1].hostPort: found a second hostPort 5/TCP',
    ],
    [
      'a hostPort other than the port',
      spec('hostNetwork: true, containers: [{name: c, ports: [{containerPort: 80, hostPort: 81}]}]'),
      'hostPort: found 81, expected containerPort, 80, as hostNetwork is true',
    ],
    [
      'a hostPort of 65536',
      container('ports: [{containerPort: 1, hostPort: 65536}]'),
      'ports[0].hostPort: found 65536',
    ],
  ]);
});

describe('pods refused', () => {
  testRefusals([
    [
      'a restartPolicy that is none',
      spec('restartPolicy: never'),
      'spec.restartPolicy: found "never", expected Always or OnFailure or Never; did you mean "Never"?',
    ],
    ['a subdomain with dots', spec('subdomain: a.b'), 'spec.subdomain: found "a.b", expected a DNS label'],
    ['a node name with a space', spec('nodeName: a b'), 'spec.nodeName: found "a b"'],
    ['a dnsPolicy that is none', spec('dnsPolicy: Cluster'), 'spec.dnsPolicy: found "Cluster"'],
    ['no name servers', spec('dnsPolicy: None'), 'spec.dnsConfig: found no nameservers'],
    [
      'four name servers',
      spec('dnsConfig: {nameservers: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4]}'),
      'spec.dnsConfig.nameservers: found 4 name servers, expected at most 3',
    ],
    ['a name server by name', spec('dnsConfig: {nameservers: [ns]}'), 'nameservers[0]: found "ns", expected an IPv4'],
    ['an option without name', spec('dnsConfig: {options: [{value: a}]}'), 'options[0]: found no name'],
    [
      '33 search domains',
      spec(`dnsConfig: {searches: [${Array(33).fill('a').join(', ')}]}`),
      'searches: found 33 domains',
    ],
    ['an alias of no address', spec('hostAliases: [{ip: x, hostnames: [a]}]'), 'spec.hostAliases[0].ip: found "x"'],
    [
      'a nodeSelector with a boolean',
      spec('nodeSelector: {a: true}'),
      'spec.nodeSelector.a: found the boolean true, expected a string; quote it: "true"',
    ],
    [
      'a nodeSelector out of rule',
      spec('nodeSelector: {a: "b c"}'),
      'spec.nodeSelector.a: found "b c", expected a label value',
    ],
    [
      'two addresses of a family',
      podText('a', 'status: {podIPs: [{ip: 10.0.0.1}, {ip: 10.0.0.2}]}'),
      'status.podIPs[1].ip: found "10.0.0.2", expected one address a family',
    ],
  ]);
});

describe('scheduling refused', () => {
  testRefusals([
    [
      'a toleration of nothing',
      spec('tolerations: [{effect: NoSchedule}]'),
      'spec.tolerations[0]: found no key, expected one unless operator is Exists',
    ],
    [
      'a toleration that exists with a value',
      spec('tolerations: [{key: a, operator: Exists, value: b}]'),
      'tolerations[0].value: found "b", expected none',
    ],
    [
      'an operator that is none',
      spec('tolerations: [{key: a, operator: exists}]'),
      'operator: found "exists", expected Equal or Exists; did you mean "Exists"?',
    ],
    [
      'an effect that is none',
      spec('tolerations: [{key: a, effect: No}]'),
      'tolerations[0].effect: found the boolean No, expected a string',
    ],
    [
      'seconds of another effect',
      spec('tolerations: [{key: a, effect: NoSchedule, tolerationSeconds: 1}]'),
      'effect: found "NoSchedule", expected NoExecute beside tolerationSeconds',
    ],
    [
      'a spread of nothing',
      spread('labelSelector: {}'),
      'found no maxSkew',
      'found no topologyKey',
      'found no whenUnsatisfiable',
    ],
    ['a skew of 0', spread(whole.replace('1', '0')), 'maxSkew: found 0, expected a whole number of 1 or more'],
    ['an action that is none', spread(whole.replace('DoNotSchedule', 'Wait')), 'whenUnsatisfiable: found "Wait"'],
    [
      'minDomains without need',
      spread(`${whole.replace('DoNotSchedule', 'ScheduleAnyway')}, minDomains: 2`),
      'minDomains: found minDomains, expected none',
    ],
    [
      'a constraint twice',
      spec(`topologySpreadConstraints: [{${whole}}, {${whole}}]`),
      'topologySpreadConstraints[1]: found a second constraint of zone, DoNotSchedule',
    ],
    ['a node policy that is none', spread(`${whole}, nodeAffinityPolicy: Obey`), 'nodeAffinityPolicy: found "Obey"'],
    [
      'no node terms',
      spec('affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {}}}'),
      'found no nodeSelectorTerms',
    ],
    [
      'In without values',
      nodeTerm('matchExpressions: [{key: a, operator: In}]'),
      'matchExpressions[0]: found no values',
    ],
    [
      'Gt of a word',
      nodeTerm('matchExpressions: [{key: a, operator: Gt, values: [b]}]'),
      'matchExpressions[0]: found other values, expected one whole number',
    ],
    [
      'Exists with values',
      nodeTerm('matchExpressions: [{key: a, operator: Exists, values: [b]}]'),
      'matchExpressions[0]: found values',
    ],
    [
      'a field that is none',
      nodeTerm('matchFields: [{key: spec.x, operator: In, values: [n1]}]'),
      'matchFields[0].key: found "spec.x", expected metadata.name',
    ],
    [
      'two values of a field',
      nodeTerm('matchFields: [{key: metadata.name, operator: In, values: [n1, n2]}]'),
      'matchFields[0]: found 2 values',
    ],
    [
      'no topology',
      podTerm('labelSelector: {}'),
      'requiredDuringSchedulingIgnoredDuringExecution[0]: found no topologyKey',
    ],
    [
      'a namespace out of rule',
      podTerm('topologyKey: zone, namespaces: [A]'),
      'namespaces[0]: found "A", expected a DNS label',
    ],
    [
      'a weight of 101',
      preferred('podAffinity', 'weight: 101, podAffinityTerm: {topologyKey: zone}'),
      'weight: found 101, expected a whole number from 1 to 100',
    ],
    [
      'no weight',
      preferred('nodeAffinity', 'preference: {}'),
      'weight: found 0, expected a whole number from 1 to 100',
    ],
    ['no term', preferred('podAffinity', 'weight: 1'), 'found no podAffinityTerm'],
  ]);
});
