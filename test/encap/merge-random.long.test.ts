/** Random rows of datagrams: whatever the merger does, nothing is lost, doubled or merged that Linux would not merge. */
import { expect, test } from 'vitest';
import { linuxMerges } from '../oracle/slow-gro.ts';
import { buildFrame, type FrameSpec, joined, payloadBytes } from '../support/frames.ts';
import { expectSound, merge } from '../support/merging.ts';
import { type Random, withRandom } from '../support/random.ts';
import { randomSpec } from '../support/random-frames.ts';
import { parseFrame } from '../support/read-frame.ts';

const ACK = 0x10;

/** A TCP or UDP sender. */
class Flow {
  readonly #spec: FrameSpec;
  #sequence: number;
  #id: number;

  constructor(random: Random) {
    const version = random.pick([4, 6] as const);
    const tcpOptions = random.once(2) ? [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2] : [];
    this.#spec = {
      ...randomSpec(random, random.pick(['tcp', 'udp'] as const), version),
      tcpOptions,
      ipOptions: [],
      extensions: [],
      dontFragment: !random.once(4),
    };
    this.#sequence = random.once(4) ? 2 ** 32 - 300 : random.word();
    this.#id = random.below(65_536);
  }

  /** The next segment, of exactly this many bytes in all. */
  next(frameLen: number, flags: number): FrameSpec {
    const headers = buildFrame({ ...this.#spec, payload: 0 }).length;
    const payload = frameLen - headers;
    const spec = { ...this.#spec, flags, sequence: this.#sequence, id: this.#id, payload: payloadBytes(payload) };
    this.#sequence = (this.#sequence + payload) % 2 ** 32;
    this.#id = (this.#id + 1) % 65_536;
    return { ...spec, checksum: 'complete' };
  }
}

/** Something between segments that Linux looks at. The frame stays as long as it was. */
function odd(random: Random, spec: FrameSpec): FrameSpec {
  const payload = payloadBytes(spec.payload);
  const changes: readonly FrameSpec[] = [
    { acknowledgment: random.word() },
    { window: random.below(65_536) },
    { flags: random.below(256) },
    { flags: ACK | random.pick([1, 2, 4, 8, 32, 64, 128]) },
    { ttl: random.below(256) },
    { tos: random.below(256) },
    { id: random.below(65_536) },
    { dontFragment: random.once(2) },
    { urgent: 1 },
    { sequence: (spec.sequence! + random.pick([1, -1, 100, payload.length])) % 2 ** 32 },
    { flowLabel: random.below(1 << 20) },
    { payload: payload.subarray(0, 10), padding: payload.length - 10 },
    { sourcePort: random.below(65_536) },
    { checksum: 'none' },
    { tcpOptions: (spec.tcpOptions ?? []).map(() => 1) },
  ];
  return { ...spec, ...random.pick(changes) };
}

/** A row of datagrams as one receive call brings it: of equal size, but the last. */
function randomRow(random: Random): Uint8Array[] {
  const flows = Array.from({ length: random.between(1, 3) }, () => new Flow(random));
  const frameLen = random.between(110, 160);
  let flow = flows[0]!;
  return Array.from({ length: random.between(2, 14) }, (_, i) => {
    if (random.once(6)) flow = random.pick(flows);
    const len = random.once(10) && i > 0 ? frameLen - random.below(4) : frameLen;
    const next = flow.next(len, ACK | (random.once(8) ? 8 : 0));
    const spec = random.once(6) ? odd(random, next) : next;
    const frame = buildFrame({ ...spec, padding: (spec.padding ?? 0) + frameLen - len });
    if (random.once(20)) frame[random.below(frame.length)]! ^= 1 << random.below(8);
    const vni = random.once(20) ? 78 : 77;
    return joined([8, 0, 0, 0, 0, 0, vni, 0], random.once(30) ? random.bytes(frame.length) : frame);
  });
}

/** Linux would merge, and none of what is refused on top: FIN and CWR, and ids that do not count up. */
function mustMerge(run: readonly Uint8Array[], next: Uint8Array): boolean {
  if (!linuxMerges(run, next)) return false;
  const frames = [...run, next].map((datagram) => parseFrame(datagram.subarray(8)));
  const first = frames[0]!;
  if (frames[0]!.protocol === 17)
    return frames.every(({ id }, i) => frames[0]!.version === 6 || id === (frames[0]!.id! + i) % 65_536);
  const plain = (flags: number) => (flags & ~0x40) === ACK;
  const counts = frames.every(({ id }, i) => first.version === 6 || id === (first.id! + i) % 65_536);
  return counts && plain(first.flags!) && plain(frames.at(-1)!.flags! & ~8);
}

test('nothing is lost, doubled or merged wrongly; and what must be merged is', () => {
  withRandom((random) => {
    let merged = 0;
    let alone = 0;
    for (let round = 0; round < 350; round++) {
      const datagrams = randomRow(random);
      if (random.once(3)) datagrams.push(datagrams.pop()!.subarray(0, random.between(1, 100)));
      const sizes = expectSound(merge(datagrams), datagrams);
      let at = 0;
      for (const size of sizes) {
        const run = datagrams.slice(at, at + size);
        at += size;
        if (size > 1) merged += size;
        else alone++;
        if (at < datagrams.length && mustMerge(run, datagrams[at]!)) expect(sizes).toBe('merged further');
      }
    }
    expect(merged).toBeGreaterThan(500);
    expect(alone).toBeGreaterThan(300);
  });
});
