/** IP protocol numbers (IANA), shared by IPv4 and IPv6. */
export const Protocol = { Icmp: 1, Tcp: 6, Udp: 17, Gre: 47, Icmpv6: 58, Sctp: 132 } as const;
