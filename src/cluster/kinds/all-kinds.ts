/** The kinds that podwire reads. */
import { cronJobKind, jobKind } from './batch.ts';
import { configMapKind, secretKind } from './configuration.ts';
import { endpointSliceKind } from './endpoint-slice.ts';
import { endpointsKind } from './endpoints.ts';
import { namespaceKind } from './namespace.ts';
import { networkPolicyKind } from './network-policy.ts';
import { nodeKind } from './node.ts';
import type { ObjectKind } from './object-kind.ts';
import { podKind } from './pod.ts';
import { serviceKind } from './service.ts';
import {
  daemonSetKind,
  deploymentKind,
  replicaSetKind,
  replicationControllerKind,
  statefulSetKind,
} from './workloads.ts';

const kinds: readonly ObjectKind[] = [
  ...[configMapKind, cronJobKind, daemonSetKind, deploymentKind, endpointsKind, endpointSliceKind, jobKind],
  ...[namespaceKind, networkPolicyKind, nodeKind, podKind, replicaSetKind, replicationControllerKind, secretKind],
  ...[serviceKind, statefulSetKind],
];

/** 'apps/v1 Deployment' → its kind. */
export const objectKinds: ReadonlyMap<string, ObjectKind> = new Map(
  kinds.map((kind) => [`${kind.apiVersion} ${kind.kind}`, kind]),
);
