/** The books of nodes, when transfers are over: what must balance, and what must be gone. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeCounters } from '../../src/nodes/protocol.ts';
import type { SoakCluster } from './cluster.ts';
import type { Footprints } from './footprint.ts';

/** Until incomplete datagrams are given up (IPv4: 30 s, IPv6: 60 s), and frames on links have arrived. */
const DRAIN_MS = 70_000;
/** Memory that may come between equal rounds: garbage waits for its collector. */
const GROWTH_MAX = 32 << 20;
/**
 * Rings of captures that have ended (32 MiB each) wait for the collector too, or stay in C's heap, to be used again, also
 * minutes later. They become six within some ten captures, and then no more: 40 captures in a row stood at 200 MiB from the
 * eleventh on. So a round may have five more than an earlier one, which has had a capture.
 */
const RINGS_MAX = 5 * (32 << 20);
/** Until the first round is over, tables and heaps have not found their sizes. */
const WARM_ROUNDS = 1;
/** Descriptors that come and go with what is asked at the moment. */
const DESCRIPTORS_MORE = 2;
/** Reasons that nothing but a damaged packet has: no program here makes one. */
const DAMAGED = /^Bad|Truncated|Martian|Spoof/;

function total(reasons: Readonly<Record<string, number>>): number {
  return Object.values(reasons).reduce((sum, count) => sum + count, 0);
}

/** What must hold at every moment. @returns what does not. */
export function auditPackets(counters: Readonly<Record<string, NodeCounters>>): string[] {
  return Object.entries(counters).flatMap(([node, one]) => {
    const { received, originated, copied, split, delivered, held, violations, dropped, consumed } = one;
    const difference = received + originated + copied + split - delivered - held - total(dropped) - total(consumed);
    const found: string[] = [];
    if (difference !== 0) found.push(`${node}: ${difference} packets are not accounted for`);
    if (violations > 0) found.push(`${node}: its own check of the accounts has failed ${violations} times`);
    for (const [reason, count] of Object.entries(dropped)) {
      if (DAMAGED.test(reason)) found.push(`${node}: ${count} packets were dropped as ${reason}`);
    }
    return found;
  });
}

/** Datagrams that one dropped frame can be: a row of them, and some more that waited for its answer. */
const ROW_MAX = 64;

/**
 * Datagrams get lost in queues of kernels that are full, and where a node says that it has dropped something; not
 * otherwise.
 *
 * @param lost of a phase. @param kernelDrops frames and datagrams in that phase.
 * @param counters since the node's start: what was dropped in earlier phases is forgiven.
 */
export function auditDatagrams(
  lost: number,
  kernelDrops: Readonly<Record<string, number>>,
  counters: Readonly<Record<string, NodeCounters>>,
): string[] {
  if (lost < 0) return [`${-lost} datagrams more have arrived than were sent`];
  const nodeDrops = Object.values(counters).reduce((sum, { dropped }) => sum + total(dropped), 0);
  const queueDrops = total(kernelDrops);
  const known = ROW_MAX * (queueDrops + nodeDrops);
  return lost <= known
    ? []
    : [`${lost} datagrams were lost; kernels say of ${queueDrops} drops, nodes of ${nodeDrops}`];
}

/**
 * Waits until nodes hold no packet and, up to `seconds`, know no more connections than in the beginning.
 *
 * @returns what stays.
 */
export async function settle(
  cluster: SoakCluster,
  before: Readonly<Record<string, NodeCounters>>,
  seconds: number,
): Promise<string[]> {
  const startMs = performance.now();
  const over = (ms: number) => performance.now() - startMs > ms;
  for (;;) {
    const counters = await cluster.counters();
    const holding = Object.entries(counters).filter(([, { held }]) => held !== 0);
    const crowded = Object.entries(counters).filter(([node, now]) => now.connections > before[node]!.connections);
    const held = holding.map(([node, one]) => `${node}: ${one.held} packets are still held`);
    const known = crowded.map(([node, { connections }]) => `${node}: ${connections} connections have not gone`);
    if (holding.length === 0 && (crowded.length === 0 || seconds === 0)) return auditPackets(counters);
    if (over(DRAIN_MS) && held.length > 0) return held;
    if (seconds > 0 && over(1000 * seconds)) return known;
    await sleep(1000);
  }
}

/**
 * What a later round needs more than an earlier one, with the same phases and after one that warms up, is a leak.
 *
 * What this sees, in a node, without captures (32 MiB are allowed): 32 bytes that are lost with each packet, where the rounds
 * in between have a million of them, as 10 GB have by their datagrams alone. With captures (192 MiB): 200 bytes a packet, and
 * a ring that every capture loses from seven captures on. 50 GB of all phases have one or two captures a round, so for that
 * `--phase capture --gigabytes 50` is to be run. What it never sees are packets' own buffers: they are places in an arena of
 * fixed size, and one that is lost is `held` for ever, which `settle` finds, down to a single one.
 *
 * @param marks in the beginning, and the least in each round. @param captured were there captures?
 */
export function checkFootprints(marks: readonly Footprints[], captured: boolean): string[] {
  const early = marks[Math.max(WARM_ROUNDS + 1, marks.length >> 1)];
  const late = marks.at(-1);
  if (early === undefined || late === undefined || early === late) return [];
  return Object.keys(late).flatMap((node) => {
    const grown = late[node]!.pss - early[node]!.pss;
    const more = late[node]!.descriptors - early[node]!.descriptors;
    const found: string[] = [];
    if (grown > GROWTH_MAX + (captured ? RINGS_MAX : 0)) {
      found.push(`${node}: ${(grown / 2 ** 20).toFixed(0)} MiB more in the last round`);
    }
    if (more > DESCRIPTORS_MORE) found.push(`${node}: ${more} descriptors more in the last round`);
    return found;
  });
}

/** Are there rounds enough to compare? */
export function comparesFootprints(rounds: number): boolean {
  return rounds > WARM_ROUNDS + 1;
}
