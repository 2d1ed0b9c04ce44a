/**
 * `wire/`: header layouts as functions over one `DataView` and a byte offset. A header is never an object here.
 *
 * The contract of every file in this folder:
 * - `…CheckedLen(view, at, available)` says how many bytes of the header may be touched, 0 when it lies about itself.
 *   After it has said more than 0, no accessor of that header can read outside `available`.
 * - Accessors check nothing and judge nothing: they also work on garbage, so that it can be shown to a person.
 * - `…Write` stores every byte of its header, reserved ones too: buffers are reused, and a byte that is skipped
 *   would carry an earlier packet's data.
 * - All quantities on the wire are big-endian; offsets and lengths are bytes.
 *
 * Ethernet II (IEEE 802.3 clause 3.2.6), without the frame check sequence.
 */
const DESTINATION = 0;
const SOURCE = 6;
const TYPE = 12;

export const ETHERNET_HEADER_LEN = 14;

export const EtherType = { Ipv4: 0x0800, Arp: 0x0806, Vlan: 0x8100, Ipv6: 0x86dd, QinQ: 0x88a8 } as const;

export function etherType(view: DataView, at: number): number {
  return view.getUint16(at + TYPE);
}

/** A MAC address is kept as its high 16 and low 32 bits; the low part is signed, as integer maths leaves it. */
export function destinationMacIs(view: DataView, at: number, high: number, low: number): boolean {
  return view.getInt32(at + DESTINATION + 2) === low && view.getUint16(at + DESTINATION) === high;
}

export function sourceMacIs(view: DataView, at: number, high: number, low: number): boolean {
  return view.getInt32(at + SOURCE + 2) === low && view.getUint16(at + SOURCE) === high;
}

/** True for multicast and broadcast: the group bit of the first octet. */
export function destinationMacIsGroup(view: DataView, at: number): boolean {
  return (view.getUint8(at + DESTINATION) & 1) !== 0;
}

export function sourceMacIsGroup(view: DataView, at: number): boolean {
  return (view.getUint8(at + SOURCE) & 1) !== 0;
}

export function writeMacs(
  view: DataView,
  at: number,
  destinationHigh: number,
  destinationLow: number,
  sourceHigh: number,
  sourceLow: number,
): void {
  view.setUint16(at + DESTINATION, destinationHigh);
  view.setInt32(at + DESTINATION + 2, destinationLow);
  view.setUint16(at + SOURCE, sourceHigh);
  view.setInt32(at + SOURCE + 2, sourceLow);
}

export function writeEtherType(view: DataView, at: number, type: number): void {
  view.setUint16(at + TYPE, type);
}

/** `02:70:ac:12:00:02` as `[high, low]`; off the hot path. Throws on anything else: MACs come from our own compiler. */
export function parseMac(text: string): readonly [high: number, low: number] {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) throw new Error(`not a MAC address: ${text}`);
  const hex = text.replaceAll(':', '');
  return [Number.parseInt(hex.slice(0, 4), 16), Number.parseInt(hex.slice(4), 16) | 0];
}
