/** The form of rtnetlink messages (RFC 3549, linux/netlink.h): headers, and attributes padded to four bytes. */

/** struct nlmsghdr: u32 length, u16 type, u16 flags, u32 sequence, u32 port. */
export const NETLINK_HEADER_LEN = 16;
const ATTRIBUTE_HEADER_LEN = 4;
/** Set on the type of an attribute that holds attributes. */
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

function padded(length: number): number {
  return (length + 3) & ~3;
}

/** Builds one request at a time in a buffer of its own. The requests of netlink.ts stay far below its size. */
export class NetlinkRequest {
  readonly bytes = new Uint8Array(1024);
  readonly #view = new DataView(this.bytes.buffer);
  #length = 0;

  /** Starts a message over. @param body what follows the header: a struct ifinfomsg, ifaddrmsg, rtmsg or ndmsg. */
  start(type: number, flags: number, sequence: number, body: Uint8Array): void {
    this.bytes.fill(0);
    this.#view.setUint16(4, type, true);
    this.#view.setUint16(6, flags, true);
    this.#view.setUint32(8, sequence, true);
    this.bytes.set(body, NETLINK_HEADER_LEN);
    this.#length = NETLINK_HEADER_LEN + padded(body.length);
  }

  attribute(type: number, value: Uint8Array): void {
    const length = ATTRIBUTE_HEADER_LEN + value.length;
    this.#view.setUint16(this.#length, length, true);
    this.#view.setUint16(this.#length + 2, type, true);
    this.bytes.set(value, this.#length + ATTRIBUTE_HEADER_LEN);
    this.#length += padded(length);
  }

  attributeU8(type: number, value: number): void {
    this.attribute(type, Uint8Array.of(value));
  }

  attributeU32(type: number, value: number): void {
    this.attribute(type, new Uint8Array(Uint32Array.of(value).buffer));
  }

  /** A text attribute, ended by a zero byte. */
  attributeText(type: number, value: string): void {
    this.attribute(type, Buffer.from(`${value}\0`));
  }

  /** An attribute that consists of what `content` adds: attributes, after a fixed `body` where the type has one. */
  nested(type: number, content: () => void, body: Uint8Array = new Uint8Array()): void {
    const start = this.#length;
    this.attribute(type | NESTED, body);
    content();
    this.#view.setUint16(start, this.#length - start, true);
  }

  /** Writes the length into the header. @returns the length in bytes. */
  finish(): number {
    this.#view.setUint32(0, this.#length, true);
    return this.#length;
  }
}

/** The attributes from `at` to `end` by type. Views, not copies; what is cut short is left out. */
export function readAttributes(view: DataView, at: number, end: number): Map<number, DataView> {
  const attributes = new Map<number, DataView>();
  for (let next = at; next + ATTRIBUTE_HEADER_LEN <= end; ) {
    const length = view.getUint16(next, true);
    if (length < ATTRIBUTE_HEADER_LEN || next + length > end) break;
    const value = new DataView(
      view.buffer,
      view.byteOffset + next + ATTRIBUTE_HEADER_LEN,
      length - ATTRIBUTE_HEADER_LEN,
    );
    attributes.set(view.getUint16(next + 2, true) & TYPE_MASK, value);
    next += padded(length);
  }
  return attributes;
}

/** The bytes of an attribute, copied. */
export function attributeBytes(value: DataView): Uint8Array {
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
}

const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

/**
 * The text that the kernel sent along with an NLMSG_ERROR message, or '' (NETLINK_EXT_ACK).
 *
 * @param at start of the message's header. After it come i32 errno, the header of the request, with NLM_F_CAPPED
 * nothing more of the request, then attributes.
 */
export function extendedAckText(view: DataView, at: number): string {
  const flags = view.getUint16(at + 6, true);
  if ((flags & NLM_F_ACK_TLVS) === 0) return '';
  const request = at + NETLINK_HEADER_LEN + 4;
  const echoed = (flags & NLM_F_CAPPED) === 0 ? view.getUint32(request, true) : NETLINK_HEADER_LEN;
  const text = readAttributes(view, request + padded(echoed), at + view.getUint32(at, true)).get(NLMSGERR_ATTR_MSG);
  return text === undefined ? '' : new TextDecoder().decode(attributeBytes(text)).replace(/\0+$/, '');
}
