/** Cuts IP packets into fragments and puts them together again, slowly: RFC 791 section 3.2, RFC 8200 section 4.5. */
import { slowChecksum } from './slow-checksum.ts';

const ETHERNET = 14;

/** Frames of the fragments of a frame, none with an IP packet longer than `mtu`. IPv6 without extension headers. */
export function slowFragments(frame: Uint8Array, mtu: number, id: number): Uint8Array[] {
  const ipv6 = frame[12] === 0x86;
  const headerLen = ipv6 ? 40 : (frame[ETHERNET]! & 15) * 4;
  const data = frame.slice(ETHERNET + headerLen);
  const room = Math.floor((mtu - headerLen - (ipv6 ? 8 : 0)) / 8) * 8;
  const fragments: Uint8Array[] = [];
  for (let offset = 0; offset < data.length; offset += room) {
    const part = data.slice(offset, offset + room);
    const more = offset + room < data.length;
    fragments.push(slowFragment(frame, headerLen, part, offset, more, id));
  }
  return fragments;
}

/** One fragment of the frame, whatever is said of it. */
export function slowFragment(
  frame: Uint8Array,
  headerLen: number,
  part: Uint8Array,
  offset: number,
  more: boolean,
  id: number,
): Uint8Array {
  const head = [...frame.slice(0, ETHERNET + headerLen)];
  if (frame[12] === 0x86) {
    const next = head[ETHERNET + 6]!;
    head[ETHERNET + 6] = 44;
    put16(head, ETHERNET + 4, headerLen - 40 + 8 + part.length);
    const word = (offset & ~7) | (more ? 1 : 0);
    return Uint8Array.of(
      ...head,
      next,
      0,
      word >> 8,
      word & 255,
      id >>> 24,
      (id >> 16) & 255,
      (id >> 8) & 255,
      id & 255,
      ...part,
    );
  }
  put16(head, ETHERNET + 2, headerLen + part.length);
  put16(head, ETHERNET + 4, id & 0xffff);
  put16(head, ETHERNET + 6, (((head[ETHERNET + 6]! << 8) & 0x4000) | (more ? 0x2000 : 0) | (offset >> 3)) & 0xffff);
  put16(head, ETHERNET + 10, 0);
  put16(head, ETHERNET + 10, slowChecksum(Uint8Array.from(head.slice(ETHERNET))));
  return Uint8Array.of(...head, ...part);
}

export interface Joined {
  /** What the datagram carries. */
  readonly data: Uint8Array;
  /** Lengths of the fragments' IP packets, in order of offset; one for a packet that is whole. */
  readonly lengths: readonly number[];
  readonly ids: readonly number[];
  readonly dontFragment: boolean;
}

/** The one datagram that these frames make; throws when they do not. */
export function slowJoin(frames: readonly Uint8Array[]): Joined {
  const parts = frames.map(readFragment).sort((a, b) => a.offset - b.offset);
  let end = 0;
  for (const part of parts) {
    if (part.offset !== end) throw new Error(`fragment at ${part.offset}, the one before ends at ${end}`);
    end += part.data.length;
  }
  if (parts.at(-1)?.more !== false) throw new Error('there is no last fragment');
  return {
    data: Uint8Array.from(parts.flatMap(({ data }) => [...data])),
    lengths: parts.map(({ length }) => length),
    ids: [...new Set(parts.map(({ id }) => id))],
    dontFragment: parts.some(({ dontFragment }) => dontFragment),
  };
}

function readFragment(frame: Uint8Array) {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (frame[12] === 0x86) {
    const fragment = frame[ETHERNET + 6] === 44;
    const length = 40 + view.getUint16(ETHERNET + 4);
    const word = fragment ? view.getUint16(ETHERNET + 42) : 0;
    const data = frame.slice(ETHERNET + (fragment ? 48 : 40), ETHERNET + length);
    const id = fragment ? view.getUint32(ETHERNET + 44) : 0;
    return { offset: word & 0xfff8, more: (word & 1) !== 0, id, data, length, dontFragment: true };
  }
  const headerLen = (frame[ETHERNET]! & 15) * 4;
  const length = view.getUint16(ETHERNET + 2);
  const word = view.getUint16(ETHERNET + 6);
  return {
    offset: (word & 0x1fff) << 3,
    more: (word & 0x2000) !== 0,
    id: view.getUint16(ETHERNET + 4),
    data: frame.slice(ETHERNET + headerLen, ETHERNET + length),
    length,
    dontFragment: (word & 0x4000) !== 0,
  };
}

function put16(bytes: number[], at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 255;
}
