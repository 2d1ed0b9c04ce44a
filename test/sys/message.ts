import { addressOf } from '../../src/sys/libc.ts';
import {
  CONTROL_HEADER_LEN,
  ControlHeader,
  IO_VECTOR_LEN,
  IoVector,
  MESSAGE_HEADER_LEN,
  MessageHeader,
  SOL_UDP,
  UDP_CONTROL_SPACE,
  UDP_SEGMENT,
  writeSocketAddress,
} from '../../src/sys/udp.ts';

const NAME = MESSAGE_HEADER_LEN;
const NAME_SPACE = 32;
const VECTOR = NAME + NAME_SPACE;
const CONTROL = VECTOR + IO_VECTOR_LEN;

/** A struct msghdr with all it points at, built from the offsets that udp.ts publishes. */
export class Message<Payload extends Uint8Array = Uint8Array> {
  readonly payload: Payload;
  readonly #view = new DataView(new ArrayBuffer(CONTROL + UDP_CONTROL_SPACE));
  readonly address = addressOf(this.#view);

  constructor(payload: Payload) {
    this.payload = payload;
    this.#pointer(MessageHeader.vectors, this.address + VECTOR);
    this.#pointer(MessageHeader.vectorCount, 1);
    this.#pointer(MessageHeader.name, this.address + NAME);
    this.#pointer(VECTOR + IoVector.base, addressOf(payload));
    this.#pointer(VECTOR + IoVector.length, payload.length);
    this.#pointer(MessageHeader.control, this.address + CONTROL);
  }

  /** For sending. */
  to(address: string, port: number): this {
    this.#view.setUint32(MessageHeader.nameLength, writeSocketAddress(this.#view, NAME, address, port), true);
    return this;
  }

  /** For sending: to where `other` came from. */
  toSenderOf(other: Message): this {
    for (let at = 0; at < NAME_SPACE; at++) this.#view.setUint8(NAME + at, other.#view.getUint8(NAME + at));
    const length = other.#view.getUint32(MessageHeader.nameLength, true);
    this.#view.setUint32(MessageHeader.nameLength, length, true);
    return this;
  }

  /** For sending: that much of the payload; for receiving: so much room. */
  first(bytes: number): this {
    this.#pointer(VECTOR + IoVector.length, bytes);
    return this;
  }

  /** For sending: cut into datagrams of `bytes`; 0: not cut. */
  segmented(bytes: number): this {
    this.#pointer(MessageHeader.controlLength, bytes === 0 ? 0 : UDP_CONTROL_SPACE);
    this.#pointer(CONTROL + ControlHeader.length, CONTROL_HEADER_LEN + 2);
    this.#view.setInt32(CONTROL + ControlHeader.level, SOL_UDP, true);
    this.#view.setInt32(CONTROL + ControlHeader.type, UDP_SEGMENT, true);
    this.#view.setUint16(CONTROL + ControlHeader.data, bytes, true);
    return this;
  }

  /** For receiving: whom it is from. */
  withSender(): this {
    this.#view.setUint32(MessageHeader.nameLength, NAME_SPACE, true);
    return this;
  }

  /** For receiving. */
  withControl(): this {
    this.#pointer(MessageHeader.controlLength, UDP_CONTROL_SPACE);
    return this;
  }

  /** After receiving: the control message, or undefined when there is none. */
  get control(): { length: number; level: number; type: number; value: number } | undefined {
    if (this.#view.getUint32(MessageHeader.controlLength, true) === 0) return undefined;
    return {
      length: this.#view.getUint32(CONTROL + ControlHeader.length, true),
      level: this.#view.getInt32(CONTROL + ControlHeader.level, true),
      type: this.#view.getInt32(CONTROL + ControlHeader.type, true),
      value: this.#view.getInt32(CONTROL + ControlHeader.data, true),
    };
  }

  #pointer(at: number, value: number): void {
    this.#view.setBigUint64(at, BigInt(value), true);
  }
}
