/** The stage that puts fragments together, and what happens to those whose time is over. */
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { validate } from '../packet/validate.ts';
import type { Dataplane } from './dataplane.ts';
import { answerFragmentTimeout } from './icmp-errors.ts';
import { trustsChecksums } from './unfinished.ts';

/** A whole packet goes on; a fragment waits, or goes on as the datagram that it completes, judged like any packet. */
export function reassemble(dp: Dataplane, pkt: Packet, nowMs: number): Outcome {
  return pkt.fragment === 0 ? CONTINUE : addFragment(dp, pkt, nowMs);
}

function addFragment(dp: Dataplane, pkt: Packet, nowMs: number): Outcome {
  const outcome = dp.reassembly.add(pkt, nowMs);
  if (outcome !== CONTINUE) return outcome;
  const { fragmentMax } = pkt;
  const valid = validate(pkt, trustsChecksums(dp, pkt));
  pkt.fragmentMax = fragmentMax;
  return valid === CONTINUE && pkt.fragment !== 0 ? Drop.BadFragment : valid; // a fragment inside a datagram
}

/** Ends datagrams that did not come together in time; their senders are told where the first fragment came (TN-053). */
export function expireFragments(dp: Dataplane, nowMs: number): void {
  for (;;) {
    const slot = dp.reassembly.expired(nowMs);
    if (slot < 0) return;
    if (dp.reassembly.firstFragment(slot, dp.scratch)) answerFragmentTimeout(dp, dp.scratch, nowMs);
    dp.reassembly.drop(slot, Drop.FragmentTimeout);
  }
}
