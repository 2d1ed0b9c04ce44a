/**
 * `nodes/`: a node is a process. This file is everything that the cluster process and its node processes say to each
 * other, and everything that a node's two threads say to each other. Messages are structured clones, so typed arrays
 * travel as they are. Every change of configuration has a version, and is acknowledged when packets see it.
 */
import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import type { CaptureSpec, Loss } from '../dataplane/capture.ts';
import type { CounterSnapshot } from '../dataplane/counters.ts';
import type { ZoneUpdate } from '../dns/zone-data.ts';
import type { TunnelEndpoint } from '../encap/vxlan.ts';
import type { LinkSettings } from '../links/link.ts';
import type { PolicySpec } from '../policy/policy-spec.ts';
import type { CompiledPolicies } from '../policy/policy-table.ts';
import type { PortCounters } from '../ports/wire-counters.ts';
import type { ServicesUpdate } from '../service/service-spec.ts';
import type { ServiceTableData } from '../service/service-table.ts';
import type { ProbeOutcome } from '../stack/probe.ts';
import type { PrefixTableData } from '../tables/prefix-table.ts';
import type { WorkloadPod } from '../workload/answer.ts';
import type { Technique } from './techniques.ts';

/** What never changes while a node process lives. */
export interface NodeSettings {
  readonly name: string;
  readonly underlayAddress: string;
  readonly mac: string;
  /** The first address of each of its pod CIDRs: where its ICMP errors come from. */
  readonly gatewayAddresses: readonly string[];
  readonly vni: number;
  /** IP MTU of pods and inside tunnels. */
  readonly podMtu: number;
  readonly offload: boolean;
  /** What it does without, to be measured. */
  readonly without: readonly Technique[];
  /** Whether TCP's and UDP's checksums of what other nodes send are verified here too. */
  readonly strictChecksums: boolean;
  readonly connectionsMax: number;
  /** Its wire to the underlay's router, a TAP in the namespace of the node process; without it, UDP sockets. */
  readonly underlayWire: UnderlayWire | undefined;
}

export interface UnderlayWire {
  readonly interfaceName: string;
  /** MAC of the router's end. */
  readonly routerMac: string;
}

/** A TAP that exists already, in a network namespace that somebody else holds. */
export interface TapSpec {
  /** Such as `/proc/7/fd/33`. */
  readonly namespacePath: string;
  readonly interfaceName: string;
  /** MAC and addresses of the kernel's end. */
  readonly mac: string;
  readonly addresses: readonly string[];
  /** A listening SOCK_SEQPACKET socket in place of the TAP: a test plays the kernel there. */
  readonly socketPath?: string;
}

export interface PodSpec extends TapSpec {
  /** Port number, unique on its node, small; routes speak of it. */
  readonly index: number;
}

/** What answers in a pod in place of its images: on every port that its containers declare. */
export interface WorkloadSpec extends WorkloadPod {
  /** Of the pod: another of its name is another. */
  readonly uid: string;
  /** Of the pod's network, or of its node's with hostNetwork. */
  readonly namespacePath: string;
  readonly ports: readonly WorkloadPort[];
  /** HTTP or, for other first bytes, echo; or the cluster's names. */
  readonly answers: 'http' | 'dns';
  /** What `/healthz` says. */
  readonly ready: boolean;
  /** Readiness probes that decide whether the pod is Ready: one a container, ports as numbers. */
  readonly probes: readonly Readonly<Probe>[];
  /** For its log. */
  readonly notes: readonly string[];
}

export interface WorkloadPort {
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
}

export interface EndpointSpec {
  readonly name: string;
  readonly underlayAddress: string;
  readonly mac: string;
  /** A vxlan device of this machine's kernel. */
  readonly kernelLocal?: boolean;
}

export interface RouteSpec {
  /** `10.244.1.0/24`, or one address as `/32` or `/128`. */
  readonly prefix: string;
  /** `packet/way.ts`. */
  readonly way: number;
}

/** What packets meet on their way to an endpoint; the others have no link and no delay. */
export interface LinkSpec extends LinkSettings {
  /** Its number, as in routes. */
  readonly endpoint: number;
}

/** What a packet must see all of, or nothing. Lists replace what was there, pods are added and removed. */
export interface NodeUpdate {
  readonly version: number;
  readonly host?: TapSpec;
  readonly addPods?: readonly PodSpec[];
  readonly removePods?: readonly number[];
  readonly endpoints?: readonly EndpointSpec[];
  readonly routes?: readonly RouteSpec[];
  readonly links?: readonly LinkSpec[];
  /** New ones, and those whose readiness or probes have changed. They end by an order, not by an update. */
  readonly workloads?: readonly WorkloadSpec[];
  readonly services?: ServicesUpdate;
  /** Who may talk to whom; all of it. Before the first, nothing is denied. */
  readonly policies?: PolicySpec;
  /** For a node whose pods serve names. */
  readonly names?: ZoneUpdate;
  /** Puts the node's clock forward, for tests. */
  readonly advanceMs?: number;
}

export type Question = 'connections' | 'counters';

/** What a pod's workload is asked for. */
export interface WorkloadOrder {
  /**
   * `end` closes its connections, and is answered when they have ended; `log` is answered with what it has written;
   * `probe` forgets what its probes have found.
   */
  readonly order: 'end' | 'log' | 'probe';
  readonly pod: PodName;
}

/** How the dataplane thread spends its time (`ports/activity.ts`). */
export interface ActivityOrder {
  readonly order: 'activity';
  /** How long to look. */
  readonly forMs: number;
}

export interface NodeActivity {
  /** Of the control thread's process and of the dataplane thread, as the vessel has them. */
  readonly processId: number;
  readonly threadId: number;
  /** How often each activity was seen, by its number. */
  readonly samples: readonly number[];
  /** How many captures run on it: while one does, it merges no UDP datagrams. */
  readonly captures: number;
}

export interface PodName {
  readonly namespace: string;
  readonly name: string;
}

export type ProbeProtocol = 'TCP' | 'UDP' | 'SCTP' | 'ICMP';

/** Asks from a network namespace whether something answers. */
export interface ProbeOrder {
  readonly order: 'ask';
  readonly namespacePath: string;
  readonly address: string;
  /** Means nothing to ICMP. */
  readonly port: number;
  readonly protocol: ProbeProtocol;
  readonly timeoutMs: number;
  /** To ask from; an identifier for ICMP. Undefined: any. */
  readonly sourcePort?: number;
}

/**
 * What the asker has seen.
 *
 * - `delivered`: the far end has answered.
 * - `refused`: it said no: RST, ABORT, or an ICMP port or protocol unreachable.
 * - `rejected`: somebody on the way forbids it: ICMP administratively prohibited.
 * - `unreachable`: an ICMP error says that nobody is there. `no-answer`: silence. `detail` says more.
 */
export interface ProbeReport {
  readonly outcome: ProbeOutcome;
  readonly detail: string;
  /** What it was asked from; an identifier for ICMP. Undefined when nothing could be sent. */
  readonly source: { readonly address: string; readonly port: number } | undefined;
  /** Somebody else asks from the port that was wanted; nothing was sent. */
  readonly portTaken?: true;
}

/** Cluster process to node process. */
export type ToNode =
  | { readonly type: 'start'; readonly settings: NodeSettings; readonly update: NodeUpdate }
  | { readonly type: 'update'; readonly update: NodeUpdate }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  | { readonly type: 'order'; readonly id: number; readonly order: WorkloadOrder | ProbeOrder | ActivityOrder }
  /** Whoever gave the order to ask does not wait any more. */
  | { readonly type: 'cancel'; readonly id: number }
  /** With the connection of whoever wants to see packets: `capture-stream.ts`. */
  | { readonly type: 'capture'; readonly request: string };

/** Node process to cluster process. */
export type FromNode =
  | { readonly type: 'applied'; readonly version: number }
  | { readonly type: 'failed'; readonly version: number; readonly message: string }
  | { readonly type: 'answer'; readonly id: number; readonly body: unknown }
  /** What a pod's probes say together, when that changes; unready when they begin. */
  | { readonly type: 'probed'; readonly pod: PodName; readonly ready: boolean }
  /** A probe has failed. */
  | { readonly type: 'unhealthy'; readonly pod: PodName; readonly message: string };

/** Control thread to dataplane thread: the same, compiled. */
export type ToDataplane =
  | { readonly type: 'update'; readonly update: CompiledUpdate }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  | CaptureOrder
  | { readonly type: 'release'; readonly id: number };

/** Begin to tell of packets through a ring (`recording/ring.ts`). */
export interface CaptureOrder {
  readonly type: 'capture';
  readonly id: number;
  readonly spec: CaptureSpec;
  readonly ring: SharedArrayBuffer;
  /** First what the flight recorder knows of so many milliseconds. */
  readonly lastMs: number;
  /** And then what comes. */
  readonly live: boolean;
}

/** Dataplane thread to control thread, besides what is for the cluster process. */
export type FromDataplane =
  | { readonly type: 'log'; readonly message: string }
  | { readonly type: 'capturing'; readonly id: number; readonly problem: string | undefined }
  | { readonly type: 'released'; readonly id: number; readonly losses: readonly Loss[] }
  | { readonly type: 'hop-gone'; readonly hop: number };

/** What a reader of a capture asks a node for, as JSON. */
export interface CaptureRequest extends Omit<CaptureSpec, 'filter'> {
  readonly filter: readonly number[] | null;
  /** A power of two. */
  readonly ringBytes: number;
  readonly lastMs: number;
  readonly live: boolean;
}

export interface CompiledUpdate {
  readonly version: number;
  readonly host: TapSpec | undefined;
  readonly addPods: readonly PodSpec[];
  readonly removePods: readonly number[];
  /** Routes and endpoints always change together. */
  readonly routing:
    | {
        readonly table: PrefixTableData;
        readonly endpoints: readonly TunnelEndpoint[];
        readonly underlayAddresses: readonly string[];
      }
    | undefined;
  /** By endpoint number. */
  readonly links: readonly (LinkSettings | undefined)[] | undefined;
  readonly services: ServiceTableData | undefined;
  readonly policies: CompiledPolicies | undefined;
  readonly advanceMs: number;
}

/** What the dataplane thread is started with. */
export interface DataplaneThreadData {
  readonly settings: NodeSettings;
  readonly seed: number;
  /** Wakes the thread; a word that tells it to end, checked at every turn. */
  readonly eventfd: number;
  readonly stop: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  /** Two words: the activity (`ports/activity.ts`), and the thread's number, which it writes itself. */
  readonly activity: SharedArrayBuffer;
}

/** Answer to `connections`: one entry each, arrays side by side. */
export interface ConnectionSnapshot {
  /** KEY_WORDS of the original direction, then of the reply direction, per connection. */
  readonly keys: Int32Array;
  readonly state: Uint8Array;
  readonly flags: Uint8Array;
  /** Milliseconds left. */
  readonly remainingMs: Float64Array;
  /** Per direction. */
  readonly packets: Float64Array;
  readonly bytes: Float64Array;
}

/** Answer to `counters`. */
export interface NodeCounters extends CounterSnapshot {
  readonly connections: number;
  readonly ports: Readonly<Record<string, PortCounters>>;
}
