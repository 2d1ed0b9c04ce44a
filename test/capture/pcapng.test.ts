import { describe, expect, test } from 'vitest';
import { joined } from '../support/frames.ts';
import { padded, readBytes, Writer } from './build.ts';

const orders = [true, false].map((littleEndian) => new Writer(littleEndian));
const payload = Uint8Array.of(1, 2, 3, 4, 5);
const nameOf = ({ littleEndian }: Writer) => (littleEndian ? 'little-endian' : 'big-endian');
const text = (value: string) => new TextEncoder().encode(value);

describe.each(orders.map((w) => [nameOf(w), w] as const))('%s pcapng', (_, w) => {
  const begin = joined(w.section(), w.interface(1));

  test('a section with its comments', async () => {
    const options = [
      w.option(2, 'arm64'),
      w.option(3, 'Linux'),
      w.option(4, 'podwire'),
      w.option(1, 'a'),
      w.option(1, 'é\0'),
    ];
    const { records } = await readBytes(w.section(options));
    expect(records).toEqual([
      { kind: 'section', section: 0, hardware: 'arm64', system: 'Linux', application: 'podwire', comments: ['a', 'é'] },
    ]);
  });

  test('version 1.2 is 1.0 (draft-ietf-opsawg-pcapng section 4.1)', async () => {
    expect((await readBytes(w.section([], [1, 2]))).error).toBeUndefined();
  });

  test('an interface with name, description, comment and FCS', async () => {
    const options = [
      w.option(2, 'eth0'),
      w.option(3, 'uplink'),
      w.option(1, 'x'),
      w.option(13, Uint8Array.of(4)),
      w.option(0),
    ];
    const { records } = await readBytes(joined(w.section(), w.interface(113, 96, options)));
    const expected = { id: 0, section: 0, linkType: 113, snapLen: 96, fcsLen: 4, name: 'eth0', description: 'uplink' };
    expect(records[1]).toEqual({ kind: 'interface', interface: { ...expected, comments: ['x'] } });
  });

  test('an enhanced packet with comments, flags, and options that nobody knows', async () => {
    const options = [
      w.option(1, 'first'),
      w.option(2, w.u32(0x8000_0081)),
      w.option(1, 'second'),
      w.option(999, 'abcde'),
      w.option(0),
    ];
    const { packets, error } = await readBytes(joined(begin, w.packet(0, 5_000_001n, payload, options, 3)));
    expect(error).toBeUndefined();
    expect(packets).toHaveLength(1);
    expect(packets[0]).toMatchObject({ timeNs: 5_000_001_000n, originalLen: 8, bytes: payload });
    expect(packets[0]).toMatchObject({ comments: ['first', 'second'], flags: 0x8000_0081 });
    expect(packets[0]!.options).toHaveLength(4);
    expect(packets[0]!.options[3]).toEqual({ code: 999, bytes: text('abcde') });
  });

  test('options may end with the block, and what follows their end is not read', async () => {
    const bytes = joined(
      begin,
      w.packet(0, 0n, payload, [w.option(1, 'a')]),
      w.packet(0, 0n, payload, [w.option(1, 'b'), w.option(0), w.u32(0xffff_ffff)]),
    );
    const { packets, error } = await readBytes(bytes);
    expect(error).toBeUndefined();
    expect(packets.map(({ comments }) => comments)).toEqual([['a'], ['b']]);
  });

  test.each([
    ['none: microseconds', [], 1_500_000n, 1_500_000_000n],
    ['10^-9', [w.option(9, Uint8Array.of(9))], 1_500_000n, 1_500_000n],
    ['10^-3', [w.option(9, Uint8Array.of(3))], 1_500n, 1_500_000_000n],
    ['10^0', [w.option(9, Uint8Array.of(0))], 2n, 2_000_000_000n],
    ['10^-12', [w.option(9, Uint8Array.of(12))], 1_500_999n, 1500n],
    ['2^-10', [w.option(9, Uint8Array.of(0x8a))], 512n, 500_000_000n],
    ['2^-127', [w.option(9, Uint8Array.of(0xff))], 0xffff_ffff_ffff_ffffn, 0n],
    ['offset 3 s', [w.option(14, w.number(3n, 8))], 1n, 3_000_001_000n],
    ['offset -3 s', [w.option(14, w.number(-3n, 8))], 1n, -2_999_999_000n],
    ['all 64 bits', [w.option(9, Uint8Array.of(9))], 0xffff_ffff_ffff_fffen, 0xffff_ffff_ffff_fffen],
  ])('clock, %s', async (_what, options, stamp, timeNs) => {
    const bytes = joined(w.section(), w.interface(1, 0, options), w.packet(0, stamp, payload));
    expect((await readBytes(bytes)).packets[0]!.timeNs).toBe(timeNs);
  });

  test('a simple packet has no time, and as many bytes as the first interface keeps', async () => {
    const simple = (len: number, bytes: Uint8Array) => w.block(3, w.u32(len), padded(bytes));
    const bytes = joined(
      w.section(),
      w.interface(1, 4),
      simple(3, payload.slice(0, 3)),
      simple(9, payload.slice(0, 4)),
    );
    const { packets, error } = await readBytes(bytes);
    expect(error).toBeUndefined();
    expect(packets.map(({ bytes: { length }, originalLen, timeNs }) => [length, originalLen, timeNs])).toEqual([
      [3, 3, undefined],
      [4, 9, undefined],
    ]);
    expect((await readBytes(joined(begin, simple(5, payload)))).packets[0]!.bytes).toEqual(payload);
  });

  test('an obsolete packet', async () => {
    const lengths = [w.u32(5), w.u32(70)];
    const old = w.block(
      2,
      w.u16(0),
      w.u16(7),
      w.time(9n),
      ...lengths,
      padded(payload),
      w.option(1, 'old'),
      w.option(2, w.u32(2)),
    );
    const { packets } = await readBytes(joined(begin, old));
    expect(packets[0]).toMatchObject({ timeNs: 9000n, originalLen: 70, bytes: payload, comments: ['old'], flags: 2 });
  });

  test('names, statistics, secrets, custom and unknown blocks', async () => {
    const name = (type: number, bytes: Uint8Array) => joined(w.u16(type), w.u16(bytes.length), padded(bytes));
    const names = [
      name(1, joined([10, 0, 0, 1], text('web\0web.local\0'))),
      name(9, Uint8Array.of(1, 2)),
      name(2, joined(new Uint8Array(16).fill(3), text('six\0'))),
    ];
    const bytes = joined(
      begin,
      w.block(4, ...names, name(0, Uint8Array.of()), w.option(2, 'server')),
      w.block(5, w.u32(0), w.time(4n), w.option(4, w.number(1n << 40n, 8)), w.option(5, w.number(6n, 8)), w.option(0)),
      w.block(10, w.u32(0x544c_534b), w.u32(5), padded(payload), w.option(1, 'keys')),
      w.block(0xbad, w.u32(32_473), payload.slice(0, 4)),
      w.block(0x4000_0bad, w.u32(1), payload.slice(0, 4)),
      w.block(0x1234, payload.slice(0, 4)),
      w.packet(0, 0n, payload),
    );
    const { records, error } = await readBytes(bytes);
    expect(error).toBeUndefined();
    expect(records.slice(2, 8)).toMatchObject([
      {
        kind: 'names',
        entries: [
          { address: Uint8Array.of(10, 0, 0, 1), names: ['web', 'web.local'] },
          { address: new Uint8Array(16).fill(3), names: ['six'] },
        ],
      },
      { kind: 'statistics', interface: { id: 0 }, timeNs: 4000n, received: 1n << 40n, dropped: 6n },
      { kind: 'secrets', secretsType: 0x544c_534b, bytes: payload },
      { kind: 'other', blockType: 0xbad, enterprise: 32_473, bytes: payload.slice(0, 4) },
      { kind: 'other', blockType: 0x4000_0bad, enterprise: 1, bytes: payload.slice(0, 4) },
      { kind: 'other', blockType: 0x1234, enterprise: undefined, bytes: payload.slice(0, 4) },
    ]);
    expect(records[8]).toMatchObject({ kind: 'packet' });
  });

  test('a section has its own interfaces, clock and byte order', async () => {
    const other = new Writer(!w.littleEndian);
    const nanoseconds = other.option(9, Uint8Array.of(9));
    const bytes = joined(
      ...[w.section(), w.interface(1), w.interface(101), w.packet(1, 1n, payload)],
      ...[
        other.section([other.option(1, 'two')]),
        other.interface(113, 0, [nanoseconds]),
        other.packet(0, 1n, payload),
      ],
    );
    const { packets, records } = await readBytes(bytes);
    expect(packets.map(({ interface: { id, section, linkType }, timeNs }) => [id, section, linkType, timeNs])).toEqual([
      [1, 0, 101, 1000n],
      [0, 1, 113, 1n],
    ]);
    expect(records[4]).toMatchObject({ kind: 'section', section: 1, comments: ['two'] });
    const second = joined(w.section(), w.interface(1), other.section(), other.packet(0, 1n, payload));
    expect((await readBytes(second)).error!.found).toBe('interface 0');
  });

  test.each([
    ['byte order', joined(w.u32(0x0a0d0d0a), w.u32(28), w.u32(5), w.u32(0)), 8, 'byte-order magic', '0x'],
    ['version', w.section([], [2, 0]), 12, 'pcapng version 1.0', '2.0'],
    ['version', w.section([], [1, 1]), 12, 'pcapng version 1.0', '1.1'],
    ['short section', w.block(0x0a0d0d0a, w.u32(0x1a2b3c4d)), 4, 'a block length of 28', '16'],
  ])('damage: %s', async (_what, bytes, offset, expected, found) => {
    const { error, records } = await readBytes(bytes);
    expect(records).toEqual([]);
    expect(error).toMatchObject({ file: 'x.pcap', offset });
    expect(error!.expected).toContain(expected);
    expect(error!.found).toContain(found);
  });

  const at = begin.length + w.packet(0, 1n, payload).length;
  const withLen = (block: Uint8Array, len: number) => joined(block.slice(0, 4), w.u32(len), block.slice(8));
  test.each([
    ['trailer', w.block(6).with(8, 99), 8, "the block's length again, 12", ''],
    ['length 8', withLen(w.block(0x77, payload.slice(0, 4)), 8), 4, 'a block length of 12', '8'],
    ['length 13', withLen(w.block(0x77, payload.slice(0, 4)), 13), 4, 'a multiple of 4', '13'],
    ['length 2^32-4', withLen(w.block(0x77, payload.slice(0, 4)), 0xffff_fffc), 4, '16777216', '4294967292'],
    ['unknown interface', w.packet(7, 1n, payload), 12, "one of the section's 1 interfaces", 'interface 7'],
    [
      'captured length',
      w.block(6, w.u32(0), w.time(1n), w.u32(9), w.u32(9), payload.slice(0, 4)),
      28,
      '9 bytes of packet',
      '4 to',
    ],
    [
      'huge captured length',
      w.block(6, w.u32(0), w.time(1n), w.u32(262_145), w.u32(9)),
      28,
      'at most 262144',
      '262145',
    ],
    ['no body', w.block(6), 8, '4 bytes of interface number', "0 to the block's end"],
    ['option length', w.packet(0, 1n, payload, [w.u16(1), w.u16(5), w.u32(0)]), 36, '5 bytes of option 1', '4 to'],
    [
      'half an option',
      w.packet(0, 1n, payload, [w.u32(0x0005_0005)]),
      36,
      '5 bytes of option 5',
      "0 to the block's end",
    ],
    ['secrets length', w.block(10, w.u32(1), w.u32(0xffff_ffff)), 16, '4294967295 bytes of secrets', '0 to'],
    ['name length', w.block(4, w.u16(1), w.u16(200)), 12, '200 bytes of name record', '0 to'],
    ['cut block', w.packet(0, 1n, payload).slice(0, -1), 0, '40 bytes of block', 'the end of the file after 39'],
    ['cut header', w.packet(0, 1n, payload).slice(0, 7), 0, '12 bytes of block header', 'the end of the file after 7'],
  ])('everything in front of the damage, then an error: %s', async (_what, bytes, offset, expected, found) => {
    for (const chunk of [1, 1000]) {
      const { error, packets } = await readBytes(joined(begin, w.packet(0, 1n, payload), bytes), chunk);
      expect(packets).toHaveLength(1);
      expect(error!.expected).toContain(expected);
      expect(error!.found).toContain(found);
      expect(error!.offset - at).toBe(offset);
    }
  });

  test('what would be kept has its limits: options, names, interfaces', async () => {
    const many = (count: number, bytes: Uint8Array) => joined(...Array<Uint8Array>(count).fill(bytes));
    const options = w.packet(0, 1n, payload, [many(4097, w.option(5))]);
    expect((await readBytes(joined(begin, options))).error!.expected).toBe('at most 4096 options');
    const names = w.block(4, many(65_537, joined(w.u16(1), w.u16(4), w.u32(1))));
    expect((await readBytes(joined(begin, names))).error!.expected).toBe('at most 65536 names');
    const interfaces = joined(w.section(), many(65_537, w.interface(1)));
    const { records, error } = await readBytes(interfaces);
    expect(records).toHaveLength(65_537);
    expect(error!.expected).toContain('at most 65536 interfaces');
  });
});
