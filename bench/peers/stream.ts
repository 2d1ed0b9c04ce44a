/** How much does one TCP stream carry from pod to pod, and what does a gigabyte cost? And through a Service with policy? */
import { type Rival, SERVICE_PORTS } from '../rivals/rival.ts';
import { trafficSince } from '../rivals/wire.ts';
import { GatedProgram } from './gated-program.ts';
import type { Peer } from './peer.ts';
import { Program } from './program.ts';
import type { Setting } from './setting.ts';
import { type Figure, inOneTurn, type Participant, type Turn, type Workload } from './workload.ts';

const START_MS = 10_000;
/** For iperf3's own exchange before and after. */
const ASIDE_MS = 10_000;

const figures = [
  { key: 'gbitPerSecond', title: 'Gbit/s', digits: 2 },
  { key: 'cpuSecondsPerGigabyte', title: 'CPU-s/GB', digits: 2 },
  { key: 'daemonSecondsPerGigabyte', title: 'of it its daemons', digits: 2 },
  { key: 'retransmits', title: 'retransmits', digits: 0 },
  { key: 'wirePacketBytes', title: 'bytes of a packet on the wire', digits: 0 },
] as const satisfies readonly Figure[];

export function streamWorkload(peers: readonly Peer[], setting: Setting): Workload {
  return {
    name: 'stream',
    title: 'One TCP stream',
    method: `iperf3, one stream, ${setting.seconds} s, the same arguments for all, bytes as the receiver counts them. CPU from the moment when a shell that waits in the client's pod starts iperf3 until it has printed its report: with its connecting and its exchange of results, without entering the pod (\`podwire exec\` starts Node, others' \`nsenter\` does not).`,
    figures,
    better: 'more',
    cost: 'cpuSecondsPerGigabyte',
    subjects: ['podwire'],
    participants: peers.map(({ name, title, rival }) => ({
      name,
      title,
      measure: () => inOneTurn(() => measureStream(rival, rival.serverAddress, setting)),
    })),
  };
}

/** @param plain by name of those with a Service: who carries the same without Service and policy. */
export function serviceWorkload(
  peers: readonly Peer[],
  plain: Readonly<Record<string, string>>,
  setting: Setting,
): Workload {
  return {
    name: 'service',
    title: 'One TCP stream through a Service, with policy',
    method: `iperf3 as above, to the address of a Service, under a policy that admits the client; beside it each one's own plain stream, without either.`,
    figures,
    better: 'more',
    cost: 'cpuSecondsPerGigabyte',
    subjects: ['podwire-service'],
    participants: peers.map(({ name, title, rival }): Participant => {
      const own = plain[name];
      if (own === undefined)
        return { name, title, measure: () => inOneTurn(() => measureStream(rival, rival.serverAddress, setting)) };
      const address = rival.serviceAddress;
      if (address === undefined) throw new Error(`${title} has no Service`);
      return { name, title, plain: own, measure: () => inOneTurn(() => measureStream(rival, address, setting)) };
    }),
  };
}

interface Iperf3Report {
  readonly error?: string;
  readonly end?: {
    readonly sum_sent: { readonly retransmits?: number };
    readonly sum_received: { readonly bits_per_second: number; readonly bytes: number };
  };
}

async function measureStream(rival: Rival, address: string, setting: Setting): Promise<Turn> {
  const { seconds, congestion, signal, watch } = setting;
  const port = ['-p', String(SERVICE_PORTS[0])];
  const flags = ['-c', address, '-t', String(seconds), '-J', '--connect-timeout', '3000', ...port];
  if (congestion !== undefined) flags.push('-C', congestion);
  const server = new Program([...rival.server, 'iperf3', '-s', '-1', '--forceflush', ...port], signal);
  const client = new GatedProgram(rival.client, ['iperf3', ...flags], signal);
  try {
    while (!(await server.line(START_MS)).includes('listening'));
    await client.ready(START_MS);
    const before = rival.traffic();
    const [text, usage] = await watch.around(rival.daemons, () => client.run(seconds * 1000 + ASIDE_MS));
    const { bits, bytes, retransmits } = readReport(text);
    const sent = trafficSince(before, rival.traffic());
    return {
      usage,
      figures: {
        gbitPerSecond: bits / 1e9,
        cpuSecondsPerGigabyte: usage.busySeconds / (bytes / 1e9),
        daemonSecondsPerGigabyte: usage.daemonSeconds / (bytes / 1e9),
        retransmits,
        ...(sent.packets > 0 ? { wirePacketBytes: sent.bytes / sent.packets } : {}),
      },
    };
  } finally {
    await Promise.all([client.end(), server.end()]);
  }
}

/** What the receiver got. @throws Error with iperf3's own words. */
export function readReport(text: string): {
  readonly bits: number;
  readonly bytes: number;
  readonly retransmits: number;
} {
  const { error, end } = JSON.parse(text) as Iperf3Report;
  if (error !== undefined || end === undefined) throw new Error(`iperf3: ${error ?? 'no report'}`);
  const { bits_per_second: bits, bytes } = end.sum_received;
  if (!(bytes > 0)) throw new Error('iperf3: nothing arrived');
  return { bits, bytes, retransmits: end.sum_sent.retransmits ?? 0 };
}
