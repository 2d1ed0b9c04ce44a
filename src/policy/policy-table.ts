/** What a `PolicySpec` is to packets: arrays. One thread builds them (`policy-compiler.ts`), another one looks up. */
import { KEY_PORTS, keyProtocol } from '../packet/flow-key.ts';
import { PrefixTable, type PrefixTableData } from '../tables/prefix-table.ts';
import { Protocol } from '../wire/protocol.ts';
import { ALL_PORTS, NO_PORTS, NOT_ISOLATED, WORLD } from './policy-spec.ts';

export interface CompiledPolicies {
  /** Of the spec. */
  readonly revision: number;
  /** Addresses to identities. */
  readonly identities: PrefixTableData;
  /** As in the spec. */
  readonly rulesets: readonly Int32Array[];
  /** By port number, two each: the rulesets of egress and ingress. */
  readonly pods: Int32Array;
  /** Of each port set three: where in `ranges` those of TCP, UDP and SCTP begin. And where the last ones end. */
  readonly rangeStarts: Int32Array;
  /** First and last port, two each; ascending and apart from each other within one protocol of one set. */
  readonly ranges: Uint16Array;
  /** Port numbers of the pods whose verdicts may differ from those of the spec before. */
  readonly moved: Int32Array;
}

/** Protocols that have ranges in a port set. */
export const SET_PROTOCOLS = [Protocol.Tcp, Protocol.Udp, Protocol.Sctp] as const;

export class PolicyTable {
  readonly revision: number;
  readonly identities: PrefixTable;
  readonly #rulesets: readonly Int32Array[];
  readonly #pods: Int32Array;
  readonly #rangeStarts: Int32Array;
  readonly #ranges: Uint16Array;

  constructor({ revision, identities, rulesets, pods, rangeStarts, ranges }: CompiledPolicies) {
    this.revision = revision;
    this.identities = new PrefixTable(identities);
    this.#rulesets = rulesets;
    this.#pods = pods;
    this.#rangeStarts = rangeStarts;
    this.#ranges = ranges;
  }

  /** The ruleset of a pod's direction, or `NOT_ISOLATED`. @param pod port number. @param direction `Direction`. */
  ruleset(pod: number, direction: number): number {
    const at = pod * 2 + direction - 1;
    return at < this.#pods.length ? this.#pods[at]! : NOT_ISOLATED;
  }

  /** Does the ruleset let the flow of this key through? @param peer where in the key the peer's address is. */
  allows(ruleset: number, key: Int32Array, peer: number): boolean {
    const row = this.#rulesets[ruleset]!;
    const found = this.identities.find(key, peer);
    const identity = found < 0 ? WORLD : found;
    const ports = identity < row.length ? row[identity]! : NO_PORTS;
    if (ports === ALL_PORTS) return true;
    return ports !== NO_PORTS && this.#holds(ports, key);
  }

  /** Is the flow's destination port in the set? Protocols without ports are in none (NP-024). */
  #holds(ports: number, key: Int32Array): boolean {
    const place = placeOf(keyProtocol(key, 0));
    if (place < 0) return false;
    const port = key[KEY_PORTS]! & 0xffff;
    const ranges = this.#ranges;
    let low = this.#rangeStarts[ports * SET_PROTOCOLS.length + place]!;
    let high = this.#rangeStarts[ports * SET_PROTOCOLS.length + place + 1]!;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (port < ranges[middle * 2]!) high = middle;
      else if (port > ranges[middle * 2 + 1]!) low = middle + 1;
      else return true;
    }
    return false;
  }
}

/** Of a protocol in `SET_PROTOCOLS`, or -1. */
function placeOf(protocol: number): number {
  if (protocol === Protocol.Tcp) return 0;
  if (protocol === Protocol.Udp) return 1;
  return protocol === Protocol.Sctp ? 2 : -1;
}
