/**
 * What a kernel leaves undone in packets that never left the machine. A Linux vxlan device beside the cluster hands its
 * packets over loopback or veth with inner checksums that hold the pseudo header's sum only, and TCP superframes whole;
 * a UDP socket tells of neither. (The underlay by TAP does: there the virtio header says it.)
 */
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import { ChecksumState, type Packet } from '../packet/packet.ts';
import { holdsPseudoSum } from '../packet/rewrite.ts';
import { validate } from '../packet/validate.ts';
import { Way, wayIndex, wayKind } from '../packet/way.ts';
import { Protocol } from '../wire/protocol.ts';
import { TCP_CHECKSUM } from '../wire/tcp.ts';
import { UDP_CHECKSUM } from '../wire/udp.ts';
import type { Dataplane } from './dataplane.ts';

/**
 * Are the packet's TCP and UDP checksums left to its receiver? Only what comes through a tunnel: its sender's kernel has
 * summed it up, its receiver's kernel will, and a pass over the payload here would find nothing that is not found there.
 */
export function trustsChecksums(dp: Dataplane, pkt: Packet): boolean {
  if (wayKind(pkt.ingress) !== Way.Tunnel || dp.node.strictChecksums === true) return false;
  return dp.endpoints.list[wayIndex(pkt.ingress)]?.kernelLocal !== true; // what it leaves undone must be found
}

/**
 * `validate`, for the inner frame of a tunnel packet. Only an endpoint that is declared to be this machine's kernel may
 * leave a checksum undone, and only where the field says so: bytes from a wire are never trusted.
 */
export function validateInner(dp: Dataplane, pkt: Packet): Outcome {
  if (trustsChecksums(dp, pkt)) return validate(pkt, true);
  const valid = validate(pkt);
  if (valid !== Drop.BadL4Checksum && valid !== Drop.BadOffload && !mayBeSuperframe(pkt, valid, dp.node.tunnelMtu)) {
    return valid;
  }
  if (dp.endpoints.list[wayIndex(pkt.ingress)]?.kernelLocal !== true) return valid;
  return adoptUnfinished(pkt, dp.node.tunnelMtu) ? validate(pkt) : valid;
}

/**
 * One in 65,536 superframes has a payload with which the pseudo header's sum is the right checksum by chance: it looks
 * like a finished packet that is too large.
 */
function mayBeSuperframe(pkt: Packet, valid: Outcome, mtu: number): boolean {
  return valid === CONTINUE && pkt.gsoSize === 0 && ipLenOf(pkt) > mtu;
}

function ipLenOf(pkt: Packet): number {
  return pkt.at + pkt.len - pkt.l3At;
}

/**
 * Takes over what a kernel has left undone, where the checksum field says so; false, and nothing changed, where it does
 * not. Pre: `validate` had nothing but checksum or offload against the packet, or the packet `mayBeSuperframe`.
 */
export function adoptUnfinished(pkt: Packet, mtu: number): boolean {
  const tcp = pkt.protocol === Protocol.Tcp;
  if (pkt.checksum === ChecksumState.Partial || !(tcp || pkt.protocol === Protocol.Udp)) return false;
  if (!holdsPseudoSum(pkt)) return false;
  // A superframe without its segment size: TCP's is what fills the tunnel's MTU; UDP's cannot be known.
  if (pkt.gsoSize === 0 && ipLenOf(pkt) > mtu) {
    const room = mtu - (pkt.payloadAt - pkt.l3At);
    if (!tcp || room <= 0) return false;
    pkt.gsoSize = room;
  }
  pkt.checksum = ChecksumState.Partial;
  pkt.partialStart = pkt.l4At - pkt.at;
  pkt.partialOffset = tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
  return true;
}
