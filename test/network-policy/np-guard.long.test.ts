/**
 * The connection lists of np-guard's netpol-analyzer (github.com/np-guard/netpol-analyzer, tests/ and test_outputs/), made
 * by another reading of the same API: against the slow evaluator, against the compiled tables, and, some of them, by
 * packets.
 */
import { describe, expect, test } from 'vitest';
import type { PolicyWorld } from '../../src/network-policy/policy-world.ts';
import { type SlowQuestion, slowVerdict } from '../oracle/slow-policy.ts';
import { PACKETS } from '../support/packets.ts';
import { Random } from '../support/random.ts';
import { missing } from '../support/requires.ts';
import { beyondOf, buildWorld, type NpGuardCase, type NpGuardWorld, readCases } from './np-guard-cases.ts';
import { type ConnectionList, readConnectionList, type Transport, transports } from './np-guard-lists.ts';
import { PolicyChain } from './policy-chain.ts';

const need = missing('testdata');
const cases = need === undefined ? readCases(process.env['PODWIRE_TESTDATA']!) : [];
const own = cases.filter((one) => beyondOf(one).length === 0);

/**
 * Of each case, pairs in which the list and we differ. In both a rule has an ipBlock that our pods' addresses are in:
 * np-guard never takes a pod for an address. NP-038: the suites of Kubernetes (NP-078 to NP-080) ask pods to be matched by
 * their addresses, and so does the reference matcher of cyclonus; so the lists are wrong for pods in 10.0.0.0/8.
 */
const differences: Readonly<Record<string, readonly string[]>> = {
  'semanticDiff-different-topologies-policy-a-with-ipblock': [
    'default/cog-agents-0[DaemonSet] => default/cog-agents-1[DaemonSet]',
    'default/cog-agents-3[DaemonSet] => default/cog-agents-1[DaemonSet]',
    'default/cog-local-analyzer-7d77fb55cc[ReplicaSet] => default/cog-agents-1[DaemonSet]',
  ],
  'semanticDiff-different-topologies-policy-b-with-ipblock': [
    'default/cog-agents-0[DaemonSet] => default/cog-agents-2[DaemonSet]',
    'default/cog-agents-5[DaemonSet] => default/cog-agents-2[DaemonSet]',
    'default/cog-agents-6[DaemonSet] => default/cog-agents-2[DaemonSet]',
  ],
};

/** Questions of each case, about; all of them are some 400,000. */
const QUESTIONS = PACKETS / 25;

/** Probes of each case that packets answer. */
const SAMPLE = 48;

interface End {
  /** As lists name it: a workload, or an address outside. */
  readonly name: string;
  readonly address: string;
}

interface Question extends SlowQuestion {
  readonly protocol: Transport;
  readonly pair: string;
  readonly expected: boolean;
}

function endsOf({ workloads }: NpGuardWorld): End[] {
  return [...workloads].flatMap(([name, pods]) => pods.map(({ addresses }) => ({ name, address: addresses[0]! })));
}

function questionsOf(built: NpGuardWorld, list: ConnectionList): Question[] {
  const inside = endsOf(built);
  const outside = list.outside.map((address) => ({ name: address, address }));
  const ports = [...new Set([...list.edges, ...portsOf(built.world)])];
  const pairs = [...inside, ...outside].flatMap((from) =>
    [...inside, ...outside]
      .filter((to) => from.name !== to.name && (inside.includes(from) || inside.includes(to)))
      .map((to) => [from, to] as const),
  );
  return pairs.flatMap(([from, to]) =>
    transports.flatMap((protocol) =>
      ports.map((port) => {
        const expected = list.allows(from.name, to.name, protocol, port);
        const pair = `${from.name} => ${to.name}`;
        return { source: from.address, destination: to.address, protocol, port, pair, expected };
      }),
    ),
  );
}

/** Of every pair the same share. */
function someOf(questions: readonly Question[]): readonly Question[] {
  const random = new Random(questions.length);
  const every = Math.ceil(questions.length / QUESTIONS);
  return questions.filter(() => random.once(every));
}

/** Ports that policies speak of, and ports that have names. */
function portsOf({ policies, pods }: PolicyWorld): number[] {
  const rules = policies.flatMap(({ spec }) => [...(spec.ingress ?? []), ...(spec.egress ?? [])]);
  const ends = rules.flatMap(({ ports = [] }) => ports.flatMap(({ port, endPort }) => [port, endPort]));
  return [...ends, ...pods.flatMap((pod) => pod.ports.map(({ port }) => port))].filter(
    (port) => typeof port === 'number',
  );
}

/** Pairs in which the answer is another than the list's. */
function differing(questions: readonly Question[], isAllowed: (question: Question) => boolean): string[] {
  const pairs = questions.filter((question) => isAllowed(question) !== question.expected);
  return [...new Set(pairs.map(({ pair }) => pair))].sort();
}

async function compare(one: NpGuardCase): Promise<void> {
  const [list, ...others] = one.expected.map(readConnectionList);
  for (const other of others) expect(sorted(other)).toEqual(sorted(list!));
  const built = await buildWorld(one, false);
  const questions = someOf(questionsOf(built, list!));
  const known = differences[one.name] ?? [];
  expect(differing(questions, (question) => slowVerdict(built.world, question).allowed)).toEqual(known);
  const chain = new PolicyChain();
  chain.tell(built.world);
  const compiled = (question: Question) => {
    const { egress, ingress } = chain.verdict(question);
    return egress && ingress;
  };
  expect(differing(questions, compiled)).toEqual(known);
  comparePackets(built, questions, known);
}

function sorted({ connections }: ConnectionList): readonly string[] {
  return connections.map((connection) => JSON.stringify(connection)).sort();
}

function comparePackets(
  { cluster, world }: NpGuardWorld,
  questions: readonly Question[],
  known: readonly string[],
): void {
  const random = new Random(questions.length);
  const nodes = new Map(world.pods.map(({ addresses, node }) => [addresses[0]!, node]));
  const inside = questions.filter(({ source, destination }) => nodes.has(source) && nodes.has(destination));
  const sample = Array.from({ length: Math.min(SAMPLE, inside.length) }, () => random.pick(inside));
  const reports = cluster.probeAll(
    sample.map(({ source: address, destination, protocol, port }) => ({
      at: { node: nodes.get(address)!, address },
      target: { protocol: protocol.toLowerCase() as 'tcp' | 'udp' | 'sctp', address: destination, port },
    })),
  );
  for (const [i, { pair, protocol, port, expected }] of sample.entries()) {
    const isDenied = reports[i]!.drop?.reason === 'PolicyDenied';
    if (!known.includes(pair)) expect(!isDenied, `${pair} : ${protocol} ${port}`).toBe(expected);
  }
}

describe.skipIf(need !== undefined)(`np-guard's lists${need === undefined ? '' : ` (${need} is missing)`}`, () => {
  test('what is left out has more than NetworkPolicies', () => {
    expect(cases).toHaveLength(68);
    expect(own).toHaveLength(25);
  });

  for (const one of own) {
    test(`${differences[one.name] === undefined ? '' : 'NP-038 '}${one.name}`, () => compare(one));
  }

  test("NP-028 pods on their hosts' networks, which lists take for others, are all that differs with them", async () => {
    const one = own.find(({ name }) => name === 'ipblockstest')!;
    const built = await buildWorld(one, true);
    const onHosts = [...built.workloads].filter(([, pods]) => pods.every(({ hostNetwork }) => hostNetwork));
    const questions = someOf(questionsOf(built, readConnectionList(one.expected[0]!)));
    const pairs = differing(questions, (question) => slowVerdict(built.world, question).allowed);
    const isOfHost = (pair: string) => onHosts.some(([name]) => pair.split(' => ').includes(name));
    expect(onHosts.length).toBeGreaterThan(0);
    expect(pairs.length).toBeGreaterThan(0);
    expect(pairs.filter((pair) => !isOfHost(pair))).toEqual([]);
  });
});
