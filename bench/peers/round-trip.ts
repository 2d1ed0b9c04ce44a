/** How long does a small UDP question and its answer take from pod to pod, and how much of that is waking processes up? */
import { fileURLToPath } from 'node:url';
import { Meter } from './meter.ts';
import type { Peer } from './peer.ts';
import { Program } from './program.ts';
import type { Setting } from './setting.ts';
import { inOneTurn, type Turn, type Workload } from './workload.ts';

const SIZE = 64;
const PORT = 5303;
/** Not counted: a spinning loop spins once it has seen that it is worth it. */
const WARM_UP = 300;
/** Round trips per second of `Setting.seconds`. */
const COUNT_PER_SECOND = 1000;
const TIMEOUT_MS = 15_000;
const pipeRing = fileURLToPath(new URL('./pipe-ring.ts', import.meta.url));

type Answer = Readonly<Record<string, number | null>>;

export function roundTripWorkload(peers: readonly Peer[], setting: Setting): Workload {
  const count = Math.round(setting.seconds * COUNT_PER_SECOND);
  return {
    name: 'rtt',
    title: 'Round trip, small UDP',
    method: `${count} datagrams of ${SIZE} bytes, one in flight, both programs asleep in recv(2) until theirs comes; beside it a byte round a ring of six processes and six pipes: this program and five times \`dd bs=1\`. podwire with its loop's spinning, and asleep, without it (\`up --without spin\`).`,
    figures: [
      { key: 'p50Us', title: 'p50 µs', digits: 1 },
      { key: 'p90Us', title: 'p90 µs', digits: 1 },
      { key: 'p99Us', title: 'p99 µs', digits: 1 },
      { key: 'minUs', title: 'least µs', digits: 1 },
      { key: 'lost', title: 'lost', digits: 0 },
      { key: 'busyCores', title: 'cores busy', digits: 2 },
    ],
    better: 'less',
    subjects: ['podwire', 'podwire-asleep'],
    participants: [
      ...peers.map((peer) => ({
        name: peer.name,
        title: peer.title,
        measure: () => inOneTurn(() => measureTrips(peer, count, setting)),
      })),
      {
        name: 'pipe-ring',
        title: 'six pipes, through five dd',
        measure: () => inOneTurn(() => measureRing(count, setting)),
      },
    ],
  };
}

async function measureTrips({ rival }: Peer, count: number, setting: Setting): Promise<Turn> {
  const port = ['--port', String(PORT)];
  const echo = new Meter(rival.server, ['echo', ...port], setting.signal);
  const ping = new Meter(rival.client, ['ping', '--to', rival.serverAddress, ...port], setting.signal);
  try {
    await echo.ready();
    await ping.order({ count: WARM_UP, size: SIZE }, TIMEOUT_MS);
    const [answer, usage] = await setting.watch.around(rival.daemons, () =>
      ping.order({ count, size: SIZE }, TIMEOUT_MS),
    );
    return { usage, figures: { ...figuresOf(answer), busyCores: usage.busySeconds / usage.seconds } };
  } finally {
    await Promise.all([ping.end(), echo.end()]);
  }
}

async function measureRing(count: number, setting: Setting): Promise<Turn> {
  const command = [process.execPath, ...process.execArgv, pipeRing, String(count)];
  const [text, usage] = await setting.watch.around([], () => new Program(command, setting.signal).output(TIMEOUT_MS));
  return { usage, figures: { ...figuresOf(JSON.parse(text) as Answer), busyCores: usage.busySeconds / usage.seconds } };
}

function figuresOf(answer: Answer): Record<string, number> {
  const { p50Us, p90Us, p99Us, minUs, lost } = answer;
  if (typeof p50Us !== 'number') throw new Error('no answer came');
  return { p50Us, p90Us: p90Us!, p99Us: p99Us!, minUs: minUs!, lost: lost ?? 0 };
}
