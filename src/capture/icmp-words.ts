/**
 * Names of ICMP (RFC 792, IANA "ICMP Type Numbers") and ICMPv6 messages (RFC 4443, 4861, 3810): words for a line, and
 * the names that hubble's summaries have (gopacket, layers/icmp4.go and icmp6.go).
 */
import { Icmp, Icmpv6 } from '../wire/icmp.ts';

interface Message {
  readonly words: string;
  readonly name: string;
  /** By code: words that say it all, and the code's name. */
  readonly codes?: Readonly<Record<number, readonly [words: string, name: string]>>;
}

const messages4: Readonly<Record<number, Message>> = {
  [Icmp.EchoReply]: { words: 'echo reply', name: 'EchoReply' },
  [Icmp.Unreachable]: {
    words: 'unreachable',
    name: 'DestinationUnreachable',
    codes: {
      0: ['net unreachable', 'Net'],
      1: ['host unreachable', 'Host'],
      2: ['protocol unreachable', 'Protocol'],
      3: ['port unreachable', 'Port'],
      4: ['fragmentation needed', 'FragmentationNeeded'],
      5: ['source route failed', 'SourceRoutingFailed'],
      6: ['net unknown', 'NetUnknown'],
      7: ['host unknown', 'HostUnknown'],
      8: ['source host isolated', 'SourceIsolated'],
      9: ['net prohibited', 'NetAdminProhibited'],
      10: ['host prohibited', 'HostAdminProhibited'],
      11: ['net unreachable for TOS', 'NetTOS'],
      12: ['host unreachable for TOS', 'HostTOS'],
      13: ['administratively prohibited', 'CommAdminProhibited'],
      14: ['host precedence violation', 'HostPrecedence'],
      15: ['precedence cutoff', 'PrecedenceCutoff'],
    },
  },
  [Icmp.SourceQuench]: { words: 'source quench', name: 'SourceQuench' },
  [Icmp.Redirect]: { words: 'redirect', name: 'Redirect' },
  [Icmp.EchoRequest]: { words: 'echo request', name: 'EchoRequest' },
  9: { words: 'router advertisement', name: 'RouterAdvertisement' },
  10: { words: 'router solicitation', name: 'RouterSolicitation' },
  [Icmp.TimeExceeded]: {
    words: 'time exceeded',
    name: 'TimeExceeded',
    codes: {
      0: ['time exceeded in transit', 'TTLExceeded'],
      1: ['reassembly time exceeded', 'FragmentReassemblyTimeExceeded'],
    },
  },
  [Icmp.ParameterProblem]: { words: 'parameter problem', name: 'ParameterProblem' },
  [Icmp.TimestampRequest]: { words: 'timestamp request', name: 'TimestampRequest' },
  [Icmp.TimestampReply]: { words: 'timestamp reply', name: 'TimestampReply' },
  [Icmp.InformationRequest]: { words: 'information request', name: 'InfoRequest' },
  [Icmp.InformationReply]: { words: 'information reply', name: 'InfoReply' },
  [Icmp.MaskRequest]: { words: 'mask request', name: 'AddressMaskRequest' },
  [Icmp.MaskReply]: { words: 'mask reply', name: 'AddressMaskReply' },
};

const messages6: Readonly<Record<number, Message>> = {
  [Icmpv6.Unreachable]: {
    words: 'unreachable',
    name: 'DestinationUnreachable',
    codes: {
      0: ['no route', 'NoRouteToDst'],
      1: ['administratively prohibited', 'AdminProhibited'],
      2: ['beyond scope of source', 'BeyondScopeOfSrc'],
      3: ['address unreachable', 'AddressUnreachable'],
      4: ['port unreachable', 'PortUnreachable'],
      5: ['source failed policy', 'SrcAddressFailedPolicy'],
      6: ['route rejected', 'RejectRouteToDst'],
    },
  },
  [Icmpv6.PacketTooBig]: { words: 'packet too big', name: 'PacketTooBig' },
  [Icmpv6.TimeExceeded]: {
    words: 'time exceeded',
    name: 'TimeExceeded',
    codes: {
      0: ['time exceeded in transit', 'HopLimitExceeded'],
      1: ['reassembly time exceeded', 'FragmentReassemblyTimeExceeded'],
    },
  },
  [Icmpv6.ParameterProblem]: { words: 'parameter problem', name: 'ParameterProblem' },
  [Icmpv6.EchoRequest]: { words: 'echo request', name: 'EchoRequest' },
  [Icmpv6.EchoReply]: { words: 'echo reply', name: 'EchoReply' },
  [Icmpv6.MldQuery]: { words: 'multicast listener query', name: 'MLDv1MulticastListenerQueryMessage' },
  [Icmpv6.MldReport]: { words: 'multicast listener report', name: 'MLDv1MulticastListenerReportMessage' },
  [Icmpv6.MldDone]: { words: 'multicast listener done', name: 'MLDv1MulticastListenerDoneMessage' },
  [Icmpv6.RouterSolicitation]: { words: 'router solicitation', name: 'RouterSolicitation' },
  [Icmpv6.RouterAdvertisement]: { words: 'router advertisement', name: 'RouterAdvertisement' },
  [Icmpv6.NeighbourSolicitation]: { words: 'neighbour solicitation', name: 'NeighborSolicitation' },
  [Icmpv6.NeighbourAdvertisement]: { words: 'neighbour advertisement', name: 'NeighborAdvertisement' },
  [Icmpv6.Redirect]: { words: 'redirect', name: 'Redirect' },
  [Icmpv6.MldReportV2]: { words: 'multicast listener report v2', name: 'MLDv2MulticastListenerReportMessageV2' },
};

function messageOf(version: number, type: number): Message | undefined {
  return (version === 6 ? messages6 : messages4)[type];
}

/** `port unreachable`, `echo request`; `type 99 code 1` for what has no name. */
export function icmpWords(version: number, type: number, code: number): string {
  const message = messageOf(version, type);
  if (message === undefined) return `type ${type} code ${code}`;
  const words = message.codes?.[code]?.[0];
  if (words !== undefined) return words;
  return code === 0 ? message.words : `${message.words} code ${code}`;
}

/** `DestinationUnreachable(Port)`, `EchoRequest`; `99(1)` for what has no name. */
export function icmpName(version: number, type: number, code: number): string {
  const message = messageOf(version, type);
  if (message === undefined) return `${type}(${code})`;
  if (message.codes === undefined) return message.name;
  return `${message.name}(${message.codes[code]?.[1] ?? `Code: ${code}`})`;
}
