import { readFileSync } from 'node:fs';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import { describe, expect, it } from 'vitest';
import type { PolicyWorld, WorldNamespace, WorldPod, WorldPolicy } from '../../src/network-policy/policy-world.ts';
import { slowVerdict } from '../oracle/slow-policy.ts';
import { missing } from '../support/requires.ts';

const need = missing('testdata');
const why = need === undefined ? '' : ` (skipped: needs ${need})`;

const readCorpus = <T>(file: string) =>
  JSON.parse(readFileSync(`${process.env['PODWIRE_TESTDATA']}/corpora/netpol/${file}`, 'utf8')) as T;

type Labels = Record<string, string>;
type Protocol = 'TCP' | 'UDP' | 'SCTP';

/** In both corpora every pod serves these. */
const SERVED = (['TCP', 'UDP', 'SCTP'] as const).flatMap((protocol) =>
  [80, 81].map((port) => ({ name: `serve-${port}-${protocol.toLowerCase()}`, port, protocol })),
);

function corpusPod(namespace: string, name: string, labels: Labels, address: string): WorldPod {
  return { namespace, name, labels, addresses: [address], node: 'n1', hostNetwork: false, ports: SERVED };
}

function corpusPolicy(object: NetworkPolicy): WorldPolicy {
  return {
    namespace: object.metadata?.namespace ?? '',
    name: object.metadata?.name ?? '',
    spec: object.spec!,
    placeOf: () => undefined,
  };
}

describe.skipIf(need !== undefined)(`the slow evaluator of NetworkPolicy${why}`, () => {
  it('NP-001 … NP-023 agrees with all 506 verdicts of the upstream e2e suite, and NP-027 lets pods talk to themselves', () => {
    const wrong: string[] = [];
    let loopback = 0;
    let verdicts = 0;
    for (const { name, world, from, to, protocol, port, expected } of upstreamChecks()) {
      if (from === to) loopback++;
      else verdicts++;
      const { allowed } = judge(world, from, to, protocol, port);
      if (allowed !== (from === to || expected)) wrong.push(`${name}: ${from.name} to ${to.name}`);
    }
    expect(wrong).toEqual([]);
    expect([verdicts, loopback]).toEqual([506, 205]);
  });

  it('NP-001 … NP-023 agrees with all 74,424 pairs of verdicts of cyclonus, and NP-027 lets pods talk to themselves', () => {
    const wrong: string[] = [];
    let loopback = 0;
    let verdicts = 0;
    for (const { name, world, from, to, protocol, port, expected } of cyclonusChecks()) {
      if (from === to) loopback++;
      else verdicts++;
      const { egress, ingress } = judge(world, from, to, protocol, port);
      const sign = (egress.allowed ? '.i' : 'ex')[ingress.allowed ? 0 : 1];
      if (sign !== (from === to ? '.' : expected)) wrong.push(`${name}: ${from.name} to ${to.name}: ${sign}`);
    }
    expect(wrong).toEqual([]);
    expect([verdicts, loopback]).toEqual([74_424, 9_279]);
  });
});

interface Check<Expected> {
  readonly name: string;
  readonly world: PolicyWorld;
  readonly from: WorldPod;
  readonly to: WorldPod;
  readonly protocol: Protocol;
  readonly port: number;
  readonly expected: Expected;
}

interface UpstreamStep {
  readonly apply?: NetworkPolicy;
  readonly delete?: { readonly namespace: string; readonly name: string };
  readonly labelNamespace?: { readonly name: string; readonly add: Labels };
  readonly labelPod?: { readonly pod: string; readonly add?: Labels; readonly set?: Labels };
  readonly check?: {
    readonly port: number;
    readonly protocol: Protocol;
    readonly expect: Readonly<Record<string, Readonly<Record<string, boolean>>>>;
  };
}

interface UpstreamFile {
  readonly cases: readonly {
    readonly name: string;
    readonly pods: readonly string[];
    readonly steps: readonly UpstreamStep[];
  }[];
}

/** What is in a case's cluster, by name. */
interface Things {
  readonly namespaces: Map<string, WorldNamespace>;
  readonly pods: Map<string, WorldPod>;
  readonly policies: Map<string, WorldPolicy>;
}

function* upstreamChecks(): Generator<Check<boolean>> {
  for (const { name, pods, steps } of readCorpus<UpstreamFile>('k8s-e2e/netpol-cases.json').cases) {
    const things = upstreamThings(pods);
    for (const step of steps) {
      take(things, step);
      if (step.check === undefined) continue;
      const world: PolicyWorld = {
        revision: 1,
        namespaces: [...things.namespaces.values()],
        pods: [...things.pods.values()],
        policies: [...things.policies.values()],
      };
      const { port, protocol } = step.check;
      for (const [source, row] of Object.entries(step.check.expect)) {
        const from = things.pods.get(source)!;
        for (const [destination, expected] of Object.entries(row)) {
          yield { name, world, from, to: things.pods.get(destination)!, protocol, port, expected };
        }
      }
    }
  }
}

function upstreamThings(keys: readonly string[]): Things {
  const names = ['x', 'y', 'z'];
  const namespaces = names.map((name) => ({ name, labels: { 'kubernetes.io/metadata.name': name } }));
  const pods = keys.map((key) => {
    const [namespace, name] = key.split('/') as [string, string];
    const address = `10.244.${names.indexOf(namespace) + 1}.${'abc'.indexOf(name) + 10}`;
    return [key, corpusPod(namespace, name, { pod: name }, address)] as const;
  });
  return {
    namespaces: new Map(namespaces.map((each) => [each.name, each])),
    pods: new Map(pods),
    policies: new Map(),
  };
}

function take({ namespaces, pods, policies }: Things, step: UpstreamStep): void {
  if (step.apply) {
    const policy = corpusPolicy(step.apply);
    policies.set(`${policy.namespace}/${policy.name}`, policy);
  }
  if (step.delete) policies.delete(`${step.delete.namespace}/${step.delete.name}`);
  if (step.labelNamespace) {
    const old = namespaces.get(step.labelNamespace.name)!;
    namespaces.set(old.name, { ...old, labels: { ...old.labels, ...step.labelNamespace.add } });
  }
  if (step.labelPod) {
    const { pod, add, set } = step.labelPod;
    const old = pods.get(pod)!;
    pods.set(pod, { ...old, labels: set ?? { ...old.labels, ...add } });
  }
}

interface CyclonusStep {
  readonly namespaces: Readonly<Record<string, Labels>>;
  readonly pods: readonly {
    readonly ns: string;
    readonly name: string;
    readonly ip: string;
    readonly labels: Labels;
  }[];
  readonly policies: readonly NetworkPolicy[];
  readonly order: readonly string[];
  /** By protocol and port, a row for each source: `.` allowed, `e` and `i` denied by egress or ingress, `x` by both. */
  readonly expect: Readonly<Record<string, readonly string[]>>;
}

interface CyclonusFile {
  readonly cases: readonly { readonly id: number; readonly steps: readonly CyclonusStep[] }[];
}

function* cyclonusChecks(): Generator<Check<string>> {
  for (const { id, steps } of readCorpus<CyclonusFile>('cyclonus/cyclonus-cases.json').cases) {
    for (const step of steps) {
      const world = cyclonusWorld(step);
      const pods = step.order.map((key) => world.pods.find((pod) => `${pod.namespace}/${pod.name}` === key)!);
      for (const [probe, rows] of Object.entries(step.expect)) {
        const [protocol, port] = probe.split('/') as [Protocol, string];
        for (const [row, from] of pods.entries()) {
          for (const [column, to] of pods.entries()) {
            const expected = rows[row]![column]!;
            yield { name: `case ${id} ${probe}`, world, from, to, protocol, port: Number(port), expected };
          }
        }
      }
    }
  }
}

function cyclonusWorld(step: CyclonusStep): PolicyWorld {
  return {
    revision: 1,
    namespaces: Object.entries(step.namespaces).map(([name, labels]) => ({ name, labels })),
    pods: step.pods.map((pod, at) => {
      // The pods that a step adds have one address between them there.
      const again = step.pods.findIndex((other) => other.ip === pod.ip) !== at;
      return corpusPod(pod.ns, pod.name, pod.labels, again ? `10.244.9.${at + 100}` : pod.ip);
    }),
    policies: step.policies.map(corpusPolicy),
  };
}

function judge(world: PolicyWorld, from: WorldPod, to: WorldPod, protocol: Protocol, port: number) {
  return slowVerdict(world, { source: from.addresses[0]!, destination: to.addresses[0]!, protocol, port });
}
