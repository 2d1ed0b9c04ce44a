import { expect, test } from 'vitest';
import { readManifests } from '../../src/cluster/manifests.ts';
import { policyNotes } from '../../src/cluster/policy-notes.ts';
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
      /^a\.yaml:7:19: .* 10\.96\.0\.10\/32 has addresses of Service kube-system\/kube-dns, .*: k8s-app=kube-dns$/,
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

test('of many, the first ten are shown', async () => {
  const policies = (count: number) =>
    Array.from({ length: count }, (_, i) => policy(`p${i}`, 'podSelector: {matchLabels: {app: dbb}}')).join('\n---\n');
  expect(await notesOn(pod('db'), policies(10))).toHaveLength(10);
  const notes = await notesOn(pod('db'), policies(13));
  expect(notes).toHaveLength(11);
  expect(notes[9]).toMatch(/shop\/p9: /);
  expect(notes[10]).toBe('and 3 more notes on these NetworkPolicies');
});
