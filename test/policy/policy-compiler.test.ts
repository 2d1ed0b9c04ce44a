/** Specs to tables, against a slow and obvious reading of the spec; and whom a change is about. */
import { describe, expect, test } from 'vitest';
import { buffersOf, compileUpdate } from '../../src/nodes/compile-update.ts';
import { CONTINUE } from '../../src/packet/outcome.ts';
import { Way, way } from '../../src/packet/way.ts';
import { Direction, judge, Policies } from '../../src/policy/policies.ts';
import { PolicyCompiler } from '../../src/policy/policy-compiler.ts';
import {
  ALL_PORTS,
  type IdentitySpec,
  NOT_ISOLATED,
  type PolicySpec,
  type PortRange,
  WORLD,
} from '../../src/policy/policy-spec.ts';
import { ServiceCompiler } from '../../src/service/service-compiler.ts';
import { words } from '../dataplane/world.ts';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';
import { type PodRules, rules } from './rules.ts';

const protocols = { TCP: 6, UDP: 17, SCTP: 132 } as const;
const FAR = way(Way.Tunnel, 0);
const ROUNDS = PACKETS / 600;

interface Asked {
  readonly peer: string;
  readonly protocol: number;
  readonly port: number;
}

/** Addresses of a small universe, with prefixes of every length in it. */
function addressOf(number: number, ipv6: boolean): string {
  return ipv6 ? `fd00::${number.toString(16)}` : `10.0.0.${number}`;
}

function slowIdentity(identities: readonly IdentitySpec[], number: number, ipv6: boolean): number {
  let best = { length: -1, identity: WORLD };
  for (const { prefix, identity } of identities) {
    const [address = '', bits] = prefix.split('/');
    if (address.includes(':') !== ipv6) continue;
    const length = Number(bits);
    const base = Number.parseInt(address.split(ipv6 ? '::' : '10.0.0.')[1] || '0', ipv6 ? 16 : 10);
    const free = (ipv6 ? 128 : 32) - length;
    if (length === 0 || number >> free === base >> free) {
      if (length >= best.length) best = { length, identity };
    }
  }
  return best.identity;
}

function slowAllows(spec: PolicySpec, ruleset: number, identity: number, { protocol, port }: Asked): boolean {
  if (ruleset === NOT_ISOLATED) return true;
  const set = spec.rulesets[ruleset]![identity] ?? 0;
  if (set === ALL_PORTS) return true;
  return spec.portSets[set]!.some((range) => {
    return protocols[range.protocol] === protocol && port >= range.first && port <= range.last;
  });
}

function randomSpec(random: Random, revision: number, portSets: readonly (readonly PortRange[])[]): PolicySpec {
  const identity = () => random.below(6);
  const identities = Array.from({ length: random.below(14) }, () => {
    const ipv6 = random.once(3);
    const length = random.once(9) ? 0 : random.between(28, 32);
    const base = (random.below(16) >> (32 - length)) << (32 - length);
    if (length === 0) return { prefix: ipv6 ? '::/0' : '0.0.0.0/0', identity: identity() };
    return { prefix: `${addressOf(base, ipv6)}/${ipv6 ? length + 96 : length}`, identity: identity() };
  });
  const rulesets = Array.from({ length: 4 }, () => {
    return Int32Array.from({ length: random.between(1, 6) }, () => random.below(portSets.length));
  });
  const ruleset = () => (random.once(3) ? NOT_ISOLATED : random.below(rulesets.length));
  const pods = [0, 1, 2, 5]
    .filter(() => !random.once(4))
    .map((index) => ({ index, egress: ruleset(), ingress: ruleset() }));
  return { revision, numbering: 1, identities, portSets, rulesets, pods };
}

function randomPortSets(random: Random): PortRange[][] {
  const range = () => {
    const first = random.between(1, 40);
    const last = random.once(2) ? first : random.between(first, 45);
    return { protocol: random.pick(['TCP', 'UDP', 'SCTP'] as const), first, last };
  };
  return [[], [], ...Array.from({ length: 5 }, () => Array.from({ length: random.below(12) }, range))];
}

/** Every verdict about one pod that there is in the small universe: one character each. */
function verdictsOf(spec: PolicySpec, index: number): string {
  const pod = spec.pods.find((candidate) => candidate.index === index);
  let all = '';
  for (const ruleset of [pod?.egress ?? NOT_ISOLATED, pod?.ingress ?? NOT_ISOLATED]) {
    for (const ipv6 of [false, true]) {
      for (let number = 0; number < 16; number++) {
        const identity = slowIdentity(spec.identities, number, ipv6);
        // Of a whole row: a port set of another number may be the same ports, but nobody looks.
        all += ruleset === NOT_ISOLATED ? '-' : String(spec.rulesets[ruleset]![identity] ?? 0);
      }
    }
  }
  return all;
}

/** Asks both about one random flow; throws where they differ. */
function compared(random: Random, spec: PolicySpec, policies: Policies): boolean {
  const [number, ipv6, index] = [random.below(18), random.once(3), random.below(7)];
  const egress = random.once(2);
  const protocol = random.pick([6, 17, 132, 1, 47]);
  const asked = { peer: addressOf(number, ipv6), protocol, port: random.between(1, 46) };
  const pod = spec.pods.find((candidate) => candidate.index === index);
  const ruleset = (egress ? pod?.egress : pod?.ingress) ?? NOT_ISOLATED;
  const allowed = slowAllows(spec, ruleset, slowIdentity(spec.identities, number, ipv6), asked);
  if (verdict(policies, index, egress, asked) !== allowed) {
    expect.fail(`${JSON.stringify(asked)} pod ${index} egress ${egress}: ${!allowed}, of ${JSON.stringify(spec)}`);
  }
  return allowed;
}

describe('tables', () => {
  test('NP-002, NP-009, NP-038 say what the spec says: random specs, every pod and direction', () => {
    withRandom((random) => {
      const seen = { denied: 0, allowed: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        const spec = randomSpec(random, round, randomPortSets(random));
        const policies = new Policies();
        policies.replace(new PolicyCompiler().compile(spec));
        for (let i = 0; i < 400; i++) seen[compared(random, spec, policies) ? 'allowed' : 'denied']++;
      }
      expect(Math.min(seen.allowed, seen.denied)).toBeGreaterThan(ROUNDS * 50);
    });
  });

  test('a prefix that is none is refused, and nothing has changed', () => {
    const compiler = new PolicyCompiler();
    const spec = (prefix: string, revision: number): PolicySpec => {
      return {
        revision,
        numbering: 1,
        portSets: [[], []],
        rulesets: [Int32Array.of(0)],
        pods: [{ index: 3, ingress: 0, egress: -1 }],
        identities: [{ prefix, identity: 0 }],
      };
    };
    for (const prefix of [
      '10.0.0.1',
      '10.0.0.0/33',
      'fd00::/129',
      '10.0.0/8',
      '10.0.0.0/-1',
      '10.0.0.0/',
      '10.0.0.0/x',
      '',
    ]) {
      expect(() => compiler.compile(spec(prefix, 1)), prefix).toThrow(`not a prefix: ${prefix}`);
    }
    expect([...compiler.compile(spec('10.0.0.0/32', 2)).moved]).toEqual([3]);
  });

  test('bits past the length do not matter', () => {
    const policies = new Policies();
    policies.replace(
      new PolicyCompiler().compile({
        ...usual,
        ...rules({ '10.0.0.77/24': 1, 'fd00::77/112': 1 }, { index: 0, ingress: { 1: 'all' } }),
      }),
    );
    for (const peer of ['10.0.0.1', 'fd00::1'])
      expect(verdict(policies, 0, false, { peer, protocol: 6, port: 1 })).toBe(true);
    for (const peer of ['10.0.1.1', 'fd00::1:1'])
      expect(verdict(policies, 0, false, { peer, protocol: 6, port: 1 })).toBe(false);
  });

  test('tables cross to the other thread; what the compiler still needs stays here', () => {
    const compilers = { services: new ServiceCompiler(1), policies: new PolicyCompiler() };
    const told = { ...usual, ...rules({ '10.0.0.1/32': 1 }, { index: 0, ingress: { 1: 'all' } }) };
    const again = { ...structuredClone(told), revision: 2 };
    const update = compileUpdate({ version: 1, policies: told }, compilers);
    const arrived = structuredClone(update, { transfer: buffersOf(update) });
    const policies = new Policies();
    policies.replace(arrived.policies!);
    expect(verdict(policies, 0, false, { peer: '10.0.0.1', protocol: 6, port: 1 })).toBe(true);
    expect([...compileUpdate({ version: 2, policies: again }, compilers).policies!.moved]).toEqual([]);
    expect(compileUpdate({ version: 3 }, compilers).policies).toBeUndefined();
  });
});

const usual = { revision: 1, numbering: 1, identities: [], portSets: [], rulesets: [], pods: [] };

function verdict(policies: Policies, index: number, egress: boolean, { peer, protocol, port }: Asked): boolean {
  const key = new Int32Array(10).fill(0xa5a5a5a5 | 0);
  key.set(words(peer), egress ? 4 : 0);
  key[8] = (((port * 7) & 0xffff) << 16) | port;
  key[9] = ((peer.includes(':') ? 6 : 4) << 8) | protocol;
  const pod = way(Way.Pod, index);
  const outcome = egress ? judge(policies, key, pod, FAR) : judge(policies, key, FAR, pod);
  if (outcome !== CONTINUE) {
    expect([...policies.judgement]).toEqual([
      ...key,
      egress ? Direction.Egress : Direction.Ingress,
      policies.table.revision,
    ]);
  }
  return outcome === CONTINUE;
}

describe('who has moved', () => {
  /** Pods that the last of these specs moves. */
  function moved(...specs: readonly Partial<PolicySpec>[]): number[] {
    const compiler = new PolicyCompiler();
    return specs.map((spec, i) => [...compiler.compile({ ...usual, revision: i, ...spec }).moved]).at(-1)!;
  }
  const ids = { '10.0.0.1/32': 1, '10.0.0.2/32': 2 };
  const open: PodRules = { index: 4, ingress: { 1: 'TCP 80' } };
  const other: PodRules = { index: 7, egress: { 2: 'TCP 80' } };

  test('nobody, when only the revision or the numbers of rulesets are new', () => {
    expect(moved(rules(ids, open, other), rules(ids, open, other))).toEqual([]);
    expect(moved(rules(ids, open, other), rules(ids, other, open))).toEqual([]);
  });

  test('NP-036 who becomes isolated, or no longer is', () => {
    expect(moved(rules(ids, open))).toEqual([4]);
    expect(moved(rules(ids, open), rules(ids, open, other))).toEqual([7]);
    expect(moved(rules(ids, open, other), rules(ids, other))).toEqual([4]);
    expect(moved(rules(ids, open), rules(ids, { ...open, egress: { 0: 'all', 1: 'all', 2: 'all' } }))).toEqual([4]);
  });

  test('NP-064 whose rules let something else through', () => {
    expect(moved(rules(ids, open, other), rules(ids, { ...open, ingress: { 1: 'TCP 81' } }, other))).toEqual([4]);
    expect(moved(rules(ids, open, other), rules(ids, { ...open, ingress: { 0: 'all', 1: 'TCP 80' } }, other))).toEqual([
      4,
    ]);
    expect(moved(rules(ids, open, other), rules(ids, open, { ...other, egress: {} }))).toEqual([7]);
  });

  test('NP-035 whose peer is of an identity with other ports now', () => {
    expect(moved(rules(ids, open, other), rules({ ...ids, '10.0.0.1/32': 3 }, open, other))).toEqual([4]);
    expect(moved(rules(ids, open, other), rules({ '10.0.0.2/32': 2 }, open, other))).toEqual([4]);
    expect(moved(rules(ids, open, other), rules({ ...ids, '10.0.0.9/32': 2 }, open, other))).toEqual([7]);
    expect(moved(rules(ids, open, other), rules({ '10.0.0.1/32': 2, '10.0.0.2/32': 1 }, open, other))).toEqual([4, 7]);
  });

  test('NP-035 not whose peer is of another identity with the same ports', () => {
    expect(moved(rules(ids, open, other), rules({ ...ids, '10.0.0.9/32': 3 }, open, other))).toEqual([]);
    const both = { index: 4, ingress: { 1: 'TCP 80', 3: 'TCP 80' } };
    expect(moved(rules(ids, both), rules({ '10.0.0.1/32': 3, '10.0.0.2/32': 2 }, both))).toEqual([]);
  });

  test('an identity that is new moves nobody, whatever it may', () => {
    const after = { index: 4, ingress: { 1: 'TCP 80', 3: 'all' } };
    expect(moved(rules(ids, open), rules({ ...ids, '10.0.0.9/32': 3 }, after))).toEqual([4]); // it was of the world
    expect(moved(rules(ids, open), rules(ids, after))).toEqual([]);
  });

  test('a wider prefix is about the addresses that no longer one has', () => {
    const before = { '10.0.0.0/24': 1, '10.0.0.1/32': 2 };
    expect(moved(rules(before, open, other), rules({ ...before, '10.0.0.0/24': 3 }, open, other))).toEqual([4]);
    expect(moved(rules(before, open, other), rules({ ...before, '10.0.0.0/28': 3 }, open, other))).toEqual([4]);
    expect(moved(rules(before, open, other), rules({ '10.0.0.1/32': 2 }, open, other))).toEqual([4]);
    expect(moved(rules(before, open, other), rules({ '10.0.0.0/24': 1 }, open, other))).toEqual([4, 7]);
  });

  test('a wider prefix is not who a longer one in it is, though both begin with the same address', () => {
    const one = { '10.0.0.0/32': 2 };
    expect(moved(rules(one, open, other), rules({ ...one, '10.0.0.0/24': 2 }, open, other))).toEqual([7]);
  });

  test('whoever lets the world in otherwise, also where one family has no world left', () => {
    const all = { '0.0.0.0/0': 1 };
    const world = (ports: string) => rules(all, { index: 4, ingress: { 0: ports } });
    expect(moved(world('TCP 80'), world('TCP 81'))).toEqual([4]);
  });

  test('pods that shared a ruleset may part', () => {
    const shared = { portSets: [[], []], rulesets: [Int32Array.of(0), Int32Array.of(1)] };
    const pod = (index: number, ingress: number) => ({ index, ingress, egress: NOT_ISOLATED });
    const before = { ...shared, pods: [pod(4, 0), pod(7, 0)] };
    expect(moved(before, { ...shared, pods: [pod(4, 0), pod(7, 1)] })).toEqual([7]);
    expect(moved(before, { ...shared, pods: [pod(4, 1), pod(7, 0)] })).toEqual([4]);
  });

  test('all that were or are isolated, when numbers mean something else', () => {
    expect(moved(rules(ids, open), { ...rules(ids, open, other), numbering: 2 })).toEqual([4, 7]);
    expect(moved(rules(ids, open, other), { ...rules(ids, open), numbering: 2 })).toEqual([4, 7]);
  });

  test('NP-033 whoever has another verdict about anybody: random changes', () => {
    withRandom((random) => {
      let changed = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const portSets = randomPortSets(random);
        const before = randomSpec(random, 1, portSets);
        const fresh = randomSpec(random, 2, portSets);
        const keep = random.below(4);
        const after = {
          ...fresh,
          identities: keep === 0 ? fresh.identities : [...before.identities, ...fresh.identities.slice(0, keep - 1)],
          ...(random.once(2) ? { rulesets: before.rulesets, pods: before.pods } : {}),
        };
        const told = moved(before, after);
        for (let index = 0; index < 7; index++) {
          if (verdictsOf(before, index) === verdictsOf(after, index)) continue;
          changed++;
          expect(told, `${JSON.stringify(before)} → ${JSON.stringify(after)}`).toContain(index);
        }
      }
      expect(changed).toBeGreaterThan(ROUNDS / 2);
    });
  });
});

describe('revisions', () => {
  test('a spec that moves nobody leaves them; one that moves a pod is after all that were before', () => {
    const compiler = new PolicyCompiler();
    const policies = new Policies();
    const pod = way(Way.Pod, 2);
    const ingress = (index: number) => rules({}, { index, ingress: {} });
    policies.replace(compiler.compile({ ...usual, ...ingress(2) }));
    const first = policies.revision;
    expect([policies.movedSince(pod, first - 1), policies.movedSince(pod, first)]).toEqual([true, false]);
    policies.replace(compiler.compile({ ...usual, ...ingress(2), revision: 9 }));
    expect([policies.revision, policies.table.revision]).toEqual([first, 9]);
    policies.replace(
      compiler.compile({ ...usual, ...rules({}, { index: 2, ingress: {} }, { index: 1, ingress: {} }) }),
    );
    expect(policies.revision).not.toBe(first);
    expect(policies.movedSince(pod, first)).toBe(false);
    expect(policies.movedSince(way(Way.Pod, 1), first)).toBe(true);
    expect(
      [way(Way.Tunnel, 2), way(Way.Host, 0), -1, way(Way.Pod, 77)].some((other) =>
        policies.movedSince(other, first - 1),
      ),
    ).toBe(false);
  });

  test('count on past the largest integer', () => {
    const compiler = new PolicyCompiler();
    const policies = new Policies();
    policies.revision = 0x7fff_ffff;
    policies.replace(compiler.compile({ ...usual, ...rules({}, { index: 0, ingress: {} }) }));
    expect(policies.revision).toBe(-0x8000_0000);
    expect(policies.movedSince(way(Way.Pod, 0), 0x7fff_ffff)).toBe(true);
  });
});
