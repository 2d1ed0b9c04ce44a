/**
 * Frames in words, in the style of tcpdump:
 *
 *     10.244.0.2:40000 -> 10.244.1.2:80 tcp SA seq 1 ack 8 win 1000 ttl 63 len 20
 *     [fd00:10:244::2]:40000 -> [fd00:10:244:1::2]:53 udp data "hello"
 *     10.244.0.2 -> 10.244.1.2 icmp echo id 7 seq 1           (or reply, or TYPE/CODE with a quote: icmp 3/1 [ … ])
 *     10.244.0.2:5000 -> 10.244.1.2:6000 sctp tag 0 init 0x11  (chunks of RFC 9260 one after the other)
 *     … udp len 3000 frag 7 0 1480                            (id, offset and length of the piece of that datagram)
 *     … tcp A len 4000 gso 1300                               (a superframe; its checksum is partial)
 *     … tcp A len 1300 from 1300                              (its second segment: payload counts 0, 1, 2, … from there)
 *     arp who-has 169.254.1.1 tell 10.244.0.2
 *     arp 169.254.1.1 is-at 02:70:ac:12:00:02 to 10.244.0.2
 *     solicit fe80::1 from fd00:10:244::2
 *     advertise fe80::1 to fd00:10:244::2
 *     raw 0a5800…                                             (a whole frame)
 */
import { arp, linkLayerOption, neighbourMessage, solicitation } from '../dataplane/link-frames.ts';
import { addressBytes } from '../oracle/slow-address.ts';
import { slowChecksum } from '../oracle/slow-checksum.ts';
import { buildFrame, type FrameSpec, joined, type ProtocolName, protocolNumbers } from '../support/frames.ts';
import { chunkWords } from './sctp-words.ts';
import { plainFrame, type WireFrame } from './wire-frame.ts';
import type { Words } from './words.ts';

/** The MACs that an honest frame has. */
export interface Ends {
  readonly sourceMac: string;
  readonly destinationMac: string;
}

/** Reads a frame to the end of the words. */
export function readFrameWords(words: Words, ends: Ends): WireFrame {
  const frame = readKind(words, ends);
  words.end();
  return frame;
}

function readKind(words: Words, ends: Ends): WireFrame {
  if (words.has('raw')) return plainFrame(words.bytes('a frame'));
  if (words.has('arp')) return plainFrame(readArp(words, ends));
  if (words.has('solicit')) {
    const target = words.take('an address');
    words.expect('from');
    const spec = solicitation(words.take('an address'), target, linkLayerOption(1, ends.sourceMac));
    return plainFrame(buildFrame({ ...ends, ...spec, ...readMacs(words) }));
  }
  if (words.has('advertise')) {
    const target = words.take('an address');
    words.expect('to');
    const destination = words.take('an address');
    // Router, solicited, override: what a router answers to who asks (RFC 4861 section 4.4).
    const message = neighbourMessage(136, target, linkLayerOption(2, ends.sourceMac), 0xe0);
    return plainFrame(buildFrame({ ...ends, ...message, source: target, destination, ...readMacs(words) }));
  }
  return readIp(words, ends);
}

function readArp(words: Words, ends: Ends): Uint8Array {
  if (words.has('who-has')) {
    const target = words.take('an address');
    words.expect('tell');
    return arp({ sender: words.take('an address'), target, sourceMac: ends.sourceMac, ...readMacs(words) });
  }
  const sender = words.take('an address');
  words.expect('is-at');
  const senderMac = words.take('a MAC');
  words.expect('to');
  const target = words.take('an address');
  const targetMac = ends.destinationMac;
  return arp({ ...ends, operation: 2, sender, senderMac, target, targetMac, ...readMacs(words) });
}

function readMacs(words: Words): Partial<Ends> {
  const macs: { sourceMac?: string; destinationMac?: string } = {};
  for (;;) {
    if (words.has('smac')) macs.sourceMac = words.take('a MAC');
    else if (words.has('dmac')) macs.destinationMac = words.take('a MAC');
    else return macs;
  }
}

/** `10.1.0.2:80`, `[fd00::1]:80`, or an address alone. */
export function readAddress(words: Words): { address: string; port: number | undefined } {
  const word = words.take('an address');
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([\d.]+)):(\d+)$/.exec(word) ?? [];
  const address = bracketed ?? plain ?? word;
  try {
    addressBytes(address);
  } catch {
    words.fail(`found "${word}", expected an address`);
  }
  return { address, port: port === undefined ? undefined : Number(port) };
}

type Draft = { -readonly [Key in keyof FrameSpec]: FrameSpec[Key] } & {
  piece?: [id: number, at: number, len: number];
  from?: number;
};

function readIp(words: Words, ends: Ends): WireFrame {
  const source = readAddress(words);
  words.expect('->');
  const destination = readAddress(words);
  const draft: Draft = { ...ends, source: source.address, destination: destination.address };
  if (source.port !== undefined) draft.sourcePort = source.port;
  if (destination.port !== undefined) draft.destinationPort = destination.port;
  readProtocol(words, draft);
  while (!words.done) readWord(words, draft);
  const { piece, from = 0, ...spec } = draft;
  if (typeof spec.payload === 'number') {
    spec.payload = Uint8Array.from({ length: spec.payload }, (_, i) => (from + i) & 255);
  }
  if (piece !== undefined) return plainFrame(cutPiece(spec, piece));
  const bytes = buildFrame(spec);
  if (spec.gsoSize === undefined && spec.checksum !== 'partial') return plainFrame(bytes);
  return { bytes, gsoSize: spec.gsoSize ?? 0, partial: true };
}

function readProtocol(words: Words, draft: Draft): void {
  const name = words.take('a protocol');
  if (name in protocolNumbers) draft.protocol = name as ProtocolName;
  else if (/^proto\d+$/.test(name)) draft.protocol = Number(name.slice(5));
  else words.fail(`found "${name}", expected tcp, udp, icmp, icmpv6, sctp or protoN`);
  if (name === 'tcp') readTcpFlags(words, draft);
  else if (name === 'icmp' || name === 'icmpv6') readIcmp(words, draft, name);
  else if (name === 'sctp') {
    words.expect('tag');
    draft.verificationTag = words.number('a verification tag');
    draft.payload = chunkWords(words);
  }
}

const flagBits: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16, U: 32, E: 64, W: 128 };

function readTcpFlags(words: Words, draft: Draft): void {
  const letters = words.take('TCP flags');
  draft.flags = 0;
  for (const letter of letters === 'none' ? '' : letters) {
    const bit = flagBits[letter];
    if (bit === undefined) words.fail(`found TCP flags "${letters}", expected letters of FSRPAUEW, or none`);
    draft.flags |= bit;
  }
  draft.acknowledgment = 0;
}

function readIcmp(words: Words, draft: Draft, name: 'icmp' | 'icmpv6'): void {
  const word = words.take('echo, reply or TYPE/CODE');
  const queries = name === 'icmp' ? { echo: 8, reply: 0 } : { echo: 128, reply: 129 };
  const [type, code] = word in queries ? [queries[word as 'echo'], 0] : word.split('/').map(Number);
  if (type === undefined || code === undefined || Number.isNaN(type + code)) {
    words.fail(`found "${word}", expected echo, reply or TYPE/CODE`);
  }
  draft.icmpType = type;
  draft.icmpCode = code;
  if (word in queries) return;
  draft.identifier = 0;
  draft.icmpSequence = 0;
  if (words.has('mtu')) {
    const mtu = words.number('an MTU');
    draft.identifier = name === 'icmp' ? 0 : mtu >>> 16;
    draft.icmpSequence = mtu & 0xffff;
  }
  if (!words.has('[')) return;
  const quoted = words.group();
  const inner = readFrameWords(quoted, { sourceMac: '02:00:00:00:00:01', destinationMac: '02:00:00:00:00:02' });
  const packet = inner.bytes.subarray(14);
  draft.payload = words.has('first') ? packet.slice(0, words.number('bytes of the quote')) : packet;
}

const numbers: Readonly<Record<string, keyof FrameSpec>> = {
  ttl: 'ttl',
  tos: 'tos',
  flow: 'flowLabel',
  ack: 'acknowledgment',
  win: 'window',
  urg: 'urgent',
  len: 'payload',
  gso: 'gsoSize',
  pad: 'padding',
};

function readWord(words: Words, draft: Draft): void {
  const word = words.take('a word about the packet');
  const icmp = draft.protocol === 'icmp' || draft.protocol === 'icmpv6';
  const field = numbers[word];
  if (field !== undefined) Object.assign(draft, { [field]: words.number(word) });
  else if (word === 'seq') draft[icmp ? 'icmpSequence' : 'sequence'] = words.number(word);
  // Of an echo, id is what its sender is known by, also in IPv4.
  else if (word === 'id') draft[icmp ? 'identifier' : 'id'] = words.number(word);
  else if (word === 'from') draft.from = words.number(word);
  else if (word === 'ipid') draft.id = words.number(word);
  else if (word === 'nodf') draft.dontFragment = false;
  else if (word === 'data') draft.payload = words.take('quoted text').slice(1, -1);
  else if (word === 'options') draft.tcpOptions = [...words.bytes('TCP options')];
  else if (word === 'partial' || word === 'none') draft.checksum = word;
  else if (word === 'smac') draft.sourceMac = words.take('a MAC');
  else if (word === 'dmac') draft.destinationMac = words.take('a MAC');
  else if (word === 'frag') {
    const [id, at, len] = [words.number('an id'), words.number('an offset'), words.number('a length')];
    draft.piece = [id, at, len];
  } else words.fail(`"${word}" says nothing about a packet`);
}

/** One fragment of a datagram: its bytes from an offset on; more follow unless they are the last. */
function cutPiece(spec: FrameSpec, [id, at, len]: [number, number, number]): Uint8Array {
  const whole = buildFrame(spec);
  const ipv6 = (spec.source ?? '').includes(':');
  const headerLen = 14 + (ipv6 ? 40 : 20);
  const upper = whole.subarray(headerLen);
  const payload = upper.slice(at, at + len);
  const more = at + len < upper.length;
  const protocol = ipv6 ? whole[20]! : whole[23]!;
  // A number without a header of its own, so that the piece is all that follows; the true one is put in its place.
  const blank = { ...spec, protocol: 253, payload, checksum: 'complete' } as const;
  if (ipv6) {
    const extension = { type: 44, body: [...u16(at | (more ? 1 : 0)), ...u16(id >>> 16), ...u16(id & 0xffff)] };
    const frame = buildFrame({ ...blank, extensions: [extension] });
    frame[headerLen] = protocol;
    return frame;
  }
  const frame = buildFrame({ ...blank, id, dontFragment: false, moreFragments: more, fragmentOffset: at });
  frame[23] = protocol;
  const header = joined(frame.subarray(14, 24), [0, 0], frame.subarray(26, headerLen));
  frame.set(u16(slowChecksum(header)), 24);
  return frame;
}

function u16(value: number): number[] {
  return [(value >> 8) & 255, value & 255];
}
