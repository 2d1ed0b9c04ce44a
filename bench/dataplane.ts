/**
 * Question: what does the dataplane itself cost, without any system call: a packet of a known flow from parse to
 * encapsulated and from the tunnel to its pod, alone and among a million flows; and what does it leave for the garbage
 * collector? Beside it: cutting a superframe into 44 segments, merging 44 datagrams back. Usage: --help.
 */
import { Bench } from 'tinybench';
import { Cutter } from '../src/encap/cut.ts';
import { Merger } from '../src/encap/merge.ts';
import { validate } from '../src/packet/validate.ts';
import { Protocol } from '../src/wire/protocol.ts';
import { commandLine, noOptions } from './command-line.ts';
import { type FlowFrames, open, patch, putBack, TURN, turn } from './flow-frames.ts';
import { arena, dp, HEADERS, MSS, pkt, prepare, receive, SEGMENTS, SERVER } from './one-node.ts';

const usage = `Usage: npm run bench:dataplane

What a packet of a known flow costs the dataplane, from parse to encapsulated and back, alone and among a million flows;
cutting and merging superframes. In memory, some 40 s, no root.
`;
commandLine(usage, noOptions);

const FLOWS = 1_000_000;
const DESTINATIONS = 250;
/** Packets for the last column. */
const COUNTED = 1 << 20;

const bench = new Bench({ time: 1500, warmupTime: 1000 });
/** What one call of a task is divided by, and how what it leaves on the heap is counted. */
const units = new Map<string, number>();
const bytesPerPacket = new Map<string, number>();

function add(name: string, count: number, run: () => void, before: () => void, beforeEach: () => void): void {
  units.set(name, count);
  bench.add(name, run, { beforeAll: before, beforeEach });
}

/** What packets leave on the heap, when nothing is collected between the two looks. */
function countBytes(name: string, run: () => void, beforeEach: () => void): void {
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < COUNTED; i += TURN) {
    beforeEach();
    run();
  }
  bytesPerPacket.set(name, (process.memoryUsage().heapUsed - before) / COUNTED);
}

function addFlow(name: string, frames: FlowFrames): void {
  const run = () => turn(frames);
  units.set(name, TURN);
  bench.add(name, run, {
    beforeAll: () => open(frames),
    beforeEach: putBack,
    afterAll: () => countBytes(name, run, putBack),
  });
}

const kinds = [
  ['64-byte UDP', { protocol: Protocol.Udp, payloadLen: 64, gsoSize: 0 }],
  ['TCP, 100 bytes', { protocol: Protocol.Tcp, payloadLen: 100, gsoSize: 0 }],
  ['TCP superframe', { protocol: Protocol.Tcp, payloadLen: SEGMENTS * MSS, gsoSize: MSS }],
] as const;
for (const fromPod of [true, false]) {
  for (const [i, [name, kind]] of kinds.entries()) {
    const clientPort = 40_000 + i + (fromPod ? 0 : kinds.length);
    addFlow(`${name}, ${fromPod ? 'pod to tunnel' : 'tunnel to pod'}`, { ...kind, fromPod, clientPort });
  }
}

/** Flow numbers in random order (Fisher and Yates), the same in every run. */
function shuffled(count: number): Int32Array {
  const numbers = Int32Array.from({ length: count }, (_, i) => i);
  let state = 1;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    const other = (state >>> 0) % (i + 1);
    [numbers[i], numbers[other]] = [numbers[other]!, numbers[i]!];
  }
  return numbers;
}

const udp = { protocol: Protocol.Udp, payloadLen: 64, gsoSize: 0, fromPod: true, clientPort: 50_000 } as const;
const order = shuffled(FLOWS);
let next = 0;
function nextFlows(): void {
  putBack();
  for (let i = 0; i < TURN; i++) {
    const flow = order[next]!;
    next = next + 1 === FLOWS ? 0 : next + 1;
    patch(i, 1024 + Math.floor(flow / DESTINATIONS), SERVER + (flow % DESTINATIONS));
  }
}
function openFlows(): void {
  open(udp);
  for (let i = 0; i < FLOWS; i += TURN) {
    nextFlows();
    turn(udp);
  }
  if (dp.connections.count < FLOWS) throw new Error(`only ${dp.connections.count} flows`);
}
const MANY = '64-byte UDP, 1,000,000 flows at random';
units.set(MANY, TURN);
bench.add(MANY, () => turn(udp), {
  beforeAll: openFlows,
  beforeEach: nextFlows,
  afterAll: () => countBytes(MANY, () => turn(udp), nextFlows),
});

const cutter = new Cutter(arena);
const rowAt = arena.reserve(1 << 17);
const spareAt = arena.reserve(1 << 17);
const merger = new Merger(arena);
const DATAGRAM = 8 + HEADERS + MSS;

function beforeCut(): void {
  prepare(SEGMENTS * MSS);
  receive(SEGMENTS * MSS, MSS);
  validate(pkt);
  pkt.at -= 8;
  pkt.len += 8;
}

function cut(): void {
  cutter.begin(pkt);
  cutter.next(64);
}

/** Lays the cut segments out as one receive call would bring them. */
function layOut(): void {
  beforeCut();
  cut();
  arena.copy(rowAt, cutter.outAt, cutter.outLen);
}

function merge(): void {
  merger.begin(spareAt, SEGMENTS * DATAGRAM, DATAGRAM);
  merger.next(pkt);
  if (pkt.gsoSize !== MSS) throw new Error('not merged');
}

add('cut a superframe into 44 segments', 1, cut, () => {}, beforeCut);
// Merging moves payload: each turn needs its own copy.
add('merge 44 datagrams into a superframe', 1, merge, layOut, () => arena.copy(spareAt, rowAt, SEGMENTS * DATAGRAM));

function report(): void {
  console.log(`${'ns'.padEnd(42)}${'best'.padStart(8)}${'median'.padStart(8)}  bytes left on the heap`);
  for (const { name, result } of bench.tasks) {
    if (result.state !== 'completed')
      throw new Error(`${name}: ${result.state}`, { cause: 'error' in result ? result.error : undefined });
    const ns = (ms: number) => ((1e6 * ms) / units.get(name)!).toFixed(0).padStart(8);
    const bytes = bytesPerPacket.get(name)?.toFixed(1) ?? '';
    console.log(`${name.padEnd(42)}${ns(result.latency.min)}${ns(result.latency.p50)}  ${bytes}`);
  }
}

// As the dataplane thread, this is bundled into a CommonJS file, where nothing is awaited at the top.
void bench.run().then(report);
