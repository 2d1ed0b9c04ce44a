/** One message of sendmsg(2) or recvmsg(2): a datagram, or a row of them. Laid out once, used again and again. */
import { receiveMessage, sendMessage } from '../../src/sys/io.ts';
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
  UDP_GRO,
  UDP_SEGMENT,
  writeSocketAddress,
} from '../../src/sys/udp.ts';

const BYTES = 65_536;
const NAME_SPACE = 32;
const VECTOR_AT = MESSAGE_HEADER_LEN;
const NAME_AT = VECTOR_AT + IO_VECTOR_LEN;
const CONTROL_AT = NAME_AT + NAME_SPACE;
const SPACE = CONTROL_AT + UDP_CONTROL_SPACE;

export class DatagramMessage {
  readonly bytes = Buffer.alloc(BYTES, 0xa5);
  readonly #header = Buffer.alloc(SPACE);
  readonly #view = new DataView(this.#header.buffer, this.#header.byteOffset, SPACE);
  readonly #address = addressOf(this.#header);
  #nameLength = 0;

  constructor() {
    this.#pointer(MessageHeader.name, this.#address + NAME_AT);
    this.#pointer(MessageHeader.vectors, this.#address + VECTOR_AT);
    this.#pointer(MessageHeader.vectorCount, 1);
    this.#pointer(MessageHeader.control, this.#address + CONTROL_AT);
    this.#pointer(VECTOR_AT + IoVector.base, addressOf(this.bytes));
  }

  setDestination(address: string, port: number): void {
    this.#nameLength = writeSocketAddress(this.#view, NAME_AT, address, port);
  }

  /** To where another one came from. */
  setPeer(other: DatagramMessage): void {
    other.#header.copy(this.#header, NAME_AT, NAME_AT, NAME_AT + NAME_SPACE);
    this.#nameLength = other.#nameLength;
  }

  /** @param segment 0, or into what the kernel cuts it. @returns bytes sent, or the negative errno. */
  send(fd: number, length: number, segment = 0): number {
    this.#view.setUint32(MessageHeader.nameLength, this.#nameLength, true);
    this.#pointer(VECTOR_AT + IoVector.length, length);
    this.#pointer(MessageHeader.controlLength, segment === 0 ? 0 : UDP_CONTROL_SPACE);
    this.#pointer(CONTROL_AT + ControlHeader.length, CONTROL_HEADER_LEN + 2);
    this.#view.setInt32(CONTROL_AT + ControlHeader.level, SOL_UDP, true);
    this.#view.setInt32(CONTROL_AT + ControlHeader.type, UDP_SEGMENT, true);
    this.#view.setUint16(CONTROL_AT + ControlHeader.data, segment, true);
    return sendMessage(fd, this.#address, 0);
  }

  /** @returns bytes received, or the negative errno. */
  receive(fd: number): number {
    this.#view.setUint32(MessageHeader.nameLength, NAME_SPACE, true);
    this.#pointer(VECTOR_AT + IoVector.length, BYTES);
    this.#pointer(MessageHeader.controlLength, UDP_CONTROL_SPACE);
    const got = receiveMessage(fd, this.#address, 0);
    if (got >= 0) this.#nameLength = this.#view.getUint32(MessageHeader.nameLength, true);
    return got;
  }

  /** Of `length` bytes received. @returns how many datagrams they were. */
  eachDatagram(length: number, visit: (datagram: Buffer) => void): number {
    const segment = this.#segment() || length;
    let count = 0;
    do {
      visit(this.bytes.subarray(count * segment, Math.min(length, (count + 1) * segment)));
      count++;
    } while (count * segment < length);
    return count;
  }

  /** What UDP_GRO has put together, or 0. */
  #segment(): number {
    if (this.#view.getUint32(MessageHeader.controlLength, true) < CONTROL_HEADER_LEN) return 0;
    const ours =
      this.#view.getInt32(CONTROL_AT + ControlHeader.level, true) === SOL_UDP &&
      this.#view.getInt32(CONTROL_AT + ControlHeader.type, true) === UDP_GRO;
    return ours ? this.#view.getInt32(CONTROL_AT + ControlHeader.data, true) : 0;
  }

  /** Pointers and lengths are 64 bits; ours are below 2^53. */
  #pointer(at: number, value: number): void {
    this.#view.setUint32(at, value >>> 0, true);
    this.#view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
  }
}
