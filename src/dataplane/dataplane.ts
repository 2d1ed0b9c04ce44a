/**
 * `dataplane/`: the stories of packets. Start with `from-pod.ts`. This file is what the stories work on: the state of
 * one node. It does no I/O and owns no clock: packets, time and randomness are handed in.
 */

import { Connections } from '../conntrack/connections.ts';
import { Cutter } from '../encap/cut.ts';
import { type TunnelEndpoint, TunnelEndpoints } from '../encap/vxlan.ts';
import type { Arena } from '../packet/arena.ts';
import { KEY_WORDS } from '../packet/flow-key.ts';
import type { Outcome } from '../packet/outcome.ts';
import { FRAME_HEADROOM, Packet } from '../packet/packet.ts';
import { Policies } from '../policy/policies.ts';
import type { CompiledPolicies } from '../policy/policy-table.ts';
import { Affinity } from '../service/affinity.ts';
import { buildServiceTable } from '../service/build-service-table.ts';
import type { ServiceTableData } from '../service/service-table.ts';
import { Services } from '../service/services.ts';
import { PrefixTable, type PrefixTableData } from '../tables/prefix-table.ts';
import { Counters } from './counters.ts';
import { FlightRecorder } from './flight-recorder.ts';
import { ErrorBudget } from './icmp-errors.ts';
import { Reassembly } from './reassembly.ts';
import { StaleFlows } from './stale-flows.ts';

/** A pod's, the host's or the outside's end of a wire: frames leave through `transmit`. */
export interface Port {
  /** Way that leads here (`packet/way.ts`). */
  readonly way: number;
  /** MAC of the far end. */
  readonly macHigh: number;
  readonly macLow: number;
  /** Addresses that may be sources on this port, four words each. */
  readonly addresses: Int32Array;
  /** IP MTU. */
  readonly mtu: number;
  /** Sends the packet's frame: 0, or the reason why not. Takes superframes and partial checksums as they are. */
  transmit(pkt: Packet): Outcome;
}

/** The tunnel's end of the underlay: cuts, completes checksums, sends. */
export interface Underlay {
  /**
   * `Place.Held` when the packet waits: it is counted then, and again when it goes on.
   *
   * @param pkt with its tunnel header on. @param endpoint index in the node's endpoints.
   */
  transmit(pkt: Packet, endpoint: number, nowMs: number): Outcome;
  /** UDP source port that flows of this hash leave with. */
  sourcePort(hash: number): number;
}

/** Is told of every packet that comes in, and of its end. */
export interface Recorder {
  begin(pkt: Packet, nowMs: number): void;
  end(pkt: Packet, outcome: Outcome): void;
}

/** A packet of any length behind the headers of an ICMP error. */
const SCRATCH_BYTES = 66_048;

export interface NodeConstants {
  readonly macHigh: number;
  readonly macLow: number;
  readonly vni: number;
  /** IP MTU inside tunnels. */
  readonly tunnelMtu: number;
  readonly connectionsMax: number;
  /** Clients that Services with session affinity remember; as many as nftables' sets do when it is not said. */
  readonly affinityMax?: number;
  /** The node's first pod-CIDR address of each family, IPv4 first, four words each; zeros for none. */
  readonly icmpSources: Int32Array;
  /** Datagrams in pieces, at once. */
  readonly reassemblySlots: number;
  /** Of this run: seeds every hash. */
  readonly seed: number;
  /** Whether TCP's and UDP's checksums of what other nodes send are verified too: Linux's nf_conntrack_checksum. */
  readonly strictChecksums?: boolean;
}

export class Dataplane {
  readonly node: NodeConstants;
  readonly arena: Arena;
  readonly counters: Counters;
  readonly flightRecorder: FlightRecorder;
  /** What every packet passes at the beginning and the end of its story: the flight recorder, and captures around it. */
  recorder: Recorder;
  readonly connections: Connections;
  readonly random: () => number;
  /** Pod ports by index; a hole where a pod is gone. */
  readonly pods: (Port | undefined)[] = [];
  host: Port | undefined;
  underlay: Underlay | undefined;
  endpoints = new TunnelEndpoints([]);
  services: Services;
  /** How far the search for UDP connections without their backend has come. */
  readonly staleFlows = new StaleFlows();
  readonly policies = new Policies();
  routes = PrefixTable.build([]);
  /** Moves when routes or endpoints change: connections then find their way out again. Never 0. */
  routeRevision = 1;
  /** Key of a packet that begins a connection, before anything is translated. */
  readonly originalKey = new Int32Array(KEY_WORDS);
  readonly reassembly: Reassembly;
  readonly errorBudget = new ErrorBudget();
  /** Cuts superframes where they must be cut before the port; one packet at a time. */
  readonly cutter: Cutter;
  /** For packets that begin here: fragments, ICMP errors. One at a time, at `scratchAt`, with headroom in front. */
  readonly scratch: Packet;
  readonly scratchAt: number;
  /** A segment that the cutter has laid out, and a packet that an ICMP error quotes. */
  readonly segment: Packet;
  readonly quoted: Packet;

  /** @param random 32 random bits a call. */
  constructor(arena: Arena, node: NodeConstants, random: () => number, counters = new Counters()) {
    this.arena = arena;
    this.node = node;
    this.random = random;
    this.counters = counters;
    this.connections = new Connections(node.connectionsMax, node.seed);
    this.flightRecorder = new FlightRecorder(arena, this.connections, this.policies.judgement);
    this.recorder = this.flightRecorder;
    this.services = new Services(buildServiceTable([], [], node.seed), new Affinity(node.seed, node.affinityMax));
    this.reassembly = new Reassembly(arena, node.reassemblySlots, node.seed, counters);
    this.cutter = new Cutter(arena, FRAME_HEADROOM);
    this.scratch = new Packet(arena);
    this.scratchAt = arena.reserve(FRAME_HEADROOM + SCRATCH_BYTES) + FRAME_HEADROOM;
    this.segment = new Packet(arena);
    this.quoted = new Packet(arena);
  }

  /** Routes and endpoints change together: a packet sees the old or the new, never a mixture (KP-058). */
  setRoutes(routes: PrefixTableData, endpoints: readonly TunnelEndpoint[]): void {
    this.routes = new PrefixTable(routes);
    this.endpoints = new TunnelEndpoints(endpoints);
    this.routeRevision = (this.routeRevision + 1) | 0 || 1;
  }

  /** Connections keep their backends (KP-037), but for UDP's that have lost theirs: a search for them begins. */
  setServices(data: ServiceTableData): void {
    this.services = new Services(data, this.services.affinity);
    this.staleFlows.begin();
  }

  /** Connections of pods that this moves are judged again with their next packet. */
  setPolicies(compiled: CompiledPolicies): void {
    this.policies.replace(compiled);
  }
}
