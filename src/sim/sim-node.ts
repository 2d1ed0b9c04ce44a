import { Dataplane } from '../dataplane/dataplane.ts';
import { LinkedUnderlay } from '../dataplane/linked-underlay.ts';
import { expire, receiveFromHost, receiveFromPod, receiveFromUnderlay } from '../dataplane/receive.ts';
import { Merger } from '../encap/merge.ts';
import { readOuter } from '../encap/outer.ts';
import { addressWords, type Compilers, compileUpdate, icmpSources } from '../nodes/compile-update.ts';
import type { NodeSettings, NodeUpdate } from '../nodes/protocol.ts';
import { randomWords } from '../nodes/random-words.ts';
import { ChecksumState, FRAME_HEADROOM, Packet } from '../packet/packet.ts';
import { Way, way } from '../packet/way.ts';
import { PolicyCompiler } from '../policy/policy-compiler.ts';
import { ServiceCompiler } from '../service/service-compiler.ts';
import { parseMac } from '../wire/ethernet.ts';
import { giveArena, takeArena } from './arena-pool.ts';
import { receiveBytes, SimPort } from './sim-port.ts';
import { type Row, SimUnderlay } from './sim-underlay.ts';

/** Flight recorder, slots. */
const ARENA_BYTES = 1 << 20;
/** A datagram in pieces, with headroom. */
const DATAGRAM_BYTES = 66_048;
const SLOT_BYTES = FRAME_HEADROOM + 66_048;

/** What a kernel would hold at the other end of a TAP. */
export interface PlaceSpec {
  readonly mac: string;
  readonly addresses: readonly string[];
}

/** What the tables of a node have room for. They are cleared for every node that is made. */
export interface SimRoom {
  readonly connections: number;
  /** Clients that Services with session affinity remember. */
  readonly affinity: number;
  /** Packets that wait on links. */
  readonly linkBytes: number;
  /** Datagrams in pieces, at once. */
  readonly reassembly: number;
}

export interface SimNodeOptions {
  readonly settings: NodeSettings;
  readonly room: SimRoom;
  readonly seed: number;
  readonly host: PlaceSpec;
  /** Takes what leaves by a port: a pod's number, or -1 for the host. */
  readonly toPort: (port: number, bytes: Uint8Array) => void;
  readonly toUnderlay: (endpoint: number, row: Row) => void;
}

/** A node without processes, sockets and clock: a dataplane, ports, an underlay behind links. */
export class SimNode {
  readonly dataplane: Dataplane;
  readonly links: LinkedUnderlay;
  readonly #packet: Packet;
  readonly #slotAt: number;
  readonly #merger: Merger;
  readonly #offload: boolean;
  readonly #options: SimNodeOptions;
  readonly #compilers: Compilers;
  /** By port number. */
  readonly #pods = new Map<number, SimPort>();
  readonly #host: SimPort;

  constructor(options: SimNodeOptions) {
    const { settings, seed, room } = options;
    this.#options = options;
    this.#compilers = { services: new ServiceCompiler(seed), policies: new PolicyCompiler() };
    const arena = takeArena(ARENA_BYTES + room.linkBytes + room.reassembly * DATAGRAM_BYTES);
    const [macHigh, macLow] = parseMac(settings.mac);
    const { vni, podMtu: tunnelMtu, gatewayAddresses, strictChecksums } = settings;
    const { connections: connectionsMax, affinity: affinityMax, reassembly: reassemblySlots } = room;
    const sizes = { connectionsMax, affinityMax, reassemblySlots };
    const dataplane = new Dataplane(
      arena,
      { macHigh, macLow, vni, tunnelMtu, seed, ...sizes, strictChecksums, icmpSources: icmpSources(gatewayAddresses) },
      randomWords(seed),
    );
    this.dataplane = dataplane;
    this.#offload = settings.offload;
    const underlay = new SimUnderlay(arena, settings.offload, options.toUnderlay);
    this.links = new LinkedUnderlay(arena, dataplane.counters, underlay, tunnelMtu, room.linkBytes);
    dataplane.underlay = this.links;
    this.#host = this.#port(options.host, way(Way.Host, 0), -1);
    dataplane.host = this.#host;
    this.#packet = new Packet(arena);
    this.#slotAt = arena.reserve(SLOT_BYTES);
    this.#merger = new Merger(arena);
  }

  /** Pods first, so that no route leads to a port that is not there; and they go last. */
  update(update: NodeUpdate): void {
    const { dataplane } = this;
    const { addPods, removePods, routing, services, policies } = compileUpdate(update, this.#compilers);
    for (const pod of addPods) {
      const port = this.#port(pod, way(Way.Pod, pod.index), pod.index);
      this.#pods.set(pod.index, port);
      dataplane.pods[pod.index] = port;
    }
    if (routing !== undefined) dataplane.setRoutes(routing.table, routing.endpoints);
    if (services !== undefined) dataplane.setServices(services);
    if (policies !== undefined) dataplane.setPolicies(policies);
    for (const index of removePods) {
      this.#pods.delete(index);
      dataplane.pods[index] = undefined;
    }
  }

  /** @param port a pod's number, or -1 for the host. @param bytes a virtio header and a frame. */
  receive(port: number, bytes: Uint8Array, nowMs: number): void {
    receiveBytes(this.#packet, this.#slotAt, bytes);
    if (port < 0) receiveFromHost(this.dataplane, this.#host, this.#packet, nowMs);
    else receiveFromPod(this.dataplane, this.#pods.get(port)!, this.#packet, nowMs);
  }

  /** What one receive call of a UDP socket brings. @param source outer source address. */
  receiveRow(source: Int32Array, row: Row, nowMs: number): void {
    const pkt = this.#packet;
    const at = this.#slotAt + FRAME_HEADROOM;
    const { bytes, stride, tos, port } = row;
    pkt.arena.bytes.set(bytes, at);
    this.#merger.begin(at, bytes.length, stride);
    do {
      pkt.at = at; // an empty datagram is handed on empty
      pkt.len = 0;
      pkt.gsoSize = 0;
      this.#merger.next(pkt, this.#offload);
      pkt.outerTos = tos;
      pkt.outerPort = port;
      pkt.outerLen = 0;
      pkt.outerSource.set(source);
      receiveFromUnderlay(this.dataplane, pkt, nowMs);
    } while (this.#merger.pending);
  }

  /** A frame on the node's underlay wire, with its outer headers. */
  receiveOuter(frame: Uint8Array, nowMs: number): void {
    const pkt = this.#packet;
    pkt.at = this.#slotAt + FRAME_HEADROOM;
    pkt.len = frame.length;
    pkt.arena.bytes.set(frame, pkt.at);
    pkt.checksum = ChecksumState.Unverified;
    pkt.gsoSize = 0;
    readOuter(pkt);
    receiveFromUnderlay(this.dataplane, pkt, nowMs);
  }

  /** What a node does when it wakes: sends on what is due, and forgets what has timed out. */
  wake(nowMs: number): void {
    this.links.flush(nowMs);
    expire(this.dataplane, nowMs, Infinity);
  }

  /** Its arena goes to another node: nothing may be asked of this one any more. */
  close(): void {
    giveArena(this.dataplane.arena);
  }

  #port({ mac, addresses }: PlaceSpec, portWay: number, number: number): SimPort {
    const [macHigh, macLow] = parseMac(mac);
    return new SimPort({
      way: portWay,
      macHigh,
      macLow,
      addresses: Int32Array.from(addresses.flatMap((address) => [...addressWords(address)])),
      mtu: this.#options.settings.podMtu,
      take: (bytes) => this.#options.toPort(number, bytes),
    });
  }
}
