/**
 * Addresses of a capture that are to mean endpoints of the cluster: every packet from or to one gets the endpoint's
 * address instead, in quotes of ICMP errors too. Checksums stay right, or as wrong as they were.
 */
import { isIcmpError } from '../conntrack/related.ts';
import { KEY_DESTINATION, KEY_PROTOCOL, KEY_SOURCE, KEY_WORDS, protocolWord } from '../packet/flow-key.ts';
import { loadKey } from '../packet/load-key.ts';
import { FRAGMENT_OFFSET_MASK, type Packet } from '../packet/packet.ts';
import { rewriteFlow } from '../packet/rewrite.ts';
import { rewriteError } from '../packet/rewrite-error.ts';
import { ADDRESS_WORDS, loadIpv4, loadIpv6 } from '../wire/address.ts';
import { ICMP_HEADER_LEN } from '../wire/icmp.ts';
import { IPV4_DESTINATION, IPV4_SOURCE, ipv4CheckedLen, ipv4Protocol } from '../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_SOURCE, ipv6CheckedLen, ipv6NextHeader } from '../wire/ipv6.ts';
import { Protocol } from '../wire/protocol.ts';
import { TCP_CHECKSUM } from '../wire/tcp.ts';

/** Reserved (IANA): for packets whose upper layer is not to be read. */
const NO_PROTOCOL = 255;
/** Bytes of any other upper layer that its checksum ends within. */
const CHECKSUM_END = 8;

export class AddressMap {
  readonly #from: readonly Int32Array[];
  readonly #to: readonly Int32Array[];
  readonly #wanted = new Int32Array(KEY_WORDS);
  readonly #quoted = new Int32Array(KEY_WORDS);
  readonly #wantedQuoted = new Int32Array(KEY_WORDS);

  /** @param pairs of addresses of one family, four words each. */
  constructor(pairs: readonly (readonly [from: Int32Array, to: Int32Array])[]) {
    this.#from = pairs.map(([from]) => from);
    this.#to = pairs.map(([, to]) => to);
  }

  /** Number of the pair that the packet's source is the first of, or -1. Pre: `validate` has found IP sound. */
  sourceOf(pkt: Packet): number {
    loadAddresses(pkt, pkt.l3At, pkt.key);
    return this.#find(pkt.key, KEY_SOURCE);
  }

  /**
   * Writes the addresses; `pkt.protocol` is lost where nothing is known of the upper layer. Pre: `validate` has found IP
   * sound.
   *
   * @param sound whether it has found nothing wrong at all.
   */
  apply(pkt: Packet, sound: boolean): void {
    // Of what has no upper-layer header here, in whole or in part, only the IP header changes.
    if (!holdsChecksum(pkt)) pkt.protocol = NO_PROTOCOL;
    if (pkt.protocol === NO_PROTOCOL) loadAddresses(pkt, pkt.l3At, pkt.key);
    else loadKey(pkt);
    this.#wanted.set(pkt.key);
    const changed = this.#map(this.#wanted);
    if (!(sound && pkt.fragment === 0 && isIcmpError(pkt) && this.#applyToError(pkt)) && changed) {
      rewriteFlow(pkt, this.#wanted, 0);
    }
  }

  /** Of an error from the far end of the flow that it is about, the quote must change with it. */
  #applyToError(pkt: Packet): boolean {
    const quoted = this.#quoted;
    if (!loadQuoted(pkt, quoted)) return false;
    for (let i = 0; i < 2 * ADDRESS_WORDS; i++) if (quoted[i] !== pkt.key[i]) return false;
    this.#wantedQuoted.set(quoted);
    if (this.#map(this.#wantedQuoted)) rewriteError(pkt, quoted, this.#wantedQuoted);
    return true;
  }

  /** Puts endpoints' addresses into a key; false when it has none of the map's. */
  #map(key: Int32Array): boolean {
    let changed = false;
    for (const at of [KEY_SOURCE, KEY_DESTINATION]) {
      const index = this.#find(key, at);
      if (index < 0) continue;
      key.set(this.#to[index]!, at);
      changed = true;
    }
    return changed;
  }

  #find(key: Int32Array, at: number): number {
    return this.#from.findIndex((address) => address.every((word, i) => word === key[at + i]));
  }
}

function holdsChecksum(pkt: Packet): boolean {
  if ((pkt.fragment & FRAGMENT_OFFSET_MASK) !== 0) return false;
  return pkt.l4Len >= (pkt.protocol === Protocol.Tcp ? TCP_CHECKSUM + 2 : CHECKSUM_END);
}

/** The addresses of the IP header at `ipAt`, which must be sound. */
function loadAddresses(pkt: Packet, ipAt: number, key: Int32Array): void {
  const ipv6 = pkt.version === 6;
  const load = ipv6 ? loadIpv6 : loadIpv4;
  load(pkt.view, ipAt + (ipv6 ? IPV6_SOURCE : IPV4_SOURCE), key, KEY_SOURCE);
  load(pkt.view, ipAt + (ipv6 ? IPV6_DESTINATION : IPV4_DESTINATION), key, KEY_DESTINATION);
}

/** The flow that the error is about, as its far end sends: the quote the other way round. Ports stay, so there are none. */
function loadQuoted(pkt: Packet, key: Int32Array): boolean {
  const { view, version } = pkt;
  const at = pkt.l4At + ICMP_HEADER_LEN;
  const available = pkt.l4Len - ICMP_HEADER_LEN;
  const headerLen = version === 6 ? ipv6CheckedLen(view, at, available) : ipv4CheckedLen(view, at, available);
  if (headerLen === 0) return false;
  loadAddresses(pkt, at, key);
  for (let i = 0; i < ADDRESS_WORDS; i++) {
    const source = key[KEY_SOURCE + i]!;
    key[KEY_SOURCE + i] = key[KEY_DESTINATION + i]!;
    key[KEY_DESTINATION + i] = source;
  }
  key[KEY_PROTOCOL] = protocolWord(version, version === 6 ? ipv6NextHeader(view, at) : ipv4Protocol(view, at));
  return true;
}
