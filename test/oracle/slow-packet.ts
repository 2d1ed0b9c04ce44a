/** What connection tracking sees of a packet, decoded and in plain objects: the input of `slow-conntrack.ts`. */

interface Addressed {
  readonly source: string;
  readonly destination: string;
}

interface WithPorts extends Addressed {
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export interface TcpSegment extends WithPorts {
  readonly protocol: 'tcp';
  /** Letters of FSRPAUEC, in any order. */
  readonly flags: string;
  readonly sequence: number;
  readonly acknowledgment: number;
  /** As it stands in the header: not scaled. */
  readonly window: number;
  /** Whole words, as they stand in the header. */
  readonly options: readonly number[];
  readonly payloadLen: number;
  /** Payload bytes per segment when it is a superframe, else 0: tracking sees one long segment. */
  readonly gsoSize: number;
}

export interface UdpDatagram extends WithPorts {
  readonly protocol: 'udp';
}

export interface SctpPacket extends WithPorts {
  readonly protocol: 'sctp';
  readonly verificationTag: number;
  /** All that follows the common header. */
  readonly chunks: readonly number[];
}

export interface IcmpMessage extends Addressed {
  readonly protocol: 'icmp' | 'icmpv6';
  readonly type: number;
  readonly code: number;
  readonly identifier: number;
  /** The packet that an error is about. */
  readonly quotes?: SlowPacket;
}

/** Any other protocol, by its number. */
export interface OtherPacket extends Addressed {
  readonly protocol: number;
}

export type SlowPacket = TcpSegment | UdpDatagram | SctpPacket | IcmpMessage | OtherPacket;

/** 0 original, 1 reply. */
export type Direction = 0 | 1;

export function opposite(direction: Direction): Direction {
  return direction === 0 ? 1 : 0;
}

/** What of an entry is the same for every protocol (struct nf_conn in Linux). */
export interface SlowEntry {
  /** The two tuples (CT-001). */
  readonly original: string;
  readonly reply: string;
  readonly beganMs: number;
  seenReply: boolean;
  assured: boolean;
  deadlineMs: number;
  /** A name of the protocol's states; '-' for protocols without states. */
  state: string;
}

/** `known`: goes on with its connection; `gone`: the same, and its connection ends with it. */
export type TrackerVerdict = 'known' | 'gone' | 'invalid' | 'reopens';
