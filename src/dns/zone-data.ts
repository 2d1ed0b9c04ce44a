/**
 * What the zone is made of, as plain data that survives a structured clone: the cluster process makes it from Services
 * and EndpointSlices, and tells the nodes that serve names.
 */

export interface ZonePort {
  /** Empty for a port without a name. */
  readonly name: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
}

/** One address of an EndpointSlice. */
export interface ZoneEndpoint {
  readonly address: string;
  readonly hostname?: string;
  readonly podName?: string;
  /** Condition `ready`; an absent condition counts as true (discovery/v1 EndpointConditions). */
  readonly ready: boolean;
  /** Ports of its EndpointSlice, where connections go: one array may serve a whole slice. */
  readonly ports: readonly ZonePort[];
}

export interface ZoneService {
  readonly namespace: string;
  readonly name: string;
  /** None for a headless or an external service. */
  readonly clusterIPs: readonly string[];
  /** `clusterIP: None`. */
  readonly headless: boolean;
  /** Of type ExternalName. */
  readonly externalName?: string;
  readonly publishNotReadyAddresses?: boolean;
  readonly ports: readonly ZonePort[];
  readonly endpoints: readonly ZoneEndpoint[];
}

/** Only pod mode `verified` asks for pods. */
export interface ZonePod {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly string[];
}

/** Keys are `namespace/name`. What is absent stays as it is; removals come before additions. */
export interface ZoneUpdate {
  /** SOA serial: any 32-bit number that grows with changes (RFC 1982). */
  readonly serial: number;
  /** Forget all services, pods and namespaces first: the update is the whole zone. */
  readonly replace?: boolean;
  /** All of them: names in others do not exist. */
  readonly namespaces?: readonly string[];
  readonly removeServices?: readonly string[];
  readonly setServices?: readonly ZoneService[];
  readonly removePods?: readonly string[];
  readonly setPods?: readonly ZonePod[];
}

/** As the options of CoreDNS's plugin kubernetes (plugin/kubernetes/README.md). */
export interface ZoneSettings {
  /** Without a dot at the end. */
  readonly domain: string;
  /** Of every record but dns-version, 0 to 3600. */
  readonly ttlSeconds: number;
  /** Are `a-b-c-d.namespace.pod` names answered: never, whatever they say, or when such a pod is there? */
  readonly pods: 'disabled' | 'insecure' | 'verified';
  /** Endpoints without a hostname have their pod's name rather than their address with dashes. */
  readonly endpointPodNames: boolean;
  /** `namespace/name` of the Service through which pods reach the server: the zone's NS. */
  readonly nameServer: string;
}

/** The plugin's defaults. */
export const corednsDefaults: ZoneSettings = {
  domain: 'cluster.local',
  ttlSeconds: 5,
  pods: 'disabled',
  endpointPodNames: false,
  nameServer: 'kube-system/kube-dns',
};

/**
 * As kubeadm configures CoreDNS (kubernetes cmd/kubeadm/app/phases/addons/dns/manifests.go), which clusters have. Pod
 * names are answered `insecure`ly, because the specification still asks for them (kubernetes/dns specification §2.6).
 */
export const kubeadmSettings: ZoneSettings = { ...corednsDefaults, ttlSeconds: 30, pods: 'insecure' };
