/** Round trips between pods: one small UDP datagram in flight, answered by an ordinary program. */
import { Refusal } from '../vessel/refusal.ts';
import type { PodPlace, PodProgram, PodPrograms } from './pod-program.ts';
import { type ClusterWatch, type NodeThread, type RunUse, RunWatch } from './run-watch.ts';

/** Microseconds; null where every datagram was lost. */
export interface RoundTripTimes {
  readonly count: number;
  readonly lost: number;
  readonly minUs: number | null;
  readonly p50Us: number | null;
  readonly p90Us: number | null;
  readonly p99Us: number | null;
  readonly maxUs: number | null;
  /** From the least to the most, evenly spaced. */
  readonly quantilesUs: readonly (number | null)[];
}

export interface LatencyRun {
  readonly programs: PodPrograms;
  readonly watch: ClusterWatch;
  readonly threads: readonly NodeThread[];
  readonly client: PodPlace;
  readonly servers: readonly PodProgram[];
  readonly address: string;
  readonly port: number;
  readonly seconds: number;
}

export const PING_BYTES = 64;
const QUANTILES = 1001;
/** The first ones find neighbours, make connections and warm the code up. */
const WARM_UP = 500;

export function nothingArrives(address: string, port: number, protocol: 'TCP' | 'UDP'): Refusal {
  return new Refusal(`nothing comes back from ${address}, ${protocol} port ${port}: podwire trace tells why`);
}

/** @throws Refusal */
export async function measureLatency(run: LatencyRun): Promise<RoundTripTimes & { readonly use: RunUse }> {
  const { programs, watch, threads, servers, address, port, seconds } = run;
  const client = programs.meter('client (meter)', run.client, ['ping', '--to', address, '--port', String(port)]);
  const warm = await client.order<RoundTripTimes>({ count: WARM_UP, seconds: 1, size: PING_BYTES });
  if (warm.lost === warm.count) throw nothingArrives(address, port, 'UDP');
  const watching = new RunWatch(watch, threads, client, servers);
  const times = await client.order<RoundTripTimes>({ seconds, size: PING_BYTES, quantiles: QUANTILES });
  return { ...times, use: await watching.end() };
}
