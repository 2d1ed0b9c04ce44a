/** The scenario language itself: mistakes are told with file and line, and no scenario passes by accident. */
import { describe, expect, test } from 'vitest';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { parseFrame } from '../support/read-frame.ts';
import { readFrameWords } from './frame-words.ts';
import { playScenario } from './runner.ts';
import { readScenario } from './scenario.ts';
import { SimWorld } from './sim-world.ts';
import { differences, plainFrame, toTapBytes } from './wire-frame.ts';
import { Words } from './words.ts';

const SYN = '10.244.0.2:40000 -> 10.244.1.2:80 tcp S';
const syn = `cluster two-nodes
pod-a > ${SYN}
wire = n1 -> n2 vni 1 [${SYN} ttl 63]
pod-b < ${SYN} ttl 62
`;

async function failure(text: string): Promise<string> {
  try {
    const scenario = readScenario('x.flow', text);
    await playScenario(scenario, new SimWorld(scenario.cluster.plan));
  } catch (error) {
    return (error as Error).message;
  }
  return 'passed';
}

const ends = { sourceMac: '02:00:00:00:00:01', destinationMac: '02:00:00:00:00:02' };

function frame(text: string) {
  return readFrameWords(new Words('x.flow:1', text), ends);
}

test('the scenario of these tests passes', async () => {
  expect(await failure(syn)).toBe('passed');
});

describe('a mistake in the text', () => {
  const mistakes: readonly (readonly [text: string, message: string])[] = [
    ['', 'x.flow:1: nothing happens here'],
    ['# nothing\n', 'x.flow:1: nothing happens here'],
    ['pod-a > raw 00', 'x.flow:1: the scenario begins with "cluster NAME"'],
    ['\ncluster five-nodes', 'x.flow:2: there is no cluster five-nodes'],
    [`${syn}cluster two-nodes`, 'x.flow:5: there is a cluster already'],
    [`${syn}pod-x > raw 00`, 'x.flow:5: found "pod-x", expected wire, drop'],
    [`${syn}pod-a ~ raw 00`, 'x.flow:5: found "~", expected "<"'],
    [`${syn}pod-a > raw 0`, 'x.flow:5: found "0", expected a frame in pairs of hex digits'],
    [`${syn}pod-a > 10.0.0.300 -> 10.244.1.2 udp`, 'x.flow:5: found "10.0.0.300", expected an address'],
    [`${syn}pod-a > ${SYN} ttl`, 'x.flow:5: the line ends where ttl is expected'],
    [`${syn}pod-a > ${SYN} ttl x`, 'x.flow:5: found "x", expected ttl, a number'],
    [`${syn}pod-a > ${SYN} speed 9`, 'x.flow:5: "speed" says nothing about a packet'],
    [`${syn}pod-a > 10.244.0.2:1 -> 10.244.1.2:2 tcp SYN`, 'x.flow:5: found TCP flags "SYN", expected letters'],
    [`${syn}pod-a > 10.244.0.2 -> 10.244.1.2 icmp ping`, 'x.flow:5: found "ping", expected echo, reply or TYPE/CODE'],
    [`${syn}pod-a > 10.244.0.2:1 -> 10.244.1.2:2 igmp`, 'x.flow:5: found "igmp", expected tcp, udp'],
    [`${syn}pod-a > 10.244.0.2:1 -> 10.244.1.2:2 sctp tag 1 ttl 3`, 'x.flow:5: found no SCTP chunk'],
    [`${syn}wire = n1 -> n7 vni 1 [${SYN}]`, 'x.flow:5: there is no node n7'],
    [`${syn}wire = n1 -> n2 vni 1 [${SYN}`, 'x.flow:5: the line ends where "]" is expected'],
    [`${syn}drop n1 Lost`, 'x.flow:5: there is no drop reason Lost'],
    [`${syn}count n1 lost 1`, 'x.flow:5: there is no counter lost'],
    [`${syn}count n1 received many`, 'x.flow:5: found "many", expected a number'],
    [`${syn}advance 3`, 'x.flow:5: found "3", expected a duration'],
    [`${syn}advance 3s later`, 'x.flow:5: found "later", expected nothing more'],
    [`${syn}link n1 -> n2 speed 3`, 'x.flow:5: "speed" says nothing about a link'],
  ];
  for (const [text, message] of mistakes) {
    test(message, async () => {
      expect(await failure(text)).toContain(message);
    });
  }

  test('after a continued line is told with the line where that begins', async () => {
    expect(await failure(`${syn}pod-a > \\\n  ${SYN} \\\n  ttl x`)).toContain('x.flow:5: found "x"');
  });
});

describe('a scenario fails', () => {
  const failures: readonly (readonly [name: string, text: string, found: RegExp])[] = [
    ['a frame that does not come', syn.replace('S\nwire', 'S ttl 1\nwire'), /^x\.flow:3: wire = .*\n {4}found nothing/],
    ['another field', syn.replace('ttl 62', 'ttl 61'), /^x\.flow:4: pod-b < .*\n {4}ttl: found 62, expected 61$/],
    [
      'another MAC',
      syn.replace('ttl 62', 'ttl 62 smac 02:00:00:00:00:09'),
      /sourceMac: found 02:70:ac:12:00:03, expected 02:00:00:00:00:09/,
    ],
    ['another payload', syn.replace('ttl 62', 'ttl 62 len 1'), /payload: found 0 bytes, expected 1 bytes: 00/],
    ['another VNI', syn.replace('vni 1', 'vni 2'), /VXLAN header: found 08000000000001 *00, expected 0800000000000200/],
    ['another end', syn.replace('wire = n1 -> n2', 'wire = n2 -> n1'), /found n1 -> n2 vni 1 \[/],
    ['outer TOS', syn.replace('vni 1', 'vni 1 tos 2'), /outer tos: found 0, expected 2/],
    [
      'unexpected: a frame',
      syn.split('\n').slice(0, 3).join('\n'),
      /^x\.flow:3: [\s\S]*nobody expected\n {4}pod-b < .*ttl 62/,
    ],
    [
      'unexpected: a wire packet',
      syn.replace(/wire.*\n/, ''),
      /^x\.flow:3: [\s\S]*nobody expected\n {4}wire = n1 -> n2 vni 1/,
    ],
    [
      'unexpected: a drop',
      `${syn}pod-a > ${SYN} smac 02:00:00:00:00:09`,
      /^x\.flow:5: [\s\S]*nobody expected\n {4}drop n1 SpoofedMac 1/,
    ],
    ['too late', syn.replace('wire', `advance 1s\nwire`), /^x\.flow:2: [\s\S]*nobody expected/],
    ['another count', `${syn}count n1 delivered 1, received 2`, /received: found 1, expected 2/],
    ['a drop that was not', `${syn}drop n1 Invalid`, /Invalid: found 0, expected 1/],
    [
      'an entry that is not',
      `${syn}conntrack n1 tcp SYN_SENT 10.244.0.2:4 -> 10.244.1.2:80`,
      /found only\n {4}tcp SYN_SENT/,
    ],
    ['another state', `${syn}conntrack n1 tcp CLOSE 10.244.0.2:40000 -> 10.244.1.2:80 unreplied`, /found only/],
    ['an answer', `${syn}conntrack n1 tcp SYN_SENT 10.244.0.2:40000 -> 10.244.1.2:80`, /unreplied/],
    ['another time', `${syn}conntrack n1 tcp 10.244.0.2:40000 -> 10.244.1.2:80 unreplied left 30s`, /left 120s/],
    ['the number of entries', `${syn}conntrack n1 entries 2`, /found 1 entries/],
  ];
  for (const [name, text, found] of failures) {
    test(name, async () => {
      expect(await failure(text)).toMatch(found);
    });
  }
});

describe('frames in words', () => {
  const v4 = { source: '10.1.0.2', destination: '10.1.1.5' };
  const v6 = { source: 'fd00::2', destination: 'fd00::5' };
  const written: readonly (readonly [text: string, spec: FrameSpec])[] = [
    [
      '10.1.0.2:1 -> 10.1.1.5:2 tcp SAFRPUEW seq 3 ack 4 win 5 urg 6 ttl 7 tos 8 ipid 9 nodf data "a b"',
      {
        ...{
          ...v4,
          sourcePort: 1,
          destinationPort: 2,
          flags: 255,
          sequence: 3,
          acknowledgment: 4,
          window: 5,
          urgent: 6,
        },
        ...{ ttl: 7, tos: 8, id: 9, dontFragment: false, payload: 'a b' },
      },
    ],
    ['10.1.0.2:1 -> 10.1.1.5:2 tcp none', { ...v4, sourcePort: 1, destinationPort: 2, flags: 0, acknowledgment: 0 }],
    [
      '[fd00::2]:1 -> [fd00::5]:2 udp len 9 flow 3',
      { ...v6, sourcePort: 1, destinationPort: 2, protocol: 'udp', payload: 9, flowLabel: 3 },
    ],
    [
      '10.1.0.2 -> 10.1.1.5 icmp reply id 5 seq 6',
      { ...v4, protocol: 'icmp', icmpType: 0, identifier: 5, icmpSequence: 6 },
    ],
    [
      'fd00::2 -> fd00::5 icmpv6 echo id 5 seq 6',
      { ...v6, protocol: 'icmpv6', icmpType: 128, identifier: 5, icmpSequence: 6 },
    ],
    [
      'fd00::2 -> fd00::5 icmpv6 2/0 mtu 70000',
      { ...v6, protocol: 'icmpv6', icmpType: 2, identifier: 1, icmpSequence: 4464 },
    ],
    ['10.1.0.2 -> 10.1.1.5 proto47 len 8', { ...v4, protocol: 47, payload: 8 }],
    [
      '10.1.0.2:1 -> 10.1.1.5:2 udp pad 4 smac 02:00:00:00:00:07',
      { ...v4, sourcePort: 1, destinationPort: 2, protocol: 'udp', padding: 4, sourceMac: '02:00:00:00:00:07' },
    ],
    [
      '10.1.0.2:1 -> 10.1.1.5:2 tcp A options 0204058001030307',
      { ...v4, sourcePort: 1, destinationPort: 2, acknowledgment: 0, tcpOptions: [2, 4, 5, 0x80, 1, 3, 3, 7] },
    ],
  ];
  for (const [text, spec] of written) {
    test(text, () => {
      expect(frame(text).bytes).toEqual(buildFrame({ ...ends, ...spec }));
    });
  }

  test('an error quotes a packet, or the first bytes of it', () => {
    const quoted = buildFrame({ ...v4, sourcePort: 1, destinationPort: 2, protocol: 'udp', payload: 40 }).slice(14);
    const whole = parseFrame(
      frame('10.9.9.9 -> 10.1.0.2 icmp 3/4 mtu 1400 [10.1.0.2:1 -> 10.1.1.5:2 udp len 40]').bytes,
    );
    expect(whole).toMatchObject({ icmpType: 3, icmpCode: 4, identifier: 0, icmpSequence: 1400, checksum: 'right' });
    expect(whole.payload).toEqual(quoted);
    const cut = parseFrame(
      frame('10.9.9.9 -> 10.1.0.2 icmp 11/0 [10.1.0.2:1 -> 10.1.1.5:2 udp len 40] first 28').bytes,
    );
    expect(cut.payload).toEqual(quoted.slice(0, 28));
  });

  for (const [a, b] of [
    ['10.1.0.2', '10.1.1.5'],
    ['[fd00::2]', '[fd00::5]'],
  ] as const) {
    test(`the pieces of a datagram from ${a} make it whole again`, () => {
      const words = `${a}:1 -> ${b}:2 udp len 3000`;
      const whole = frame(words).bytes;
      const headerLen = a.includes('[') ? 40 : 20;
      const pieces = [0, 1480, 2960].map((at) => parseFrame(frame(`${words} frag 77 ${at} 1480`).bytes));
      const piece = (i: number) =>
        frame(`${words} frag 77 ${i * 1480} 1480`).bytes.slice(14 + headerLen + (headerLen - 20 ? 8 : 0));
      expect(Buffer.concat([piece(0), piece(1), piece(2)])).toEqual(Buffer.from(whole.slice(14 + headerLen)));
      for (const { fragmented, protocol } of pieces) expect([fragmented, protocol]).toEqual([true, 17]);
    });
  }

  test('the pieces of IPv4 have offsets, flags and a sound header', () => {
    const bytes = [0, 1480, 2960].map((at) => frame(`10.1.0.2:1 -> 10.1.1.5:2 udp len 3000 frag 77 ${at} 1480`).bytes);
    expect(bytes.map((piece) => (piece[20]! << 8) | piece[21]!)).toEqual([0x2000, 0x2000 | 185, 370]);
    for (const piece of bytes) expect(parseFrame(piece)).toMatchObject({ id: 77, ipChecksum: 'right' });
  });

  test('SCTP chunks follow each other in whole words', () => {
    const { payload, verificationTag, checksum } = parseFrame(
      frame('10.1.0.2:1 -> 10.1.1.5:2 sctp tag 9 cookie-ack data 3 sack').bytes,
    );
    expect([verificationTag, checksum]).toEqual([9, 'right']);
    expect([...payload.slice(0, 8)]).toEqual([11, 0, 0, 4, 0, 3, 0, 19]);
    expect(payload.length).toBe(4 + 20 + 16);
    expect(payload[24]).toBe(3);
  });

  test('a superframe differs by what virtio says, an unfinished checksum too', () => {
    const [plain, gso] = ['', ' gso 100'].map((more) => frame(`10.1.0.2:1 -> 10.1.1.5:2 tcp A len 300${more}`));
    expect(differences(toTapBytes(gso!), gso!)).toEqual([]);
    const lines = differences(toTapBytes(plain!), gso!);
    expect(lines).toContain('gso size: found 0, expected 100');
    expect(lines).toContain('checksum: found right, expected partial');
    const partial = frame('10.1.0.2:1 -> 10.1.1.5:2 udp partial len 3');
    expect(differences(toTapBytes(plainFrame(partial.bytes)), partial)).toContain('virtio flags: found 0, expected 1');
  });
});
