/** What `podwire bench` can measure: each from servers to figures, words, plot and document. */
import { latencyPlot, type PlotWords, ratePlot, streamPlot } from './bench-plots.ts';
import {
  cpuText,
  headText,
  intervalLine,
  latencyText,
  limitText,
  lossText,
  noisyLine,
  rateText,
  timeText,
  trialText,
} from './bench-text.ts';
import { measureLatency, PING_BYTES } from './latency.ts';
import { limitWords, workShare } from './limit.ts';
import { noiseOf } from './machine-use.ts';
import { linksRoundTripMs, type NetworkSetting, networkWords } from './network-setting.ts';
import { DATAGRAM_BYTES, measurePacketRate, type PacketRate } from './packet-rate.ts';
import { disagreement, LOSS_MAX, lossOf, type Trial } from './rate-search.ts';
import type { PodRun, RunUse } from './run-watch.ts';
import type { ServerKind, Servers } from './servers.ts';
import { iperfStream, meterStream, type StreamRun } from './throughput.ts';

export interface Run extends Omit<PodRun, 'servers' | 'address' | 'port'> {
  readonly network: NetworkSetting;
  /** Figures of noisy intervals are shown too. */
  readonly noisy: boolean;
  /** Shows a line while it runs. */
  readonly live: (text: string) => void;
  /** Says on standard error how far it is. */
  readonly progress: (line: string) => void;
  readonly serve: (kind: ServerKind) => Promise<Servers>;
  /** How many pods are behind what is measured. */
  readonly serverCount: number;
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
  const tool = run.serverCount === 1 ? run.iperf3 : undefined;
  const served = await run.serve(tool === undefined ? ['stream-sink'] : 'iperf3');
  const method = `one TCP stream by ${tool ?? "podwire's meter"}, ${run.seconds} s`;
  run.live(head(run, `${served.words} (${served.address} port ${served.port})`, method));
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
    text: `${intervalLine({ fromSeconds: 0, toSeconds: seconds, bytes }, more)}\n${cpuText(use, { amount: gigabytes, unit: '10^9 BYTES' })}${limitText(use)}${lossText(use)}`,
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
  run.live(head(run, `${served.words} (${served.address} port ${served.port})`, method));
  const times = await measureLatency({
    ...{ ...run, linksRoundTripMs: linksRoundTripMs(run.network) },
    ...{ servers: served.programs, address: served.address, port: served.port },
  });
  const { use, quantilesUs, ...figures } = times;
  const thousands = figures.count / 1000;
  return {
    ...{ to: served.words, method, uses: [use], complete: true },
    text: `${latencyText(times)}\n${cpuText(use, { amount: thousands, unit: '1000 ROUND TRIPS' })}${timeText(times, use)}${lossText(use)}`,
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
    if (to === '') run.live(head(run, `${served.words} (${address})`, method));
    to = served.words;
    let trials = 0;
    const onTrial = (trial: Trial) => run.progress(`${generator}, ${trialText(++trials, trial)}`);
    const path = { servers: programs, address, port, linksRoundTripMs: linksRoundTripMs(run.network) };
    const found = await measurePacketRate({ ...run, ...path, segment, onTrial });
    rates.push({ generator, found });
    for (const program of programs) await program.end();
  }
  const parts = rates.map(({ generator, found: { best, use, losses } }) => {
    const amount = (best?.delivered ?? 0) / 1e6;
    const cpu = best === undefined ? '' : `${cpuText(use, { amount, unit: '1,000,000' })}${limitText(use)}`;
    const lost = lossText({ losses });
    return cpu === '' && lost === '' ? '' : `\n${generator}\n${cpu}${lost === '' ? '' : `in all trials:\n${lost}`}`;
  });
  return {
    ...{ to, method, uses: rates.map(({ found }) => found.use) },
    complete: rates.every(({ found }) => found.best !== undefined),
    text: `${rateText(rates)}${parts.join('')}`,
    plot: (words) => ratePlot(words, rates),
    document: {
      figures: Object.fromEntries(rates.map(({ generator, found }) => [generator, rateFigures(found)])),
      raw: { trials: Object.fromEntries(rates.map(({ generator, found }) => [generator, found.trials])) },
    },
  };
}

function head(run: Run, to: string, method: string): string {
  return headText(run.client.words, to, [method, ...networkWords(run.network)]);
}

function rateFigures({ best, trials, use, losses }: PacketRate): object | null {
  if (best === undefined) return null;
  const perSecond = (count: number) => count / best.seconds;
  return {
    sentPerSecond: perSecond(best.sent),
    deliveredPerSecond: perSecond(best.delivered),
    loss: lossOf(best),
    ...disagreement(trials),
    lossesOfAllTrials: losses,
    ...useDocument(use, 'coreSecondsPerMillionDelivered', best.delivered / 1e6),
    limit: limitWords(use.participants, use.machine),
  };
}

function useDocument({ machine, participants, losses }: RunUse, name: string, amount: number): object {
  return {
    cpu: { ...machine, [name]: amount > 0 ? machine.busySeconds / amount : null },
    participants: participants.map((one) => ({ ...one, workShare: workShare(one) })),
    losses,
  };
}
