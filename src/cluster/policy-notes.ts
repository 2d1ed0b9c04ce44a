/** Notes for whoever has just brought policies: what they do not do, though they were taken. */
import { policyWarnings } from '../network-policy/warnings.ts';
import { kinds } from '../store/resources.ts';
import type { ControlPlane } from './control-plane.ts';
import type { ManifestObject } from './manifest-object.ts';
import { formatPlace, printable } from './source.ts';
import type { Topology } from './topology.ts';

/** Of one input. */
const NOTES_MAX = 10;

/** One line each. @param objects the input; of the cluster's other policies nothing is said */
export function policyNotes(
  { podSubnets, serviceSubnets }: Topology,
  plane: ControlPlane,
  objects: readonly ManifestObject[],
): string[] {
  const brought = objects.filter(({ object }) => object.kind === 'NetworkPolicy');
  const world = brought.length === 0 ? undefined : plane.policyWorld();
  if (world === undefined) return [];
  const byKey = new Map(world.policies.map((policy) => [`${policy.namespace}/${policy.name}`, policy]));
  const meant = brought.flatMap(
    ({ object: { metadata } }) => byKey.get(`${metadata.namespace}/${metadata.name}`) ?? [],
  );
  const services = plane.store.list(kinds.Service).map(({ metadata, spec }) => {
    const { clusterIPs: addresses = [], selector = {} } = spec; // 'None' is in no block
    return { namespace: metadata.namespace!, name: metadata.name, addresses, selector };
  });
  const warnings = policyWarnings(world, { podSubnets, serviceSubnets, services }, meant);
  const notes = warnings.map(({ policy, path, message }) => {
    const place = policy.placeOf(path);
    const where = place === undefined ? '' : `${formatPlace(place)}: `;
    return `${where}${printable(`NetworkPolicy ${policy.namespace}/${policy.name}: ${path}: ${message}`)}`;
  });
  const more = notes.length - NOTES_MAX;
  return more <= 0 ? notes : [...notes.slice(0, NOTES_MAX), `and ${more} more notes on these NetworkPolicies`];
}
