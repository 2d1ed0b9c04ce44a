import { checkInterfaceName } from './interface-name.ts';
import { close, read, write } from './io.ts';
import { addressOf, checkReturned, SystemCallError } from './libc.ts';
import {
  attributeBytes,
  extendedAckText,
  NETLINK_HEADER_LEN,
  NetlinkRequest,
  readAttributes,
} from './netlink-message.ts';
import { openSocket, SocketType, setOption } from './socket.ts';
import { AF_INET, AF_INET6, familyOf, formatAddress, parseAddress } from './socket-address.ts';

/** Configuration of network interfaces, addresses, routes and neighbours (rtnetlink(7)). */

const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_DUMP = 0x300;
const NLM_F_REPLACE = 0x100;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_NEWNEIGH = 28;

const IFF_UP = 0x1;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_TXQLEN = 13;
const IFLA_LINKINFO = 18;
const IFLA_AF_SPEC = 26;
const IFLA_NET_NS_FD = 28;
const IFLA_GSO_MAX_SIZE = 41;
const IFLA_GSO_IPV4_MAX_SIZE = 63;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const VETH_INFO_PEER = 1;
const ADDRESS_GENERATION = { eui64: 0, none: 1 } as const;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x2;
const IFA_F_NOPREFIXROUTE = 0x200;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTAX_MTU = 2;
const RTNH_F_ONLINK = 4;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;

const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;

const SCOPE = { global: 0, link: 253, host: 254 } as const;
type Scope = keyof typeof SCOPE;

/** The kernel never sends more at once: its own buffers for dumps end at 32 KiB. */
const RECEIVE_BUFFER_LEN = 65_536;

interface Link {
  readonly index: number;
  /** Bytes of an IP packet. */
  readonly mtu: number;
  /** Such as `02:00:0a:00:00:01`; '' for a device without. */
  readonly mac: string;
  readonly up: boolean;
  /** Packets that wait for the device; for a TAP, for its reader. */
  readonly txQueueLen: number;
  /** Most bytes of one unsegmented TCP or UDP packet. */
  readonly gsoMaxSize: number;
}

interface InterfaceAddress {
  /** Of the interface. */
  readonly index: number;
  readonly address: string;
  readonly prefixLen: number;
  readonly scope: Scope | 'other';
}

function parseMac(text: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) throw new RangeError(`not a MAC address: ${JSON.stringify(text)}`);
  return Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16));
}

function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** struct ifinfomsg: u8 family, i32 index @4, u32 flags @8, u32 mask of the flags to change @12. */
function linkBody(index: number, up?: boolean): Uint8Array {
  return new Uint8Array(Int32Array.of(0, index, up ? IFF_UP : 0, up === undefined ? 0 : IFF_UP).buffer);
}

/** Refuses a prefix length that no address of the family has; the kernel would take some of them modulo 256. */
function checkPrefix(bytes: Uint8Array, prefixLen: number): void {
  if (!Number.isInteger(prefixLen) || prefixLen < 0 || prefixLen > bytes.length * 8) {
    throw new RangeError(`not a prefix length: ${prefixLen}`);
  }
}

/**
 * A connection to the rtnetlink of one network namespace: that of the thread that made it, for good. Every method
 * returns when the kernel has done it, and throws SystemCallError with the kernel's explanation when it refuses.
 * Addresses that are none are a RangeError.
 */
export class Netlink {
  readonly #fd: number;
  readonly #request = new NetlinkRequest();
  readonly #requestAddress = addressOf(this.#request.bytes);
  readonly #reply = new DataView(new ArrayBuffer(RECEIVE_BUFFER_LEN));
  readonly #replyAddress = addressOf(this.#reply);
  #sequence = 0;

  /** @throws SystemCallError EMFILE. */
  constructor() {
    // Non-blocking, because the kernel answers before sending returns: a lost answer is then an error, never a hang.
    this.#fd = openSocket(AF_NETLINK, SocketType.raw | SocketType.nonBlocking | SocketType.closeOnExec, NETLINK_ROUTE);
    // An older kernel without these two only explains less.
    setOption(this.#fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    setOption(this.#fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
  }

  /** @throws SystemCallError ENODEV. */
  link(name: string): Link {
    this.#start(RTM_GETLINK, 0, linkBody(0));
    this.#request.attributeText(IFLA_IFNAME, checkInterfaceName(name));
    let found: Link | undefined;
    this.#talk(`RTM_GETLINK(${name})`, (view, at, end) => {
      const attributes = readAttributes(view, at + 16, end);
      const u32 = (type: number) => attributes.get(type)?.getUint32(0, true) ?? 0;
      const mac = attributes.get(IFLA_ADDRESS);
      found = {
        index: view.getInt32(at + 4, true),
        mtu: u32(IFLA_MTU),
        mac: mac === undefined ? '' : formatMac(attributeBytes(mac)),
        up: (view.getUint32(at + 8, true) & IFF_UP) !== 0,
        txQueueLen: u32(IFLA_TXQLEN),
        gsoMaxSize: u32(IFLA_GSO_MAX_SIZE),
      };
    });
    if (found === undefined) throw new Error(`RTM_GETLINK(${name}): acknowledged without an answer`);
    return found;
  }

  /**
   * Changes what is named, and nothing else.
   *
   * @param change.gsoMaxSize for IPv4 and IPv6: Linux 6.3 and later keep two limits.
   * @param change.addressGeneration how IPv6 makes a link-local address when the link comes up; it is set before
   * `up`, as it would be too late afterwards.
   * @throws SystemCallError ENODEV, EINVAL for a value out of range, EEXIST for a name in use.
   */
  setLink(
    index: number,
    change: {
      up?: boolean;
      mtu?: number;
      mac?: string;
      txQueueLen?: number;
      gsoMaxSize?: number;
      addressGeneration?: 'eui64' | 'none';
      name?: string;
    },
  ): void {
    const request = this.#request;
    const { addressGeneration, name, mac, mtu, txQueueLen, gsoMaxSize } = change;
    if (addressGeneration !== undefined) {
      // A request of its own: within one request the kernel brings the link up first.
      this.#start(RTM_NEWLINK, 0, linkBody(index));
      request.nested(IFLA_AF_SPEC, () => {
        request.nested(AF_INET6, () => {
          request.attributeU8(IFLA_INET6_ADDR_GEN_MODE, ADDRESS_GENERATION[addressGeneration]);
        });
      });
      this.#talk(`RTM_NEWLINK(index ${index}, addressGeneration ${addressGeneration})`);
    }
    this.#start(RTM_NEWLINK, 0, linkBody(index, change.up));
    if (name !== undefined) request.attributeText(IFLA_IFNAME, checkInterfaceName(name));
    if (mac !== undefined) request.attribute(IFLA_ADDRESS, parseMac(mac));
    if (mtu !== undefined) request.attributeU32(IFLA_MTU, mtu);
    if (txQueueLen !== undefined) request.attributeU32(IFLA_TXQLEN, txQueueLen);
    if (gsoMaxSize !== undefined) {
      request.attributeU32(IFLA_GSO_MAX_SIZE, gsoMaxSize);
      // A kernel that does not know this attribute passes over it.
      request.attributeU32(IFLA_GSO_IPV4_MAX_SIZE, gsoMaxSize);
    }
    this.#talk(`RTM_NEWLINK(index ${index}, ${JSON.stringify(change)})`);
  }

  /**
   * @param address.noDad usable at once, without asking whether another has it (IPv6 alone asks).
   * @param address.noPrefixRoute adds no route to the prefix.
   * @param address.scope for IPv4; the kernel reads that of IPv6 off the address.
   * @throws SystemCallError EEXIST, ENODEV, EACCES where IPv6 is disabled.
   */
  addAddress(
    index: number,
    address: { address: string; prefixLen: number; noDad?: boolean; noPrefixRoute?: boolean; scope?: Scope },
  ): void {
    const bytes = parseAddress(address.address);
    checkPrefix(bytes, address.prefixLen);
    // struct ifaddrmsg: u8 family, prefix length, flags, scope; u32 index.
    const body = new DataView(new ArrayBuffer(8));
    body.setUint8(0, familyOf(bytes));
    body.setUint8(1, address.prefixLen);
    body.setUint8(3, SCOPE[address.scope ?? 'global']);
    body.setInt32(4, index, true);
    this.#start(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, new Uint8Array(body.buffer));
    this.#request.attribute(IFA_LOCAL, bytes);
    this.#request.attribute(IFA_ADDRESS, bytes);
    const noDad = address.noDad === true && bytes.length === 16 ? IFA_F_NODAD : 0;
    this.#request.attributeU32(IFA_FLAGS, noDad | (address.noPrefixRoute === true ? IFA_F_NOPREFIXROUTE : 0));
    this.#talk(`RTM_NEWADDR(${address.address}/${address.prefixLen}, index ${index})`);
  }

  /**
   * Adds a unicast route to the main table.
   *
   * @param route.destination '' is the default route of the gateway's or source's family, else of IPv4.
   * @param route.onlink the gateway is reachable over the interface although no route says so.
   * @param route.scope of IPv4; `global` with a gateway and `link` without one when left out.
   * @param route.source preferred source address.
   * @param route.mtu bytes of an IP packet.
   * @throws SystemCallError EEXIST, ENETUNREACH for a gateway out of reach, ENETDOWN, EINVAL for bits of the
   * destination beyond the prefix.
   */
  addRoute(route: {
    destination: string;
    prefixLen: number;
    index: number;
    gateway?: string;
    onlink?: boolean;
    scope?: 'link' | 'global';
    source?: string;
    mtu?: number;
  }): void {
    const request = this.#request;
    const { gateway, source, mtu } = route;
    const destination = route.destination || ((gateway ?? source)?.includes(':') ? '::' : '0.0.0.0');
    const bytes = parseAddress(destination);
    checkPrefix(bytes, route.prefixLen);
    const scope = route.scope ?? (gateway === undefined ? 'link' : 'global');
    // struct rtmsg: u8 family, destination and source prefix length, tos, table, protocol, scope, type; u32 flags.
    const body = new DataView(new ArrayBuffer(12));
    body.setUint8(0, familyOf(bytes));
    body.setUint8(1, route.prefixLen);
    body.setUint8(4, RT_TABLE_MAIN);
    body.setUint8(5, RTPROT_STATIC);
    body.setUint8(6, familyOf(bytes) === AF_INET ? SCOPE[scope] : SCOPE.global);
    body.setUint8(7, RTN_UNICAST);
    body.setUint32(8, route.onlink === true ? RTNH_F_ONLINK : 0, true);
    this.#start(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, new Uint8Array(body.buffer));
    if (route.prefixLen > 0) request.attribute(RTA_DST, bytes);
    request.attributeU32(RTA_OIF, route.index);
    if (gateway !== undefined) request.attribute(RTA_GATEWAY, parseAddress(gateway));
    if (source !== undefined) request.attribute(RTA_PREFSRC, parseAddress(source));
    if (mtu !== undefined) request.nested(RTA_METRICS, () => request.attributeU32(RTAX_MTU, mtu));
    const via = gateway === undefined ? '' : ` via ${gateway}`;
    this.#talk(`RTM_NEWROUTE(${destination}/${route.prefixLen}${via}, index ${route.index})`);
  }

  /** Ties an IP address to a MAC for good, in place of what was known. @throws SystemCallError ENODEV. */
  addNeighbour(index: number, neighbour: { address: string; mac: string }): void {
    const bytes = parseAddress(neighbour.address);
    // struct ndmsg: u8 family, i32 index @4, u16 state @8, u8 flags, u8 type.
    const body = new DataView(new ArrayBuffer(12));
    body.setUint8(0, familyOf(bytes));
    body.setInt32(4, index, true);
    body.setUint16(8, NUD_PERMANENT, true);
    this.#start(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, new Uint8Array(body.buffer));
    this.#request.attribute(NDA_DST, bytes);
    this.#request.attribute(NDA_LLADDR, parseMac(neighbour.mac));
    this.#talk(`RTM_NEWNEIGH(${neighbour.address}, index ${index})`);
  }

  /**
   * Two interfaces joined by a cable, `nameA` here and `nameB` in the namespace `peerNamespaceFd` (or here). Either
   * one's end is the end of both.
   *
   * @throws SystemCallError EEXIST, ENOTSUP on a kernel without veth.
   */
  addVethPair(nameA: string, nameB: string, peerNamespaceFd?: number): void {
    const request = this.#request;
    this.#start(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, linkBody(0));
    request.attributeText(IFLA_IFNAME, checkInterfaceName(nameA));
    const peer = () => {
      request.attributeText(IFLA_IFNAME, checkInterfaceName(nameB));
      if (peerNamespaceFd !== undefined) request.attributeU32(IFLA_NET_NS_FD, peerNamespaceFd);
    };
    request.nested(IFLA_LINKINFO, () => {
      request.attributeText(IFLA_INFO_KIND, 'veth');
      request.nested(IFLA_INFO_DATA, () => request.nested(VETH_INFO_PEER, peer, linkBody(0)));
    });
    this.#talk(`RTM_NEWLINK(veth ${nameA}, ${nameB})`);
  }

  /** @throws SystemCallError ENODEV; ENOTSUP for `lo`. */
  deleteLink(index: number): void {
    this.#start(RTM_DELLINK, 0, linkBody(index));
    this.#talk(`RTM_DELLINK(index ${index})`);
  }

  /** The addresses of all interfaces. */
  dumpAddresses(): InterfaceAddress[] {
    const found: InterfaceAddress[] = [];
    this.#start(RTM_GETADDR, NLM_F_DUMP, new Uint8Array(8));
    this.#talk('RTM_GETADDR', (view, at, end) => {
      const attributes = readAttributes(view, at + 8, end);
      // On a point-to-point link IFA_ADDRESS is the other side; IPv6 often has no IFA_LOCAL.
      const address = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
      if (address === undefined) return;
      const scope = view.getUint8(at + 3);
      found.push({
        index: view.getInt32(at + 4, true),
        address: formatAddress(attributeBytes(address)),
        prefixLen: view.getUint8(at + 1),
        scope: (['global', 'link', 'host'] as const).find((name) => SCOPE[name] === scope) ?? 'other',
      });
    });
    return found;
  }

  close(): void {
    close(this.#fd);
  }

  #start(type: number, flags: number, body: Uint8Array): void {
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#request.start(type, NLM_F_REQUEST | NLM_F_ACK | flags, this.#sequence, body);
  }

  /**
   * Sends the request and takes in all of its answer.
   *
   * @param onMessage gets the body of each message of the answer, from `at` to `end`, valid during the call.
   */
  #talk(call: string, onMessage?: (view: DataView, at: number, end: number) => void): void {
    checkReturned(write(this.#fd, this.#requestAddress, this.#request.finish()), call);
    for (;;) {
      const received = checkReturned(read(this.#fd, this.#replyAddress, RECEIVE_BUFFER_LEN), call);
      if (this.#takeIn(received, call, onMessage)) return;
    }
  }

  /** @returns whether the answer is complete. */
  #takeIn(received: number, call: string, onMessage?: (view: DataView, at: number, end: number) => void): boolean {
    const view = this.#reply;
    for (let at = 0; at + NETLINK_HEADER_LEN <= received; ) {
      const length = view.getUint32(at, true);
      const type = view.getUint16(at + 4, true);
      const body = at + NETLINK_HEADER_LEN;
      if (length < NETLINK_HEADER_LEN || at + length > received) throw new Error(`${call}: answer cut short`);
      if (view.getUint32(at + 8, true) === this.#sequence) {
        if (type === NLMSG_ERROR || type === NLMSG_DONE) {
          const result = view.getInt32(body, true);
          if (result < 0) throw new SystemCallError(call, -result, extendedAckText(view, at));
          return true;
        }
        onMessage?.(view, body, at + length);
      }
      at += (length + 3) & ~3;
    }
    return false;
  }
}
