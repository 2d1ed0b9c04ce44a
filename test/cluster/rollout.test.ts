/** Objects become a network: what a backend is asked for, when, and in which order. */
import { describe, expect, test } from 'vitest';
import { RolloutWorld } from './rollout-world.ts';

const pod = (name: string, node: string, more = '') =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, labels: {app: web}${more}}\nspec: {nodeName: ${node}, containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}`;
const service =
  'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}';

const slice = (of: string) =>
  `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s, labels: {kubernetes.io/service-name: ${of}}}\naddressType: IPv4\nendpoints: [{addresses: [10.9.9.9]}]\nports: [{port: 80}]`;

describe('a pod that comes', () => {
  test('has a network first, then its node is told, then it is Ready, then Services know it', async () => {
    const world = new RolloutWorld();
    await world.apply(pod('a', 'n1'), service);
    expect(world.log.slice(0, 3)).toEqual(['create default/a', 'tell n1', 'tell n2']);
    expect(world.updates[0]!.update.addPods).toMatchObject([
      {
        index: 0,
        namespacePath: '/networks/default/a',
        interfaceName: 'eth0',
        addresses: ['10.244.0.2', 'fd00:10:244::2'],
      },
    ]);
    expect(world.updates[0]!.update.workloads).toMatchObject([{ name: 'a', ports: [{ port: 80, protocol: 'TCP' }] }]);
    expect(world.isReady('default/a')).toBe(true);
    for (const node of ['n1', 'n2']) expect(world.endpoints(node, 'default/web')).toEqual(['10.244.0.2:80']);
  });

  test('is not Ready before its node has acknowledged', async () => {
    const world = new RolloutWorld();
    let release = () => {};
    world.acknowledge = (node) => (node === 'n1' ? new Promise((resolve) => (release = resolve)) : Promise.resolve());
    const applied = world.apply(pod('a', 'n1'));
    await new Promise(setImmediate);
    expect(world.log).toContain('tell n1');
    expect(world.isReady('default/a')).toBe(false);
    world.acknowledge = async () => {};
    release();
    await applied;
    expect(world.isReady('default/a')).toBe(true);
  });

  test('whose network cannot be made fails alone, and an event says why', async () => {
    const world = new RolloutWorld();
    world.broken.add('default/a');
    await expect(world.apply(pod('a', 'n1'), pod('b', 'n1'))).rejects.toThrow('no room');
    expect(world.isReady('default/b')).toBe(true);
    const events = world.plane.store.since('0').map(({ object }) => object as { message?: string });
    expect(events.some(({ message }) => message === 'no room')).toBe(true);
  });

  test('whose network could not be made is tried again with the next change, and has the MAC it would have had', async () => {
    const world = new RolloutWorld();
    world.broken.add('default/a');
    await expect(world.apply(pod('a', 'n1'))).rejects.toThrow('no room');
    world.broken.clear();
    world.clear();
    await world.apply(pod('b', 'n2'));
    expect(world.isReady('default/a')).toBe(true);
    const macs = world.updates.flatMap(({ update }) => update.addPods!.map(({ mac }) => mac));
    expect(macs).toContain('0a:58:0a:f4:00:02');
  });

  test('on its node’s network has a workload and no port', async () => {
    const world = new RolloutWorld();
    await world.apply(pod('a', 'n1').replace('nodeName', 'hostNetwork: true, nodeName'));
    const { update } = world.updates.find(({ node }) => node === 'n1')!;
    expect([update.addPods, update.workloads!.length]).toEqual([[], 1]);
  });

  test('elsewhere than its address needs a route on every node', async () => {
    const world = new RolloutWorld(3);
    const stray = `${pod('a', 'n1')}\nstatus: {podIP: 10.244.1.9}`;
    await world.apply(stray);
    const ways = world.updates.map(({ node, update }) => [
      node,
      update.routes!.some(({ prefix }) => prefix === '10.244.1.9/32'),
    ]);
    expect(new Map(ways as [string, boolean][])).toEqual(
      new Map([
        ['n1', true],
        ['n2', true],
        ['n3', true],
      ]),
    );
    world.clear();
    await world.delete(stray);
    const after = world.updates.filter(({ update }) => update.routes !== undefined);
    expect(after.map(({ node }) => node).sort()).toEqual(['n1', 'n2', 'n3']);
    for (const { update } of after) expect(update.routes!.some(({ prefix }) => prefix === '10.244.1.9/32')).toBe(false);
  });
});

describe('a pod that goes', () => {
  test('gets no new connections first; then it ends, its port goes, its network goes, its name is free', async () => {
    const world = new RolloutWorld();
    await world.apply(pod('a', 'n1'), pod('b', 'n2'), service);
    world.clear();
    let atEnd: (string[] | undefined)[] = [];
    world.ending = async () => {
      expect(world.updates.some(({ update }) => (update.removePods ?? []).length > 0)).toBe(false);
      atEnd = ['n1', 'n2'].map((node) => world.endpoints(node, 'default/web'));
      expect(world.plane.pod('default/a')?.metadata.deletionTimestamp).toBeDefined();
    };
    await world.delete(pod('a', 'n1'));
    for (const endpoints of atEnd) expect(endpoints).toContain('10.244.1.2:80');
    for (const endpoints of atEnd) expect(endpoints).not.toContain('10.244.0.2:80');
    const own = world.log.filter((line) => line.includes('default/a') || line === 'tell n1');
    expect(own.indexOf('end default/a')).toBeGreaterThan(own.indexOf('tell n1'));
    expect(own.indexOf('remove default/a')).toBeGreaterThan(
      own.lastIndexOf('tell n1', own.indexOf('remove default/a') - 1),
    );
    const removal = world.updates.find(({ update }) => update.removePods?.length === 1)!;
    expect(removal).toMatchObject({ node: 'n1', update: { removePods: [0] } });
    expect(world.plane.pod('default/a')).toBeUndefined();
    expect(world.endpoints('n2', 'default/web')).toEqual(['10.244.1.2:80']);
  });

  test('keeps nobody waiting who only applies', async () => {
    const world = new RolloutWorld();
    await world.apply(pod('a', 'n1'));
    let release = () => {};
    world.ending = () => new Promise((resolve) => (release = resolve));
    const deleted = world.delete(pod('a', 'n1'));
    await world.apply(pod('b', 'n1'));
    expect(world.isReady('default/b')).toBe(true);
    expect(world.plane.pod('default/a')).toBeDefined();
    release();
    await deleted;
    expect(world.plane.pod('default/a')).toBeUndefined();
  });

  test('may come back by its name, with a network of its own and another port number', async () => {
    const world = new RolloutWorld();
    await world.apply(pod('a', 'n1'));
    await world.delete(pod('a', 'n1'));
    world.clear();
    await world.apply(pod('a', 'n1'));
    expect(world.log[0]).toBe('create default/a');
    expect(world.updates[0]!.update).toMatchObject({ addPods: [{ index: 1 }], removePods: [] });
  });
});

describe('nodes', () => {
  test('are told nothing when nothing changes for them', async () => {
    const world = new RolloutWorld(3);
    await world.apply(pod('a', 'n1'), pod('b', 'n2'));
    world.clear();
    await world.apply(pod('a', 'n1'));
    expect(world.log).toEqual([]);
    await world.apply(slice('ghost'));
    expect(world.log).toEqual([]);
    await world.apply(pod('c', 'n2'));
    expect(new Set(world.updates.map(({ node }) => node))).toEqual(new Set(['n2']));
    expect(world.updates[0]!.update.addPods!.map(({ index }) => index)).toEqual([1]);
  });

  test('that start anew are told everything, and then only what is new', async () => {
    const world = new RolloutWorld();
    await world.apply(pod('a', 'n1'), pod('b', 'n1'), service);
    const feed = world.rollout.feed.nodes.get('n1')!;
    const full = feed.full(world.rollout.feed.nextVersion());
    expect(full.addPods!.map(({ index }) => index)).toEqual([0, 1]);
    expect(full.workloads!.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(full.services).toMatchObject({ replaceAll: true, set: [{ key: 'default/web' }] });
    expect(feed.difference(0)).toBeUndefined();
  });

  test('differ in Services whose policy is Local: each knows which endpoints are its own', async () => {
    const world = new RolloutWorld();
    await world.apply(pod('a', 'n1'), service.replace('ports:', 'internalTrafficPolicy: Local, ports:'));
    const local = (node: string) =>
      world.updates.filter((one) => one.node === node).at(-1)!.update.services!.set[0]!.ports[0]!.endpoints[0]!.local;
    expect([local('n1'), local('n2')]).toEqual([true, undefined]);
  });

  test('with a name server know all names, and later what changes; the others none', async () => {
    const world = new RolloutWorld();
    await world.apply(service);
    const server = pod('dns', 'n1').replace(
      'labels: {app: web}',
      'namespace: kube-system, labels: {k8s-app: kube-dns}',
    );
    await world.apply(server);
    const names = (node: string) => world.updates.flatMap((one) => (one.node === node ? (one.update.names ?? []) : []));
    expect(names('n2')).toEqual([]);
    expect(names('n1')[0]).toMatchObject({ replace: true, setServices: [{ name: 'web' }] });
    world.clear();
    await world.apply(service.replace('name: web', 'name: other'));
    expect(names('n1').flatMap(({ setServices = [] }) => setServices.map(({ name }) => name))).toContain('other');
    expect(names('n1').some(({ replace }) => replace)).toBe(false);
    await world.delete(service.replace('name: web', 'name: other'));
    expect(names('n1').flatMap(({ removeServices = [] }) => removeServices)).toEqual(['default/other']);
  });
});

test('an EndpointSlice that changes its Service leaves the old one and comes to the new one', async () => {
  const world = new RolloutWorld();
  const unselected = (name: string) =>
    service.replace('selector: {app: web}, ', '').replace('name: web', `name: ${name}`);
  await world.apply(unselected('one'), unselected('two'), slice('one'));
  expect(['one', 'two'].map((name) => world.endpoints('n1', `default/${name}`))).toEqual([['10.9.9.9:80'], []]);
  await world.apply(slice('two'));
  expect(['one', 'two'].map((name) => world.endpoints('n1', `default/${name}`))).toEqual([[], ['10.9.9.9:80']]);
});

test('readiness that a pod declares is told to its workload and to Services', async () => {
  const world = new RolloutWorld();
  await world.apply(pod('a', 'n1'), service);
  world.clear();
  await world.apply(pod('a', 'n1', ', annotations: {podwire.dev/ready: "false"}'));
  expect(world.endpoints('n2', 'default/web')).toEqual(['10.244.0.2:80 unready']);
  expect(world.updates.flatMap(({ update }) => update.workloads ?? [])).toMatchObject([{ name: 'a', ready: false }]);
});

test('changes that come while others are rolled out are not lost', async () => {
  const world = new RolloutWorld();
  const names = Array.from({ length: 20 }, (_, i) => `p${i}`);
  await Promise.all(names.map((name) => world.apply(pod(name, 'n1'))));
  for (const name of names) expect(world.isReady(`default/${name}`), name).toBe(true);
  for (let turns = 0; turns < 60; turns++) {
    // At every turn that the end of a round takes.
    const first = world.apply(pod(`first${turns}`, 'n2'));
    for (let turn = 0; turn < turns; turn++) await null;
    await world.apply(pod(`late${turns}`, 'n2'));
    expect(world.isReady(`default/late${turns}`), `${turns}`).toBe(true);
    await first;
  }
  await Promise.all(names.map((name) => world.delete(pod(name, 'n1'))));
  expect([...world.rollout.feed.nodes.get('n1')!.pods]).toEqual([]);
});
