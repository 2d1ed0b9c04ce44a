import { describe, expect, it } from 'vitest';
import { explainConnection } from '../../src/network-policy/explain.ts';
import type { PolicyWorld, WorldPolicy } from '../../src/network-policy/policy-world.ts';
import { type SlowDirection, type SlowQuestion, slowVerdict } from '../oracle/slow-policy.ts';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';
import { PolicyChain } from './policy-chain.ts';
import type { RandomWorld } from './random-addresses.ts';
import { changedWorld, randomQuestion, randomWorld } from './random-world.ts';

/** `PODWIRE_PACKETS=1000000` makes it ten times as many. */
const VERDICTS = PACKETS;
/** Those that are explained, or asked before and after a change, take longer. */
const EXPLAINED = VERDICTS / 20;
const AROUND_CHANGES = VERDICTS / 5;

const timeout = 600_000;
const CHANGES = 8;
const QUESTIONS = 50;

interface Told {
  verdicts: number;
  isolated: number;
  denied: number;
}

describe('compiled policies and the slow evaluator, on random worlds', () => {
  it(`NP-001 … NP-038 say the same of ${VERDICTS} connections, while worlds change`, { timeout }, () => {
    const told: Told = { verdicts: 0, isolated: 0, denied: 0 };
    withRandom((random) => {
      while (told.verdicts < VERDICTS) {
        const chain = new PolicyChain();
        for (const world of history(random)) {
          chain.tell(world);
          for (const question of questions(world, random)) compare(chain, world, question, told);
        }
      }
    });
    // Else the worlds would be too free, or too strict, to tell anything.
    expect(told.isolated / told.verdicts).toBeGreaterThan(0.4);
    expect(told.denied / told.verdicts).toBeGreaterThan(0.15);
    expect(told.denied / told.isolated).toBeLessThan(0.7);
  });

  it('NP-035 … also when so many are gone that numbers of identities begin anew', { timeout }, () => {
    const told: Told = { verdicts: 0, isolated: 0, denied: 0 };
    let differing = 0;
    withRandom((random) => {
      for (let i = 0; i < VERDICTS / 25_000; i++) {
        const chain = new PolicyChain();
        const world = randomWorld(random);
        chain.tell({ ...world, policies: [...world.policies, manyBlocks(world)] });
        chain.tell({ ...world, revision: 2 });
        const ports = chain.ports();
        const next = [...history(random, { ...world, revision: 2 })].at(-1)!;
        expect(chain.numbering).toBe(0);
        chain.tell(next);
        const stayed = stayedSince(ports, chain);
        expect(chain.numbering).toBe(1);
        for (const question of questions(next, random)) {
          compare(chain, next, question, told);
          differing += countDiffering(chain, stayed, world, next, question);
        }
      }
    });
    expect(differing).toBeGreaterThan(0);
  });
});

describe('pods whose connections are judged again after a change', () => {
  it(`NP-033, NP-035, NP-036 are all whose verdicts are others: ${AROUND_CHANGES} connections before and after`, {
    timeout,
  }, () => {
    const told = { asked: 0, differing: 0, pods: 0, moved: 0 };
    withRandom((random) => {
      while (told.asked < AROUND_CHANGES) {
        const chain = new PolicyChain();
        let before: RandomWorld | undefined;
        for (const world of history(random)) {
          const ports = chain.ports();
          chain.tell(world);
          const stayed = stayedSince(ports, chain);
          if (before !== undefined) {
            told.pods += world.pods.length;
            told.moved += chain.movedCount;
            for (const question of questionsAbout(before, world, random)) {
              told.asked++;
              told.differing += countDiffering(chain, stayed, before, world, question);
            }
          }
          before = world;
        }
      }
    });
    expect(told.differing / told.asked).toBeGreaterThan(0.01);
    // Measured: 0.14, and hardly one of these for nothing.
    expect(told.moved / told.pods).toBeLessThan(0.22);
  });

  it('are none when nothing changes that any rule asks for', { timeout }, () => {
    withRandom((random) => {
      for (let i = 0; i < AROUND_CHANGES / 200; i++) {
        const chain = new PolicyChain();
        const world = randomWorld(random);
        chain.tell(world);
        for (const idle of idleChanges(world, random)) {
          chain.tell(idle);
          if (chain.movedCount > 0) expect.fail(JSON.stringify({ world, idle }));
        }
      }
    });
  });
});

describe('explanations', () => {
  it(`NP-001 … NP-038 tell the verdict of the slow evaluator: ${EXPLAINED} connections`, { timeout }, () => {
    let asked = 0;
    withRandom((random) => {
      while (asked < EXPLAINED) {
        const world = changedWorld(randomWorld(random), random);
        for (const question of questions(world, random)) {
          asked++;
          const slow = slowVerdict(world, question);
          const told = explainConnection(world, { ...question, protocol: `${question.protocol}` });
          expect([told.allowed, ...sides(told)]).toEqual([slow.allowed, ...sides(slow)]);
        }
      }
    });
  });
});

function compare(chain: PolicyChain, world: RandomWorld, question: SlowQuestion, told: Told): void {
  const slow = slowVerdict(world, question);
  const fast = chain.verdict(question);
  if (fast.egress !== slow.egress.allowed || fast.ingress !== slow.ingress.allowed) {
    expect.fail(`${JSON.stringify({ question, fast, slow })} in ${scene(world, question)}`);
  }
  told.verdicts++;
  if (slow.egress.isolated || slow.ingress.isolated) told.isolated++;
  if (!slow.allowed) told.denied++;
}

/**
 * At how many ends is the verdict another? There the pod must have been moved.
 *
 * @param stayed addresses whose pods are those from before
 */
function countDiffering(
  chain: PolicyChain,
  stayed: ReadonlySet<string>,
  before: PolicyWorld,
  after: PolicyWorld,
  question: SlowQuestion,
): number {
  const differing = ends(question).filter((end) => stayed.has(end.address) && differs(before, after, question, end));
  for (const { direction, address } of differing) {
    if (chain.moved(address)) continue;
    const change = `${scene(before, question)} became ${scene(after, question)}`;
    expect.fail(`${direction} of ${JSON.stringify(question)} is another: ${change}`);
  }
  return differing.length;
}

/** Addresses of the pods that have the ports that they had: others have no connections yet. */
function stayedSince(ports: ReadonlyMap<string, string>, chain: PolicyChain): ReadonlySet<string> {
  const now = chain.ports();
  return new Set([...now.keys()].filter((address) => now.get(address) === ports.get(address)));
}

/** Each comes after the one before it. */
function* idleChanges(world: RandomWorld, random: Random): Generator<PolicyWorld> {
  yield { ...world, revision: 2 };
  const labels = { nobody: 'asks' };
  const pods = world.pods.map((pod) => ({ ...pod, labels: { ...pod.labels, ...labels } }));
  const namespaces = world.namespaces.map((each) => ({ ...each, labels: { ...each.labels, ...labels } }));
  yield { ...world, revision: 3, pods, namespaces };
  // What selects no pod may still ask of labels, addresses and ports that are there: who is who changes, not what they may.
  const others = changedPolicies(world, random).map((policy) => {
    return {
      ...policy,
      name: `${policy.name}-idle`,
      spec: { ...policy.spec, podSelector: { matchLabels: { no: 'pod' } } },
    };
  });
  yield { ...world, revision: 4, pods, namespaces, policies: [...world.policies, ...others] };
  yield { ...world, revision: 5 };
}

const changedPolicies = (world: RandomWorld, random: Random) =>
  randomWorld(random).policies.filter(({ namespace }) => world.namespaces.some(({ name }) => name === namespace));

const sides = ({ egress, ingress }: ReturnType<typeof slowVerdict>) => [
  egress.isolated,
  egress.allowed,
  ingress.isolated,
  ingress.allowed,
];

/** More identities than the compiler lets lie about when they are gone. */
function manyBlocks({ namespaces }: RandomWorld): WorldPolicy {
  const to = Array.from({ length: 4200 }, (_, i) => ({ ipBlock: { cidr: `100.64.${i >> 8}.${i & 255}/32` } }));
  const spec = { podSelector: {}, policyTypes: ['Egress'], egress: [{ to }] };
  return { namespace: namespaces[0]!.name, name: 'many-blocks', spec, placeOf: () => undefined };
}

/** A world, and what becomes of it. */
function* history(random: Random, first = randomWorld(random)): Generator<RandomWorld> {
  let world = first;
  yield world;
  for (let i = 0; i < CHANGES; i++) {
    world = changedWorld(world, random);
    yield world;
  }
}

function* questions(world: RandomWorld, random: Random): Generator<SlowQuestion> {
  for (let i = 0; i < QUESTIONS; i++) yield randomQuestion(world, random);
}

/** Half of them ask of a pod that has come, gone or changed. */
function* questionsAbout(before: RandomWorld, world: RandomWorld, random: Random): Generator<SlowQuestion> {
  const changed = [
    ...world.pods.filter((pod) => !before.pods.includes(pod)),
    ...before.pods.filter((pod) => !world.pods.includes(pod)),
  ].flatMap(({ addresses }) => addresses);
  for (const question of questions(world, random)) {
    const isV6 = question.source.includes(':');
    const fitting = changed.filter((address) => address.includes(':') === isV6);
    const end = random.pick(['source', 'destination']);
    yield fitting.length === 0 || random.once(2) ? question : { ...question, [end]: random.pick(fitting) };
  }
}

interface ConnectionEnd {
  readonly direction: SlowDirection;
  readonly address: string;
  readonly peer: string;
}

const ends = ({ source, destination }: SlowQuestion): readonly ConnectionEnd[] => [
  { direction: 'egress', address: source, peer: destination },
  { direction: 'ingress', address: destination, peer: source },
];

/** Is the verdict at this end another than it was? */
function differs(before: PolicyWorld, after: PolicyWorld, question: SlowQuestion, end: ConnectionEnd): boolean {
  // That the peer is the pod's own node, a packet's way tells; here it is told by pods of the host's network that come and go.
  const isNode = ({ pods }: PolicyWorld) => pods.some((pod) => pod.hostNetwork && pod.addresses.includes(end.peer));
  if (isNode(before) !== isNode(after)) return false;
  return slowVerdict(before, question)[end.direction].allowed !== slowVerdict(after, question)[end.direction].allowed;
}

/** What a failure shows: the least that is needed to see it again by hand. */
function scene({ pods, policies, namespaces }: PolicyWorld, { source, destination }: SlowQuestion): string {
  const concerned = pods.filter(({ addresses }) => addresses.includes(source) || addresses.includes(destination));
  const governing = policies.filter(({ namespace }) => concerned.some((pod) => pod.namespace === namespace));
  return JSON.stringify({ pods: concerned, policies: governing, namespaces });
}
