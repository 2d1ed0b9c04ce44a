/** Two ends of an underlay in one process, and what a test sends through them. */
import { vxlanEncapsulate } from '../../src/encap/vxlan.ts';
import { Arena } from '../../src/packet/arena.ts';
import { CONTINUE, type Outcome } from '../../src/packet/outcome.ts';
import type { Packet } from '../../src/packet/packet.ts';
import { validate } from '../../src/packet/validate.ts';
import { TapUnderlay } from '../../src/ports/tap-underlay.ts';
import type { UnderlayPort } from '../../src/ports/underlay.ts';
import { Errno, read, write } from '../../src/sys/io.ts';
import { addressOf, check, libc } from '../../src/sys/libc.ts';
import { SocketType, setOption } from '../../src/sys/socket.ts';
import { type FrameSpec, newPacket, writeFrame } from '../support/frames.ts';

const AF_UNIX = 1;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_SNDBUFFORCE = 32;
const MESSAGE_MAX = 70_000;
const VXLAN_LEN = 8;

const cSocketPair = libc.func('int socketpair(int family, int type, int protocol, uintptr_t ends)') as (
  family: number,
  type: number,
  protocol: number,
  ends: number,
) => number;

/** Two ends that keep the borders of messages, as a TAP does. Non-blocking. */
export function socketPair(): readonly [number, number] {
  const ends = new Int32Array(2);
  const type = SocketType.seqpacket | SocketType.nonBlocking | SocketType.closeOnExec;
  check(cSocketPair(AF_UNIX, type, 0, addressOf(ends)), 'socketpair');
  for (const fd of ends) {
    if (setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20) !== 0) setOption(fd, SOL_SOCKET, SO_SNDBUF, 8 << 20);
  }
  return [ends[0]!, ends[1]!];
}

/** The messages that wait at a descriptor, oldest first. */
export function readAll(fd: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const buffer = new Uint8Array(MESSAGE_MAX);
  for (;;) {
    const n = read(fd, addressOf(buffer), MESSAGE_MAX);
    if (n === -Errno.EAGAIN) return messages;
    messages.push(buffer.slice(0, check(n, 'read')));
  }
}

export function writeMessage(fd: number, message: Uint8Array): void {
  check(write(fd, addressOf(message), message.length), 'write');
}

/** Memory that the kernel may be told of. */
export function kernelArena(): Arena {
  const arena = new Arena(4 << 20);
  arena.base = addressOf(arena.buffer);
  return arena;
}

/** What the two nodes are to each other; inner frames have their MACs. */
export const nodes = {
  addresses: ['10.9.0.1', '10.9.0.2'],
  words: [0x0a09_0001, 0x0a09_0002],
  macs: ['02:70:00:00:00:01', '02:70:00:00:00:02'],
  macHigh: 0x0270,
  vni: 77,
} as const;

export const between: FrameSpec = { sourceMac: nodes.macs[0], destinationMac: nodes.macs[1] };

/** What is there of either node, of the first unless said otherwise. */
export function tapUnderlay(arena: Arena, fd: number, more: Partial<TapOptions> = {}): TapUnderlay {
  const { macHigh } = nodes;
  const wire = { address: nodes.words[0], macHigh, macLow: 1, routerMacHigh: macHigh, routerMacLow: 9 };
  const lost = () => {
    throw new Error('a row was lost');
  };
  const underlay = new TapUnderlay({ arena, fd, wire, merging: true, rows: true, lost, activity, ...more });
  underlay.setEndpoints(nodes.addresses);
  return underlay;
}

type TapOptions = ConstructorParameters<typeof TapUnderlay>[0];
export const activity = new Int32Array(1);

/** The packet as the stages leave it for a tunnel to the second node. False: it is not one that they let pass. */
export function encapsulate(pkt: Packet, hash: number): boolean {
  if (validate(pkt) !== CONTINUE) return false;
  pkt.hash = hash;
  const to = { name: '', address: new Int32Array(4), macHigh: nodes.macHigh, macLow: 2, kernelLocal: false };
  vxlanEncapsulate(pkt, to, nodes.macHigh, 1, nodes.vni);
  return true;
}

/** Sends frames of words to the second node. `source` is the outer port that a frame shares with its flow. */
export class Sender {
  readonly #underlay: UnderlayPort;
  readonly #pkt: Packet;
  readonly #at: number;

  constructor(arena: Arena, underlay: UnderlayPort) {
    this.#underlay = underlay;
    this.#pkt = newPacket(arena);
    this.#at = this.#pkt.at;
    // More than one frame in a turn: the first of the next one waits as well.
    this.send({ payload: 'warm' });
    this.send({ payload: 'up' });
    underlay.flush();
  }

  send(spec: FrameSpec, source = 0): Outcome {
    const pkt = this.#pkt;
    pkt.at = this.#at;
    writeFrame(pkt, { ...between, ...spec });
    if (!encapsulate(pkt, source << 8)) throw new Error('not a frame that the stages let pass');
    return this.#underlay.transmit(pkt, 1, 0);
  }
}

/** The inner frame of what an underlay handed out. */
export function innerFrame({ arena, at, len }: Packet): Uint8Array {
  return arena.bytes.slice(at + VXLAN_LEN, at + len);
}
