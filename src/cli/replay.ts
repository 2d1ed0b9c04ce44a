/** A capture file through the pipeline, on a simulated cluster: nothing of this machine is touched. */
import { accessSync, constants, statSync } from 'node:fs';
import { type CaptureFile, DiskFull, openCaptureFile, ReaderGone } from '../capture/capture-file.ts';
import { PcapngWriter } from '../capture/pcapng-writer.ts';
import { readCapture, readCaptureFile } from '../capture/read-capture.ts';
import { CaptureError } from '../capture/records.ts';
import { ReplayCapture, type ReplayPair, type ReplaySettings } from '../capture/replay-capture.ts';
import { findHop, type ReplayPlace, replayHops } from '../capture/replay-hops.ts';
import { type ManifestText, readManifests } from '../cluster/manifests.ts';
import { planCluster } from '../cluster/plan.ts';
import { formatProblem } from '../cluster/source.ts';

import { Refusal } from '../vessel/refusal.ts';
import { formatAddress, isIpv4Words, parseAddress } from '../wire/address.ts';
import { readArguments, readCount, UsageError } from './arguments.ts';
import { readManifestPath } from './manifest-paths.ts';
import { formatTable } from './table.ts';

export const usage = `Usage: podwire replay IN --at HOP -w OUT [-f PATH]... [flags]

What would have become of the packets of a capture: they go through a simulated cluster at their own times, and OUT has
them at every hop, each with what became of it and why. The same input gives the same bytes. Needs no running cluster
and no rights.

  IN                     pcap or pcapng, perhaps gzip; - is standard input. A packet that was cut short is not replayed
      --at HOP           where packets come from: pod/NAMESPACE/NAME or node/N:host, as if that kernel had sent them;
                         node/N:underlay, VXLAN packets as they came from the network; or auto, see --map
  -w OUT                 a pcapng file; - is standard output. Packet ids are numbers of packets in IN
  -f, --filename PATH    manifests of the cluster (default: nodes n1 and n2, pod default/a on n1, default/b on n2)
      --map ADDRESS=HOP  ADDRESS in IN stands for this pod or host: where it is source or destination, also in quotes of
                         ICMP errors, the hop's address of that family is written in its place; checksums stay right,
                         or as wrong as they were. May be repeated. With --at auto each packet comes from the hop that
                         its source stands for, so a conversation runs both ways
      --macs hop|keep    hop: the hop's own source MAC, and its node's as destination unless that is a group (default);
                         keep: as captured
      --seed N           of hash tables and random ports (default: 1)
      --nodes N          how many nodes (default: what the Cluster document says, else 1)
      --mtu N            IP MTU of the underlay (default: 1500; pods get 50 less)

TCP and UDP checksums that hold the pseudo header's sum only, as captures on the sender show them, are taken for
unfinished ones, and TCP packets above the MTU with such a checksum for superframes. No connection lives longer than a
day without packets, so a longer gap between two packets passes as two days.

Exit status: 0 done, 1 IN was damaged (what was in front of the damage is in OUT), 2 wrong usage or input.
`;

const options = {
  at: { type: 'string' },
  write: { type: 'string', short: 'w' },
  filename: { type: 'string', short: 'f', multiple: true, default: [] as string[] },
  map: { type: 'string', multiple: true, default: [] as string[] },
  macs: { type: 'string', default: 'hop' },
  seed: { type: 'string' },
  nodes: { type: 'string' },
  mtu: { type: 'string' },
} as const;

const SEED = 1;
/** Bytes that are written at once. */
const BATCH_BYTES = 1 << 20;

const defaultCluster: ManifestText = {
  file: 'default cluster',
  text: `{apiVersion: podwire.dev/v1alpha1, kind: Cluster, nodes: [{role: worker}, {role: worker}]}
---
{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {nodeName: n1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {nodeName: n2}}
`,
};

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  const [input, ...rest] = positionals;
  const { at, write } = values;
  if (input === undefined || rest.length > 0) throw new UsageError('expected one capture file', usage);
  if (at === undefined) throw new UsageError('--at HOP is needed', usage);
  if (write === undefined) throw new UsageError('-w OUT is needed', usage);
  if (write.toLowerCase().endsWith('.pcap')) {
    throw new UsageError('a .pcap file has no room for what became of packets; call it .pcapng', usage);
  }
  const settings = readSettings(values, at);
  refuseInput(input, write);
  return await replay(input, settings, await openCaptureFile(write));
}

type Values = ReturnType<typeof readArguments<typeof options>>['values'];

function readSettings(values: Values, at: string): ReplaySettings {
  if (values.macs !== 'hop' && values.macs !== 'keep') {
    throw new UsageError(`--macs takes hop or keep, found "${values.macs}"`, usage);
  }
  const texts = values.filename.length === 0 ? [defaultCluster] : values.filename.flatMap(readManifestPath);
  const manifests = readManifests(texts);
  const nodes = readCount(values.nodes, '--nodes', usage);
  const plan = planCluster(manifests, { nodes, mtu: readCount(values.mtu, '--mtu', usage) });
  for (const note of manifests.notes) process.stderr.write(`${formatProblem(note)}\n`);
  const { places, underlays } = replayHops(plan);
  const map = readMap(values.map, places);
  const hop = at === 'auto' ? undefined : findHop([...places, ...underlays], at);
  if (hop === undefined && map.length === 0) throw new UsageError('--at auto needs --map ADDRESS=HOP', usage);
  if (hop !== undefined && !('port' in hop) && map.length > 0) {
    throw new UsageError(`--map does not reach into the tunnels at ${hop.name}`, usage);
  }
  const seed = readCount(values.seed, '--seed', usage) ?? SEED;
  return { plan, at: hop, map, keepMacs: values.macs === 'keep', seed };
}

function readMap(words: readonly string[], places: readonly ReplayPlace[]): ReplayPair[] {
  const seen = new Set<string>();
  return words.map((word) => {
    const equals = word.indexOf('=');
    const words = parseAddress(word.slice(0, Math.max(0, equals)));
    if (words === undefined) throw new UsageError(`--map takes ADDRESS=HOP, found "${word}"`, usage);
    const address = formatAddress(words);
    if (seen.has(address)) throw new UsageError(`--map has ${address} twice`, usage);
    seen.add(address);
    const place = findHop(places, word.slice(equals + 1));
    const ipv4 = isIpv4Words(words, 0);
    const becomes = place.addresses.find((own) => isIpv4Words(parseAddress(own)!, 0) === ipv4);
    if (becomes === undefined)
      throw new Refusal(`${place.name} has no ${ipv4 ? 'IPv4' : 'IPv6'} address for ${address}`);
    return { address, place, becomes };
  });
}

/** What cannot be read, before anything is written; and what would be overwritten before it is read. */
function refuseInput(input: string, output: string): void {
  if (input === '-') return;
  try {
    accessSync(input, constants.R_OK);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Refusal(`${input}: ${missing ? 'no such file' : 'not readable by this user'}`);
  }
  const from = statSync(input);
  if (from.isDirectory()) throw new Refusal(`${input}: a directory, expected a capture file`);
  const to = output === '-' ? undefined : statSync(output, { throwIfNoEntry: false });
  if (from.isFile() && to?.dev === from.dev && to.ino === from.ino) {
    throw new Refusal(`${output}: the capture that is to be replayed; name another file`);
  }
}

async function replay(input: string, settings: ReplaySettings, file: CaptureFile): Promise<number> {
  const output = new PcapngWriter({ application: 'podwire replay' });
  const capture = new ReplayCapture(settings, output);
  const name = input === '-' ? 'standard input' : input;
  let damage: CaptureError | undefined;
  try {
    try {
      for await (const record of input === '-' ? readCapture(process.stdin, name) : readCaptureFile(input)) {
        if (record.kind === 'packet') capture.packet(record);
        if (output.length > BATCH_BYTES) file.write(output.take());
      }
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error;
      damage = error;
    }
    capture.end();
    file.write(output.take());
    file.close();
  } catch (error) {
    if (error instanceof ReaderGone) return 0;
    if (!(error instanceof DiskFull)) throw error;
    process.stderr.write(`podwire replay: ${error.message}\n`);
    return 1;
  }
  if (damage !== undefined) process.stderr.write(`${damage.message}\n`);
  process.stderr.write(summary(capture));
  return damage === undefined ? 0 : 1;
}

function summary({ read, fed, written, unfed, fates, lost }: ReplayCapture): string {
  const rows: (readonly [string, number])[] = [
    ['read', read],
    ['replayed', fed],
    ...indented(unfed).map(([reason, number]) => [reason.replace(/^ {2}/, '  not replayed: '), number] as const),
    ['forwarded', fates.forwarded],
    ['dropped', total(fates.dropped)],
    ...indented(fates.dropped),
    ['for the node itself', total(fates.consumed)],
    ...indented(fates.consumed),
    ['fragments that waited', fates.held],
    ['answered', fates.answered],
    ['written', written],
  ];
  if (lost > 0) rows.push(['lost: this is a bug in podwire', lost]);
  return formatTable(rows.filter(([, number]) => number > 0).map(([what, number]) => [what, `${number}`]));
}

/** The most frequent first, and by name. */
function indented(counts: ReadonlyMap<string, number>): [string, number][] {
  const sorted = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return sorted.map(([name, number]) => [`  ${name}`, number]);
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, number) => sum + number, 0);
}
