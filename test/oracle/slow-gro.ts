/**
 * Would Linux merge these TCP segments or UDP packets? The conditions of tcp_gro_receive, udp_gro_receive,
 * inet_gro_receive, ipv6_gro_receive, eth_gro_receive and vxlan_gro_receive, asked of whole frames in words and of
 * every pair anew.
 */
import { type Frame, parseFrame } from '../support/read-frame.ts';
import { layoutOf } from './slow-segmenter.ts';

const VXLAN_LEN = 8;
const TCP = 6;
const UDP = 17;
/** UDP_MAX_SEGMENTS, until Linux 6.9. */
const UDP_SEGMENTS_MAX = 64;
const Flag = { Fin: 1, Syn: 2, Rst: 4, Psh: 8, Urg: 32, Cwr: 128 };

/** A datagram in words. */
interface Words {
  /** A VXLAN header, then a TCP or UDP packet in plain headers, sound to the last bit, with a checksum and payload. */
  readonly plain: boolean;
  readonly frame: Frame;
  /** The fields in which the segments of a run must agree. */
  readonly flow: string;
}

const known = new WeakMap<Uint8Array, Words>();

function wordsOf(datagram: Uint8Array): Words {
  let words = known.get(datagram);
  if (words === undefined) {
    const inner = datagram.subarray(VXLAN_LEN);
    const frame = hasPorts(inner) ? parseFrame(inner) : undefined;
    words = frame ? { plain: isSound(frame), frame, flow: flowOf(datagram, frame) } : { plain: false, ...nothing };
    known.set(datagram, words);
  }
  return words;
}

const nothing = { frame: { destinationMac: '', sourceMac: '', etherType: 0, payload: new Uint8Array() }, flow: '' };

/** Lengths only: may the headers be read? */
function hasPorts(frame: Uint8Array): boolean {
  if (frame.length < 14 + 20 + 8) return false;
  const isIpv4 = frame[12] === 8 && frame[13] === 0 && frame[14] === 0x45;
  const isIpv6 = frame[12] === 0x86 && frame[13] === 0xdd && frame[14]! >> 4 === 6;
  if (!isIpv4 && !(isIpv6 && frame.length >= 62)) return false;
  const protocol = isIpv4 ? frame[23] : frame[20];
  if (protocol !== TCP && protocol !== UDP) return false;
  const headerLen = protocol === TCP ? 20 : 8;
  if (frame.length < (isIpv4 ? 34 : 54) + headerLen) return false;
  const ipLen = isIpv4 ? (frame[16]! << 8) | frame[17]! : 40 + ((frame[18]! << 8) | frame[19]!);
  const { l4, payload } = layoutOf(frame);
  return ipLen === frame.length - 14 && payload >= l4 + headerLen && payload < frame.length;
}

function isSound({ checksum, ipChecksum, fragmented, udpLength, payload }: Frame): boolean {
  if (udpLength !== undefined && udpLength !== 8 + payload.length) return false;
  return checksum === 'right' && ipChecksum !== 'wrong' && fragmented === false;
}

function flowOf(datagram: Uint8Array, frame: Frame): string {
  const { flags, payload, id, sequence, checksum, ipLen, ...rest } = frame;
  const { protocol, l4 } = layoutOf(datagram.subarray(VXLAN_LEN));
  if (protocol === UDP) return JSON.stringify([[...datagram.subarray(0, VXLAN_LEN)], { ...rest, udpLength: 0 }]);
  const reserved = datagram[VXLAN_LEN + l4 + 12]! & 15;
  return JSON.stringify([[...datagram.subarray(0, VXLAN_LEN)], reserved, rest]);
}

export function isPlainSegment(datagram: Uint8Array): boolean {
  return wordsOf(datagram).plain;
}

/** `run` is what has been merged so far: would Linux add `next`? */
export function linuxMerges(run: readonly Uint8Array[], next: Uint8Array): boolean {
  if (![...run, next].every(isPlainSegment)) return false;
  const frames = run.map((datagram) => wordsOf(datagram).frame);
  const added = wordsOf(next).frame;
  const first = frames[0]!;
  const segment = first.payload.length;
  const ends = Flag.Fin | Flag.Syn | Flag.Rst | Flag.Psh | Flag.Urg;
  const total = frames.reduce((sum, { payload }) => sum + payload.length, 0);
  const room = added.payload.length <= segment && first.ipLen! + total - segment + added.payload.length <= 65_535;
  if (wordsOf(next).flow !== wordsOf(run[0]!).flow || !room || !idFollows(frames, added)) return false;
  if (first.protocol === UDP) {
    return run.length < UDP_SEGMENTS_MAX && frames.every(({ payload }) => payload.length === segment);
  }
  return (
    frames.every((frame) => (frame.flags! & ends) === 0 && frame.payload.length === segment) &&
    (added.flags! & Flag.Cwr) === 0 &&
    ((added.flags! ^ first.flags!) & ~(Flag.Cwr | Flag.Fin | Flag.Psh)) === 0 &&
    added.sequence === (first.sequence! + total) % 0x1_0000_0000
  );
}

/** Ids count up; with DF they may also be all the same. IPv6 has none. */
function idFollows(run: readonly Frame[], added: Frame): boolean {
  const first = run[0]!;
  if (first.version === 6) return true;
  const ids = [...run, added].map(({ id }) => id);
  const counts = ids.every((id, i) => id === (first.id! + i) % 0x10000);
  return counts || (first.dontFragment === true && ids.every((id) => id === first.id));
}
