import { describe, expect, test } from 'vitest';
import { close, Errno, read, receiveMessage, sendMessage, write } from '../../src/sys/io.ts';
import { addressOf } from '../../src/sys/libc.ts';
import { Netlink } from '../../src/sys/netlink.ts';
import { acceptedOffloads, openTap, TunOffload } from '../../src/sys/tap.ts';
import { openUdp } from '../../src/sys/udp.ts';
import { VNET_HEADER_LEN } from '../../src/wire/virtio.ts';
import { missing } from '../support/requires.ts';
import { inNewNetwork } from './in-new-network.ts';
import { Message } from './message.ts';

const lacks = missing('linux', 'root', 'tun');

const ETHERNET_LEN = 14;
const IPV4_LEN = 20;
const UDP_LEN = 8;
const IP_AT = VNET_HEADER_LEN + ETHERNET_LEN;
const PAYLOAD_AT = IP_AT + IPV4_LEN + UDP_LEN;

/** The next UDP frame that the kernel sends into the TAP; others (IPv6 joins its groups) are passed over. */
function nextUdpFrame(tap: number): Buffer {
  const buffer = Buffer.alloc(70_000, 0xa5);
  for (;;) {
    const length = read(tap, addressOf(buffer), buffer.length);
    if (length < 0) throw new Error(`no frame: errno ${-length}`);
    const frame = buffer.subarray(0, length);
    if (frame.readUInt16BE(IP_AT - 2) === 0x0800 && frame[IP_AT + 9] === 17) return frame;
  }
}

function swap(bytes: Buffer, a: number, b: number, length: number): void {
  const first = Buffer.from(bytes.subarray(a, a + length));
  bytes.copyWithin(a, b, b + length);
  first.copy(bytes, b);
}

/** An interface 10.9.0.1/24 with the neighbour 10.9.0.2, and a socket on it. */
function setUp(name: string, offload: number) {
  const tap = openTap(name, { offload });
  const netlink = new Netlink();
  const { index } = netlink.link(name);
  netlink.setLink(index, { mac: '02:00:00:00:00:01', mtu: 1400, up: true });
  netlink.addAddress(index, { address: '10.9.0.1', prefixLen: 24 });
  netlink.addNeighbour(index, { address: '10.9.0.2', mac: '02:00:00:00:00:02' });
  netlink.close();
  const buffers = { receiveBufferBytes: 1 << 20, sendBufferBytes: 1 << 20 };
  const { fd: udp } = openUdp({ address: '10.9.0.1', port: 5000, ...buffers, gro: false });
  return { tap, udp };
}

describe.skipIf(lacks)(`tap${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  test('a datagram sent is a frame read; a frame written is a datagram received', () => {
    inNewNetwork(() => {
      const { tap, udp } = setUp('eth0', 0);
      const message = new Message(Buffer.from('over the wire')).to('10.9.0.2', 6000);
      expect(sendMessage(udp, message.address, 0)).toBe(13);

      const frame = nextUdpFrame(tap);
      expect(frame.length).toBe(PAYLOAD_AT + 13);
      // The vnet header: nothing left to do; the kernel counts one buffer in the last two bytes or none.
      expect(frame.subarray(0, 10).every((byte) => byte === 0)).toBe(true);
      expect(frame.subarray(VNET_HEADER_LEN, IP_AT).toString('hex')).toBe('0200000000020200000000010800');
      expect(frame.subarray(PAYLOAD_AT).toString()).toBe('over the wire');

      // Turned round, the frame keeps its checksums: sums do not mind the order.
      swap(frame, VNET_HEADER_LEN, VNET_HEADER_LEN + 6, 6);
      swap(frame, IP_AT + 12, IP_AT + 16, 4);
      swap(frame, IP_AT + IPV4_LEN, IP_AT + IPV4_LEN + 2, 2);
      expect(write(tap, addressOf(frame), frame.length)).toBe(frame.length);
      const answer = new Message(Buffer.alloc(64));
      expect(receiveMessage(udp, answer.address, 0)).toBe(13);
      expect(answer.payload.subarray(0, 13)).toEqual(Buffer.from('over the wire'));
      expect(receiveMessage(udp, answer.address, 0)).toBe(-Errno.EAGAIN);
      close(tap);
      close(udp);
    });
  });

  test('with checksum and UDP offload a superframe is read whole', (context) => {
    inNewNetwork(() => {
      const { tap, udp } = setUp('eth0', 0);
      const uso = TunOffload.uso4 | TunOffload.uso6;
      const accepted = acceptedOffloads(tap, TunOffload.checksum | uso);
      if (accepted !== (TunOffload.checksum | uso)) return context.skip('kernel without USO');
      const message = new Message(Buffer.alloc(5 * 1000 + 300, 7)).to('10.9.0.2', 6000).segmented(1000);
      expect(sendMessage(udp, message.address, 0)).toBe(5300);
      const frame = nextUdpFrame(tap);
      expect(frame.length).toBe(PAYLOAD_AT + 5300);
      // flags NEEDS_CSUM, type UDP_L4; size of a segment; where the checksum starts and lies.
      expect([frame[0], frame[1]]).toEqual([1, 5]);
      expect([4, 6, 8].map((at) => frame.readUInt16LE(at))).toEqual([1000, ETHERNET_LEN + IPV4_LEN, 6]);
      close(tap);
      close(udp);
    });
  });

  test('a device outlives its descriptor and is taken over as it was set up', () => {
    inNewNetwork(() => {
      const { tap, udp } = setUp('pod0', 0);
      const netlink = new Netlink();
      const { index } = netlink.link('pod0');
      netlink.addAddress(index, { address: 'fd00::1', prefixLen: 64, noDad: true });
      netlink.addRoute({ destination: '10.96.0.0', prefixLen: 12, index, gateway: '10.9.0.2' });
      netlink.addRoute({ destination: 'fd00:96::', prefixLen: 112, index, gateway: 'fd00::2' });
      const addresses = netlink.dumpAddresses();
      expect(() => openTap('pod0', { offload: 0 })).toThrow('ioctl(TUNSETIFF, pod0): EBUSY');
      close(tap);
      const again = openTap('pod0', { offload: TunOffload.checksum });
      expect(netlink.link('pod0')).toMatchObject({ index, mac: '02:00:00:00:00:01', mtu: 1400, up: true });
      expect(netlink.dumpAddresses()).toEqual(addresses);
      const route6 = { destination: 'fd00:96::', prefixLen: 112, index, gateway: 'fd00::2' };
      expect(() => netlink.addRoute(route6)).toThrow('EEXIST');
      // Through the route and its gateway's neighbour entry, neither of which was made again.
      const message = new Message(Buffer.from('still here')).to('10.96.0.10', 6000);
      expect(sendMessage(udp, message.address, 0)).toBe(10);
      expect(nextUdpFrame(again).subarray(PAYLOAD_AT).toString()).toBe('still here');
      netlink.deleteLink(index);
      expect(read(again, addressOf(message.payload), 10)).toBe(-Errno.EBADFD);
      netlink.close();
      close(again);
      close(udp);
    });
  });

  test('offloads are dropped until the kernel agrees', () => {
    inNewNetwork(() => {
      const tap = openTap('eth0', { offload: 0 });
      const { checksum, tso4, tso6, tsoEcn, uso4 } = TunOffload;
      const common = checksum | tso4 | tso6 | tsoEcn;
      expect(acceptedOffloads(tap, common)).toBe(common);
      // One USO without the other is refused, and TSO without checksums.
      expect(acceptedOffloads(tap, common | uso4)).toBe(common);
      expect(acceptedOffloads(tap, tso4)).toBe(0);
      expect(() => acceptedOffloads(tap, 0x8000)).toThrow('ioctl(TUNSETOFFLOAD, 0x8000): EINVAL');
      close(tap);
      expect(() => openTap('eth1', { offload: 0x8000 })).toThrow('EINVAL');
    });
  });

  test.each(['', 'sixteen-letters-', 'a/b', 'pod%d', 'a b', 'a:b', '..'])('refuses the name %j', (name) => {
    expect(() => openTap(name, { offload: 0 })).toThrow(RangeError);
  });
});
