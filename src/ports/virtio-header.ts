/**
 * The virtio header in front of every frame of a TAP (linux/virtio_net.h): what the kernel, or we, left undone. Fields
 * are little-endian; offsets in it count from the first byte of the frame.
 */
import { ChecksumState, type Packet } from '../packet/packet.ts';
import { Protocol } from '../wire/protocol.ts';
import { TcpFlag, tcpFlags } from '../wire/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER_LEN } from '../wire/udp.ts';
import { VNET_TUNNEL_HEADER_LEN } from '../wire/virtio.ts';

/** struct virtio_net_hdr_v1, and what struct virtio_net_hdr_v1_hash_tunnel appends to it. */
const FLAGS = 0;
const GSO_TYPE = 1;
const HEADER_LEN = 2;
const GSO_SIZE = 4;
const CHECKSUM_START = 6;
const CHECKSUM_OFFSET = 8;
const BUFFERS = 10;
const HASH = 12;
const HASH_REPORT = 16;
const OUTER_L4_OFFSET = 20;
const INNER_L3_OFFSET = 22;

const FLAG_NEEDS_CHECKSUM = 1;
const GSO_NONE = 0;
const GSO_TCP_IPV4 = 1;
const GSO_TCP_IPV6 = 4;
const GSO_UDP_L4 = 5;
const GSO_ECN = 0x80;
const GSO_TUNNEL_OVER_IPV4 = 0x20;

/** Reads `VNET_HEADER_LEN` bytes into checksum state and segment size. */
export function readVirtioHeader(pkt: Packet, at: number): void {
  const { view } = pkt;
  const partial = (view.getUint8(at + FLAGS) & FLAG_NEEDS_CHECKSUM) !== 0;
  pkt.checksum = partial ? ChecksumState.Partial : ChecksumState.Unverified;
  pkt.partialStart = view.getUint16(at + CHECKSUM_START, true);
  pkt.partialOffset = view.getUint16(at + CHECKSUM_OFFSET, true);
  pkt.gsoSize = view.getUint8(at + GSO_TYPE) === GSO_NONE ? 0 : view.getUint16(at + GSO_SIZE, true);
}

/** The header is written whole: the bytes before a frame are those of an earlier one. `pkt.at` is where the frame begins. */
export function writeVirtioHeader(pkt: Packet, at: number): void {
  const { view } = pkt;
  const partial = pkt.checksum === ChecksumState.Partial;
  view.setUint8(at + FLAGS, partial ? FLAG_NEEDS_CHECKSUM : 0);
  view.setUint8(at + GSO_TYPE, pkt.gsoSize === 0 ? GSO_NONE : gsoType(pkt));
  view.setUint16(at + HEADER_LEN, pkt.gsoSize === 0 ? 0 : pkt.payloadAt - pkt.at, true);
  view.setUint16(at + GSO_SIZE, pkt.gsoSize, true);
  view.setUint16(at + CHECKSUM_START, partial ? pkt.l4At - pkt.at : 0, true);
  view.setUint16(at + CHECKSUM_OFFSET, partial ? pkt.partialOffset : 0, true);
  view.setUint16(at + BUFFERS, 0, true);
}

/**
 * How a frame came that holds VXLAN: `Whole`, a superframe inside; `Row`, datagrams of one socket that the kernel has
 * not cut; `Other`, something that no VXLAN sender makes.
 */
export const Tunnelled = { Whole: 0, Row: 1, Other: 2 } as const;

/**
 * Reads `VNET_TUNNEL_HEADER_LEN` bytes. For `Whole`, checksum state and segment size are the inner packet's, which
 * begins `innerOffset` bytes into the frame; for `Row`, `pkt.gsoSize` is the size of a datagram's payload.
 */
export function readTunnelVirtioHeader(pkt: Packet, at: number, innerOffset: number): number {
  readVirtioHeader(pkt, at);
  const type = pkt.view.getUint8(at + GSO_TYPE) & ~GSO_ECN;
  pkt.partialStart -= innerOffset;
  // What is unfinished is the outer checksum: the inner one is the sender's word.
  if (pkt.checksum === ChecksumState.Partial && pkt.partialStart < 0) pkt.checksum = ChecksumState.Unverified;
  if (type === GSO_NONE || (type & GSO_TUNNEL_OVER_IPV4) !== 0) return Tunnelled.Whole;
  return type === GSO_UDP_L4 ? Tunnelled.Row : Tunnelled.Other;
}

/** The same with the tunnel's part, for a frame whose outer headers are on; UDP's is `outerL4Offset` bytes into it. */
export function writeTunnelVirtioHeader(pkt: Packet, at: number, outerL4Offset: number): void {
  const { view } = pkt;
  writeVirtioHeader(pkt, at);
  const superframe = pkt.gsoSize !== 0;
  if (superframe) view.setUint8(at + GSO_TYPE, view.getUint8(at + GSO_TYPE) | GSO_TUNNEL_OVER_IPV4);
  view.setUint32(at + HASH, 0);
  view.setUint32(at + HASH_REPORT, 0);
  view.setUint16(at + OUTER_L4_OFFSET, superframe ? outerL4Offset : 0, true);
  view.setUint16(at + INNER_L3_OFFSET, superframe ? pkt.l3At - pkt.at : 0, true);
}

/** For datagrams of `stride` bytes behind one UDP header, `l4Offset` bytes into the frame: a row, nothing tunnelled. */
export function writeRowVirtioHeader(view: DataView, at: number, l4Offset: number, stride: number): void {
  clearTunnelVirtioHeader(view, at);
  view.setUint8(at + FLAGS, FLAG_NEEDS_CHECKSUM);
  view.setUint8(at + GSO_TYPE, GSO_UDP_L4);
  view.setUint16(at + HEADER_LEN, l4Offset + UDP_HEADER_LEN, true);
  view.setUint16(at + GSO_SIZE, stride, true);
  view.setUint16(at + CHECKSUM_START, l4Offset, true);
  view.setUint16(at + CHECKSUM_OFFSET, UDP_CHECKSUM, true);
}

function gsoType(pkt: Packet): number {
  if (pkt.protocol === Protocol.Udp) return GSO_UDP_L4;
  const type = pkt.version === 6 ? GSO_TCP_IPV6 : GSO_TCP_IPV4;
  return (tcpFlags(pkt.view, pkt.l4At) & TcpFlag.Cwr) !== 0 ? type | GSO_ECN : type;
}

/** For a frame that is finished: nothing to cut, nothing to sum. */
export function clearTunnelVirtioHeader(view: DataView, at: number): void {
  for (let i = 0; i < VNET_TUNNEL_HEADER_LEN; i += 4) view.setUint32(at + i, 0);
}
