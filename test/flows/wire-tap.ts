/** Listens to the underlay of real nodes: a packet socket in their network namespace sees every packet on loopback. */
import { close, read } from '../../src/sys/io.ts';
import { addressOf } from '../../src/sys/libc.ts';
import { openSocket, SocketType } from '../../src/sys/socket.ts';
import { addressText } from '../oracle/slow-address.ts';

const AF_PACKET = 17;
/** ETH_P_IP in network byte order: such a socket sees packets as they arrive, and not as they leave (af_packet.c). */
const PROTOCOL_IPV4 = 0x0008;
const ETHERNET_LEN = 14;
const VXLAN_LEN = 8;
const VXLAN_PORT = 4789;
const UDP = 17;
const READ_MAX = 70_000;

export interface SeenDatagram {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly tos: number;
  readonly payload: Uint8Array;
}

export class WireTap {
  readonly #fd = openSocket(AF_PACKET, SocketType.raw | SocketType.nonBlocking | SocketType.closeOnExec, PROTOCOL_IPV4);
  readonly #buffer = Buffer.alloc(READ_MAX);

  /** VXLAN datagrams that have come since, oldest first. */
  drain(): SeenDatagram[] {
    const seen: SeenDatagram[] = [];
    for (;;) {
      const n = read(this.#fd, addressOf(this.#buffer), READ_MAX);
      if (n <= 0) return seen;
      seen.push(...datagrams(Uint8Array.from(this.#buffer.subarray(ETHERNET_LEN, n))));
    }
  }

  close(): void {
    close(this.#fd);
  }
}

function datagrams(ip: Uint8Array): SeenDatagram[] {
  const udpAt = (ip[0]! & 15) * 4;
  const u16 = (at: number) => (ip[at]! << 8) | ip[at + 1]!;
  if (ip[9] !== UDP || u16(udpAt + 2) !== VXLAN_PORT) return [];
  const outer = {
    source: addressText(ip.slice(12, 16)),
    sourcePort: u16(udpAt),
    destination: addressText(ip.slice(16, 20)),
    tos: ip[1]!,
  };
  return cut(ip.slice(udpAt + 8)).map((payload) => ({ ...outer, payload }));
}

/** A message that was sent with UDP_SEGMENT crosses loopback whole: its datagrams are as long as the inner packets say. */
function cut(payload: Uint8Array): Uint8Array[] {
  const l3At = VXLAN_LEN + ETHERNET_LEN;
  const version = (payload[l3At] ?? 0) >> 4;
  const u16 = (at: number) => (payload[at]! << 8) | payload[at + 1]!;
  const innerLen = version === 4 ? u16(l3At + 2) : version === 6 ? 40 + u16(l3At + 4) : 0;
  const rest = payload.subarray(l3At + innerLen);
  const continues = innerLen > 0 && Buffer.compare(rest.subarray(0, l3At), payload.subarray(0, l3At)) === 0;
  return continues && rest.length > l3At ? [payload.subarray(0, l3At + innerLen), ...cut(rest)] : [payload];
}
