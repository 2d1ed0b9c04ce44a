/** What `podwire bench` can measure: each from servers to figures, words, plot and document. */
import { latencyPlot, type PlotWords, ratePlot, streamPlot } from './bench-plots.ts';
import { cpuText, intervalLine, latencyText, limitText, noisyLine, rateText } from './bench-text.ts';
import { measureLatency, PING_BYTES } from './latency.ts';
import { limitWords } from './limit.ts';
import { noiseOf } from './machine-use.ts';
import { DATAGRAM_BYTES, measurePacketRate, type PacketRate } from './packet-rate.ts';
import type { PodPlace, PodPrograms } from './pod-program.ts';
import { LOSS_MAX, lossOf } from './rate-search.ts';
import type { ClusterWatch, NodeThread, RunUse } from './run-watch.ts';
import type { ServerKind, Servers } from './servers.ts';
import { iperfStream, meterStream, type StreamRun } from './throughput.ts';

export interface Run {
  readonly programs: PodPrograms;
  readonly watch: ClusterWatch;
  readonly threads: readonly NodeThread[];
  readonly client: PodPlace;
  readonly seconds: number;
  /** Figures of noisy intervals are shown too. */
  readonly noisy: boolean;
  /** Shows a line while it runs. */
  readonly live: (text: string) => void;
  readonly serve: (kind: ServerKind) => Promise<Servers>;
  /** How many pods are behind what is measured. */
  readonly servers: number;
  /** Its version, where this machine has it. */
  readonly iperf3: string | undefined;
}

export interface Measured {
  /** Where to, in words. */
  readonly to: string;
  readonly method: string;
  /** Behind what was shown while it ran. */
  readonly text: string;
  readonly plot: (words: PlotWords) => string;
  /** Figures, participants, limit and raw figures. */
  readonly document: object;
  /** Of what is reported. */
  readonly uses: readonly RunUse[];
  /** False when something could not be found out. */
  readonly complete: boolean;
}

interface Measurement {
  readonly protocol: 'TCP' | 'UDP';
  measure(run: Run): Promise<Measured>;
}

export const measurements = {
  throughput: { protocol: 'TCP', measure: throughput },
  latency: { protocol: 'UDP', measure: latency },
  pps: { protocol: 'UDP', measure: packetRate },
} as const satisfies Readonly<Record<string, Measurement>>;

async function throughput(run: Run): Promise<Measured> {
  // iperf3 has a second connection for control, which a Service may lead elsewhere.
  const tool = run.servers === 1 ? run.iperf3 : undefined;
  const served = await run.serve(tool === undefined ? ['stream-sink'] : 'iperf3');
  const method = `one TCP stream by ${tool ?? "podwire's meter"}, ${run.seconds} s`;
  run.live(`${run.client.words} to ${served.words} (${served.address} port ${served.port}): ${method}\n`);
  const stream: StreamRun = {
    ...run,
    ...{ servers: served.programs, address: served.address, port: served.port },
    onInterval: (interval, machine) => {
      const reasons = noiseOf(machine);
      const shown = reasons.length === 0 || run.noisy;
      run.live(shown ? intervalLine(interval, reasons.length === 0 ? '' : '  NOISY') : noisyLine(interval, reasons));
    },
  };
  const { bytes, seconds, retransmits, intervals, use } = await (tool === undefined ? meterStream : iperfStream)(
    stream,
  );
  const more = `  received${retransmits === undefined ? '' : `, ${retransmits} retransmitted`}`;
  const gigabytes = bytes / 1e9;
  return {
    ...{ to: served.words, method, uses: [use], complete: true },
    text: `${intervalLine({ fromSeconds: 0, toSeconds: seconds, bytes }, more)}\n${cpuText(use, { amount: gigabytes, unit: 'GB' })}${limitText(use)}`,
    plot: (words) => streamPlot(words, intervals),
    document: {
      figures: { bytes, seconds, bitsPerSecond: (8 * bytes) / seconds, retransmits: retransmits ?? null },
      ...useDocument(use, 'coreSecondsPerGigabyte', gigabytes),
      limit: limitWords(use.participants, use.machine),
      raw: { intervals },
    },
  };
}

async function latency(run: Run): Promise<Measured> {
  const served = await run.serve(['echo']);
  const method = `UDP round trips of ${PING_BYTES} bytes, one at a time, ${run.seconds} s`;
  run.live(`${run.client.words} to ${served.words} (${served.address} port ${served.port}): ${method}\n`);
  const times = await measureLatency({
    ...run,
    ...{ servers: served.programs, address: served.address, port: served.port },
  });
  const { use, quantilesUs, ...figures } = times;
  const thousands = figures.count / 1000;
  return {
    ...{ to: served.words, method, uses: [use], complete: true },
    text: `${latencyText(times)}\n${cpuText(use, { amount: thousands, unit: '1000 ROUND TRIPS' })}`,
    plot: (words) => latencyPlot(words, times),
    document: {
      figures,
      ...useDocument(use, 'coreSecondsPerThousandRoundTrips', thousands),
      raw: { quantilesUs },
    },
  };
}

const generators = [
  { generator: 'sendmmsg', segment: false },
  { generator: 'UDP_SEGMENT', segment: true },
] as const;

async function packetRate(run: Run): Promise<Measured> {
  const method = `UDP datagrams of ${DATAGRAM_BYTES} bytes, loss at most ${100 * LOSS_MAX} %, binary search in trials of 1 s, the best once more for ${run.seconds} s`;
  const rates: { generator: string; found: PacketRate }[] = [];
  let to = '';
  for (const { generator, segment } of generators) {
    // Who sends rows receives rows.
    const served = await run.serve(segment ? ['sink', '--gro'] : ['sink']);
    const { address, port, programs } = served;
    if (to === '') run.live(`${run.client.words} to ${served.words} (${address}): ${method}\n`);
    to = served.words;
    const found = await measurePacketRate({ ...run, ...{ servers: programs, address, port, segment } });
    rates.push({ generator, found });
    for (const program of programs) await program.end();
  }
  const cpu = rates.flatMap(({ generator, found: { best, use } }) =>
    best === undefined
      ? []
      : [`\n${generator}\n${cpuText(use, { amount: best.delivered / 1e6, unit: '1,000,000' })}${limitText(use)}`],
  );
  return {
    ...{ to, method, uses: rates.map(({ found }) => found.use) },
    complete: rates.every(({ found }) => found.best !== undefined),
    text: `${rateText(rates)}${cpu.join('')}`,
    plot: (words) => ratePlot(words, rates),
    document: {
      figures: Object.fromEntries(rates.map(({ generator, found }) => [generator, rateFigures(found)])),
      raw: { trials: Object.fromEntries(rates.map(({ generator, found }) => [generator, found.trials])) },
    },
  };
}

function rateFigures({ best, use }: PacketRate): object | null {
  if (best === undefined) return null;
  const perSecond = (count: number) => count / best.seconds;
  return {
    sentPerSecond: perSecond(best.sent),
    deliveredPerSecond: perSecond(best.delivered),
    loss: lossOf(best),
    ...useDocument(use, 'coreSecondsPerMillionDelivered', best.delivered / 1e6),
    limit: limitWords(use.participants, use.machine),
  };
}

function useDocument({ machine, participants }: RunUse, name: string, amount: number): object {
  return {
    cpu: { ...machine, [name]: amount > 0 ? machine.busySeconds / amount : null },
    participants,
  };
}
