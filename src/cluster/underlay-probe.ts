/** Sends one superframe through a tunnel between two TAPs and looks at what arrives: the only test that tells. */
import { Arena } from '../packet/arena.ts';
import { CONTINUE } from '../packet/outcome.ts';
import { ChecksumState, Packet } from '../packet/packet.ts';
import { validate } from '../packet/validate.ts';
import { TapUnderlay } from '../ports/tap-underlay.ts';
import { addressOf } from '../sys/libc.ts';
import { ADDRESS_WORDS, parseAddress } from '../wire/address.ts';
import { pseudoSumIpv4 } from '../wire/checksum.ts';
import { ETHERNET_HEADER_LEN, EtherType, parseMac, writeEtherType, writeMacs } from '../wire/ethernet.ts';
import { IPV4_HEADER_LEN, ipv4Write } from '../wire/ipv4.ts';
import { Protocol } from '../wire/protocol.ts';
import { TCP_CHECKSUM } from '../wire/tcp.ts';
import { VXLAN_HEADER_LEN, vxlanWrite } from '../wire/vxlan.ts';

export interface WireEnd {
  readonly fd: number;
  readonly address: string;
  readonly mac: string;
  readonly routerMac: string;
}

const ARENA_BYTES = 1 << 20;
const TCP_HEADER_LEN = 20;
const SEGMENT = 1398;
/** Ten segments and a short one: some kernels cut a row with a short end wrongly. */
const PAYLOAD = 10 * SEGMENT + 100;
const HEADROOM = 128 + 2;
const VNI = 1;

/** Between two wires that one router joins: does a superframe leave the one and arrive at the other as it was? */
export function crossesWhole(from: WireEnd, to: WireEnd): boolean {
  const arena = new Arena(ARENA_BYTES);
  arena.base = addressOf(arena.buffer);
  const plain = { arena, merging: false, rows: false, lost: () => {}, activity: new Int32Array(1) };
  const sender = new TapUnderlay({ ...plain, fd: from.fd, wire: wireOf(from) });
  const receiver = new TapUnderlay({ ...plain, fd: to.fd, wire: wireOf(to) });
  sender.setEndpoints([to.address]);
  const pkt = superframe(arena);
  if (validate(pkt) !== CONTINUE) throw new Error('the probe is not a valid packet: this is a bug in podwire');
  const { len } = pkt;
  pkt.at -= VXLAN_HEADER_LEN;
  pkt.len += VXLAN_HEADER_LEN;
  vxlanWrite(pkt.view, pkt.at, VNI);
  if (sender.transmit(pkt, 0) !== CONTINUE) return false;
  // The kernel routes it within the call that sends it.
  if (receiver.receive(pkt, false) !== 1) return false;
  return (
    pkt.len === len + VXLAN_HEADER_LEN && pkt.gsoSize === SEGMENT && (pkt.checksum as number) === ChecksumState.Partial
  );
}

function wireOf({ address, mac, routerMac }: WireEnd) {
  const [macHigh, macLow] = parseMac(mac);
  const [routerMacHigh, routerMacLow] = parseMac(routerMac);
  return { address: parseAddress(address)![ADDRESS_WORDS - 1]!, macHigh, macLow, routerMacHigh, routerMacLow };
}

function superframe(arena: Arena): Packet {
  const { view } = arena;
  const pkt = new Packet(arena);
  const l4Len = TCP_HEADER_LEN + PAYLOAD;
  pkt.len = ETHERNET_HEADER_LEN + IPV4_HEADER_LEN + l4Len;
  pkt.at = arena.reserve(HEADROOM + pkt.len) + HEADROOM;
  const l3At = pkt.at + ETHERNET_HEADER_LEN;
  const l4At = l3At + IPV4_HEADER_LEN;
  writeMacs(view, pkt.at, 0x0270, 2, 0x0270, 1);
  writeEtherType(view, pkt.at, EtherType.Ipv4);
  ipv4Write(view, l3At, 0x0af4_0002, 0x0af4_0102, Protocol.Tcp, 0, 64, IPV4_HEADER_LEN + l4Len);
  view.setUint16(l4At, 40_000);
  view.setUint16(l4At + 2, 80);
  view.setUint16(l4At + 12, 0x5010); // 20 bytes of header, ACK
  view.setUint16(l4At + TCP_CHECKSUM, pseudoSumIpv4(view, l3At, Protocol.Tcp, l4Len));
  pkt.checksum = ChecksumState.Partial;
  pkt.partialStart = l4At - pkt.at;
  pkt.partialOffset = TCP_CHECKSUM;
  pkt.gsoSize = SEGMENT;
  return pkt;
}
