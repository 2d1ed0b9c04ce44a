/** `podwire replay --map`: conversations of other addresses between pods; and what offloading leaves in captures. */
import { describe, expect, test } from 'vitest';
import { addressText } from '../oracle/slow-address.ts';
import { slowChecksum } from '../oracle/slow-checksum.ts';
import { slowFragments } from '../oracle/slow-fragments.ts';
import { buildFrame, joined } from '../support/frames.ts';
import { parseFrame } from '../support/read-frame.ts';
import {
  ACK,
  a,
  b,
  conversation,
  counts,
  FROM_A,
  lines,
  PATH,
  record,
  replayed,
  replayedFrames,
  SYN,
} from './replay-world.ts';

describe('a conversation of other addresses', () => {
  test.each([
    ['192.168.1.10', '192.168.1.20', a.v4, b.v4],
    ['2001:db8::10', '2001:db8::20', a.v6, b.v6],
  ])('runs both ways between pods: %s', async (client, server, first, second) => {
    const map = { [client]: 'pod/default/a', [server]: 'pod/default/b' };
    const result = await replayedFrames(conversation(client, server), { at: 'auto', map });
    expect(counts(result)).toMatchObject({ read: 5, fed: 5, forwarded: 5 });
    const back = [...PATH].reverse();
    expect(result.rows.map(({ hop }) => hop)).toEqual([...PATH, ...back, ...PATH, ...PATH, ...back]);
    const states = result.rows.map(({ comment }) => / \| (conntrack .*)$/.exec(comment)![1]);
    expect(states).toEqual(
      [
        'conntrack NEW, tcp SYN_SENT, original',
        'conntrack ESTABLISHED, tcp SYN_RECV, reply',
        'conntrack ESTABLISHED, tcp ESTABLISHED, original',
        'conntrack ESTABLISHED, tcp ESTABLISHED, original',
        'conntrack ESTABLISHED, tcp ESTABLISHED, reply',
      ].flatMap((state) => [state, state, state, state]),
    );
    for (const { hop, bytes, id } of result.rows) {
      const isBack = id === 2 || id === 5;
      const ends = isBack ? { source: second, destination: first } : { source: first, destination: second };
      const frame = parseFrame(hop.includes('underlay') ? bytes.subarray(50) : bytes);
      expect(frame, `${id} ${hop}`).toMatchObject({ ...ends, checksum: 'right' });
    }
  });

  test('keeps checksums that are wrong wrong', async () => {
    for (const protocol of ['tcp', 'udp'] as const) {
      const frame = buildFrame({ source: '192.168.1.10', destination: '192.168.1.20', protocol, payload: 20 });
      frame[frame.length - 1]! ^= 0x40;
      const map = { '192.168.1.10': 'pod/default/a', '192.168.1.20': 'pod/default/b' };
      const result = await replayed([record(frame)], { at: 'auto', map });
      expect(counts(result).dropped).toEqual({ BadL4Checksum: 1 });
      expect(parseFrame(result.rows[0]!.bytes)).toMatchObject({ ...FROM_A, checksum: 'wrong', ipChecksum: 'right' });
    }
  });

  test.each([
    ['192.168.1.10', '192.168.1.20', 3, 3],
    ['2001:db8::10', '2001:db8::20', 1, 4],
  ])('has its ICMP errors, with what they quote: %s', async (client, server, icmpType, icmpCode) => {
    const ipv6 = client.includes(':');
    const asked = { source: client, destination: server, protocol: 'udp', payload: 33 } as const;
    const quote = buildFrame(asked).subarray(14);
    const ends = { source: server, destination: client };
    const error = {
      ...ends,
      protocol: ipv6 ? 'icmpv6' : 'icmp',
      icmpType,
      icmpCode,
      identifier: 0,
      icmpSequence: 0,
    } as const;
    const map = { [client]: 'pod/default/a', [server]: 'pod/default/b' };
    const result = await replayedFrames([asked, { ...error, payload: quote }], { at: 'auto', map });
    expect(counts(result)).toMatchObject({ forwarded: 2 });
    const arrived = result.rows.at(-1)!;
    expect(arrived).toMatchObject({ id: 2, hop: 'pod/default/a' });
    expect(arrived.comment).toContain('conntrack RELATED');
    const frame = parseFrame(arrived.bytes);
    const [first, second] = ipv6 ? [a.v6, b.v6] : [a.v4, b.v4];
    expect(frame).toMatchObject({ source: second, destination: first, checksum: 'right' });
    const quoted = parseFrame(joined(Array(12).fill(0), ipv6 ? [0x86, 0xdd] : [8, 0], frame.payload));
    expect(quoted).toMatchObject({ source: first, destination: second, checksum: 'right' });
  });

  test('leaves the quote alone where somebody else than its receiver sends the error', async () => {
    const quote = buildFrame({ source: '192.168.1.10', destination: '192.168.1.30', protocol: 'udp' }).subarray(14);
    const ends = { source: '192.168.1.20', destination: '192.168.1.10' };
    const error = { ...ends, protocol: 'icmp', icmpType: 3, icmpCode: 1, payload: quote } as const;
    const map = { '192.168.1.10': PATH[0]!, '192.168.1.20': PATH[3]!, '192.168.1.30': 'node/n2:host' };
    const { rows } = await replayedFrames([error], { at: 'auto', map });
    const frame = parseFrame(rows[0]!.bytes);
    expect(frame).toMatchObject({ source: b.v4, destination: a.v4, checksum: 'right' });
    expect(frame.payload).toEqual(quote);
  });

  test('touches no upper layer that is cut short', async () => {
    const ipv4 = buildFrame({ source: '192.168.1.10', destination: b.v4 });
    ipv4.set([0, 24, 0, 0], 16); // four bytes of TCP, and a frame that is longer
    ipv4.set([0, 0], 24);
    const sum = slowChecksum(ipv4.subarray(14, 34));
    ipv4.set([sum >> 8, sum & 255], 24);
    const fragment = [{ type: 44, body: [0, 1, 0, 0, 0, 7] }];
    const ipv6 = buildFrame({ source: '2001:db8::10', destination: b.v6, extensions: fragment });
    ipv6[19] = 16; // eight bytes of TCP behind the fragment header
    const map = { '192.168.1.10': PATH[0]!, '2001:db8::10': PATH[0]! };
    const { rows } = await replayed([record(ipv4), record(ipv6)], { map });
    expect(rows.map(({ comment }) => /DROPPED at [^|]*/.exec(comment)![0])).toEqual([
      'DROPPED at validate: BadL4Header ',
      'DROPPED at validate: BadFragment ',
    ]);
    const [first, second] = rows.map(({ bytes }) => bytes);
    expect([first!.subarray(26, 30), first!.subarray(30)]).toEqual([Uint8Array.of(10, 244, 0, 2), ipv4.subarray(30)]);
    expect(slowChecksum(first!.subarray(14, 34))).toBe(0);
    expect(addressText(second!.slice(22, 38))).toBe(a.v6);
    expect(second!.subarray(38)).toEqual(ipv6.subarray(38));
  });

  test('goes together from fragments', async () => {
    for (const [client, server] of [
      ['192.168.1.10', '192.168.1.20'],
      ['2001:db8::10', '2001:db8::20'],
    ] as const) {
      const ends = { source: client, destination: server, dontFragment: false };
      const pieces = slowFragments(buildFrame({ ...ends, protocol: 'udp', payload: 3000 }), 1280, 7);
      const map = { [client]: 'pod/default/a', [server]: 'pod/default/b' };
      const result = await replayed(
        pieces.map((frame) => record(frame)),
        { at: 'auto', map },
      );
      expect(counts(result)).toMatchObject({ held: 2, forwarded: 1 }); // the last one’s checksum was right
    }
  });

  test('from an address that is not mapped stays out', async () => {
    const map = { '192.168.1.10': 'pod/default/a' };
    const result = await replayedFrames([{ source: '192.168.1.99', destination: '192.168.1.10' }], { at: 'auto', map });
    expect(lines(result)).toEqual(['1 input: replay: its source is not mapped, not replayed']);
    expect(counts(result).unfed).toEqual({ 'of a source that is not mapped': 1 });
  });

  test('at a fixed hop changes addresses too, wherever the packet is from', async () => {
    const specs = [{ source: a.v4, destination: '192.168.1.20', flags: SYN }];
    const result = await replayedFrames(specs, { map: { '192.168.1.20': 'pod/default/b' } });
    expect(result.rows.map(({ hop }) => hop)).toEqual(PATH);
  });
});

describe('what offloading leaves in captures', () => {
  test('a checksum that holds the pseudo header’s sum is completed', async () => {
    for (const protocol of ['tcp', 'udp'] as const) {
      const result = await replayedFrames([{ ...FROM_A, protocol, flags: SYN, payload: 99, checksum: 'partial' }]);
      expect(counts(result)).toMatchObject({ forwarded: 1 });
      for (const { hop, bytes } of result.rows) {
        const frame = parseFrame(hop.includes('underlay') ? bytes.subarray(50) : bytes);
        expect(frame, hop).toMatchObject({ checksum: 'right' });
      }
    }
  });

  test('a TCP packet above the MTU with such a checksum is a superframe', async () => {
    const payload = 5000;
    const result = await replayedFrames([
      { ...FROM_A, flags: ACK, payload, checksum: 'partial' },
      { ...FROM_A, flags: ACK, sequence: 1001 + payload },
    ]);
    expect(counts(result)).toMatchObject({ forwarded: 2 });
    const rows = result.rows.filter(({ id }) => id === 1);
    const onWire = rows.filter(({ hop }) => hop === 'node/n1:underlay').map(({ bytes }) => bytes.length);
    expect(onWire).toEqual([1514, 1514, 1514, 50 + 54 + payload - 3 * 1410]);
    expect(
      rows.map(({ bytes, hop }) => parseFrame(hop.includes('underlay') ? bytes.subarray(50) : bytes).checksum),
    ).toEqual(rows.map(() => 'right'));
  });

  test('and with a complete one too long', async () => {
    const result = await replayedFrames([{ ...FROM_A, flags: SYN, payload: 5000 }]);
    expect(counts(result)).toMatchObject({ dropped: { MtuExceeded: 1 }, answered: 1 });
  });

  test('the pseudo header’s sum stays it while addresses change', async () => {
    const spec = {
      source: '192.168.1.10',
      destination: b.v4,
      protocol: 'udp',
      payload: 7,
      checksum: 'partial',
    } as const;
    const result = await replayedFrames([spec], { map: { '192.168.1.10': 'pod/default/a' } });
    expect(counts(result)).toMatchObject({ forwarded: 1 });
    expect(parseFrame(result.rows[3]!.bytes)).toMatchObject({ ...FROM_A, checksum: 'right' });
  });
});
