/** Every file of the corpus, against what Wireshark's library and libpcap read in it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readCaptureFile } from '../../src/capture/read-capture.ts';
import type { PacketRecord } from '../../src/capture/records.ts';
import { missing } from '../support/requires.ts';
import { type Outcome, outcomeOf } from './build.ts';
import { type CorpusFile, corpusFiles, corpusFolder, type ExpectedFrame } from './corpus.ts';

const FILES_MIN = 1600;
/** tshark takes the four bytes in front of each ATM packet off (LINKTYPE_SUNATM); here they are part of the packet. */
const LINKTYPE_SUNATM = 123;
const ATM_HEADER_LEN = 4;
const ENCAPSULATION_ETHERNET = '1';
/** Cisco's ISL and FabricPath have frames inside frames: tshark shows the inner addresses. */
const plainEthernet = /^eth:(?!(?:.*:)?eth:)/;
/** Fractions of a second or more: added to the seconds here, shown as they stand by tshark, with overflows. */
const fractions = [
  'atm-oam-loopback-print-overrun',
  'rx_serviceid_oobr',
  'timestamp_invalid_micro',
  'timestamp_invalid_nano',
];
/** Files that are damaged, or of a version that does not exist, and what is said about them. */
const refusals: Readonly<Record<string, string>> = {
  'gopacket/pcapgo__tests__be__test901.pcapng': 'byte 492: expected pcapng version 1.0, found 2.0',
  'gopacket/pcapgo__tests__le__test901.pcapng': 'byte 492: expected pcapng version 1.0, found 2.0',
  'libpcap/linktype-reserved-field-not-zero.pcap': 'byte 20: expected a link type with zero',
  'libpcap/pcap-invalid-version-1.pcap': 'byte 4: expected pcap version 2, found version 1.4',
  'libpcap/pcapng-invalid-vers-1.pcapng': 'byte 12: expected pcapng version 1.0, found 0.1',
  'libpcap/pcapng-invalid-vers-2.pcapng': 'byte 12: expected pcapng version 1.0, found 1.1',
  'libpcap/shb-option-too-long.pcapng': "byte 48: expected the block's length again, 52",
};
const unknownLinkType = /network type \d+ unknown/;
const SECONDS_2038 = 1n << 31n;

type Read = CorpusFile & Outcome;
let all: Read[] = [];

function headerLen({ interface: { linkType } }: PacketRecord): number {
  return linkType === LINKTYPE_SUNATM ? ATM_HEADER_LEN : 0;
}

/** What tshark would say of a packet, as far as a reader of files knows: lengths, and the first bytes of Ethernet. */
function inWords(packet: PacketRecord, like: ExpectedFrame): ExpectedFrame {
  const skip = headerLen(packet);
  const hex = Buffer.from(packet.bytes.subarray(0, 12)).toString('hex');
  const macs = hex.match(/../g) ?? [];
  const ethernet =
    like['frame.encap_type'] === ENCAPSULATION_ETHERNET &&
    plainEthernet.test(like['frame.protocols']!) &&
    packet.bytes.length >= 12;
  return {
    'frame.cap_len': `${packet.bytes.length - skip}`,
    'frame.len': `${packet.originalLen - skip}`,
    'eth.dst': ethernet ? macs.slice(0, 6).join(':') : '',
    'eth.src': ethernet ? macs.slice(6).join(':') : '',
  };
}

function expectedWords(frame: ExpectedFrame, packet: PacketRecord): ExpectedFrame {
  const first = (column: string) => frame[column]!.split('|')[0]!;
  const ours = inWords(packet, frame);
  const silent = (column: string) => (first(column) === '' ? ours[column]! : first(column)); // a dissector that gave up
  const ethernet = ours['eth.dst'] !== '';
  return {
    'frame.cap_len': frame['frame.cap_len']!,
    'frame.len': frame['frame.len']!,
    'eth.dst': ethernet ? silent('eth.dst') : '',
    'eth.src': ethernet ? silent('eth.src') : '',
  };
}

describe.skipIf(missing('testdata'))('corpus (needs PODWIRE_TESTDATA)', () => {
  beforeAll(async () => {
    all = [];
    for (const file of corpusFiles()) all.push({ ...file, ...(await outcomeOf(readCaptureFile(file.path))) });
  });

  test('is there', () => expect(all.length).toBeGreaterThan(FILES_MIN));

  test('what is damaged, and nothing else, ends with an error that says where', () => {
    const said = all.filter(({ error }) => error !== undefined).map(({ file, error }) => [file, error!.message]);
    expect(said.map(([file]) => file).sort()).toEqual(Object.keys(refusals).sort());
    for (const [file, message] of said) expect(message).toContain(`${file}: ${refusals[file!]!}`);
  });

  test('is read by tshark where it is read here, but for link types that tshark does not know', () => {
    const differ = all.filter(({ refused, error }) => (refused === '') !== (error === undefined));
    expect(differ.filter(({ refused }) => !unknownLinkType.test(refused))).toEqual([]);
  });

  test('has as many packets as for tshark, each of the same lengths and with the same addresses', () => {
    let compared = 0;
    let ethernet = 0;
    for (const { file, packets, counted, frames, complete, refused } of all) {
      if (unknownLinkType.test(refused)) continue;
      if (complete) expect(packets.length, file).toBe(frames.length);
      if (refused === '') expect(packets.length, file).toBe(counted);
      for (const [i, frame] of frames.entries()) {
        const ours = inWords(packets[i]!, frame);
        if (ours['eth.dst'] !== '') ethernet++;
        compared++;
        expect(ours, `${file} ${i}`).toEqual(expectedWords(frame, packets[i]!));
      }
    }
    expect(compared).toBeGreaterThan(30_000);
    expect(ethernet).toBeGreaterThan(20_000);
  });

  test.skipIf(missing('program:tcpdump'))('has as many packets as for tcpdump, where tshark does not know', () => {
    const unknown = all.filter(({ refused }) => unknownLinkType.test(refused));
    expect(unknown.length).toBeGreaterThan(10);
    for (const { file, path, packets } of unknown) {
      const counted = execFileSync('tcpdump', ['--count', '-r', path], { encoding: 'utf8', stdio: 'pipe' });
      expect(`${packets.length} packet${packets.length === 1 ? '' : 's'}`, file).toBe(counted.trim());
    }
  });

  test.skipIf(missing('program:capinfos'))('has as many packets and bytes, and the same times, as for capinfos', () => {
    const readable = all.filter(({ refused }) => refused === '');
    const options = ['-T', '-r', '-M', '-b', '-c', '-d', '-a', '-e', '-S', '-N'];
    const lines = execFileSync('capinfos', [...options, ...readable.map(({ file }) => file)], {
      cwd: corpusFolder,
      encoding: 'utf8',
      maxBuffer: 1 << 24,
    });
    const rows = lines
      .trim()
      .split('\n')
      .map((line) => line.split(' '));
    expect(rows.length).toBe(readable.length);
    for (const [i, [file = '', count, bytes, first = '', last = '']] of rows.entries()) {
      const times = timesLike(readable[i]!, first, last);
      expect([file, count, bytes, first, last]).toEqual([...countsOf(readable[i]!), ...times]);
    }
  });

  test.skipIf(missing('program:editcap'))(
    'pcapng has the same bytes and times as pcap that editcap makes of it',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'podwire-'));
      try {
        let compared = 0;
        for (const { file, path, packets } of all.filter(convertible)) {
          const out = join(folder, 'out.pcap');
          execFileSync('editcap', ['-F', 'nsecpcap', path, out], { stdio: 'pipe' });
          const converted = await outcomeOf(readCaptureFile(out));
          expect(converted.error, file).toBeUndefined();
          expect(converted.packets.map(comparable), file).toEqual(packets.map(comparable));
          compared += packets.length;
        }
        expect(compared).toBeGreaterThan(3000);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});

function countsOf({ file, packets }: Read): string[] {
  const bytes = packets.reduce((sum, packet) => sum + packet.originalLen - headerLen(packet), 0);
  return [file, `${packets.length}`, `${bytes}`];
}

/** The first and the last time, with as many digits as capinfos has; `n/a` where a packet has none. */
function timesLike({ file, packets }: Read, ...likes: readonly string[]): string[] {
  const times = packets.map(({ timeNs }) => timeNs);
  if (times.length === 0 || times.includes(undefined)) return likes.map(() => 'n/a');
  // capinfos compares seconds as 32-bit numbers: it does not find the first of times that are far apart.
  if (fractions.some((name) => file.includes(name)) || times.some((time) => time! >= SECONDS_2038 * 1_000_000_000n))
    return [...likes];
  const sorted = (times as bigint[]).sort((a, b) => (a < b ? -1 : 1));
  return likes.map((like, i) => {
    const digits = like.split('.')[1]?.length ?? 0;
    const time = i === 0 ? sorted[0]! : sorted.at(-1)!;
    const fraction = `${time % 1_000_000_000n}`.padStart(9, '0').slice(0, digits);
    return `${time / 1_000_000_000n}${digits > 0 ? `.${fraction}` : ''}`;
  });
}

/** One link type for all packets, times that pcap can hold, no blocks of other types (editcap refuses those). */
function convertible({ bytes, records, packets, error }: Read): boolean {
  if (error !== undefined || bytes.readUInt32LE(0) !== 0x0a0d0d0a || packets.length === 0) return false;
  if (records.some(({ kind }) => kind === 'other')) return false;
  const types = new Set(records.flatMap((record) => (record.kind === 'interface' ? [record.interface.linkType] : [])));
  return types.size === 1 && packets.every(({ timeNs = -1n }) => timeNs >= 0n && timeNs < 1n << 61n);
}

function comparable({ timeNs, originalLen, bytes }: PacketRecord): string {
  return `${timeNs} ${originalLen} ${Buffer.from(bytes).toString('hex')}`;
}
