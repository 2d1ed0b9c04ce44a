/** Random frames of a kind, and such whose checksums are at the corners of ones' complement arithmetic. */
import { addressBytes, addressText } from '../oracle/slow-address.ts';
import { pseudoHeader, slowSum } from '../oracle/slow-checksum.ts';
import { buildFrame, type FrameSpec, type ProtocolName, payloadBytes, protocolNumber } from './frames.ts';
import type { Random } from './random.ts';

export type Version = 4 | 6;

const edgeWords = [0, 1, 0xff, 0x100, 0x7fff, 0x8000, 0xfffe, 0xffff];

export function randomWord(random: Random): number {
  return random.once(3) ? random.pick(edgeWords) : random.below(0x10000);
}

/** An address that may be on a link. */
export function randomAddress(random: Random, version: Version): string {
  const low = Array.from({ length: 7 }, () => randomWord(random)).flatMap((word) => [word >> 8, word & 255]);
  if (version === 4) return addressText(Uint8Array.of(random.pick([10, 100, 172, 192, 223]), ...low.slice(0, 3)));
  return addressText(Uint8Array.of(0xfd, 0, ...low));
}

export function randomSpec(random: Random, protocol: ProtocolName, version: Version): FrameSpec {
  const list = (most: number) => Array.from({ length: random.below(most + 1) }, () => random.word() & 255);
  const options = version === 4 ? { ipOptions: random.once(3) ? [1, 7, 3, 4] : [] } : {};
  const extensions = { extensions: random.once(3) ? [{ type: 60, body: [1, 4, ...list(9)] }] : [] };
  return {
    source: randomAddress(random, version),
    destination: randomAddress(random, version),
    protocol,
    ttl: random.between(2, 255),
    tos: random.below(256),
    ...(version === 4 ? { ...options, id: randomWord(random) } : { ...extensions, flowLabel: random.below(1 << 20) }),
    sourcePort: randomWord(random),
    destinationPort: randomWord(random),
    sequence: random.word(),
    acknowledgment: random.word(),
    flags: random.below(256),
    window: randomWord(random),
    tcpOptions: list(40),
    icmpType: version === 4 ? random.pick([0, 8, 13, 14, 15, 16, 17, 18]) : random.pick([128, 129]),
    identifier: randomWord(random),
    icmpSequence: randomWord(random),
    verificationTag: random.word(),
    payload: random.bytes(random.once(4) ? random.below(3) : random.below(60)),
  };
}

/** The spec with the first word of its payload such that the upper-layer checksum computes to zero. */
export function withZeroChecksum(spec: FrameSpec): FrameSpec {
  const payload = payloadBytes(spec.payload).slice();
  if (payload.length < 2) return withZeroChecksum({ ...spec, payload: 2 });
  payload.set([0, 0]);
  const frame = buildFrame({ ...spec, payload, checksum: 'complete' });
  const l4 = frame.length - upperLen(payload.length, spec);
  const field = l4 + { 6: 16, 17: 6, 1: 2, 58: 2 }[protocolNumber(spec)]!;
  payload.set(frame.subarray(field, field + 2));
  return { ...spec, payload };
}

function upperLen(payloadLen: number, spec: FrameSpec): number {
  const tcpOptions = Math.ceil((spec.tcpOptions?.length ?? 0) / 4) * 4;
  return payloadLen + (protocolNumber(spec) === 6 ? 20 + tcpOptions : 8);
}

/** The IPv4 spec with an id such that the header checksum computes to zero. */
export function withZeroIpChecksum(spec: FrameSpec): FrameSpec {
  const frame = buildFrame({ ...spec, id: 0 });
  return { ...spec, id: (frame[24]! << 8) | frame[25]! };
}

/** The spec with a destination such that the pseudo header's sum is 0xffff, the other zero. */
export function withFullPseudoSum(spec: FrameSpec): FrameSpec {
  const destination = addressBytes(spec.destination!).slice();
  destination.set([0, 0], destination.length - 2);
  const length = upperLen(payloadBytes(spec.payload).length, spec);
  const rest = 0xffff - slowSum(pseudoHeader(addressBytes(spec.source!), destination, protocolNumber(spec), length));
  destination.set([rest >> 8, rest & 255], destination.length - 2);
  return { ...spec, destination: addressText(destination) };
}
