/** Small UDP datagrams between pods: the highest rate at which they arrive. */
import { setTimeout as sleep } from 'node:timers/promises';
import { nothingArrives } from './latency.ts';
import type { PodPlace, PodProgram, PodPrograms } from './pod-program.ts';
import { type RateFound, searchRate, type Trial } from './rate-search.ts';
import { type ClusterWatch, type NodeThread, type RunUse, RunWatch } from './run-watch.ts';

export interface PacketRateRun {
  readonly programs: PodPrograms;
  readonly watch: ClusterWatch;
  readonly threads: readonly NodeThread[];
  readonly client: PodPlace;
  /** Sinks. */
  readonly servers: readonly PodProgram[];
  readonly address: string;
  readonly port: number;
  /** Does the generator send rows, which the kernel cuts? */
  readonly segment: boolean;
  /** Of the trial that is reported. */
  readonly seconds: number;
}

export interface PacketRate extends RateFound {
  /** Of the trial that is reported. */
  readonly use: RunUse;
}

export const DATAGRAM_BYTES = 64;
const TRIAL_SECONDS = 1;
const PROBE_RATE = 1000;
const PROBE_SECONDS = 0.3;
/** What is on its way when the generator has ended. */
const SETTLE_MS = 100;

interface Counted {
  readonly packets: number;
  readonly duplicates: number;
}

/** @throws Refusal */
export async function measurePacketRate(run: PacketRateRun): Promise<PacketRate> {
  const { programs, watch, threads, servers, address, port, segment } = run;
  const words = ['blast', '--to', address, '--port', String(port), ...(segment ? ['--segment'] : [])];
  const client = programs.meter('client (meter)', run.client, words);
  await client.ready();
  const trial = async (rate: number, seconds: number): Promise<Trial> => {
    for (const server of servers) await server.order({ reset: true });
    const sent = await client.order<{ sent: number; seconds: number }>({ pps: rate, seconds, size: DATAGRAM_BYTES });
    await sleep(SETTLE_MS);
    const counts = await Promise.all(servers.map((server) => server.order<Counted>({ report: true })));
    const delivered = counts.reduce((sum, { packets, duplicates }) => sum + packets - duplicates, 0);
    return { wanted: rate, ...{ sent: sent.sent, seconds: sent.seconds }, delivered };
  };
  // Also finds neighbours and warms the path up.
  if ((await trial(PROBE_RATE, PROBE_SECONDS)).delivered === 0) throw nothingArrives(address, port, 'UDP');
  let use: RunUse | undefined;
  const confirm = async (rate: number): Promise<Trial> => {
    const watching = new RunWatch(watch, threads, client, servers);
    const result = await trial(rate, run.seconds);
    use = await watching.end();
    return result;
  };
  const found = await searchRate((rate) => trial(rate, TRIAL_SECONDS), confirm);
  await client.end();
  return { ...found, use: use ?? (await new RunWatch(watch, threads, client, servers).end()) };
}
