/**
 * Every rewrite of every protocol in every checksum state, compared byte for byte with the frame that is built from
 * scratch with the new values.
 */
import { describe, expect, test } from 'vitest';
import { Cutter } from '../../src/encap/cut.ts';
import { Arena } from '../../src/packet/arena.ts';
import { loadKey } from '../../src/packet/load-key.ts';
import { CONTINUE, outcomeName } from '../../src/packet/outcome.ts';
import { ChecksumState } from '../../src/packet/packet.ts';
import { completeChecksum, decrementTtl, rewriteFlow, setEcn } from '../../src/packet/rewrite.ts';
import { validate } from '../../src/packet/validate.ts';
import { addressBytes } from '../oracle/slow-address.ts';
import { slowSegments } from '../oracle/slow-segmenter.ts';
import { cutSegments } from '../support/cut-segments.ts';
import { buildFrame, type FrameSpec, frameBytes, newPacket, protocolNumber, writeFrame } from '../support/frames.ts';
import { type Random, withRandom } from '../support/random.ts';
import * as randomFrames from '../support/random-frames.ts';
import { parseFrame } from '../support/read-frame.ts';

const ROUNDS = 20;
const pkt = newPacket(new Arena(1 << 18));
const cutter = new Cutter(pkt.arena);

/** The key of a frame's packets, by other means than `loadKey`. */
function keyOf(spec: FrameSpec, version: randomFrames.Version): Int32Array {
  const protocol = protocolNumber(spec);
  const address = (text: string) => {
    const bytes = addressBytes(text);
    const all = bytes.length === 4 ? Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes) : bytes;
    return [0, 4, 8, 12].map((at) => new DataView(all.buffer).getInt32(at));
  };
  const ports =
    protocol === 1 || protocol === 58
      ? (spec.identifier! << 16) | (spec.icmpType! << 8)
      : (spec.sourcePort! << 16) | spec.destinationPort!;
  return Int32Array.of(...address(spec.source!), ...address(spec.destination!), ports, (version << 8) | protocol);
}

type Change = (random: Random, spec: FrameSpec, version: randomFrames.Version) => FrameSpec;

const anySource: Change = (random, _, version) => ({ source: randomFrames.randomAddress(random, version) });
const anyDestination: Change = (random, _, version) => ({ destination: randomFrames.randomAddress(random, version) });
const anySourcePort: Change = (random) => ({ sourcePort: randomFrames.randomWord(random) });
const anyDestinationPort: Change = (random) => ({ destinationPort: randomFrames.randomWord(random) });
const anyIdentifier: Change = (random) => ({ identifier: randomFrames.randomWord(random) });
const anything: Change = (random, spec, version) =>
  Object.assign(
    {},
    ...[anySource, anyDestination, anySourcePort, anyDestinationPort, anyIdentifier].map((change) =>
      change(random, spec, version),
    ),
  );

/** Brings the packet from `before` to `after`; the change that makes `after` of `before`. */
interface Rewrite {
  readonly change: Change;
  readonly run: (after: FrameSpec, before: FrameSpec, version: randomFrames.Version) => void;
}

const toFlow: Rewrite['run'] = (after, _, version) => {
  const keys = new Int32Array(13).fill(-1);
  keys.set(keyOf(after, version), 2);
  rewriteFlow(pkt, keys, 2);
};

const portRewrites: Readonly<Record<string, Rewrite>> = {
  'source port': { change: anySourcePort, run: toFlow },
  'destination port': { change: anyDestinationPort, run: toFlow },
};
const identifierRewrites: Readonly<Record<string, Rewrite>> = {
  identifier: { change: anyIdentifier, run: toFlow },
};
const otherRewrites: Readonly<Record<string, Rewrite>> = {
  'source address': { change: anySource, run: toFlow },
  'destination address': { change: anyDestination, run: toFlow },
  'all of the flow': { change: anything, run: toFlow },
  'nothing of the flow': { change: () => ({}), run: toFlow },
  'all of the flow, there and back': {
    change: () => ({}),
    run: (after, before, version) => {
      const elsewhere = { source: version === 4 ? '10.255.255.255' : 'fd00:ffff::', sourcePort: 0, identifier: 0xffff };
      toFlow({ ...after, ...elsewhere }, before, version);
      toFlow(before, after, version);
    },
  },
  TTL: {
    change: (_, spec) => ({ ttl: spec.ttl! - 1 }),
    run: () => expect(decrementTtl(pkt)).toBe(true),
  },
  ECN: {
    change: (random, spec) => ({ tos: (spec.tos! & 0xfc) | random.below(4) }),
    run: (after) => setEcn(pkt, after.tos! & 3),
  },
};

/** Sets the spec's checksum mode; `corner` puts it where a folded sum is 0x0000 or 0xffff. */
interface State {
  readonly name: string;
  readonly spec: (random: Random) => FrameSpec;
  /** Known to the receiver, not to the frame: an IPv6 UDP zero passes only when it is trusted. */
  readonly trusted?: boolean;
}

const complete: State = { name: 'complete', spec: () => ({ checksum: 'complete' }) };
const unverified: State = { name: 'unverified', spec: () => ({ checksum: 'unverified' }) };
const partial: State = { name: 'partial', spec: () => ({ checksum: 'partial' }) };
const none: State = { name: 'no checksum', spec: () => ({ checksum: 'none' }), trusted: true };
const superframe: State = {
  name: 'superframe',
  spec: (random) => ({
    checksum: 'partial',
    gsoSize: random.between(20, 90),
    payload: random.bytes(random.between(1, 300)),
  }),
};

const columns = [
  { protocol: 'tcp', states: [complete, unverified, partial, superframe] },
  { protocol: 'udp', states: [complete, unverified, partial, none, superframe] },
  { protocol: 'icmp', states: [complete, unverified] },
  { protocol: 'icmpv6', states: [complete, unverified] },
  { protocol: 'sctp', states: [complete, unverified] },
] as const;

/** Moves free words of both frames so that, before or after, some folded sum is at its corner. */
function atCorner(
  random: Random,
  before: FrameSpec,
  change: FrameSpec,
  version: randomFrames.Version,
): [FrameSpec, FrameSpec] {
  const free = (from: FrameSpec, after: FrameSpec): [FrameSpec, FrameSpec] => [from, { ...from, ...after }];
  const hasSum = before.protocol !== 'sctp';
  switch (random.below(6)) {
    case 0:
      return hasSum ? free(randomFrames.withZeroChecksum(before), change) : free(before, change);
    case 1: {
      if (!hasSum) return free(before, change);
      const { payload } = randomFrames.withZeroChecksum({ ...before, ...change });
      return free({ ...before, payload: payload! }, change);
    }
    case 2:
      return version === 4 ? free(randomFrames.withZeroIpChecksum(before), change) : free(before, change);
    case 3: {
      if (version === 6) return free(before, change);
      const { id } = randomFrames.withZeroIpChecksum({ ...before, ...change });
      return free({ ...before, id: id! }, change);
    }
    case 4: {
      if (!change.destination || !hasSum) return free(before, change);
      const { destination } = randomFrames.withFullPseudoSum({ ...before, ...change });
      return free(before, { ...change, destination: destination! });
    }
    default:
      return free(before, change);
  }
}

function expectFrame(got: Uint8Array, want: Uint8Array, before: FrameSpec): void {
  if (Buffer.compare(got, want) === 0) return;
  expect({ before, after: parseFrame(got) }).toEqual({ before, after: parseFrame(want) });
  expect(Buffer.from(got).toString('hex')).toBe(Buffer.from(want).toString('hex'));
}

function receive(before: FrameSpec, trusted: boolean): void {
  writeFrame(pkt, before);
  if (trusted) pkt.checksum = ChecksumState.Complete;
  const outcome = validate(pkt);
  if (outcome !== CONTINUE) expect({ before, outcome: outcomeName(outcome) }).toBe('going on');
  loadKey(pkt);
}

/** Bytes, key and state as if the frame had come in like this; and the checksum right once it is completed. */
function expectAs(after: FrameSpec, before: FrameSpec, version: randomFrames.Version): void {
  const wanted = buildFrame(after);
  expectFrame(frameBytes(pkt), wanted, before);
  if (String(pkt.key) !== String(keyOf(after, version))) expect(pkt.key).toEqual(keyOf(after, version));
  if (after.gsoSize) {
    cutter.begin(pkt);
    const cut: Uint8Array[] = [];
    while (cutter.next(64) > 0) cut.push(...cutSegments(cutter, pkt.arena));
    const segments = slowSegments(wanted, after.gsoSize);
    for (const [i, segment] of segments.entries()) {
      expectFrame(cut[i]!, segment, before);
      expect(parseFrame(cut[i]!).checksum).toBe('right');
    }
  } else if (after.checksum === 'partial') {
    completeChecksum(pkt);
    expect(pkt.checksum).toBe(ChecksumState.Complete);
    expectFrame(frameBytes(pkt), buildFrame({ ...after, checksum: 'complete' }), before);
    expect(parseFrame(frameBytes(pkt)).checksum).toBe('right');
  }
}

for (const version of [4, 6] as const) {
  for (const { protocol, states } of columns) {
    if (protocol === (version === 4 ? 'icmpv6' : 'icmp')) continue;
    for (const state of states) {
      describe(`${protocol} over IPv${version}, ${state.name}`, () => {
        const flow = protocol === 'icmp' || protocol === 'icmpv6' ? identifierRewrites : portRewrites;
        for (const [name, { change, run }] of Object.entries({ ...flow, ...otherRewrites })) {
          test(name, () => {
            withRandom((random) => {
              for (let round = 0; round < ROUNDS; round++) {
                const spec = { ...randomFrames.randomSpec(random, protocol, version), ...state.spec(random) };
                const [before, after] = atCorner(random, spec, change(random, spec, version), version);
                receive(before, state.trusted === true);
                run(after, before, version);
                expectAs(after, before, version);
              }
            });
          });
        }
      });
    }
  }
}
