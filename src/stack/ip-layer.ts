/** IP of one endpoint: which packets are its own, fragments, path MTUs, and the way out. */
import { CONTINUE } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { completeChecksum } from '../packet/rewrite.ts';
import { validate } from '../packet/validate.ts';
import { destinationMacIs, destinationMacIsGroup, EtherType, parseMac } from '../wire/ethernet.ts';
import { isNeighbourDiscovery } from '../wire/neighbour.ts';
import { Protocol } from '../wire/protocol.ts';
import { fragment, Reassembly } from './fragments.ts';
import {
  buildFrame,
  type IpHeader,
  type IpPacket,
  isIpv6Text,
  LINK_ROOM,
  ownPacket,
  readAddresses,
  readIpPacket,
  viewOf,
} from './ip-packet.ts';
import { Link } from './link.ts';

/** Linux's ip_rt_min_pmtu, and RFC 8200 section 5: smaller ones are not believed. */
const MTU_MIN_IPV4 = 552;
const MTU_MIN_IPV6 = 1280;
/** Chosen. The oldest is forgotten. */
const PATH_MTUS_MAX = 64;

export interface IpOptions {
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly mtu: number;
  readonly send: (bytes: Uint8Array) => void;
  /** 32 random bits. */
  readonly random: () => number;
  /** Is given the IP packets that the next hop could not be found for. */
  readonly failed: (raw: Uint8Array) => void;
}

const NOTHING: readonly IpPacket[] = [];

export class IpLayer {
  readonly addresses: readonly string[];
  readonly random: () => number;
  readonly #options: IpOptions;
  readonly #link: Link;
  readonly #macHigh: number;
  readonly #macLow: number;
  readonly #reassembly = new Reassembly();
  readonly #pathMtus = new Map<string, number>();
  /** With `LINK_ROOM` in front. */
  #outbox: Uint8Array[] = [];
  /** To own addresses: they never see the wire. */
  #inbox: IpPacket[] = [];

  constructor(options: IpOptions) {
    this.#options = options;
    this.addresses = options.addresses;
    this.random = options.random;
    this.#link = new Link(options);
    [this.#macHigh, this.#macLow] = parseMac(options.mac);
  }

  get dueMs(): number {
    if (this.#outbox.length > 0 || this.#inbox.length > 0) return 0;
    return Math.min(this.#link.dueMs, this.#reassembly.dueMs);
  }

  /** The source address for a destination; undefined where there is none of its family. */
  sourceFor(destination: string): string | undefined {
    if (this.addresses.includes(destination)) return destination;
    return this.addresses.find((address) => isIpv6Text(address) === isIpv6Text(destination));
  }

  mtuTo(destination: string): number {
    return this.#pathMtus.get(destination) ?? this.#options.mtu;
  }

  /** A router has said what fits on the way (RFC 1191, RFC 8201). @returns the MTU to use from now on. */
  learnMtu(destination: string, mtu: number): number {
    const least = isIpv6Text(destination) ? MTU_MIN_IPV6 : MTU_MIN_IPV4;
    const before = this.mtuTo(destination);
    const now = Math.min(before, Math.max(mtu, least));
    if (now < before) {
      if (this.#pathMtus.size >= PATH_MTUS_MAX) this.#pathMtus.delete(this.#pathMtus.keys().next().value!);
      this.#pathMtus.set(destination, now);
    }
    return now;
  }

  /** Builds a packet that leaves with the next `flush`. @param upper with any checksum. */
  send(header: IpHeader, upper: Uint8Array): void {
    const frame = buildFrame(header, upper);
    if (!this.addresses.includes(header.destination)) this.#outbox.push(frame);
    else this.#inbox.push(ownPacket(frame.subarray(LINK_ROOM), upper.length, header.protocol));
  }

  /** @returns the IP packet for upper layers, if the frame holds one, or completes one. */
  receive(pkt: Packet, nowMs: number): IpPacket | undefined {
    if (validate(pkt) !== CONTINUE) return undefined;
    const mine = destinationMacIs(pkt.view, pkt.at, this.#macHigh, this.#macLow);
    if (!mine && !destinationMacIsGroup(pkt.view, pkt.at)) return undefined;
    if (pkt.etherType === EtherType.Arp) {
      this.#link.receiveArp(pkt);
      return undefined;
    }
    const icmpv6 = pkt.fragment === 0 && pkt.version === 6 && pkt.protocol === Protocol.Icmpv6;
    if (icmpv6 && isNeighbourDiscovery(pkt.view, pkt.l4At)) {
      this.#link.receiveNeighbour(pkt);
      return undefined;
    }
    if (!mine || pkt.version === 0) return undefined; // no groups here (RFC 1122 section 3.3.6)
    completeChecksum(pkt); // an ICMP error may quote it
    return this.#own(pkt.fragment === 0 ? readIpPacket(pkt) : this.#reassembly.add(pkt, nowMs));
  }

  /** Lets time pass. */
  wake(nowMs: number): void {
    this.#link.wake(nowMs);
    this.#reassembly.wake(nowMs);
  }

  /** Sends what has been built. @returns what was for this endpoint itself. */
  flush(nowMs: number): readonly IpPacket[] {
    if (this.#outbox.length > 0) {
      const frames = this.#outbox;
      this.#outbox = [];
      for (const frame of frames) this.#send(frame, nowMs);
    }
    if (this.#inbox.length === 0) return NOTHING;
    const packets = this.#inbox;
    this.#inbox = [];
    return packets;
  }

  #send(frame: Uint8Array, nowMs: number): void {
    const id = this.random(); // drawn for every packet: which of them are too long changes no other number
    if (frame.length - LINK_ROOM <= Math.min(MTU_MIN_IPV4, this.#options.mtu)) {
      this.#link.transmit(frame, nowMs);
      return;
    }
    const raw = frame.subarray(LINK_ROOM);
    const { destination } = readAddresses(viewOf(raw), raw[0]! >> 4);
    for (const piece of fragment(raw, this.mtuTo(destination), id)) this.#link.transmit(withRoom(piece), nowMs);
  }

  #own(packet: IpPacket | undefined): IpPacket | undefined {
    return packet !== undefined && this.addresses.includes(packet.destination) ? packet : undefined;
  }
}

function withRoom(raw: Uint8Array): Uint8Array {
  const frame = new Uint8Array(LINK_ROOM + raw.length);
  frame.set(raw, LINK_ROOM);
  return frame;
}
