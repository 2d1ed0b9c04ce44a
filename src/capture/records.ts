/**
 * `capture/`: capture files as records. The readers take bytes in chunks of any size and yield records in file order;
 * they never ask for more memory than one record may have, whatever a length field says. What is wrong with a file is
 * told by one `CaptureError`, after every record in front of it. They judge the container only, never the packets.
 *
 * Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng; libpcap sf-pcap.c and sf-pcapng.c where those are silent.
 */

/** LINKTYPE_ values (draft-ietf-opsawg-pcaplinktype) that something here knows how to read. */
export const LinkType = {
  /** BSD loopback: address family in the byte order of the machine that captured. */
  Null: 0,
  Ethernet: 1,
  /** IPv4 or IPv6, as the version says. */
  RawIp: 101,
  /** OpenBSD loopback: the same as `Null`, big-endian. */
  Loop: 108,
  /** Linux cooked capture v1 and v2. */
  LinuxSll: 113,
  LinuxSll2: 276,
  Ipv4: 228,
  Ipv6: 229,
} as const;

/** The longest packet that is believed: what libpcap (MAXIMUM_SNAPLEN) and Wireshark allow for nearly all link types. */
export const PACKET_BYTES_MAX = 262_144;

/** What is wrong with a capture file. Offsets in a gzip file count decompressed bytes. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  readonly file: string;
  readonly offset: number;
  readonly expected: string;
  readonly found: string;

  constructor(file: string, offset: number, expected: string, found: string) {
    super(`${file}: byte ${offset}: expected ${expected}, found ${found}`);
    this.file = file;
    this.offset = offset;
    this.expected = expected;
    this.found = found;
  }
}

/** An option of a pcapng block as it stands there; numbers in `bytes` have the section's byte order. */
export interface CaptureOption {
  readonly code: number;
  readonly bytes: Uint8Array;
}

export interface CaptureInterface {
  /** Number in its section, from 0. */
  readonly id: number;
  /** Number of its section, from 0. */
  readonly section: number;
  readonly linkType: number;
  /** Bytes of each packet that were kept at most; 0 for no limit. */
  readonly snapLen: number;
  /** Bytes of frame check sequence at the end of each packet; undefined where the file does not say. */
  readonly fcsLen: number | undefined;
  readonly name: string | undefined;
  readonly description: string | undefined;
  readonly comments: readonly string[];
}

export interface SectionRecord {
  readonly kind: 'section';
  /** From 0. A classic pcap file has no section header, and is section 0. */
  readonly section: number;
  readonly hardware: string | undefined;
  readonly system: string | undefined;
  readonly application: string | undefined;
  readonly comments: readonly string[];
}

export interface InterfaceRecord {
  readonly kind: 'interface';
  readonly interface: CaptureInterface;
}

export interface PacketRecord {
  readonly kind: 'packet';
  readonly interface: CaptureInterface;
  /** Since 1970; undefined in a Simple Packet Block, which has no time. */
  readonly timeNs: bigint | undefined;
  /** Bytes that the packet had on the wire; more than `bytes.length` when it was cut. */
  readonly originalLen: number;
  /** A copy: the caller may keep it, and write to it. */
  readonly bytes: Uint8Array;
  readonly comments: readonly string[];
  /** `epb_flags`: direction, reception type, link errors. */
  readonly flags: number | undefined;
  /** All options, those above among them. */
  readonly options: readonly CaptureOption[];
}

export interface NamesRecord {
  readonly kind: 'names';
  /** Addresses of 4 (IPv4), 6 (EUI-48), 8 (EUI-64) or 16 bytes (IPv6). */
  readonly entries: readonly { readonly address: Uint8Array; readonly names: readonly string[] }[];
}

export interface StatisticsRecord {
  readonly kind: 'statistics';
  readonly interface: CaptureInterface;
  readonly timeNs: bigint;
  /** Packets that the interface received and dropped since the capture began; undefined where the file does not say. */
  readonly received: bigint | undefined;
  readonly dropped: bigint | undefined;
}

export interface SecretsRecord {
  readonly kind: 'secrets';
  readonly secretsType: number;
  readonly bytes: Uint8Array;
}

/** A Custom Block, or a block of a type that is unknown here. */
export interface OtherRecord {
  readonly kind: 'other';
  readonly blockType: number;
  /** IANA private enterprise number of a Custom Block. */
  readonly enterprise: number | undefined;
  /** The body, after the enterprise number. */
  readonly bytes: Uint8Array;
}

export type CaptureRecord =
  | SectionRecord
  | InterfaceRecord
  | PacketRecord
  | NamesRecord
  | StatisticsRecord
  | SecretsRecord
  | OtherRecord;

/** What reads one format from a `ByteQueue`. */
export interface CaptureReader {
  /** The next record, or undefined when it needs more bytes than there are. Throws `CaptureError`. */
  next(): CaptureRecord | undefined;
}
