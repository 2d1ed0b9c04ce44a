/** How many small UDP packets a second arrive from pod to pod with hardly a loss, and what does a million cost? */
import { LOSS_MAX, RateSearch, type Trial } from '../../src/measure/rate-search.ts';
import type { Rival } from '../rivals/rival.ts';
import { sumOfUsage, type Usage } from './machine-usage.ts';
import { Meter } from './meter.ts';
import type { Peer } from './peer.ts';
import type { Setting } from './setting.ts';
import type { Turn, Workload } from './workload.ts';

const SIZE = 64;
const PORT = 5302;
const TRIALS_MAX = 12;
/** What is on its way when the generator ends must arrive before it is counted. */
const SETTLE_MS = 100;

/** @param segment whether the generator hands the kernel rows of packets at once, by UDP_SEGMENT (man 7 udp). */
export function packetsWorkload(peers: readonly Peer[], segment: boolean, setting: Setting): Workload {
  const each = segment
    ? 'one sendmsg with UDP_SEGMENT for each burst'
    : 'one sendmmsg for each burst of single packets';
  return {
    name: segment ? 'packets-gso' : 'packets',
    title: `${SIZE}-byte UDP, ${segment ? 'sent in rows (UDP_SEGMENT)' : 'sent one by one'}`,
    method: `Paced search of the highest rate of which at least ${100 - LOSS_MAX * 100} % arrive: up to ${TRIALS_MAX} trials of ${trialSeconds(setting)} s, those of all contenders in turn; ${each}.`,
    figures: [
      { key: 'kiloPacketsPerSecond', title: '1,000 packets/s', digits: 1 },
      { key: 'cpuSecondsPerMillion', title: 'CPU-s/million', digits: 2 },
      { key: 'daemonSecondsPerMillion', title: 'of it its daemons', digits: 2 },
      { key: 'generatorLimited', title: 'generator at its limit (1: yes)', digits: 0 },
    ],
    better: 'more',
    cost: 'cpuSecondsPerMillion',
    subjects: ['podwire'],
    participants: peers.map(({ name, title, rival }) => ({
      name,
      title,
      measure: () => searchRate(rival, segment, setting),
    })),
  };
}

function trialSeconds({ seconds }: Setting): number {
  return Math.max(0.2, seconds / 10);
}

async function* searchRate(rival: Rival, segment: boolean, setting: Setting): AsyncGenerator<void, Turn> {
  const seconds = trialSeconds(setting);
  const port = ['--port', String(PORT)];
  const sink = new Meter(rival.server, ['sink', ...port], setting.signal);
  const towards = ['blast', '--to', rival.serverAddress, ...port, ...(segment ? ['--segment'] : [])];
  const blast = new Meter(rival.client, towards, setting.signal);
  const search = new RateSearch();
  const costs = new Map<Trial, Usage>();
  try {
    await sink.ready();
    for (let i = 0; i < TRIALS_MAX; i++) {
      const wanted = search.next();
      if (wanted === undefined) break;
      if (i > 0) yield;
      await sink.order({ reset: true });
      const [[sent, counted], usage] = await setting.watch.around(rival.daemons, async () => {
        const generator = await blast.order({ pps: wanted, seconds, size: SIZE }, seconds * 1000);
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
        return [generator, await sink.order({ report: true })] as const;
      });
      const delivered = counted['packets']! - (counted['duplicates'] ?? 0);
      const trial: Trial = { wanted, sent: sent['sent']!, delivered, seconds: sent['seconds']! };
      search.report(trial);
      costs.set(trial, usage);
    }
  } finally {
    await Promise.all([blast.end(), sink.end()]);
  }
  const { rate, trial, generatorLimited } = search.found();
  if (trial === undefined) throw new Error('no rate arrived without loss');
  const { busySeconds, daemonSeconds } = costs.get(trial)!;
  return {
    usage: sumOfUsage([...costs.values()]),
    figures: {
      kiloPacketsPerSecond: rate / 1000,
      cpuSecondsPerMillion: busySeconds / (trial.delivered / 1e6),
      daemonSecondsPerMillion: daemonSeconds / (trial.delivered / 1e6),
      generatorLimited: generatorLimited ? 1 : 0,
    },
  };
}
