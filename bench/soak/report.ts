/** What the soak has seen, as Markdown. */
import type { NodeCounters } from '../../src/nodes/protocol.ts';
import { circumstances } from '../circumstances.ts';
import { comparesFootprints } from './audit.ts';
import type { Footprint, Footprints } from './footprint.ts';
import type { Sent, Verified } from './transfers.ts';

export interface PhaseResult {
  readonly phase: string;
  readonly round: number;
  readonly seconds: number;
  readonly sent: Sent;
  readonly verified: Verified;
  /** Datagrams. */
  readonly lost: number;
  /** Frames and datagrams. */
  readonly kernelDrops: Readonly<Record<string, number>>;
  readonly note: string;
}

export interface ClusterResult {
  readonly flags: readonly string[];
  readonly results: readonly PhaseResult[];
  /** In the beginning, the least in each round, and when all had settled. */
  readonly marks: readonly Footprints[];
  readonly counters: Readonly<Record<string, NodeCounters>>;
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(2);
}

function phaseRow({ phase, round, seconds, sent, verified, lost, kernelDrops, note }: PhaseResult): string {
  return row([
    `${phase} ${round}`,
    gigabytes(verified.streamBytes),
    sent.connections,
    gigabytes(verified.datagramBytes),
    verified.arrived - verified.repeated,
    lost,
    list(kernelDrops),
    verified.repeated,
    verified.overtaken,
    verified.rows,
    seconds.toFixed(0),
    ((8 * (verified.streamBytes + verified.datagramBytes)) / seconds / 1e9).toFixed(2),
    note,
  ]);
}

/** What is not 0. */
function list(counts: Readonly<Record<string, number>>): string {
  const some = Object.entries(counts).filter(([, count]) => count !== 0);
  return some.map(([name, count]) => `${name} ${count}`).join(', ');
}

function row(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}

function memoryRows({ flags, marks }: ClusterResult): string[] {
  const mebibytes = (of: (one: Footprint) => number, node: string) =>
    marks.map((mark) => (of(mark[node]!) / 2 ** 20).toFixed(0)).join(' → ');
  return Object.keys(marks[0]!).map((node) =>
    row([
      named(flags, node),
      mebibytes(({ pss }) => pss, node),
      mebibytes(({ anonymous }) => anonymous, node),
      mebibytes(({ cHeap }) => cHeap, node),
      marks.map((mark) => mark[node]!.descriptors).join(' → '),
    ]),
  );
}

function counterRows({ flags, counters }: ClusterResult): string[] {
  return Object.entries(counters).map(([node, one]) => {
    const { received, originated, copied, split, delivered, held, violations, connections } = one;
    const numbers = [received, originated, copied, split, delivered, held, violations, connections];
    return row([named(flags, node), ...numbers, list(one.dropped), list(one.consumed)]);
  });
}

function named(flags: readonly string[], node: string): string {
  return [node, ...flags].join(' ');
}

export function report(clusters: readonly ClusterResult[], problems: readonly string[], wanted: number): string {
  const results = clusters.flatMap((cluster) => cluster.results);
  const rounds = Math.max(0, ...results.map(({ round }) => round));
  const bytes = results.reduce((sum, { verified }) => sum + verified.streamBytes + verified.datagramBytes, 0);
  const seconds = results.reduce((sum, one) => sum + one.seconds, 0);
  const found =
    problems.length === 0
      ? '**No byte was wrong, no packet is missing, nothing is held.**'
      : `**${problems.length} things are wrong:**\n\n${problems.map((one) => `- ${one}`).join('\n')}`;
  return `# Soak: ${gigabytes(bytes)} GB, every byte compared

${found}

Method: two pods on two nodes, a TCP stream and UDP datagrams each way at once, IPv4 one way and IPv6 the other; of TCP
every byte is compared with what was sent, of UDP every datagram, its length, its CRC and how often it came. ${wanted} GB
were asked for; ${gigabytes(bytes)} GB arrived in ${seconds.toFixed(0)} s. Lost datagrams are those that links and full queues lose.
Memory is that of node processes, in MiB: in the beginning → the least in each round → when all had settled. Anonymous:
V8's heaps, tables and the arena; C heap: what libraries have allocated, and capture rings. ${comparesFootprints(rounds) ? 'Rounds after the first are compared.' : 'Of fewer than three rounds nothing is compared: the first warms up.'}

${circumstances().join('\n')}

| phase | streams, GB | connections | datagrams, GB | arrived | lost | kernels' drops | repeated | overtaken | rows by GRO | s | Gbit/s | meanwhile |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
${results.map(phaseRow).join('\n')}

| node | PSS | anonymous | C heap | descriptors |
| --- | --- | --- | --- | --- |
${clusters.flatMap(memoryRows).join('\n')}

| node | received | originated | copied | split | delivered | held | violations | connections | dropped | consumed |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
${clusters.flatMap(counterRows).join('\n')}
`;
}
