/** What the network between the two ends is: it belongs to every figure. */
import { readFileSync } from 'node:fs';
import type { ApiClient } from '../api/client.ts';
import { fetchTables } from '../api/tables.ts';
import type { ClusterLink } from '../cluster/links.ts';
import type { NodeThread } from './run-watch.ts';

export interface NetworkSetting {
  readonly nodes: readonly string[];
  /** Between nodes; `unknown` where a node's process cannot be seen, `none` where both ends are on one node. */
  readonly underlay: 'TAP' | 'UDP sockets' | 'unknown' | 'none';
  /** Do packets travel as superframes, as far as the ends make them? */
  readonly offload: boolean;
  /** Of pods, in bytes; and of what is between nodes. */
  readonly podMtu: number;
  readonly underlayMtu: number;
  /** Those between these nodes that delay or lose packets. */
  readonly links: readonly ClusterLink[];
  /** Nodes that a capture watches: they merge no UDP datagrams meanwhile. */
  readonly capturing: readonly string[];
}

/** The wire to the underlay's router is in the namespace of the node's process. */
const WIRE = /^\s*underlay\d+:/m;

export async function networkSetting(
  api: ApiClient,
  nodes: readonly string[],
  threads: readonly NodeThread[],
  capturing: readonly string[],
): Promise<NetworkSetting> {
  const { topology } = await fetchTables(api);
  const { items } = await api.get<{ items: ClusterLink[] }>('/apis/podwire.dev/v1/links');
  const { offload, podMtu, underlayMtu } = topology;
  return {
    ...{ nodes, offload, podMtu, underlayMtu, capturing },
    underlay: nodes.length < 2 ? 'none' : underlayOf(threads),
    links: items.filter((link) => link.nodes.every((node) => nodes.includes(node))),
  };
}

function underlayOf([thread]: readonly NodeThread[]): NetworkSetting['underlay'] {
  if (thread === undefined) return 'unknown';
  try {
    return WIRE.test(readFileSync(`/proc/${thread.process}/net/dev`, 'utf8')) ? 'TAP' : 'UDP sockets';
  } catch {
    return 'unknown';
  }
}

/** The longest that links alone make a round trip, in milliseconds. */
export function linksRoundTripMs({ links }: Pick<NetworkSetting, 'links'>): number {
  return Math.max(0, ...links.map(({ delayMs, jitterMs }) => 2 * (delayMs + jitterMs)));
}

/** One line, and one more for each link with faults and for captures. */
export function networkWords({ underlay, offload, podMtu, links, capturing }: NetworkSetting): string[] {
  const between = underlay === 'none' ? 'both ends on one node' : `underlay by ${underlay}`;
  const faults = links.map(({ nodes, delayMs, jitterMs, loss, duplicate, reorder }) => {
    const share = (value: number, what: string) => (value > 0 ? [`${Number((value * 100).toFixed(6))} % ${what}`] : []);
    const words = [
      ...(delayMs > 0 ? [`${delayMs} ms each way`] : []),
      ...(jitterMs > 0 ? [`${jitterMs} ms jitter`] : []),
      ...[...share(loss, 'lost'), ...share(duplicate, 'twice'), ...share(reorder, 'out of order')],
    ];
    return `link ${nodes.join(' - ')}: ${words.join(', ')}`;
  });
  const captured = capturing.length === 0 ? [] : [`a capture runs on ${capturing.join(' and ')}: no UDP merging there`];
  const superframes = offload ? 'superframes' : 'no superframes (--offload off)';
  return [`${between}, ${superframes}, pod MTU ${podMtu}`, ...faults, ...captured];
}
