/** Expectations and a cluster → pairs: who is to ask whom, on which port, and what is expected of it. */

import { DNS_LABELS, SYSTEM_NAMESPACE } from '../cluster/placed-pod.ts';
import { formatPlace, type Place, ProblemLog } from '../cluster/source.ts';
import type { Pod } from '../store/object.ts';
import { hasLabels } from '../store/selector.ts';
import type { ClusterView } from './cluster-view.ts';
import type { CheckProtocol, Expectation, Expectations, RefusedMeans, Verdict } from './expectation.ts';
import { Nobody, type Party, podParty, receiversOf, samePod, sendersOf } from './party.ts';
import { type CheckPort, declaredPorts, portsAskedFor } from './ports.ts';

export interface Pair extends CheckPort {
  readonly from: Party;
  readonly to: Party;
  readonly expected: Verdict;
  readonly refusedMeans: RefusedMeans;
  /** Where it was written; undefined for pairs that only `default` names. */
  readonly place: Place | undefined;
}

/** One line of the test: an expectation, or the default. */
export interface Entry {
  readonly name: string;
  readonly verdict: Verdict;
  readonly place: Place | undefined;
  readonly pairs: readonly Pair[];
}

export interface Question {
  /** Each once. */
  readonly pairs: readonly Pair[];
  readonly entries: readonly Entry[];
  /** For the user: what `default` cannot ask. */
  readonly notes: readonly string[];
}

/** More than this is not the test that somebody meant. */
const PAIRS_MAX = 1_000_000;

/**
 * @throws ManifestError with every expectation that means nobody, contradicts another, or could not fail for want of
 * pairs
 */
export function resolvePairs({ default: fallback, defaultPlace, list }: Expectations, view: ClusterView): Question {
  const resolving = new Resolving(view);
  for (const expectation of list) resolving.add(expectation);
  if (fallback !== 'ignore') resolving.addDefault(fallback, defaultPlace ?? NOWHERE);
  return resolving.end();
}

/** Of expectations some of which could not be read. @throws ManifestError with those of the others that mean nobody */
export function refuseReferences(list: readonly Expectation[], view: ClusterView): void {
  const resolving = new Resolving(view);
  for (const expectation of list) resolving.add(expectation);
  resolving.refuse();
}

class Resolving {
  readonly #view: ClusterView;
  readonly #log = new ProblemLog();
  readonly #pairs = new Map<string, Pair>();
  readonly #entries: Entry[] = [];
  readonly #notes: string[] = [];

  constructor(view: ClusterView) {
    this.#view = view;
  }

  add(expectation: Expectation): void {
    const { place, path, verdict } = expectation;
    try {
      const pairs = this.#pairsOf(expectation).map((pair) => this.#noteOnce(pair, path));
      this.#entries.push({ name: expectation.name ?? entryName(expectation, pairs), verdict, place, pairs });
    } catch (error) {
      if (!(error instanceof Nobody)) throw error;
      this.#log.error(place, path, error.message);
    }
  }

  /** Pods of the cluster's own name service are nobody's test; pods on their nodes' networks nobody isolates (NP-028). */
  addDefault(verdict: Verdict, place: Place): void {
    const parties = this.#view.pods
      .filter((pod) => pod.spec.hostNetwork !== true && !isNameServer(pod))
      .map((pod) => podParty(this.#view, pod));
    const asked = parties.map((party) => ({ party, ports: declaredPorts(party) }));
    const silent = asked.filter(({ ports }) => ports.length === 0).map(({ party }) => party);
    this.#tellOfSilent(silent, parties.length, verdict, place);
    const pairs: Pair[] = [];
    for (const from of parties) {
      for (const { party: to, ports } of asked) {
        if (samePod(from, to)) continue;
        for (const { protocol, port } of ports) {
          const pair = {
            protocol,
            port,
            from,
            to,
            expected: verdict,
            refusedMeans: 'neither',
            place: undefined,
          } as const;
          const key = keyOf(pair);
          if (this.#pairs.has(key)) continue;
          this.#pairs.set(key, pair);
          pairs.push(pair);
        }
      }
    }
    if (pairs.length > 0) this.#entries.push({ name: `all others: ${verdict}`, verdict, place: undefined, pairs });
  }

  #tellOfSilent(silent: readonly Party[], pods: number, verdict: Verdict, place: Place): void {
    if (pods < 2 || silent.length === pods) {
      const reason = pods < 2 ? 'there are no two pods' : 'no pod declares a containerPort';
      this.#log.error(place, 'default', `${verdict} asks nothing, as ${reason}: it could not fail`);
    } else if (silent.length > 0) {
      const reason = `${silent.length === 1 ? 'it declares' : 'they declare'} no containerPort`;
      this.#notes.push(`${formatPlace(place)}: default: ${verdict} tries no way to ${named(silent)}: ${reason}`);
    }
  }

  refuse(): void {
    this.#log.throwIfErrors();
  }

  end(): Question {
    this.refuse();
    const pairs = [...this.#pairs.values()];
    if (pairs.length === 0) {
      this.#log.error(
        NOWHERE,
        '',
        'the expectations name no pair of pods: this test could not fail; add allow or deny',
      );
    }
    if (pairs.length > PAIRS_MAX) {
      this.#log.error(NOWHERE, '', `found ${pairs.length} pairs to ask, expected at most ${PAIRS_MAX}`);
    }
    this.#log.throwIfErrors();
    return { pairs, entries: this.#entries, notes: this.#notes };
  }

  /** @throws Nobody */
  #pairsOf(expectation: Expectation): Pair[] {
    const { from, to, port, protocol, verdict, refusedMeans, place } = expectation;
    const senders = sendersOf(this.#view, from);
    const receivers = receiversOf(this.#view, to, port);
    const isWide = from.type === 'pods' || to.type === 'pods';
    const pairs = receivers.flatMap((receiver) => {
      const ports = portsAskedFor(receiver, port, protocol);
      return senders
        .filter((sender) => !isWide || !samePod(sender, receiver))
        .flatMap((sender) => {
          return ports.map((one) => ({ ...one, from: sender, to: receiver, expected: verdict, refusedMeans, place }));
        });
    });
    if (pairs.length > 0) return pairs;
    throw new Nobody('it means only a pod and itself, which nothing can part: this expectation could not fail');
  }

  /** The pair, or the one like it that is there already. */
  #noteOnce(pair: Pair, path: string): Pair {
    const key = keyOf(pair);
    const before = this.#pairs.get(key);
    if (before === undefined) {
      this.#pairs.set(key, pair);
      return pair;
    }
    if (before.expected !== pair.expected) {
      const where = formatPlace(before.place!);
      const message = `is ${verdictWords[before.expected]} at ${where} and ${verdictWords[pair.expected]} here`;
      this.#log.error(pair.place!, path, `${pairWords(pair)} ${message}`);
    }
    return before;
  }
}

const NAMED_MAX = 10;

function named(parties: readonly Party[]): string {
  const names = parties.slice(0, NAMED_MAX).map(({ name }) => name);
  return parties.length > NAMED_MAX ? `${names.join(', ')} and ${parties.length - NAMED_MAX} more` : names.join(', ');
}

const verdictWords = { allow: 'allowed', deny: 'denied' } as const;

const NOWHERE: Place = { file: 'expectations', line: 0, column: 0 };

function keyOf({ from, to, protocol, port }: Pair): string {
  return `${from.endpoint} ${to.endpoint} ${protocol} ${port}`;
}

function isNameServer({ metadata }: Pod): boolean {
  return metadata.namespace === SYSTEM_NAMESPACE && hasLabels(DNS_LABELS, metadata.labels);
}

/** `shop/web-1 → shop/db-1 TCP 5432` */
export function pairWords({ from, to, protocol, port }: Pair): string {
  return `${from.name} → ${to.name} ${portWords(protocol, port)}`;
}

/** `TCP 80`, `ICMP` */
export function portWords(protocol: CheckProtocol, port: number): string {
  return protocol === 'ICMP' ? protocol : `${protocol} ${port}`;
}

function entryName({ verdict, from, to }: Expectation, pairs: readonly Pair[]): string {
  const first = pairs[0]!;
  const ports = [...new Set(pairs.map(({ protocol, port }) => portWords(protocol, port)))].join(', ');
  const name = (end: Expectation['from'], party: Party) => {
    return end.type === 'pods' ? `${end.namespace}/${selectorName(end.selector)}` : party.name;
  };
  return `${verdict} ${name(from, first.from)} → ${name(to, first.to)} ${ports}`;
}

function selectorName(selector: Extract<Expectation['from'], { type: 'pods' }>['selector']): string {
  const words = [
    ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`),
    ...(selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
      return `${key} ${operator}${values.length === 0 ? '' : ` (${values.join(',')})`}`;
    }),
  ];
  return words.length === 0 ? '*' : `{${words.join(',')}}`;
}
