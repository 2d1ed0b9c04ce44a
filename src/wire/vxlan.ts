/** VXLAN header (RFC 7348 section 5). */
const FLAG_VNI_VALID = 0x08;
const VNI = 4;

export const VXLAN_HEADER_LEN = 8;
export const VXLAN_PORT = 4789;
/** Outer IPv4 (20) + UDP (8) + VXLAN (8) + inner Ethernet (14): what a pod's IP MTU loses on an IPv4 underlay. */
export const VXLAN_OVERHEAD_IPV4 = 50;

/** Is the I flag set? The other flag bits and the reserved fields are ignored on receipt, as the RFC says. */
export function vxlanValid(view: DataView, at: number): boolean {
  return (view.getUint8(at) & FLAG_VNI_VALID) !== 0;
}

export function vxlanVni(view: DataView, at: number): number {
  return view.getUint32(at + VNI) >>> 8;
}

/** @param vni 0 to 0xffffff; the compiler is the authority, so an out-of-range value is a bug. */
export function vxlanWrite(view: DataView, at: number, vni: number): void {
  view.setInt32(at, FLAG_VNI_VALID << 24);
  view.setInt32(at + VNI, vni << 8);
}
