/**
 * The underlay: UDP sockets between nodes. One socket receives on the VXLAN port; a small pool of send-only sockets
 * gives the outer source port its entropy (RFC 7348 section 5). A superframe leaves as one `sendmsg` with UDP_SEGMENT,
 * and UDP_GRO brings rows of datagrams back in one `recvmsg`.
 */

import { Cutter } from '../encap/cut.ts';
import { Merger } from '../encap/merge.ts';
import { sourceOf } from '../encap/outer.ts';
import { vxlanHoldsOne } from '../encap/vxlan.ts';
import type { Arena } from '../packet/arena.ts';
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { completeChecksum } from '../packet/rewrite.ts';
import { close, Errno, receiveMessage, sendMessage } from '../sys/io.ts';
import { setOption } from '../sys/socket.ts';
import {
  ControlHeader,
  MESSAGE_HEADER_LEN,
  MessageHeader,
  openUdp,
  SOL_UDP,
  supportsSegmentation,
  UDP_CONTROL_SPACE,
  UDP_GRO,
  UDP_SEGMENT,
  writeSocketAddress,
} from '../sys/udp.ts';
import { loadIpv4, loadIpv6 } from '../wire/address.ts';
import { VXLAN_PORT } from '../wire/vxlan.ts';
import { Activity, type ActivityWord } from './activity.ts';
import { type DatagramRow, DatagramRows } from './datagram-rows.ts';
import { openPool } from './udp-pool.ts';
import type { Lost, UnderlayPort } from './underlay.ts';
import { WireCounters } from './wire-counters.ts';

const RECEIVE_BUFFER_BYTES = 8 << 20;
const SEND_BUFFER_BYTES = 8 << 20;
/** A datagram, or a row of them: UDP_GRO stops at 64 KiB. */
const RECEIVE_MAX = 65_536;
/** Room in front of the first datagram for the virtio header of the TAP it may leave by. */
const HEADROOM = 64 + 2;

const IPPROTO_IP = 0;
const IP_TOS = 1;
const IP_RECVTOS = 13;
const AF_INET = 2;
const SOCKADDR_SLOT = 32;
/** In struct sockaddr_in and sockaddr_in6 alike. */
const SOCKADDR_PORT = 2;
const CONTROL_BYTES = 128;
/** Behind the message header that is sent: its one vector, then its control messages. */
const SEND_VECTOR = MESSAGE_HEADER_LEN;
const SEND_CONTROL = SEND_VECTOR + 16 + 8;

export interface UnderlayOptions {
  readonly arena: Arena;
  /** This node's underlay address. */
  readonly address: string;
  /** False: wire-sized packets only, one system call each. */
  readonly offload: boolean;
  /** 32 random bits. */
  readonly random: () => number;
  /** Segments of one flow become superframes again. */
  readonly merging: boolean;
  /** Equal-sized frames to one node share a send. */
  readonly rows: boolean;
  /** Is told of frames that were taken and could not be sent. */
  readonly lost: Lost;
  readonly activity: ActivityWord;
  /** sendmsg(2), as `sys/io.ts` has it; a test may refuse in its place. */
  readonly send?: typeof sendMessage;
}

export class UdpUnderlay implements UnderlayPort {
  readonly receiveFd: number;
  readonly counters = new WireCounters();
  /** errno of the last refused send, for the log; 0 for none. */
  lastErrno = 0;
  readonly #arena: Arena;
  readonly #activity: ActivityWord;
  readonly #sendFds: readonly number[];
  readonly #sendPorts: readonly number[];
  readonly #merger: Merger;
  readonly #cutter: Cutter;
  readonly #slotAt: number;
  readonly #receiveHeaderAt: number;
  readonly #sendHeaderAt: number;
  readonly #peerAt: number;
  readonly #merge: boolean;
  readonly #rows: DatagramRows | undefined;
  readonly #lost: Lost;
  readonly #sendMessage: typeof sendMessage;
  #segmentation: boolean;
  /** The kernel would not cut what it was given last: nothing of it has left. */
  #uncut = false;
  /** Datagrams of the last `#sendSeveral` that have not left. */
  #unsent = 0;
  /** Socket addresses of the endpoints, one slot each; replaced whole. */
  #addressesAt = 0;
  #addressesCapacity = 0;
  #outerTos = 0;
  #outerPort = 0;
  /** Segment size inside a datagram that is one superframe; else 0. */
  #innerStride = 0;
  readonly #outerSource = new Int32Array(4);

  constructor(options: UnderlayOptions) {
    const { arena } = options;
    this.#arena = arena;
    this.#activity = options.activity;
    this.#lost = options.lost;
    this.#sendMessage = options.send ?? sendMessage;
    this.#merger = new Merger(arena);
    this.#cutter = new Cutter(arena);
    this.#slotAt = arena.reserve(HEADROOM + RECEIVE_MAX);
    this.#peerAt = arena.reserve(SOCKADDR_SLOT);
    this.#receiveHeaderAt = arena.reserve(MESSAGE_HEADER_LEN + 8 + 16 + CONTROL_BYTES);
    this.#sendHeaderAt = arena.reserve(SEND_CONTROL + CONTROL_BYTES);
    const socket = { receiveBufferBytes: RECEIVE_BUFFER_BYTES, sendBufferBytes: SEND_BUFFER_BYTES };
    const receiver = openUdp({ ...socket, address: options.address, port: VXLAN_PORT, gro: options.offload });
    this.receiveFd = receiver.fd;
    setOption(receiver.fd, IPPROTO_IP, IP_RECVTOS, 1);
    this.#merge = options.merging && receiver.gro;
    const pool = openPool(options.address, options.random, socket.sendBufferBytes);
    this.#sendFds = pool.map(({ fd }) => fd);
    this.#sendPorts = pool.map(({ port }) => port);
    this.#segmentation = options.offload && supportsSegmentation(this.#sendFds[0]!);
    this.#rows =
      options.rows && this.#segmentation
        ? new DatagramRows(arena, 0, (row) => this.#sendRow(row), options.lost)
        : undefined;
    this.#prepareHeaders();
  }

  /** Where each endpoint of the node's table is reached. */
  setEndpoints(addresses: readonly string[]): void {
    this.flush(); // what waits is for the endpoints as they were
    if (addresses.length > this.#addressesCapacity) {
      this.#addressesCapacity = Math.max(64, addresses.length * 2);
      this.#addressesAt = this.#arena.reserve(this.#addressesCapacity * SOCKADDR_SLOT);
    }
    for (const [i, address] of addresses.entries()) {
      const at = this.#addressesAt + i * SOCKADDR_SLOT;
      const length = writeSocketAddress(this.#arena.view, at, address, VXLAN_PORT);
      this.#arena.words[(this.#sendHeaderAt + MessageHeader.nameLength) >> 2] = length; // one family for all
    }
  }

  get pending(): boolean {
    return this.#merger.pending;
  }

  set mergesUdp(on: boolean) {
    this.#merger.mergesUdp = on;
  }

  receive(pkt: Packet): number {
    if (!this.#merger.pending) {
      const got = this.#receiveRow();
      if (got <= 0) return got;
    }
    if (!this.#merger.next(pkt, this.#merge)) this.#emptyDatagram(pkt);
    if (this.#innerStride > 0) pkt.gsoSize = this.#innerStride;
    pkt.outerTos = this.#outerTos;
    pkt.outerPort = this.#outerPort;
    pkt.outerLen = 0;
    for (let i = 0; i < 4; i++) pkt.outerSource[i] = this.#outerSource[i]!;
    return 1;
  }

  transmit(pkt: Packet, endpoint: number): Outcome {
    const source = sourceOf(pkt.hash);
    const tos = pkt.outerTos;
    if (pkt.gsoSize === 0) {
      completeChecksum(pkt);
      if (this.#rows?.take(pkt.at, pkt.len, endpoint, source, tos)) return CONTINUE;
    }
    this.#rows?.flushSource(source);
    if (pkt.gsoSize === 0) return this.#send(endpoint, source, tos, pkt.at, pkt.len, 1, 0);
    const cutter = this.#cutter;
    cutter.begin(pkt);
    const most = cutter.segmentsPerSend;
    for (;;) {
      const segments = cutter.next(this.#segmentation ? most : 1);
      if (segments === 0) return CONTINUE;
      const { outAt, outLen, segmentBytes } = cutter;
      const outcome = this.#sendSeveral(endpoint, source, tos, outAt, outLen, segments, segmentBytes);
      if (outcome !== CONTINUE) return outcome;
    }
  }

  flush(): void {
    this.#rows?.flush();
  }

  sourcePort(hash: number): number {
    return this.#sendPorts[sourceOf(hash)]!;
  }

  close(): void {
    close(this.receiveFd);
    for (const fd of this.#sendFds) close(fd);
  }

  #emptyDatagram(pkt: Packet): void {
    pkt.at = this.#slotAt + HEADROOM;
    pkt.len = 0;
    pkt.gsoSize = 0;
  }

  /** Receives one row of datagrams: 1; 0 when there is none; or the negative errno. */
  #receiveRow(): number {
    const { view, words, base } = this.#arena;
    const header = this.#receiveHeaderAt;
    words[(header + MessageHeader.nameLength) >> 2] = SOCKADDR_SLOT;
    words[(header + MessageHeader.controlLength) >> 2] = CONTROL_BYTES;
    this.#activity[0] = Activity.ReadUnderlay;
    const n = receiveMessage(this.receiveFd, base + header, 0);
    this.#activity[0] = Activity.Stories;
    if (n < 0) return n === -Errno.EAGAIN ? 0 : n;
    this.counters.countReceived(n);
    const ipv4 = view.getUint16(this.#peerAt, true) === AF_INET;
    if (ipv4) loadIpv4(view, this.#peerAt + 4, this.#outerSource, 0);
    else loadIpv6(view, this.#peerAt + 8, this.#outerSource, 0);
    this.#outerPort = view.getUint16(this.#peerAt + SOCKADDR_PORT);
    const stride = this.#readControl();
    const at = this.#slotAt + HEADROOM;
    // From a kernel beside us a superframe comes whole, and the stride is that of the packets inside.
    const whole = stride > 0 && vxlanHoldsOne(view, at, n);
    this.#innerStride = whole ? stride : 0;
    this.#merger.begin(at, n, stride > 0 && !whole ? stride : Math.max(n, 1));
    return 1;
  }

  #sendRow({ endpoint, source, tos, at, len, count, stride }: DatagramRow): Outcome {
    const outcome = this.#sendSeveral(endpoint, source, tos, at, len, count, stride);
    if (outcome !== CONTINUE) this.#lost(this.#unsent, outcome);
    return CONTINUE;
  }

  /** In one send, or one by one where the kernel does not cut it. Tells why the last of the `#unsent` has not left. */
  #sendSeveral(
    endpoint: number,
    source: number,
    tos: number,
    at: number,
    len: number,
    count: number,
    stride: number,
  ): Outcome {
    if (this.#segmentation) {
      const outcome = this.#send(endpoint, source, tos, at, len, count, stride);
      this.#unsent = outcome === CONTINUE ? 0 : count;
      if (!this.#uncut) return outcome;
    }
    this.#unsent = 0;
    let reason: Outcome = CONTINUE;
    for (let offset = 0; offset < len; offset += stride) {
      const outcome = this.#send(endpoint, source, tos, at + offset, Math.min(stride, len - offset), 1, 0);
      if (outcome === CONTINUE) continue;
      reason = outcome;
      this.#unsent++;
    }
    return reason;
  }

  /** @param segments datagrams of `segmentBytes` each, the last as long as there are bytes. */
  #send(
    endpoint: number,
    source: number,
    tos: number,
    at: number,
    len: number,
    segments: number,
    segmentBytes: number,
  ): Outcome {
    const { words, base } = this.#arena;
    const header = this.#sendHeaderAt;
    this.#writePointer(header + MessageHeader.name, this.#addressesAt + endpoint * SOCKADDR_SLOT);
    const vector = header + SEND_VECTOR;
    this.#writePointer(vector, at);
    words[(vector + 8) >> 2] = len;
    this.#writeControl(segments > 1 ? segmentBytes : 0, tos);
    this.#activity[0] = Activity.WriteUnderlay;
    const n = this.#sendMessage(this.#sendFds[source]!, base + header, 0);
    this.#activity[0] = Activity.Stories;
    this.#uncut = false;
    if (n === len) {
      this.counters.countSent(segments, n);
      return CONTINUE;
    }
    this.counters.countSendFailure();
    if (n === -Errno.EAGAIN || n === -Errno.ENOBUFS) return Drop.UnderlayBusy;
    this.lastErrno = -n;
    if (segments > 1) this.#refuseToCut(-n);
    return Drop.UnderlayError;
  }

  /**
   * What a message that is to be cut may be answered (udp_send_skb in net/ipv4/udp.c, udp_v6_send_skb in net/ipv6/udp.c).
   * EIO is about the way out, which has no checksum offload or is an IPsec tunnel's: never ask again. EINVAL and EMSGSIZE
   * are about this one: a segment longer than the path's MTU (EINVAL before Linux 6.14), or too many of them, as 64 full
   * ones are before Linux 5.16 (158390e45612).
   */
  #refuseToCut(errno: number): void {
    if (errno === Errno.EIO) this.#segmentation = false;
    this.#uncut = errno === Errno.EIO || errno === Errno.EINVAL || errno === Errno.EMSGSIZE;
  }

  #prepareHeaders(): void {
    const { words } = this.#arena;
    const receive = this.#receiveHeaderAt;
    const vector = receive + MESSAGE_HEADER_LEN + 8;
    this.#writePointer(receive + MessageHeader.name, this.#peerAt);
    this.#writePointer(receive + MessageHeader.vectors, vector);
    words[(receive + MessageHeader.vectorCount) >> 2] = 1;
    this.#writePointer(vector, this.#slotAt + HEADROOM);
    words[(vector + 8) >> 2] = RECEIVE_MAX;
    this.#writePointer(receive + MessageHeader.control, vector + 16);
    const send = this.#sendHeaderAt;
    this.#writePointer(send + MessageHeader.vectors, send + SEND_VECTOR);
    words[(send + MessageHeader.vectorCount) >> 2] = 1;
    this.#writePointer(send + MessageHeader.control, send + SEND_CONTROL);
  }

  /** Outgoing control messages: segment size and TOS, each only where it differs from what the socket does anyway. */
  #writeControl(segmentBytes: number, tos: number): void {
    const { view, words } = this.#arena;
    const header = this.#sendHeaderAt;
    let at = header + SEND_CONTROL;
    const start = at;
    if (segmentBytes > 0) {
      this.#controlHeader(at, 18, SOL_UDP, UDP_SEGMENT);
      view.setUint16(at + ControlHeader.data, segmentBytes, true);
      at += UDP_CONTROL_SPACE;
    }
    if (tos !== 0) {
      this.#controlHeader(at, 20, IPPROTO_IP, IP_TOS);
      view.setInt32(at + ControlHeader.data, tos, true);
      at += UDP_CONTROL_SPACE;
    }
    words[(header + MessageHeader.controlLength) >> 2] = at - start;
  }

  #controlHeader(at: number, length: number, level: number, type: number): void {
    const { words } = this.#arena;
    words[(at + ControlHeader.length) >> 2] = length;
    words[(at + ControlHeader.length + 4) >> 2] = 0;
    words[(at + ControlHeader.level) >> 2] = level;
    words[(at + ControlHeader.type) >> 2] = type;
  }

  /** Incoming control messages: returns the stride of UDP_GRO or 0, and keeps the TOS. */
  #readControl(): number {
    const { view, words } = this.#arena;
    const header = this.#receiveHeaderAt;
    let at = header + MESSAGE_HEADER_LEN + 8 + 16;
    const end = at + words[(header + MessageHeader.controlLength) >> 2]!;
    let stride = 0;
    this.#outerTos = 0;
    while (at + ControlHeader.data <= end) {
      const length = words[at >> 2]!;
      if (length < ControlHeader.data) break;
      const level = words[(at + ControlHeader.level) >> 2];
      const type = words[(at + ControlHeader.type) >> 2];
      if (level === SOL_UDP && type === UDP_GRO) stride = view.getInt32(at + ControlHeader.data, true);
      if (level === IPPROTO_IP && type === IP_TOS) this.#outerTos = view.getUint8(at + ControlHeader.data);
      at += (length + 7) & ~7;
    }
    return stride;
  }

  #writePointer(at: number, target: number): void {
    const address = this.#arena.base + target;
    this.#arena.words[at >> 2] = address | 0;
    this.#arena.words[(at >> 2) + 1] = (address / 0x1_0000_0000) | 0;
  }
}
