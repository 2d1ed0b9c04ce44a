/**
 * The underlay by a TAP of its own: a wire to the router that joins the nodes, which is the kernel of the vessel. A
 * superframe goes out whole, with VXLAN and outer headers in front, and comes in whole: virtio's tunnel offload (Linux
 * 6.17) tells the kernel, and the node at the other end, what is inside. Nothing is cut, summed or merged; a kernel on
 * the way that must cut it knows how. Needs no more than forwarding; where the kernel has no tunnel offload, there is
 * `udp-underlay.ts`.
 */
import { Cutter } from '../encap/cut.ts';
import { Merger } from '../encap/merge.ts';
import {
  leaveOuterChecksum,
  OUTER_L4_OFFSET,
  OUTER_LEN,
  OUTER_PAYLOAD_MAX,
  type OuterWire,
  outerPortOf,
  outerSourcePort,
  readOuter,
  sourceOf,
  writeOuter,
} from '../encap/outer.ts';
import type { Arena } from '../packet/arena.ts';
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { completeChecksum } from '../packet/rewrite.ts';
import { close, Errno, read, write } from '../sys/io.ts';
import { ADDRESS_WORDS, parseAddress } from '../wire/address.ts';
import { ETHERNET_HEADER_LEN } from '../wire/ethernet.ts';
import { VNET_TUNNEL_HEADER_LEN } from '../wire/virtio.ts';
import { VXLAN_HEADER_LEN } from '../wire/vxlan.ts';
import { Activity, type ActivityWord } from './activity.ts';
import { type DatagramRow, DatagramRows } from './datagram-rows.ts';
import { type FrameSource, MergingReader, NOT_MERGED } from './merging-reader.ts';
import type { Lost, UnderlayPort } from './underlay.ts';
import {
  clearTunnelVirtioHeader,
  readTunnelVirtioHeader,
  Tunnelled,
  writeRowVirtioHeader,
  writeTunnelVirtioHeader,
} from './virtio-header.ts';
import { WireCounters } from './wire-counters.ts';

/** The longest frame that IPv4 lets be: 65,535 bytes of packet. */
const READ_MAX = VNET_TUNNEL_HEADER_LEN + ETHERNET_HEADER_LEN + 65_535;
/** The reader puts a frame at a word boundary + 2; the inner IP header is 64 bytes on, and shall be at one. */
const SHIFT = 2;
const IP_LEN_MAX = 65_535;

export interface TapUnderlayOptions {
  readonly arena: Arena;
  /** The TAP, with vnet headers of `VNET_TUNNEL_HEADER_LEN`. */
  readonly fd: number;
  readonly wire: OuterWire;
  /** Segments of one flow, where the wire has cut them, become superframes again. */
  readonly merging: boolean;
  /** Equal-sized frames to one node share a send. */
  readonly rows: boolean;
  /** Is told of frames that were taken and could not be sent. */
  readonly lost: Lost;
  readonly activity: ActivityWord;
}

export class TapUnderlay implements UnderlayPort, FrameSource {
  readonly receiveFd: number;
  readonly counters = new WireCounters();
  lastErrno = 0;
  readonly #arena: Arena;
  readonly #wire: OuterWire;
  readonly #activity: ActivityWord;
  readonly #reader: MergingReader;
  readonly #cutter: Cutter;
  readonly #rows: DatagramRows | undefined;
  /** Hands out datagrams that came in one frame, and their outer header's part. */
  readonly #merger: Merger;
  readonly #rowSource = new Int32Array(ADDRESS_WORDS);
  #rowTos = 0;
  #rowPort = 0;
  /** IPv4 address of each endpoint. */
  #addresses = new Int32Array(0);

  constructor({ arena, fd, wire, merging, rows, lost, activity }: TapUnderlayOptions) {
    this.#arena = arena;
    this.receiveFd = fd;
    this.#wire = wire;
    this.#activity = activity;
    this.#reader = new MergingReader(arena, VXLAN_HEADER_LEN, IP_LEN_MAX, merging);
    this.#cutter = new Cutter(arena, OUTER_LEN + VNET_TUNNEL_HEADER_LEN);
    this.#merger = new Merger(arena);
    const headroom = OUTER_LEN + VNET_TUNNEL_HEADER_LEN;
    this.#rows = rows ? new DatagramRows(arena, headroom, (row) => this.#sendRow(row), lost) : undefined;
  }

  get pending(): boolean {
    return this.#merger.pending || this.#reader.pending;
  }

  set mergesUdp(on: boolean) {
    this.#reader.mergesUdp = on;
    this.#merger.mergesUdp = on;
  }

  setEndpoints(addresses: readonly string[]): void {
    this.flush(); // what waits is for the endpoints as they were
    this.#addresses = Int32Array.from(addresses, (address) => parseAddress(address)![ADDRESS_WORDS - 1]!);
  }

  receive(pkt: Packet, mayLook: boolean): number {
    if (this.#merger.pending) return this.#nextOfRow(pkt);
    const got = this.#reader.receive(this, pkt, mayLook);
    return got === NOT_MERGED ? this.#nextOfRow(pkt) : got;
  }

  /** A row of datagrams is not merged with what comes after it: its own packets are, among each other. */
  readFrame(pkt: Packet, at: number): number {
    const frameAt = at - SHIFT;
    const start = frameAt - VNET_TUNNEL_HEADER_LEN;
    this.#activity[0] = Activity.ReadUnderlay;
    const n = read(this.receiveFd, this.#arena.base + start, READ_MAX);
    this.#activity[0] = Activity.Stories;
    if (n <= 0) return n === -Errno.EAGAIN ? 0 : n;
    pkt.at = frameAt;
    pkt.len = n - VNET_TUNNEL_HEADER_LEN;
    this.counters.countReceived(pkt.len);
    const kind = readTunnelVirtioHeader(pkt, start, OUTER_LEN + VXLAN_HEADER_LEN);
    readOuter(pkt);
    if (kind === Tunnelled.Row && pkt.len > 0) return this.#beginRow(pkt);
    if (kind !== Tunnelled.Whole) pkt.len = 0;
    return 1;
  }

  mayFollow(pkt: Packet, next: Packet): boolean {
    const { outerSource } = pkt;
    for (let i = 0; i < ADDRESS_WORDS; i++) if (outerSource[i] !== next.outerSource[i]) return false;
    return pkt.outerTos === next.outerTos && pkt.outerPort === next.outerPort;
  }

  transmit(pkt: Packet, endpoint: number): Outcome {
    const destination = this.#addresses[endpoint]!;
    completeChecksum(pkt); // small ones are finished here, so that a capture on the underlay shows them right
    const source = sourceOf(pkt.hash);
    if (pkt.gsoSize === 0 && this.#rows?.take(pkt.at, pkt.len, endpoint, source, pkt.outerTos)) return CONTINUE;
    this.#rows?.flushSource(source);
    if (pkt.gsoSize !== 0 && pkt.len > OUTER_PAYLOAD_MAX) return this.#transmitCut(pkt, destination);
    writeOuter(pkt.view, pkt.at - OUTER_LEN, this.#wire, destination, pkt.len, pkt.outerTos, this.sourcePort(pkt.hash));
    pkt.at -= OUTER_LEN;
    pkt.len += OUTER_LEN;
    writeTunnelVirtioHeader(pkt, pkt.at - VNET_TUNNEL_HEADER_LEN, OUTER_L4_OFFSET);
    return this.#write(pkt.at, pkt.len, pkt.segments);
  }

  sourcePort(hash: number): number {
    return outerSourcePort(hash);
  }

  flush(): void {
    this.#rows?.flush();
  }

  close(): void {
    close(this.receiveFd);
  }

  /** One packet of the kernel's, which it cuts into datagrams where it must: their checksums are left to it. */
  #sendRow(row: DatagramRow): Outcome {
    const { view } = this.#arena;
    const at = row.at - OUTER_LEN;
    const port = outerPortOf(row.source);
    writeOuter(view, at, this.#wire, this.#addresses[row.endpoint]!, row.len, row.tos, port);
    if (row.count === 1) clearTunnelVirtioHeader(view, at - VNET_TUNNEL_HEADER_LEN);
    else {
      leaveOuterChecksum(view, at, row.len);
      writeRowVirtioHeader(view, at - VNET_TUNNEL_HEADER_LEN, OUTER_L4_OFFSET, row.stride);
    }
    return this.#write(at, OUTER_LEN + row.len, row.count);
  }

  /** A superframe that leaves no room for its outer headers. Pods are told to make them shorter: this is rare. */
  #transmitCut(pkt: Packet, destination: number): Outcome {
    const cutter = this.#cutter;
    const at = cutter.outAt - OUTER_LEN;
    cutter.begin(pkt);
    while (cutter.next(1) > 0) {
      writeOuter(pkt.view, at, this.#wire, destination, cutter.outLen, pkt.outerTos, this.sourcePort(pkt.hash));
      clearTunnelVirtioHeader(pkt.view, at - VNET_TUNNEL_HEADER_LEN);
      const outcome = this.#write(at, OUTER_LEN + cutter.outLen, 1);
      if (outcome !== CONTINUE) return outcome;
    }
    return CONTINUE;
  }

  #beginRow(pkt: Packet): number {
    this.#rowSource.set(pkt.outerSource);
    this.#rowTos = pkt.outerTos;
    this.#rowPort = pkt.outerPort;
    this.#merger.begin(pkt.at, pkt.len, Math.max(1, pkt.gsoSize));
    return NOT_MERGED;
  }

  #nextOfRow(pkt: Packet): number {
    this.#merger.next(pkt, this.#reader.merging);
    pkt.outerSource.set(this.#rowSource);
    pkt.outerTos = this.#rowTos;
    pkt.outerPort = this.#rowPort;
    pkt.outerLen = 0; // one outer frame for all of the row
    return 1;
  }

  /** @param at where the Ethernet header begins; the virtio header is in front of it. */
  #write(at: number, len: number, segments: number): Outcome {
    this.#activity[0] = Activity.WriteUnderlay;
    const n = write(this.receiveFd, this.#arena.base + at - VNET_TUNNEL_HEADER_LEN, VNET_TUNNEL_HEADER_LEN + len);
    this.#activity[0] = Activity.Stories;
    if (n === VNET_TUNNEL_HEADER_LEN + len) {
      this.counters.countSent(segments, len);
      return CONTINUE;
    }
    this.counters.countSendFailure();
    if (n === -Errno.EAGAIN || n === -Errno.ENOBUFS) return Drop.UnderlayBusy;
    this.lastErrno = -n;
    return Drop.UnderlayError;
  }
}
