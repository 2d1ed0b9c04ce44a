import { describe, expect, test } from 'vitest';
import { formatProblem } from '../../../src/cluster/source.ts';
import type { Pod } from '../../../src/store/object.ts';
import { manifestsOf, objectsOf, podText, refusalOf } from '../refusal.ts';

function podOf(text: string): Pod {
  return objectsOf(text)[0]!.object as Pod;
}

test('a pod is read with what shapes the network', () => {
  const text = [
    'apiVersion: v1',
    'kind: Pod',
    'metadata: {name: web.1, namespace: shop, labels: {app: web}, annotations: {Example.com/note: "a b"}}',
    'spec:',
    '  nodeName: n2',
    '  hostname: www',
    '  hostNetwork: yes',
    '  containers:',
    '  - name: main',
    '    image: nginx:1',
    '    ports: [{name: http, containerPort: 80}, {containerPort: 53, protocol: UDP}]',
    '  - {name: side, image: envoy}',
    'status: {podIP: 10.244.1.9, podIPs: [{ip: 10.244.1.9}, {ip: "FD00:10:244:1::9"}]}',
  ].join('\n');
  const container = { terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File' };
  expect(podOf(text)).toEqual({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: 'shop',
      name: 'web.1',
      labels: { app: 'web' },
      annotations: { 'Example.com/note': 'a b' },
    },
    spec: {
      nodeName: 'n2',
      hostname: 'www',
      hostNetwork: true,
      containers: [
        {
          name: 'main',
          image: 'nginx:1',
          imagePullPolicy: 'IfNotPresent',
          ...container,
          ports: [
            { name: 'http', containerPort: 80, protocol: 'TCP', hostPort: 80 },
            { containerPort: 53, protocol: 'UDP', hostPort: 53 },
          ],
        },
        { name: 'side', image: 'envoy', imagePullPolicy: 'Always', ...container },
      ],
      dnsPolicy: 'ClusterFirst',
      restartPolicy: 'Always',
      securityContext: {},
      terminationGracePeriodSeconds: 30,
      schedulerName: 'default-scheduler',
      enableServiceLinks: true,
    },
    status: { podIP: '10.244.1.9', podIPs: [{ ip: '10.244.1.9' }, { ip: 'fd00:10:244:1::9' }] },
  });
});

test('a name is enough', () => {
  const { metadata, spec } = podOf(podText('a'));
  expect(metadata).toEqual({ name: 'a', namespace: 'default' });
  expect(spec).toMatchObject({ restartPolicy: 'Always' });
});

test('null and an empty optional string count as left out, as in the Kubernetes API', () => {
  const { spec, status } = podOf(podText('a', 'spec: {nodeName: "", hostname: , containers: }', 'status: {podIP: ""}'));
  expect(Object.keys({ ...spec, ...status }).filter((name) => /^(nodeName|hostname|podIP)/.test(name))).toEqual([]);
  expect(spec.containers).toEqual([]);
  expect(podOf('apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: "", labels: {x: }}').metadata).toEqual({
    name: 'a',
    namespace: 'default',
    labels: { x: '' },
  });
});

test('podIP and podIPs stand for each other, in the form that Kubernetes writes', () => {
  const want = { podIP: 'fd00::9', podIPs: [{ ip: 'fd00::9' }] };
  expect(podOf(podText('a', 'status: {podIP: "FD00:0::9"}')).status).toEqual(want);
  expect(podOf(podText('a', 'status: {podIPs: [{ip: "FD00:0::9"}]}')).status).toEqual(want);
});

test('probes and images get what the API server fills in', () => {
  const probe = '{httpGet: {port: http}, periodSeconds: 0}';
  const text = podText('a', `spec: {containers: [{name: c, image: "r:5000/x", readinessProbe: ${probe}}]}`);
  expect(podOf(text).spec.containers[0]).toMatchObject({
    imagePullPolicy: 'Always',
    readinessProbe: {
      httpGet: { port: 'http', path: '/', scheme: 'HTTP' },
      ...{ timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 },
    },
  });
  const image = (name: string) => podOf(podText('a', `spec: {containers: [{name: c, image: "${name}"}]}`));
  expect(image('x@sha256:0').spec.containers[0]!.imagePullPolicy).toBe('IfNotPresent');
  expect(image('x:latest@sha256:0').spec.containers[0]!.imagePullPolicy).toBe('Always');
  expect(image('r:5000/x:latest').spec.containers[0]!.imagePullPolicy).toBe('Always');
  expect(image('r:5000/x:v1').spec.containers[0]!.imagePullPolicy).toBe('IfNotPresent');
});

test('fields of the API that podwire does not read are accepted', () => {
  const spec =
    '{restartPolicy: Always, tolerations: [], initContainers: [{name: i, image: x, command: [a]}], volumes: [{name: v}]}';
  expect(() => podOf(podText('a', `spec: ${spec}`, 'status: {phase: Running, hostIP: 172.18.0.2}'))).not.toThrow();
});

test('fields that would matter and are not obeyed are said, once each', () => {
  const spec =
    'spec: {schedulingGates: [{name: x}], containers: [{name: c, ports: [{containerPort: 1, hostPort: 1}]}]}';
  const text = [podText('a', spec), podText('b', spec)].join('\n---\n');
  expect(manifestsOf(text).notes.map(formatProblem)).toEqual([
    'a.yaml:4:8: spec.schedulingGates: schedulingGates of pods is not obeyed yet',
    'a.yaml:4:98: spec.containers[0].ports[0].hostPort: hostPort of containers is not obeyed yet',
  ]);
});

describe('refused', () => {
  const container = (fields: string) => podText('a', `spec: {containers: [${fields}]}`);
  const meta = (fields: string) => `apiVersion: v1\nkind: Pod\nmetadata: {${fields}}`;
  const cases = [
    { name: 'no metadata', text: 'apiVersion: v1\nkind: Pod', want: 'a.yaml:1:1: found no metadata, expected one' },
    {
      name: 'no name',
      text: meta('labels: {}'),
      want: 'a.yaml:3:1: metadata: found no name, expected one; add "name: …"',
    },
    { name: 'an empty name', text: meta('name: ""'), want: 'metadata: found no name, expected one' },
    {
      name: 'a generated name',
      text: meta('generateName: a-'),
      want: 'metadata.generateName: found generateName without name',
    },
    {
      name: 'a number as name',
      text: meta('name: 1'),
      want: 'metadata.name: found the number 1, expected a string; quote it: "1"',
    },
    {
      name: 'a name that climbs',
      text: meta('name: ../../etc/passwd'),
      want: 'found "../../etc/passwd", expected a DNS subdomain',
    },
    { name: 'a name with escapes', text: meta('name: "a\\e[31m"'), want: 'found "a\\u{1b}[31m", expected' },
    { name: 'a name that turns round', text: meta('name: "a\\u202eb"'), want: 'found "a\\u{202e}b", expected' },
    { name: 'a name of 254', text: meta(`name: ${'a'.repeat(254)}`), want: `found "${'a'.repeat(60)}…", expected` },
    {
      name: 'a namespace with dots',
      text: meta('name: a, namespace: a.b'),
      want: 'a.yaml:3:32: metadata.namespace: found "a.b", expected a DNS label',
    },
    {
      name: 'a label that YAML changes',
      text: meta('name: a, labels: {a: no}'),
      want: 'a.yaml:3:33: metadata.labels.a: found the boolean no, expected a string; quote it: "no"',
    },
    {
      name: 'a label value out of rule',
      text: meta('name: a, labels: {a: "b c"}'),
      want: 'metadata.labels.a: found "b c", expected a label value',
    },
    {
      name: 'a label key out of rule',
      text: meta('name: a, labels: {"a b": c}'),
      want: 'metadata.labels[a b]: found the key "a b", expected a label key',
    },
    {
      name: 'labels that are a list',
      text: meta('name: a, labels: [a]'),
      want: 'a.yaml:3:21: metadata.labels: found a list, expected a map',
    },
    {
      name: 'an unknown field of metadata',
      text: meta('name: a, label: {}'),
      want: 'a.yaml:3:21: metadata.label: unknown field "label"; did you mean "labels"?',
    },
    {
      name: 'an unknown field of the document',
      text: podText('a', 'specs: {}'),
      want: 'a.yaml:4:1: specs: unknown field "specs"; did you mean "spec"?',
    },
    {
      name: 'an unknown field of the spec',
      text: podText('a', 'spec: {nodename: n1}'),
      want: 'a.yaml:4:8: spec.nodename: unknown field "nodename"; did you mean "nodeName"?',
    },
    { name: 'an unknown field of a status', text: podText('a', 'status: {podIp: 1}'), want: 'did you mean "podIP"?' },
    {
      name: 'an unknown field of a container',
      text: container('{name: c, imag: x}'),
      want: 'a.yaml:4:31: spec.containers[0].imag: unknown field "imag"; did you mean "image"?',
    },
    {
      name: 'an unknown field of an init container',
      text: podText('a', 'spec: {initContainers: [{name: c, port: 1}]}'),
      want: 'spec.initContainers[0].port: unknown field',
    },
    {
      name: 'a container without a name',
      text: container('{image: x}'),
      want: 'a.yaml:4:21: spec.containers[0]: found no name',
    },
    {
      name: 'two containers of a name',
      text: container('{name: c}, {name: c}'),
      want: 'spec.containers[1].name: found a second container "c"',
    },
    {
      name: 'a port without a number',
      text: container('{name: c, ports: [{name: http}]}'),
      want: 'spec.containers[0].ports[0]: found no containerPort',
    },
    {
      name: 'port 0',
      text: container('{name: c, ports: [{containerPort: 0}]}'),
      want: 'found 0, expected a whole number from 1 to 65535',
    },
    {
      name: 'port 65536',
      text: container('{name: c, ports: [{containerPort: 65536}]}'),
      want: 'found 65536, expected a whole number from 1 to 65535',
    },
    {
      name: 'port 80.5',
      text: container('{name: c, ports: [{containerPort: 80.5}]}'),
      want: 'found the number 80.5, expected a whole number',
    },
    {
      name: 'a quoted port',
      text: container('{name: c, ports: [{containerPort: "80"}]}'),
      want: 'found the string "80", expected a whole number; remove the quotes',
    },
    {
      name: 'a port name of digits',
      text: container('{name: c, ports: [{name: "80", containerPort: 80}]}'),
      want: 'found "80", expected a port name',
    },
    {
      name: 'two ports of a name',
      text: container('{name: c, ports: [{name: a, containerPort: 1}, {name: a, containerPort: 2}]}'),
      want: 'ports[1].name: found a second port "a"',
    },
    {
      name: 'a protocol in lower case',
      text: container('{name: c, ports: [{containerPort: 80, protocol: tcp}]}'),
      want: 'found "tcp", expected TCP or UDP or SCTP; did you mean "TCP"?',
    },
    {
      name: 'containers that are a map',
      text: podText('a', 'spec: {containers: {name: c}}'),
      want: 'a.yaml:4:8: spec.containers: found a map, expected a list',
    },
    {
      name: 'a hostNetwork in quotes',
      text: podText('a', 'spec: {hostNetwork: "true"}'),
      want: 'found the string "true", expected true or false; remove the quotes',
    },
    {
      name: 'a hostname with dots',
      text: podText('a', 'spec: {hostname: a.b}'),
      want: 'spec.hostname: found "a.b", expected a DNS label',
    },
    {
      name: 'an address with leading zeros',
      text: podText('a', 'status: {podIP: 10.244.0.07}'),
      want: 'a.yaml:4:17: status.podIP: found "10.244.0.07", expected no leading zeros; write 10.244.0.7',
    },
    {
      name: 'a podIP other than the first of podIPs',
      text: podText('a', 'status: {podIP: 10.244.0.7, podIPs: [{ip: 10.244.0.8}]}'),
      want: 'status.podIP: found 10.244.0.7, expected the first of podIPs, 10.244.0.8',
    },
    {
      name: 'podIPs of strings',
      text: podText('a', 'status: {podIPs: [10.244.0.8]}'),
      want: 'status.podIPs[0]: found the string "10.244.0.8", expected a map',
    },
    {
      name: 'a spec that is a string',
      text: podText('a', 'spec: x'),
      want: 'a.yaml:4:7: spec: found the string "x", expected a map',
    },
  ];
  for (const { name, text, want } of cases) {
    test(name, () => expect(refusalOf(() => objectsOf(text))).toEqual([expect.stringContaining(want)]));
  }

  test('annotations of more than 256 KiB', () => {
    const text = (length: number) => meta(`name: a, annotations: {a: "${'x'.repeat(length)}"}`);
    expect(() => objectsOf(text(256 * 1024 - 1))).not.toThrow();
    expect(refusalOf(() => objectsOf(text(256 * 1024)))).toEqual([
      expect.stringContaining('annotations of 262145 bytes'),
    ]);
  });

  test('keys named like parts of a prototype, without touching one', () => {
    const text = `${meta('name: p, labels: {__proto__: {polluted: "yes"}, constructor: x}')}\n__proto__: {polluted: yes}`;
    expect(refusalOf(() => objectsOf(text)).join('\n')).toMatch(/__proto__/);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    const { metadata } = podOf(meta('name: p, labels: {constructor: x, toString: z}'));
    expect(metadata.labels).toEqual({ constructor: 'x', toString: 'z' });
  });
});
