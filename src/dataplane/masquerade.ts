/** The last translation of a connection's first packet: its source becomes the node's. */
import { KEY_SOURCE, KEY_WORDS } from '../packet/flow-key.ts';
import { CONTINUE, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { rewriteFlow } from '../packet/rewrite.ts';
import { ADDRESS_WORDS } from '../wire/address.ts';
import type { Dataplane } from './dataplane.ts';

const translated = new Int32Array(KEY_WORDS);

/**
 * Gives the packet the node's first pod-CIDR address, where `serviceDnat` has asked for it: replies then come back
 * through this node, whoever sends them (KP-036). After policy, which asks for the client (KP-033). The port stays, if
 * `commit` finds that the reply tuple is nobody else's; kube-proxy's `random-fully` would change it in any case.
 */
export function masquerade(dp: Dataplane, pkt: Packet): Outcome {
  if (!pkt.masquerade) return CONTINUE;
  const { icmpSources } = dp.node;
  const from = pkt.version === 6 ? ADDRESS_WORDS : 0;
  translated.set(pkt.key);
  for (let i = 0; i < ADDRESS_WORDS; i++) translated[KEY_SOURCE + i] = icmpSources[from + i]!;
  rewriteFlow(pkt, translated, 0);
  return CONTINUE;
}
