import { formatAddress, loadIpv4, loadIpv6 } from '../wire/address.ts';

/** Why reading ended early: the capture has no more bytes, or the bytes are wrong. */
export type Fault = 'cut' | `bad ${'frame' | 'arp' | 'ip' | 'tcp' | 'udp' | 'sctp' | 'icmp' | 'vxlan'}`;

/** A part of a frame: what of it was captured, and what there was on the wire. Offsets are of the view's bytes. */
export class Slice {
  readonly view: DataView;
  readonly at: number;
  /** Where the captured bytes end, and where the frame does. */
  readonly #end: number;
  readonly #wireEnd: number;

  constructor(view: DataView, at: number, end: number, wireEnd: number) {
    this.view = view;
    this.at = at;
    this.#end = end;
    this.#wireEnd = wireEnd;
  }

  /** Bytes that were captured. */
  get len(): number {
    return Math.max(0, this.#end - this.at);
  }

  /** Bytes that there were. */
  get wireLen(): number {
    return Math.max(0, this.#wireEnd - this.at);
  }

  /** Why `length` bytes cannot be read here: they were not captured, or there were none. */
  lacks(length: number, otherwise: Fault): Fault | undefined {
    if (length <= this.len) return undefined;
    return length <= this.wireLen ? 'cut' : otherwise;
  }

  /** Without its first bytes. */
  from(offset: number): Slice {
    return new Slice(this.view, this.at + offset, this.#end, this.#wireEnd);
  }

  /** Its first bytes, if there are so many. */
  upTo(length: number): Slice {
    const end = this.at + length;
    return new Slice(this.view, this.at, Math.min(this.#end, end), Math.min(this.#wireEnd, end));
  }
}

/** An IPv4-mapped IPv6 address stays one, unlike in a flow key. */
export function addressAt(view: DataView, at: number, version: 4 | 6): string {
  const words = new Int32Array(4);
  if (version === 4) loadIpv4(view, at, words, 0);
  else loadIpv6(view, at, words, 0);
  const text = formatAddress(words);
  return version === 6 && !text.includes(':') ? `::ffff:${text}` : text;
}

export function formatMac(view: DataView, at: number): string {
  return Array.from({ length: 6 }, (_, i) =>
    view
      .getUint8(at + i)
      .toString(16)
      .padStart(2, '0'),
  ).join(':');
}
