import { expect, test } from 'vitest';
import { readManifests } from '../../src/cluster/manifests.ts';
import { policyNotes, worldNotes } from '../../src/cluster/policy-notes.ts';
import { kinds } from '../../src/store/resources.ts';
import { RolloutWorld } from './rollout-world.ts';

/** The notes on the last of these texts, each of which is brought on its own. */
async function notesOn(...texts: readonly string[]): Promise<string[]> {
  const world = new RolloutWorld();
  world.plane.applyAddons();
  for (const text of texts) await world.apply(text);
  const last = readManifests([{ file: 'a.yaml', text: texts.at(-1)! }]);
  return policyNotes(world.topology, world.plane, last.objects);
}

const pod = (name: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: shop, labels: {app: ${name}}}
spec: {containers: [{name: main, image: x, ports: [{name: http, containerPort: 80}]}]}`;

const policy = (name: string, ...lines: readonly string[]) => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ${name}, namespace: shop}
spec:
${lines.map((line) => `  ${line}\n`).join('')}`;

test('a note has its place, its policy, its field', async () => {
  const wrong = policy('p', 'podSelector:', '  matchLabels: {app: dbb}');
  expect(await notesOn(pod('db'), wrong)).toEqual([
    'a.yaml:6:3: NetworkPolicy shop/p: spec.podSelector: podSelector app=dbb matches no pod of shop; nearest: app=db (shop/db)',
  ]);
});

test('input without policies, and policies of earlier input, give none', async () => {
  const wrong = policy('wrong', 'podSelector: {matchLabels: {app: dbb}}');
  expect(await notesOn(pod('db'), wrong, pod('web'))).toEqual([]);
  expect(await notesOn(pod('db'), wrong, policy('right', 'podSelector: {}'))).toEqual([]);
});

test('NP-031 Services and networks of the cluster are known, also the name servers', async () => {
  const rule = policy(
    'p',
    'podSelector: {}',
    'egress: [{to: [{ipBlock: {cidr: 10.96.0.10/32}}], ports: [{protocol: UDP, port: 53}]}]',
    'policyTypes: [Egress]',
  );
  expect(await notesOn(pod('db'), rule)).toEqual([
    expect.stringMatching(
      /^a\.yaml:7:19: .* 10\.96\.0\.10\/32 has addresses of Service kube-system\/kube-dns \(pods k8s-app=kube-dns in namespace kube-system\), /,
    ),
    expect.stringMatching(/^a\.yaml:7:3: .* no policy lets shop\/db reach UDP 53 of kube-dns: names will not resolve/),
  ]);
  const open = policy(
    'p',
    'podSelector: {}',
    'egress: [{ports: [{protocol: UDP, port: 53}]}]',
    'policyTypes: [Egress]',
  );
  expect(await notesOn(pod('db'), open)).toEqual([]);
});

test('a headless Service has no address that a block could name', async () => {
  const service = `
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 80}]}`;
  const rule = policy(
    'p',
    'podSelector: {}',
    'ingress: [{from: [{ipBlock: {cidr: 10.244.9.0/24}}, {ipBlock: {cidr: 10.96.9.0/24}}]}]',
  );
  expect(await notesOn(pod('db'), service, rule)).toEqual([expect.stringMatching(/has addresses of Services, which/)]);
});

test('of many, eleven lines are shown, the last of which counts the rest', async () => {
  const policies = (count: number) =>
    Array.from({ length: count }, (_, i) => policy(`p${i}`, 'podSelector: {matchLabels: {app: dbb}}')).join('\n---\n');
  const eleven = await notesOn(pod('db'), policies(11));
  expect(eleven).toHaveLength(11);
  expect(eleven[10]).toMatch(/shop\/p10: .*; nearest: app=db/);
  const notes = await notesOn(pod('db'), policies(12));
  expect(notes).toHaveLength(11);
  expect(notes[9]).toMatch(/shop\/p9: /);
  expect(notes[10]).toBe('and 2 more notes on these NetworkPolicies');
  expect((await notesOn(pod('db'), policies(300)))[10]).toBe('and 290 more notes on these NetworkPolicies');
});

const service = (name: string, ...ports: readonly string[]) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {selector: {app: ${name}}, ports: [${ports.join(', ')}]}`;

test('NP-031 ports that containers declare without a name are known, and those of Services', async () => {
  const cart = `
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec:
  containers: [{name: main, image: x, ports: [{containerPort: 9000}]}]
  initContainers: [{name: side, image: x, restartPolicy: Always, ports: [{containerPort: 9001, protocol: UDP}]}]`;
  const rule = policy('p', 'podSelector: {matchLabels: {app: cart}}', 'ingress: [{ports: [{port: 80}, {port: 9001}]}]');
  expect(await notesOn(cart, service('cart', '{port: 80, targetPort: 9000}'), rule)).toEqual([
    "a.yaml:7:29: NetworkPolicy shop/p: spec.ingress[0].ports[0].port: port 80 is that of Service shop/cart; policies see the pods' port, 9000",
    'a.yaml:7:41: NetworkPolicy shop/p: spec.ingress[0].ports[1].port: shop/cart declares 9001 as UDP, not TCP: write "protocol: UDP"',
  ]);
});

test('a world at hand gives the same notes, of the policies that are meant', async () => {
  const world = new RolloutWorld();
  world.plane.applyAddons();
  const texts = [pod('db'), policy('wrong', 'podSelector: {matchLabels: {app: dbb}}'), policy('p', 'podSelector: {}')];
  await world.apply(...texts);
  const { objects } = readManifests([{ file: 'a.yaml', text: texts.join('\n---\n') }]);
  const notes = policyNotes(world.topology, world.plane, objects);
  expect(notes).toEqual([expect.stringMatching(/^a\.yaml:\d+:\d+: NetworkPolicy shop\/wrong: /)]);
  const there = world.plane.policyWorld()!;
  const [services, pods] = [world.plane.store.list(kinds.Service), world.plane.store.list(kinds.Pod)];
  const notesOf = (...names: readonly string[]) =>
    worldNotes(
      there,
      { topology: world.topology, services, pods },
      there.policies.filter(({ name }) => names.includes(name)),
    );
  expect(notesOf('wrong', 'p')).toEqual(notes);
  expect(notesOf('p')).toEqual([]);
});
