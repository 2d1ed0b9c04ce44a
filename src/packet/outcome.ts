/**
 * What became of a packet, as one small integer. Stages return 0 to go on, a negative number to drop, a positive
 * number when the packet has found its place. The tables below are the only list of drop and consume reasons:
 * counters, documents and messages are made from them. Append only: numbers outlive releases in captures.
 */
export interface Reason {
  readonly name: string;
  /** What was wrong, or what was done, in one sentence. */
  readonly means: string;
  /** Where a person should look next. */
  readonly look: string;
}

export interface DropReason extends Reason {
  /** The stage that drops for it (docs/PACKET-LIFE.md), in a pod's story where stories differ. */
  readonly stage: string;
}

const dropRows = [
  {
    name: 'FrameTooShort',
    stage: 'validate',
    means: 'The frame ends inside its Ethernet header.',
    look: 'The program that injected it.',
  },
  {
    name: 'UnsupportedEtherType',
    stage: 'validate',
    means: 'Neither IPv4, IPv6 nor ARP.',
    look: 'Protocols other than IP do not cross a cluster network.',
  },
  {
    name: 'VlanTagged',
    stage: 'validate',
    means: 'The frame carries an 802.1Q or 802.1ad tag (RFC 7348 section 6.1).',
    look: 'A VLAN interface inside the pod.',
  },
  {
    name: 'BadSourceMac',
    stage: 'validate',
    means: 'The source MAC is a group address.',
    look: 'The program that injected it.',
  },
  {
    name: 'BadIpHeader',
    stage: 'validate',
    means: 'Version, header length, total length, options or extension headers lie.',
    look: 'A fuzzer, or a raw socket.',
  },
  {
    name: 'BadIpChecksum',
    stage: 'validate',
    means: 'The IPv4 header checksum is wrong.',
    look: 'A raw socket that fills its own header.',
  },
  {
    name: 'SourceRouted',
    stage: 'validate',
    means: 'IPv4 source route option, or IPv6 routing header with segments left (RFC 5095).',
    look: 'Nobody needs these; check who sends them.',
  },
  {
    name: 'MartianAddress',
    stage: 'validate',
    means:
      'A source or destination that may not appear on a link: loopback, unspecified, reserved, or a multicast source.',
    look: 'Addresses and routes inside the pod.',
  },
  {
    name: 'BadL4Header',
    stage: 'validate',
    means: 'The TCP, UDP, SCTP or ICMP header is cut short or lies about its length.',
    look: 'A fuzzer, or a raw socket.',
  },
  {
    name: 'BadL4Checksum',
    stage: 'validate',
    means: 'The TCP, UDP, SCTP, ICMP or ICMPv6 checksum is wrong (CT-006).',
    look: 'Corruption on the link, or a raw socket. Of TCP and UDP from other nodes only with `--strict-checksums`.',
  },
  {
    name: 'BadOffload',
    stage: 'validate',
    means: 'The virtio header asks for a segmentation or checksum that does not fit the packet.',
    look: 'A packet socket with PACKET_VNET_HDR inside the pod.',
  },
  {
    name: 'BadFragment',
    stage: 'validate',
    means:
      'A fragment that fits no datagram: not a multiple of 8 bytes, empty, beyond the end or beyond 65,535 bytes (TN-054, TN-055), or of IPv6 a first one without all headers (RFC 8200 section 4.5).',
    look: 'A fuzzer, or a raw socket.',
  },
  {
    name: 'SpoofedMac',
    stage: 'sourceMac',
    means: 'The source MAC is not the one of this port.',
    look: 'MAC changes or bridges inside the pod.',
  },
  {
    name: 'SpoofedSource',
    stage: 'antiSpoof',
    means: 'The source address does not belong to the port or tunnel endpoint that the packet came from (CI-004).',
    look: 'Added addresses inside the pod, or replies from the wrong address.',
  },
  {
    name: 'ArpUnknownTarget',
    stage: 'neighbour',
    means: 'ARP for an address that is not the next hop; pods have no neighbours on their link.',
    look: 'An address with a wide prefix length added inside the pod.',
  },
  {
    name: 'BadArp',
    stage: 'neighbour',
    means: 'Malformed ARP, or an ARP reply that nobody asked for.',
    look: 'ARP spoofing tools.',
  },
  {
    name: 'BadNeighbourMessage',
    stage: 'neighbour',
    means: 'A Neighbour Discovery message that RFC 4861 section 7.1 tells to discard.',
    look: 'ND spoofing tools.',
  },
  {
    name: 'NeighbourUnknownTarget',
    stage: 'neighbour',
    means: 'A solicitation for an address that is not the next hop.',
    look: 'An address with a wide prefix length added inside the pod.',
  },
  {
    name: 'ForbiddenNeighbourMessage',
    stage: 'neighbour',
    means: 'Router advertisement or redirect from a pod: static knowledge wins (CVE-2020-10749).',
    look: 'radvd or an attack tool inside the pod.',
  },
  {
    name: 'LinkLocal',
    stage: 'neighbour',
    means: 'A link-local source or destination would have to be forwarded (RFC 4291 section 2.5.6).',
    look: 'Programs that talk to fe80:: or 169.254 addresses.',
  },
  {
    name: 'Multicast',
    stage: 'neighbour',
    means: 'Multicast or broadcast does not cross the cluster network.',
    look: 'mDNS, SSDP, DHCP clients inside pods.',
  },
  {
    name: 'Invalid',
    stage: 'knownFlow',
    means: 'Connection tracking calls the packet INVALID: no flow, and it may not begin one.',
    look: 'TCP flags that never occur together, a reply without a request.',
  },
  {
    name: 'ConntrackFull',
    stage: 'commit',
    means: 'The connection table is full.',
    look: '`podwire conntrack list`; the scenario may need a larger table.',
  },
  {
    name: 'NatExhausted',
    stage: 'commit',
    means: 'No source port was free that makes the reply unique (CT-072).',
    look: 'Many clients of one destination behind one address.',
  },
  {
    name: 'NoRoute',
    stage: 'route',
    means: 'No route to the destination.',
    look: 'The address is outside the cluster; ways out come with the outside port.',
  },
  {
    name: 'NoSuchPod',
    stage: 'route',
    means: "The destination is in this node's pod CIDR, but no pod has it.",
    look: 'The pod is gone, or not there yet.',
  },
  {
    name: 'TtlExceeded',
    stage: 'hopLimit',
    means: 'TTL or hop limit would reach zero.',
    look: 'traceroute, or a routing loop.',
  },
  {
    name: 'MtuExceeded',
    stage: 'fits',
    means: 'Larger than the MTU of the way out.',
    look: 'MTUs inside the pods; the pod MTU is the underlay MTU less 50.',
  },
  {
    name: 'UnknownEndpoint',
    stage: 'knownEndpoint',
    means: 'An encapsulated packet from an address that is no node of this cluster.',
    look: 'Who sends to UDP port 4789 of this node.',
  },
  {
    name: 'BadVxlan',
    stage: 'vxlanDecapsulate',
    means: 'VXLAN header cut short, or its I flag clear (RFC 7348 section 5).',
    look: 'The sender of the tunnel packet.',
  },
  {
    name: 'UnknownVni',
    stage: 'vxlanDecapsulate',
    means: 'A VNI that this cluster does not use (RFC 7348 section 4).',
    look: 'The sender of the tunnel packet.',
  },
  {
    name: 'WrongTunnelMac',
    stage: 'innerMacIsOurs',
    means: "The inner destination MAC is not this node's, or the source MAC is (TN-014).",
    look: 'A stale or foreign tunnel endpoint.',
  },
  {
    name: 'EcnCongestion',
    stage: 'ecnDecapsulate',
    means: 'Outer header marked CE over an inner packet that is not ECN-capable (RFC 6040 section 4.2).',
    look: 'A router on the underlay that marks everything.',
  },
  {
    name: 'TunnelLoop',
    stage: 'route',
    means: 'The packet came through a tunnel and would have to leave through one.',
    look: 'Routes that disagree between nodes: a change is on its way.',
  },
  {
    name: 'PortBusy',
    stage: 'output',
    means: 'The receiving side was full: the pod does not read fast enough.',
    look: "The pod's program; drops of its interface.",
  },
  {
    name: 'PortDown',
    stage: 'output',
    means: 'The port is gone or its interface is down.',
    look: 'The pod is ending.',
  },
  {
    name: 'UnderlayBusy',
    stage: 'output',
    means: 'The underlay socket took no more.',
    look: 'Load; the receiving node.',
  },
  {
    name: 'UnderlayError',
    stage: 'output',
    means: 'The underlay socket refused the packet.',
    look: 'The node log names the system error.',
  },
  {
    name: 'PolicyDenied',
    stage: 'ingressPolicy',
    means:
      'NetworkPolicies restrict the receiver, or at `egressPolicy` the sender, and no rule allows it (NP-002, NP-003).',
    look: '`podwire observe` and captures name the policy, its line, and what each rule wants.',
  },
  {
    name: 'UnsupportedTunnelPayload',
    stage: 'onlyIp',
    means: 'The inner frame is neither IPv4 nor IPv6: nothing else is sent through tunnels.',
    look: 'The sender of the tunnel packet.',
  },
  {
    name: 'PortError',
    stage: 'output',
    means: 'The kernel refused the frame on its way into a port.',
    look: 'The node log names the system error.',
  },
  {
    name: 'FragmentOverlap',
    stage: 'reassemble',
    means: 'Fragments of one datagram overlap: all of them are discarded (TN-056, RFC 5722).',
    look: 'An attack on firewalls, or two senders with one address.',
  },
  {
    name: 'FragmentTimeout',
    stage: 'reassemble',
    means: 'The rest of the datagram did not come in time: 30 s, IPv6 60 s (TN-052).',
    look: 'Loss on the way of the other fragments.',
  },
  {
    name: 'FragmentEvicted',
    stage: 'reassemble',
    means: 'Newer datagrams needed the place, or 64 fragments of others came in between (TN-057, TN-058).',
    look: 'Many large datagrams at once; loss.',
  },
  {
    name: 'LinkLoss',
    stage: 'output',
    means: 'The link to the other node lost it, as `podwire link set --loss` asks.',
    look: '`podwire link get`.',
  },
  {
    name: 'LinkQueueFull',
    stage: 'output',
    means: 'Too many packets wait on links of this node.',
    look: '`podwire link get`: rate times latency is more than 8 MB.',
  },
  {
    name: 'NoEndpoints',
    stage: 'serviceDnat',
    means: 'No endpoint of the Service could take the connection; the client is told: port unreachable (KP-019).',
    look: "`podwire get endpointslices`; the Service's selector, its pods' readiness.",
  },
  {
    name: 'NoLocalEndpoints',
    stage: 'serviceDnat',
    means: 'The Service is for endpoints of this node only, and has none here (KP-020, KP-021).',
    look: 'internalTrafficPolicy and externalTrafficPolicy of the Service; where its pods run.',
  },
  {
    name: 'NoServicePort',
    stage: 'serviceDnat',
    means: "A Service's cluster IP, but none of its ports; the client is told: port unreachable (KP-024).",
    look: '`podwire get services`; the protocol of the port.',
  },
  {
    name: 'NoService',
    stage: 'serviceDnat',
    means: 'An address of the Service network that no Service has (KP-025).',
    look: '`podwire get services`; the Service may be gone.',
  },
] as const satisfies readonly DropReason[];

const consumeRows = [
  { name: 'ArpAnswered', means: 'ARP request for the next hop; the reply left on the same port.', look: '' },
  { name: 'ArpProbeAbsorbed', means: "ARP probe or announcement of the port's own address (RFC 5227).", look: '' },
  {
    name: 'NeighbourAnswered',
    means: 'Neighbour solicitation for the next hop; the advertisement left on the same port.',
    look: '',
  },
  {
    name: 'NeighbourAbsorbed',
    means: 'Duplicate-address probe or advertisement of an own address (RFC 4862).',
    look: '',
  },
  {
    name: 'RouterSolicitationAbsorbed',
    means: 'Router solicitation: there is no router advertisement here.',
    look: '',
  },
  {
    name: 'MulticastListenerAbsorbed',
    means: 'MLD or IGMP report: the kernel announces its groups on every interface.',
    look: '',
  },
  { name: 'Reassembled', means: 'A fragment became part of a datagram, which goes on in its place.', look: '' },
  { name: 'FragmentRepeated', means: 'A fragment that had come before (TN-056).', look: '' },
] as const satisfies readonly Reason[];

export type DropName = (typeof dropRows)[number]['name'];
export type ConsumeName = (typeof consumeRows)[number]['name'];

export const dropReasons: readonly DropReason[] = dropRows;
export const consumeReasons: readonly Reason[] = consumeRows;

const CONSUME_BASE = 16;

/** Drop.X is -1, -2, … in table order. */
export const Drop = Object.fromEntries(dropRows.map((row, i) => [row.name, -1 - i])) as Readonly<
  Record<DropName, number>
>;

/** Consumed.X is 16, 17, … in table order: the packet's story ends well without being delivered. */
export const Consumed = Object.fromEntries(consumeRows.map((row, i) => [row.name, CONSUME_BASE + i])) as Readonly<
  Record<ConsumeName, number>
>;

/** Go on with the next stage. */
export const CONTINUE = 0;
/** Positive: the packet has found its place. */
export const Place = { KnownFlow: 1, NewFlow: 2, Delivered: 3, Held: 4 } as const;

/** 0 continues, negative is a drop reason, positive a place. */
export type Outcome = number;

/** Why a packet was dropped or consumed; undefined for one that was not. */
export function outcomeReason(outcome: Outcome): Reason | undefined {
  return outcome < 0 ? dropReasons[-1 - outcome] : consumeReasons[outcome - CONSUME_BASE];
}

/** `dropped: SpoofedSource`, for people. */
export function outcomeName(outcome: Outcome): string {
  if (outcome < 0) return `dropped: ${dropReasons[-1 - outcome]?.name ?? outcome}`;
  if (outcome >= CONSUME_BASE) return `consumed: ${consumeReasons[outcome - CONSUME_BASE]?.name ?? outcome}`;
  if (outcome === Place.Held) return 'held';
  return outcome === Place.Delivered ? 'delivered' : 'in progress';
}

/** Index of a consume outcome in `consumeReasons`, or -1. */
export function consumeIndex(outcome: Outcome): number {
  return outcome >= CONSUME_BASE ? outcome - CONSUME_BASE : -1;
}
