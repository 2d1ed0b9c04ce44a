/** Names in filter expressions. */
import { EtherType } from '../../wire/ethernet.ts';
import { Protocol } from '../../wire/protocol.ts';

export const portProtocols: Readonly<Record<string, number>> = {
  tcp: Protocol.Tcp,
  udp: Protocol.Udp,
  sctp: Protocol.Sctp,
};

/** A port, and the one protocol that has it under this name, as libpcap has it from /etc/services. */
export interface NamedPort {
  readonly port: number;
  /** Undefined when there are several. */
  readonly protocol?: 'tcp' | 'udp';
}

/** IANA's service names, of what is met in clusters. */
export const portNames: Readonly<Record<string, NamedPort>> = {
  ftp: { port: 21, protocol: 'tcp' },
  ssh: { port: 22, protocol: 'tcp' },
  telnet: { port: 23, protocol: 'tcp' },
  smtp: { port: 25, protocol: 'tcp' },
  domain: { port: 53 },
  dns: { port: 53 },
  bootps: { port: 67, protocol: 'udp' },
  bootpc: { port: 68, protocol: 'udp' },
  http: { port: 80, protocol: 'tcp' },
  ntp: { port: 123, protocol: 'udp' },
  snmp: { port: 161 },
  bgp: { port: 179, protocol: 'tcp' },
  ldap: { port: 389 },
  https: { port: 443 },
  syslog: { port: 514, protocol: 'udp' },
  mysql: { port: 3306, protocol: 'tcp' },
  vxlan: { port: 4789, protocol: 'udp' },
  sip: { port: 5060 },
  mdns: { port: 5353, protocol: 'udp' },
  postgresql: { port: 5432, protocol: 'tcp' },
  redis: { port: 6379, protocol: 'tcp' },
  'http-alt': { port: 8080, protocol: 'tcp' },
};

/** IANA's protocol numbers. */
export const protocolNames: Readonly<Record<string, number>> = {
  icmp: Protocol.Icmp,
  igmp: 2,
  tcp: Protocol.Tcp,
  udp: Protocol.Udp,
  gre: Protocol.Gre,
  esp: 50,
  ah: 51,
  icmp6: Protocol.Icmpv6,
  'ipv6-icmp': Protocol.Icmpv6,
  ospf: 89,
  pim: 103,
  vrrp: 112,
  sctp: Protocol.Sctp,
};

export const etherTypeNames: Readonly<Record<string, number>> = {
  ip: EtherType.Ipv4,
  ip6: EtherType.Ipv6,
  arp: EtherType.Arp,
  rarp: 0x8035,
};

/** Primitives that libpcap knows, and podwire refuses; with the reason. */
export const refusedPrimitives: Readonly<Record<string, string>> = {
  vlan: 'podwire carries no VLAN tags',
  mpls: 'podwire carries no MPLS labels',
  pppoed: 'podwire carries no PPPoE',
  pppoes: 'podwire carries no PPPoE',
  geneve: 'podwire carries no Geneve',
  gateway: 'it needs names; write "ether host" and "not host" with addresses',
  inbound: 'bytes do not say which way a frame goes; name a hop instead',
  outbound: 'bytes do not say which way a frame goes; name a hop instead',
  ifindex: 'bytes do not say where a frame was; name a hop instead',
  protochain: 'its programs have loops; write "proto"',
};

/** Words that begin a primitive for libpcap, or stand in one: those of its scanner.l that mean something on Ethernet. */
export const libpcapWords: ReadonlySet<string> = new Set(
  (
    'ah esp pim vrrp carp igrp atalk aarp decnet lat sca moprc mopdl iso esis es-is isis is-is l1 l2 iih lsp snp csnp ' +
    'psnp clnp stp ipx netbeui llc byte ' +
    'i s u rr rnr rej ui ua disc sabme test xid frmr'
  ).split(' '),
);

/** The words that our own primitives are made of; what one may have meant instead of a word that is none. */
export const ownWords: readonly string[] = [
  ...['src', 'dst', 'host', 'net', 'mask', 'port', 'portrange', 'proto', 'ether', 'link'],
  ...['ip', 'ip6', 'arp', 'rarp', 'icmp', 'icmp6', 'igmp', 'tcp', 'udp', 'sctp'],
  ...['broadcast', 'multicast', 'less', 'greater', 'len', 'length', 'and', 'or', 'not'],
];

/** Names of numbers in byte arithmetic: `tcpflags`, `tcp-syn`, `icmptype`, `icmp-echo`, `icmp6-echoreply`. */
export const arithmeticName = /^(?:tcpflags|tcp-[a-z]+|icmp6?type|icmp6?code|icmp6?-[a-z0-9]+)$/;
