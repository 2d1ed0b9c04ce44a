/** What goes wrong on the way: nothing is lost, nobody hears of what is not theirs, and the rest goes on. */
import { describe, expect, test } from 'vitest';
import { RolloutWorld } from './rollout-world.ts';

const pod = (name: string, node: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, labels: {app: web}}\nspec: {nodeName: ${node}, containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}`;
const service =
  'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}';

describe('a pod whose end fails', () => {
  test('is gone all the same, its network too, and its name may be taken again', async () => {
    const world = new RolloutWorld();
    await world.apply(pod('a', 'n1'));
    world.ending = async () => {
      throw new Error('no descriptors');
    };
    await world.delete(pod('a', 'n1'));
    expect(world.log).toContain('remove default/a');
    expect(world.plane.pod('default/a')).toBeUndefined();
    await world.apply(pod('a', 'n1'));
    expect(world.isReady('default/a')).toBe(true);
  });

  test('is not brought back by a node that starts anew meanwhile', async () => {
    const world = new RolloutWorld();
    await world.apply(pod('a', 'n1'));
    let workloads: readonly unknown[] | undefined;
    world.ending = async () => {
      workloads = world.rollout.feed.nodes.get('n1')!.full(99).workloads;
    };
    await world.delete(pod('a', 'n1'));
    expect(workloads).toEqual([]);
  });
});

describe('a node that refuses an update', () => {
  test('has no Ready pods of it, is told everything with the next change, and then they are', async () => {
    const world = new RolloutWorld();
    await world.apply(pod('old', 'n1'));
    world.acknowledge = async (node) => {
      if (node === 'n1') throw new Error('n1 has no room');
    };
    await expect(world.apply(pod('a', 'n1'), pod('b', 'n2'))).rejects.toThrow('n1 has no room');
    expect(['old', 'a', 'b'].map((name) => world.isReady(`default/${name}`))).toEqual([true, false, true]);
    world.acknowledge = async () => {};
    world.clear();
    await world.apply(pod('c', 'n2'));
    const told = world.updates.find(({ node }) => node === 'n1')!.update;
    expect(told.addPods!.map(({ index }) => index)).toEqual([0, 1]);
    expect(world.isReady('default/a')).toBe(true);
  });

  test('is told again of ports that it has not closed', async () => {
    const world = new RolloutWorld();
    await world.apply(pod('a', 'n1'));
    world.ending = async () => {
      world.acknowledge = async () => {
        throw new Error('not now');
      };
    };
    await expect(world.delete(pod('a', 'n1'))).rejects.toThrow('not now');
    world.acknowledge = async () => {};
    world.clear();
    await world.apply(pod('b', 'n1'));
    const told = world.updates.find(({ node }) => node === 'n1')!.update;
    expect(told).toMatchObject({ addPods: [{ index: 1 }], removePods: [0] });
  });
});

test('who waits for one thing is not told that another has failed', async () => {
  const world = new RolloutWorld();
  world.broken.add('default/bad');
  await expect(world.apply(pod('bad', 'n1'))).rejects.toThrow('no room');
  world.broken.clear();
  await expect(world.apply(pod('good', 'n1'))).resolves.toBeUndefined();
});

test('a pod that failed waits for a change, however often nothing changes', async () => {
  const world = new RolloutWorld();
  world.broken.add('default/a');
  await expect(world.apply(pod('a', 'n1'))).rejects.toThrow();
  world.broken.clear();
  for (let i = 0; i < 3; i++) await world.rollout.settle();
  expect(world.isReady('default/a')).toBe(false);
  await world.apply(pod('b', 'n1'));
  expect(world.isReady('default/a')).toBe(true);
});

test('a pod that is deleted while nodes are told of it ends only when its Service has left it', async () => {
  const world = new RolloutWorld();
  await world.apply(service, pod('a', 'n1'));
  let release = () => {};
  const first = new Promise<void>((resolve) => {
    release = resolve;
  });
  let isFirst = true;
  world.acknowledge = () => {
    if (!isFirst) return Promise.resolve();
    isFirst = false;
    return first;
  };
  let atEnd: string[] | undefined = ['not ended'];
  world.ending = async () => {
    atEnd = world.endpoints('n2', 'default/web');
  };
  // Something of the pod and something for every node, so that its round waits.
  const applied = world.apply(pod('a', 'n1').replace('app: web', 'app: web, tier: front'), pod('b', 'n2'));
  await new Promise(setImmediate);
  const deleted = world.delete(pod('a', 'n1'));
  release();
  await Promise.all([applied, deleted]);
  expect(
    (atEnd ?? []).filter((endpoint) => endpoint.startsWith('10.244.0.2') && !endpoint.endsWith(' unready')),
  ).toEqual([]);
  expect(world.plane.pod('default/a')).toBeUndefined();
});

test('what an API server forbids is forbidden', async () => {
  const world = new RolloutWorld();
  const object = (kind: string, name: string) => `apiVersion: v1\nkind: ${kind}\nmetadata: {name: ${name}}`;
  await expect(world.delete(object('Namespace', 'kube-system'))).rejects.toThrow('may not be deleted');
  await expect(world.delete(object('Node', 'n1'))).rejects.toThrow('nodes stay');
});

test('status and finalizers of what is applied are the cluster’s to say', async () => {
  const world = new RolloutWorld();
  const exported = pod('a', 'n1').replace('labels:', 'finalizers: [example.com/x], labels:');
  await world.apply(`${exported}\nstatus: {phase: Succeeded, hostIP: 1.2.3.4, podIP: 10.244.0.77}`);
  expect(world.isReady('default/a')).toBe(true);
  expect(world.plane.pod('default/a')!.status!.podIPs!.map(({ ip }) => ip)).toEqual(['10.244.0.77', 'fd00:10:244::2']);
  await world.delete(exported);
  expect(world.plane.pod('default/a')).toBeUndefined();
});
