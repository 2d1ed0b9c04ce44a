/**
 * What a port calls for each packet: tells the packet's story, and counts and records how it ended. Stages never
 * count their own drops, so no drop can be forgotten or counted twice.
 */
import { consumeIndex, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { Way, way } from '../packet/way.ts';
import type { Dataplane, Port } from './dataplane.ts';
import { fromHost } from './from-host.ts';
import { fromPod } from './from-pod.ts';
import { fromUnderlay } from './from-underlay.ts';
import { answerDrop } from './icmp-errors.ts';
import { expireFragments } from './reassemble.ts';
import { flushStale } from './stale-flows.ts';

export function receiveFromPod(dp: Dataplane, port: Port, pkt: Packet, nowMs: number): Outcome {
  begin(dp, pkt, port.way, nowMs);
  return end(dp, pkt, fromPod(dp, port, pkt, nowMs), nowMs);
}

export function receiveFromHost(dp: Dataplane, port: Port, pkt: Packet, nowMs: number): Outcome {
  begin(dp, pkt, port.way, nowMs);
  return end(dp, pkt, fromHost(dp, port, pkt, nowMs), nowMs);
}

export function receiveFromUnderlay(dp: Dataplane, pkt: Packet, nowMs: number): Outcome {
  begin(dp, pkt, way(Way.None, 0), nowMs); // which tunnel it is, its story finds out
  return end(dp, pkt, fromUnderlay(dp, pkt, nowMs), nowMs);
}

/**
 * Ends what has waited too long. True when there may be more of it: then it is not yet time to sleep.
 *
 * @param budget connections to look at, so that a crowd of them does not stop packets.
 */
export function expire(dp: Dataplane, nowMs: number, budget: number): boolean {
  const removed = dp.connections.count > 0 ? dp.connections.expire(nowMs, budget) : 0;
  if (dp.staleFlows.pending) flushStale(dp, budget);
  expireFragments(dp, nowMs);
  return removed >= budget || dp.staleFlows.pending;
}

function begin(dp: Dataplane, pkt: Packet, ingress: number, nowMs: number): void {
  dp.counters.countReceived();
  pkt.ingress = ingress;
  pkt.egress = 0;
  dp.recorder.begin(pkt, nowMs);
}

function end(dp: Dataplane, pkt: Packet, outcome: Outcome, nowMs: number): Outcome {
  dp.recorder.end(pkt, outcome);
  if (outcome < 0) {
    dp.counters.countDropped(-1 - outcome);
    answerDrop(dp, pkt, outcome, nowMs);
  } else {
    const consumed = consumeIndex(outcome);
    if (consumed >= 0) dp.counters.countConsumed(consumed);
  }
  return outcome;
}
