/** Notes for whoever has just brought policies: what they do not do, though they were taken. */
import type { PolicyWorld, WorldPod, WorldPolicy } from '../network-policy/policy-world.ts';
import type { ClusterFacts, DeclaredPort } from '../network-policy/warning-scene.ts';
import { policyWarnings } from '../network-policy/warnings.ts';
import type { Pod, Service } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { lastingContainers } from './compile-probes.ts';
import type { ControlPlane } from './control-plane.ts';
import type { ManifestObject } from './manifest-object.ts';
import { formatPlace, printable } from './source.ts';
import type { Topology } from './topology.ts';

/** Lines for one input. */
const LINES_MAX = 11;
/** Policies of one input that are looked at: ten thousand with selectors of their own would hold up who applies them. */
const POLICIES_MAX = 1000;

/** What a cluster has besides its policies' world. */
interface ClusterObjects {
  readonly topology: Pick<Topology, 'podSubnets' | 'serviceSubnets'>;
  readonly services: readonly Service[];
  readonly pods: readonly Pod[];
}

/** One line each. @param objects the input; of the cluster's other policies nothing is said */
export function policyNotes(topology: Topology, plane: ControlPlane, objects: readonly ManifestObject[]): string[] {
  const brought = objects.filter(({ object }) => object.kind === 'NetworkPolicy');
  const world = brought.length === 0 ? undefined : plane.policyWorld();
  if (world === undefined) return [];
  const byKey = new Map(world.policies.map((policy) => [`${policy.namespace}/${policy.name}`, policy]));
  const meant = brought.flatMap(
    ({ object: { metadata } }) => byKey.get(`${metadata.namespace}/${metadata.name}`) ?? [],
  );
  const [services, pods] = [plane.store.list(kinds.Service), plane.store.list(kinds.Pod)];
  return worldNotes(world, { topology, services, pods }, meant);
}

/** The same of a world at hand, whatever brought it. Pure. @param meant of the world's policies, those to speak of */
export function worldNotes(world: PolicyWorld, cluster: ClusterObjects, meant: readonly WorldPolicy[]): string[] {
  const warnings = policyWarnings(world, factsOf(cluster), meant.slice(0, POLICIES_MAX));
  const isCut = warnings.length > LINES_MAX;
  const notes = warnings.slice(0, isCut ? LINES_MAX - 1 : LINES_MAX).map(({ policy, path, message }) => {
    const place = policy.placeOf(path);
    const where = place === undefined ? '' : `${formatPlace(place)}: `;
    return `${where}${printable(`NetworkPolicy ${policy.namespace}/${policy.name}: ${path}: ${message}`)}`;
  });
  if (isCut) notes.push(`and ${warnings.length - notes.length} more notes on these NetworkPolicies`);
  if (meant.length > POLICIES_MAX) {
    notes.push(`only the first ${POLICIES_MAX} of ${meant.length} NetworkPolicies were looked at for such notes`);
  }
  return notes;
}

function factsOf({ topology: { podSubnets, serviceSubnets }, services, pods }: ClusterObjects): ClusterFacts {
  const byKey = new Map(pods.map((pod) => [`${pod.metadata.namespace}/${pod.metadata.name}`, pod]));
  const known = new Map<WorldPod, readonly DeclaredPort[]>();
  const portsOf = (worldPod: WorldPod) => {
    let ports = known.get(worldPod);
    if (ports === undefined) {
      const pod = byKey.get(`${worldPod.namespace}/${worldPod.name}`);
      ports = pod === undefined ? worldPod.ports : declaredPorts(pod);
      known.set(worldPod, ports);
    }
    return ports;
  };
  return { podSubnets, serviceSubnets, services, portsOf };
}

/** Also those without names. */
function declaredPorts(pod: Pod): DeclaredPort[] {
  return lastingContainers(pod).flatMap(({ ports = [] }) =>
    ports.map(({ name, containerPort: port, protocol = 'TCP' }) => {
      return { name, port, protocol: protocol as DeclaredPort['protocol'] };
    }),
  );
}
