/**
 * `store/`: the cluster's objects, as plain Kubernetes JSON. An object is never changed, always replaced: whoever
 * holds one holds what was true then.
 */
import type {
  DaemonSetSpec,
  DaemonSetStatus,
  DeploymentSpec,
  DeploymentStatus,
  ReplicaSetSpec,
  ReplicaSetStatus,
  StatefulSetSpec,
  StatefulSetStatus,
} from 'kubernetes-types/apps/v1.d.ts';
import type { CronJobSpec, JobSpec, JobStatus } from 'kubernetes-types/batch/v1.d.ts';
import type {
  Event as CoreEvent,
  EndpointSubset,
  NamespaceSpec,
  NodeSpec,
  NodeStatus,
  PodSpec,
  PodStatus,
  ReplicationControllerSpec,
  ReplicationControllerStatus,
  ServiceSpec,
  ServiceStatus,
} from 'kubernetes-types/core/v1.d.ts';
import type { Endpoint, EndpointPort } from 'kubernetes-types/discovery/v1.d.ts';
import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import type { NetworkPolicySpec } from 'kubernetes-types/networking/v1.d.ts';

/** `metadata` of an object that has a name; the store fills in the rest of what an API server does. */
export type Metadata = Readonly<ObjectMeta> & { readonly name: string };

/** Any object. Fields besides these are as its kind has them. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
}

/** An object of a kind with a spec, and the status that controllers report. */
interface WithSpec<Spec, Status = object> extends KubernetesObject {
  readonly spec: Readonly<Spec>;
  readonly status?: Readonly<Status>;
}

export type Namespace = WithSpec<NamespaceSpec>;
export type Node = WithSpec<NodeSpec, NodeStatus>;
export type Pod = WithSpec<PodSpec, PodStatus>;
export type Service = WithSpec<ServiceSpec, ServiceStatus>;
export type Deployment = WithSpec<DeploymentSpec, DeploymentStatus>;
export type ReplicaSet = WithSpec<ReplicaSetSpec, ReplicaSetStatus>;
export type ReplicationController = WithSpec<ReplicationControllerSpec, ReplicationControllerStatus>;
export type StatefulSet = WithSpec<StatefulSetSpec, StatefulSetStatus>;
export type DaemonSet = WithSpec<DaemonSetSpec, DaemonSetStatus>;
export type Job = WithSpec<JobSpec, JobStatus>;
export type CronJob = WithSpec<CronJobSpec>;
export type NetworkPolicy = WithSpec<NetworkPolicySpec>;

export interface Endpoints extends KubernetesObject {
  readonly subsets?: readonly Readonly<EndpointSubset>[];
}

export interface EndpointSlice extends KubernetesObject {
  readonly addressType: string;
  readonly endpoints: readonly Readonly<Endpoint>[];
  readonly ports?: readonly Readonly<EndpointPort>[];
}

/** What happened to an object. */
export type Event = Omit<CoreEvent, 'metadata'> & KubernetesObject;
