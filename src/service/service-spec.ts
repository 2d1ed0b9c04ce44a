/**
 * What a node is told of Services: JSON that the cluster's compiler makes of Kubernetes objects, and that a node's
 * control thread compiles to tables (`service-compiler.ts`). What is left out has Kubernetes' default, so that ten
 * thousand of them are a small message.
 */
export interface ServiceSpec {
  /** `namespace/name`. */
  readonly key: string;
  readonly ports: readonly ServicePortSpec[];
  /** `internalTrafficPolicy: Local`. */
  readonly internalLocal?: boolean;
  /** `externalTrafficPolicy: Local`. */
  readonly externalLocal?: boolean;
  /** `sessionAffinity: ClientIP`, and for how many seconds. */
  readonly affinitySeconds?: number;
}

export interface ServicePortSpec {
  readonly protocol: ServiceProtocol;
  /** Where clients find it: of either family, or both. */
  readonly frontends: readonly FrontendSpec[];
  /** Of all its EndpointSlices; frontends use those of their own family (KP-017). */
  readonly endpoints: readonly EndpointSpec[];
}

export type ServiceProtocol = 'TCP' | 'UDP' | 'SCTP';

export interface FrontendSpec {
  readonly address: string;
  readonly port: number;
  /** `cluster` when left out. The others are where traffic from outside the cluster comes in. */
  readonly kind?: FrontendKind;
}

/** A cluster IP; an entry of `externalIPs`; an address of a load balancer; a node's address with the node port. */
export type FrontendKind = 'cluster' | 'external' | 'loadBalancer' | 'nodePort';

/** An address and port of an EndpointSlice, with its conditions as they stand there (KP-001). */
export interface EndpointSpec {
  readonly address: string;
  readonly port: number;
  /** On the node that is told. */
  readonly local?: boolean;
  /** True when left out. */
  readonly ready?: boolean;
  /** As `ready` when left out. */
  readonly serving?: boolean;
  readonly terminating?: boolean;
}

/** A change of a node's Services. */
export interface ServicesUpdate {
  /** Services that are not in `set` are gone. */
  readonly replaceAll?: boolean;
  readonly set: readonly ServiceSpec[];
  /** Keys. */
  readonly remove: readonly string[];
  /** The cluster's Service networks, as CIDRs, when they change: what no Service has in them is dropped (KP-025). */
  readonly networks?: readonly string[];
}
