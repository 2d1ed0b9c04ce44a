/** Echo, UDP, fragments and ICMP errors of an endpoint. */
import { describe, expect, test } from 'vitest';
import type { Datagram } from '../../src/stack/udp.ts';
import { buildFrame, type FrameSpec, newPacket, writeBytes, writeFrame } from '../support/frames.ts';
import { withRandom } from '../support/random.ts';
import { Wire } from './wire.ts';

const A = ['10.244.0.2', 'fd00::2'];
const B = ['10.244.1.2', 'fd00::1:2'];

describe.each([4, 6] as const)('IPv%i', (version) => {
  const here = A[version === 4 ? 0 : 1]!;
  const there = B[version === 4 ? 0 : 1]!;

  test('RFC 792, RFC 4443 section 4.2: an echo comes back with what it carried', () => {
    const wire = new Wire();
    const a = wire.endpoint('a', A);
    wire.endpoint('b', B);
    const replies: string[] = [];
    const ping = a.openPing({ reply: (from, bytes) => replies.push(`${from} ${bytes.length}`) });
    for (const len of [0, 56, 4001]) expect(ping.send(there, 1, new Uint8Array(len))).toBe(true);
    wire.advance(100);
    expect(replies).toEqual([`${there} 0`, `${there} 56`, `${there} 4001`]);
    ping.close();
    ping.send(there, 2, new Uint8Array(1));
    wire.advance(100);
    expect(replies).toHaveLength(3);
  });

  test('RFC 768: datagrams of every length arrive, in fragments where they are too long for the way', () =>
    withRandom((random) => {
      const wire = new Wire({ mtu: 1400, jitterMs: 20, duplicateOnceIn: 5 });
      const a = wire.endpoint('a', A);
      const received: Datagram[] = [];
      wire.endpoint('b', B).openUdp(53, { datagram: (datagram) => received.push(datagram) });
      const socket = a.openUdp(5000, {});
      const longest = 1400 - (version === 4 ? 28 : 48);
      for (const len of [
        0,
        1,
        longest,
        longest + 1,
        65_507,
        ...Array.from({ length: 50 }, () => random.below(20_000)),
      ]) {
        const bytes = random.bytes(len);
        received.length = 0;
        wire.sent.length = 0;
        socket.send(there, 53, bytes);
        wire.advance(100);
        const frames = wire.frames('a').filter(({ version: seen }) => seen === version);
        expect(frames.filter(({ protocol }) => protocol === 17).length > 1, `${len}`).toBe(len > longest);
        expect(frames.every(({ ipLen }) => ipLen! <= 1400)).toBe(true);
        expect(received[0]).toMatchObject({ source: here, sourcePort: 5000, destination: there });
        for (const datagram of received) expect(Buffer.compare(datagram.bytes, bytes)).toBe(0);
      }
      expect(() => socket.send(there, 53, new Uint8Array(65_508))).toThrow(RangeError);
    }));

  test('RFC 1122 section 4.1.3.1: a closed port is told, and the socket hears of it', () => {
    const wire = new Wire();
    const a = wire.endpoint('a', A);
    wire.endpoint('b', B);
    const errors: string[] = [];
    const socket = a.openUdp(0, { error: ({ reason, detail }) => errors.push(`${reason}: ${detail}`) });
    expect(socket.port).toBeGreaterThanOrEqual(32_768);
    socket.send(there, 9, new Uint8Array(3000));
    wire.advance(100);
    expect(errors).toEqual([`refused: port unreachable (from ${there})`]);
    const [error] = wire.frames('b').filter(({ icmpType }) => icmpType === (version === 4 ? 3 : 1));
    expect(error).toMatchObject({
      icmpCode: version === 4 ? 3 : 4,
      checksum: 'right',
      ipLen: version === 4 ? 576 : 1280,
    });
  });

  test('ports: one owner, and one that is closed is free', () => {
    const wire = new Wire();
    const a = wire.endpoint('a', A);
    const socket = a.openUdp(53, {});
    expect(() => a.openUdp(53, {})).toThrow('port 53 is in use');
    for (const port of [-1, 65_536, 1.5]) expect(() => a.openUdp(port, {})).toThrow('not a port');
    socket.close();
    a.openUdp(53, {});
  });
});

test('a superframe of UDP is many datagrams', () => {
  const lengths: number[] = [];
  const endpoint = new Wire().endpoint('a', A);
  endpoint.openUdp(53, { datagram: ({ bytes }) => lengths.push(bytes.length) });
  const ends = { source: B[0]!, destination: A[0]!, destinationMac: '0a:58:0a:f4:00:02', destinationPort: 53 };
  endpoint.receive(writeFrame(newPacket(), { ...ends, protocol: 'udp', payload: 2500, gsoSize: 1000 }), 0);
  expect(lengths).toEqual([1000, 1000, 500]);
});

test.each([0, 1] as const)(
  'RFC 1122 section 4.1.3.4: a wrong checksum is for nobody, and is not answered (%i)',
  (family) => {
    const wire = new Wire();
    const endpoint = wire.endpoint('a', A);
    let received = 0;
    endpoint.openUdp(53, { datagram: () => received++ });
    const ends = { source: B[family]!, destination: A[family]!, destinationMac: '0a:58:0a:f4:00:02', payload: 20 };
    const receive = (spec: FrameSpec, turned: number) => {
      const bytes = buildFrame({ ...ends, ...spec });
      bytes[bytes.length - 1]! ^= turned;
      const pkt = writeBytes(newPacket(), bytes);
      endpoint.receive(pkt, 0);
      wire.advance(100);
    };
    receive({ protocol: 'udp', destinationPort: 53 }, 1);
    receive({ protocol: 'udp', destinationPort: 54 }, 1);
    receive({ protocol: 'tcp', destinationPort: 54, flags: 2 }, 1);
    expect([received, wire.sent.length]).toEqual([0, 0]);
    receive({ protocol: 'udp', destinationPort: 53 }, 0);
    receive({ protocol: 'udp', destinationPort: 54 }, 0);
    expect(received).toBe(1);
    expect(wire.sent.length).toBeGreaterThan(0);
  },
);

test.each([
  [0, 'unreachable'],
  [1, 'unreachable'],
  [2, 'refused'],
  [3, 'refused'],
  [9, 'rejected'],
  [10, 'rejected'],
  [13, 'rejected'],
] as const)('RFC 792, RFC 1812: unreachable code %i is %s', (code, reason) => {
  const wire = new Wire();
  const a = wire.endpoint('a', A);
  const router = wire.script('b', B);
  const errors: string[] = [];
  const socket = a.openUdp(5000, { error: (report) => errors.push(report.reason) });
  socket.send(B[0]!, 9, new Uint8Array(3));
  wire.advance(10);
  const ends = { source: A[0]!, destination: B[0]!, protocol: 'udp', sourcePort: 5000, destinationPort: 9 } as const;
  const error = {
    destination: A[0]!,
    protocol: 'icmp',
    icmpType: 3,
    icmpCode: code,
    identifier: 0,
    icmpSequence: 0,
  } as const;
  // Not its own datagram; too short; its own.
  router.send({ ...error, payload: buildFrame({ ...ends, source: B[0]! }).subarray(14, 42) });
  router.send({ ...error, payload: buildFrame(ends).subarray(14, 41) });
  wire.advance(10);
  expect(errors).toEqual([]);
  router.send({ ...error, payload: buildFrame(ends).subarray(14, 42) });
  wire.advance(10);
  expect(errors).toEqual([reason]);
});

describe('RFC 791 section 3.2, RFC 8200 section 4.5: reassembly', () => {
  function fragments(
    wire: Wire,
    id: number,
    parts: readonly (readonly [at: number, len: number, more: boolean])[],
  ): void {
    const whole = buildFrame({
      source: B[0]!,
      destination: A[0]!,
      protocol: 'udp',
      destinationPort: 53,
      payload: 92,
    }).subarray(34);
    for (const [at, len, more] of parts) {
      const ends = { source: B[0]!, destination: A[0]!, destinationMac: wire.macOf('a') };
      const fragment = { dontFragment: false, id, fragmentOffset: at, moreFragments: more };
      wire.deliver('a', rawFragment({ ...ends, ...fragment, payload: whole.slice(at, at + len) }));
    }
  }

  /** The protocol number of UDP, without a UDP header of its own. */
  function rawFragment(spec: Parameters<typeof buildFrame>[0]): Uint8Array {
    const frame = buildFrame({ ...spec, protocol: 253 });
    frame[23] = 17;
    const sum = frame[24]! * 256 + frame[25]! + (253 - 17);
    const folded = (sum & 0xffff) + (sum >>> 16);
    frame.set([folded >> 8, folded & 255], 24);
    return frame;
  }

  function received(parts: Parameters<typeof fragments>[2], pauseMs = 0): number {
    const wire = new Wire();
    let count = 0;
    wire.endpoint('a', A).openUdp(53, { datagram: ({ bytes }) => (count += bytes.length) });
    fragments(wire, 7, parts.slice(0, 1));
    wire.advance(pauseMs);
    fragments(wire, 7, parts.slice(1));
    return count;
  }

  test('in any order, one twice, within 30 s', () => {
    const [first, second, third] = [
      [0, 40, true],
      [40, 40, true],
      [80, 20, false],
    ] as const;
    expect(received([first, second, third])).toBe(92);
    expect(received([third, first, first, second])).toBe(92);
    expect(received([first, second, third], 29_999)).toBe(92);
    expect(received([first, second, third], 30_000)).toBe(0);
    expect(received([first, third])).toBe(0);
  });

  test('RFC 5722: what overlaps is discarded with all the rest', () => {
    expect(
      received([
        [0, 48, true],
        [40, 40, true],
        [80, 20, false],
      ]),
    ).toBe(0);
    expect(
      received([
        [0, 40, true],
        [40, 40, true],
        [80, 20, false],
        [72, 16, true],
      ]),
    ).toBe(92);
    expect(
      received([
        [80, 20, false],
        [80, 16, true],
        [0, 40, true],
        [40, 40, true],
      ]),
    ).toBe(0);
    // Forgotten altogether: what comes after it is a datagram of its own.
    const again = [
      [80, 20, false],
      [0, 40, true],
      [40, 40, true],
    ] as const;
    expect(received([[0, 48, true], [40, 40, true], ...again])).toBe(92);
  });

  test('of many unfinished ones the oldest is forgotten', () => {
    const wire = new Wire();
    let count = 0;
    const a = wire.endpoint('a', A);
    a.openUdp(53, { datagram: () => count++ });
    for (let id = 0; id < 9; id++) fragments(wire, id, [[0, 40, true]]);
    for (let id = 8; id >= 0; id--) fragments(wire, id, [[40, 60, false]]);
    expect(count).toBe(8);
  });
});
