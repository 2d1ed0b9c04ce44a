/** Random policies, such as an API server lets through. Labels, ports and prefixes come from small pools, so that they meet. */
import type { LabelSelector, LabelSelectorRequirement } from 'kubernetes-types/meta/v1.d.ts';
import type { NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec } from 'kubernetes-types/networking/v1.d.ts';
import type { WorldPolicy } from '../../src/network-policy/policy-world.ts';
import { slowPolicyTypes, slowRange } from '../oracle/slow-policy.ts';
import type { Random } from '../support/random.ts';
import { edgeIn, type Family, numberText, type RandomWorld, randomAddress } from './random-addresses.ts';

/** Names of fields of every object in JavaScript are sound names of labels and ports. */
const KEYS = ['app', 'tier', 'example.com/app', 'constructor'];
const VALUES = ['a', 'b', 'c', '', 'a.b'];
export const PORT_NAMES = ['http', 'dns', 'constructor'];
export const PORTS = [53, 80, 81, 82, 443, 65535, 1];
export const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;
const LENGTHS: Record<Family, readonly number[]> = {
  4: [0, 1, 7, 8, 9, 16, 23, 24, 25, 28, 29, 30, 31, 32],
  6: [0, 0, 1, 7, 8, 16, 32, 33, 48, 63, 64, 65, 96, 120, 125, 126, 127, 128],
};

export function randomLabels(random: Random): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (let i = random.below(4); i > 0; i--) labels[random.pick(KEYS)] = random.pick(VALUES);
  return labels;
}

export function withPolicy(world: RandomWorld, random: Random): RandomWorld {
  const policy: WorldPolicy = {
    namespace: random.pick(world.namespaces).name,
    name: `np${world.revision}-${world.policies.length}`,
    spec: randomSpec(world, random),
    placeOf: () => undefined,
  };
  return { ...world, policies: [...world.policies, policy] };
}

export function randomSpec(world: RandomWorld, random: Random): NetworkPolicySpec {
  const spec: NetworkPolicySpec = { podSelector: random.once(3) ? {} : randomSelector(random) };
  const rules = <Peers extends 'from' | 'to'>(peers: Peers) =>
    Array.from({ length: random.below(4) }, () => randomRule(world, random, peers));
  if (!random.once(3)) spec.ingress = rules('from');
  if (!random.once(3)) spec.egress = rules('to');
  if (!random.once(3))
    spec.policyTypes = random.pick([['Ingress'], ['Egress'], ['Ingress', 'Egress'], ['Egress', 'Ingress'], []]);
  return { ...spec, policyTypes: [...slowPolicyTypes(spec)] };
}

function randomRule(world: RandomWorld, random: Random, peers: 'from' | 'to') {
  return {
    ...(random.once(5) ? {} : { [peers]: Array.from({ length: random.below(4) }, () => randomPeer(world, random)) }),
    ...(random.once(3) ? {} : { ports: Array.from({ length: random.below(4) }, () => randomPort(random)) }),
  };
}

function randomSelector(random: Random): LabelSelector {
  const selector: LabelSelector = {};
  if (!random.once(3)) {
    selector.matchLabels = { [random.pick(KEYS)]: random.pick(VALUES) };
    if (random.once(4)) selector.matchLabels[random.pick(KEYS)] = random.pick(VALUES);
    if (random.once(8)) selector.matchLabels = {};
  }
  if (random.once(3)) selector.matchExpressions = Array.from({ length: random.below(3) }, () => requirement(random));
  return selector;
}

function requirement(random: Random): LabelSelectorRequirement {
  const key = random.pick(KEYS);
  const operator = random.pick(['In', 'NotIn', 'Exists', 'DoesNotExist']);
  if (operator.endsWith('In')) {
    return { key, operator, values: Array.from({ length: random.between(1, 3) }, () => random.pick(VALUES)) };
  }
  return random.once(2) ? { key, operator } : { key, operator, values: [] };
}

/** Of namespaces: by the label that all have, too (NP-034). */
function namespaceSelector(world: RandomWorld, random: Random): LabelSelector {
  if (random.once(4)) return {};
  if (random.once(2)) return randomSelector(random);
  const name = random.pick(world.namespaces).name;
  const key = 'kubernetes.io/metadata.name';
  if (random.once(2)) return { matchLabels: { [key]: name } };
  return { matchExpressions: [{ key, operator: random.pick(['In', 'NotIn']), values: [name, 'elsewhere'] }] };
}

function randomPeer(world: RandomWorld, random: Random): NetworkPolicyPeer {
  const podSelector = random.once(5) ? {} : randomSelector(random);
  switch (random.below(4)) {
    case 0:
      return { podSelector };
    case 1:
      return { namespaceSelector: namespaceSelector(world, random) };
    case 2:
      return { podSelector, namespaceSelector: namespaceSelector(world, random) };
    default:
      return { ipBlock: randomBlock(world, random) };
  }
}

/** Excepts are narrower than what they are cut out of, may overlap, lie in each other, or be there twice. */
function randomBlock(world: RandomWorld, random: Random) {
  const family = random.once(5) ? random.pick([4, 6] as const) : random.pick(world.families);
  const width = family === 4 ? 32 : 128;
  const len = random.pick(LENGTHS[family]);
  const cidr = prefixText(randomAddress(world, random, family), len, random);
  if (len === width || random.once(2)) return random.once(8) ? { cidr, except: [] } : { cidr };
  const except: string[] = [];
  for (let i = random.between(1, 3); i > 0; i--) {
    const { first, last } = slowRange(except.length > 0 && random.once(2) ? random.pick(except) : cidr);
    const inside = edgeIn(world, random, family, first, last);
    const narrower = LENGTHS[family].filter((each) => each > len);
    except.push(prefixText(inside, random.pick(narrower), random));
  }
  return { cidr, except };
}

/** Host bits are as they come, or zero. */
function prefixText(address: string, len: number, random: Random): string {
  if (random.once(6)) return `${address}/${len}`;
  return `${numberText(slowRange(`${address}/${len}`).first, address.includes(':') ? 6 : 4)}/${len}`;
}

function randomPort(random: Random): NetworkPolicyPort {
  const protocol = random.once(4) ? {} : { protocol: random.once(2) ? 'TCP' : random.pick(PROTOCOLS) };
  const port = random.pick(PORTS);
  switch (random.below(5)) {
    case 0:
      return protocol;
    case 1:
      return { ...protocol, port: random.pick(PORT_NAMES) };
    case 2:
      return { ...protocol, port, endPort: Math.min(65535, port + random.pick([0, 1, 2, 100, 70000])) };
    default:
      return { ...protocol, port };
  }
}
