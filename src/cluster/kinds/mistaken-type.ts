/**
 * Is a type that nobody reads a slip of the pen, rather than a kind for somebody else? Of the groups that Kubernetes has
 * built in all kinds and versions are known, so is our own group.
 */
import { shown, suggestion } from '../field.ts';
import { nearestWord } from '../nearest-word.ts';
import { builtInKinds } from './api-type.ts';

const OURS = 'podwire.dev/v1alpha1';
const KINDS = 'kind.x-k8s.io/v1alpha4';

/** What is wrong with the type, for a type that is not read; undefined where nothing is. */
export function mistakenType(apiVersion: string, kind: string): string | undefined {
  const group = groupOf(apiVersion);
  if (group === 'podwire.dev')
    return `found no kind ${shown(kind)} in ${shown(apiVersion)}, expected Cluster in ${OURS}`;
  if (group === groupOf(KINDS))
    return `found no kind ${shown(kind)} in ${shown(apiVersion)}, expected Cluster in ${KINDS}`;
  // A group of Kubernetes' own without a dot: also one that is gone, such as extensions.
  if (group.includes('.') && !builtInGroups.has(group)) return undefined;
  const base = kind.replace(/List$/, '');
  const known = builtInKinds.get(apiVersion);
  if (known?.includes(kind)) return undefined;
  const versions = versionsOf(base, group);
  if (versions.length > 0) {
    return `found no kind ${kind} in ${shown(apiVersion)}, expected apiVersion ${versions.join(' or ')}`;
  }
  if (known !== undefined && (apiVersion === 'v1' || nearestWord(kind, known) !== undefined)) {
    return `found no kind ${shown(kind)} in ${apiVersion}${suggestion(kind, known)}`;
  }
  return undefined;
}

const builtInGroups = new Set([...builtInKinds.keys()].map(groupOf));

function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

/** The newest stable apiVersion of the kind in its own group, else in each group that has it. */
function versionsOf(kind: string, group: string): readonly string[] {
  const all = [...builtInKinds].filter(([, kinds]) => kinds.includes(kind)).map(([apiVersion]) => apiVersion);
  const own = all.filter((apiVersion) => groupOf(apiVersion) === group);
  const candidates = own.length > 0 ? own : all;
  const stable = candidates.filter((apiVersion) => /(^|\/)v[0-9]+$/.test(apiVersion));
  return (stable.length > 0 ? stable : candidates).slice(own.length > 0 ? -1 : 0);
}
