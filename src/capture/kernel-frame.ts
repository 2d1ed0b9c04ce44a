/**
 * Frames of a capture, made into what the kernel at a place of the cluster would have handed to its node: with that
 * wire's MACs, with addresses of the cluster, and with what offloading left undone said in virtio's words.
 */
import { adoptUnfinished } from '../dataplane/unfinished.ts';
import { readOuter } from '../encap/outer.ts';
import { Arena } from '../packet/arena.ts';
import { Drop, type Outcome } from '../packet/outcome.ts';
import { ChecksumState, FRAME_HEADROOM, Packet } from '../packet/packet.ts';
import { validate } from '../packet/validate.ts';
import { writeVirtioHeader } from '../ports/virtio-header.ts';
import { destinationMacIsGroup, ETHERNET_HEADER_LEN, parseMac, writeMacs } from '../wire/ethernet.ts';
import { VNET_HEADER_LEN } from '../wire/virtio.ts';
import type { AddressMap } from './address-map.ts';

const ARENA_BYTES = 1 << 17;
const FRAME_BYTES_MAX = 66_048;

/** What a place's kernel would write. */
export interface Wire {
  readonly mac: string;
  readonly nodeMac: string;
  /** IP MTU. */
  readonly mtu: number;
}

/** One frame at a time: `load`, ask, then `take`. */
export class KernelFrame {
  readonly #arena = new Arena(ARENA_BYTES);
  readonly #pkt = new Packet(this.#arena);
  readonly #at = this.#arena.reserve(FRAME_HEADROOM + FRAME_BYTES_MAX) + FRAME_HEADROOM;
  readonly #map: AddressMap;
  /** Bytes of it, also those behind its IP packet. */
  #len = 0;

  constructor(map: AddressMap) {
    this.#map = map;
  }

  load(frame: Uint8Array): void {
    this.#arena.bytes.set(frame, this.#at);
    this.#len = frame.length;
  }

  /** Number of the map's address that it comes from, or -1. */
  mappedSource(): number {
    return isSoundIp(this.#pkt, this.#validate()) ? this.#map.sourceOf(this.#pkt) : -1;
  }

  /** Is it a datagram for VXLAN's port? */
  isForTunnel(): boolean {
    this.#reset();
    readOuter(this.#pkt);
    return this.#pkt.len > 0;
  }

  /**
   * The bytes of a TAP: a virtio header and the frame.
   *
   * @param keepMacs leaves them as they are; else only a group's MAC stays.
   */
  take(wire: Wire, keepMacs: boolean): Uint8Array {
    const pkt = this.#pkt;
    if (!keepMacs) this.#writeMacs(wire);
    const valid = this.#validate();
    // A checksum that was left to the network card shows so in a capture on the sender; and superframes show whole.
    if (valid === Drop.BadL4Checksum) adoptUnfinished(pkt, wire.mtu);
    if (isSoundIp(pkt, valid)) this.#map.apply(pkt, valid === 0);
    pkt.at = this.#at;
    writeVirtioHeader(pkt, pkt.at - VNET_HEADER_LEN);
    return this.#arena.bytes.slice(pkt.at - VNET_HEADER_LEN, pkt.at + this.#len);
  }

  #validate(): Outcome {
    this.#reset();
    return validate(this.#pkt);
  }

  #reset(): void {
    const pkt = this.#pkt;
    pkt.at = this.#at;
    pkt.len = this.#len;
    pkt.checksum = ChecksumState.Unverified;
    pkt.gsoSize = 0;
  }

  #writeMacs({ mac, nodeMac }: Wire): void {
    if (this.#len < ETHERNET_HEADER_LEN) return;
    const { view } = this.#arena;
    const at = this.#at;
    const group = destinationMacIsGroup(view, at);
    const [high, low] = group ? [view.getUint16(at), view.getInt32(at + 2)] : parseMac(nodeMac);
    writeMacs(view, at, high, low, ...parseMac(mac));
  }
}

/** Has `validate` read the IP header, and found nothing wrong before what it carries? */
function isSoundIp(pkt: Packet, valid: Outcome): boolean {
  if (valid === 0) return pkt.version !== 0;
  return valid === Drop.BadL4Header || valid === Drop.BadL4Checksum || valid === Drop.BadFragment;
}
