/**
 * The corpus of hostile inputs in the shared test data: frames that were sent to a Linux host, what that host did with
 * each (Linux 6.18), and what would be safe. The host was 10.9.0.2 and fd09::2 at 02:00:00:00:00:02, with a VXLAN device
 * (VNI 42) that was 10.42.0.2 at 02:aa:00:00:00:02; all frames came from 10.9.0.1, fd09::1, 02:00:00:00:00:01.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBytes } from '../capture/build.ts';
import { addressBytes } from '../oracle/slow-address.ts';

/**
 * What came of an input, with the same meaning for a host and for a node in front of one:
 * - `delivered`: it reached what it was meant for; Linux's transport took it, or refused it by its own means.
 * - `answered`: on the link itself, by ARP or Neighbour Discovery.
 * - `told`: dropped, and the sender was told why by an ICMP error of the network layer.
 * - `dropped`: nothing came of it.
 */
export type Fate = 'delivered' | 'answered' | 'told' | 'dropped';

/** What Linux's counters tell apart (RFC 1213, RFC 4293; net/ipv4/proc.c). */
export type Cause = 'IP checksum' | 'checksum' | 'fragments' | 'IP header' | 'address' | 'transport header' | 'tunnel';

export interface HostileCase {
  /** `ipv4: bad header checksum` */
  readonly label: string;
  readonly category: string;
  readonly frames: readonly Uint8Array[];
  readonly linux: Fate;
  /** Why Linux did not take it, by the counter that moved; none where no counter of errors did. */
  readonly cause: Cause | undefined;
  /** What would be safe. */
  readonly safe: readonly Fate[];
}

/** A case as the file has it. */
interface Told {
  readonly cat: string;
  readonly name: string;
  readonly safe: string;
  readonly verdict: string;
  readonly counters: Readonly<Record<string, number>>;
}

const FIRST_SECOND = 1_700_000_000n;
const NS_PER_SECOND = 1_000_000_000n;

export async function hostileCases(): Promise<HostileCase[]> {
  const folder = join(process.env['PODWIRE_TESTDATA'] ?? '/nonexistent', 'corpora', 'hostile');
  const told: readonly Told[] = JSON.parse(readFileSync(join(folder, 'hostile.json'), 'utf8')).cases;
  const { packets, error } = await readBytes(readFileSync(join(folder, 'hostile.pcap')));
  if (error !== undefined) throw error;
  const frames: Uint8Array[][] = told.map(() => []);
  // The seconds say which case a frame belongs to.
  for (const { bytes, timeNs } of packets) frames[Number(timeNs! / NS_PER_SECOND - FIRST_SECOND)]!.push(bytes);
  return told.map((one, i) => ({
    label: `${one.cat}: ${one.name}`,
    category: one.cat,
    frames: frames[i]!,
    linux: fateAtLinux(one),
    cause: causes.find(([counter]) => Object.keys(one.counters).some((name) => counter.test(name)))?.[1],
    safe: safeFates(one.safe),
  }));
}

/** The first counter that is found counts: the ones below it also move for what is above. */
const causes: readonly (readonly [RegExp, Cause])[] = [
  [/^IpExt:InCsumErrors/, 'IP checksum'],
  [/CsumErrors$/, 'checksum'],
  [/Reasm(?:Fails|Overlaps)$/, 'fragments'],
  [/InHdrErrors$|InTruncatedPkts$/, 'IP header'],
  [/^Ip:InAddrErrors/, 'address'],
  [/^(?:Udp:InErrors|Tcp:InErrs)$/, 'transport header'],
  [/^link:vx:rxerr/, 'tunnel'],
];

/** What no transport answers may still have reached one: its counter of good requests says so. */
function fateAtLinux({ cat, verdict, counters }: Told): Fate {
  if (verdict === 'arp-reply' || verdict === 'na') return 'answered';
  if (verdict === 'param-problem') return 'told';
  if (verdict !== 'silent') return 'delivered';
  const has = (name: string) => (counters[name] ?? 0) > 0;
  const taken =
    (cat !== 'vxlan' && has('Udp:InDatagrams')) ||
    (has('Icmp:InEchos') && !has('Icmp:InErrors')) ||
    (has('6:Icmp6InEchos') && !has('6:Icmp6InErrors'));
  return taken ? 'delivered' : 'dropped';
}

/** The corpus says in a sentence what is safe; the first rule that fits a sentence counts. */
const safeRules: readonly (readonly [RegExp, readonly Fate[]])[] = [
  [
    /or plain SYN handling|may be answered|never learned|no reply to|^optional|packet filter must/,
    ['delivered', 'dropped'],
  ],
  [/^RFC(?: 7348)?: ignore|^Linux accepts|^bounded (?:work|nesting)/, ['delivered', 'dropped']],
  [/bounded; drop or answer/, ['delivered', 'dropped', 'told']],
  [/^reply goes to|^should not be learned/, ['answered', 'dropped']],
  [/^(?:reply|NA)\b/, ['answered']],
  [/^(?:ICMP protocol|ICMP port|RST)|SYN-ACK|SYN accepted|^scale/, ['delivered']],
  [/^(?:answered|accepted|delivered|padding|skip|header skipped|decapsulated|reassembled|4 answers)/, ['delivered']],
  [/allows ignoring exact duplicates/, ['delivered']],
  [/silent$|allowed for multicast/, ['dropped', 'told']],
  [/param(?:eter)? problem/, ['dropped', 'told']],
  [/^(?:silent drop|drop|discard|whole datagram|no |kernel trims|held|never|ignored|memory|bounded by)/, ['dropped']],
  [/^(?:static entry|own address|permanent entry|RFC 6040: drop)/, ['dropped']],
];

function safeFates(sentence: string): readonly Fate[] {
  const found = safeRules.find(([sentences]) => sentences.test(sentence));
  if (found === undefined) throw new Error(`what is safe? ${sentence}`);
  return found[1];
}

/**
 * The same frame, asking a node instead of a host: what the corpus asks of the host's own address on the link
 * (10.9.0.2, fd09::2) is asked of the node's, 169.254.1.1 and fe80::1. ICMPv6 checksums stay as right or wrong as they
 * were (RFC 1624).
 */
export function askingTheNode({ category, frames }: HostileCase): readonly Uint8Array[] {
  if (category === 'arp') return frames.map((frame) => replaced(frame, ARP_ADDRESSES, '10.9.0.2', '169.254.1.1'));
  if (category !== 'nd') return frames;
  return frames.map((frame) => withChecksumOf(replaced(frame, ND_ADDRESSES, 'fd09::2', 'fe80::1'), frame));
}

/** Sender and target in an ARP frame; destination and target in a Neighbour Discovery frame; its checksum. */
const ARP_ADDRESSES = [28, 38];
const ND_ADDRESSES = [38, 62];
const ND_CHECKSUM = 56;

function replaced(frame: Uint8Array, places: readonly number[], from: string, to: string): Uint8Array {
  const bytes = frame.slice();
  const [old, fresh] = [addressBytes(from), addressBytes(to)];
  for (const at of places) if (old.every((byte, i) => bytes[at + i] === byte)) bytes.set(fresh, at);
  return bytes;
}

function withChecksumOf(bytes: Uint8Array, before: Uint8Array): Uint8Array {
  const word = (of: Uint8Array, at: number) => (of[at]! << 8) | of[at + 1]!;
  let sum = 0xffff - word(before, ND_CHECKSUM);
  for (let at = 22; at < bytes.length - 1; at += 2) sum += word(bytes, at) + 0xffff - word(before, at);
  const checksum = 0xffff - (sum % 0xffff || 0xffff);
  bytes.set([checksum >> 8, checksum & 255], ND_CHECKSUM);
  return bytes;
}
