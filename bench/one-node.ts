/** One node with one pod and one tunnel, and a packet that the pod sends: what benchmarks of the dataplane work on. */
import { Dataplane, type Port } from '../src/dataplane/dataplane.ts';
import { receiveFromPod } from '../src/dataplane/receive.ts';
import { Arena } from '../src/packet/arena.ts';
import { ChecksumState, Packet } from '../src/packet/packet.ts';
import { Way, way } from '../src/packet/way.ts';
import { PrefixTable } from '../src/tables/prefix-table.ts';
import { parseAddress } from '../src/wire/address.ts';
import { parseMac } from '../src/wire/ethernet.ts';

export const LOOPS = 1000;
export const MSS = 1398;
export const SEGMENTS = 44;
const FRAME_AT = 4096 + 66;
export const HEADERS = 14 + 20 + 32;

export const arena = new Arena(4 << 20);
arena.reserve(1 << 17);
export const pkt = new Packet(arena);
export const [nodeHigh, nodeLow] = parseMac('02:70:ac:12:00:02');
export const [podHigh, podLow] = parseMac('0a:58:0a:f4:00:02');
const address = (text: string) => parseAddress(text)!;
export const CLIENT = address('10.244.0.2')[3]!;
export const SERVER = address('10.244.1.2')[3]!;
/** The other node. */
export const UNDERLAY = address('172.18.0.3');

export const dp = new Dataplane(
  arena,
  {
    macHigh: nodeHigh,
    macLow: nodeLow,
    vni: 1,
    tunnelMtu: 1450,
    icmpSources: new Int32Array(8),
    reassemblySlots: 8,
    connectionsMax: 1 << 20,
    seed: 1,
  },
  () => 1,
);
export const port: Port = {
  way: way(Way.Pod, 0),
  macHigh: podHigh,
  macLow: podLow,
  addresses: address('10.244.0.2'),
  mtu: 1450,
  transmit: () => 0,
};
dp.pods[0] = port;
dp.underlay = { transmit: () => 0, sourcePort: () => 49_152 };
dp.setRoutes(
  PrefixTable.build([
    { address: address('10.244.0.2'), length: 128, value: way(Way.Pod, 0) },
    { address: address('10.244.1.0'), length: 120, value: way(Way.Tunnel, 0) },
  ]).data,
  [{ name: 'n2', address: UNDERLAY, macHigh: nodeHigh, macLow: nodeLow + 1, kernelLocal: false }],
);

/** Writes an Ethernet + IPv4 + TCP frame with timestamps; checksum partial, as a TAP hands it over. */
function writeFrame(payloadLen: number): void {
  const { view, bytes } = arena;
  bytes.fill(0, FRAME_AT, FRAME_AT + HEADERS);
  view.setUint16(FRAME_AT, nodeHigh);
  view.setInt32(FRAME_AT + 2, nodeLow);
  view.setUint16(FRAME_AT + 6, podHigh);
  view.setInt32(FRAME_AT + 8, podLow);
  view.setUint16(FRAME_AT + 12, 0x0800);
  const ip = FRAME_AT + 14;
  view.setUint16(ip, 0x4500);
  view.setUint16(ip + 2, 52 + payloadLen);
  view.setUint16(ip + 6, 0x4000);
  view.setUint16(ip + 8, 0x4006);
  view.setInt32(ip + 12, CLIENT);
  view.setInt32(ip + 16, SERVER);
  view.setUint16(ip + 10, arena.checksum(ip, 20, 0));
  view.setUint32(ip + 20, (40_000 << 16) | 5201);
  view.setUint16(ip + 32, 0x8010);
}

export function receive(payloadLen: number, gsoSize: number): void {
  pkt.at = FRAME_AT;
  pkt.len = HEADERS + payloadLen;
  pkt.checksum = ChecksumState.Partial;
  pkt.partialStart = 34;
  pkt.partialOffset = 16;
  pkt.gsoSize = gsoSize;
}

/** TTL and MACs are undone, so that each turn sees the same packet. */
export function story(payloadLen: number, gsoSize: number, loops = LOOPS): void {
  const { view } = arena;
  for (let i = 0; i < loops; i++) {
    receive(payloadLen, gsoSize);
    view.setUint16(FRAME_AT + 22, 0x4006);
    view.setUint16(FRAME_AT + 24, originalChecksum);
    view.setUint16(FRAME_AT, nodeHigh);
    view.setInt32(FRAME_AT + 2, nodeLow);
    view.setUint16(FRAME_AT + 6, podHigh);
    view.setInt32(FRAME_AT + 8, podLow);
    if (receiveFromPod(dp, port, pkt, 0) < 0) throw new Error('the packet was dropped');
  }
}

let originalChecksum = 0;
export function prepare(payloadLen: number): void {
  writeFrame(payloadLen);
  originalChecksum = arena.view.getUint16(FRAME_AT + 24);
}
