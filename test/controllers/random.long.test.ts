/** Whatever happens in whatever order, what is left in the end is what Kubernetes promises: judged by counting anew. */
import { expect, test } from 'vitest';
import type { KubernetesObject, Node, Pod, Service } from '../../src/store/object.ts';
import { kinds } from '../../src/store/resources.ts';
import { hasLabels } from '../../src/store/selector.ts';
import { type Random, withRandom } from '../support/random.ts';
import { Plane, service, workload } from './plane.ts';

/** `PODWIRE_CLUSTERS=200` makes it more thorough. */
const RUNS = Number(process.env['PODWIRE_CLUSTERS'] ?? 4);
const STEPS = 50;
const NODES = 5;

const podSpecs: readonly object[] = [
  {},
  { nodeSelector: { 'topology.kubernetes.io/zone': 'z2' } },
  { tolerations: [{ key: 'only', operator: 'Exists' }] },
  { restartPolicy: 'Always' },
];

/** What somebody may do to a cluster; each is told to the world of wanted objects too. */
class World {
  readonly plane = new Plane({ nodes: NODES, families: 'dual' });
  readonly wanted = new Map<string, KubernetesObject>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  step(): void {
    const random = this.#random;
    const action = random.below(12);
    if (action < 5) this.#apply(this.#workload());
    else if (action < 7) this.#apply(this.#service());
    else if (action === 7) this.#deleteWanted();
    else if (action === 8) this.#deletePod();
    else if (action === 9) this.#changeNode();
    else if (action === 10) this.plane.runOnce();
    else this.plane.run();
  }

  #apply(object: KubernetesObject): void {
    this.wanted.set(`${object.kind} ${object.metadata.name}`, object);
    this.plane.apply(object);
  }

  #workload(): KubernetesObject {
    const random = this.#random;
    const n = random.below(3);
    const spec = random.pick(podSpecs);
    const replicas = random.below(8);
    switch (random.below(4)) {
      case 0:
        return workload(kinds.ReplicaSet, `rs${n}`, { replicas }, spec);
      case 1:
        return workload(
          kinds.StatefulSet,
          `db${n}`,
          { replicas, serviceName: 'db', podManagementPolicy: 'Parallel' },
          spec,
        );
      case 2:
        return workload(kinds.DaemonSet, `agent${n}`, {}, spec);
      default: {
        const type = random.once(4) ? 'Recreate' : 'RollingUpdate';
        return workload(kinds.Deployment, `web${n}`, { replicas, strategy: { type } }, spec);
      }
    }
  }

  #service(): KubernetesObject {
    const random = this.#random;
    const app = random.pick(['web0', 'web1', 'rs0', 'db0', 'agent0', 'nobody']);
    const publish = random.once(4) ? { publishNotReadyAddresses: true } : {};
    return service(`s${random.below(4)}`, { selector: { app }, ipFamilyPolicy: 'PreferDualStack', ...publish });
  }

  #deleteWanted(): void {
    if (this.wanted.size === 0) return;
    const key = this.#random.pick([...this.wanted.keys()]);
    const { kind, metadata } = this.wanted.get(key)!;
    this.wanted.delete(key);
    this.plane.delete(Object.values(kinds).find((resource) => resource.kind === kind)!, metadata.name);
  }

  #deletePod(): void {
    const pods = this.plane.pods();
    if (pods.length > 0) this.plane.delete(kinds.Pod, this.#random.pick(pods).metadata.name);
  }

  #changeNode(): void {
    const { store, controllers } = this.plane;
    const random = this.#random;
    const node = store.get(kinds.Node, '', `n${random.between(1, NODES)}`)!;
    const what = random.below(3);
    if (what === 0) {
      const conditions = [{ type: 'Ready', status: random.once(2) ? 'True' : 'False' }];
      store.updateStatus({ ...node, status: { ...node.status, conditions } } as Node);
    } else if (what === 1) store.update({ ...node, spec: { ...node.spec, unschedulable: random.once(2) } } as Node);
    else {
      const effect = random.pick(['NoSchedule', 'NoExecute']);
      store.update({
        ...node,
        spec: { ...node.spec, taints: random.once(2) ? [] : [{ key: 'only', effect }] },
      } as Node);
    }
    controllers.reconcile();
  }

  /** Everything in order again, as the end that all roads must lead to. */
  mend(): void {
    const { store } = this.plane;
    for (const node of store.list(kinds.Node)) {
      const { unschedulable: _, taints: __, ...spec } = node.spec;
      const mended = store.update({ ...node, spec } as Node);
      store.updateStatus({
        ...mended,
        status: { ...mended.status, conditions: [{ type: 'Ready', status: 'True' }] },
      } as Node);
    }
    this.plane.controllers.reconcile();
    this.plane.run();
  }
}

const isTrue = (pod: Pod, type: string) =>
  pod.status?.conditions?.some((c) => c.type === type && c.status === 'True') === true;

/** What is wrong now: none of it may ever be. */
function faults({ plane }: World): string[] {
  const found: string[] = [];
  const holders = new Set<string>();
  const uids = new Set(
    Object.values(kinds).flatMap((kind) => plane.store.list(kind).map(({ metadata }) => metadata.uid)),
  );
  for (const pod of plane.pods()) {
    const { name, ownerReferences = [], deletionTimestamp } = pod.metadata;
    for (const { ip = '' } of pod.status?.podIPs ?? []) {
      if (holders.has(ip)) found.push(`${ip} of ${name} is another's`);
      holders.add(ip);
    }
    if (deletionTimestamp === undefined && ownerReferences.some(({ uid }) => !uids.has(uid)))
      found.push(`${name} is nobody's`);
    found.push(...placeFaults(plane, pod));
  }
  const clusterIps = plane.store.list(kinds.Service).flatMap(({ spec }) => spec.clusterIPs ?? []);
  if (new Set(clusterIps).size !== clusterIps.length) found.push('a cluster IP twice');
  for (const item of plane.store.list(kinds.Service)) {
    const [slices, naive] = [slicesOf(plane, item).join('\n'), naiveSlices(plane, item).join('\n')];
    if (slices !== naive) found.push(`slices of ${item.metadata.name}:\n${slices}\nexpected:\n${naive}`);
  }
  return found;
}

function placeFaults(plane: Plane, { metadata, spec }: Pod): string[] {
  const node = plane.store.get(kinds.Node, '', spec.nodeName ?? '');
  if (node === undefined) return [];
  if (!hasLabels(spec.nodeSelector ?? {}, node.metadata.labels)) return [`${metadata.name} is on ${spec.nodeName}`];
  const isDriven = node.spec.taints?.some(({ effect }) => effect === 'NoExecute') && spec.tolerations === undefined;
  return isDriven && metadata.deletionTimestamp === undefined ? [`${metadata.name} should have gone`] : [];
}

function slicesOf(plane: Plane, { metadata }: Service): string[] {
  const slices = plane.store.list(kinds.EndpointSlice).filter((slice) => {
    return slice.metadata.labels?.['kubernetes.io/service-name'] === metadata.name;
  });
  return slices
    .flatMap(({ addressType, endpoints, ports }) => {
      return endpoints.map(({ addresses, conditions: c, nodeName }) => {
        return `${addressType} ${addresses[0]} ${nodeName} ${ports![0]!.port} ${c!.ready} ${c!.serving} ${c!.terminating}`;
      });
    })
    .sort();
}

function naiveSlices(plane: Plane, { spec }: Service): string[] {
  const pods = plane
    .pods()
    .filter((pod) => hasLabels(spec.selector!, pod.metadata.labels) && pod.status?.hostIP !== undefined);
  return pods
    .flatMap((pod) => {
      const serving = isTrue(pod, 'Ready');
      const terminating = pod.metadata.deletionTimestamp !== undefined;
      const ready = spec.publishNotReadyAddresses === true || (serving && !terminating);
      return pod.status!.podIPs!.map(({ ip }) => {
        return `${ip!.includes(':') ? 'IPv6' : 'IPv4'} ${ip} ${pod.spec.nodeName} 8080 ${ready} ${serving} ${terminating}`;
      });
    })
    .sort();
}

/** Names of pods without the five letters of a ReplicaSet's, counted. */
function shape(plane: Plane): string[] {
  return plane.pods().map(({ metadata }) => {
    return metadata.ownerReferences![0]!.kind === 'ReplicaSet' ? metadata.name.slice(0, -6) : metadata.name;
  });
}

test(`${RUNS} clusters through ${STEPS} random changes each`, () => {
  withRandom((random) => {
    for (let run = 0; run < RUNS; run++) {
      const world = new World(random);
      for (let step = 0; step < STEPS; step++) {
        world.step();
        if (faults(world).length > 0) expect(faults(world)).toEqual([]);
      }
      world.mend();
      expect(faults(world)).toEqual([]);
      const { plane } = world;
      expect(plane.pods().filter((pod) => !isTrue(pod, 'Ready'))).toEqual([]);
      // The same from scratch: as many pods of each, with the same names where names are promised.
      const fresh = new Plane({ nodes: NODES, families: 'dual' });
      for (const object of world.wanted.values()) fresh.apply(object);
      fresh.run();
      expect(shape(plane).sort()).toEqual(shape(fresh).sort());
      const again = new Plane({ nodes: NODES, families: 'dual' });
      for (const object of world.wanted.values()) again.apply(object);
      again.run();
      expect(again.places()).toEqual(fresh.places());
      const before = plane.store.resourceVersion;
      plane.controllers.reconcile();
      expect(plane.store.resourceVersion).toBe(before);
    }
  });
});
