/** Manifests of other projects, as they are: all are read but those that an API server would refuse too. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeManifest } from '../../src/cluster/manifest-bytes.ts';
import { readManifests } from '../../src/cluster/manifests.ts';
import { missing } from '../support/requires.ts';
import { refusalOf } from './refusal.ts';

const testdata = process.env['PODWIRE_TESTDATA'] ?? '/nonexistent';
const folder = join(testdata, 'corpora', 'manifests');

const noType = 'found no apiVersion, expected both';
const examples = 'kubernetes_examples/_archived';
const kwok = 'kubernetes-sigs_kwok/kustomize';
const stages = `${kwok}/stage/pod`;

/** Files with a fault of their own → how its line begins after the place. */
const faulty: Readonly<Record<string, string>> = {
  // Parts for kustomize and for tests: no objects yet.
  'GoogleCloudPlatform_microservices-demo/kustomize/components/without-loadgenerator/delete-loadgenerator.patch.yaml':
    '[$patch]: unknown field',
  [`${kwok}/kwok/deployment.yaml`]: 'spec: found no selector',
  [`${stages}/fast/testdata/pod-pending.output.yaml`]: noType,
  [`${stages}/fast/testdata/pod-running-with-job.output.yaml`]: noType,
  [`${stages}/fast/testdata/pod-terminating.output.yaml`]: noType,
  [`${stages}/general/testdata/pod-complete.output.yaml`]: noType,
  [`${stages}/general/testdata/pod-create-with-init.output.yaml`]: noType,
  [`${stages}/general/testdata/pod-create.output.yaml`]: noType,
  [`${stages}/general/testdata/pod-delete.output.yaml`]: noType,
  [`${stages}/general/testdata/pod-init-container-completed.output.yaml`]: noType,
  [`${stages}/general/testdata/pod-init-container-running.output.yaml`]: noType,
  // Templates with places to fill.
  'inovex_illuminatio/src/illuminatio/manifests/runner-daemonset.yaml': 'metadata.name',
  [`${stages}/fast/testdata/pod-running-with-job.input.yaml`]:
    'status.containerStatuses[0].state.running.startedAt: found the string "<Now>", expected a time',
  [`${examples}/volumes/fibre_channel/fc.yaml`]:
    'spec.volumes[0].fc.lun: found the string "<ADD LUN ID Here>", expected a whole number',
  // API versions that are gone.
  'flannel-io_flannel/Documentation/minikube.yml':
    'found no kind DaemonSet in "extensions/v1beta1", expected apiVersion apps/v1',
  [`${examples}/newrelic-infrastructure/newrelic-infra-daemonset.yaml`]:
    'found no kind DaemonSet in "extensions/v1beta1"',
  [`${examples}/volumes/flexvolume/deploy/ds.yaml`]: 'found no kind DaemonSet in "extensions/v1beta1"',
  [`${examples}/cockroachdb/cockroachdb-statefulset.yaml`]:
    'found no kind PodDisruptionBudget in "policy/v1beta1", expected apiVersion policy/v1',
  // Mistakes.
  [`${examples}/openshift-origin/etcd-controller.yaml`]: 'spec.selector: found this key twice',
  [`${examples}/openshift-origin/etcd-discovery-controller.yaml`]: 'spec.selector: found this key twice',
  [`${examples}/openshift-origin/openshift-controller.yaml`]: 'spec.selector: found this key twice',
  [`${examples}/sysdig-cloud/sysdig-rc.yaml`]: 'spec.template.metadata: found no labels',
  [`${examples}/volumes/aws_ebs/aws-ebs-web.yaml`]: 'spec.containers[0].ports[0].protocol: found "tcp"',
  [`${examples}/volumes/cinder/cinder-web.yaml`]: 'spec.containers[0].ports[0].protocol: found "tcp"',
  [`${examples}/volumes/rbd/rbd.yaml`]: 'spec.volumes[0].rbd.imageformat: unknown field',
  [`${examples}/volumes/scaleio/pod.yaml`]:
    'spec.volumes[0].scaleIO.protectionDoamin: unknown field "protectionDoamin"; did you mean "protectionDomain"?',
  [`${examples}/volumes/storageos/storageos-pod.yaml`]: 'spec.volumes[0].storageos.pool: unknown field',
  'kubernetes_ingress-nginx/docs/examples/auth/oauth-external-auth/vouch-proxy.yaml':
    'spec.template.spec.containers[0].env[0].value: found the boolean true, expected a string; quote it: "true"',
};

/** Files that are read, and the objects in them, when this was written; the corpus does not change. */
const FILES_READ = 289;
const OBJECTS_READ = 450;

describe.skipIf(missing('testdata'))('manifests of others (needs PODWIRE_TESTDATA)', () => {
  const read = (file: string) => readManifests([decodeManifest(file, readFileSync(join(folder, file)))]);

  test('are read', () => {
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.ya?ml$/.test(name));
    const sound = names.filter((name) => !(name in faulty));
    const objects = sound.flatMap((name) => read(name).objects);
    expect([sound.length, objects.length]).toEqual([FILES_READ, OBJECTS_READ]);
  });

  for (const [file, want] of Object.entries(faulty)) {
    test(`${file} is refused`, () => {
      const [line] = refusalOf(() => read(file));
      expect(line).toMatch(new RegExp(`^${escaped(file)}:\\d+:\\d+: ${escaped(want)}`));
    });
  }
});

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
