/**
 * The manifests of np-guard's tests as a cluster of ours. Their pods are of clusters long gone, their manifests are not
 * all such as an API server takes: of namespaces and workloads is kept what policies see, policies are read whole.
 */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { readObjects } from '../../src/cluster/manifests.ts';
import type { PolicyWorld, WorldPod } from '../../src/network-policy/policy-world.ts';
import { SimCluster } from '../../src/sim/sim-cluster.ts';
import { podsOf } from '../../src/store/pods-of.ts';
import { resourceOf } from '../../src/store/resources.ts';

export interface NpGuardCase {
  readonly name: string;
  readonly manifests: readonly string[];
  readonly expected: readonly string[];
}

interface Index {
  readonly cases: readonly { case: string; manifests: readonly string[]; expected: readonly string[] }[];
}

/** @param folder of test data */
export function readCases(folder: string): NpGuardCase[] {
  const root = `${folder}/corpora/netpol/np-guard`;
  const { cases } = JSON.parse(readFileSync(`${root}/index.json`, 'utf8')) as Index;
  return cases.map(({ case: name, manifests, expected }) => ({
    name,
    manifests: manifests.filter((file) => !file.includes('_output')).map((file) => `${root}/${file}`),
    expected: expected.map((file) => `${root}/${file}`),
  }));
}

interface Container {
  readonly ports?: readonly { name?: string; containerPort?: number; protocol?: string }[];
}

/** As much of a document as is looked at. */
interface Raw {
  readonly apiVersion: string;
  readonly kind: string;
  readonly items?: readonly Partial<Raw>[];
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { kind?: string; name: string }[];
  };
  readonly spec: PodSpec & { readonly selector: object; readonly template: Pick<Raw, 'metadata' | 'spec'> };
}

interface PodSpec {
  readonly hostNetwork?: boolean;
  readonly containers: readonly Container[];
}

function documentsOf({ manifests }: NpGuardCase): Raw[] {
  return manifests.flatMap((file) =>
    parseAllDocuments(readFileSync(file, 'utf8'))
      .map((document) => document.toJS() as Raw | null)
      .flatMap((raw) => (raw === null ? [] : itemsOf(raw))),
  );
}

/** Items of a list may leave out what the list says. */
function itemsOf(raw: Raw): Raw[] {
  if (raw.items === undefined) return [raw];
  const type = { apiVersion: raw.apiVersion, kind: raw.kind.replace(/List$/, '') };
  return raw.items.map((item) => ({ ...type, ...item }) as Raw);
}

/** Kinds that decide over connections besides NetworkPolicy. */
const BEYOND =
  /^(Baseline)?AdminNetworkPolicy$|^(Cluster)?UserDefinedNetwork$|^NetworkAttachmentDefinition$|^MultiNetworkPolicy$|^VirtualMachine$/;

/** What else than NetworkPolicies decides in a case; empty where nothing does. */
export function beyondOf(one: NpGuardCase): string[] {
  return [...new Set(documentsOf(one).map(({ kind }) => kind))].filter((kind) => BEYOND.test(kind)).sort();
}

export interface NpGuardWorld {
  readonly cluster: SimCluster;
  readonly world: PolicyWorld;
  /** By the name that lists have: `shop/web[Deployment]`. */
  readonly workloads: ReadonlyMap<string, readonly WorldPod[]>;
}

/** @param hostNetwork false: all pods have networks of their own, as np-guard takes them */
export async function buildWorld(one: NpGuardCase, hostNetwork: boolean): Promise<NpGuardWorld> {
  const raws = documentsOf(one);
  const kept = raws.flatMap((raw) => keptOf(raw, hostNetwork) ?? []);
  const { objects } = readObjects(kept);
  const cluster = new SimCluster({ nodes: 2 });
  await cluster.applyManifests(objects);
  const world = cluster.policyWorld();
  const pods = new Map(world.pods.map((pod) => [`${pod.namespace}/${pod.name}`, pod]));
  const { store } = cluster.plane;
  const workloads = new Map<string, WorldPod[]>();
  for (const raw of raws) {
    const { apiVersion, kind } = raw;
    if (!isWorkload(raw)) continue;
    const object = store.get(
      resourceOf({ apiVersion, kind })!,
      raw.metadata.namespace ?? 'default',
      raw.metadata.name,
    )!;
    for (const { metadata } of podsOf(store, object)) {
      const pod = pods.get(`${metadata.namespace}/${metadata.name}`);
      if (pod === undefined) throw new Error(`${metadata.name} has no address`);
      const name = listName(raw);
      workloads.set(name, [...(workloads.get(name) ?? []), pod]);
    }
  }
  return { cluster, world, workloads };
}

function isWorkload({ kind }: Raw): boolean {
  return ['Pod', 'Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job'].includes(kind);
}

/** A pod is listed as what owns it, whether that is there or not; where an owner has no kind, as a pod of that name. */
function listName({ kind, metadata: { namespace = 'default', name, ownerReferences = [] } }: Raw): string {
  const [owner] = kind === 'Pod' ? ownerReferences : [];
  return `${namespace}/${owner?.name ?? name}[${owner === undefined ? kind : (owner.kind ?? 'Pod')}]`;
}

function keptOf(raw: Raw, hostNetwork: boolean): object | undefined {
  const { apiVersion, kind, metadata, spec } = raw;
  const type = { apiVersion, kind };
  const { name, namespace, labels } = metadata;
  if (kind === 'Namespace') return { ...type, metadata: { name, labels } };
  // Two of theirs have names that an API server refuses, some a status, which the API has had for a while.
  if (kind === 'NetworkPolicy') return { ...type, metadata: { name: name.replaceAll('_', '-'), namespace }, spec };
  if (kind === 'Pod') return { ...type, metadata: { name, namespace, labels }, spec: keptPod(spec, hostNetwork) };
  if (!isWorkload(raw)) return undefined;
  const { selector, template } = spec;
  const pod = { metadata: { labels: template.metadata.labels }, spec: keptPod(template.spec, hostNetwork) };
  return { ...type, metadata: { name, namespace }, spec: { selector, template: pod } };
}

function keptPod({ containers, hostNetwork }: PodSpec, keepsHostNetwork: boolean): object {
  const made = containers.map(({ ports = [] }, i) => ({
    name: `c${i}`,
    image: 'x',
    ports: ports.flatMap(({ name, containerPort, protocol }) =>
      containerPort === undefined ? [] : [{ name, containerPort, protocol }],
    ),
  }));
  return { containers: made, ...(keepsHostNetwork && hostNetwork === true ? { hostNetwork } : {}) };
}
