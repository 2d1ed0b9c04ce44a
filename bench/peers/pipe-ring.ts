/**
 * What do six wake-ups in a row cost on this machine? A byte goes round a ring of six processes, each asleep in read(2) of
 * its pipe until the one before it writes: as a question and its answer pass two pods and two nodes, twice each node, but
 * without any network.
 *
 *     node --import tsx bench/peers/pipe-ring.ts LAPS      prints {"count","minUs","p50Us","p90Us","p99Us","maxUs"} of a lap
 */
import { type ChildProcess, execFileSync, type StdioOptions, spawn } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quantile } from './statistics.ts';

const PROCESSES = 6;
const WARM_UP_LAPS = 500;
/** A process of the ring: reads a byte, writes it on, until the one before it is gone. Its pipes are 3 and 4. */
const RELAY = `const { readSync, writeSync } = require('node:fs');
const byte = new Uint8Array(1);
while (readSync(3, byte) === 1) writeSync(4, byte);`;

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
    const stdio: StdioOptions = ['ignore', 'ignore', 'inherit', pipes[i]!.reader, pipes[i + 1]!.writer];
    relays.push(spawn(process.execPath, ['-e', RELAY], { stdio }));
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

const laps = Number(process.argv[2]);
if (!Number.isInteger(laps) || laps < 1) throw new Error('how many laps?');
const sorted = runLaps(laps);
const at = (share: number) => quantile(sorted, share);
console.log(
  JSON.stringify({ count: laps, minUs: at(0), p50Us: at(0.5), p90Us: at(0.9), p99Us: at(0.99), maxUs: at(1) }),
);
