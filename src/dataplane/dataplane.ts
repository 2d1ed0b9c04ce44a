/**
 * `dataplane/`: the stories of packets. Start with `from-pod.ts`. This file is what the stories work on: the state of
 * one node. It does no I/O and owns no clock: packets, time and randomness are handed in.
 */

import { Connections } from '../conntrack/connections.ts';
import { type TunnelEndpoint, TunnelEndpoints } from '../encap/vxlan.ts';
import type { Arena } from '../packet/arena.ts';
import { KEY_WORDS } from '../packet/flow-key.ts';
import type { Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { Policies } from '../policy/policies.ts';
import { Services } from '../service/services.ts';
import { PrefixTable, type PrefixTableData } from '../tables/prefix-table.ts';
import { Counters } from './counters.ts';
import { FlightRecorder } from './flight-recorder.ts';

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
  /** @param pkt with its tunnel header on. @param endpoint index in the node's endpoints. */
  transmit(pkt: Packet, endpoint: number): Outcome;
}

export interface NodeConstants {
  readonly macHigh: number;
  readonly macLow: number;
  readonly vni: number;
  /** IP MTU inside tunnels. */
  readonly tunnelMtu: number;
  readonly connectionsMax: number;
  /** Of this run: seeds every hash. */
  readonly seed: number;
}

export class Dataplane {
  readonly node: NodeConstants;
  readonly arena: Arena;
  readonly counters: Counters;
  readonly recorder: FlightRecorder;
  readonly connections: Connections;
  readonly random: () => number;
  /** Pod ports by index; a hole where a pod is gone. */
  readonly pods: (Port | undefined)[] = [];
  host: Port | undefined;
  underlay: Underlay | undefined;
  endpoints = new TunnelEndpoints([]);
  services: Services;
  policies = new Policies(new Uint8Array(0));
  routes = PrefixTable.build([]);
  /** Moves when routes or endpoints change: connections then find their way out again. Never 0. */
  routeRevision = 1;
  /** Key of a packet that begins a connection, before anything is translated. */
  readonly originalKey = new Int32Array(KEY_WORDS);

  /** @param random 32 random bits a call. */
  constructor(arena: Arena, node: NodeConstants, random: () => number, counters = new Counters()) {
    this.arena = arena;
    this.node = node;
    this.random = random;
    this.counters = counters;
    this.recorder = new FlightRecorder(arena);
    this.connections = new Connections(node.connectionsMax, node.seed);
    this.services = new Services([], node.seed);
  }

  /** Routes and endpoints change together: a packet sees the old or the new, never a mixture (KP-058). */
  setRoutes(routes: PrefixTableData, endpoints: readonly TunnelEndpoint[]): void {
    this.routes = new PrefixTable(routes);
    this.endpoints = new TunnelEndpoints(endpoints);
    this.routeRevision = (this.routeRevision + 1) | 0 || 1;
  }
}
