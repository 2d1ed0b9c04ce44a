/** Frames of open flows, for benchmarks: laid out once, put back before each turn as stories change them. */
import { receiveFromPod, receiveFromUnderlay } from '../src/dataplane/receive.ts';
import { outcomeName } from '../src/packet/outcome.ts';
import { ChecksumState } from '../src/packet/packet.ts';
import { EtherType, writeEtherType, writeMacs } from '../src/wire/ethernet.ts';
import { ipv4Write } from '../src/wire/ipv4.ts';
import { Protocol } from '../src/wire/protocol.ts';
import { TCP_CHECKSUM, TCP_HEADER_LEN, TcpFlag, tcpWrite } from '../src/wire/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER_LEN, udpWrite } from '../src/wire/udp.ts';
import { VXLAN_HEADER_LEN, vxlanWrite } from '../src/wire/vxlan.ts';
import { arena, CLIENT, dp, nodeHigh, nodeLow, pkt, podHigh, podLow, port, SERVER, UNDERLAY } from './one-node.ts';

/** Frames of a turn: as many superframes as fit into a window of 8 MB. */
export const TURN = 128;
/** From frame to frame. Payloads may overlap: nothing reads them. */
const STRIDE = 256;
const SERVER_PORT = 5201;
/** From the place of a frame to its VXLAN header, or the room for one: IP headers are on word boundaries. */
const VXLAN = 66;
const ETHERNET = VXLAN + VXLAN_HEADER_LEN;
const IP = ETHERNET + 14;
const L4 = IP + 20;
/** Two NOPs and timestamps (RFC 7323 appendix A). */
const TIMESTAMPS = Int32Array.of(0x0101080a, 1, 1);
/** Window scale 7, between NOPs. */
const SCALE = Int32Array.of(0x01030307);

export interface FlowFrames {
  readonly protocol: typeof Protocol.Tcp | typeof Protocol.Udp;
  readonly fromPod: boolean;
  /** The pod's: a flow of its own. */
  readonly clientPort: number;
  readonly payloadLen: number;
  /** 0 for ordinary packets. */
  readonly gsoSize: number;
}

const originalsAt = arena.reserve(TURN * STRIDE);
const framesAt = arena.reserve(TURN * STRIDE);

function writeFrame(at: number, { protocol, fromPod, payloadLen }: FlowFrames, l4Len: number): void {
  const { view } = arena;
  vxlanWrite(view, at + VXLAN, dp.node.vni);
  if (fromPod) writeMacs(view, at + ETHERNET, nodeHigh, nodeLow, podHigh, podLow);
  else writeMacs(view, at + ETHERNET, nodeHigh, nodeLow, nodeHigh, nodeLow + 1);
  writeEtherType(view, at + ETHERNET, EtherType.Ipv4);
  const [source, destination] = fromPod ? [CLIENT, SERVER] : [SERVER, CLIENT];
  ipv4Write(view, at + IP, source, destination, protocol, 0, 64, 20 + l4Len + payloadLen);
}

function writeTcp(at: number, frames: FlowFrames, flags: number, options: Int32Array, sequence: number): void {
  const [sourcePort, destinationPort] = portsOf(frames);
  const fields = { sourcePort, destinationPort, sequence, acknowledgment: 1, flags, window: 0xffff };
  tcpWrite(arena.view, at + L4, fields, TCP_HEADER_LEN + options.byteLength);
  for (const [i, word] of options.entries()) arena.view.setInt32(at + L4 + TCP_HEADER_LEN + i * 4, word);
}

function writeUdp(at: number, frames: FlowFrames): void {
  const [sourcePort, destinationPort] = portsOf(frames);
  udpWrite(arena.view, at + L4, sourcePort, destinationPort, UDP_HEADER_LEN + frames.payloadLen);
}

function portsOf({ fromPod, clientPort }: FlowFrames): readonly [source: number, destination: number] {
  return fromPod ? [clientPort, SERVER_PORT] : [SERVER_PORT, clientPort];
}

function receive(at: number, { protocol, fromPod, gsoSize }: FlowFrames, l4AndPayloadLen: number): void {
  pkt.len = 34 + l4AndPayloadLen;
  pkt.gsoSize = gsoSize;
  pkt.checksum = ChecksumState.Partial;
  pkt.partialStart = 34;
  pkt.partialOffset = protocol === Protocol.Tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
  let outcome: number;
  if (fromPod) {
    pkt.at = at + ETHERNET;
    outcome = receiveFromPod(dp, port, pkt, 0);
  } else {
    pkt.at = at + VXLAN;
    pkt.len += VXLAN_HEADER_LEN;
    for (let i = 0; i < UNDERLAY.length; i++) pkt.outerSource[i] = UNDERLAY[i]!;
    outcome = receiveFromUnderlay(dp, pkt, 0);
  }
  if (outcome < 0) throw new Error(outcomeName(outcome));
}

/** Opens the flow, and writes the frames of one turn: consecutive segments, or datagrams. */
export function open(frames: FlowFrames): void {
  const tcp = frames.protocol === Protocol.Tcp;
  for (const fromPod of [true, false])
    sendEmpty({ ...frames, fromPod }, TcpFlag.Syn | (fromPod ? 0 : TcpFlag.Ack), SCALE);
  // Windows are scaled from the third segment on.
  if (tcp) for (const fromPod of [true, false]) sendEmpty({ ...frames, fromPod }, TcpFlag.Ack, TIMESTAMPS);
  const l4Len = l4LenOf(frames);
  for (let i = 0; i < TURN; i++) {
    const at = originalsAt + i * STRIDE;
    writeFrame(at, frames, l4Len);
    if (tcp) writeTcp(at, frames, TcpFlag.Ack, TIMESTAMPS, 1 + i * frames.payloadLen);
    else writeUdp(at, frames);
  }
}

function sendEmpty(frames: FlowFrames, flags: number, options: Int32Array): void {
  const empty = { ...frames, payloadLen: 0, gsoSize: 0 };
  const tcp = frames.protocol === Protocol.Tcp;
  const l4Len = tcp ? TCP_HEADER_LEN + options.byteLength : UDP_HEADER_LEN;
  writeFrame(framesAt, empty, l4Len);
  if (tcp) writeTcp(framesAt, empty, flags, options, flags & TcpFlag.Syn ? 0 : 1);
  else writeUdp(framesAt, empty);
  receive(framesAt, empty, l4Len);
}

function l4LenOf({ protocol }: FlowFrames): number {
  return protocol === Protocol.Tcp ? TCP_HEADER_LEN + TIMESTAMPS.byteLength : UDP_HEADER_LEN;
}

/** Frames are again as they came in. */
export function putBack(): void {
  arena.copy(framesAt, originalsAt, TURN * STRIDE);
}

/** Gives the frame another source port and destination, as a packet of another flow. Pre: from the pod, put back. */
export function patch(index: number, sourcePort: number, destination: number): void {
  const { view } = arena;
  const at = framesAt + index * STRIDE;
  ipv4Write(view, at + IP, CLIENT, destination, Protocol.Udp, 0, 64, view.getUint16(at + IP + 2));
  view.setUint16(at + L4, sourcePort);
}

/** All packets of a turn through their story. */
export function turn(frames: FlowFrames): void {
  const len = l4LenOf(frames) + frames.payloadLen;
  for (let i = 0; i < TURN; i++) receive(framesAt + i * STRIDE, frames, len);
}
