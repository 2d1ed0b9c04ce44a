/**
 * Manifests of real projects on the simulated cluster: whatever has pods comes up and answers on every declared port, or
 * is refused for a reason. (That the readers take what they should is test/cluster/corpus-manifests.test.ts.)
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeManifest } from '../../src/cluster/manifest-bytes.ts';
import { type Manifests, readManifests } from '../../src/cluster/manifests.ts';
import { ManifestError } from '../../src/cluster/source.ts';
import { isReady, isTerminal, podAddresses } from '../../src/controllers/pod-state.ts';
import { type ConnectionQuestion, explainConnection } from '../../src/network-policy/explain.ts';
import { SimCluster } from '../../src/sim/sim-cluster.ts';
import type { ProbeProtocol } from '../../src/stack/probe.ts';
import type { Pod } from '../../src/store/object.ts';
import { kinds } from '../../src/store/resources.ts';
import { report } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { describeUnless } from './skipping.ts';

const ASKER = 'podwire-asker';
const asker = `apiVersion: v1\nkind: Pod\nmetadata: {name: ${ASKER}}\nspec: {containers: [{name: c, image: i}]}`;

/** `up`, `nothing to run`, `refused`, or what does not work. */
async function judge(text: { file: string; text: string }): Promise<string> {
  let cluster: SimCluster;
  try {
    const manifests: Manifests = readManifests([text]);
    cluster = new SimCluster({ nodes: manifests.cluster === undefined ? 3 : undefined }, manifests);
    cluster.plane.admit(manifests.objects);
    cluster.plane.apply(manifests.objects);
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    return 'refused';
  }
  await cluster.apply(asker);
  const pods = cluster.plane.store.list(kinds.Pod).filter(({ metadata }) => metadata.name !== ASKER);
  if (pods.length === 0) return 'nothing to run';
  for (const pod of pods) {
    const problem = isTerminal(pod) ? undefined : problemOf(cluster, pod);
    if (problem !== undefined) return problem;
  }
  return 'up';
}

function problemOf(cluster: SimCluster, pod: Pod): string | undefined {
  const { name, uid } = pod.metadata;
  if (!isReady(pod)) {
    const events = cluster.plane.store.list(kinds.Event).filter(({ involvedObject }) => involvedObject.uid === uid);
    return `${name} is not Ready: ${events.at(-1)?.message}`;
  }
  const from = cluster.plane.pod(`default/${ASKER}`)!;
  const at = { node: from.spec.nodeName!, address: podAddresses(from)[0]! };
  for (const { containerPort, protocol = 'TCP' } of pod.spec.containers.flatMap(({ ports = [] }) => ports)) {
    const target = { protocol: protocol.toLowerCase() as ProbeProtocol, port: containerPort };
    const address = podAddresses(pod)[0]!;
    const { outcome, detail, drop } = cluster.probe(at, { ...target, address });
    if (
      drop?.reason === 'PolicyDenied' &&
      isDenied(cluster, { source: at.address, destination: address, protocol, port: containerPort })
    ) {
      continue; // the file has a policy that says so
    }
    if (outcome !== 'delivered') return `${name}:${containerPort}/${protocol}: ${outcome}, ${detail}`;
  }
  return undefined;
}

function isDenied(cluster: SimCluster, question: ConnectionQuestion): boolean {
  return !explainConnection(cluster.policyWorld(), question).allowed;
}

/** Files whose pods need more than three nodes. */
const NEEDS_MORE = ['kubernetes_examples/_archived/storage/minio/minio-distributed-statefulset.yaml'];

describeUnless(missing('testdata'), 'manifests of real projects', () => {
  test('come up and answer, have nothing to run, or are refused', async () => {
    const root = join(process.env['PODWIRE_TESTDATA']!, 'corpora/manifests');
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => /\.ya?ml$/.test(file));
    const counts: Record<string, number> = {};
    for (const file of files.sort()) {
      const outcome = await judge(decodeManifest(file, readFileSync(join(root, file))));
      if (NEEDS_MORE.includes(file)) expect(outcome).toMatch(/didn't have free ports/);
      else expect(outcome, file).toMatch(/^(up|nothing to run|refused)$/);
      counts[outcome] = (counts[outcome] ?? 0) + 1;
    }
    report(`${files.length} files: ${JSON.stringify(counts)}`);
    expect(counts['up']).toBeGreaterThanOrEqual(180);
  });
});
