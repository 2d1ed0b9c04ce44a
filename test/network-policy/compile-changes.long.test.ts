/** One world after the other: what stays is the same, numbers too; and what a compilation costs. */
import { describe, expect, test } from 'vitest';
import { WorldCompiler } from '../../src/network-policy/compile-policies.ts';
import type { PolicyWorld, WorldPolicy } from '../../src/network-policy/policy-world.ts';
import { at, podOf, pods, policyOf, Reader, sceneOf } from './compiled-world.ts';

const byApp = (name: string) => ({ podSelector: { matchLabels: { app: name } } });
const fromWeb = { ...byApp('db'), ingress: [{ from: [byApp('web')], ports: [{ protocol: 'TCP', port: 80 }] }] };

describe('a world after another', () => {
  test('that says the same gives the same objects', () => {
    const compiler = new WorldCompiler();
    const before = compiler.compile(sceneOf(fromWeb));
    const after = compiler.compile({ ...sceneOf(fromWeb), revision: 2 });
    expect(after.identities).toBe(before.identities);
    expect(after.portSets).toBe(before.portSets);
    expect(after.rulesOf('shop/db')!.ingress).toBe(before.rulesOf('shop/db')!.ingress);
  });

  test('pods with equal rules share one row', () => {
    const compiled = new WorldCompiler().compile(sceneOf({ ingress: [] }, { egress: [] }));
    const { ingress, egress } = compiled.rulesOf('shop/db')!;
    expect(compiled.rulesOf('shop/web')).toEqual({ ingress, egress });
    expect(compiled.rulesOf('shop/web')!.ingress).toBe(ingress);
    expect(ingress).toBe(egress);
  });

  test('a label that no selector mentions makes no identity', () => {
    const compiler = new WorldCompiler();
    const before = compiler.compile(sceneOf(fromWeb));
    const labelled = pods.map((pod) => ({ ...pod, labels: { ...pod.labels, mood: 'good' } }));
    expect(compiler.compile({ ...sceneOf(fromWeb), pods: labelled }).identities).toBe(before.identities);
  });

  test('NP-035 a pod that gains a label is another to rules; the others keep their numbers', () => {
    const compiler = new WorldCompiler();
    const before = new Reader(compiler.compile(sceneOf(fromWeb)));
    const changed = pods.map((pod) => (pod.namespace === 'ops' ? { ...pod, namespace: 'shop', name: 'new' } : pod));
    const after = new Reader(compiler.compile({ ...sceneOf(fromWeb), pods: changed }));
    expect([before.from(at.guest), after.from(at.guest)]).toEqual(['nothing', 'TCP 80-80']);
    expect(after.identityOf(at.db)).toBe(before.identityOf(at.db));
    expect(after.identityOf(at.web)).toBe(before.identityOf(at.web));
  });

  test('NP-035 a namespace that gains a label is another to rules', () => {
    const compiler = new WorldCompiler();
    const rule = { ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'sales' } } }] }] };
    const scene = sceneOf(rule);
    const before = new Reader(compiler.compile(scene));
    const namespaces = scene.namespaces.map(({ name }) => ({ name, labels: { team: 'sales' } }));
    const after = new Reader(compiler.compile({ ...scene, namespaces }));
    expect([before.from(at.guest), after.from(at.guest)]).toEqual(['nothing', 'everything']);
  });

  test('numbers begin anew when most of them are nobody’s', () => {
    const compiler = new WorldCompiler();
    const block = (i: number) => ({ ipBlock: { cidr: `10.${i >> 8}.${i & 255}.0/24` } });
    const many = Array.from({ length: 5000 }, (_, i) => block(i));
    expect(compiler.compile(sceneOf({ ingress: [{ from: many }] })).numbering).toBe(0);
    const few = compiler.compile(sceneOf(fromWeb));
    expect([few.numbering, few.rulesOf('shop/db')!.ingress!.length > 5000]).toEqual([0, true]);
    const after = compiler.compile(sceneOf(fromWeb));
    expect([after.numbering, after.rulesOf('shop/db')!.ingress!.length < 10]).toEqual([1, true]);
    expect(new Reader(after).from(at.web)).toBe('TCP 80-80');
    expect(compiler.compile(sceneOf(fromWeb)).numbering).toBe(1);
  });
});

describe('cost', () => {
  /** 1,000 pods in 100 namespaces, under 10,000 policies; of each namespace, a pod for each of ten applications. */
  function large(specOf: (i: number) => Parameters<typeof policyOf>[0]): PolicyWorld {
    const namespaces = Array.from({ length: 100 }, (_, i) => ({ name: `ns${i}`, labels: { team: `t${i % 10}` } }));
    const all = Array.from({ length: 1000 }, (_, i) => {
      const labels = { app: `a${Math.floor(i / 100)}`, id: `i${i}` };
      return podOf(`ns${i % 100}`, `p${i}`, [`10.0.${i >> 8}.${i & 255}`], { labels });
    });
    const policies = Array.from(
      { length: 10_000 },
      (_, i): WorldPolicy => policyOf(specOf(i), `p${i}`, `ns${i % 100}`),
    );
    return { revision: 1, namespaces, pods: all, policies };
  }

  function stepsOf(world: PolicyWorld): number {
    const compiler = new WorldCompiler();
    compiler.compile(world);
    return compiler.steps;
  }

  test('10,000 policies that say the same of the same peers are one step for each of these', () => {
    const ports = (i: number) => [{ protocol: 'TCP', port: 1 + i }];
    const rule = (i: number) => ({ from: [{ namespaceSelector: { matchLabels: { team: 't1' } } }], ports: ports(i) });
    expect(stepsOf(large((i) => ({ ingress: [rule(i)] })))).toBe(100 * 10); // namespaces × the team’s namespaces
  });

  test('10,000 policies, each of one pod and one peer, are 10,000 steps', () => {
    const spec = (i: number) => ({
      ...byApp(`a${Math.floor(i / 100) % 10}`),
      ingress: [{ from: [byApp(`a${Math.floor(i / 1000)}`)], ports: [{ protocol: 'TCP', port: 1 + i }] }],
    });
    expect(stepsOf(large(spec))).toBe(10_000);
  });
});
