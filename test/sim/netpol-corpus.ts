/**
 * The worlds of the NetworkPolicy corpora as Kubernetes objects: namespaces x, y, z …, pods at given addresses that serve
 * the asked ports by TCP, UDP and SCTP under the names that the suites give them (`serve-80-tcp`).
 */
import { readFileSync } from 'node:fs';
import type { ProbeQuestion, SimulatedCluster } from '../../src/podwire.ts';

export interface CorpusPod {
  readonly ns: string;
  readonly name: string;
  /** Undefined: any. */
  readonly ip?: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** `TCP/80`: one row for each source in `order`, one character for each destination. */
export type TruthTables = Readonly<Record<string, readonly string[]>>;

export interface CyclonusStep {
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly pods: readonly CorpusPod[];
  readonly policies: readonly object[];
  readonly order: readonly string[];
  readonly expect: TruthTables;
}

export interface CyclonusCase {
  readonly id: number;
  readonly description: string;
  readonly steps: readonly CyclonusStep[];
}

/** Labels that come, or all that there are from then on. */
export interface LabelChange {
  readonly add?: Readonly<Record<string, string>>;
  readonly set?: Readonly<Record<string, string>>;
}

type Table = Readonly<Record<string, Readonly<Record<string, boolean>>>>;

export type E2eStep =
  | { readonly apply: object }
  | { readonly delete: { readonly namespace: string; readonly name: string } }
  | { readonly labelNamespace: { readonly name: string } & LabelChange }
  | { readonly labelPod: { readonly pod: string } & LabelChange }
  | { readonly check: { readonly port: number; readonly protocol: string; readonly expect: Table } };

export interface E2eCase {
  readonly name: string;
  readonly group: string;
  readonly pods: readonly string[];
  readonly ports: readonly number[];
  readonly protocols: readonly string[];
  readonly steps: readonly E2eStep[];
}

const PORTS = [80, 81];
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];

/** @param folder of test data. */
export function readCyclonus(folder: string): readonly CyclonusCase[] {
  return casesOf<CyclonusCase>(`${folder}/corpora/netpol/cyclonus/cyclonus-cases.json`);
}

export function readE2e(folder: string): readonly E2eCase[] {
  return casesOf<E2eCase>(`${folder}/corpora/netpol/k8s-e2e/netpol-cases.json`);
}

function casesOf<T>(path: string): readonly T[] {
  return (JSON.parse(readFileSync(path, 'utf8')) as { cases: T[] }).cases;
}

export function namespaceObject(name: string, labels: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

/** @param node undefined: the scheduler's choice. */
export function podObject(
  pod: CorpusPod,
  node: string | undefined,
  ports: readonly number[] = PORTS,
  protocols: readonly string[] = PROTOCOLS,
): object {
  const served = ports.flatMap((containerPort) =>
    protocols.map((protocol) => ({
      name: `serve-${containerPort}-${protocol.toLowerCase()}`,
      containerPort,
      protocol,
    })),
  );
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: pod.ns, name: pod.name, labels: pod.labels },
    spec: {
      ...(node === undefined ? {} : { nodeName: node }),
      containers: [{ name: 'c', image: 'agnhost', ports: served }],
    },
    ...(pod.ip === undefined ? {} : { status: { podIP: pod.ip } }),
  };
}

/** The world of one step, without its policies: pods are spread over nodes so that each namespace is on all of them. */
export function worldObjects({ namespaces, pods }: Pick<CyclonusStep, 'namespaces' | 'pods'>, nodes: number): object[] {
  return [
    ...Object.entries(namespaces).map(([name, labels]) => namespaceObject(name, labels)),
    ...pods.map((pod, i) => {
      const taken = pods.slice(0, i).some(({ ip }) => ip === pod.ip); // pods made on the way all have one address there
      const { ip: _, ...anywhere } = pod;
      return podObject(taken ? anywhere : pod, `n${(i % nodes) + 1}`);
    }),
  ];
}

/** Some of the corpus do not say what they are. */
export function policyObjects({ policies }: Pick<CyclonusStep, 'policies'>): object[] {
  return policies.map((policy) => ({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', ...policy }));
}

/** Every pod asks every pod, by every table's protocol and port. */
function questionsOf({ order, expect }: Pick<CyclonusStep, 'order' | 'expect'>): ProbeQuestion[] {
  return Object.keys(expect).flatMap((table) => {
    const [protocol, port] = table.split('/') as ['TCP' | 'UDP' | 'SCTP', string];
    return order.flatMap((from) => order.map((to) => ({ from, to, port: Number(port), protocol })));
  });
}

/** What is wrong with the step's truth tables on this cluster: nothing, when all is as it should be. */
export async function differences(cluster: SimulatedCluster, step: CyclonusStep): Promise<string[]> {
  const wanted = Object.values(step.expect).flatMap((rows) => rows.flatMap((row) => [...row]));
  return await judge(cluster, questionsOf(step), (i) => wanted[i] === '.');
}

/** @param connects whether the question of that number is to be answered. A pod always reaches itself (NP-026). */
export async function judge(
  cluster: SimulatedCluster,
  questions: readonly ProbeQuestion[],
  connects: (index: number) => boolean,
): Promise<string[]> {
  const answers = await cluster.probeAll(questions);
  return answers.flatMap((answer, i) => {
    const { from, to, port, protocol } = questions[i]!;
    const wanted = from === to || connects(i);
    if (wanted ? answer.connected : answer.reason === 'PolicyDenied') return [];
    const words = wanted ? 'is to connect' : 'is to be denied';
    return [`${from} → ${to} ${protocol}/${port} ${words}, ${answer.outcome}: ${answer.reason}`];
  });
}
