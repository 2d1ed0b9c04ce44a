import { describe, expect, test } from 'vitest';
import { parseCidr } from '../../src/cluster/ip-address.ts';
import { admit } from '../../src/controllers/admit.ts';
import type { KubernetesObject } from '../../src/store/object.ts';
import { kinds } from '../../src/store/resources.ts';
import { deployment, Plane, type PlaneOptions, pod, service, workload } from './plane.ts';

/** `path: message` of all that is refused. */
function refusals(plane: Plane, objects: readonly KubernetesObject[], families: 'ipv4' | 'dual' = 'ipv4'): string[] {
  const subnets = (v4: string, v6: string) => (families === 'dual' ? [v4, v6] : [v4]).map((text) => parseCidr(text)!);
  const podSubnets = subnets('10.244.0.0/16', 'fd00:10:244::/56');
  const serviceSubnets = subnets('10.96.0.0/16', 'fd00:10:96::/112');
  return admit(objects, plane.store, { podSubnets, serviceSubnets }).map(({ path, message }) => `${path}: ${message}`);
}

interface Case {
  readonly name: string;
  readonly options?: PlaneOptions;
  readonly there?: readonly KubernetesObject[];
  readonly objects: readonly KubernetesObject[];
  /** None: admitted. */
  readonly want?: string;
}

const given = (name: string, status: object, spec: object = {}) => pod(name, spec, {}, status);
const two = { podIPs: [{ ip: '10.244.0.5' }, { ip: '10.244.0.6' }] };
const ip = (podIP: string) => ({ podIP });

const cases: readonly Case[] = [
  { name: 'a pod', objects: [pod('a', { nodeName: 'n2' })] },
  { name: 'an address of the pod network, of no node', objects: [given('a', ip('10.244.200.7'))] },
  {
    name: 'both families',
    options: { families: 'dual' },
    objects: [given('a', { podIPs: [{ ip: '10.244.0.9' }, { ip: 'fd00:10:244::9' }] })],
  },
  {
    name: 'a node that is not there',
    objects: [pod('a', { nodeName: 'n7' })],
    want: 'spec.nodeName: no node "n7"; nodes are n1, n2, n3; did you mean "n1"?',
  },
  {
    name: 'a node far from any',
    options: { nodes: 1 },
    objects: [pod('a', { nodeName: 'elsewhere' })],
    want: 'spec.nodeName: no node "elsewhere"; the only node is n1; name one of them, or add the node',
  },
  {
    name: 'a long list of nodes is cut',
    options: { nodes: 100 },
    objects: [pod('a', { nodeName: 'elsewhere' })],
    want: ' and 80 more; ',
  },
  {
    name: 'a node of a template',
    objects: [deployment('web', 1, { nodeName: 'n7' })],
    want: 'spec.template.spec.nodeName: no node "n7"',
  },
  {
    name: 'an address outside the pod network',
    objects: [given('a', ip('10.245.0.2'))],
    want: 'status.podIP: found 10.245.0.2, expected an address of the pod network, 10.244.0.0/16; change or remove it',
  },
  {
    name: 'a gateway',
    objects: [given('a', ip('10.244.1.1'))],
    want: "found 10.244.1.1, which is the gateway address of n2's pod CIDR 10.244.1.0/24",
  },
  {
    name: 'a network address',
    objects: [given('a', ip('10.244.2.0'))],
    want: "which is the network address of n3's pod CIDR",
  },
  {
    name: 'a broadcast address',
    objects: [given('a', ip('10.244.0.255'))],
    want: "which is the broadcast address of n1's pod CIDR",
  },
  {
    name: "the pod network's broadcast address",
    objects: [given('a', ip('10.244.255.255'))],
    want: 'which is the broadcast address of the pod network 10.244.0.0/16',
  },
  {
    name: 'two of a family',
    objects: [given('a', two)],
    want: 'status.podIPs[1].ip: found 10.244.0.6, expected one address a family, has 10.244.0.5 already',
  },
  {
    name: 'an address of a pod that is there',
    there: [pod('b', { nodeName: 'n1' })],
    objects: [given('a', ip('10.244.0.2'))],
    want: 'found 10.244.0.2, which pod default/b has',
  },
  {
    name: 'an address that two want',
    objects: [given('a', ip('10.244.0.5')), given('b', ip('10.244.0.5'))],
    want: 'found 10.244.0.5, which pod default/a has',
  },
  {
    name: 'the same pod again with its address',
    there: [given('a', ip('10.244.0.5'))],
    objects: [given('a', ip('10.244.0.5'))],
  },
  {
    name: 'another address than the pod has',
    there: [given('a', ip('10.244.0.5'))],
    objects: [given('a', ip('10.244.0.6'))],
    want: 'found 10.244.0.6, but the pod runs with 10.244.0.5',
  },
  {
    name: 'hostNetwork with the address of another node',
    objects: [given('a', ip('172.18.0.2'), { hostNetwork: true, nodeName: 'n2' })],
    want: 'found 172.18.0.2, expected 172.18.0.3: the pod has hostNetwork, and that is the address of its node n2',
  },
  { name: 'hostNetwork with its own', objects: [given('a', ip('172.18.0.3'), { hostNetwork: true, nodeName: 'n2' })] },
  {
    name: 'hostNetwork and no node',
    objects: [given('a', ip('172.18.0.3'), { hostNetwork: true })],
    want: 'which node it will have is not known',
  },
  {
    name: 'a pod moved',
    there: [pod('a', { nodeName: 'n1' })],
    objects: [pod('a', { nodeName: 'n2' })],
    want: 'spec.nodeName: cannot be changed while the pod is there; delete the pod first',
  },
  { name: 'a pod without the node it got', there: [pod('a')], objects: [pod('a')] },
  {
    name: 'a pod no longer on hostNetwork',
    there: [pod('a', { hostNetwork: true })],
    objects: [pod('a')],
    want: 'spec.hostNetwork: cannot be changed',
  },
  {
    name: 'a pod with other ports',
    there: [pod('a')],
    objects: [pod('a', { containers: [{ name: 'main', image: 'x', ports: [{ containerPort: 1 }] }] })],
    want: 'spec.containers: cannot be changed while the pod is there; delete the pod first; only images may differ',
  },
  {
    name: 'a pod with another image',
    there: [pod('a', { containers: [{ name: 'main', image: 'x' }] })],
    objects: [pod('a', { containers: [{ name: 'main', image: 'y' }] })],
  },
  {
    name: 'a selector changed',
    there: [deployment('web', 1)],
    objects: [deployment('web', 1, {}, { selector: { matchLabels: { app: 'x' } } })],
    want: 'spec.selector: field is immutable; delete the Deployment first',
  },
  {
    name: 'replicas and template changed',
    there: [deployment('web', 1)],
    objects: [deployment('web', 2, { restartPolicy: 'Always' })],
  },
  {
    name: 'a StatefulSet’s service name changed',
    there: [workload(kinds.StatefulSet, 'db', { serviceName: 'a' })],
    objects: [workload(kinds.StatefulSet, 'db', { serviceName: 'b' })],
    want: 'spec.serviceName: field is immutable',
  },
  {
    name: 'a cluster IP outside the service network',
    objects: [service('s', { clusterIP: '10.97.0.1' })],
    want: 'spec.clusterIP: found 10.97.0.1, expected an address of the service network, 10.96.0.0/16; choose another, or leave it out',
  },
  {
    name: 'the first address of the service network',
    objects: [service('s', { clusterIP: '10.96.0.0' })],
    want: 'which is the network address of the service network',
  },
  { name: 'its last', objects: [service('s', { clusterIP: '10.96.255.255' })], want: 'which is the broadcast address' },
  {
    name: 'a cluster IP that is taken',
    there: [service('a')],
    objects: [service('b', { clusterIP: '10.96.1.0' })],
    want: 'spec.clusterIP: found 10.96.1.0, which Service default/a has',
  },
  {
    name: 'a cluster IP that two want, as a list',
    objects: [service('a', { clusterIPs: ['10.96.0.7'] }), service('b', { clusterIPs: ['10.96.0.7'] })],
    want: 'spec.clusterIPs[0]: found 10.96.0.7, which Service default/a has',
  },
  {
    name: 'a cluster IP changed',
    there: [service('a')],
    objects: [service('a', { clusterIP: '10.96.0.7' })],
    want: 'spec.clusterIP: found 10.96.0.7, but the Service has 10.96.1.0: field is immutable',
  },
  { name: 'a cluster IP repeated', there: [service('a')], objects: [service('a', { clusterIP: '10.96.1.0' })] },
  { name: 'an ExternalName instead', there: [service('a')], objects: [service('a', { type: 'ExternalName' })] },
  { name: 'None', objects: [service('a', { clusterIP: 'None' })] },
  {
    name: 'dual-stack in a cluster of one family',
    objects: [service('a', { ipFamilyPolicy: 'RequireDualStack' })],
    want: 'spec.ipFamilyPolicy: this cluster is not configured for dual-stack services',
  },
  {
    name: 'a family that is not there',
    objects: [service('a', { ipFamilies: ['IPv6'] })],
    want: 'spec.ipFamilies[0]: found IPv6, which is not configured',
  },
  {
    name: 'a node port out of range',
    objects: [service('a', { type: 'NodePort', ports: [{ port: 80, nodePort: 8080 }] })],
    want: 'spec.ports[0].nodePort: found 8080, expected a whole number from 30000 to 32767',
  },
  {
    name: 'a node port that is taken',
    there: [service('a', { type: 'NodePort' })],
    objects: [service('b', { type: 'NodePort', ports: [{ port: 80, nodePort: 30086 }] })],
    want: 'spec.ports[0].nodePort: found 30086, which Service default/a has',
  },
  {
    name: 'a node port for two protocols',
    objects: [
      service('a', {
        type: 'NodePort',
        ports: [
          { port: 53, nodePort: 30053 },
          { port: 53, protocol: 'UDP', nodePort: 30053 },
        ],
      }),
    ],
  },
  {
    name: 'a node port twice in one Service',
    objects: [
      service('a', {
        type: 'NodePort',
        ports: [
          { port: 53, nodePort: 30053 },
          { port: 54, nodePort: 30053 },
        ],
      }),
    ],
    want: 'spec.ports[1].nodePort: found 30053, which another port of this Service has',
  },
];

describe('admit', () => {
  for (const { name, options = {}, there = [], objects, want } of cases) {
    test(want === undefined ? `admitted: ${name}` : `refused: ${name}`, () => {
      const plane = new Plane(options);
      plane.apply(...there);
      const found = refusals(plane, objects, options.families);
      expect(found).toEqual(want === undefined ? [] : [expect.stringContaining(want)]);
    });
  }

  test('refused: what is being deleted', () => {
    const plane = new Plane();
    plane.apply(pod('a'));
    plane.delete(kinds.Pod, 'a');
    expect(refusals(plane, [pod('a')])).toEqual([
      'metadata.name: Pod a is being deleted; apply it again when it is gone',
    ]);
  });
});
