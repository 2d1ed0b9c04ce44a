/** Random worlds of NetworkPolicies, changes of them, and questions that aim at their edges. */
import type { NamedPort, WorldNamespace, WorldPod } from '../../src/network-policy/policy-world.ts';
import type { SlowQuestion } from '../oracle/slow-policy.ts';
import type { Random } from '../support/random.ts';
import { type Family, NODES, nodeAddress, podAddress, type RandomWorld, randomAddress } from './random-addresses.ts';
import { PORT_NAMES, PORTS, PROTOCOLS, randomLabels, randomSpec, withPolicy } from './random-policies.ts';

const NAMESPACES = ['shop', 'data', 'constructor', 'shop-2'];

export function randomWorld(random: Random): RandomWorld {
  const families: Family[] = random.once(3) ? [4, 6] : random.once(3) ? [6] : [4];
  const namespaces = NAMESPACES.slice(0, random.between(1, NAMESPACES.length)).map((name) =>
    randomNamespace(random, name),
  );
  const nodes = NODES.slice(0, random.between(1, NODES.length));
  const hosts = nodes.map((node, at) => ({ node, addresses: families.map((family) => nodeAddress(family, at)) }));
  let world: RandomWorld = { revision: 1, families, nodes, namespaces, pods: [], policies: [] };
  if (!random.once(4)) world = { ...world, hosts };
  for (let i = random.between(2, 14); i > 0; i--) world = withPod(world, random);
  for (let i = random.between(0, random.once(2) ? 4 : 12); i > 0; i--) world = withPolicy(world, random);
  return world;
}

/** A world as it is after something happened in it; its revision is the next. */
export function changedWorld(world: RandomWorld, random: Random): RandomWorld {
  return change({ ...world, revision: world.revision + 1 }, random);
}

function change(world: RandomWorld, random: Random): RandomWorld {
  const { pods, policies, namespaces } = world;
  switch (random.below(10)) {
    case 0:
      return { ...world, namespaces: replaced(namespaces, random, (old) => randomNamespace(random, old.name)) };
    case 1:
    case 2:
    case 3:
      return { ...world, pods: replaced(pods, random, (old) => ({ ...old, labels: randomLabels(random) })) };
    case 4:
    case 5:
      return policies.length < 14 ? withPolicy(world, random) : { ...world, policies: [] };
    case 6:
      return { ...world, policies: replaced(policies, random, (old) => ({ ...old, spec: randomSpec(world, random) })) };
    case 7:
      return { ...world, policies: removed(policies, random) };
    case 8:
      return pods.length < 16 ? withPod(world, random) : world;
    default:
      return pods.length > 2 ? withAnotherPod(world, random) : world;
  }
}

function replaced<T>(list: readonly T[], random: Random, make: (old: T) => T): readonly T[] {
  const at = random.below(list.length);
  return list.map((each, i) => (i === at ? make(each) : each));
}

function removed<T>(list: readonly T[], random: Random): readonly T[] {
  const at = random.below(list.length);
  return list.filter((_, i) => i !== at);
}

function randomNamespace(random: Random, name: string): WorldNamespace {
  return { name, labels: { ...randomLabels(random), 'kubernetes.io/metadata.name': name } };
}

function withPod(world: RandomWorld, random: Random): RandomWorld {
  const node = random.pick(world.nodes);
  const hostNetwork = random.once(8);
  const at = NODES.indexOf(node);
  const taken = new Set(world.pods.flatMap((pod) => pod.addresses));
  const isTaken = (last: number) => world.families.some((family) => taken.has(podAddress(family, at, last)));
  let host = random.between(2, 25);
  while (isTaken(host)) host = random.between(2, 25);
  const pod: WorldPod = {
    ...(world.pods.length > 0 && random.once(2) ? replicaOf(random.pick(world.pods)) : randomTemplate(world, random)),
    name: `p${world.revision}-${world.pods.length}`,
    addresses: world.families.map((family) => (hostNetwork ? nodeAddress(family, at) : podAddress(family, at, host))),
    node,
    hostNetwork,
  };
  return { ...world, pods: [...world.pods, pod] };
}

type Template = Pick<WorldPod, 'namespace' | 'labels' | 'ports'>;

const randomTemplate = (world: RandomWorld, random: Random): Template => ({
  namespace: random.pick(world.namespaces).name,
  labels: randomLabels(random),
  ports: Array.from({ length: random.below(4) }, () => randomNamedPort(random)),
});

/** Policies cannot tell them apart, but for their addresses. */
const replicaOf = ({ namespace, labels, ports }: WorldPod): Template => ({ namespace, labels, ports });

/** One goes and another comes: perhaps with its name, perhaps with its addresses, perhaps both. */
function withAnotherPod(world: RandomWorld, random: Random): RandomWorld {
  const gone = random.pick(world.pods);
  const rest = world.pods.filter((pod) => pod !== gone);
  const next = withPod({ ...world, pods: rest }, random);
  const { node, hostNetwork, addresses } = gone;
  const pod = {
    ...next.pods.at(-1)!,
    ...(random.once(2) ? { namespace: gone.namespace, name: gone.name } : {}),
    ...(random.once(2) ? { node, hostNetwork, addresses } : {}),
  };
  return { ...next, pods: [...rest, pod] };
}

const randomNamedPort = (random: Random): NamedPort => ({
  name: random.pick(PORT_NAMES),
  port: random.pick(PORTS),
  protocol: random.pick(PROTOCOLS),
});

/** Between two addresses of one family, one of which at least is a pod's. */
export function randomQuestion(world: RandomWorld, random: Random): SlowQuestion {
  const family = random.pick(world.families);
  const pod = random.pick(world.pods).addresses[world.families.indexOf(family)]!;
  const other = randomAddress(world, random, family);
  const [source, destination] = random.once(2) ? [pod, other] : [other, pod];
  const protocol = random.once(6)
    ? random.pick(['ICMP', 47, 255] as const)
    : random.once(2)
      ? 'TCP'
      : random.pick(PROTOCOLS);
  return { source, destination, protocol, port: randomDestinationPort(world, random, destination) };
}

function randomDestinationPort(world: RandomWorld, random: Random, destination: string): number {
  const served = world.pods.find((pod) => pod.addresses.includes(destination))?.ports ?? [];
  if (served.length > 0 && random.once(2)) return random.pick(served).port;
  if (random.once(10)) return random.pick([0, 65535, random.below(65536)]);
  return Math.min(65535, Math.max(0, random.pick(PORTS) + random.pick([0, 0, 0, -1, 1, 2, 3, 100, 101])));
}
