/** Why policies denied the packets of a recording: from judgements in sightings to words. */
import { type Explanation, explain, type PolicyQuestion } from '../network-policy/explain.ts';
import type { PolicyWorld } from '../network-policy/policy-world.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_SOURCE, keyIsIcmp, keyProtocol } from '../packet/flow-key.ts';
import { Direction } from '../policy/policies.ts';
import { type Sighting, SightingBit } from '../recording/sighting.ts';
import { formatAddress } from '../wire/address.ts';
import { Protocol } from '../wire/protocol.ts';

/** Explanations that are kept: whoever is denied asks again and again. */
const EXPLANATIONS_MAX = 10_000;

const protocolNames: Readonly<Record<number, string>> = {
  [Protocol.Icmp]: 'ICMP',
  [Protocol.Icmpv6]: 'ICMPv6',
  [Protocol.Tcp]: 'TCP',
  [Protocol.Udp]: 'UDP',
  [Protocol.Sctp]: 'SCTP',
};

/** Of the policies that a packet was denied by; undefined where none denied it. */
export function judgedRevision(sighting: Sighting): number | undefined {
  return sighting.is(SightingBit.Judged) ? sighting.judgedRevision : undefined;
}

/** What the node asked its policies. */
function judgedQuestion({ keys, judgedDirection }: Sighting): PolicyQuestion {
  const protocol = keyProtocol(keys, 0);
  return {
    direction: judgedDirection === Direction.Egress ? 'egress' : 'ingress',
    source: formatAddress(keys, KEY_SOURCE),
    destination: formatAddress(keys, KEY_DESTINATION),
    protocol: protocolNames[protocol] ?? `IP protocol ${protocol}`,
    port: keyIsIcmp(keys, 0) ? 0 : keys[KEY_PORTS]! & 0xffff,
  };
}

export class Denials {
  readonly #worldOf: (revision: number) => PolicyWorld | undefined;
  readonly #explanations = new Map<string, Explanation>();

  /** @param worldOf what policies were judged by; undefined where that is not known */
  constructor(worldOf: (revision: number) => PolicyWorld | undefined) {
    this.#worldOf = worldOf;
  }

  /** Why the packet was denied; undefined where it was not, or nobody can tell. */
  explain(sighting: Sighting): Explanation | undefined {
    const revision = judgedRevision(sighting);
    const world = revision === undefined ? undefined : this.#worldOf(revision);
    if (world === undefined) return undefined;
    const question = judgedQuestion(sighting);
    const key = `${revision} ${Object.values(question).join(' ')}`;
    let explanation = this.#explanations.get(key);
    if (explanation === undefined) {
      if (this.#explanations.size >= EXPLANATIONS_MAX) this.#explanations.clear();
      explanation = explain(world, question);
      this.#explanations.set(key, explanation);
    }
    // If not, tables and objects differ: better no words than wrong ones.
    return explanation.allowed ? undefined : explanation;
  }
}
