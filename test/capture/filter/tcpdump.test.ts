/** tcpdump's verdicts on every Ethernet frame of the corpus, and ours. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileFilter } from '../../../src/capture/filter/compile-filter.ts';
import { readCaptureFile } from '../../../src/capture/read-capture.ts';
import { LinkType } from '../../../src/capture/records.ts';
import { joined } from '../../support/frames.ts';
import { missing } from '../../support/requires.ts';
import { outcomeOf, readBytes, Writer } from '../build.ts';
import { corpusFolder } from '../corpus.ts';
import { plain, runOn } from './filtering.ts';

const FRAMES_MIN = 20_000;
const PCAP_MAGIC = 0xa1b2c3d4;
const SNAPLEN = 262_144;

const expressions = [
  ...['ip', 'ip6', 'arp', 'rarp', 'tcp', 'udp', 'sctp', 'icmp', 'icmp6', 'igmp', 'not ip and not ip6', 'proto 47'],
  ...[
    'host 10.0.0.1',
    'src host 192.168.1.1 or dst host 192.168.1.2',
    'host 127.0.0.1',
    'not host 10.0.0.1',
    'host ::1',
  ],
  ...[
    'net 10',
    'src net 192.168.0.0/16',
    'net 172.16.0.0 mask 255.240.0.0',
    'net 0.0.0.0/0',
    'net 2001::/16',
    'net fe80::/10',
  ],
  ...[
    'port 53',
    'port 80 or 443',
    'tcp port 80',
    'udp src port 53',
    'dst port 443',
    'not port 53',
    'src and dst port 500',
  ],
  ...['portrange 1-1023', 'tcp portrange 1024-65535', 'tcp dst portrange 20-25 or port 179', 'sctp portrange 1-65535'],
  ...[
    'ether broadcast',
    'ether multicast',
    'ip multicast',
    'ip6 multicast',
    'ether host 00:00:00:00:00:00',
    'broadcast',
  ],
  ...['ether proto 0x8100', 'ether proto \\arp or 0x88cc', 'less 64', 'greater 1000', 'len > 100 and len <= 200'],
  ...['tcp and (port 80 or net 192.168) and not host 10.0.0.1', 'ip6 and udp or icmp', 'ip proto 6 or 132'],
  ...[
    'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src net 192.168.1',
    'ip[0] & 0xf != 5',
    'ip[6:2] & 0x1fff != 0 or arp',
  ],
  ...[
    'udp[4:2] > 512 or tcp[13] = 0x12 and port 80',
    'ether[12:2] < 1501',
    'ip6[6] = 44',
    'ah or esp or pim',
    'len & 1 = 1',
  ],
];

let frames: Uint8Array[] = [];
let folder = '';
const merged = () => join(folder, 'merged.pcap');

/** Ethernet frames of all files that are captures to their end or to some damage. */
async function corpusFrames(): Promise<Uint8Array[]> {
  const names = readdirSync(corpusFolder, { recursive: true, encoding: 'utf8' }).filter((name) => /cap/.test(name));
  const list: Uint8Array[] = [];
  for (const name of names.sort()) {
    if (/csv$/.test(name)) continue;
    const { packets } = await outcomeOf(readCaptureFile(join(corpusFolder, name))).catch(() => ({ packets: [] }));
    for (const packet of packets) if (packet.interface.linkType === LinkType.Ethernet) list.push(packet.bytes);
  }
  return list;
}

/** Numbers of the frames that tcpdump lets through: they are the seconds of its packets. */
async function tcpdumps(expression: string): Promise<number[]> {
  const options = ['-r', merged(), '-w', '-', ...(process.getuid?.() === 0 ? ['-Z', 'root'] : [])];
  const bytes = execFileSync('tcpdump', [...options, expression], { maxBuffer: 1 << 28, stdio: 'pipe' });
  const { packets, error } = await readBytes(bytes);
  expect(error).toBeUndefined();
  return packets.map(({ timeNs }) => Number(timeNs! / 1_000_000_000n));
}

describe.skipIf(missing('testdata', 'program:tcpdump'))('as tcpdump (needs PODWIRE_TESTDATA and tcpdump)', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podwire-'));
    frames = await corpusFrames();
    const w = new Writer(true);
    const records = frames.map((frame, i) => w.pcapRecord([i, 0, frame.length, frame.length], frame));
    writeFileSync(merged(), joined(w.pcapHeader(PCAP_MAGIC, LinkType.Ethernet, { snapLen: SNAPLEN }), ...records));
  }, 60_000);

  afterAll(() => {
    frames = [];
    rmSync(folder, { recursive: true, force: true });
  });

  test('the corpus is there', () => expect(frames.length).toBeGreaterThan(FRAMES_MIN));

  for (const expression of expressions) {
    test(expression, async () => {
      const program = await compileFilter(expression);
      const ours = frames.flatMap((bytes, i) => (runOn(program, plain(bytes)) ? [i] : []));
      expect(ours).toEqual(await tcpdumps(expression));
    });
  }
});
