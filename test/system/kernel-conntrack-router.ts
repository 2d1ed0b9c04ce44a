/**
 * A Linux router with nf_conntrack between TAPs, which says of each packet what it took it for: nftables writes class,
 * direction and status of its connection into the DSCP of what it forwards, and how long the connection has to live
 * into the TTL. No namespace, no device and no process is left behind: all of it ends with two kinds of descriptors.
 *
 * A packet written to a TAP is routed before `write` returns (tun_get_user, netif_receive_skb), so that a packet that
 * does not come out at once was dropped; for the case that it was put off, `cross` waits a little longer.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Epoll } from '../../src/sys/epoll.ts';
import { close, read, write } from '../../src/sys/io.ts';
import { addressOf, checkReturned } from '../../src/sys/libc.ts';
import { createNamespace } from '../../src/sys/namespace.ts';
import { openSocket, SocketType } from '../../src/sys/socket.ts';
import { openTap, POD_OFFLOADS } from '../../src/sys/tap.ts';
import { VNET_HEADER_LEN } from '../../src/wire/virtio.ts';
import { toTapBytes } from '../flows/wire-frame.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';

/** `begins`: new, and no earlier packet has met this connection; `new`: nobody has answered yet. */
const kernelClasses = ['?', 'invalid', 'begins', 'new', 'established', 'related', 'untracked'] as const;

export interface Sighting {
  /** `dropped` when the packet did not come out. */
  readonly kernelClass: (typeof kernelClasses)[number] | 'dropped';
  readonly direction: 0 | 1;
  readonly seenReply: boolean;
  readonly assured: boolean;
  /** Index in `LIFETIMES_S` of the first that is longer than what the connection has left; -1 when it is not said. */
  readonly lifetime: number;
}

/** Upper bounds, in seconds: a little above each time-out that the router has, which are all ten seconds apart. */
export const LIFETIMES_S = [
  1,
  ...[10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 120, 130, 140, 150, 210, 300, 600].map(above),
].concat([3601, 86_401, 1_000_000]);

const hosts = [
  ['10.1.0.2', 'fd00::2'],
  ['10.1.0.3', 'fd00::3'],
  ['10.1.1.5', 'fd00::5'],
] as const;
const ROUTER_MAC = '02:00:00:00:00:02';
const HOST_MAC = '02:00:00:00:00:01';
/** The largest that a TAP takes: scripts have segments of tens of kilobytes that are no superframes. */
const MTU = 65_521;
const READ_MAX = 70_000;
const PATIENCE_MS = 50;

const sysctls: Readonly<Record<string, number>> = {
  'ipv4/ip_forward': 1,
  'ipv4/conf/all/rp_filter': 0,
  'ipv4/conf/default/rp_filter': 0,
  'ipv4/conf/all/send_redirects': 0,
  'ipv4/conf/default/send_redirects': 0,
  'ipv6/conf/all/forwarding': 1,
  'ipv6/conf/default/accept_dad': 0,
  'ipv6/conf/default/router_solicitations': 0,
};
/**
 * What the router's rules rest on, said aloud. ESTABLISHED and CLOSE_WAIT are kube-proxy's, and ours (CT-010). Where
 * states share a time-out, the router gives each its own, so that its lifetime tells a connection's state.
 */
const conntrackSysctls: Readonly<Record<string, number>> = {
  checksum: 1,
  tcp_loose: 1,
  tcp_be_liberal: 0,
  tcp_ignore_invalid_rst: 0,
  tcp_timeout_established: 86_400,
  tcp_timeout_close_wait: 3600,
  tcp_timeout_fin_wait: 130,
  tcp_timeout_time_wait: 140,
  sctp_timeout_closed: 20,
  sctp_timeout_cookie_wait: 40,
  sctp_timeout_cookie_echoed: 50,
  sctp_timeout_shutdown_sent: 70,
  sctp_timeout_shutdown_recd: 80,
  sctp_timeout_shutdown_ack_sent: 90,
  sctp_timeout_heartbeat_sent: 100,
};

const states = ['invalid', 'new', 'established', 'related', 'untracked'] as const;
const CLASS_SHIFT = 3;
const DIRECTION = 4;
const SEEN_REPLY = 2;
const ASSURED = 1;
const TTL_NOT_SAID = 100;

function ruleset(): string {
  const bit = (condition: string, value: number) => `${condition} meta mark set meta mark or ${value}`;
  const classMark = (name: (typeof kernelClasses)[number]) => kernelClasses.indexOf(name) << CLASS_SHIFT;
  const marks = [...Array(64).keys()];
  const rules = [
    ...states.map((state) => `ct state ${state} meta mark set ${classMark(state)}`),
    `ct state new ct mark 0 meta mark set ${classMark('begins')} ct mark set 1`,
    bit('ct direction reply', DIRECTION),
    bit('ct status seen-reply', SEEN_REPLY),
    bit('ct status assured', ASSURED),
    ...['ip ttl', 'ip6 hoplimit'].flatMap((field) => [
      `${field} set ${TTL_NOT_SAID}`,
      ...LIFETIMES_S.map((s, i) => [s, i] as const)
        .reverse()
        .map(([s, i]) => `ct expiration < ${s}s ${field} set ${TTL_NOT_SAID + 1 + i}`),
    ]),
    ...['ip', 'ip6'].flatMap((ip) => marks.map((mark) => `meta mark ${mark} ${ip} dscp set ${mark}`)),
  ];
  const chain = ['type filter hook forward priority 0; policy accept;', ...rules].join('\n');
  return `table inet t {\nchain forward {\n${chain}\n}\n}\n`;
}

interface Side {
  readonly fd: number;
  readonly addresses: readonly string[];
}

export class KernelRouter {
  readonly #namespace: number;
  readonly #sides: readonly Side[];
  readonly #netfilter: number;
  readonly #arrivals = new Epoll(hosts.length);
  readonly #buffer = Buffer.alloc(READ_MAX);
  #count = 0;

  constructor() {
    let sides: Side[] = [];
    let netfilter = -1;
    this.#namespace = createNamespace('net', () => {
      for (const [name, value] of Object.entries(sysctls)) setSysctl(name, value);
      sides = hosts.map((addresses, i) => ({ fd: tap(`tap${i}`, addresses), addresses }));
      execFileSync('nft', ['-f', '-'], { input: ruleset() });
      for (const [name, value] of Object.entries(conntrackSysctls)) setSysctl(`netfilter/nf_conntrack_${name}`, value);
      netfilter = openSocket(AF_NETLINK, SocketType.raw | SocketType.closeOnExec, NETLINK_NETFILTER);
    });
    this.#sides = sides;
    this.#netfilter = netfilter;
    for (const { fd } of sides) this.#arrivals.add(fd, fd);
  }

  /** Forgets all connections. */
  flush(): void {
    const request = Uint32Array.of(20, DELETE_CONNECTIONS | (REQUEST_AND_ANSWER << 16), 0, 0, 0);
    checkReturned(write(this.#netfilter, addressOf(request), request.byteLength), 'write(ctnetlink)');
    const n = checkReturned(read(this.#netfilter, addressOf(this.#buffer), READ_MAX), 'read(ctnetlink)');
    const errorAt = 16;
    if (n < errorAt + 4) throw new Error(`ctnetlink answers in ${n} bytes`);
    checkReturned(this.#buffer.readInt32LE(errorAt), 'flush of nf_conntrack');
  }

  /**
   * Sends a packet through, and says what the router took it for.
   *
   * @param spoil makes it a bad one, when it is complete.
   * @throws Error when no side has the source.
   */
  cross(spec: FrameSpec, spoil?: (bytes: Uint8Array) => void): Sighting {
    this.#count = (this.#count + 1) & 0xffff;
    const id = this.#count;
    const { gsoSize = 0, checksum } = spec;
    const bytes = buildFrame({ ...spec, id, flowLabel: id, sourceMac: HOST_MAC, destinationMac: ROUTER_MAC });
    spoil?.(bytes);
    return this.#send(bytes, id, spec.source ?? '10.1.0.2', gsoSize, gsoSize > 0 || checksum === 'partial');
  }

  #send(bytes: Uint8Array, id: number, source: string, gsoSize: number, partial: boolean): Sighting {
    const side = this.#sides.find(({ addresses }) => addresses.includes(source));
    if (side === undefined) throw new Error(`no side has ${source}`);
    const frame = toTapBytes({ bytes, gsoSize, partial });
    checkReturned(write(side.fd, addressOf(frame), frame.length), 'write(tap)');
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const seen = this.#drain(id);
      if (seen !== undefined) return seen;
      if (performance.now() > deadline) return dropped;
      this.#arrivals.wait(PATIENCE_MS);
    }
  }

  close(): void {
    this.#arrivals.close();
    for (const { fd } of this.#sides) close(fd);
    close(this.#netfilter);
    close(this.#namespace);
  }

  /** Reads what has come out; what the router says on its own account has another number. */
  #drain(id: number): Sighting | undefined {
    let seen: Sighting | undefined;
    for (const { fd } of this.#sides) {
      while (read(fd, addressOf(this.#buffer), READ_MAX) > 0) {
        const ip = this.#buffer.subarray(VNET_HEADER_LEN + 14);
        if (numberOf(ip) === id) seen ??= sighting(ip);
      }
    }
    return seen;
  }
}

const AF_NETLINK = 16;
const NETLINK_NETFILTER = 12;
/** NFNL_SUBSYS_CTNETLINK and IPCTNL_MSG_CT_DELETE (linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h). */
const DELETE_CONNECTIONS = 0x102;
/** NLM_F_REQUEST | NLM_F_ACK */
const REQUEST_AND_ANSWER = 5;

const nothing = { direction: 0, seenReply: false, assured: false, lifetime: -1 } as const;
const dropped: Sighting = { ...nothing, kernelClass: 'dropped' };

function above(seconds: number): number {
  return seconds + 1;
}

function setSysctl(name: string, value: number): void {
  writeFileSync(`/proc/sys/net/${name}`, String(value));
}

/** A TAP behind which one host has these addresses. */
function tap(name: string, addresses: readonly string[]): number {
  const fd = openTap(name, { offload: POD_OFFLOADS });
  const commands = [
    `link set ${name} address ${ROUTER_MAC} mtu ${MTU} up`,
    ...addresses.flatMap((address) => [
      `route add ${address} dev ${name}`,
      `neigh add ${address} lladdr ${HOST_MAC} dev ${name} nud permanent`,
    ]),
  ];
  execFileSync('ip', ['-batch', '-'], { input: commands.join('\n') });
  return fd;
}

function numberOf(ip: Buffer): number {
  return ip[0]! >> 4 === 4 ? ip.readUInt16BE(4) : ip.readUInt32BE(0) & 0xffff;
}

function sighting(ip: Buffer): Sighting {
  const version = ip[0]! >> 4;
  const mark = version === 4 ? ip[1]! >> 2 : (ip.readUInt16BE(0) >> 6) & 0x3f;
  const ttl = version === 4 ? ip[8]! : ip[7]!;
  return {
    kernelClass: kernelClasses[mark >> CLASS_SHIFT] ?? '?',
    direction: mark & DIRECTION ? 1 : 0,
    seenReply: (mark & SEEN_REPLY) !== 0,
    assured: (mark & ASSURED) !== 0,
    lifetime: ttl - TTL_NOT_SAID - 1,
  };
}
