import { loadIpv4, loadIpv6 } from '../wire/address.ts';
import { icmpCode, icmpIdentifier, icmpType } from '../wire/icmp.ts';
import { IPV4_DESTINATION, IPV4_SOURCE } from '../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_SOURCE } from '../wire/ipv6.ts';
import { bothPorts } from '../wire/ports.ts';
import { Protocol } from '../wire/protocol.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, protocolWord } from './flow-key.ts';
import type { Packet } from './packet.ts';

/** Fills `pkt.key` from a validated packet's headers. */
export function loadKey(pkt: Packet): void {
  const { view, key, l3At } = pkt;
  if (pkt.version === 6) {
    loadIpv6(view, l3At + IPV6_SOURCE, key, KEY_SOURCE);
    loadIpv6(view, l3At + IPV6_DESTINATION, key, KEY_DESTINATION);
  } else {
    loadIpv4(view, l3At + IPV4_SOURCE, key, KEY_SOURCE);
    loadIpv4(view, l3At + IPV4_DESTINATION, key, KEY_DESTINATION);
  }
  key[KEY_PROTOCOL] = protocolWord(pkt.version, pkt.protocol);
  key[KEY_PORTS] = portsWord(pkt);
}

function portsWord(pkt: Packet): number {
  const { view, l4At } = pkt;
  switch (pkt.protocol) {
    case Protocol.Tcp:
    case Protocol.Udp:
    case Protocol.Sctp:
      return bothPorts(view, l4At);
    case Protocol.Icmp:
    case Protocol.Icmpv6:
      if ((pkt.protocol === Protocol.Icmp) !== (pkt.version === 4)) return 0;
      return (icmpIdentifier(view, l4At) << 16) | (icmpType(view, l4At) << 8) | icmpCode(view, l4At);
    default:
      return 0;
  }
}
