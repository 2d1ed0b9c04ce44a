import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CONTINUE, Drop, type Outcome } from '../../src/packet/outcome.ts';
import { Packet } from '../../src/packet/packet.ts';
import { UdpUnderlay } from '../../src/ports/udp-underlay.ts';
import { close, Errno, sendMessage } from '../../src/sys/io.ts';
import { Netlink } from '../../src/sys/netlink.ts';
import { openUdp } from '../../src/sys/udp.ts';
import { buildFrame, type FrameSpec, joined } from '../support/frames.ts';
import { Random } from '../support/random.ts';
import { missing } from '../support/requires.ts';
import { inNewNetwork } from '../sys/in-new-network.ts';
import { Message } from '../sys/message.ts';
import { activity, kernelArena, nodes, Sender } from './underlay-ends.ts';

const lacks = missing('linux', 'root');
const MTU = 1500;
const arena = kernelArena();
const pkt = new Packet(arena);
const small: FrameSpec = { protocol: 'udp', payload: 10 };
const superframe: FrameSpec = { payload: 2500, gsoSize: 1000 };

/** Two nodes on a loopback of their own, whose MTU is Ethernet's. */
class World {
  readonly a: UdpUnderlay;
  readonly b: UdpUnderlay;
  readonly sender: Sender;
  /** A socket beside them, to send what a vxlan device of the kernel sends. */
  readonly kernel: number;
  readonly lost: [number, Outcome][] = [];
  /** What the next sends are answered, by nobody's kernel; 0 asks the real one. */
  readonly refusals: number[] = [];
  sends = 0;

  constructor(addresses: readonly [string, string]) {
    const random = new Random(7);
    const plain = { arena, offload: true, random: () => random.word(), merging: false, rows: true, activity };
    const lost = (count: number, reason: Outcome) => void this.lost.push([count, reason]);
    const send = (...[fd, message, flags]: Parameters<typeof sendMessage>) => {
      this.sends++;
      return -(this.refusals.shift() ?? 0) || sendMessage(fd, message, flags);
    };
    [this.a, this.b, this.kernel] = inNewNetwork(() => {
      const netlink = new Netlink();
      const { index } = netlink.link('lo');
      netlink.setLink(index, { mtu: MTU, up: true });
      for (const address of addresses.filter((text) => text.includes(':'))) {
        netlink.addAddress(index, { address, prefixLen: 128, noDad: true });
      }
      netlink.close();
      return [
        new UdpUnderlay({ ...plain, address: addresses[0], lost, send }),
        new UdpUnderlay({ ...plain, address: addresses[1], lost }),
        openUdp({ address: addresses[0], port: 4790, receiveBufferBytes: 0, sendBufferBytes: 1 << 20, gro: false }).fd,
      ];
    });
    this.a.setEndpoints(addresses);
    this.sender = new Sender(arena, this.a);
    this.received();
    this.sends = 0;
  }

  /** Length of each inner frame that has come, a superframe's in brackets, and its outer TOS. */
  received(): { lens: (number | number[])[]; tos: number[] } {
    const lens: (number | number[])[] = [];
    const tos: number[] = [];
    while (this.b.receive(pkt) === 1) {
      const len = pkt.len - 8;
      lens.push(pkt.gsoSize === 0 ? len : [len]);
      tos.push(pkt.outerTos);
    }
    return { lens, tos };
  }

  close(): void {
    this.a.close();
    this.b.close();
    close(this.kernel);
  }
}

describe.skipIf(lacks)(`the underlay by UDP sockets${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  let world: World;

  beforeEach(() => {
    arena.releaseAll();
    world = new World(['127.0.0.1', '127.0.0.2']);
  });
  afterEach(() => world.close());

  test('a superframe leaves behind what waits of its flow, and before what waits of others', () => {
    const { sender, a } = world;
    for (const source of [0, 1, 0, 1]) sender.send(small, source);
    sender.send(superframe);
    expect([world.sends, world.received().lens]).toEqual([2, [52, 52, 1054, 1054, 554]]);
    a.flush();
    expect([world.sends, world.received().lens]).toEqual([3, [52, 52]]);
  });

  test('a frame too long for a row leaves behind what waits of its flow', () => {
    for (const payload of [10, 10]) world.sender.send({ ...small, payload });
    expect(world.sender.send({ ...small, payload: 33_000 })).toBe(Drop.UnderlayError);
    expect([world.a.lastErrno, world.received().lens]).toEqual([Errno.EMSGSIZE, [52, 52]]);
  });

  test('frames of another ECN mark leave apart, each with its own', () => {
    for (const tos of [0, 0, 2, 2, 3, 1]) world.sender.send({ ...small, tos });
    world.a.flush();
    expect(world.received().tos).toEqual([0, 0, 2, 2, 3, 1]);
    expect(world.sends).toBe(4);
  });

  test('what waits leaves for the endpoints as they were', () => {
    for (const _ of [0, 1]) world.sender.send(small);
    world.a.setEndpoints(['127.0.0.1', '127.0.0.3']);
    expect(world.received().lens).toEqual([52, 52]);
  });

  describe('what the kernel will not cut leaves in pieces', () => {
    const row = () => {
      for (const _ of [0, 1, 2]) world.sender.send(small);
      world.a.flush();
    };

    test.each(['EINVAL', 'EMSGSIZE'] as const)('once, after %s', (name) => {
      world.refusals.push(Errno[name]);
      row();
      expect([world.sends, world.received().lens]).toEqual([4, [52, 52, 52]]);
      row();
      expect([world.sends, world.received().lens]).toEqual([5, [52, 52, 52]]);
      world.refusals.push(Errno[name]);
      expect(world.sender.send(superframe)).toBe(CONTINUE);
      expect([world.sends, world.received().lens]).toEqual([9, [1054, 1054, 554]]);
      world.sender.send(superframe);
      expect([world.sends, world.received().lens]).toEqual([10, [1054, 1054, 554]]);
      expect(world.a.counters.snapshot()).toMatchObject({ sentPackets: 2 + 12, sendFailures: 2 });
      expect([world.a.lastErrno, world.lost]).toEqual([Errno[name], []]);
    });

    test('always, after EIO', () => {
      world.refusals.push(Errno.EIO);
      row();
      expect([world.sends, world.received().lens]).toEqual([4, [52, 52, 52]]);
      row();
      world.sender.send(superframe);
      expect([world.sends, world.received().lens]).toEqual([10, [52, 52, 52, 1054, 1054, 554]]);
      expect([world.a.counters.snapshot().sendFailures, world.lost]).toEqual([1, []]);
    });

    test('and those that it refuses yet are lost, each counted', () => {
      world.refusals.push(Errno.EINVAL, 0, Errno.EPERM, Errno.ENOBUFS);
      row();
      expect(world.received().lens).toEqual([52]);
      expect(world.lost).toEqual([[2, Drop.UnderlayBusy]]);
      world.refusals.push(Errno.EINVAL, Errno.EPERM, 0, 0);
      expect(world.sender.send(superframe)).toBe(Drop.UnderlayError);
      expect(world.received().lens).toEqual([1054, 554]);
      world.refusals.push(Errno.EINVAL, 0, 0, 0);
      row();
      expect([world.lost.length, world.received().lens]).toEqual([1, [52, 52, 52]]);
    });

    test('but not when it is busy: then the row is lost', () => {
      world.refusals.push(Errno.EAGAIN);
      row();
      expect([world.sends, world.lost]).toEqual([1, [[3, Drop.UnderlayBusy]]]);
      world.refusals.push(Errno.EINVAL, 0, 0, 0, Errno.EPERM);
      row();
      row();
      expect([world.sends, world.lost.slice(1)]).toEqual([6, [[3, Drop.UnderlayError]]]);
    });

    test('as Linux refuses it: datagrams longer than the path lets through, with a short one behind', () => {
      for (const payload of [1600, 1600, 10]) world.sender.send({ ...small, payload });
      expect([world.sends, world.received().lens]).toEqual([4, [52]]);
      expect(world.lost).toEqual([[2, Drop.UnderlayError]]);
      row();
      expect([world.sends, world.received().lens]).toEqual([5, [52, 52, 52]]);
    });
  });

  test('a superframe of a kernel beside us comes whole, a row of its datagrams does not', () => {
    const header = [8, 0, 0, 0, 0, 0, nodes.vni, 0];
    const send = (payload: Uint8Array, stride: number) =>
      sendMessage(world.kernel, new Message(payload).to('127.0.0.2', 4789).segmented(stride).address, 0);
    expect(send(joined(header, buildFrame(superframe)), 1000)).toBe(8 + 54 + 2500);
    const datagram = joined(header, buildFrame(small));
    expect(send(joined(datagram, datagram, datagram), datagram.length)).toBe(3 * datagram.length);
    expect(world.received().lens).toEqual([[54 + 2500], 52, 52, 52]);
  });

  test('over IPv6', () => {
    world.close();
    arena.releaseAll();
    world = new World(['fd00::1', 'fd00::2']);
    for (const _ of [0, 1, 2]) world.sender.send(small);
    world.sender.send(superframe);
    expect([world.sends, world.received().lens]).toEqual([2, [52, 52, 52, 1054, 1054, 554]]);
  });
});
