import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PcapngWriter, type WrittenPacket, wholeBlocks } from '../../src/capture/pcapng-writer.ts';
import type { CaptureRecord } from '../../src/capture/records.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { addressBytes } from '../oracle/slow-address.ts';
import { FILL, joined, newPacket, writeFrame } from '../support/frames.ts';
import { missing } from '../support/requires.ts';
import { readBytes, Writer } from './build.ts';

const about = { application: 'podwire' };
const eth0 = { name: 'eth0', description: 'pod default/a' };
const utf8 = (text: string) => new TextEncoder().encode(text);
const time = (ns: bigint) => ({ timeHigh: Number(ns >> 32n), timeLow: Number(ns & 0xffff_ffffn) });

function packet(fields: Partial<WrittenPacket> = {}): WrittenPacket {
  const bytes = fields.bytes ?? Uint8Array.of(1, 2, 3, 4, 5);
  const lengths = { at: 0, len: bytes.length, originalLen: bytes.length };
  const rest = { outgoing: false, packetId: 0, dropped: 0, comment: undefined };
  return { interface: 0, timeHigh: 0, timeLow: 0, bytes, ...lengths, ...rest, ...fields };
}

/** What was written, as our reader sees it, without the section header. Fails when it finds damage. */
async function written(encode: (w: PcapngWriter) => void): Promise<readonly CaptureRecord[]> {
  const w = new PcapngWriter(about);
  encode(w);
  const { records, error } = await readBytes(w.take().slice());
  expect(error).toBeUndefined();
  return records.slice(1);
}

async function writtenPacket(fields: Partial<WrittenPacket>) {
  const records = await written((w) => {
    w.addInterface(eth0);
    w.packet(packet(fields));
  });
  const record = records[1]!;
  if (record.kind !== 'packet') throw new Error(`found ${record.kind}`);
  return record;
}

describe('a section', () => {
  test('begins with who wrote it', async () => {
    const w = new PcapngWriter({ application: 'podwire 1', system: 'Linux 6.18', hardware: 'x64' });
    const { records } = await readBytes(w.take().slice());
    const expected = { application: 'podwire 1', system: 'Linux 6.18', hardware: 'x64', comments: [] };
    expect(records).toEqual([{ kind: 'section', section: 0, ...expected }]);
  });

  test('equals, byte by byte, what the slow way makes', () => {
    const slow = new Writer(true);
    const end = slow.option(0);
    const w = new PcapngWriter({ application: 'p', system: 'sys' });
    const section = w.take().slice();
    // What was in the memory before must not show.
    const before = w.addInterface(eth0);
    w.packet(packet({ bytes: new Uint8Array(3000).fill(FILL), comment: new Uint8Array(3000).fill(FILL) }));
    w.take();
    expect([before, w.addInterface({ name: 'a', description: 'bc' })]).toEqual([0, 1]);
    w.packet(packet({ timeHigh: 1, timeLow: 2, originalLen: 9, comment: utf8('why'), packetId: 5, dropped: 7 }));
    w.packet(packet({ outgoing: true, len: 4 }));
    w.addNames([{ address: parseAddress('10.1.0.2')!, names: ['a', 'bc'] }]);
    w.statistics({ interface: 0, timeHigh: 3, timeLow: 4, received: 2 ** 33, dropped: 1 });
    const options = (flags: number) => slow.option(2, slow.u32(flags));
    const counts = [slow.option(4, slow.number(7, 8)), slow.option(5, slow.number(5, 8)), slow.option(1, 'why')];
    const expected = joined(
      slow.section([slow.option(3, 'sys'), slow.option(4, 'p'), end]),
      slow.interface(1, 262_144, [slow.option(2, 'a'), slow.option(3, 'bc'), slow.option(9, Uint8Array.of(9)), end]),
      slow.packet(0, (1n << 32n) + 2n, Uint8Array.of(1, 2, 3, 4, 5), [options(1), ...counts, end], 4),
      slow.packet(0, 0n, Uint8Array.of(1, 2, 3, 4), [options(2), end], 1),
      slow.block(4, slow.option(1, joined(Uint8Array.of(10, 1, 0, 2), utf8('a\0bc\0'))), end),
      slow.block(5, slow.u32(0), slow.time((3n << 32n) + 4n), ...counted(slow), end),
    );
    expect(Buffer.from(joined(section, w.take())).toString('hex')).toBe(Buffer.from(expected).toString('hex'));
  });

  function counted(slow: Writer): Uint8Array[] {
    return [slow.option(4, slow.number(2n ** 33n, 8)), slow.option(5, slow.number(1, 8))];
  }

  test('has interfaces of one link type and one snapshot length, as libpcap demands', async () => {
    const records = await written((w) => {
      expect(w.addInterface(eth0)).toBe(0);
      expect(w.addInterface({ name: 'uplink', description: '' })).toBe(1);
    });
    const same = { section: 0, linkType: 1, snapLen: 262_144, fcsLen: undefined, comments: [] };
    expect(records).toEqual([
      { kind: 'interface', interface: { id: 0, ...eth0, ...same } },
      { kind: 'interface', interface: { id: 1, name: 'uplink', description: undefined, ...same } },
    ]);
  });

  test('never has a packet or statistics of an interface that it has not', () => {
    const w = new PcapngWriter(about);
    w.addInterface(eth0);
    expect(() => w.packet(packet({ interface: 1 }))).toThrow('interface 1 of 1');
    const statistics = { timeHigh: 0, timeLow: 0, received: 0, dropped: 0 };
    expect(() => w.statistics({ interface: 1, ...statistics })).toThrow('interface 1 of 1');
  });
});

// A byte order mark in front is no text to a TextDecoder.
const anyText = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replace(/^\ufeff+/, ''));
const textOf = fc.oneof(anyText, fc.constantFrom('', 'é', '🦊', 'pod a/b'));
const anyPacket = fc.record({
  interface: fc.integer({ min: 0, max: 2 }),
  ns: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.integer({ min: 0, max: 70_000 }).map((len) => Uint8Array.from({ length: len }, (_, i) => i * 7)),
  ),
  headroom: fc.integer({ min: 0, max: 9 }),
  cut: fc.integer({ min: 0, max: 70_000 }),
  outgoing: fc.boolean(),
  packetId: fc.oneof(fc.constant(0), fc.maxSafeNat()),
  dropped: fc.oneof(fc.constant(0), fc.maxSafeNat()),
  comment: fc.option(textOf, { nil: undefined }),
});

/** What a reader makes of a text: a zero would have ended it, and an empty one is not there. */
function readable(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text.replaceAll('\0', '\ufffd');
}

test('any packets of any interfaces come back as they were', async () => {
  const interfaces = fc.array(fc.record({ name: textOf, description: textOf }), { minLength: 3, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(
      interfaces,
      fc.array(anyPacket, { maxLength: 20 }),
      fc.boolean(),
      async (ports, packets, taken) => {
        const w = new PcapngWriter(about);
        const parts: Uint8Array[] = [];
        for (const port of ports) w.addInterface(port);
        for (const { ns, bytes, headroom, cut, comment, ...rest } of packets) {
          const arena = new Uint8Array(bytes.length + headroom + 5).fill(FILL);
          arena.set(bytes, headroom);
          const lengths = { bytes: arena, at: headroom, len: bytes.length, originalLen: bytes.length + cut };
          const text = comment === undefined ? undefined : utf8(readable(comment) ?? '');
          w.packet({ ...packet(), ...rest, ...time(ns), ...lengths, comment: text });
          // The memory is used again: an old packet must not show.
          if (taken) parts.push(w.take().slice());
        }
        parts.push(w.take().slice());
        const { records, packets: read, error } = await readBytes(joined(...parts));
        expect(error).toBeUndefined();
        const known = records.flatMap((record) => (record.kind === 'interface' ? [record.interface] : []));
        expect(known.map(({ name, description }) => ({ name, description }))).toEqual(
          ports.map(({ name, description }) => ({ name: readable(name), description: readable(description) })),
        );
        expect(read).toHaveLength(packets.length);
        for (const [i, one] of packets.entries()) {
          const { options, bytes: found, ...rest } = read[i]!;
          expect(Buffer.compare(found, one.bytes)).toBe(0);
          const comment = readable(one.comment);
          expect(rest).toEqual({
            kind: 'packet',
            interface: known[one.interface],
            timeNs: one.ns,
            originalLen: one.bytes.length + one.cut,
            comments: comment === undefined ? [] : [comment],
            flags: one.outgoing ? 2 : 1,
          });
          const number = (code: number) => options.find((option) => option.code === code)?.bytes;
          const bytes = (value: number) => (value === 0 ? undefined : new Writer(true).number(value, 8));
          expect([number(4), number(5)]).toEqual([bytes(one.dropped), bytes(one.packetId)]);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('packets that differ in their bytes alone, or in one other field, each come back as they were', async () => {
  const comment = utf8('a comment');
  const like = { timeHigh: 1, timeLow: 2, comment, packetId: 7, originalLen: 900 };
  const bytes = (first: number, len = 6) => Uint8Array.from({ length: len }, (_, i) => first + i);
  const rows: (Partial<WrittenPacket> | 'take' | 'interface' | 'names' | 'statistics')[] = [
    ...[1, 2, 3].map((first) => ({ ...like, bytes: bytes(first) })),
    'take',
    { ...like, bytes: bytes(4) },
    'interface',
    { ...like, bytes: bytes(5) },
    'names',
    { ...like, bytes: bytes(6) },
    'statistics',
    ...[7, 8].map((first) => ({ ...like, bytes: bytes(first) })),
    { ...like, bytes: bytes(9, 7) },
    { ...like, bytes: bytes(10, 300) },
    { ...like, bytes: bytes(11, 300) },
    ...[
      { originalLen: 901 },
      { timeLow: 3 },
      { timeHigh: 2 },
      { outgoing: true },
      { packetId: 8 },
      { dropped: 3 },
      { comment: utf8('another') },
      { interface: 1 },
    ].flatMap((other, i) => [
      { ...like, bytes: bytes(12 + i) },
      { ...like, bytes: bytes(12 + i), ...other },
    ]),
  ];
  const w = new PcapngWriter(about);
  w.addInterface(eth0);
  const parts: Uint8Array[] = [];
  for (const row of rows) {
    if (row === 'take') parts.push(w.take().slice());
    else if (row === 'interface') w.addInterface(eth0);
    else if (row === 'names') w.addNames([{ address: Int32Array.of(0, 0, 0xffff, 1), names: ['one'] }]);
    else if (row === 'statistics') w.statistics({ interface: 0, timeHigh: 0, timeLow: 0, received: 1, dropped: 0 });
    else w.packet(packet(row));
  }
  const { packets, error } = await readBytes(joined(...parts, w.take()));
  expect(error).toBeUndefined();
  const told = rows.flatMap((row) => (typeof row === 'string' ? [] : [packet(row)]));
  expect(
    packets.map(({ bytes: found, originalLen, timeNs, flags, comments }) => [
      ...found,
      originalLen,
      timeNs,
      flags,
      comments,
    ]),
  ).toEqual(
    told.map((one) => [
      ...one.bytes,
      one.originalLen,
      (BigInt(one.timeHigh) << 32n) | BigInt(one.timeLow),
      one.outgoing ? 2 : 1,
      [Buffer.from(one.comment!).toString()],
    ]),
  );
  const ids = packets.map(({ interface: from, options }) => [
    from.id,
    options.find(({ code }) => code === 5)!.bytes[0],
  ]);
  expect(ids).toEqual(told.map((one) => [one.interface, one.packetId]));
  expect(packets.filter(({ options }) => options.some(({ code }) => code === 4))).toHaveLength(1);
});

describe('texts', () => {
  test.each([
    ['of 65,535 bytes is whole', 'x'.repeat(65_535), 65_535],
    ['of 70,000 bytes is cut', 'x'.repeat(70_000), 65_535],
    ['is cut in front of a character of four bytes', `${'x'.repeat(65_532)}🦊`, 65_532],
    ['is cut behind one', `${'x'.repeat(65_531)}🦊x`, 65_535],
    ['is cut in front of one of two bytes', `${'x'.repeat(65_534)}é`, 65_534],
  ])('a comment, name or description %s', async (_, text, len) => {
    const expected = Buffer.from(utf8(text)).subarray(0, len).toString();
    expect((await writtenPacket({ comment: utf8(text) })).comments).toEqual([expected]);
    const [record] = await written((w) => w.addInterface({ name: text, description: text }));
    expect(record).toMatchObject({ kind: 'interface', interface: { name: expected, description: expected } });
  });

  test('an empty comment is none', async () => {
    expect((await writtenPacket({ comment: new Uint8Array(0) })).comments).toEqual([]);
  });

  test('a zero inside a name, and half a character, become U+FFFD', async () => {
    const [record] = await written((w) => w.addInterface({ name: 'a\0b', description: '\ud83e!' }));
    expect(record).toMatchObject({ interface: { name: 'a\ufffdb', description: '\ufffd!' } });
  });
});

test('a packet is cut at the snapshot length, and says how long it was', async () => {
  const bytes = new Uint8Array(262_200).fill(7);
  const read = await writtenPacket({ bytes });
  expect(read.bytes).toHaveLength(262_144);
  expect(read.originalLen).toBe(262_200);
});

test('what `take` gives is what came since the one before, and `length` its length', () => {
  const w = new PcapngWriter(about);
  expect(w.take().length).toBeGreaterThan(28);
  expect([w.length, w.take().length]).toEqual([0, 0]);
  w.addInterface(eth0);
  const { length } = w;
  expect(length).toBeGreaterThan(0);
  expect(w.take()).toHaveLength(length);
});

describe('names', () => {
  const entry = (address: string, ...names: string[]) => ({ address: parseAddress(address)!, names });

  test('of both families come back; addresses without a name are left out', async () => {
    const entries = [
      entry('10.1.0.2', 'a.default', 'a'),
      entry('fd00::1:2', 'a6'),
      entry('10.1.0.3'),
      entry('10.1.0.4', ''),
    ];
    expect(await written((w) => w.addNames(entries))).toEqual([
      {
        kind: 'names',
        entries: [
          { address: Uint8Array.from(addressBytes('10.1.0.2')), names: ['a.default', 'a'] },
          { address: Uint8Array.from(addressBytes('fd00::1:2')), names: ['a6'] },
        ],
      },
    ]);
  });

  test('none at all are no block', async () => {
    expect(await written((w) => w.addNames([]))).toEqual([]);
    expect(await written((w) => w.addNames([entry('::1')]))).toEqual([]);
  });

  test('a record holds as many as it can, one of 70,000 bytes cut', async () => {
    const long = '🦊'.repeat(17_500);
    const ascii = 'x'.repeat(70_000);
    const [record] = await written((w) =>
      w.addNames([entry('::1', long), entry('1.2.3.4', 'abc', long, 'd'), entry('::2', ascii)]),
    );
    if (record?.kind !== 'names') throw new Error('no names');
    expect(record.entries.map(({ names }) => names.map((name) => [...name].length))).toEqual([
      [(65_535 - 17) >> 2],
      [3],
      [65_535 - 17],
    ]);
    const zero = await written((w) => w.addNames([entry('::1', 'a\0b')]));
    expect(zero[0]).toMatchObject({ entries: [{ names: ['a\ufffdb'] }] });
  });

  test('100,000 of them are in blocks that any reader believes', async () => {
    const many = Array.from({ length: 100_000 }, (_, i) => entry(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 'x'));
    const records = await written((w) => w.addNames(many));
    const lengths = records.map((record) => (record.kind === 'names' ? record.entries.length : 0));
    expect(lengths.reduce((sum, count) => sum + count, 0)).toBe(100_000);
    expect(lengths.length).toBeGreaterThan(1);
  });
});

test('statistics come back', async () => {
  const counts = { received: Number.MAX_SAFE_INTEGER, dropped: 3 };
  const ns = 1_700_000_000_123_456_789n;
  const records = await written((w) => {
    w.addInterface(eth0);
    w.statistics({ interface: 0, ...time(ns), ...counts });
  });
  const expected = { timeNs: ns, received: BigInt(counts.received), dropped: 3n };
  expect(records[1]).toMatchObject({ kind: 'statistics', interface: { name: 'eth0' }, ...expected });
});

test('wholeBlocks finds the last end of a block, wherever it is cut', () => {
  const w = new PcapngWriter(about);
  const ends = [0, w.length];
  w.addInterface(eth0);
  ends.push(w.length);
  for (const len of [0, 1, 5]) {
    w.packet(packet({ bytes: new Uint8Array(len) }));
    ends.push(w.length);
  }
  const bytes = w.take();
  for (let count = 0; count <= bytes.length; count++) {
    const expected = ends.findLast((end) => end <= count);
    expect(wholeBlocks(bytes, count), `${count}`).toBe(expected);
  }
  expect(wholeBlocks(new Uint8Array(64), 64)).toBe(0);
});

const programs = missing('program:tshark', 'program:capinfos', 'program:editcap', 'program:tcpdump');

describe.skipIf(programs)(`other programs (needs ${programs ?? 'nothing'})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-writer-'));
  const path = join(folder, 'three.pcapng');
  const ns = 1_700_000_000_123_456_789n;
  const run = (program: string, ...words: string[]) =>
    execFileSync(program, words, { encoding: 'utf8', stdio: 'pipe' });
  const frame = () => {
    const pkt = newPacket();
    writeFrame(pkt, { protocol: 'udp', destinationPort: 9999, payload: 40 }); // from 10.1.0.2 to 10.1.1.5
    return { bytes: new Uint8Array(pkt.view.buffer), at: pkt.at, len: pkt.len, originalLen: pkt.len };
  };

  beforeAll(() => {
    const w = new PcapngWriter({ application: 'podwire 1', system: 'Linux', hardware: 'x64' });
    for (const name of ['a', 'node n1', 'underlay 🦊']) w.addInterface({ name, description: `what ${name} is` });
    w.addNames([
      { address: parseAddress('10.1.0.2')!, names: ['client.default'] },
      { address: parseAddress('10.1.1.5')!, names: ['other', 'server.default'] },
      { address: parseAddress('fd00::1')!, names: ['six'] },
    ]);
    const one = frame();
    w.packet(packet({ ...one, ...time(ns), comment: utf8('forwarded é 🦊'), packetId: 77 }));
    w.packet(packet({ ...one, ...time(ns + 1n), interface: 1, outgoing: true, len: 60, dropped: 3 }));
    w.packet(packet({ ...one, ...time(ns + 2n), interface: 2, comment: utf8('x'.repeat(70_000)) }));
    w.statistics({ interface: 1, ...time(ns + 3n), received: 5, dropped: 4 });
    writeFileSync(path, w.take());
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('tshark sees every field', () => {
    const columns = 'interface_name interface_description packet_flags_direction time_epoch len cap_len comment';
    const words = `${columns} packet_id drop_count`.split(' ').flatMap((column) => ['-e', `frame.${column}`]);
    const shown = run('tshark', '-n', '-r', path, '-T', 'fields', '-E', 'separator=|', ...words);
    const { len } = frame();
    expect(
      shown
        .replace(/x{2,}/, (comment) => `${comment.length}`)
        .trimEnd()
        .split('\n'),
    ).toEqual([
      `a|what a is|0x00000001|1700000000.123456789|${len}|${len}|forwarded é 🦊|77|`,
      `node n1|what node n1 is|0x00000002|1700000000.123456790|${len}|60|||3`,
      `underlay 🦊|what underlay 🦊 is|0x00000001|1700000000.123456791|${len}|${len}|65535||`,
    ]);
  });

  test('tshark shows names in the place of addresses, without asking anybody', () => {
    // Names from captures only; of several it takes the last.
    const shown = run('tshark', '-N', 'nd', '-r', path, '-T', 'fields', '-e', 'ip.src_host', '-e', 'ip.dst_host');
    expect(shown.split('\n')[0]).toBe('client.default\tserver.default');
  });

  test('capinfos finds who wrote it, interfaces and statistics', () => {
    const found = run('capinfos', '-M', path);
    for (const line of [
      /Number of packets: +3$/m,
      /Number of interfaces in file: +3$/m,
      /Capture application: +podwire 1$/m,
      /Capture oper-sys: +Linux$/m,
      /Capture hardware: +x64$/m,
      /Time precision = nanoseconds/m,
      /Capture length = 262144/m,
      /Number of stat entries = 1/m,
    ]) {
      expect(found).toMatch(line);
    }
    expect(found).toMatch(/Strict time order: +True$/m);
  });

  test('editcap makes a pcap file of it', () => {
    const converted = join(folder, 'three.pcap');
    run('editcap', '-F', 'pcap', path, converted);
    expect(run('tcpdump', '--count', '-r', converted)).toContain('3 packets');
  });

  test('tcpdump reads three interfaces', () => {
    const shown = run('tcpdump', '-n', '-r', path);
    expect(shown.trimEnd().split('\n')).toHaveLength(3);
    expect(shown).toContain('10.1.0.2.40000 > 10.1.1.5.9999: UDP');
  });
});
