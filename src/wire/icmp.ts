/** ICMP (RFC 792) and ICMPv6 (RFC 4443). `at` is the offset of the type octet. */
const TYPE = 0;
const CODE = 1;
const IDENTIFIER = 4;

/** Shortest message either protocol defines: type, code, checksum and four more bytes. */
export const ICMP_HEADER_LEN = 8;
export const ICMP_CHECKSUM = 2;

export const Icmp = {
  EchoReply: 0,
  Unreachable: 3,
  SourceQuench: 4,
  Redirect: 5,
  EchoRequest: 8,
  TimeExceeded: 11,
  ParameterProblem: 12,
  TimestampRequest: 13,
  TimestampReply: 14,
  InformationRequest: 15,
  InformationReply: 16,
  MaskRequest: 17,
  MaskReply: 18,
} as const;

export const Icmpv6 = {
  Unreachable: 1,
  PacketTooBig: 2,
  TimeExceeded: 3,
  ParameterProblem: 4,
  EchoRequest: 128,
  EchoReply: 129,
  MldQuery: 130,
  MldReport: 131,
  MldDone: 132,
  RouterSolicitation: 133,
  RouterAdvertisement: 134,
  NeighbourSolicitation: 135,
  NeighbourAdvertisement: 136,
  Redirect: 137,
  /** Node information (RFC 4620). */
  NodeQuery: 139,
  NodeReply: 140,
  MldReportV2: 143,
} as const;

export function icmpType(view: DataView, at: number): number {
  return view.getUint8(at + TYPE);
}

export function icmpCode(view: DataView, at: number): number {
  return view.getUint8(at + CODE);
}

export function icmpIdentifier(view: DataView, at: number): number {
  return view.getUint16(at + IDENTIFIER);
}

export function icmpSetIdentifier(view: DataView, at: number, identifier: number): void {
  view.setUint16(at + IDENTIFIER, identifier);
}

/** Type, code, a zero checksum, and the second word: for most errors 0, for too-big ones the MTU. */
export function icmpWrite(view: DataView, at: number, type: number, code: number, word: number): void {
  view.setUint8(at + TYPE, type);
  view.setUint8(at + CODE, code);
  view.setUint16(at + ICMP_CHECKSUM, 0);
  view.setInt32(at + IDENTIFIER, word);
}

/** No type beyond this one is known (Linux's NR_ICMP_TYPES, CT-044). */
export const ICMP_TYPE_MAX = Icmp.MaskReply;

/** Does this ICMP type quote the packet it is about? (RFC 1122 section 3.2.2) */
export function icmpIsError(type: number): boolean {
  return (type >= Icmp.Unreachable && type <= Icmp.Redirect) || type === 11 || type === 12;
}

/** ICMPv6 errors have the high bit clear (RFC 4443 section 2.1). */
export function icmpv6IsError(type: number): boolean {
  return type < 128;
}

/**
 * The type that answers this one, or -1 when the type is no query (RFC 792; RFC 4443 section 4; the pairs that
 * Linux's connection tracking knows, CT-043).
 */
export function icmpInverse(type: number, version: number): number {
  if (version === 6) {
    if (type === Icmpv6.EchoRequest || type === Icmpv6.NodeQuery) return type + 1;
    return type === Icmpv6.EchoReply || type === Icmpv6.NodeReply ? type - 1 : -1;
  }
  switch (type) {
    case Icmp.EchoRequest:
      return Icmp.EchoReply;
    case Icmp.EchoReply:
      return Icmp.EchoRequest;
    case Icmp.TimestampRequest:
    case Icmp.InformationRequest:
    case Icmp.MaskRequest:
      return type + 1;
    case Icmp.TimestampReply:
    case Icmp.InformationReply:
    case Icmp.MaskReply:
      return type - 1;
    default:
      return -1;
  }
}

/** May a packet of this type open a flow? Only requests may (CT-042). */
export function icmpOpensFlow(type: number, version: number): boolean {
  if (version === 6) return type === Icmpv6.EchoRequest || type === Icmpv6.NodeQuery;
  return type === Icmp.EchoRequest || type === 13 || type === 15 || type === 17;
}
