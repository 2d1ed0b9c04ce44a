import { ADDRESS_WORDS } from '../wire/address.ts';
import type { Arena } from './arena.ts';
import { KEY_WORDS } from './flow-key.ts';

/**
 * What the TCP, UDP or ICMP checksum field of a packet holds:
 * - `Complete`: the checksum, known to be right (or the UDP zero that means none).
 * - `Partial`: the sum of the pseudo header only, as virtio hands packets over (VIRTIO_NET_HDR_F_NEEDS_CSUM).
 * - `Unverified`: something that claims to be the checksum; it came from a wire, and its receiver will look at it.
 *
 * RFC 1624 patching is right for the first and the last, and wrong for `Partial`: only `rewrite.ts` touches checksums.
 */
export const ChecksumState = { Complete: 0, Partial: 1, Unverified: 2 } as const;

/** In `pkt.fragment`: this is not the last one. */
export const MORE_FRAGMENTS = 0x2000;
export const FRAGMENT_OFFSET_MASK = 0x1fff;

/** `pkt.connection` of a packet that has none yet. */
export const UNTRACKED = -1;
/** `pkt.connection` of an ICMP error about a known connection: it passes, and never touches the entry. */
export const RELATED = -2;

/**
 * Bytes free in front of every frame that a port hands in, for the headers of the way out: VXLAN with its outer
 * headers (50) and a virtio header (24). It leaves the IP header on a word boundary behind Ethernet's 14 bytes.
 */
export const FRAME_HEADROOM = 78;

/**
 * One packet on its way through a node. A dataplane has one of these per packet in flight and uses it again: every
 * field is set by whoever receives the packet, or by the stage named beside it. Offsets are into the arena.
 *
 * A superframe (TCP or UDP with `gsoSize` > 0, at most 64 KiB) is one packet to every stage.
 */
export class Packet {
  readonly arena: Arena;
  readonly view: DataView;

  // Set on receipt.
  /** First byte of the Ethernet frame (of the VXLAN header before `decapsulate`). There is headroom before it. */
  at = 0;
  /** Bytes of the frame. */
  len = 0;
  checksum: number = ChecksumState.Unverified;
  /** For `Partial`: where the summed region begins, from `at`, and where in it the field is (virtio csum_start/_offset). */
  partialStart = 0;
  partialOffset = 0;
  /** Payload bytes per segment of a superframe; 0 for an ordinary packet. */
  gsoSize = 0;
  /** Way it came in by (`way.ts`). */
  ingress = 0;
  /** Outer source address, four words, when it came through a tunnel. */
  readonly outerSource = new Int32Array(ADDRESS_WORDS);
  /** TOS octet of the outer header: the one it came with, later the one to send with. */
  outerTos = 0;
  /** UDP source port of the outer header that it came with. */
  outerPort = 0;
  /** The outer frame that it came in, where it is in the arena still; length 0 where only its fields are known. */
  outerAt = 0;
  outerLen = 0;

  // Set by `validate`.
  etherType = 0;
  /** 0 for a whole packet; of a fragment `MORE_FRAGMENTS`, and its offset in units of eight bytes. */
  fragment = 0;
  /** Of a fragment: its identification. `l4At` and `l4Len` are then what it carries. */
  fragmentId = 0;
  /** 4, 6, or 0 for what is not IP. */
  version = 0;
  protocol = 0;
  l3At = 0;
  l4At = 0;
  /** Bytes from `l4At` to the packet's end. */
  l4Len = 0;
  /** First byte after the TCP, UDP or SCTP header, what a superframe is cut from; `l4At` for other protocols. */
  payloadAt = 0;
  /** `key` has been read on the way. */
  keyLoaded = false;

  // Set by `reassemble`.
  /** Length of the longest fragment (an IP packet) that the packet came in; 0 when it came whole. */
  fragmentMax = 0;

  // Set by the connection stages.
  /** Key of the packet as it is now (`flow-key.ts`). */
  readonly key = new Int32Array(KEY_WORDS);
  hash = 0;
  /** Connection number, or `UNTRACKED`, or `RELATED`. */
  connection = UNTRACKED;
  /** 0 original, 1 reply. */
  direction = 0;
  /** Of an ICMP error about a known connection: the half whose packets travel as it does. */
  relatedHalf = 0;

  // Set by `serviceDnat`.
  /** Of a connection's first packet: its source is to become the node's (KP-036). */
  masquerade = false;

  // Set by `route`.
  /** Way it goes out by. */
  egress = 0;

  // Set by `fits`.
  /** Length of the IP packets that it must leave in; 0 when it leaves whole. */
  fragmentTo = 0;

  constructor(arena: Arena) {
    this.arena = arena;
    this.view = arena.view;
  }

  /** Takes over what was set on the receipt of another one, its bytes included. */
  receiveAs(other: Packet): void {
    this.at = other.at;
    this.len = other.len;
    this.checksum = other.checksum;
    this.partialStart = other.partialStart;
    this.partialOffset = other.partialOffset;
    this.gsoSize = other.gsoSize;
    for (let i = 0; i < ADDRESS_WORDS; i++) this.outerSource[i] = other.outerSource[i]!;
    this.outerTos = other.outerTos;
    this.outerPort = other.outerPort;
    this.outerAt = other.outerAt;
    this.outerLen = other.outerLen;
  }

  /** Wire packets that this packet is, or becomes when it is cut. */
  get segments(): number {
    if (this.gsoSize === 0) return 1;
    return Math.ceil((this.l4At + this.l4Len - this.payloadAt) / this.gsoSize);
  }

  /** Length of its largest IP packet on a wire: what an MTU is compared with. */
  get largestIpLen(): number {
    if (this.gsoSize === 0) return this.at + this.len - this.l3At;
    return this.payloadAt - this.l3At + this.gsoSize;
  }
}
