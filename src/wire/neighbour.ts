/** Neighbour Discovery messages (RFC 4861 section 4). `at` is the offset of the ICMPv6 type octet. */
import { Icmpv6, icmpType } from './icmp.ts';

const FLAGS = 4;
const TARGET = 8;
const OPTIONS = 24;
const OPTION_SOURCE_LINK_LAYER = 1;
const OPTION_TARGET_LINK_LAYER = 2;
const FLAG_ROUTER = 0x80;
const FLAG_SOLICITED = 0x40;
const FLAG_OVERRIDE = 0x20;

const NEIGHBOUR_MESSAGE_LEN = 24;
/** An advertisement with the one option that it needs: the target's MAC. */
export const NEIGHBOUR_ADVERTISEMENT_LEN = 32;
export const NEIGHBOUR_TARGET = TARGET;

/** 24 when the fixed part fits and no option has length zero or runs past the end (RFC 4861 section 7.1), else 0. */
export function neighbourCheckedLen(view: DataView, at: number, available: number): number {
  if (available < NEIGHBOUR_MESSAGE_LEN) return 0;
  const end = at + available;
  let option = at + OPTIONS;
  while (option < end) {
    const length = option + 2 <= end ? view.getUint8(option + 1) << 3 : 0;
    if (length === 0 || option + length > end) return 0;
    option += length;
  }
  return NEIGHBOUR_MESSAGE_LEN;
}

/** Solicited flag of an advertisement. */
export function advertisementSolicited(view: DataView, at: number): boolean {
  return (view.getUint8(at + FLAGS) & FLAG_SOLICITED) !== 0;
}

/** Does the message hold a source link-layer address option? Pre: `neighbourCheckedLen` has accepted `len`. */
export function hasSourceMacOption(view: DataView, at: number, len: number): boolean {
  let option = at + OPTIONS;
  while (option < at + len) {
    if (view.getUint8(option) === OPTION_SOURCE_LINK_LAYER) return true;
    option += view.getUint8(option + 1) << 3;
  }
  return false;
}

/** Is this one of the five messages of RFC 4861? */
export function isNeighbourDiscovery(view: DataView, at: number): boolean {
  const type = icmpType(view, at);
  return type >= Icmpv6.RouterSolicitation && type <= Icmpv6.Redirect;
}

/** Multicast Listener Discovery, versions 1 and 2 (RFC 2710, RFC 3810). */
export function isMulticastListener(view: DataView, at: number): boolean {
  const type = icmpType(view, at);
  return (type >= Icmpv6.MldQuery && type <= Icmpv6.MldDone) || type === Icmpv6.MldReportV2;
}

/**
 * Writes an advertisement over the solicitation at `at`: 32 bytes, checksum zero. The target stays where the
 * solicitation had it. Router, override, and solicited unless the answer goes to all nodes (RFC 4861 section 7.2.4).
 */
export function writeAdvertisement(view: DataView, at: number, macHigh: number, macLow: number, toAll: boolean): void {
  view.setUint8(at, Icmpv6.NeighbourAdvertisement);
  view.setUint8(at + 1, 0);
  view.setUint16(at + 2, 0);
  view.setInt32(at + FLAGS, (FLAG_ROUTER | FLAG_OVERRIDE | (toAll ? 0 : FLAG_SOLICITED)) << 24);
  view.setUint8(at + OPTIONS, OPTION_TARGET_LINK_LAYER);
  view.setUint8(at + OPTIONS + 1, 1);
  view.setUint16(at + OPTIONS + 2, macHigh);
  view.setInt32(at + OPTIONS + 4, macLow);
}
