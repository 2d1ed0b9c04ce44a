/** Small UDP datagrams between pods: the highest rate at which they arrive. */
import { setTimeout as sleep } from 'node:timers/promises';
import { silence } from './latency.ts';
import { type Losses, lossesBetween } from './losses.ts';
import { type RateFound, searchRate, type Trial } from './rate-search.ts';
import { lossesOf, type PodRun, type RunUse, RunWatch } from './run-watch.ts';

/** Its servers are sinks, its seconds those of the trial that is reported. */
export interface PacketRateRun extends PodRun {
  /** Does the generator send rows, which the kernel cuts? */
  readonly segment: boolean;
  /** What links alone make of a round trip. */
  readonly linksRoundTripMs: number;
  /** Is told of each trial when it is over. */
  readonly onTrial: (trial: Trial) => void;
}

export interface PacketRate extends RateFound {
  /** Of the trial that is reported. */
  readonly use: RunUse;
  /** Of all trials: where the rates that were too high lost theirs. */
  readonly losses: Losses;
}

export const DATAGRAM_BYTES = 64;
const TRIAL_SECONDS = 1;
const PROBE_RATE = 1000;
const PROBE_SECONDS = 0.3;
/** What is on its way when the generator has ended: what links hold, and what queues do. */
const SETTLE_MS = 100;

interface Sent {
  readonly sent: number;
  readonly seconds: number;
  /** The sequence number of the next datagram. */
  readonly next: number;
}

interface Counted {
  readonly packets: number;
  readonly duplicates: number;
}

/** @throws Refusal */
export async function measurePacketRate(run: PacketRateRun): Promise<PacketRate> {
  const { programs, servers, address, port, segment } = run;
  const words = ['blast', '--to', address, '--port', String(port), ...(segment ? ['--segment'] : [])];
  const client = programs.meter('client (meter)', run.client, words);
  await client.ready();
  // The generator's next sequence number: what is later than the settling allows is not taken for this trial's.
  let first = 0;
  const trial = async (rate: number, seconds: number): Promise<Trial> => {
    for (const server of servers) await server.order({ reset: true, first });
    const sent = await client.order<Sent>({ pps: rate, seconds, size: DATAGRAM_BYTES });
    first = sent.next;
    await sleep(run.linksRoundTripMs + SETTLE_MS);
    const counts = await Promise.all(servers.map((server) => server.order<Counted>({ report: true })));
    const delivered = counts.reduce((sum, { packets, duplicates }) => sum + packets - duplicates, 0);
    const result = { wanted: rate, ...{ sent: sent.sent, seconds: sent.seconds }, delivered };
    run.onTrial(result);
    return result;
  };
  // Also finds neighbours and warms the path up.
  if ((await trial(PROBE_RATE, PROBE_SECONDS)).delivered === 0) throw silence(run, 'UDP');
  let use: RunUse | undefined;
  const confirm = async (rate: number): Promise<Trial> => {
    const watching = await RunWatch.begin(run, () => client);
    const result = await trial(rate, run.seconds);
    use = await watching.end();
    return result;
  };
  const before = await lossesOf(run);
  const found = await searchRate((rate) => trial(rate, TRIAL_SECONDS), confirm);
  use ??= await (await RunWatch.begin(run, () => client)).end();
  await client.end();
  return { ...found, use, losses: lossesBetween(before, await lossesOf(run)) };
}
