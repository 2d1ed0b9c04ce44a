/** What belongs to one link is never forwarded, and nobody is told (RFC 1812 section 5.3.4, RFC 4291 section 2.5.6). */
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { destinationMacIsGroup } from '../wire/ethernet.ts';
import { ipv4Destination, ipv4LinkLocal, ipv4Multicast, ipv4Source } from '../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_SOURCE, ipv6LinkLocal, ipv6MulticastDestination } from '../wire/ipv6.ts';

/** May the packet leave its link? Groups may not, whether IP or Ethernet says it; nor may link-local addresses. */
export function linkScope(pkt: Packet): Outcome {
  if (destinationMacIsGroup(pkt.view, pkt.at)) return Drop.Multicast;
  if (pkt.version === 6) return linkScopeIpv6(pkt);
  const { view, l3At } = pkt;
  const destination = ipv4Destination(view, l3At);
  if (ipv4Multicast(destination)) return Drop.Multicast;
  return ipv4LinkLocal(ipv4Source(view, l3At)) || ipv4LinkLocal(destination) ? Drop.LinkLocal : CONTINUE;
}

function linkScopeIpv6({ view, l3At }: Packet): Outcome {
  if (ipv6MulticastDestination(view, l3At)) return Drop.Multicast;
  const local = ipv6LinkLocal(view, l3At + IPV6_SOURCE) || ipv6LinkLocal(view, l3At + IPV6_DESTINATION);
  return local ? Drop.LinkLocal : CONTINUE;
}
