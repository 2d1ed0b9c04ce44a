/** NetworkPolicies in the store, and what nodes are told of them. */
import { describe, expect, test } from 'vitest';
import { readObjects } from '../../src/cluster/manifests.ts';
import type { NodeUpdate } from '../../src/nodes/protocol.ts';
import { NOT_ISOLATED, type PolicySpec } from '../../src/policy/policy-spec.ts';
import { kinds } from '../../src/store/resources.ts';
import { RolloutWorld } from './rollout-world.ts';

const pod = (name: string, node: string, labels = `app: ${name}`, more = '') =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, labels: {${labels}}}\nspec: {nodeName: ${node}${more}, containers: [{name: c, image: i, ports: [{name: http, containerPort: 80}]}]}`;
const policy = (spec: string, name = 'p') =>
  `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: ${name}}\nspec: ${spec}`;
const denyDb = policy('{podSelector: {matchLabels: {app: db}}}');
const dbFromWeb = policy(
  '{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}',
);

/** A cluster of web and db on n1, and a guest on n2. */
async function shop(...texts: string[]): Promise<RolloutWorld> {
  const world = new RolloutWorld();
  await world.apply(pod('web', 'n1'), pod('db', 'n1'), pod('guest', 'n2'), ...texts);
  world.clear();
  return world;
}

/** What each node was told of policies, in order: `n1` or, where pods are isolated, `n1 0 2` with their ports. */
function told({ updates }: RolloutWorld): string[] {
  return updates.flatMap(({ node, update: { policies } }) =>
    policies === undefined ? [] : [[node, ...policies.pods.map(({ index }) => index)].join(' ')],
  );
}

function specs({ updates }: RolloutWorld, node = 'n1'): PolicySpec[] {
  return updates.flatMap((one) => (one.node === node ? (one.update.policies ?? []) : []));
}

/** Port set that a pod's ingress has for an address with an entry of its own. */
function portSet({ pods, rulesets, identities }: PolicySpec, index: number, address: string): number {
  const { ingress } = pods.find((one) => one.index === index)!;
  return rulesets[ingress]![identities.find(({ prefix }) => prefix === `${address}/32`)!.identity]!;
}

const [WEB, DB] = [0, 1];

describe('a cluster without policies', () => {
  test('tells nodes nothing of policies, not even everything anew', async () => {
    const world = new RolloutWorld();
    await world.apply(pod('web', 'n1'), pod('db', 'n2'));
    expect(told(world)).toEqual([]);
    expect(world.rollout.feed.nodes.get('n1')!.full(9).policies).toBeUndefined();
  });

  test('has a world for those who ask', async () => {
    const world = await shop();
    const now = world.plane.policyWorld()!;
    expect(now.pods.map(({ name, node, addresses }) => [name, node, addresses[0]])).toEqual([
      ['db', 'n1', '10.244.0.3'],
      ['guest', 'n2', '10.244.1.2'],
      ['web', 'n1', '10.244.0.2'],
    ]);
    expect(world.plane.policyWorld()).toBe(now);
    expect(world.plane.policyWorld(now.revision)).toBe(now);
    expect(world.plane.policyWorld(99)).toBeUndefined();
  });
});

describe('a policy', () => {
  test('reaches the nodes whose pods it governs, and no other', async () => {
    const world = await shop();
    await world.apply(denyDb);
    expect(told(world)).toEqual(['n1 1']);
    const [spec] = specs(world);
    expect(spec!.pods).toEqual([{ index: DB, ingress: 0, egress: NOT_ISOLATED }]);
    expect(world.plane.policyWorld(spec!.revision)!.policies[0]!.name).toBe('p');
  });

  test('that governs none of a node’s pods any more is told to that node, and then nothing', async () => {
    const world = await shop(policy('{podSelector: {}}'));
    await world.apply(denyDb);
    expect(told(world)).toEqual(['n1 1', 'n2']);
    await world.apply(pod('late', 'n2', 'app: db2'));
    expect(told(world).slice(2)).toEqual(['n1 1']);
  });

  test('that governs nobody is told to nobody', async () => {
    const world = await shop();
    await world.apply(policy('{podSelector: {matchLabels: {app: nobody}}}'));
    expect(world.log).toEqual([]);
  });

  test('NP-005 without policyTypes governs ingress, and egress when it has rules for it', async () => {
    const types = async (spec: string) => {
      const world = await shop(policy(spec));
      return world.plane.policyWorld()!.policies[0]!.spec.policyTypes;
    };
    expect(await types('{podSelector: {}}')).toEqual(['Ingress']);
    expect(await types('{podSelector: {}, egress: []}')).toEqual(['Ingress']);
    expect(await types('{podSelector: {}, egress: [{}]}')).toEqual(['Ingress', 'Egress']);
    expect(await types('{podSelector: {}, egress: [{}], policyTypes: [Egress]}')).toEqual(['Egress']);
  });

  test('NP-034 namespaces can be selected by their names', async () => {
    const rule = '{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: default}}}]}';
    const world = await shop();
    await world.apply(policy(`{podSelector: {matchLabels: {app: db}}, ingress: [${rule}]}`));
    expect(portSet(specs(world)[0]!, DB, '10.244.1.2')).toBe(1);
  });

  test('NP-036 that is deleted lets everything through again', async () => {
    const world = await shop(denyDb);
    await world.delete(denyDb);
    expect(specs(world)).toMatchObject([{ pods: [], rulesets: [], identities: [] }]);
    world.clear();
    await world.apply(pod('late', 'n1'));
    expect(told(world)).toEqual([]);
    expect(world.rollout.feed.nodes.get('n1')!.full(9).policies).toMatchObject({ pods: [] });
  });

  test('NP-002 NP-036 that is deleted beside another leaves the other', async () => {
    const world = await shop(denyDb, policy('{podSelector: {}}', 'all'));
    await world.delete(denyDb);
    expect(
      specs(world)
        .at(-1)!
        .pods.map(({ index }) => index),
    ).toEqual([WEB, DB]);
  });

  test('in the place of one that said the same is told, so that denials name it', async () => {
    const world = await shop(denyDb);
    world.plane.deleteOne(kinds.NetworkPolicy, 'default', 'p');
    await world.apply(denyDb.replace('name: p', 'name: q'));
    const { revision } = specs(world).at(-1)!;
    expect(world.plane.policyWorld(revision)!.policies.map(({ name }) => name)).toEqual(['q']);
  });
});

describe('pods', () => {
  test('NP-032 a new pod has its rules in the update that brings it, before it starts', async () => {
    const world = await shop(policy('{podSelector: {matchLabels: {tier: back}}}'));
    await world.apply(pod('late', 'n2', 'tier: back'));
    const { update } = world.updates.find(({ node }) => node === 'n2')!;
    expect(update.addPods!.map(({ index }) => index)).toEqual([1]);
    expect(update.policies!.pods).toEqual([{ index: 1, ingress: 0, egress: NOT_ISOLATED }]);
    expect(world.log.indexOf('tell n2')).toBeLessThan(world.log.indexOf('start default/late'));
  });

  test('NP-032 a pod that another round finds half made is nowhere without its rules', async () => {
    const world = await shop(policy('{podSelector: {matchLabels: {tier: back}}}'));
    const many = Array.from({ length: 60 }, (_, i) => pod(`late-${i}`, 'n2', 'tier: back'));
    // While pods are made, one that ends makes nodes be told of what there is.
    world.ending = async () => {
      while (!world.log.includes('create default/late-10')) await new Promise(setImmediate);
    };
    const gone = world.delete(pod('guest', 'n2'));
    await world.apply(...many);
    await gone;
    const isolated = new Set<number>();
    for (const { update } of world.updates.filter(({ node }) => node === 'n2')) {
      for (const { index } of update.policies?.pods ?? []) isolated.add(index);
      for (const { index } of update.addPods ?? []) expect(isolated).toContain(index);
    }
    expect(isolated.size).toBe(60);
  });

  test('who somebody new is, every node with isolated pods knows before it starts', async () => {
    const world = await shop(dbFromWeb);
    await world.apply(pod('web-2', 'n2', 'app: web'));
    expect(portSet(specs(world)[0]!, DB, '10.244.1.3')).toBe(1);
    expect(world.log.indexOf('tell n1')).toBeLessThan(world.log.indexOf('start default/web-2'));
  });

  test('NP-035 a pod that gains a label is isolated, or allowed, without a restart', async () => {
    const world = await shop(dbFromWeb);
    await world.apply(pod('guest', 'n2', 'app: web'));
    expect(portSet(specs(world).at(-1)!, DB, '10.244.1.2')).toBe(1);
    await world.apply(pod('guest', 'n2', 'app: db'));
    expect(portSet(specs(world).at(-1)!, DB, '10.244.1.2')).toBe(0);
    expect(specs(world, 'n2').at(-1)!.pods).toMatchObject([{ index: 0, ingress: 0 }]);
    expect(world.log).not.toContain('create default/guest');
  });

  test('NP-035 a namespace that gains a label is followed', async () => {
    const rule = '{from: [{namespaceSelector: {matchLabels: {team: a}}}]}';
    const world = await shop(policy(`{podSelector: {matchLabels: {app: db}}, ingress: [${rule}]}`));
    const before = world.plane.policyWorld()!;
    await world.apply('apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {team: a}}');
    expect(portSet(specs(world)[0]!, DB, '10.244.1.2')).toBe(1);
    expect(before.namespaces.find(({ name }) => name === 'default')!.labels).not.toHaveProperty('team');
  });

  test('NP-028 a pod on its node’s network is told to nobody', async () => {
    const world = await shop(policy('{podSelector: {}}'));
    await world.apply(pod('agent', 'n1', 'app: web', ', hostNetwork: true'));
    expect(told(world)).toEqual([]);
    expect(world.plane.policyWorld()!.pods.find(({ name }) => name === 'agent')).toMatchObject({ hostNetwork: true });
  });

  test('that come Ready, or change what no policy asks for, are no news', async () => {
    const world = await shop(dbFromWeb);
    const before = world.plane.policyWorld();
    await world.apply(pod('web', 'n1').replace('labels:', 'annotations: {podwire.dev/ready: "false"}, labels:'));
    expect(world.plane.policyWorld()).toBe(before);
    await world.apply(pod('guest', 'n2', 'app: guest, mood: good'));
    expect(told(world)).toEqual([]);
  });

  test('that go leave no rule and no identity behind', async () => {
    const world = await shop(dbFromWeb, pod('db-2', 'n1', 'app: db'));
    await world.delete(pod('db', 'n1'));
    const last = specs(world).at(-1)!;
    expect(last.pods.map(({ index }) => index)).toEqual([2]);
    expect(last.identities.map(({ prefix }) => prefix)).not.toContain('10.244.0.3/32');
    await world.delete(pod('web', 'n1'));
    expect(
      specs(world)
        .at(-1)!
        .identities.map(({ prefix }) => prefix),
    ).not.toContain('10.244.0.2/32');
  });

  test('that end keep their rules while they still have a port', async () => {
    const world = await shop(denyDb);
    let release = () => {};
    world.ending = () => new Promise((resolve) => (release = resolve));
    const db = world.plane.pod('default/db')!;
    world.plane.store.updateStatus({ ...db, status: { ...db.status, phase: 'Succeeded' } });
    await world.rollout.settle();
    expect(world.plane.policyWorld()!.pods.map(({ name }) => name)).not.toContain('db');
    expect(specs(world).every(({ pods }) => pods.some(({ index }) => index === DB))).toBe(true);
    const { policies } = world.rollout.feed.nodes.get('n1')!.full(9);
    expect(policies!.pods.map(({ index }) => index)).toEqual([DB]);
    release();
    await world.rollout.ended();
    expect(world.rollout.feed.nodes.get('n1')!.full(9).policies!.pods).toEqual([]);
  });
});

describe('what nodes were told', () => {
  test('a node that starts anew is told all of it', async () => {
    const world = await shop(dbFromWeb);
    const full: NodeUpdate = world.rollout.feed.nodes.get('n1')!.full(9);
    expect(full.policies!.pods).toMatchObject([{ index: DB }]);
    expect(portSet(full.policies!, DB, '10.244.0.2')).toBe(1);
  });

  test('is told again when a node has refused it', async () => {
    const world = await shop();
    world.acknowledge = async () => {
      world.acknowledge = async () => {};
      throw new Error('no');
    };
    await expect(world.apply(denyDb)).rejects.toThrow('no');
    await world.apply(pod('late', 'n2'));
    expect(told(world).filter((one) => one.startsWith('n1'))).toEqual(['n1 1', 'n1 1']);
  });

  test('changes that were returned come again, also that there is no policy any more', async () => {
    const world = await shop(denyDb);
    const { plane } = world;
    plane.store.delete(kinds.NetworkPolicy, 'default', 'p');
    const changes = plane.takeChanges();
    expect(changes.policies?.policies).toEqual([]);
    expect(plane.takeChanges().policies).toBeUndefined();
    plane.returnChanges(changes);
    expect(plane.takeChanges().policies).toBe(changes.policies);
  });

  test('never falls so far behind that its worlds are forgotten', async () => {
    const world = await shop(denyDb);
    for (let i = 0; i < 80; i++) await world.apply(pod('guest', 'n2', `app: guest, mood: m${i}`));
    const { revision } = specs(world).at(-1)!;
    expect(world.plane.policyWorld(revision)?.revision).toBe(revision);
    expect(specs(world).length).toBeLessThan(4);
  });
});

describe('places', () => {
  const file = `# a comment\n${policy('\n  podSelector: {}\n  ingress:\n  - from: []\n  - {}')}`;

  test('of a policy are those of its text', async () => {
    const world = await shop();
    await world.apply(file);
    const [own] = world.plane.policyWorld()!.policies;
    expect(own!.placeOf('spec.ingress[1]')).toEqual({ file: 'a.yaml', line: 9, column: 5 });
    expect(own!.placeOf('spec.podSelector')).toMatchObject({ line: 6 });
    expect(own!.placeOf('spec.egress[3].to')).toMatchObject({ line: 5 });
  });

  test('in a world of before stay; the same policy on other lines makes a new one', async () => {
    const world = await shop();
    await world.apply(file);
    const before = world.plane.policyWorld()!;
    await world.apply(`# another\n${file}`);
    const after = world.plane.policyWorld()!;
    const lineIn = ({ policies }: typeof before) => policies[0]!.placeOf('spec.podSelector')!.line;
    expect(lineIn(after) - lineIn(before)).toBe(1);
    expect(after.revision).toBeGreaterThan(before.revision);
  });

  test('are unknown for policies that no text has brought: those of controllers, those of programs', async () => {
    const world = await shop();
    const spec = { podSelector: {}, policyTypes: ['Ingress'] };
    const object = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'p' }, spec };
    world.plane.store.create({ ...object, metadata: { name: 'p', namespace: 'default' } });
    expect(world.plane.policyWorld()!.policies[0]!.placeOf('spec')).toBeUndefined();
    world.plane.apply(readObjects([object]).objects);
    expect(world.plane.policyWorld()!.policies[0]!.placeOf('spec')).toBeUndefined();
  });
});
