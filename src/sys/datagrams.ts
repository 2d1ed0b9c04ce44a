import { addressOf, errno, libc } from './libc.ts';
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
} from './udp.ts';

/** Datagrams by the dozen (sendmmsg(2), recvmmsg(2)), and one that is answered (recvfrom(2), sendto(2)). */

/** struct mmsghdr: a struct msghdr, then u32 bytes sent or received, and padding. */
const MMSGHDR_LEN = MESSAGE_HEADER_LEN + 8;
const MMSGHDR_BYTES = MESSAGE_HEADER_LEN;
/** Waits for the first message, and then takes only what is there. */
const MSG_WAITFORONE = 0x10000;
const MSG_DONTWAIT = 0x40;
const SOCKADDR_STORAGE_LEN = 128;
/** Slots of one size whose starts are a power of two apart would fight for the same cache lines. */
const SLOT_GAP = 64;

type MultiTransfer = (fd: number, messages: number, count: number, flags: number) => number;
type AddressedTransfer = (
  fd: number,
  bytes: number,
  length: number,
  flags: number,
  address: number,
  addressLength: number,
) => number;

const cSendmmsg = libc.func('int sendmmsg(int fd, uintptr_t messages, uint32_t count, int flags)') as MultiTransfer;
const cRecvmmsg = libc.func(
  'int recvmmsg(int fd, uintptr_t messages, uint32_t count, int flags, uintptr_t timeout)',
) as (...args: [...Parameters<MultiTransfer>, timeout: number]) => number;
const cRecvfrom = libc.func(
  'int64 recvfrom(int fd, uintptr_t bytes, size_t length, int flags, uintptr_t address, uintptr_t addressLength)',
) as AddressedTransfer;
const cSendto = libc.func(
  'int64 sendto(int fd, uintptr_t bytes, size_t length, int flags, uintptr_t address, uint32_t addressLength)',
) as AddressedTransfer;

/** As many datagrams as one system call takes, each with its own room in one buffer. Made once, used for ever. */
export class DatagramBurst {
  readonly count: number;
  /** The rooms, one after the other; `start(i)` says where each begins. */
  readonly bytes: DataView;
  readonly #stride: number;
  readonly #roomBytes: number;
  readonly #headers: DataView;
  readonly #headersAddress: number;
  readonly #controls: DataView;

  /** @param roomBytes what one datagram, or a row that UDP_GRO has made of several, may have. */
  constructor(count: number, roomBytes: number) {
    this.count = count;
    this.#roomBytes = roomBytes;
    this.#stride = ((roomBytes + SLOT_GAP - 1) & -SLOT_GAP) + SLOT_GAP;
    this.bytes = new DataView(new ArrayBuffer(count * this.#stride));
    this.#controls = new DataView(new ArrayBuffer(count * UDP_CONTROL_SPACE));
    const vectorsAt = count * MMSGHDR_LEN;
    this.#headers = new DataView(new ArrayBuffer(vectorsAt + count * IO_VECTOR_LEN));
    this.#headersAddress = addressOf(this.#headers);
    const bytesAddress = addressOf(this.bytes);
    const controlsAddress = addressOf(this.#controls);
    for (let i = 0; i < count; i++) {
      const vector = vectorsAt + i * IO_VECTOR_LEN;
      this.#writeWide(vector + IoVector.base, bytesAddress + this.start(i));
      this.#writeWide(vector + IoVector.length, roomBytes);
      const header = i * MMSGHDR_LEN;
      this.#writeWide(header + MessageHeader.vectors, this.#headersAddress + vector);
      this.#writeWide(header + MessageHeader.vectorCount, 1);
      this.#writeWide(header + MessageHeader.control, controlsAddress + i * UDP_CONTROL_SPACE);
    }
  }

  /** Where datagram `i` begins in `bytes`. */
  start(i: number): number {
    return i * this.#stride;
  }

  /**
   * Sends `count` datagrams from `first` on, each as large as its room, to the peer that the socket is connected to.
   *
   * @returns how many were sent, at least one, or the negative errno.
   */
  send(fd: number, first: number, count: number): number {
    const sent = cSendmmsg(fd, this.#headersAddress + first * MMSGHDR_LEN, count, 0);
    return sent < 0 ? -errno() : sent;
  }

  /**
   * Receives what there is.
   *
   * @param wait for the first, as long as the socket does; false: not at all.
   * @returns how many, or the negative errno; EAGAIN after the socket's time.
   */
  receive(fd: number, wait: boolean): number {
    for (let i = 0; i < this.count; i++) {
      this.#headers.setUint32(i * MMSGHDR_LEN + MessageHeader.controlLength, UDP_CONTROL_SPACE, true);
    }
    const flags = wait ? MSG_WAITFORONE : MSG_DONTWAIT;
    const received = cRecvmmsg(fd, this.#headersAddress, this.count, flags, 0);
    return received < 0 ? -errno() : received;
  }

  /** Bytes of datagram `i` of those received last; never more than its room. */
  received(i: number): number {
    return Math.min(this.#roomBytes, this.#headers.getUint32(i * MMSGHDR_LEN + MMSGHDR_BYTES, true));
  }

  /** Bytes of each datagram in row `i` of those received last, of which the last may be shorter; 0 when it is no row. */
  rowStride(i: number): number {
    const length = this.#headers.getUint32(i * MMSGHDR_LEN + MessageHeader.controlLength, true);
    if (length < CONTROL_HEADER_LEN) return 0;
    const at = i * UDP_CONTROL_SPACE;
    const level = this.#controls.getInt32(at + ControlHeader.level, true);
    const type = this.#controls.getInt32(at + ControlHeader.type, true);
    return level === SOL_UDP && type === UDP_GRO ? this.#controls.getInt32(at + ControlHeader.data, true) : 0;
  }

  #writeWide(at: number, value: number): void {
    this.#headers.setBigUint64(at, BigInt(value), true);
  }
}

/** One datagram with its sender's address, so that it can be sent back. */
export class AnsweredDatagram {
  readonly #bytes: Uint8Array;
  readonly #bytesAddress: number;
  readonly #peer = new Uint8Array(SOCKADDR_STORAGE_LEN);
  readonly #peerAddress = addressOf(this.#peer);
  readonly #peerLength = new Uint32Array(1);
  readonly #peerLengthAddress = addressOf(this.#peerLength);

  constructor(roomBytes: number) {
    this.#bytes = new Uint8Array(roomBytes);
    this.#bytesAddress = addressOf(this.#bytes);
  }

  /** @returns its bytes, or the negative errno. */
  receive(fd: number): number {
    this.#peerLength[0] = SOCKADDR_STORAGE_LEN;
    const room = this.#bytes.length;
    const length = cRecvfrom(fd, this.#bytesAddress, room, 0, this.#peerAddress, this.#peerLengthAddress);
    return length < 0 ? -errno() : length;
  }

  /** Sends the first `length` bytes back. @returns bytes sent, or the negative errno. */
  answer(fd: number, length: number): number {
    const sent = cSendto(fd, this.#bytesAddress, length, 0, this.#peerAddress, this.#peerLength[0]!);
    return sent < 0 ? -errno() : sent;
  }
}
