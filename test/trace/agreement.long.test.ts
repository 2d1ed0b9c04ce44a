/** Random worlds: what a trace says, what packets do, what a dry run says, and what the rules say, is one thing. */
import { describe, expect, test } from 'vitest';
import { podAddresses } from '../../src/controllers/pod-state.ts';
import { explainConnection } from '../../src/network-policy/explain.ts';
import { kinds } from '../../src/store/resources.ts';
import { randomWorld } from '../network-policy/random-world.ts';
import { slowVerdict } from '../oracle/slow-policy.ts';
import { Random } from '../support/random.ts';
import { pod, type Question, TracedCluster } from './traced-cluster.ts';

const WORLDS = 8;
const QUESTIONS = 7;
const NODES = 3;

/** A random world's pods and policies in a cluster that gives addresses itself. */
async function randomCluster(random: Random): Promise<TracedCluster> {
  const { namespaces, pods, policies } = randomWorld(random);
  const cluster = new TracedCluster(NODES, random.below(1000));
  const nodes = cluster.sim.topology.nodes.map(({ name }) => name);
  await cluster.apply(
    namespaces.map(({ name, labels }) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })),
  );
  await cluster.apply(
    pods.map(({ name, namespace, labels, ports }) => {
      const byName = new Map(ports.map((port) => [port.name, port]));
      const own = [...byName.values()].map((one) => ({
        name: one.name,
        containerPort: one.port,
        protocol: one.protocol,
      }));
      return pod(name, random.pick(nodes), { namespace, labels, ports: [...own, { containerPort: 7777 }] });
    }),
  );
  for (const { name, namespace, spec } of policies) {
    const policy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace }, spec };
    // Some have prefixes that admission does not let through.
    await cluster.apply(policy).catch((error: Error) => expect(error.name).toBe('ManifestError'));
  }
  return cluster;
}

function randomQuestion(cluster: TracedCluster, random: Random): Question {
  const pods = cluster.sim.plane.store.list(kinds.Pod).filter(({ metadata }) => metadata.namespace !== 'kube-system');
  const from = random.pick(pods);
  const to = random.pick(pods.filter((one) => one !== from));
  const family = random.below(podAddresses(from).length);
  const declared = to.spec.containers[0]!.ports!.map(({ containerPort }) => containerPort);
  return {
    node: from.spec.nodeName!,
    source: podAddresses(from)[family]!,
    address: podAddresses(to)[family]!,
    port: random.once(6) ? 4444 : random.pick(declared),
    protocol: random.pick(['TCP', 'TCP', 'UDP', 'ICMP'] as const),
  };
}

describe('a trace, its packets, its dry run and the rules agree', () => {
  test.each(Array.from({ length: WORLDS }, (_, seed) => seed + 1))('NP-003 world %i', async (seed) => {
    const random = new Random(seed);
    const cluster = await randomCluster(random);
    for (let i = 0; i < QUESTIONS; i++) {
      const question = randomQuestion(cluster, random);
      const { source, address: destination, protocol, port } = question;
      const trace = cluster.trace(question);
      const allowed = slowVerdict(cluster.world, { source, destination, protocol, port }).allowed;
      const explained = explainConnection(cluster.world, { source, destination, protocol, port });
      expect([allowed, JSON.stringify(question)]).toEqual([explained.allowed, JSON.stringify(question)]);
      if (!allowed) {
        expect(trace).toMatchObject({ outcome: 'dropped', reason: 'PolicyDenied', explanation: explained.sentence });
        expect(trace.hops.at(-1)).toMatchObject({ kind: 'dropped', reason: 'PolicyDenied' });
      } else {
        expect(['delivered', 'refused']).toContain(trace.outcome);
        expect(trace.hops.some(({ kind }) => kind === 'dropped')).toBe(false);
        const last = trace.hops.at(-1)!;
        expect([last.direction, last.kind]).toEqual(['reply', 'delivered']);
      }
      expect(trace.rule).toEqual(explained.rule);
      expect(trace.policies).toEqual(explained.policies);
      const dry = await cluster.dryTrace(question);
      expect([dry.outcome, dry.reason, dry.rule]).toEqual([trace.outcome, trace.reason, trace.rule]);
      const told = ({ hops }: typeof dry) => hops.map(({ ms: _, packet: __, words: ___, ...hop }) => hop);
      expect(told(dry)).toEqual(told(trace));
    }
  });
});
