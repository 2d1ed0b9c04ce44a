import { describe, expect, test } from 'vitest';
import { joined } from '../support/frames.ts';
import { readBytes, Writer } from './build.ts';

const orders = [true, false].map((littleEndian) => new Writer(littleEndian));
const payload = Uint8Array.of(1, 2, 3, 4, 5);
const nameOf = ({ littleEndian }: Writer) => (littleEndian ? 'little-endian' : 'big-endian');

describe.each(orders.map((w) => [nameOf(w), w] as const))('%s pcap', (_, w) => {
  test.each([
    [0xa1b2c3d4, 7_000_000_000n + 8000n, []],
    [0xa1b23c4d, 7_000_000_008n, []],
    // Kuznetzov's format: interface index, protocol, packet type and padding behind the lengths.
    [0xa1b2cd34, 7_000_000_000n + 8000n, [w.u32(3), w.u16(0x800), Uint8Array.of(4, 0)]],
  ])('magic %i', async (magic, timeNs, more) => {
    const record = w.pcapRecord([7, 8, 5, 60], ...more, payload);
    const { records, error } = await readBytes(joined(w.pcapHeader(magic), record, record));
    expect(error).toBeUndefined();
    expect(records).toHaveLength(3);
    expect(records[0]).toMatchObject({ kind: 'interface', interface: { linkType: 1, snapLen: 65_535, id: 0 } });
    expect(records[2]).toMatchObject({ kind: 'packet', timeNs, originalLen: 60, bytes: payload, comments: [] });
  });

  test('seconds after 2038 and 2106 minus one are not negative', async () => {
    const bytes = joined(w.pcapHeader(0xa1b23c4d), w.pcapRecord([0xffff_ffff, 1, 0, 0]));
    expect((await readBytes(bytes)).packets[0]!.timeNs).toBe(4_294_967_295_000_000_001n);
  });

  test.each([
    [2, 2, 60, 5],
    [2, 3, 60, 5],
    [2, 3, 5, 60],
    [2, 4, 5, 60],
    [2, 5, 5, 60],
  ])('version %i.%i with lengths %i, %i (libpcap sf-pcap.c: swapped before 2.3, either way in 2.3)', async (...row) => {
    const [major, minor, ...lengths] = row;
    const header = w.pcapHeader(0xa1b2c3d4, 1, { version: [major, minor] });
    const { packets, error } = await readBytes(joined(header, w.pcapRecord([0, 0, ...lengths], payload)));
    expect(error).toBeUndefined();
    expect(packets[0]).toMatchObject({ originalLen: 60, bytes: payload });
  });

  test.each([
    [0x0000_0065, 101, undefined],
    [0x3000_0001, 1, undefined], // a length that the file does not say to be there
    [0x2400_0001, 1, 4],
  ])('link type field %i: link type %i, FCS of %s bytes', async (field, linkType, fcsLen) => {
    const { records } = await readBytes(w.pcapHeader(0xa1b2c3d4, field));
    expect(records[0]).toMatchObject({ interface: { linkType, fcsLen } });
  });

  test.each([
    ['version', w.pcapHeader(0xa1b2c3d4, 1, { version: [1, 4] }), 4, 'pcap version 2', 'version 1.4'],
    ['link type', w.pcapHeader(0xa1b2c3d4, 0x0030_0000), 20, 'zero in its reserved bits', '0x300000'],
    ['short header', w.pcapHeader(0xa1b2c3d4).slice(0, 23), 0, '24 bytes of file header', 'end of the file after 23'],
    ['length', joined(w.pcapHeader(0xa1b2c3d4), w.pcapRecord([0, 0, 262_145, 1])), 32, 'at most 262144', '262145'],
    ['short packet', joined(w.pcapHeader(0xa1b2c3d4), w.pcapRecord([0, 0, 6, 6], payload)), 24, '22 bytes of', '21'],
    ['short record', joined(w.pcapHeader(0xa1b2c3d4), payload), 24, '16 bytes of packet header', 'after 5'],
  ])('damage: %s', async (_what, bytes, offset, expected, found) => {
    const { error, packets } = await readBytes(bytes);
    expect(packets).toEqual([]);
    expect(error).toMatchObject({ file: 'x.pcap', offset });
    expect(error!.expected).toContain(expected);
    expect(error!.found).toContain(found);
    expect(error!.message).toBe(`x.pcap: byte ${offset}: expected ${error!.expected}, found ${error!.found}`);
  });

  test('the longest packet, and chunks of every size', async () => {
    const long = new Uint8Array(262_144).fill(7);
    const records = [w.pcapRecord([1, 0, 5, 5], payload), w.pcapRecord([2, 0, long.length, long.length], long)];
    const bytes = joined(w.pcapHeader(0xa1b2c3d4), ...records, records[0]!);
    for (const size of [1000, 65_536, 65_537, bytes.length]) {
      const { packets, error } = await readBytes(bytes, size);
      expect(error).toBeUndefined();
      expect(packets.map((packet) => packet.bytes.length)).toEqual([5, 262_144, 5]);
      expect(Buffer.compare(packets[1]!.bytes, long)).toBe(0);
      expect(packets[2]!.bytes).toEqual(payload);
    }
  });
});

test.each([
  ['nothing', [], 'an empty one', 0],
  ['a text', [...'hello'].map((char) => char.charCodeAt(0)), 'bytes 68656c6c', 0],
  ['half a magic number', [0xd4, 0xc3], 'the end of the file after 2', 0],
])('%s is no capture file', async (_, bytes, found, offset) => {
  const { error } = await readBytes(Uint8Array.from(bytes));
  expect(error).toMatchObject({ offset });
  expect(error!.found).toContain(found);
});
