/** Frames as lines: what people read, and that nothing breaks it. */
import { describe, expect, test } from 'vitest';
import { summarizeFrame } from '../../src/capture/frame-summary.ts';
import { packetLine } from '../../src/capture/packet-line.ts';
import { arp, linkLayerOption, NEXT_HOP, neighbourMessage, solicitation } from '../dataplane/link-frames.ts';
import { buildFrame, FILL, type FrameSpec, joined } from '../support/frames.ts';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';
import { randomSpec } from '../support/random-frames.ts';

const v6 = { source: 'fd00:10:244::2', destination: 'fd00:10:244:1::2' } as const;
const PAD = 64;

/** The line of a frame that stands between bytes that are not its own. */
function line(frame: Uint8Array, captured = frame.length, wireLen = frame.length): string {
  const bytes = new Uint8Array(PAD + captured + PAD).fill(FILL);
  bytes.set(frame.subarray(0, captured), PAD);
  return packetLine(bytes, PAD, captured, wireLen);
}

function lineOf(spec: FrameSpec): string {
  return line(buildFrame(spec));
}

/** The frame inside VXLAN from 172.18.0.2 to 172.18.0.3. */
function tunnelled(inner: Uint8Array, flags = 8): Uint8Array {
  const payload = joined([flags, 0, 0, 0, 0, 0, 1, 0], inner);
  const outer = { source: '172.18.0.2', destination: '172.18.0.3', sourcePort: 50_000, destinationPort: 4789 };
  return buildFrame({ ...outer, protocol: 'udp', payload });
}

/** The IP packet of a frame, as an ICMP error quotes it. */
function quoted(spec: FrameSpec, len = Infinity): Uint8Array {
  return buildFrame(spec).slice(14, 14 + len);
}

describe('what people read', () => {
  const tcp: FrameSpec = { destinationPort: 80, sequence: 1, acknowledgment: 9, window: 64_240 };
  for (const [name, spec, expected] of [
    ['SYN', { ...tcp, flags: 2 }, '10.1.0.2:40000 > 10.1.1.5:80 tcp S seq 1 win 64240 len 0'],
    ['SYN ACK', { ...tcp, flags: 0x12 }, '10.1.0.2:40000 > 10.1.1.5:80 tcp S. seq 1 ack 9 win 64240 len 0'],
    [
      'data',
      { ...tcp, flags: 0x18, payload: 100 },
      '10.1.0.2:40000 > 10.1.1.5:80 tcp P. seq 1:101 ack 9 win 64240 len 100',
    ],
    [
      'data around the end of the numbers',
      { ...tcp, sequence: 0xffff_fff0, flags: 0x10, payload: 32 },
      '10.1.0.2:40000 > 10.1.1.5:80 tcp . seq 4294967280:16 ack 9 win 64240 len 32',
    ],
    ['every flag', { ...tcp, flags: 255 }, '10.1.0.2:40000 > 10.1.1.5:80 tcp FSRP.UEW seq 1 ack 9 win 64240 len 0'],
    ['no flag', { ...tcp, flags: 0 }, '10.1.0.2:40000 > 10.1.1.5:80 tcp none seq 1 win 64240 len 0'],
    [
      'a superframe',
      { ...tcp, gsoSize: 1400, payload: 28_000 },
      '10.1.0.2:40000 > 10.1.1.5:80 tcp . seq 1:28001 ack 9 win 64240 len 28000',
    ],
    [
      'IPv6',
      { ...v6, protocol: 'udp', destinationPort: 53, payload: 33 },
      '[fd00:10:244::2]:40000 > [fd00:10:244:1::2]:53 udp len 33',
    ],
    [
      'IPv6 with options in front',
      { ...v6, protocol: 'udp', extensions: [{ type: 60, body: [1, 4, 0, 0, 0, 0] }], payload: 5 },
      '[fd00:10:244::2]:40000 > [fd00:10:244:1::2]:8080 udp len 5',
    ],
    [
      'an IPv4-mapped address',
      { ...v6, source: '::ffff:10.1.0.2', protocol: 'udp' },
      '[::ffff:10.1.0.2]:40000 > [fd00:10:244:1::2]:8080 udp len 0',
    ],
    ['echo', { protocol: 'icmp', payload: 56 }, '10.1.0.2 > 10.1.1.5 icmp echo request id 77 seq 1 len 56'],
    ['echo reply', { protocol: 'icmp', icmpType: 0 }, '10.1.0.2 > 10.1.1.5 icmp echo reply id 77 seq 1 len 0'],
    [
      'echo of IPv6',
      { ...v6, protocol: 'icmpv6', icmpType: 129 },
      'fd00:10:244::2 > fd00:10:244:1::2 icmp6 echo reply id 77 seq 1 len 0',
    ],
    [
      'port unreachable',
      { protocol: 'icmp', icmpType: 3, icmpCode: 3, payload: quoted({ protocol: 'udp', payload: 9 }) },
      '10.1.0.2 > 10.1.1.5 icmp port unreachable (10.1.0.2:40000 > 10.1.1.5:8080 udp)',
    ],
    [
      'an error that quotes eight bytes',
      { protocol: 'icmp', icmpType: 11, payload: quoted({ payload: 500 }, 28) },
      '10.1.0.2 > 10.1.1.5 icmp time exceeded in transit (10.1.0.2:40000 > 10.1.1.5:8080 tcp)',
    ],
    [
      'an error about an error is looked into once',
      { protocol: 'icmp', icmpType: 3, icmpCode: 1, payload: quoted({ protocol: 'icmp', icmpType: 3, payload: 28 }) },
      '10.1.0.2 > 10.1.1.5 icmp host unreachable (10.1.0.2 > 10.1.1.5 icmp)',
    ],
    [
      'too big',
      { protocol: 'icmp', icmpType: 3, icmpCode: 4, identifier: 0, icmpSequence: 1400, payload: quoted({}) },
      '10.1.0.2 > 10.1.1.5 icmp fragmentation needed mtu 1400 (10.1.0.2:40000 > 10.1.1.5:8080 tcp)',
    ],
    [
      'too big of IPv6',
      { ...v6, protocol: 'icmpv6', icmpType: 2, identifier: 0, icmpSequence: 1280, payload: quoted(v6) },
      'fd00:10:244::2 > fd00:10:244:1::2 icmp6 packet too big mtu 1280 ([fd00:10:244::2]:40000 > [fd00:10:244:1::2]:8080 tcp)',
    ],
    [
      'an ICMP type that nobody knows',
      { protocol: 'icmp', icmpType: 99 },
      '10.1.0.2 > 10.1.1.5 icmp type 99 code 0 len 0',
    ],
    ['SCTP', { protocol: 'sctp' }, '10.1.0.2:40000 > 10.1.1.5:8080 sctp INIT'],
    [
      'SCTP, several chunks',
      { protocol: 'sctp', payload: Uint8Array.of(3, 0, 0, 5, 1, 0, 0, 0, 0, 3, 0, 4, 77, 0, 0, 4) },
      '10.1.0.2:40000 > 10.1.1.5:8080 sctp SACK, DATA, chunk 77',
    ],
    [
      'the first fragment',
      { protocol: 'udp', moreFragments: true, dontFragment: false, payload: 992 },
      '10.1.0.2:40000 > 10.1.1.5:8080 udp len 992 (frag 4660:1000@0+)',
    ],
    [
      'a later fragment',
      { protocol: 'udp', fragmentOffset: 1480, dontFragment: false, payload: 72 },
      '10.1.0.2 > 10.1.1.5 udp len 80 (frag 4660:80@1480)',
    ],
    [
      'a fragment of IPv6',
      { ...v6, protocol: 'udp', extensions: [{ type: 44, body: [0x05, 0xc9, 0, 0, 0, 7] }], payload: 72 },
      'fd00:10:244::2 > fd00:10:244:1::2 udp len 80 (frag 7:80@1480+)',
    ],
    ['another protocol', { protocol: 47, payload: 12 }, '10.1.0.2 > 10.1.1.5 gre len 12'],
    ['a protocol that nobody knows', { protocol: 200, payload: 12 }, '10.1.0.2 > 10.1.1.5 protocol 200 len 12'],
    [
      'another ethertype',
      { etherType: 0x88cc, payload: 6 },
      '02:00:00:00:00:01 > 02:00:00:00:00:02 ethertype 0x88cc len 46',
    ],
    ['802.3', { etherType: 46, payload: 6 }, '02:00:00:00:00:01 > 02:00:00:00:00:02 802.3 len 46'],
  ] as const satisfies readonly (readonly [string, FrameSpec, string])[]) {
    test(name, () => expect(lineOf(spec)).toBe(expected));
  }

  test('UDP of a first fragment has the length of the datagram', () => {
    const frame = buildFrame({ protocol: 'udp', moreFragments: true, dontFragment: false, payload: 992 });
    frame.set([0x10, 0], 14 + 20 + 4);
    expect(line(frame)).toBe('10.1.0.2:40000 > 10.1.1.5:8080 udp len 4088 (frag 4660:1000@0+)');
  });

  test('ARP', () => {
    const ends = { sourceMac: '02:00:00:00:00:01', sender: '10.1.0.2', target: '169.254.1.1' };
    expect(line(arp(ends))).toBe('arp who-has 169.254.1.1 tell 10.1.0.2');
    expect(line(arp({ ...ends, operation: 2 }))).toBe('arp 10.1.0.2 is-at 02:00:00:00:00:01');
    expect(line(arp({ ...ends, operation: 9 }))).toBe('arp operation 9, 10.1.0.2 to 169.254.1.1');
    expect(line(arp({ ...ends, hardwareType: 6 }))).toMatch(/ethertype 0x0806 len 28 \[bad arp\]$/);
  });

  test('VLAN tags', () => {
    const frame = buildFrame({ protocol: 'icmp' });
    const tagged = joined(frame.subarray(0, 12), [0x88, 0xa8, 0, 7, 0x81, 0, 0x60, 12], frame.subarray(12));
    expect(line(tagged)).toBe('vlan 7 | vlan 12 | 10.1.0.2 > 10.1.1.5 icmp echo request id 77 seq 1 len 0');
  });

  test('VXLAN: the outer addresses stand in front', () => {
    const inner = buildFrame({ protocol: 'icmp' });
    const words = '10.1.0.2 > 10.1.1.5 icmp echo request id 77 seq 1 len 0';
    expect(line(tunnelled(inner))).toBe(`172.18.0.2 > 172.18.0.3 vni 1 | ${words}`);
    // A tunnel in a tunnel is a datagram.
    expect(line(tunnelled(tunnelled(inner)))).toBe(
      '172.18.0.2 > 172.18.0.3 vni 1 | 172.18.0.2:50000 > 172.18.0.3:4789 udp len 50',
    );
    expect(line(tunnelled(inner, 0))).toBe('172.18.0.2:50000 > 172.18.0.3:4789 udp len 50 [bad vxlan]');
  });
});

describe('Neighbour Discovery', () => {
  test('solicitation', () => {
    const spec = solicitation('fd00:10:244::2', NEXT_HOP, linkLayerOption(1, '02:00:00:00:00:01'));
    expect(lineOf(spec)).toBe('fd00:10:244::2 > ff02::1:ff00:1 icmp6 neighbour solicitation who-has fe80::1');
  });

  test('advertisement, with the MAC that it tells', () => {
    const ends = { source: NEXT_HOP, destination: 'fd00:10:244::2' };
    const words = 'fe80::1 > fd00:10:244::2 icmp6 neighbour advertisement fe80::1';
    const option = linkLayerOption(2, '02:70:ac:12:00:02');
    expect(lineOf({ ...neighbourMessage(136, NEXT_HOP, option), ...ends })).toBe(`${words} is-at 02:70:ac:12:00:02`);
    expect(lineOf({ ...neighbourMessage(136, NEXT_HOP, []), ...ends })).toBe(words);
  });
});

describe('what cannot be read', () => {
  const ends = '10.1.0.2:40000 > 10.1.1.5:8080';
  const macs = '02:00:00:00:00:01 > 02:00:00:00:00:02';
  const tcp = buildFrame({ payload: 100, tcpOptions: [1, 1, 1, 1] });

  for (const [captured, expected] of [
    [0, 'frame [cut]'],
    [13, 'frame [cut]'],
    [14, `${macs} ethertype 0x0800 len 144 [cut]`],
    [33, `${macs} ethertype 0x0800 len 144 [cut]`],
    [34, '10.1.0.2 > 10.1.1.5 tcp [cut]'],
    [38, `${ends} tcp [cut]`],
    [53, `${ends} tcp [cut]`],
    [54, `${ends} tcp . seq 1001:1101 ack 1001 win 502 len 100`],
  ] as const) {
    test(`${captured} bytes captured: ${expected}`, () => {
      expect(line(tcp, captured)).toBe(expected);
      // A frame that is no longer than that lies, and is not merely cut.
      expect(line(tcp, captured, captured)).toMatch(captured === 54 ? /\[bad ip\]$/ : /\[bad (frame|ip|tcp)\]$/);
    });
  }

  for (const [name, at, bytes, expected] of [
    ['the wrong version', 14, [0x65], /\[bad ip\]$/],
    ['an IP header of 16 bytes', 14, [0x44], /^10\.1\.0\.2 > 10\.1\.1\.5 tcp \[bad ip\]$/],
    ['a total length below the header', 16, [0, 19], /^10\.1\.0\.2 > 10\.1\.1\.5 tcp \[bad ip\]$/],
    ['a total length beyond the frame', 16, [0, 145], / len 100 \[bad ip\]$/],
    ['a TCP header of 16 bytes', 46, [0x40], / \[bad tcp\]$/],
    ['a TCP header beyond the packet', 16, [0, 43], / len 0 \[bad tcp\]$/],
    ['a packet that ends within TCP', 16, [0, 30], /^10\.1\.0\.2:40000 > 10\.1\.1\.5:8080 tcp \[bad tcp\]$/],
  ] as const) {
    test(name, () => {
      const frame = tcp.slice();
      frame.set(bytes, at);
      expect(line(frame)).toMatch(expected);
    });
  }

  test('UDP that lies about its length', () => {
    const frame = buildFrame({ protocol: 'udp', payload: 10 });
    for (const length of [7, 19]) {
      frame.set([0, length], 38);
      expect(line(frame)).toMatch(/^10\.1\.0\.2:40000 > 10\.1\.1\.5:8080 udp len \d+ \[bad udp\]$/);
    }
  });

  test('SCTP chunks without a length, and beyond the packet', () => {
    for (const length of [0, 3, 17]) {
      const payload = Uint8Array.of(3, 0, 0, 8, 0, 0, 0, 0, 0, 3, 0, length, 0, 0, 0, 0);
      expect(lineOf({ protocol: 'sctp', payload })).toBe(`${ends} sctp SACK [bad sctp]`);
    }
  });

  test('many SCTP chunks', () => {
    const payload = (count: number) => Uint8Array.from({ length: 4 * count }, (_, i) => (i % 4 === 3 ? 4 : 0));
    const line8 = lineOf({ protocol: 'sctp', payload: payload(8) });
    expect(line8).toMatch(/ sctp (DATA, ){7}DATA$/);
    expect(lineOf({ protocol: 'sctp', payload: payload(9) })).toBe(`${line8}, ...`);
  });

  test('a length beyond the memory', () => {
    expect(packetLine(tcp, 0, 99_999, tcp.length)).toBe(line(tcp));
    expect(packetLine(tcp, tcp.length + 1, 10, 10)).toBe('frame [bad frame]');
    expect(packetLine(tcp, tcp.length - 10, 20, 20)).toBe('frame [cut]');
  });

  test('an error about an error about an error is not followed', () => {
    const error = (payload: Uint8Array): FrameSpec => ({ protocol: 'icmp', icmpType: 3, payload });
    const frame = buildFrame(error(quoted(error(quoted({})))));
    const outer = summarizeFrame(frame, 0, frame.length, frame.length).ip?.transport;
    const inner = outer?.kind === 'icmp' ? outer.quote?.transport : undefined;
    expect(inner).toMatchObject({ kind: 'icmp', type: 3, quote: undefined });
  });

  test('IPv6 extension headers without an end', () => {
    const extensions = Array.from({ length: 9 }, () => ({ type: 60, body: [1, 4, 0, 0, 0, 0] }));
    expect(lineOf({ ...v6, extensions })).toMatch(/ \[bad ip\]$/);
    expect(lineOf({ ...v6, extensions: extensions.slice(1) })).toMatch(/ tcp \. seq 1001 /);
  });

  test('ICMP of six bytes', () => {
    const frame = buildFrame({ protocol: 'icmp' }).slice(0, -2);
    frame.set([0, 26], 16);
    expect(line(frame)).toBe('10.1.0.2 > 10.1.1.5 icmp [bad icmp]');
  });
});

const printable = /^[ -~]+$/;

/** One line of printable characters, and the same whatever stands around the frame. */
function expectSound(frame: Uint8Array, wireLen: number): void {
  const around = line(frame, frame.length, wireLen);
  expect(around).toMatch(printable);
  expect(around.length).toBeLessThan(1000);
  expect(packetLine(frame, 0, frame.length, wireLen)).toBe(around);
}

function randomFrame(random: Random): Uint8Array {
  if (random.once(4)) return random.bytes(random.below(200));
  const protocol = random.pick(['tcp', 'udp', 'sctp', 'icmp', 'icmpv6'] as const);
  const frame = buildFrame(randomSpec(random, protocol, protocol === 'icmpv6' || random.once(2) ? 6 : 4));
  const wrapped = random.once(3) ? tunnelled(frame) : frame;
  for (let i = random.below(4); i > 0; i--) wrapped[random.below(wrapped.length)] = random.word() & 255;
  return wrapped.slice(0, random.once(3) ? random.below(wrapped.length) : wrapped.length);
}

/** `PODWIRE_PACKETS` makes it longer. */
const FRAMES = PACKETS / 50;

test('random bytes and broken frames: always one line of printable characters, and no byte beyond the frame', () => {
  withRandom((random) => {
    for (let i = 0; i < FRAMES; i++) {
      const frame = randomFrame(random);
      expectSound(frame, frame.length + (random.once(2) ? random.below(2000) : 0));
    }
  });
});
