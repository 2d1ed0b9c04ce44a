import { describe, expect, test } from 'vitest';
import { admit } from '../../src/controllers/admit.ts';
import type { KubernetesObject } from '../../src/store/object.ts';
import { kinds } from '../../src/store/resources.ts';
import { Plane, pod, workload } from './plane.ts';

function refusals(object: KubernetesObject, allowRun: boolean, there: readonly KubernetesObject[] = []): string[] {
  const plane = new Plane();
  plane.apply(...there);
  const refused = admit([object], plane.store, { podSubnets: [], serviceSubnets: [] }, allowRun);
  return refused.map(({ path, message }) => `${path}: ${message}`);
}

const run = (command: string) => ({ 'podwire.dev/run': command });
const running = (command: string) => pod('a', {}, { annotations: run(command) });
const kindsOfPods = [
  kinds.Deployment,
  kinds.ReplicaSet,
  kinds.ReplicationController,
  kinds.StatefulSet,
  kinds.DaemonSet,
  kinds.Job,
];

describe('a pod that would start a program of this machine', () => {
  test('is refused unless the cluster was started with --allow-run', () => {
    expect(refusals(running('serve'), false)).toEqual([
      expect.stringMatching(/^metadata\.annotations\[podwire\.dev\/run\]: .*--allow-run/),
    ]);
    expect(refusals(running(''), false)).toHaveLength(1);
    expect(refusals(running('serve'), true)).toEqual([]);
    expect(refusals(pod('a'), false)).toEqual([]);
  });

  test.each(kindsOfPods.map((kind) => [kind.kind, kind] as const))('so is the %s that would make it', (_, kind) => {
    const object = workload(kind, 'a', {}, {}, run('serve'));
    expect(refusals(object, false)).toEqual([
      expect.stringMatching(/^spec\.template\.metadata\.annotations\[podwire\.dev\/run\]: .*--allow-run/),
    ]);
    expect(refusals(object, true)).toEqual([]);
    expect(refusals(workload(kind, 'a', {}), false)).toEqual([]);
  });

  test('needs a command', () => {
    expect(refusals(running('  '), true)).toEqual([expect.stringContaining('found no command')]);
  });

  test('keeps its program while it is there', () => {
    for (const changed of [running('other'), pod('a')]) {
      expect(refusals(changed, true, [running('serve')])).toEqual([expect.stringContaining('cannot be changed')]);
    }
    expect(refusals(running('serve'), true, [running('serve')])).toEqual([]);
  });
});
