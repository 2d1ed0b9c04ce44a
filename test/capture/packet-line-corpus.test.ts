/** Every Ethernet frame of the corpus as a line, and in the words of tshark. */
import { beforeAll, describe, expect, test } from 'vitest';
import { type FrameSummary, summarizeFrame } from '../../src/capture/frame-summary.ts';
import { packetLine } from '../../src/capture/packet-line.ts';
import { readCaptureFile } from '../../src/capture/read-capture.ts';
import { LinkType } from '../../src/capture/records.ts';
import { formatAddress, parseAddress } from '../../src/wire/address.ts';
import { ipv4SourceRouted } from '../../src/wire/ipv4.ts';
import { missing } from '../support/requires.ts';
import { outcomeOf } from './build.ts';
import { type CorpusFile, corpusFiles, type ExpectedFrame } from './corpus.ts';

/** The outermost value of a column, where tshark has one. */
function first(frame: ExpectedFrame, column: string): string {
  return frame[column]!.split('|')[0]!;
}

function normal(address: string): string {
  const words = parseAddress(address);
  return words === undefined ? address : formatAddress(words);
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function l3At({ vlans }: FrameSummary): number {
  return 14 + vlans.length * 4;
}

/** What both know of a frame; undefined where tshark is about something else. */
function ours({ ip }: FrameSummary): string[] {
  if (ip === undefined) return [];
  const { transport, version, protocol } = ip;
  const words = [
    `v${version}`,
    normal(ip.source.replace('::ffff:', '')),
    normal(ip.destination.replace('::ffff:', '')),
  ];
  if (version === 4) words.push(`protocol ${protocol}`);
  if (transport === undefined || transport.kind === 'ports') return words;
  if (transport.kind === 'icmp') return [...words, `icmp ${transport.type} ${transport.code}`];
  words.push(transport.kind, `${transport.sourcePort}`, `${transport.destinationPort}`);
  if (transport.kind !== 'tcp') return words;
  const { flags, sequence, acknowledgment, window } = transport;
  return [...words, `${flags}`, `${sequence}`, `${acknowledgment}`, `${window}`];
}

/** @param like how much there is to say. */
function theirs(frame: ExpectedFrame, { ip }: FrameSummary): string[] {
  if (ip === undefined) return [];
  const { version, transport } = ip;
  const layer = version === 4 ? 'ip' : 'ipv6';
  const words = [`v${version}`, normal(first(frame, `${layer}.src`)), normal(first(frame, `${layer}.dst`))];
  if (version === 4) words.push(`protocol ${first(frame, 'ip.proto')}`);
  if (transport === undefined || transport.kind === 'ports') return words;
  if (transport.kind === 'icmp') {
    const name = version === 4 ? 'icmp' : 'icmpv6';
    return [...words, `icmp ${first(frame, `${name}.type`)} ${first(frame, `${name}.code`)}`];
  }
  const { kind } = transport;
  words.push(kind, first(frame, `${kind}.srcport`), first(frame, `${kind}.dstport`));
  if (kind !== 'tcp') return words;
  const flags = Number(first(frame, 'tcp.flags')) & 255;
  const numbers = ['tcp.seq_raw', 'tcp.ack_raw', 'tcp.window_size_value'].map((column) => first(frame, column));
  return [...words, `${flags}`, ...numbers];
}

describe.skipIf(missing('testdata'))('corpus (needs PODWIRE_TESTDATA)', () => {
  const read: { file: CorpusFile; frame: ExpectedFrame; bytes: Uint8Array; wireLen: number }[] = [];

  beforeAll(async () => {
    for (const file of corpusFiles()) {
      const { packets } = await outcomeOf(readCaptureFile(file.path));
      for (const [i, frame] of file.frames.entries()) {
        const packet = packets[i];
        if (packet === undefined || packet.interface.linkType !== LinkType.Ethernet) continue;
        read.push({ file, frame, bytes: packet.bytes, wireLen: packet.originalLen });
      }
    }
  });

  test('every frame of the corpus is one line of printable characters', () => {
    expect(read.length).toBeGreaterThan(20_000);
    for (const { bytes, wireLen } of read) expect(packetLine(bytes, 0, bytes.length, wireLen)).toMatch(/^[ -~]+$/);
  });

  test('tshark reads the same addresses, protocols, ports, flags and numbers', () => {
    let compared = 0;
    const differ: string[] = [];
    for (const { file, frame, bytes, wireLen } of read) {
      if (!/^eth:ethertype:(vlan:ethertype:)*(ip|ipv6)(:|$)/.test(frame['frame.protocols']!)) continue;
      const summary = summarizeFrame(bytes, 0, bytes.length, wireLen);
      if (summary.fault !== undefined || frame['_ws.malformed'] !== '') continue;
      // tshark shows the end of a source route as the destination.
      if (summary.ip?.version === 4 && ipv4SourceRouted(viewOf(bytes), l3At(summary))) continue;
      compared++;
      const [a, b] = [ours(summary).join(' '), theirs(frame, summary).join(' ')];
      if (a !== b) differ.push(`${file.file} ${frame['frame.number']}: ${a} and ${b}`);
    }
    expect(differ).toEqual([]);
    expect(compared).toBeGreaterThan(15_000);
  });
});
