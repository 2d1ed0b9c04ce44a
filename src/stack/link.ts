/**
 * The wire between a pod and its node: one neighbour, the next hop of every route (169.254.1.1, fe80::1), whose MAC is
 * asked for once (ARP, RFC 826; Neighbour Discovery, RFC 4861) and kept, as the node's never changes. Packets wait
 * meanwhile. Others who ask for an own address are answered.
 */
import type { Packet } from '../packet/packet.ts';
import { formatAddress, loadIpv4, loadIpv6, parseAddress } from '../wire/address.ts';
import { ArpOperation, arpCheckedLen, arpOperation } from '../wire/arp.ts';
import { EtherType, parseMac } from '../wire/ethernet.ts';
import { Icmpv6, icmpCode, icmpType } from '../wire/icmp.ts';
import { IPV6_SOURCE, ipv6HopLimit, ipv6Unspecified } from '../wire/ipv6.ts';
import { NEIGHBOUR_TARGET, neighbourCheckedLen } from '../wire/neighbour.ts';
import { Protocol } from '../wire/protocol.ts';
import { VNET_HEADER_LEN } from '../wire/virtio.ts';
import { buildIpPacket, isIpv6Text, LINK_ROOM } from './ip-packet.ts';

const NEXT_HOP_IPV4 = '169.254.1.1';
const NEXT_HOP_IPV6 = 'fe80::1';
const ALL_NODES = 'ff02::1';

/** Linux's mcast_solicit and retrans_time_ms. */
const ASK_TIMES = 3;
const ASK_AGAIN_MS = 1000;
/** Chosen; Linux bounds bytes. The oldest goes. */
const WAITING_MAX = 8;

const MAC_LEN = 6;
const BROADCAST = Uint8Array.of(255, 255, 255, 255, 255, 255);
const ARP_SENDER_MAC = 8;
const ARP_SENDER_ADDRESS = 14;
const ARP_TARGET_ADDRESS = 24;
const NEIGHBOUR_OPTIONS = 24;
const OPTION_TARGET_MAC = 2;
const ND_HOP_LIMIT = 255;
const FLAG_SOLICITED = 0x40;
const FLAG_OVERRIDE = 0x20;

export interface LinkOptions {
  readonly mac: string;
  readonly addresses: readonly string[];
  /** Takes a virtio header and a frame. */
  readonly send: (bytes: Uint8Array) => void;
  /** Is given what has waited for a neighbour who did not answer. */
  readonly failed: (raw: Uint8Array) => void;
}

interface NextHop {
  mac: Uint8Array | undefined;
  readonly waiting: Uint8Array[];
  asked: number;
  /** When to ask again, or to give up; Infinity when nothing waits. */
  dueMs: number;
}

export class Link {
  readonly mac: Uint8Array;
  readonly #options: LinkOptions;
  readonly #ipv4 = newNextHop();
  readonly #ipv6 = newNextHop();

  constructor(options: LinkOptions) {
    this.#options = options;
    this.mac = macBytes(options.mac);
  }

  get dueMs(): number {
    return Math.min(this.#ipv4.dueMs, this.#ipv6.dueMs);
  }

  wake(nowMs: number): void {
    for (const hop of [this.#ipv4, this.#ipv6]) {
      if (hop.dueMs > nowMs) continue;
      if (hop.asked < ASK_TIMES) {
        this.#ask(hop, nowMs);
        continue;
      }
      hop.dueMs = Infinity;
      for (const frame of hop.waiting.splice(0)) this.#options.failed(frame.subarray(LINK_ROOM));
    }
  }

  /** Sends a whole IP packet to the next hop, now or when its MAC is known. @param frame with `LINK_ROOM` in front. */
  transmit(frame: Uint8Array, nowMs: number): void {
    const hop = frame[LINK_ROOM]! >> 4 === 6 ? this.#ipv6 : this.#ipv4;
    if (hop.mac !== undefined) {
      this.#sendFrame(hop.mac, hop === this.#ipv6 ? EtherType.Ipv6 : EtherType.Ipv4, frame);
      return;
    }
    if (hop.waiting.length >= WAITING_MAX) hop.waiting.shift();
    hop.waiting.push(frame);
    if (hop.dueMs !== Infinity) return;
    hop.asked = 0;
    this.#ask(hop, nowMs);
  }

  /** Pre: a validated ARP frame. */
  receiveArp(pkt: Packet): void {
    const { view, l3At } = pkt;
    if (arpCheckedLen(view, l3At, pkt.at + pkt.len - l3At) === 0) return;
    const sender = ipv4At(view, l3At + ARP_SENDER_ADDRESS);
    const target = ipv4At(view, l3At + ARP_TARGET_ADDRESS);
    const mac = copyMac(pkt, l3At + ARP_SENDER_MAC);
    if (arpOperation(view, l3At) === ArpOperation.Reply) {
      if (sender === NEXT_HOP_IPV4) this.#learn(this.#ipv4, mac);
    } else if (arpOperation(view, l3At) === ArpOperation.Request && this.#options.addresses.includes(target)) {
      this.#send(mac, EtherType.Arp, this.#arp(ArpOperation.Reply, target, mac, sender));
    }
  }

  /** Pre: a validated Neighbour Discovery message. What RFC 4861 section 7.1 tells to discard is discarded. */
  receiveNeighbour(pkt: Packet): void {
    const { view, l3At, l4At } = pkt;
    if (ipv6HopLimit(view, l3At) !== ND_HOP_LIMIT || icmpCode(view, l4At) !== 0) return;
    if (neighbourCheckedLen(view, l4At, pkt.l4Len) === 0) return;
    const target = ipv6At(view, l4At + NEIGHBOUR_TARGET);
    if (icmpType(view, l4At) === Icmpv6.NeighbourAdvertisement) {
      const mac = targetMac(pkt);
      if (target === NEXT_HOP_IPV6 && mac !== undefined) this.#learn(this.#ipv6, mac);
    } else if (icmpType(view, l4At) === Icmpv6.NeighbourSolicitation && this.#options.addresses.includes(target)) {
      this.#advertise(pkt, target);
    }
  }

  #learn(hop: NextHop, mac: Uint8Array): void {
    if (hop.dueMs === Infinity || (mac[0]! & 1) !== 0) return; // nobody asked, or a group
    hop.mac = mac;
    hop.dueMs = Infinity;
    const type = hop === this.#ipv6 ? EtherType.Ipv6 : EtherType.Ipv4;
    for (const frame of hop.waiting.splice(0)) this.#sendFrame(mac, type, frame);
  }

  #ask(hop: NextHop, nowMs: number): void {
    hop.asked++;
    hop.dueMs = nowMs + ASK_AGAIN_MS;
    const own = this.#options.addresses.find((address) => isIpv6Text(address) === (hop === this.#ipv6));
    if (own === undefined) return;
    if (hop === this.#ipv4) {
      const request = this.#arp(ArpOperation.Request, own, new Uint8Array(MAC_LEN), NEXT_HOP_IPV4);
      this.#send(BROADCAST, EtherType.Arp, request);
      return;
    }
    const group = solicitedNode(NEXT_HOP_IPV6);
    const body = [Icmpv6.NeighbourSolicitation, 0, 0, 0, 0, 0, 0, 0, ...addressBytes(NEXT_HOP_IPV6), 1, 1, ...this.mac];
    this.#sendNeighbour(groupMac(group), own, group, Uint8Array.from(body));
  }

  /** To whoever asked, or to all when that has no address yet (RFC 4861 section 7.2.4). */
  #advertise(pkt: Packet, target: string): void {
    const { view, l3At } = pkt;
    const toAll = ipv6Unspecified(view, l3At + IPV6_SOURCE);
    const to = toAll ? ALL_NODES : ipv6At(view, l3At + IPV6_SOURCE);
    const mac = toAll ? groupMac(ALL_NODES) : copyMac(pkt, pkt.at + MAC_LEN);
    const flags = FLAG_OVERRIDE | (toAll ? 0 : FLAG_SOLICITED);
    const option = [OPTION_TARGET_MAC, 1, ...this.mac];
    const body = [Icmpv6.NeighbourAdvertisement, 0, 0, 0, flags, 0, 0, 0, ...addressBytes(target), ...option];
    this.#sendNeighbour(mac, target, to, Uint8Array.from(body));
  }

  #sendNeighbour(mac: Uint8Array, source: string, destination: string, body: Uint8Array): void {
    const header = { source, destination, protocol: Protocol.Icmpv6, hops: ND_HOP_LIMIT };
    this.#send(mac, EtherType.Ipv6, buildIpPacket(header, body));
  }

  #arp(operation: number, sender: string, targetMacBytes: Uint8Array, target: string): Uint8Array {
    const fixed = [0, 1, 8, 0, MAC_LEN, 4, 0, operation];
    return Uint8Array.from([
      ...fixed,
      ...this.mac,
      ...addressBytes(sender),
      ...targetMacBytes,
      ...addressBytes(target),
    ]);
  }

  #send(to: Uint8Array, type: number, payload: Uint8Array): void {
    const frame = new Uint8Array(LINK_ROOM + payload.length);
    frame.set(payload, LINK_ROOM);
    this.#sendFrame(to, type, frame);
  }

  /** The virtio header is zero: nothing is left to cut or to sum. */
  #sendFrame(to: Uint8Array, type: number, frame: Uint8Array): void {
    frame.set(to, VNET_HEADER_LEN);
    frame.set(this.mac, VNET_HEADER_LEN + MAC_LEN);
    frame[LINK_ROOM - 2] = type >> 8;
    frame[LINK_ROOM - 1] = type & 0xff;
    this.#options.send(frame);
  }
}

function newNextHop(): NextHop {
  return { mac: undefined, waiting: [], asked: 0, dueMs: Infinity };
}

function macBytes(text: string): Uint8Array {
  const [high, low] = parseMac(text);
  return Uint8Array.of(high >> 8, high, low >>> 24, low >>> 16, low >>> 8, low);
}

function copyMac(pkt: Packet, at: number): Uint8Array {
  return pkt.arena.bytes.slice(at, at + MAC_LEN);
}

/** RFC 2464 section 7. */
function groupMac(group: string): Uint8Array {
  return Uint8Array.from([0x33, 0x33, ...addressBytes(group).slice(12)]);
}

/** RFC 4291 section 2.7.1. */
function solicitedNode(address: string): string {
  const words = parseAddress(address)!;
  return formatAddress(Int32Array.of(0xff02_0000, 0, 1, words[3]! | 0xff00_0000));
}

/** 4 bytes, or 16. */
function addressBytes(text: string): number[] {
  const bytes = [...parseAddress(text)!].flatMap((word) => [word >>> 24, word >>> 16, word >>> 8, word]);
  return (isIpv6Text(text) ? bytes : bytes.slice(12)).map((byte) => byte & 255);
}

function ipv4At(view: DataView, at: number): string {
  const words = new Int32Array(4);
  loadIpv4(view, at, words, 0);
  return formatAddress(words);
}

function ipv6At(view: DataView, at: number): string {
  const words = new Int32Array(4);
  loadIpv6(view, at, words, 0);
  return formatAddress(words);
}

/** The target link-layer address option of an advertisement; its options are sound. */
function targetMac(pkt: Packet): Uint8Array | undefined {
  const { view, l4At, l4Len } = pkt;
  for (let at = l4At + NEIGHBOUR_OPTIONS; at < l4At + l4Len; at += view.getUint8(at + 1) << 3) {
    if (view.getUint8(at) === OPTION_TARGET_MAC) return copyMac(pkt, at + 2);
  }
  return undefined;
}
