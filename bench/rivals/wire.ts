/**
 * The wire between two nodes, a veth, in two states. As a _superframe_ wire it is as the kernel makes it: what TCP hands over
 * in one piece crosses in one piece. As an _MTU_ wire it has none of the offloads that allow this, as a network card
 * without them: packets of the wire's MTU cross, and one counts as one.
 */
import { execFileSync } from 'node:child_process';

export type Wire = 'superframe' | 'mtu';

/** One direction, in packets as the wire sees them: a superframe counts as one. */
export interface Traffic {
  readonly packets: number;
  /** With Ethernet headers. */
  readonly bytes: number;
}

/** One end of a veth. */
export interface WireEnd {
  /** Words that run a command in its namespace. */
  readonly enter: readonly string[];
  readonly device: string;
}

/** What lets more than a packet cross at once, by the names that `ethtool -k` shows. */
const SUPERFRAME_FEATURES: readonly string[] = [
  'tcp-segmentation-offload',
  'generic-segmentation-offload',
  'generic-receive-offload',
  'tx-udp-segmentation',
  'tx-udp_tnl-segmentation',
  'tx-udp_tnl-csum-segmentation',
];
const ETHERNET_HEADER_LEN = 14;

/** The features that lead to superframes and that can be switched, as `ethtool -k` shows them → whether they are on. */
export function switchableFeatures(listing: string): Map<string, boolean> {
  const lines = listing.matchAll(/^\s*([\w-]+): (on|off)(.*)$/gm);
  const found = [...lines].filter(
    ([, name, , rest]) => SUPERFRAME_FEATURES.includes(name!) && !rest!.includes('[fixed]'),
  );
  return new Map(found.map(([, name, state]) => [name!, state === 'on']));
}

/** Words for `ethtool` that bring a device with such features, as they were when it was made, into this state. */
export function featureWords(device: string, asMade: ReadonlyMap<string, boolean>, wire: Wire): string[] {
  const words = [...asMade].flatMap(([name, on]) => [name, on && wire === 'superframe' ? 'on' : 'off']);
  return ['-K', device, ...words];
}

/** Of a device, out of the text of /proc/net/dev: what it has sent. @throws Error when it has no such device. */
export function sentBy(device: string, procNetDev: string): Traffic {
  const line = procNetDev.split('\n').find((text) => text.trimStart().startsWith(`${device}:`));
  if (line === undefined) throw new Error(`no device ${device} in /proc/net/dev`);
  // Eight columns of what was received, of them bytes and packets first; then the same of what was sent.
  const columns = line
    .slice(line.indexOf(':') + 1)
    .trim()
    .split(/\s+/)
    .map(Number);
  return { bytes: columns[8]!, packets: columns[9]! };
}

/**
 * Which wire was it, over which so many bytes of payload went to the server? On an MTU wire no packet is larger than its MTU, so
 * on average none is; on the other they are, if whoever sends makes superframes at all.
 *
 * @throws Error when less than the payload has crossed: then it went another way.
 */
export function judgeWire(sent: Traffic, payloadBytes: number, mtu: number): { averageBytes: number; wire: Wire } {
  if (sent.bytes < payloadBytes) throw new Error(`${sent.bytes} bytes crossed the wire, ${payloadBytes} arrived`);
  const averageBytes = sent.bytes / sent.packets;
  return { averageBytes, wire: averageBytes <= mtu + ETHERNET_HEADER_LEN ? 'mtu' : 'superframe' };
}

/** Of one direction, between two readings. */
export function trafficSince(before: Traffic, after: Traffic): Traffic {
  return { packets: after.packets - before.packets, bytes: after.bytes - before.bytes };
}

/** A veth as the kernel has just made it. */
export class VethWire {
  readonly #ends: readonly (WireEnd & { readonly asMade: ReadonlyMap<string, boolean> })[];

  /** @param ends - that of the client's node first. */
  constructor(ends: readonly [WireEnd, WireEnd]) {
    this.#ends = ends.map((end) => ({ ...end, asMade: switchableFeatures(inside(end, 'ethtool', '-k', end.device)) }));
  }

  set(wire: Wire): void {
    for (const end of this.#ends) inside(end, 'ethtool', ...featureWords(end.device, end.asMade, wire));
  }

  traffic(): Traffic {
    const end = this.#ends[0]!;
    return sentBy(end.device, inside(end, 'cat', '/proc/net/dev'));
  }
}

function inside(end: WireEnd, ...command: string[]): string {
  const [program, ...words] = [...end.enter, ...command];
  return execFileSync(program!, words, { encoding: 'utf8' });
}
