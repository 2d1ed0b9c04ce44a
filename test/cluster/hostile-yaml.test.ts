import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { readManifests, readObjects } from '../../src/cluster/manifests.ts';
import { ManifestError } from '../../src/cluster/source.ts';
import { type Random, withRandom } from '../support/random.ts';
import { missing } from '../support/requires.ts';
import type { HostileResult } from './read-hostile.ts';

const testdata = process.env['PODWIRE_TESTDATA'] ?? '/nonexistent';
const folder = join(testdata, 'corpora', 'hostile-yaml');
const program = fileURLToPath(new URL('read-hostile.ts', import.meta.url));

/** Limits for a file on a machine that others use too; the limit for memory is for all of them together. */
const MS_MAX = 1000;
const MEGABYTES_MAX = 200;

/** What must become of a file: so many objects, or a message with these words. */
const outcomes: Readonly<Record<string, number | string>> = {
  'alias-bomb.yaml': 'found more than 2000000 values',
  'alias-cycle.yaml': 'which holds this place itself',
  'binary-tag.yaml': 'found the tag !!binary',
  'bom.yaml': 1,
  'crlf.yaml': 1,
  'custom-tags.yaml': 'found the tag !!js/function',
  'deep-block-400.yaml': 'nested more than 100 deep',
  'deep-nesting-20k.yaml': 'nested more than 100 deep',
  'duplicate-keys.yaml': 'x.yaml:7:1: spec: found this key twice',
  'empty.yaml': 0,
  'ifname-long.yaml': 1, // interfaces are named by number
  'invalid-utf8.yaml': 'not UTF-8',
  'kind-list-nested.yaml': 1,
  'label-ansi.yaml': 1, // values of annotations are free; output escapes them
  'list-doc.yaml': 'found no object',
  'merge-key.yaml': 'base: unknown field', // the label that it merges is fine
  'name-absolute.yaml': 'metadata.name: found "/etc/passwd"',
  'name-ansi.yaml': 'metadata.name: found "a\\u{1b}',
  'name-empty.yaml': 'found no name',
  'name-html.yaml': 1, // as label-ansi
  'name-long.yaml': 'expected a DNS subdomain: at most 253',
  'name-shell.yaml': 'metadata.name: found "$(touch',
  'name-traversal.yaml': 'metadata.name: found "../../',
  'name-unicode-rtl.yaml': 'metadata.name: found "a\\u{202e}',
  'norway.yaml': 'found the boolean no, expected a string',
  'np-cidr-bad.yaml': 'expected a prefix length',
  'np-cidr-hostbits.yaml': 'write 10.0.0.0/8',
  'np-endport-lt-port.yaml': 'endPort: found 80',
  'np-endport-named.yaml': 'endPort: found a port by name',
  'np-except-outside.yaml': 'except[0]: found "10.1.0.0/24"',
  'np-in-empty-values.yaml': 'found no values',
  'np-ipblock-and-selector.yaml': 'found ipBlock beside a selector',
  'np-operator-bad.yaml': 'operator: found "Sometimes"',
  'np-unknown-field.yaml': 'unknown field "ingres"',
  'np-v1beta.yaml': 'found no kind NetworkPolicy in "extensions/v1beta1"',
  'nul-bytes.yaml': 'found the character U+0000',
  'null-doc.yaml': 0,
  'only-separators.yaml': 0,
  'proto-pollution.yaml': 'unknown field "__proto__"',
  'scalar-doc.yaml': 'found no object',
  'svc-clusterip-outside.yaml': 1, // which addresses there are is known where they are given out
  'svc-dup-ports.yaml': 'found a second port',
  'svc-externalip.yaml': 'externalIPs[0]: found "127.0.0.1"',
  'svc-port-0.yaml': 'port: found 0,',
  'svc-port-70000.yaml': 'port: found 70000',
  'svc-port-float.yaml': 'port: found the number 80.5',
  'svc-port-negative.yaml': 'port: found -1',
  'svc-port-string.yaml': 'port: found the string "80"',
  'svc-proto-icmp.yaml': 'protocol: found "ICMP"',
  'svc-proto-lower.yaml': 'did you mean "TCP"?',
  'svc-targetport-name-missing.yaml': 1, // a Service without endpoints
  'svc-targetport-name-too-long.yaml': 'targetPort: found "this-port',
  'tabs.yaml': 'x.yaml:4:1: not valid YAML',
  'topology-dup-node.yaml': 'found no apiVersion and no kind',
  'utf16.yaml': 1,
};

/** Control characters but the line feed between problems. */
const unprintable = /[^\P{Cc}\n]/u;

describe.skipIf(missing('testdata'))('hostile YAML (needs PODWIRE_TESTDATA)', () => {
  let results: HostileResult[] = [];

  beforeAll(async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program, folder]);
    results = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  });

  test('every file has an expected outcome, and every outcome a file', () => {
    expect(results.map(({ file }) => file).sort()).toEqual(Object.keys(outcomes).sort());
  });

  for (const [file, want] of Object.entries(outcomes)) {
    test(file, () => {
      const result = results.find((candidate) => candidate.file === file)!;
      if (typeof want === 'number') expect(result.outcome).toBe(want);
      else expect(result.outcome).toContain(want);
      expect(String(result.outcome)).not.toMatch(unprintable);
      expect(result.isPrototypeWhole).toBe(true);
      expect(result.ms).toBeLessThan(MS_MAX);
    });
  }

  test(`all of them together take less than ${MEGABYTES_MAX} MB`, () => {
    expect(results.at(-1)!.megabytes).toBeLessThan(MEGABYTES_MAX);
  });
});

/** One document of each kind, with as many of its fields as are judged. */
const samples = `
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {a: b}, annotations: {c: d}}
spec: &pod
  nodeSelector: {a: b}
  tolerations: [{key: a, effect: NoExecute, tolerationSeconds: 1}]
  dnsConfig: {nameservers: [10.0.0.1], options: [{name: ndots}]}
  hostAliases: [{ip: 10.0.0.1, hostnames: [a]}]
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {a: b}}}]
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: [b]}], matchFields: [{key: metadata.name, operator: In, values: [n1]}]}]}
      preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: a, operator: Exists}]}}]
    podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, namespaces: [b], labelSelector: {matchExpressions: [{key: a, operator: In, values: [b]}]}}]}
    podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: a}}]}
  initContainers: [{name: i, image: "x:1"}]
  containers: [{name: c, image: x, ports: [{name: http, containerPort: 80, hostPort: 80}], livenessProbe: {httpGet: {port: http}}, readinessProbe: {exec: {command: [a]}}, lifecycle: {preStop: {httpGet: {port: 1}}}}]
status: {podIP: 10.244.0.7, podIPs: [{ip: 10.244.0.7}, {ip: "fd00::7"}]}
---
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {type: LoadBalancer, selector: {a: b}, clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9], ipFamilies: [IPv4], externalIPs: [8.8.8.8], loadBalancerSourceRanges: [10.0.0.0/8], sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}, ports: [{name: a, port: 80, targetPort: http, nodePort: 30000}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: a}
subsets: [{addresses: [{ip: 8.8.8.8, nodeName: n1}], notReadyAddresses: [{ip: 8.8.4.4}], ports: [{name: a, port: 80}]}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: a}
addressType: IPv4
endpoints: [{addresses: [8.8.8.8], conditions: {ready: true}}]
ports: [{name: a, port: 80, appProtocol: http}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: a}
spec: {podSelector: {matchLabels: {a: b}}, policyTypes: [Ingress], ingress: [{ports: [{port: 80, endPort: 90}], from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}], egress: [{to: [{podSelector: {}}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec: {replicas: 2, selector: {matchLabels: {a: b}}, strategy: {rollingUpdate: {maxSurge: 1}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c}]}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: a}
spec: {serviceName: a, ordinals: {start: 1}, selector: {matchExpressions: [{key: a, operator: In, values: [b]}]}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c}]}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: a}
spec: {selector: {matchLabels: {a: b}}, updateStrategy: {type: OnDelete}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c}]}}}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: a}
spec: {template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: a}
spec: {schedule: "* * * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never}}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: a}
spec: {manualSelector: true, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {restartPolicy: Never}}}
---
apiVersion: v1
kind: Node
metadata: {name: a}
spec: {podCIDR: 10.0.0.0/24, taints: [{key: a, effect: NoSchedule}]}
---
apiVersion: v1
kind: Secret
metadata: {name: a}
stringData: {a: b}
data: {c: AAE=}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {a: b}
binaryData: {c: AAE=}
`;

type Json = { [key: string]: unknown } | unknown[];

/** A copy of the value with one thing in it, at any depth, made another. */
function damaged(value: unknown, random: Random): unknown {
  const strange = [
    null,
    '',
    'x'.repeat(300),
    '\u0000',
    0,
    -1,
    2 ** 53,
    0.5,
    true,
    [],
    {},
    [null],
    [[]],
    { __proto__: 1, a: {} },
  ];
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  if (keys.length === 0 || random.once(6)) return random.pick(strange);
  const copy = structuredClone(value) as Json & Record<string, unknown>;
  const key = random.pick(keys);
  const way = random.below(12);
  if (way === 0) delete copy[key];
  else if (way === 1) copy[`${key}x`] = copy[key];
  else copy[key] = damaged(copy[key], random);
  return copy;
}

test('whatever stands in a document, the answer is objects or a ManifestError', () => {
  const { objects } = readManifests([{ file: 'samples', text: samples }]);
  const rounds = 80;
  let refused = 0;
  withRandom((random) => {
    for (const { object } of objects) {
      for (let round = 0; round < rounds; round++) {
        if (isRefused(damaged(random.once(3) ? damaged(object, random) : object, random))) refused++;
      }
    }
  });
  expect(refused).toBeGreaterThan((objects.length * rounds) / 2);
});

function isRefused(value: unknown): boolean {
  try {
    readObjects([value]);
    return false;
  } catch (error) {
    if (error instanceof ManifestError) return true;
    throw new Error(`of ${JSON.stringify(value)}`, { cause: error });
  }
}
