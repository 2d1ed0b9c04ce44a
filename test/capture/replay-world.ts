/** Packets through `ReplayCapture`, and the file that comes of it, read back. */

import { expect } from 'vitest';
import { PcapngWriter } from '../../src/capture/pcapng-writer.ts';
import type { PacketRecord } from '../../src/capture/records.ts';
import { ReplayCapture, type ReplayPair, type ReplaySettings } from '../../src/capture/replay-capture.ts';
import { findHop, replayHops } from '../../src/capture/replay-hops.ts';
import { readManifests } from '../../src/cluster/manifests.ts';
import { type ClusterPlan, planCluster } from '../../src/cluster/plan.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { clusterManifest } from '../system/worlds.ts';
import { readBytes } from './build.ts';

/** a 10.244.0.2, fd00:10:244::2 on n1 and b 10.244.1.2, fd00:10:244:1::2 on n2: what `podwire replay` has by default. */
const twoPods: ClusterPlan = planOf(
  clusterManifest(2, [
    { name: 'a', node: 'n1' },
    { name: 'b', node: 'n2' },
  ]),
);
export const a = { v4: '10.244.0.2', v6: 'fd00:10:244::2' } as const;
export const b = { v4: '10.244.1.2', v6: 'fd00:10:244:1::2' } as const;

export function planOf(text: string): ClusterPlan {
  return planCluster(readManifests([{ file: 'test', text }]));
}

export interface Setting {
  readonly plan?: ClusterPlan;
  /** A hop, or `auto`. */
  readonly at?: string;
  /** Address of the capture → hop. */
  readonly map?: Readonly<Record<string, string>>;
  readonly keepMacs?: boolean;
  readonly seed?: number;
}

function settingsOf({ plan = twoPods, at = 'pod/default/a', map = {}, keepMacs = false, seed = 1 }: Setting) {
  const { places, underlays } = replayHops(plan);
  const pairs = Object.entries(map).map(([address, hop]): ReplayPair => {
    const place = findHop(places, hop);
    return { address, place, becomes: place.addresses.find((own) => own.includes(':') === address.includes(':'))! };
  });
  const hop = at === 'auto' ? undefined : findHop([...places, ...underlays], at);
  return { plan, at: hop, map: pairs, keepMacs, seed } satisfies ReplaySettings;
}

/** One packet of the file that came out. */
export interface Row {
  /** Number in the input of the packet that caused it; 0 for time. */
  readonly id: number;
  readonly hop: string;
  readonly comment: string;
  readonly timeNs: bigint;
  readonly bytes: Uint8Array;
  readonly originalLen: number;
}

export interface Replayed {
  readonly capture: ReplayCapture;
  readonly bytes: Uint8Array;
  readonly rows: readonly Row[];
}

const PACKET_ID = 5;

export async function replayed(packets: Iterable<PacketRecord>, setting: Setting = {}): Promise<Replayed> {
  const output = new PcapngWriter({ application: 'test' });
  const capture = new ReplayCapture(settingsOf(setting), output);
  for (const packet of packets) capture.packet(packet);
  capture.end();
  const bytes = output.take().slice();
  const { packets: written, error } = await readBytes(bytes);
  if (error !== undefined) throw error;
  const rows = written.map((record) => {
    const id = record.options.find(({ code }) => code === PACKET_ID)?.bytes ?? new Uint8Array(8);
    return {
      id: Number(new DataView(id.buffer, id.byteOffset).getBigUint64(0, true)),
      hop: record.interface.name!,
      comment: record.comments.join('\n'),
      timeNs: record.timeNs!,
      bytes: record.bytes,
      originalLen: record.originalLen,
    };
  });
  return { capture, bytes, rows };
}

export interface RecordSpec {
  readonly ms?: number;
  readonly timeNs?: bigint | undefined;
  readonly originalLen?: number;
  readonly linkType?: number;
}

/** 2023-11-14T22:13:20Z. */
export const START_NS = 1_700_000_000_000_000_000n;

export function record(bytes: Uint8Array, spec: RecordSpec = {}): PacketRecord {
  const { ms = 0, originalLen = bytes.length, linkType = 1 } = spec;
  const nothing = { name: undefined, description: undefined, comments: [], fcsLen: undefined };
  return {
    kind: 'packet',
    interface: { id: 0, section: 0, linkType, snapLen: 0, ...nothing },
    timeNs: 'timeNs' in spec ? spec.timeNs : START_NS + BigInt(ms) * 1_000_000n,
    originalLen,
    bytes,
    comments: [],
    flags: undefined,
    options: [],
  };
}

export const SYN = 2;
export const ACK = 0x10;
export const FROM_A = { source: a.v4, destination: b.v4 } as const;
/** Hops of a packet from a to b. */
export const PATH = ['pod/default/a', 'node/n1:underlay', 'node/n2:underlay', 'pod/default/b'];

/** Frames a second apart. */
export function replayedFrames(specs: readonly FrameSpec[], setting: Setting = {}): Promise<Replayed> {
  return replayed(
    specs.map((spec, i) => record(buildFrame(spec), { ms: 1000 * i })),
    setting,
  );
}

/** Without what a reason means and where to look. */
export function lines({ rows }: Replayed): string[] {
  return rows.map(({ id, hop, comment }) => `${id} ${hop}: ${comment.replace(/ \| [A-Z][^|]*\| look: .*/, '')}`);
}

/** Nothing was lost, and every packet is in the file. */
export function counts({ capture: { read, fed, written, unfed, fates, lost } }: Replayed) {
  const { forwarded, held, answered } = fates;
  const [dropped, consumed, why] = [fates.dropped, fates.consumed, unfed].map((map) => Object.fromEntries(map));
  expect(lost).toBe(0);
  expect(written).toBeGreaterThanOrEqual(read);
  return { read, fed, forwarded, held, answered, dropped, consumed, unfed: why };
}

/** Opened, and some data each way. */
export function conversation(client: string, server: string): FrameSpec[] {
  const there = { source: client, destination: server } as const;
  const back = { source: server, destination: client, sourcePort: 8080, destinationPort: 40_000 } as const;
  return [
    { ...there, flags: SYN, sequence: 1000, acknowledgment: 0 },
    { ...back, flags: SYN | ACK, sequence: 5000, acknowledgment: 1001 },
    { ...there, flags: ACK, sequence: 1001, acknowledgment: 5001 },
    { ...there, flags: ACK, sequence: 1001, acknowledgment: 5001, payload: 101 },
    { ...back, flags: ACK, sequence: 5001, acknowledgment: 1102, payload: 10 },
  ];
}
