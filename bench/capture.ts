/**
 * Question: what does a capture cost? In the loop: a packet's story while both of its hops are captured, beside the same
 * story without. And on the command line: a wire packet of a superframe into pcapng, with its comment. Usage: --help.
 */
import { Bench } from 'tinybench';
import { PcapngWriter } from '../src/capture/pcapng-writer.ts';
import { SightingWriter } from '../src/capture/sighting-writer.ts';
import type { CaptureScene } from '../src/cluster/capture-scene.ts';
import { Verdicts } from '../src/dataplane/capture.ts';
import { Captures } from '../src/dataplane/captures.ts';
import { monotonicNs } from '../src/nodes/monotonic.ts';
import { Way, way } from '../src/packet/way.ts';
import { createRing, RingReader } from '../src/recording/ring.ts';
import { Sighting, SightingBytes } from '../src/recording/sighting.ts';
import { commandLine, noOptions } from './command-line.ts';
import { dp, LOOPS, MSS, prepare, SEGMENTS, story } from './one-node.ts';

const usage = `Usage: npm run bench:capture

What a capture costs: a packet's story captured and not, and writing a packet into pcapng. In memory, some 15 s, no root.
`;
commandLine(usage, noOptions);

/** What a node has by default. */
const RING_BYTES = 16 << 20;
const WHOLE = 262_144;
const HEADERS_ONLY = 128;

const captures = new Captures(dp, { address: 0x0a000001, routerMac: undefined }, monotonicNs);
const hops = [way(Way.Pod, 0), way(Way.None, 0)];
const scene: CaptureScene = {
  node: 'n1',
  hops: [
    { way: hops[0]!, name: 'pod/default/client', addresses: [] },
    { way: hops[1]!, name: 'node/n1:underlay', addresses: [] },
  ],
  endpoints: ['n2'],
};

/** Tells of both hops for as long as `run` runs; returns what was told. */
function captured(snapLen: number, run: () => void): Uint8Array {
  const ring = createRing(RING_BYTES);
  const spec = { snapLen, verdicts: Verdicts.All, noise: false, hops, filter: undefined };
  const capture = captures.create(spec, ring);
  captures.start(capture);
  run();
  captures.stop(capture);
  return new RingReader(ring).take(RING_BYTES) ?? new Uint8Array(0);
}

const bench = new Bench({ time: 1000, warmupTime: 300 });
const per = new Map<string, number>();

function inTheLoop(
  name: string,
  payloadLen: number,
  gsoSize: number,
  snapLen: number | undefined,
  loops: number,
): void {
  per.set(name, loops);
  const ring = createRing(RING_BYTES);
  const spec = { snapLen: snapLen ?? 0, verdicts: Verdicts.All, noise: false, hops, filter: undefined };
  const capture = captures.create(spec, ring);
  const reader = new RingReader(ring);
  const before = () => {
    prepare(payloadLen);
    if (snapLen !== undefined) captures.start(capture);
  };
  const after = () => captures.stop(capture);
  const run = () => {
    story(payloadLen, gsoSize, loops);
    while (reader.take(1 << 22) !== undefined); // the copy that a node's other thread makes
  };
  bench.add(name, run, { beforeAll: before, afterAll: after });
}

const superframe = SEGMENTS * MSS;
inTheLoop('small packet, not captured', 100, 0, undefined, LOOPS);
inTheLoop('superframe, not captured', superframe, MSS, undefined, LOOPS);
inTheLoop('small packet, headers at both hops', 100, 0, HEADERS_ONLY, LOOPS);
inTheLoop('superframe, headers at both hops', superframe, MSS, HEADERS_ONLY, LOOPS);
inTheLoop('superframe, whole at both hops', superframe, MSS, WHOLE, 100);

function written(name: string, payloadLen: number, gsoSize: number, snapLen: number, packets: number): void {
  const count = 100;
  prepare(payloadLen);
  const bytes = captured(snapLen, () => story(payloadLen, gsoSize, count));
  const source = new SightingBytes(bytes.buffer as ArrayBuffer);
  const sink = new PcapngWriter({ application: 'bench' });
  sink.addInterface({ name: 'hop', description: '' });
  const writer = new SightingWriter({ sink, snapLen, epochNs: 0n, interfaces: () => [0], wanted: () => true });
  const sighting = new Sighting();
  per.set(name, count * packets);
  bench.add(name, () => {
    for (let at = 0; at < bytes.length; ) {
      at += sighting.read(source, at);
      writer.write(sighting, scene);
      if (sink.length > 1 << 20) sink.take();
    }
    sink.take();
  });
}

written('pcapng: packet of a small one', 100, 0, HEADERS_ONLY, 2);
written('pcapng: packet of a superframe, headers', superframe, MSS, HEADERS_ONLY, 1 + SEGMENTS);
written('pcapng: packet of a superframe, whole', superframe, MSS, WHOLE, 1 + SEGMENTS);

await bench.run();
for (const task of bench.tasks) {
  const { result } = task;
  if (result.state !== 'completed') throw new Error(`${task.name}: ${result.state}`);
  const [p50, best] = [result.latency.p50, result.latency.min].map((ms) =>
    ((1e6 * ms) / per.get(task.name)!).toFixed(0),
  );
  console.log(`${task.name.padEnd(44)} ${p50!.padStart(7)} ns (best ${best})`);
}
