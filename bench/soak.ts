/**
 * Question: does a cluster that runs for long corrupt a byte, or lose a buffer? Streams and datagrams go through two
 * nodes in both directions and both families, every byte is compared with what was sent, while links lose and reorder,
 * connection tables are near full, captures run and policies change. Then the books must balance: every packet accounted
 * for, none held, memory and descriptors as before, connections gone. Exit status 1 when anything is wrong.
 * The rival is the sender itself: `--plant` has it flip one bit of a stream and one of a datagram, which must be found.
 * Usage: --help.
 */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { commandLine, EXIT_INTERRUPTED, readList, readNumber } from './command-line.ts';
import { requireBuild } from './requirements.ts';
import { auditDatagrams, auditPackets, checkFootprints, settle } from './soak/audit.ts';
import { SoakCluster } from './soak/cluster.ts';
import { type Footprints, leastOf } from './soak/footprint.ts';
import { type Ends, type Phase, phases } from './soak/phases.ts';
import { interruptedWords } from './soak/progress.ts';
import { type ClusterResult, type PhaseResult, report } from './soak/report.ts';
import { type Targets, Transfers, type Verified } from './soak/transfers.ts';

const usage = `Usage: npm run bench:soak -- [OPTION...]

Whether a cluster that carries gigabytes corrupts a byte or loses a buffer: links lose and reorder, tables are full,
captures run, policies change, every byte is compared. 50 GB take 10 to 30 minutes; needs npm run build, no root.
Ctrl-C ends it in some seconds and tells what was found so far. Exit status 1 when anything is wrong.

  --gigabytes N  of all phases and rounds together (50)
  --phase NAME   only this one, with all the bytes; may be repeated: ${phases.map(({ name }) => name).join(', ')}
  --rounds N     each with every phase; memory is compared from three on (3)
  --seed N       of streams and datagrams (1)
  --settle S     how long connections have to time out at the end; 0: nobody waits (200)
  --plant        spoils a bit of a stream and one of a datagram, which must be found
  --out FILE     also writes the report there
`;

const values = commandLine(usage, (args) => {
  const { values: given } = parseArgs({
    args,
    options: {
      gigabytes: { type: 'string', default: '50' },
      phase: { type: 'string', multiple: true },
      rounds: { type: 'string', default: '3' },
      seed: { type: 'string', default: '1' },
      settle: { type: 'string', default: '200' },
      plant: { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  });
  return {
    ...given,
    gigabytes: readNumber(given.gigabytes, '--gigabytes', { most: 1e6 }),
    rounds: Math.ceil(readNumber(given.rounds, '--rounds')),
    seed: readNumber(given.seed, '--seed', { most: 2 ** 20 }),
    settle: readNumber(given.settle, '--settle', { least: -1 }),
    phase: readList(
      given.phase?.join(','),
      '--phase',
      phases.map(({ name }) => name),
    ),
  };
});
requireBuild();
const LOOK_MS = 5000;
const BYTES_PER_GIGABYTE = 1e9;

const problems: string[] = [];
let interrupted = false;
/** What is wrong after an interruption, it has done itself. */
function wrong(what: string): void {
  if (interrupted) return;
  problems.push(what);
  console.error(`WRONG: ${what}`);
}

const chosen = phases.filter(({ name }) => values.phase.includes(name));
const shares = chosen.reduce((sum, { share }) => sum + share, 0);
const { rounds } = values;
const startMs = performance.now();
let running: SoakCluster | undefined;
const allTransfers: Transfers[] = [];
const finished: PhaseResult[] = [];

/** The verdict so far; then nothing is left. */
async function interrupt(): Promise<void> {
  if (interrupted) return;
  interrupted = true;
  process.on('uncaughtException', () => {}); // whoever talks to the cluster that ends
  const sum = (of: keyof Verified) => allTransfers.reduce((total, { verified }) => total + verified[of], 0);
  const bytes = { streamBytes: sum('streamBytes'), datagramBytes: sum('datagramBytes') };
  console.log(interruptedWords({ ...bytes, phasesDone: finished.length, phases: chosen.length * rounds, problems }));
  await running?.down();
  process.exit(EXIT_INTERRUPTED);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void interrupt());

/** A line every five seconds. */
async function watch(
  cluster: SoakCluster,
  transfers: Transfers,
  looks: Footprints[],
  over: AbortSignal,
): Promise<void> {
  let before = bytesOf(transfers);
  let beforeMs = performance.now();
  while (!over.aborted) {
    await sleep(LOOK_MS, undefined, { signal: over }).catch(() => {});
    const [counters, footprints] = [await cluster.counters(), cluster.footprints()];
    looks.push(footprints);
    const bytes = bytesOf(transfers);
    const nodes = Object.entries(counters).map(
      ([node, { connections, held }]) =>
        `${node} ${connections} connections, ${held} held, ${((footprints[node]?.pss ?? 0) / 2 ** 20).toFixed(0)} MiB`,
    );
    const nowMs = performance.now();
    const rate = (8 * (bytes - before)) / (nowMs - beforeMs) / 1e6;
    [before, beforeMs] = [bytes, nowMs];
    const atS = ((nowMs - startMs) / 1000).toFixed(0);
    console.error(
      `${atS.padStart(5)} s ${(bytes / 1e9).toFixed(2)} GB, ${rate.toFixed(2)} Gbit/s; ${nodes.join('; ')}`,
    );
  }
}

function bytesOf({ verified }: Transfers): number {
  return verified.streamBytes + verified.datagramBytes;
}

function difference<T extends { readonly [K in keyof T]: number }>(now: T, before: T): T {
  const names = Object.keys(now) as (keyof T & string)[];
  return Object.fromEntries(names.map((name) => [name, now[name] - (before[name] ?? 0)])) as T;
}

/** Streams go by one family, datagrams by the other, and the other way round in the other direction. */
function targets(a: Ends['a'], b: Ends['b']): Record<string, Targets> {
  return { a: { tcp: b.v4, udp: b.v6 }, b: { tcp: a.v6, udp: a.v4 } };
}

async function runPhase(
  cluster: SoakCluster,
  transfers: Transfers,
  pods: Ends,
  phase: Phase,
  round: number,
): Promise<PhaseResult> {
  console.error(`phase ${phase.name}, round ${round} of ${rounds}`);
  const to =
    phase.through === 'pod'
      ? targets(pods.a, pods.b)
      : targets(await cluster.serviceAddresses('a'), await cluster.serviceAddresses('b'));
  const before = transfers.verified;
  const over = new AbortController();
  let disturbing = Promise.resolve('');
  await new Promise<void>((ready) => {
    disturbing = phase.disturb({ cluster, pods, ready, over: over.signal }).catch((error: unknown) => {
      wrong(`${phase.name}: ${error instanceof Error ? error.message : error}`);
      ready();
      return '';
    });
  });
  const dropsBefore = await cluster.kernelDrops();
  const beganMs = performance.now();
  const bytes = (values.gigabytes * BYTES_PER_GIGABYTE * phase.share) / shares / rounds;
  const plant = values.plant && phase === chosen[0] && round === 1;
  const sent = await transfers.send(bytes, to, phase.copies, plant);
  const seconds = (performance.now() - beganMs) / 1000;
  over.abort();
  const note = await disturbing;
  const verified = transfers.verified;
  const since = difference(verified, before);
  if (since.streamBytes !== sent.streamBytes) {
    wrong(`${phase.name}: of ${sent.streamBytes} bytes of streams ${since.streamBytes} arrived and were right`);
  }
  const counters = await cluster.counters();
  for (const found of auditPackets(counters)) wrong(`${phase.name}: ${found}`);
  const kernelDrops = difference(await cluster.kernelDrops(), dropsBefore);
  const lost = sent.datagrams - (since.arrived - since.repeated);
  for (const found of auditDatagrams(lost, kernelDrops, counters)) wrong(`${phase.name}: ${found}`);
  return { phase: phase.name, round, seconds, sent, verified: since, lost, kernelDrops, note };
}

/** Phases that share a cluster, on that cluster. */
async function runCluster(flags: readonly string[], group: readonly Phase[]): Promise<ClusterResult> {
  console.error(`cluster: podwire up ${flags.join(' ')}`);
  const cluster = new SoakCluster();
  const transfers = new Transfers(cluster, values.seed, wrong);
  running = cluster;
  allTransfers.push(transfers);
  const marks: Footprints[] = [];
  const looks: Footprints[] = [];
  const results: PhaseResult[] = [];
  try {
    await cluster.up(flags);
    const connectionsBefore = await cluster.counters();
    await transfers.listen();
    const [a, b] = [await cluster.podAddresses('a'), await cluster.podAddresses('b')];
    marks.push(cluster.footprints());
    const over = new AbortController();
    const watching = watch(cluster, transfers, looks, over.signal);
    for (let round = 1; round <= rounds; round++) {
      looks.length = 0;
      for (const phase of group) {
        const result = await runPhase(cluster, transfers, { a, b }, phase, round);
        results.push(result);
        finished.push(result);
        looks.push(cluster.footprints());
      }
      marks.push(leastOf(looks));
    }
    const captured = group.some(({ name }) => name === 'capture');
    for (const what of checkFootprints(marks, captured)) wrong(what);
    for (const what of await settle(cluster, connectionsBefore, values.settle)) wrong(what);
    over.abort();
    await watching;
    marks.push(cluster.footprints());
    for (const node of cluster.restarted()) wrong(`${node} has ended and was started again:\n${cluster.log()}`);
    return { flags, results, marks, counters: await cluster.counters() };
  } finally {
    await cluster.down();
  }
}

const clusters: ClusterResult[] = [];
for (const flags of new Set(chosen.map((phase) => phase.flags.join(' ')))) {
  const group = chosen.filter((phase) => phase.flags.join(' ') === flags);
  clusters.push(await runCluster(group[0]!.flags, group));
}
const text = report(clusters, problems, values.gigabytes);
console.log(text);
if (values.out !== undefined) writeFileSync(values.out, text);
process.exitCode = problems.length > 0 ? 1 : 0;
