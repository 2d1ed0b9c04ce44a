/** What probes send, and what they take answers for. Their sockets are tested in system/prober.test.ts. */
import { describe, expect, test } from 'vitest';
import { probeQuestion } from '../../src/nodes/probe-questions.ts';
import type { ProbeProtocol } from '../../src/nodes/protocol.ts';
import { buildInitiation, buildSctp } from '../../src/stack/sctp-packet.ts';
import { slowCrc32c } from '../oracle/slow-checksum.ts';

const MARK = 40_000;

function question(protocol: ProbeProtocol, address = '10.0.0.2') {
  const order = { order: 'ask', namespacePath: '', timeoutMs: 1 } as const;
  return probeQuestion({ ...order, address, port: 80, protocol }, MARK);
}

const v6 = 'fd00::2';
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
/** A raw IPv4 socket gives the IP header too, here one with options. */
const inIpv4 = (payload: Uint8Array) => Uint8Array.of(0x46, ...new Uint8Array(23), ...payload);
const report = (type: number, code: number, quoted: Uint8Array = new Uint8Array(0)) => ({
  type,
  code,
  offender: '10.0.0.1',
  quoted,
});

describe('ICMP', () => {
  test('an echo request with the mark, whose checksum is right', () => {
    const { message, mark, peer } = question('ICMP');
    expect([message[0], message[1], (message[4]! << 8) | message[5]!, mark]).toEqual([8, 0, MARK, MARK]);
    let sum = 0;
    for (let i = 0; i < message.length; i += 2) sum += (message[i]! << 8) | (message[i + 1] ?? 0);
    expect((sum & 0xffff) + (sum >>> 16)).toBe(0xffff);
    expect(peer).toEqual({ type: 'raw', protocol: 1, address: '10.0.0.2', port: 0 });
    expect(question('ICMP', v6).message[0]).toBe(128);
    expect(question('ICMP', v6).peer.protocol).toBe(58);
  });

  test('only its own reply answers', () => {
    const reply = (type: number, id: number) => Uint8Array.of(type, 0, 0, 0, id >> 8, id & 0xff, 0, 0);
    const { answer } = question('ICMP');
    expect(answer(inIpv4(reply(0, MARK)))).toEqual({ outcome: 'delivered', detail: 'echo reply' });
    expect(answer(inIpv4(reply(0, MARK + 1)))).toBeUndefined();
    expect(answer(inIpv4(reply(8, MARK)))).toBeUndefined();
    expect(answer(inIpv4(Uint8Array.of(0, 0)))).toBeUndefined();
    expect(question('ICMP', v6).answer(reply(129, MARK))).toMatchObject({ outcome: 'delivered' });
    expect(question('ICMP', v6).answer(reply(0, MARK))).toBeUndefined();
  });

  test('an error about another packet says nothing', () => {
    const { icmpError, message } = question('ICMP');
    expect(icmpError(report(3, 1, message))).toEqual({
      outcome: 'unreachable',
      detail: 'ICMP from 10.0.0.1: host unreachable',
    });
    const other = message.slice();
    other[5]!++;
    expect(icmpError(report(3, 1, other))).toBeUndefined();
  });
});

describe('SCTP', () => {
  const packet = (type: number, ports: readonly [number, number], body: Uint8Array = new Uint8Array(0)) =>
    buildSctp({ sourcePort: ports[0], destinationPort: ports[1], tag: 1, type, flags: 0, body });

  test('an INIT from the marked port, whose CRC32c is right', () => {
    const { message } = question('SCTP');
    const view = viewOf(message);
    expect([view.getUint16(0), view.getUint16(2), view.getInt32(4), message[12]]).toEqual([MARK, 80, 0, 1]);
    const zeroed = message.slice();
    zeroed.fill(0, 8, 12);
    expect(view.getUint32(8, true)).toBe(slowCrc32c(zeroed) >>> 0);
  });

  test('INIT ACK delivers, ABORT refuses; other ports are others', () => {
    const { answer } = question('SCTP');
    expect(answer(inIpv4(packet(2, [80, MARK])))).toEqual({ outcome: 'delivered', detail: 'INIT ACK' });
    expect(answer(inIpv4(packet(6, [80, MARK])))).toEqual({ outcome: 'refused', detail: 'ABORT' });
    expect(answer(inIpv4(packet(2, [81, MARK])))).toBeUndefined();
    expect(answer(inIpv4(packet(2, [80, MARK + 1])))).toBeUndefined();
    expect(answer(inIpv4(packet(3, [80, MARK])))).toBeUndefined();
    expect(question('SCTP', v6).answer(packet(2, [80, MARK]))).toMatchObject({ outcome: 'delivered' });
  });

  test('an INIT of somebody else is refused, with the tag that it names', () => {
    const { retort } = question('SCTP');
    const body = buildInitiation({ tag: 77, sequence: 5 });
    const abort = retort!(inIpv4(packet(1, [50_000, 90], body)))!;
    const view = viewOf(abort);
    expect([view.getUint16(0), view.getUint16(2), view.getInt32(4), abort[12]]).toEqual([90, 50_000, 77, 6]);
    expect(retort!(inIpv4(packet(6, [80, MARK])))).toBeUndefined();
    expect(retort!(inIpv4(packet(1, [50_000, 90])))).toBeUndefined();
  });

  test('errors about its own INIT only', () => {
    const { icmpError, message } = question('SCTP');
    expect(icmpError(report(3, 2, message))).toMatchObject({
      outcome: 'refused',
      detail: 'ICMP from 10.0.0.1: protocol unreachable',
    });
    for (const at of [1, 3]) {
      const other = message.slice();
      other[at]!++;
      expect(icmpError(report(3, 2, other))).toBeUndefined();
    }
    expect(icmpError(report(3, 2))).toBeUndefined();
  });
});

describe('ICMP errors', () => {
  test.each([
    ['10.0.0.2', 3, 0, 'unreachable'],
    ['10.0.0.2', 3, 1, 'unreachable'],
    ['10.0.0.2', 3, 2, 'refused'],
    ['10.0.0.2', 3, 3, 'refused'],
    ['10.0.0.2', 3, 9, 'rejected'],
    ['10.0.0.2', 3, 10, 'rejected'],
    ['10.0.0.2', 3, 13, 'rejected'],
    ['10.0.0.2', 3, 15, 'unreachable'],
    ['10.0.0.2', 3, 4, undefined],
    ['10.0.0.2', 11, 0, 'unreachable'],
    ['10.0.0.2', 4, 0, undefined],
    [v6, 1, 0, 'unreachable'],
    [v6, 1, 1, 'rejected'],
    [v6, 1, 3, 'unreachable'],
    [v6, 1, 4, 'refused'],
    [v6, 3, 0, 'unreachable'],
    [v6, 4, 1, 'refused'],
    [v6, 4, 0, undefined],
    [v6, 2, 0, undefined],
  ] as const)('%s: type %i code %i is %s', (address, type, code, outcome) => {
    for (const protocol of ['TCP', 'UDP'] as const) {
      expect(question(protocol, address).icmpError(report(type, code))?.outcome).toBe(outcome);
    }
  });
});

test('TCP and UDP: any answer delivers, and so does an orderly end', () => {
  expect(question('TCP').answer(new Uint8Array(3))).toEqual({
    outcome: 'delivered',
    detail: 'connected, 3 bytes back',
  });
  expect(question('TCP').answer(new Uint8Array(0))).toEqual({ outcome: 'delivered', detail: 'connected, and closed' });
  expect(question('UDP').answer(new Uint8Array(0))).toEqual({ outcome: 'delivered', detail: '0 bytes back' });
  expect([question('TCP'), question('UDP')].map(({ isStream, mark }) => [isStream, mark])).toEqual([
    [true, undefined],
    [false, undefined],
  ]);
});
