/** Frames that stay on one link: ARP and Neighbour Discovery, made from the RFCs' pictures. */
import { addressBytes } from '../oracle/slow-address.ts';
import type { FrameSpec } from '../support/frames.ts';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';

export function macBytes(text: string): number[] {
  return text.split(':').map((octet) => Number.parseInt(octet, 16));
}

export interface ArpSpec {
  readonly sourceMac: string;
  readonly destinationMac?: string;
  /** 1 asks, 2 answers. */
  readonly operation?: number;
  readonly sender: string;
  readonly senderMac?: string;
  readonly target: string;
  readonly targetMac?: string;
  readonly hardwareType?: number;
  readonly protocolType?: number;
  readonly lengths?: readonly [number, number];
  readonly padding?: number;
}

/** RFC 826, in an Ethernet frame. */
export function arp(spec: ArpSpec): Uint8Array {
  const { operation = 1, hardwareType = 1, protocolType = 0x0800, lengths = [6, 4] } = spec;
  return Uint8Array.from([
    ...macBytes(spec.destinationMac ?? BROADCAST),
    ...macBytes(spec.sourceMac),
    ...[0x08, 0x06],
    ...[hardwareType >> 8, hardwareType & 255, protocolType >> 8, protocolType & 255, ...lengths, 0, operation],
    ...[...macBytes(spec.senderMac ?? spec.sourceMac), ...addressBytes(spec.sender)],
    ...[...macBytes(spec.targetMac ?? '00:00:00:00:00:00'), ...addressBytes(spec.target)],
    ...Array<number>(spec.padding ?? 0).fill(0),
  ]);
}

export const NEXT_HOP = 'fe80::1';
/** The solicited-node group of fe80::1 (RFC 4291 section 2.7.1). */
export const NEXT_HOP_GROUP = 'ff02::1:ff00:1';

/** An option of Neighbour Discovery: type, length in units of eight bytes, a MAC. */
export function linkLayerOption(type: number, mac: string): number[] {
  return [type, 1, ...macBytes(mac)];
}

/** RFC 4861 sections 4.3 and 4.4: a word of flags, the target, options. */
export function neighbourMessage(icmpType: number, target: string, options: readonly number[], flags = 0): FrameSpec {
  return {
    protocol: 'icmpv6',
    icmpType,
    ttl: 255,
    ...{ identifier: flags << 8, icmpSequence: 0 },
    payload: Uint8Array.from([...addressBytes(target), ...options]),
  };
}

/** Who is `target`? */
export function solicitation(source: string, target: string, options: readonly number[] = []): FrameSpec {
  return { ...neighbourMessage(135, target, options), source, destination: NEXT_HOP_GROUP };
}
