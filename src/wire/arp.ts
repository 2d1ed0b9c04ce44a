/** ARP for IPv4 over Ethernet (RFC 826). `at` is the first byte after the Ethernet header. */
const HARDWARE_TYPE = 0;
const PROTOCOL_TYPE = 2;
const HARDWARE_LEN = 4;
const PROTOCOL_LEN = 5;
const OPERATION = 6;
const SENDER_MAC = 8;
const SENDER_ADDRESS = 14;
const TARGET_MAC = 18;
const TARGET_ADDRESS = 24;

export const ARP_LEN = 28;
export const ArpOperation = { Request: 1, Reply: 2 } as const;

/** 28 when this is ARP for IPv4 over Ethernet and complete, else 0. Trailing padding is allowed. */
export function arpCheckedLen(view: DataView, at: number, available: number): number {
  if (available < ARP_LEN) return 0;
  const ok =
    view.getUint16(at + HARDWARE_TYPE) === 1 &&
    view.getUint16(at + PROTOCOL_TYPE) === 0x0800 &&
    view.getUint8(at + HARDWARE_LEN) === 6 &&
    view.getUint8(at + PROTOCOL_LEN) === 4;
  return ok ? ARP_LEN : 0;
}

export function arpOperation(view: DataView, at: number): number {
  return view.getUint16(at + OPERATION);
}

export function arpSenderAddress(view: DataView, at: number): number {
  return view.getInt32(at + SENDER_ADDRESS);
}

export function arpTargetAddress(view: DataView, at: number): number {
  return view.getInt32(at + TARGET_ADDRESS);
}

/** Turns a request into its reply in place: the asked address is at `macHigh:macLow`. */
export function arpAnswer(view: DataView, at: number, macHigh: number, macLow: number): void {
  const asked = view.getInt32(at + TARGET_ADDRESS);
  view.setUint16(at + OPERATION, ArpOperation.Reply);
  view.setUint16(at + TARGET_MAC, view.getUint16(at + SENDER_MAC));
  view.setInt32(at + TARGET_MAC + 2, view.getInt32(at + SENDER_MAC + 2));
  view.setInt32(at + TARGET_ADDRESS, view.getInt32(at + SENDER_ADDRESS));
  view.setUint16(at + SENDER_MAC, macHigh);
  view.setInt32(at + SENDER_MAC + 2, macLow);
  view.setInt32(at + SENDER_ADDRESS, asked);
}
