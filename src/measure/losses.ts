/** What was lost on the way while something was measured: at the sender's own queue, and at nodes, by their reasons. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { ApiClient } from '../api/client.ts';
import type { NodeCounters } from '../nodes/protocol.ts';
import type { PodPlace } from './pod-program.ts';
import type { NodeThread } from './run-watch.ts';

/** Counters at one moment. */
export interface LossLook {
  /** Packets; undefined where they could not be read. */
  readonly podQueue: number | undefined;
  readonly wireQueues: number | undefined;
  /** By node. */
  readonly nodes: ReadonlyMap<string, NodeLossCounters>;
}

export type NodeLossCounters = Pick<NodeCounters, 'dropped'> & {
  readonly ports: Readonly<Record<string, Pick<NodeCounters['ports'][string], 'sendFailures'>>>;
};

export interface Losses {
  /**
   * Packets, superframes counted as one, that the client's pod sent faster than its node read them: its interface's
   * tx_dropped. Null: unknown.
   */
  readonly podQueue: number | null;
  /**
   * The same of what nodes sent each other faster than it was read: tx_dropped of the TAPs of the underlay. Null: unknown,
   * or nodes send through sockets.
   */
  readonly wireQueues: number | null;
  readonly nodes: readonly NodeLosses[];
}

export interface NodeLosses {
  readonly node: string;
  /** Packets by reason (docs/DROPS.md), as many as there were. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Packets that could not be sent on. */
  readonly sendFailures: number;
}

const POD_INTERFACE = /^eth0$/;
/** A node's wire to the router that joins them all, in the namespace of every node's process. */
const UNDERLAY_INTERFACES = /^underlay\d+$/;

export async function lookAtLosses(
  api: ApiClient,
  client: PodPlace,
  threads: readonly NodeThread[],
): Promise<LossLook> {
  const asked = threads.map(async ({ node }) => {
    const path = `/apis/podwire.dev/v1/nodes/${encodeURIComponent(node)}/counters`;
    return [node, await api.get<NodeLossCounters>(path)] as const;
  });
  const told = await Promise.allSettled(asked);
  const counters = told.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  return {
    podQueue: await podQueueLosses(client),
    wireQueues: wireQueueLosses(threads),
    nodes: new Map(counters),
  };
}

function wireQueueLosses([thread]: readonly NodeThread[]): number | undefined {
  try {
    const text = readFileSync(`/proc/${thread?.process}/net/dev`, 'utf8');
    return transmitDrops(text, UNDERLAY_INTERFACES);
  } catch {
    return undefined;
  }
}

async function podQueueLosses({ wayIn }: PodPlace): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)('nsenter', [...wayIn, 'cat', '/proc/self/net/dev']);
    return transmitDrops(stdout, POD_INTERFACE);
  } catch {
    return undefined;
  }
}

/**
 * Of the interfaces of such a name together; undefined where there is none.
 *
 * @param text of /proc/net/dev: behind a name eight numbers about receiving and eight about sending, the fourth drops.
 */
export function transmitDrops(text: string, names: RegExp): number | undefined {
  let drops: number | undefined;
  for (const line of text.split('\n')) {
    const [name = '', rest = ''] = line.split(':');
    const fields = rest.trim().split(/\s+/);
    if (names.test(name.trim()) && fields.length >= 12) drops = (drops ?? 0) + Number(fields[11]);
  }
  return drops;
}

/** A node that did not tell at both moments is left out. */
export function lossesBetween(before: LossLook, after: LossLook): Losses {
  const since = (then: number | undefined, now: number | undefined) =>
    then === undefined || now === undefined ? null : Math.max(0, now - then);
  const nodes = [...after.nodes].flatMap(([node, now]) => {
    const then = before.nodes.get(node);
    if (then === undefined) return [];
    const counts = Object.entries(now.dropped).map(([reason, count]) => [reason, count - (then.dropped[reason] ?? 0)]);
    const dropped = Object.fromEntries(counts.filter(([, count]) => (count as number) > 0)) as Record<string, number>;
    return [{ node, dropped, sendFailures: Math.max(0, failures(now) - failures(then)) }];
  });
  return {
    podQueue: since(before.podQueue, after.podQueue),
    wireQueues: since(before.wireQueues, after.wireQueues),
    nodes,
  };
}

function failures({ ports }: NodeLossCounters): number {
  return Object.values(ports).reduce((sum, { sendFailures }) => sum + sendFailures, 0);
}

/** `lost at the pod's own queue: 512 packets …`: a line for each place that lost something. */
export function lossWords({ podQueue, wireQueues, nodes }: Losses): string[] {
  const count = (packets: number) => `${packets.toLocaleString('en')} ${packets === 1 ? 'packet' : 'packets'}`;
  const words: string[] = [];
  if (podQueue !== null && podQueue > 0) {
    words.push(
      `lost at the pod's own queue, which it filled faster than its node reads: ${count(podQueue)}, a superframe being one`,
    );
  }
  if (wireQueues !== null && wireQueues > 0) {
    words.push(`lost between nodes, which sent faster than the other read: ${count(wireQueues)}`);
  }
  for (const { node, dropped, sendFailures } of nodes) {
    const reasons = Object.entries(dropped).map(([reason, packets]) => `${packets.toLocaleString('en')} ${reason}`);
    if (reasons.length > 0) words.push(`dropped by ${node}: ${reasons.join(', ')}`);
    if (sendFailures > 0) words.push(`could not be sent on by ${node}: ${count(sendFailures)}`);
  }
  return words;
}
