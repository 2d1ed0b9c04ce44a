import { describe, expect, test } from 'vitest';
import { close, Errno, receiveMessage, sendMessage } from '../../src/sys/io.ts';
import { Netlink } from '../../src/sys/netlink.ts';
import {
  MESSAGE_HEADER_LEN,
  openUdp,
  SOL_UDP,
  supportsSegmentation,
  UDP_GRO,
  writeSocketAddress,
} from '../../src/sys/udp.ts';
import { missing } from '../support/requires.ts';
import { inNewNetwork } from './in-new-network.ts';
import { Message } from './message.ts';

const lacks = missing('linux', 'root');
const buffers = { receiveBufferBytes: 4 << 20, sendBufferBytes: 4 << 20 };

function withLoopback(action: () => void): void {
  inNewNetwork(() => {
    const netlink = new Netlink();
    netlink.setLink(netlink.link('lo').index, { up: true });
    netlink.close();
    action();
  });
}

describe('socket address structure', () => {
  test.each([
    ['10.0.2.1', 4789, '020012b50a0002010000000000000000'],
    ['fd00::1:2', 4789, '0a0012b500000000fd00000000000000000000000001000200000000'],
  ])('%s', (address, port, hex) => {
    const bytes = Buffer.alloc(64, 0xa5);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const length = writeSocketAddress(view, 8, address, port);
    expect(bytes.subarray(8, 8 + length).toString('hex')).toBe(hex);
    expect([bytes[7], bytes[8 + length]]).toEqual([0xa5, 0xa5]);
  });
});

describe.skipIf(lacks)(`udp${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  test.each(['127.0.0.1', '::1'])('segments sent at once arrive as one, with their size: %s', (address) => {
    withLoopback(() => {
      const receiver = openUdp({ address, port: 4789, ...buffers, gro: true });
      const sender = openUdp({ address, port: 4790, ...buffers, gro: false });
      expect([receiver.gro, sender.gro]).toEqual([true, false]);
      expect(supportsSegmentation(sender.fd)).toBe(true);
      const payload = Buffer.from(Array.from({ length: 5300 }, (_, i) => i % 251));
      const message = new Message(payload).to(address, 4789).segmented(1000);
      expect(sendMessage(sender.fd, message.address, 0)).toBe(5300);

      const answer = new Message(Buffer.alloc(65_536, 0xa5)).withControl();
      expect(receiveMessage(receiver.fd, answer.address, 0)).toBe(5300);
      expect(answer.payload.subarray(0, 5300)).toEqual(payload);
      expect(answer.control).toEqual({ length: 20, level: SOL_UDP, type: UDP_GRO, value: 1000 });
      expect(receiveMessage(receiver.fd, answer.address, 0)).toBe(-Errno.EAGAIN);

      // A lone datagram comes without the control message.
      sendMessage(sender.fd, new Message(Buffer.alloc(10)).to(address, 4789).address, 0);
      expect(receiveMessage(receiver.fd, answer.withControl().address, 0)).toBe(10);
      expect(answer.control).toBeUndefined();
      close(receiver.fd);
      close(sender.fd);
    });
  });

  test('without UDP_GRO the same arrive one by one', () => {
    withLoopback(() => {
      const receiver = openUdp({ address: '127.0.0.1', port: 4789, ...buffers, gro: false });
      const sender = openUdp({ address: '127.0.0.1', port: 4790, ...buffers, gro: false });
      // The probe leaves no segment size behind: an ordinary datagram stays whole.
      supportsSegmentation(sender.fd);
      sendMessage(sender.fd, new Message(Buffer.alloc(3000)).to('127.0.0.1', 4789).address, 0);
      sendMessage(sender.fd, new Message(Buffer.alloc(2500)).to('127.0.0.1', 4789).segmented(1000).address, 0);
      const answer = new Message(Buffer.alloc(65_536));
      const sizes = [1, 2, 3, 4, 5].map(() => receiveMessage(receiver.fd, answer.address, 0));
      expect(sizes).toEqual([3000, 1000, 1000, 500, -Errno.EAGAIN]);
      close(receiver.fd);
      close(sender.fd);
    });
  });

  test('both families can have one port; a second socket of a family cannot', () => {
    withLoopback(() => {
      const v4 = openUdp({ address: '0.0.0.0', port: 4789, ...buffers, gro: false });
      const v6 = openUdp({ address: '::', port: 4789, ...buffers, gro: false });
      const again = () => openUdp({ address: '127.0.0.1', port: 4789, ...buffers, gro: false });
      expect(again).toThrow('bind(127.0.0.1 port 4789): EADDRINUSE, address already in use');
      const absent = () => openUdp({ address: '192.0.2.1', port: 4789, ...buffers, gro: false });
      expect(absent).toThrow(expect.objectContaining({ code: 'EADDRNOTAVAIL' }));
      close(v4.fd);
      close(v6.fd);
    });
  });

  test('the receive buffer goes beyond the limit of the system', () => {
    withLoopback(() => {
      const big = { receiveBufferBytes: 32 << 20, sendBufferBytes: 32 << 20 };
      const receiver = openUdp({ address: '127.0.0.1', port: 4789, ...big, gro: true });
      const sender = openUdp({ address: '127.0.0.1', port: 4790, ...big, gro: false });
      const message = new Message(Buffer.alloc(60_000)).to('127.0.0.1', 4789).segmented(1000);
      // 200 messages of 60 kB: 12 MB, more than the 4 MiB of rmem_max that are customary, but not the 32 MiB asked for.
      for (let i = 0; i < 200; i++) expect(sendMessage(sender.fd, message.address, 0)).toBe(60_000);
      const answer = new Message(Buffer.alloc(65_536));
      let received = 0;
      while (receiveMessage(receiver.fd, answer.address, 0) > 0) received++;
      expect(received).toBe(200);
      close(receiver.fd);
      close(sender.fd);
    });
  });

  test('errors come back as numbers', () => {
    withLoopback(() => {
      const { fd } = openUdp({ address: '127.0.0.1', port: 4790, ...buffers, gro: false });
      const far = new Message(Buffer.alloc(10)).to('192.0.2.1', 1);
      expect(sendMessage(fd, far.address, 0)).toBe(-Errno.ENETUNREACH);
      const long = new Message(Buffer.alloc(65_508)).to('127.0.0.1', 1);
      expect(sendMessage(fd, long.address, 0)).toBe(-Errno.EMSGSIZE);
      expect(MESSAGE_HEADER_LEN).toBe(56);
      close(fd);
    });
  });
});
