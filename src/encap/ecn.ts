/** Explicit congestion notification through a tunnel (RFC 6040). The two low bits of TOS or traffic class. */
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { setEcn } from '../packet/rewrite.ts';
import { ipv4Tos } from '../wire/ipv4.ts';
import { ipv6TrafficClass } from '../wire/ipv6.ts';

const Ecn = { NotCapable: 0, Capable1: 1, Capable0: 2, Congestion: 3 } as const;

export function innerEcn(pkt: Packet): number {
  return (pkt.version === 6 ? ipv6TrafficClass(pkt.view, pkt.l3At) : ipv4Tos(pkt.view, pkt.l3At)) & 3;
}

/** Combines the outer mark into the inner header on decapsulation (RFC 6040 section 4.2, figure 4). */
export function ecnDecapsulate(pkt: Packet): Outcome {
  const outer = pkt.outerTos & 3;
  if (outer === Ecn.NotCapable || outer === Ecn.Capable0) return CONTINUE;
  const inner = innerEcn(pkt);
  if (inner === Ecn.NotCapable) return outer === Ecn.Congestion ? Drop.EcnCongestion : CONTINUE;
  if (outer === Ecn.Congestion) {
    if (inner !== Ecn.Congestion) setEcn(pkt, Ecn.Congestion);
  } else if (inner === Ecn.Capable0) {
    setEcn(pkt, Ecn.Capable1);
  }
  return CONTINUE;
}
