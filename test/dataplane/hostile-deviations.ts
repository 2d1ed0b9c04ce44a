/** Where hostile inputs do not end as at the Linux host that the corpus asked, or not as the corpus calls safe; and why. */
import type { Origin } from './hostile-world.ts';

interface Deviation {
  /** How the story of the last frame ends here. */
  readonly ours: string;
  readonly why: string;
  /** Of which ports; all when it is left out. */
  readonly from?: readonly Origin[];
  /** Labels of `hostile-cases.ts`. */
  readonly cases: readonly string[];
}

/** What the destination must judge, a router lets through: the kernel of the pod does with it what the host did. */
const forwarded: readonly Deviation[] = [
  {
    ours: 'delivered',
    why: 'destination options are for the destination alone (RFC 8200 section 4)',
    cases: [
      'ipv6: unknown destination option 0x5e',
      'ipv6: unknown destination option 0x9e',
      'ipv6: unknown destination option 0xde',
    ],
  },
  {
    ours: 'delivered',
    why: 'a protocol that the host does not know, or none at all, is carried (RFC 8200 section 4.7)',
    cases: ['ipv6: next header 59', 'ipv6: unknown next header 253'],
  },
  {
    ours: 'delivered',
    why: 'the case lacks the protocol number of ICMP, it has 0: Linux, too, took it for an unknown protocol',
    cases: ['icmp: truncated to 4 bytes'],
  },
  {
    ours: 'delivered',
    why: 'UDP over IPv6 without a checksum is forwarded (udp_error), and discarded by who receives it (RFC 6935)',
    from: ['a pod', 'the host'],
    cases: ['udp6: checksum 0 over IPv6'],
  },
  {
    ours: 'delivered',
    why: 'connection tracking knows the request (nf_conntrack_proto_icmp.c, valid_new); hosts ignore it',
    cases: ['icmp: address mask request'],
  },
  {
    ours: 'delivered',
    why: 'both fragment headers are "atomic" and skipped (RFC 6946); a second one is not forbidden',
    cases: ['frag6: nested fragment header'],
  },
  {
    ours: 'dropped: TtlExceeded',
    why: 'TTL is checked where packets are forwarded, and told (RFC 1812 section 5.3.1)',
    from: ['a pod'],
    cases: ['ipv4: TTL 0 to host'],
  },
  {
    ours: 'dropped: NoRoute',
    why: 'a router tells that it knows no way (RFC 1812 section 5.2.7.1); a host that does not forward is silent',
    cases: ['ipv4: not for us, forwarding off'],
  },
  {
    ours: 'dropped: Multicast',
    why: 'what came to a group of the link is not forwarded (RFC 1812 section 5.3.4; ip_forward.c, pkt_type)',
    cases: ['eth: broadcast MAC with unicast IP'],
  },
];

/** Less is let through than at the host. */
const stricter: readonly Deviation[] = [
  {
    ours: 'dropped: BadSourceMac',
    why: 'a group is nobody: IEEE 802.3 clause 3.2.3 allows no such source',
    cases: ['eth: source MAC is multicast'],
  },
  {
    ours: 'dropped: SpoofedMac',
    why: 'a port has one MAC; a host does not know those of others',
    cases: ['eth: source MAC equals receiver'],
  },
  {
    ours: 'dropped: VlanTagged',
    why: 'tags have no meaning on a wire of a pod, priority tags neither (TN-011)',
    cases: ['eth: priority tagged (vid 0) IPv4'],
  },
  {
    ours: 'dropped: MartianAddress',
    why: 'Linux takes it and then finds no way for the answer (RFC 6890; RFC 4942 section 2.2)',
    cases: ['ipv4: source 240.0.0.1 (class E)', 'ipv6: v4-mapped source'],
  },
  {
    ours: 'dropped: BadIpHeader',
    why: 'more than 8 extension headers are refused: work per packet is bounded (RFC 9098)',
    cases: ['ipv6: chain of 30 destination option headers'],
  },
];

/** Dropped by both; the host also sends a parameter problem, which a node never does. */
const silent: readonly Deviation[] = [
  {
    ours: 'dropped: BadIpHeader',
    why: 'malformed headers are dropped without a word: senders that forge them learn nothing',
    cases: [
      'ipv4: option length 0',
      'ipv4: option length past header',
      'ipv6: hop-by-hop not first',
      'ipv6: jumbo payload option with length < 65536',
    ],
  },
  {
    ours: 'dropped: BadFragment',
    why: 'the same for fragments',
    cases: ['frag6: length not multiple of 8 with M=1', 'frag6: reassembles past 65535'],
  },
  {
    ours: 'held',
    why: 'the first fragment is dropped (RFC 8200 section 4.5), so the other one waits in vain',
    cases: ['frag6: first fragment without upper header (RFC 7112)'],
  },
  {
    ours: 'dropped: SourceRouted',
    why: 'never forwarded (RFC 5095), and not told',
    cases: ['ipv6: routing header type 0, segments left 1'],
  },
  {
    ours: 'dropped: Multicast',
    why: 'multicast ends at the wire, whatever its options ask for',
    cases: ['ipv6: unknown option 0x9e to multicast'],
  },
];

const tunnels: readonly Deviation[] = [
  {
    ours: 'delivered',
    why: 'the other flags and the reserved fields are ignored on receipt (TN-003); Linux asks for zeros',
    cases: [
      'vxlan: reserved flag bit 0x80',
      'vxlan: reserved 24 bits non zero',
      'vxlan: reserved last byte non zero',
      'vxlan: GBP bits',
    ],
  },
  {
    ours: 'dropped: UnknownEndpoint',
    why: 'the nodes of a cluster are known, others have no tunnel (RFC 7348 section 7)',
    cases: ['vxlan: spoofed outer source (not the configured peer)'],
  },
  {
    ours: 'dropped: BadVxlan',
    why: 'a receiver may discard VXLAN in fragments (TN-006)',
    cases: ['vxlan: outer packet arrives in two fragments'],
  },
];

/** More is let through than would be safe: known, and allowed. */
const laxer: readonly Deviation[] = [
  {
    ours: 'delivered',
    why: 'a receiver may leave the outer checksum unverified (TN-005); those of the inner packet are verified',
    cases: ['vxlan: UDP checksum wrong'],
  },
  {
    ours: 'delivered',
    why: 'a wire of a pod leads to one neighbour: nobody else could be meant',
    cases: ['eth: destination MAC of somebody else'],
  },
];

export const deviations: readonly Deviation[] = [...forwarded, ...stricter, ...silent, ...tunnels, ...laxer];

/** Dropped by both, for another cause than Linux counted, by label. */
export const otherCauses: Readonly<Record<string, string>> = {
  'ipv6: payload length 0': 'there is no ICMPv6 header to have a checksum: its length is looked at first',
  'ipv6: unknown option 0x9e to multicast': 'multicast ends at the wire: options of the destination are not looked at',
  'frag6: first fragment without upper header (RFC 7112)': 'its last fragment waits; the first one is BadFragment',
  'frag6: flood: 300 first fragments': 'what Linux counted is the time-out of IPv4 fragments of earlier cases',
};
