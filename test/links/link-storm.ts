/**
 * A million packets over a link with every fault, in a process of their own: `node --import tsx link-storm.ts`. Prints,
 * as JSON, what the garbage collector had to do meanwhile; `test/system/links-alloc.test.ts` judges.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { Counters } from '../../src/dataplane/counters.ts';
import type { Underlay } from '../../src/dataplane/dataplane.ts';
import { LinkedUnderlay } from '../../src/dataplane/linked-underlay.ts';
import { Arena } from '../../src/packet/arena.ts';
import { validate } from '../../src/packet/validate.ts';
import { newPacket, writeFrame } from '../support/frames.ts';

const PACKETS = 1_024_000;
const WARM_UP = 102_400;
/** As many as a node reads from a port at a time; here, each millisecond: some 2,000 wait at any time. */
const BATCH = 64;

export interface LinkStorm {
  readonly packets: number;
  readonly sent: number;
  readonly collections: number;
  readonly nanosecondsEach: number;
}

const arena = new Arena(16 << 20);
const counters = new Counters();
let sent = 0;
const sink: Underlay = {
  transmit() {
    sent++;
    return 0;
  },
  sourcePort: () => 49_152,
};
const links = new LinkedUnderlay(arena, counters, sink, 1450);
links.setLinks([{ delayMs: 30, jitterMs: 10, loss: 0.1, duplicate: 0.1, reorder: 0.1, seed: 7 }]);
const pkt = writeFrame(newPacket(arena), { payload: 1000 });
validate(pkt);

function run(from: number, count: number): void {
  for (let i = from; i < from + count; i += BATCH) {
    const nowMs = i / BATCH;
    for (let j = 0; j < BATCH; j++) {
      const outcome = links.transmit(pkt, 0, nowMs);
      if (outcome < 0) counters.countDropped(-1 - outcome);
      counters.countReceived();
    }
    links.flush(nowMs);
  }
}

let collections = 0;
const observer = new PerformanceObserver((list) => {
  collections += list.getEntries().length;
});
observer.observe({ entryTypes: ['gc'] });
run(0, WARM_UP);
for (let turn = 0; turn < 4; turn++) await setImmediate();
collections = 0;
const startedMs = performance.now();
run(WARM_UP, PACKETS);
const nanosecondsEach = Math.round(((performance.now() - startedMs) * 1e6) / PACKETS);
for (let turn = 0; turn < 4; turn++) await setImmediate();
if (counters.check() !== 0) throw new Error('packets have vanished');
const storm: LinkStorm = { packets: PACKETS, sent, collections, nanosecondsEach };
process.stdout.write(JSON.stringify(storm));
