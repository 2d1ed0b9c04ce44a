/**
 * What do six wake-ups in a row cost on this machine? A byte goes round a ring of six processes, each asleep in read(2) of
 * its pipe until the one before it writes: as a question and its answer pass two pods and two nodes, twice each node, but
 * without any network. Five of them are `dd bs=1`, which reads and writes and does nothing else: Node programs in its place
 * took twice as long, and what is compared with the ring looked better by that.
 */
import { type ChildProcess, execFileSync, type StdioOptions, spawn } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandLine, readRounds } from '../command-line.ts';
import { quantile } from './statistics.ts';

const PROCESSES = 6;
const WARM_UP_LAPS = 500;
/** A process of the ring: one read(2) and one write(2) of a byte. Of coreutils and busybox, as `mkfifo` is: both or none. */
const RELAY = ['dd', 'bs=1'] as const;

/** Both ends of a new pipe; the FIFO's name is gone at once. */
function makePipe(directory: string): { readonly reader: number; readonly writer: number } {
  const path = join(directory, 'pipe');
  execFileSync('mkfifo', [path]);
  // Open for both, so that neither end waits for the other; then each end alone, so that an end is seen.
  const both = openSync(path, constants.O_RDWR);
  const reader = openSync(path, constants.O_RDONLY);
  const writer = openSync(path, constants.O_WRONLY);
  closeSync(both);
  rmSync(path);
  return { reader, writer };
}

function runLaps(laps: number): Float64Array {
  const directory = mkdtempSync(join(tmpdir(), 'pw-ring-'));
  const pipes = Array.from({ length: PROCESSES }, () => makePipe(directory));
  rmSync(directory, { recursive: true });
  const relays: ChildProcess[] = [];
  for (let i = 0; i + 1 < PROCESSES; i++) {
    const [program, ...words] = RELAY;
    const stdio: StdioOptions = [pipes[i]!.reader, pipes[i + 1]!.writer, 'ignore']; // at its end it tells how many
    relays.push(spawn(program, words, { stdio }));
  }
  const { writer } = pipes[0]!;
  const { reader } = pipes.at(-1)!;
  const byte = new Uint8Array(1);
  const lapsUs = new Float64Array(laps);
  for (let lap = -WARM_UP_LAPS; lap < laps; lap++) {
    const startMs = performance.now();
    writeSync(writer, byte);
    readSync(reader, byte);
    if (lap >= 0) lapsUs[lap] = (performance.now() - startMs) * 1000;
  }
  for (const relay of relays) relay.kill('SIGKILL');
  return lapsUs.sort();
}

const usage = `Usage: node --import tsx bench/peers/pipe-ring.ts [LAPS]

Prints {"count","minUs","p50Us","p90Us","p99Us","maxUs"} of LAPS (2000) of a byte round six pipes. A second, no root.
`;
const laps = commandLine(usage, (words) => readRounds(words, 2000, { what: 'LAPS', most: 1e6 }));
const sorted = runLaps(laps);
const at = (share: number) => quantile(sorted, share);
console.log(
  JSON.stringify({ count: laps, minUs: at(0), p50Us: at(0.5), p90Us: at(0.9), p99Us: at(0.99), maxUs: at(1) }),
);
