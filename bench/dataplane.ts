/**
 * Question: what does the dataplane itself cost, without any system call: a small packet from parse to encapsulated, a
 * superframe through the stories, cutting it into 44 segments, merging 44 datagrams back?
 *
 *     npm run bench:dataplane
 */
import { Bench } from 'tinybench';
import { Cutter } from '../src/encap/cut.ts';
import { Merger } from '../src/encap/merge.ts';
import { validate } from '../src/packet/validate.ts';
import { arena, HEADERS, LOOPS, MSS, pkt, prepare, receive, SEGMENTS, story } from './one-node.ts';

const cutter = new Cutter(arena);
const rowAt = arena.reserve(1 << 17);
const DATAGRAM = 8 + HEADERS + MSS;

function cut(): void {
  receive(SEGMENTS * MSS, MSS);
  validate(pkt);
  pkt.at -= 8;
  pkt.len += 8;
  cutter.begin(pkt);
  cutter.next(64);
}

/** Lays the cut segments out as one receive call would bring them. */
function layOut(): void {
  prepare(SEGMENTS * MSS);
  cut();
  arena.copy(rowAt, cutter.outAt, cutter.outLen);
}

const bench = new Bench({ time: 1000, warmupTime: 500 });
const per = new Map<string, number>();
function add(name: string, units: number, run: () => void, before: () => void): void {
  per.set(name, units);
  bench.add(name, run, { beforeAll: before });
}
add(
  'small packet, parse to encapsulated',
  LOOPS,
  () => story(100, 0),
  () => prepare(100),
);
add(
  'superframe, parse to encapsulated',
  LOOPS,
  () => story(SEGMENTS * MSS, MSS),
  () => prepare(SEGMENTS * MSS),
);
add(
  'cut a superframe into 44 segments',
  100,
  () => {
    for (let i = 0; i < 100; i++) {
      prepare(SEGMENTS * MSS);
      cut();
    }
  },
  () => {},
);
const merger = new Merger(arena);
const spareAt = arena.reserve(1 << 17);
add(
  'merge 44 datagrams into a superframe',
  100,
  () => {
    for (let i = 0; i < 100; i++) {
      arena.copy(spareAt, rowAt, SEGMENTS * DATAGRAM); // merging moves payload: each turn needs its own copy
      merger.begin(spareAt, SEGMENTS * DATAGRAM, DATAGRAM);
      merger.next(pkt);
      if (pkt.gsoSize !== MSS) throw new Error('not merged');
    }
  },
  layOut,
);
add(
  '(the copy that the line above includes)',
  100,
  () => {
    for (let i = 0; i < 100; i++) arena.copy(spareAt, rowAt, SEGMENTS * DATAGRAM);
  },
  layOut,
);

await bench.run();
for (const task of bench.tasks) {
  const { result } = task;
  if (result.state !== 'completed') throw new Error(`${task.name}: ${result.state}`);
  const ns = (1e6 * result.latency.p50) / per.get(task.name)!;
  console.log(
    `${task.name.padEnd(44)} ${ns.toFixed(0).padStart(7)} ns (best ${((1e6 * result.latency.min) / per.get(task.name)!).toFixed(0)})`,
  );
}
