import type { PodSpec, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { OwnerReference } from 'kubernetes-types/meta/v1.d.ts';
import type { KubernetesObject, Pod } from '../store/object.ts';

/** What a controller adds to the template. */
interface PodAdditions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: Partial<PodSpec>;
}

/** A pod as its controller makes it (pkg/controller/controller_utils.go, GetPodFromTemplate). */
export function podFromTemplate(
  owner: KubernetesObject,
  template: Readonly<PodTemplateSpec>,
  name: string,
  additions: PodAdditions = {},
): Pod {
  const { labels, annotations } = template.metadata ?? {};
  const allAnnotations = { ...annotations, ...additions.annotations };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      ...(owner.metadata.namespace === undefined ? {} : { namespace: owner.metadata.namespace }),
      labels: { ...labels, ...additions.labels },
      ...(Object.keys(allAnnotations).length === 0 ? {} : { annotations: allAnnotations }),
      ownerReferences: [controlledBy(owner)],
    },
    // Of pods alone, not of templates: a pod that is read and applied again is to be the same.
    spec: { enableServiceLinks: true, ...(template.spec ?? { containers: [] }), ...additions.spec },
    status: { phase: 'Pending' },
  };
}

/** The reference that makes an object a controller's own. */
export function controlledBy(owner: KubernetesObject): OwnerReference {
  const { apiVersion, kind, metadata } = owner;
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid!, controller: true, blockOwnerDeletion: true };
}
