/** Round trips between pods: one small UDP datagram in flight, answered by an ordinary program. */
import { Refusal } from '../vessel/refusal.ts';
import { type PodRun, type RunUse, RunWatch } from './run-watch.ts';

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

export interface LatencyRun extends PodRun {
  /** What links alone make of a round trip. */
  readonly linksRoundTripMs: number;
}

export const PING_BYTES = 64;
const QUANTILES = 1001;
/** The first ones find neighbours, make connections and warm the code up. */
const WARM_UP = 500;

/** An answer that takes longer than links explain, and this much more, is lost. */
const TIMEOUT_MS = 200;

/** Whoever asks gets nothing: a policy is in the way, or a link that loses all. */
export class NothingArrives extends Refusal {
  readonly address: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';

  constructor(address: string, port: number, protocol: 'TCP' | 'UDP') {
    super(`nothing comes back from ${address}, ${protocol} port ${port}`);
    this.address = address;
    this.port = port;
    this.protocol = protocol;
  }
}

/** Why nothing comes back: a server that has ended is the reason, whatever else is. */
export function silence({ servers, address, port }: PodRun, protocol: 'TCP' | 'UDP'): Refusal {
  const gone = servers.find(({ hasEnded }) => hasEnded);
  return gone?.failure() ?? new NothingArrives(address, port, protocol);
}

/** @throws Refusal */
export async function measureLatency(run: LatencyRun): Promise<RoundTripTimes & { readonly use: RunUse }> {
  const { programs, address, port, seconds } = run;
  const timeout = String(Math.ceil(TIMEOUT_MS + run.linksRoundTripMs));
  const words = ['ping', '--to', address, '--port', String(port), '--timeout', timeout];
  const client = programs.meter('client (meter)', run.client, words);
  const warm = await client.order<RoundTripTimes>({ count: WARM_UP, seconds: 1, size: PING_BYTES });
  if (warm.lost === warm.count) throw silence(run, 'UDP');
  const watching = await RunWatch.begin(run, () => client);
  const times = await client.order<RoundTripTimes>({ seconds, size: PING_BYTES, quantiles: QUANTILES });
  return { ...times, use: await watching.end() };
}
