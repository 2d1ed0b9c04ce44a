/**
 * The configuration file of kind (kind.x-k8s.io/v1alpha4, sigs.k8s.io/kind pkg/apis/config/v1alpha4/types.go), with
 * kind's names and defaults: what it says of nodes and networks is obeyed, the rest is named and skipped.
 */
import { type ClusterNode, type ClusterObject, defaultClusterSpec, readNetworking } from '../cluster-document.ts';
import type { Field, Fields } from '../field.ts';
import { readLabels } from '../manifest-object.ts';
import { dnsLabel } from '../text-rule.ts';
import { metadataFields } from './api-type.ts';

const DEFAULT_NAME = 'kind';

const skippedOfCluster = [
  ...['featureGates', 'runtimeConfig', 'kubeadmConfigPatches', 'kubeadmConfigPatchesJSON6902'],
  ...['containerdConfigPatches', 'containerdConfigPatchesJSON6902'],
];
const skippedOfNode = [
  ...['image', 'extraMounts', 'extraPortMappings', 'kubeadmConfigPatches', 'kubeadmConfigPatchesJSON6902'],
];
const skippedOfNetworking = ['apiServerPort', 'apiServerAddress', 'disableDefaultCNI', 'kubeProxyMode', 'dnsSearch'];

export function readKindConfig(document: Field): ClusterObject {
  const fields = document.object([
    'apiVersion',
    'kind',
    'metadata',
    'name',
    'nodes',
    'networking',
    ...skippedOfCluster,
  ]);
  fields.get('metadata')?.object(metadataFields);
  skip(fields, skippedOfCluster);
  const name = fields.get('name')?.textOrEmpty(dnsLabel) ?? DEFAULT_NAME;
  const networking = fields
    .get('networking')
    ?.object(['ipFamily', 'podSubnet', 'serviceSubnet', ...skippedOfNetworking]);
  if (networking !== undefined) skip(networking, skippedOfNetworking);
  return {
    name,
    source: document.node,
    spec: {
      ...defaultClusterSpec,
      ...readNetworking(networking, 'ipv4'),
      nodes: readNodes(fields.get('nodes'), name),
    },
  };
}

/** Nodes are named by cluster and role, from the second of a role with its number (kind, MakeNodeNamer). */
function readNodes(field: Field | undefined, cluster: string): ClusterNode[] {
  const counts = { 'control-plane': 0, worker: 0 };
  const node = (role: 'control-plane' | 'worker', labels: Readonly<Record<string, string>>): ClusterNode => {
    const count = ++counts[role];
    return { name: `${cluster}-${role}${count === 1 ? '' : count}`, role, labels };
  };
  const nodes = (field?.items() ?? []).map((item) => {
    const fields = item.object(['role', 'labels', ...skippedOfNode]);
    skip(fields, skippedOfNode);
    return node(
      fields.get('role')?.choice(['control-plane', 'worker']) ?? 'control-plane',
      readLabels(fields.get('labels')),
    );
  });
  if (nodes.length > 0 && counts['control-plane'] === 0) {
    field?.refuse('found no control plane, expected at least one node with "role: control-plane"; add one');
  }
  return nodes.length === 0 ? [node('control-plane', {})] : nodes;
}

function skip(fields: Fields, names: readonly string[]): void {
  for (const name of names)
    fields.get(name)?.note(`${name} of kind's configuration is skipped: podwire has no use for it`);
}
