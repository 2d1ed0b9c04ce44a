import { describe, expect, test } from 'vitest';
import * as ports from '../../src/wire/ports.ts';
import * as tcp from '../../src/wire/tcp.ts';
import * as udp from '../../src/wire/udp.ts';
import { buildFrame } from '../support/frames.ts';
import { bytesAt, viewOf, written } from '../support/touched.ts';

const AT = 34;

test('reads ports, of which the source is the high half', () => {
  const view = viewOf(buildFrame({ sourcePort: 0xfedc, destinationPort: 0x8001 }));
  expect(ports.sourcePort(view, AT)).toBe(0xfedc);
  expect(ports.destinationPort(view, AT)).toBe(0x8001);
  expect(ports.bothPorts(view, AT)).toBe(0xfedc8001 | 0);
});

test('reads a TCP header', () => {
  const tcpOptions = [2, 4, 5, 0xb4];
  const view = viewOf(buildFrame({ sequence: 0xfffffff0, acknowledgment: 0x80000000, flags: 0xc2, tcpOptions }));
  expect(tcp.tcpHeaderLen(view, AT)).toBe(24);
  expect(tcp.tcpSequence(view, AT)).toBe(-16);
  expect(tcp.tcpAcknowledgment(view, AT)).toBe(0x80000000 | 0);
  expect(tcp.tcpFlags(view, AT)).toBe(tcp.TcpFlag.Cwr | tcp.TcpFlag.Ece | tcp.TcpFlag.Syn);
});

test('reads a UDP length', () => {
  expect(udp.udpLength(viewOf(buildFrame({ protocol: 'udp', payload: 1000 })), AT)).toBe(1008);
});

describe('setters write their field and nothing else', () => {
  test.each([
    ['both ports', ports.setBothPorts, 0xfedc8001 | 0, bytesAt(3, 0xfe, 0xdc, 0x80, 0x01)],
    ['TCP sequence', tcp.tcpSetSequence, -2, bytesAt(7, 0xff, 0xff, 0xff, 0xfe)],
    ['TCP flags', tcp.tcpSetFlags, 0x19, bytesAt(16, 0x19)],
    ['UDP length', udp.udpSetLength, 0xfffe, bytesAt(7, 0xff, 0xfe)],
  ])('%s', (_, set, value, bytes) => {
    expect(written(26, (view) => set(view, 3, value))).toEqual(bytes);
  });
});
