/**
 * A writer and a reader of one ring on two real threads, in a process of their own: `node --import tsx
 * ring-threads.ts`. The reader is a worker that runs this same file. Each sighting's bytes follow from its number.
 * Prints, as JSON, what the two say; `ring.test.ts` judges.
 */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createRing, RingReader, RingWriter } from '../../src/recording/ring.ts';
import { SightingKind, Word } from '../../src/recording/sighting.ts';
import { PACKETS } from '../support/packets.ts';
import { Random } from '../support/random.ts';

const SIGHTINGS = PACKETS / 5;
const CAPACITY = 1 << 18;
const PIECE_BYTES = 1 << 15;
/** A worker begins without a loader for TypeScript. */
const WORKER = `import('${import.meta.resolve('tsx/esm/api')}').then(({ register }) => {
  register();
  return import('${import.meta.url}');
})`;
/** The writer has said its last word. */
const DONE = 0;

interface RingJob {
  readonly shared: SharedArrayBuffer;
  readonly flags: SharedArrayBuffer;
}

interface ReaderReport {
  readonly read: number;
  readonly problem: string;
}

export interface RingReport extends ReaderReport {
  readonly count: number;
  readonly wrote: number;
  readonly refused: number;
  readonly passedOver: number;
}

/** Every word behind kind. */
function wordOf(number: number, i: number): number {
  return (Math.imul(number, 0x9e3779b1) + i) | 0;
}

/** Writes as fast as it can; when the ring was full, now and then it waits a little. */
async function runThreads(): Promise<RingReport> {
  const job: RingJob = { shared: createRing(CAPACITY), flags: new SharedArrayBuffer(4) };
  const worker = new Worker(WORKER, { eval: true, workerData: job });
  await once(worker, 'online');
  const told = once(worker, 'message');
  const counts = write(new RingWriter(job.shared), SIGHTINGS);
  Atomics.store(new Int32Array(job.flags), DONE, 1);
  const [report] = (await told) as [ReaderReport];
  return { count: SIGHTINGS, ...report, ...counts };
}

function write(writer: RingWriter, count: number): { wrote: number; refused: number; passedOver: number } {
  const random = new Random(5);
  const { words } = writer.space;
  let wrote = 0;
  let refused = 0;
  let passedOver = 0;
  for (let number = 1; number <= count; number++) {
    writer.begin();
    const length = 8 * random.between(2, random.once(20) ? 8000 : 60);
    const at = writer.reserve(length);
    if (at < 0) refused++;
    else {
      const end = (at + length) >> 2;
      words[(at >> 2) + Word.Kind] = SightingKind.Packet;
      words[(at >> 2) + 2] = number;
      for (let i = (at >> 2) + 3; i < end; i++) words[i] = wordOf(number, i);
      if (random.once(10)) {
        writer.giveBack(at);
        passedOver++;
      } else wrote++;
    }
    writer.publish();
    if (refused > 0 && random.once(50)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
  return { wrote, refused, passedOver };
}

function read({ shared, flags }: RingJob): ReaderReport {
  const reader = new RingReader(shared);
  const done = new Int32Array(flags);
  const judge = new Judge();
  for (;;) {
    const over = Atomics.load(done, DONE) === 1;
    const copy = reader.take(PIECE_BYTES);
    if (copy !== undefined) judge.look(new Int32Array(copy.buffer));
    if (judge.problem !== '' || (copy === undefined && over)) return { read: judge.count, problem: judge.problem };
  }
}

/** Looks at what was taken, piece by piece. */
class Judge {
  count = 0;
  problem = '';
  #last = 0;
  /** Where the reader is, in words since the start of the ring. */
  #place = 0;

  look(words: Int32Array): void {
    for (let word = 0; word < words.length && this.problem === ''; ) {
      const length = words[word]! >> 2;
      if (length < 2 || word + length > words.length) this.problem = `a sighting of ${length} words`;
      else if (words[word + Word.Kind] !== SightingKind.None) this.#one(words.subarray(word, word + length));
      this.#place = (this.#place + length) % (CAPACITY >> 2);
      word += length;
    }
  }

  #one(words: Int32Array): void {
    const number = words[2]!;
    if (number <= this.#last) this.problem = `${number} after ${this.#last}`;
    for (let i = 3; i < words.length; i++) {
      if (words[i] !== wordOf(number, this.#place + i)) this.problem = `${number} at ${i}`;
    }
    this.#last = number;
    this.count++;
  }
}

if (isMainThread) process.stdout.write(JSON.stringify(await runThreads()));
else parentPort!.postMessage(read(workerData as RingJob));
