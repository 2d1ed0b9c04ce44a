import { describe, expect, test } from 'vitest';
import type { EndpointSlice, KubernetesObject, Service } from '../../src/store/object.ts';
import { kinds } from '../../src/store/resources.ts';
import { deployment, object, Plane, pod, service } from './plane.ts';

const specOf = (plane: Plane, name: string) => (plane.store.get(kinds.Service, 'default', name) as Service).spec;
const slicesOf = (plane: Plane, name: string): readonly EndpointSlice[] => {
  const labels = [{ key: 'kubernetes.io/service-name', operator: 'In', values: [name] }];
  return plane.store.list(kinds.EndpointSlice, { labels });
};
const web = { selector: { app: 'web' } };
const webPod = (name: string, spec: object = {}, metadata: object = {}) => {
  return pod(name, spec, { labels: { app: 'web' }, ...metadata });
};

describe('addresses of Services', () => {
  test('are from the upper band, in turn; given ones are honoured wherever they stand', () => {
    const plane = new Plane();
    plane.apply(
      service('a'),
      service('b', { clusterIP: '10.96.1.0' }),
      service('dns', { clusterIP: '10.96.0.10' }),
      service('c'),
    );
    expect(['a', 'b', 'c', 'dns'].map((name) => specOf(plane, name).clusterIP)).toEqual([
      '10.96.1.1',
      '10.96.1.0',
      '10.96.1.2',
      '10.96.0.10',
    ]);
    expect(specOf(plane, 'a')).toMatchObject({
      clusterIPs: ['10.96.1.1'],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
    });
  });

  test('None stays None; an ExternalName has none', () => {
    const plane = new Plane();
    plane.apply(
      service('a', { clusterIP: 'None', ...web }),
      service('b', { type: 'ExternalName', externalName: 'x.example' }),
    );
    expect(specOf(plane, 'a')).toMatchObject({ clusterIP: 'None', clusterIPs: ['None'], ipFamilies: ['IPv4'] });
    expect(specOf(plane, 'b')).not.toHaveProperty('clusterIP');
  });

  const dual: readonly (readonly [spec: object, families: string[], count: number])[] = [
    [{}, ['IPv4'], 1],
    [{ ipFamilyPolicy: 'PreferDualStack' }, ['IPv4', 'IPv6'], 2],
    [{ ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] }, ['IPv6', 'IPv4'], 2],
    [{ ipFamilies: ['IPv6'] }, ['IPv6'], 1],
    [{ clusterIP: 'fd00:10:96::77' }, ['IPv6'], 1],
    [{ clusterIP: 'None' }, ['IPv4', 'IPv6'], 1], // without selector
  ];
  for (const [spec, families, count] of dual) {
    test(`families of ${JSON.stringify(spec)} in a dual-stack cluster`, () => {
      const plane = new Plane({ families: 'dual' });
      plane.apply(service('a', spec));
      const { ipFamilies, clusterIPs = [] } = specOf(plane, 'a');
      expect([ipFamilies, clusterIPs.length]).toEqual([families, count]);
      for (const [at, address] of clusterIPs.entries()) {
        if (address !== 'None') expect(address.includes(':') ? 'IPv6' : 'IPv4').toBe(families[at]);
      }
    });
  }

  test('PreferDualStack in a cluster of one family is one address', () => {
    const plane = new Plane();
    plane.apply(service('a', { ipFamilyPolicy: 'PreferDualStack' }));
    expect(specOf(plane, 'a').clusterIPs).toHaveLength(1);
  });

  test('stay when the Service is applied again, and are free when it is gone: the least recently used comes first', () => {
    const plane = new Plane();
    plane.apply(service('a'));
    const before = plane.store.resourceVersion;
    plane.apply(service('a'));
    expect(plane.store.resourceVersion).toBe(before);
    plane.delete(kinds.Service, 'a');
    plane.apply(service('b'), service('c', { clusterIP: '10.96.1.0' }));
    expect([specOf(plane, 'b').clusterIP, specOf(plane, 'c').clusterIP]).toEqual(['10.96.1.1', '10.96.1.0']);
    expect(plane.events()).toEqual([]);
  });

  test('a second family is added and taken away', () => {
    const plane = new Plane({ families: 'dual' });
    plane.apply(service('a'));
    const first = specOf(plane, 'a').clusterIP;
    plane.apply(service('a', { ipFamilyPolicy: 'PreferDualStack' }));
    expect(specOf(plane, 'a')).toMatchObject({ clusterIP: first, ipFamilies: ['IPv4', 'IPv6'] });
    plane.apply(service('a', { ipFamilyPolicy: 'SingleStack' }));
    expect(specOf(plane, 'a')).toMatchObject({ clusterIP: first, clusterIPs: [first] });
  });

  test('when the upper band is taken, the lower; when all is, an event', () => {
    const plane = new Plane({ serviceSubnets: ['10.96.0.0/28'] });
    for (let n = 0; n < 15; n++) plane.apply(service(`s${n}`));
    const addresses = Array.from({ length: 14 }, (_, n) => specOf(plane, `s${n}`).clusterIP);
    expect(addresses[0]).toBe('10.96.0.8');
    expect(new Set(addresses).size).toBe(14);
    expect(specOf(plane, 's14').clusterIP).toBeUndefined();
    expect(plane.events()).toEqual([
      'FailedAllocateClusterIP: 10.96.0.0/28 has no free address; the Service gets no IPv4 cluster IP',
    ]);
  });

  test('node ports: given ones honoured, others from the upper band, TCP and UDP of one port together', () => {
    const plane = new Plane();
    const ports = [
      { name: 'a', port: 80, protocol: 'TCP', nodePort: 30086 },
      { name: 'b', port: 53, protocol: 'TCP' },
      { name: 'c', port: 53, protocol: 'UDP' },
      { name: 'd', port: 54, protocol: 'UDP' },
    ];
    plane.apply(service('a', { type: 'NodePort', ports }));
    expect(specOf(plane, 'a').ports!.map(({ nodePort }) => nodePort)).toEqual([30086, 30087, 30087, 30088]);
    plane.delete(kinds.Service, 'a');
    plane.apply(
      service('b', { type: 'NodePort', ports: [{ port: 1, nodePort: 30087 }] }),
      service('c', { type: 'NodePort' }),
    );
    expect(specOf(plane, 'c').ports![0]!.nodePort).toBe(30089);
  });

  test('a LoadBalancer with externalTrafficPolicy Local has a health check port', () => {
    const plane = new Plane();
    plane.apply(service('a', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' }));
    expect(specOf(plane, 'a').healthCheckNodePort).toBe(30087);
    const before = plane.store.resourceVersion;
    plane.apply(service('a', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' }));
    expect(plane.store.resourceVersion).toBe(before);
  });
});

describe('EndpointSlices', () => {
  const conditions = (plane: Plane, name: string) => {
    return slicesOf(plane, name).flatMap(({ endpoints }) => {
      return endpoints.map(({ targetRef, conditions: is }) => {
        const words = [is?.ready && 'ready', is?.serving && 'serving', is?.terminating && 'terminating'];
        return [targetRef!.name, ...words.filter((word) => word)].join(' ');
      });
    });
  };

  test('say who, where, on which port, and whose they are', () => {
    const plane = new Plane();
    plane.apply(service('web', web), webPod('a'));
    plane.run();
    expect(slicesOf(plane, 'web')).toHaveLength(1);
    expect(slicesOf(plane, 'web')[0]).toMatchObject({
      metadata: {
        name: expect.stringMatching(/^web-[a-z0-9]{5}$/),
        labels: {
          'kubernetes.io/service-name': 'web',
          'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        },
        ownerReferences: [{ kind: 'Service', name: 'web', controller: true }],
      },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: [
        {
          addresses: ['10.244.0.2'],
          conditions: { ready: true, serving: true, terminating: false },
          nodeName: 'n1',
          zone: 'z1',
          targetRef: { kind: 'Pod', namespace: 'default', name: 'a' },
        },
      ],
    });
  });

  test('a pod is an endpoint from its address on, ready when it is, terminating while it ends', () => {
    const plane = new Plane();
    plane.apply(service('web', web), webPod('a'), pod('other'));
    expect(conditions(plane, 'web')).toEqual(['a']);
    plane.run();
    expect(conditions(plane, 'web')).toEqual(['a ready serving']);
    plane.delete(kinds.Pod, 'a');
    expect(conditions(plane, 'web')).toEqual(['a serving terminating']);
    plane.run();
    expect(slicesOf(plane, 'web')).toEqual([]);
  });

  test('KP-004: publishNotReadyAddresses makes every pod ready', () => {
    const plane = new Plane();
    plane.apply(service('web', { ...web, publishNotReadyAddresses: true }), webPod('a'));
    expect(conditions(plane, 'web')).toEqual(['a ready']);
    plane.run();
    plane.delete(kinds.Pod, 'a');
    expect(conditions(plane, 'web')).toEqual(['a ready serving terminating']);
  });

  test('a pod that declares itself unready, and one whose node is not', () => {
    const plane = new Plane();
    const unready = { annotations: { 'podwire.dev/ready': 'false' } };
    plane.apply(service('web', web), webPod('a', {}, unready), webPod('b'));
    plane.run();
    expect(conditions(plane, 'web')).toEqual(['a', 'b ready serving']);
    plane.apply(webPod('a'));
    expect(conditions(plane, 'web')).toEqual(['a ready serving', 'b ready serving']);
    const node = plane.store.get(kinds.Node, '', 'n2')!;
    const down = [{ type: 'Ready', status: 'False' }];
    plane.store.updateStatus({ ...node, status: { ...node.status, conditions: down } });
    plane.controllers.reconcile();
    expect(conditions(plane, 'web')).toEqual(['a ready serving', 'b']);
  });

  test('pods that have ended are none', () => {
    const plane = new Plane();
    plane.apply(service('web', web), webPod('a'));
    plane.run();
    plane.controllers.podStatus(plane.pod('a'), { phase: 'Succeeded', ready: false });
    plane.controllers.reconcile();
    expect(slicesOf(plane, 'web')).toEqual([]);
  });

  test('ports by name: pods with different numbers are in different slices, without the name in none', () => {
    const plane = new Plane();
    const withPort = (name: string, containerPort: number) => {
      return webPod(name, { containers: [{ name: 'c', ports: [{ name: 'http', containerPort, protocol: 'TCP' }] }] });
    };
    plane.apply(service('web', { ...web, ports: [{ port: 80, targetPort: 'http' }] }));
    plane.apply(
      withPort('a', 8080),
      withPort('b', 9090),
      webPod('c', { containers: [{ name: 'c' }] }),
      withPort('d', 8080),
    );
    const found = slicesOf(plane, 'web').map(({ ports, endpoints }) => {
      return `${ports![0]!.port}: ${endpoints.map(({ targetRef }) => targetRef!.name).join()}`;
    });
    expect(found.sort()).toEqual(['8080: a,d', '9090: b']);
  });

  test('one slice a family for a dual-stack Service', () => {
    const plane = new Plane({ families: 'dual' });
    plane.apply(service('web', { ...web, ipFamilyPolicy: 'PreferDualStack' }), webPod('a'));
    const found = slicesOf(plane, 'web').map(
      ({ addressType, endpoints }) => `${addressType} ${endpoints[0]!.addresses[0]}`,
    );
    expect(found.sort()).toEqual(['IPv4 10.244.0.2', 'IPv6 fd00:10:244::2']);
  });

  test('KP-003: at most 100 endpoints in a slice; those that stay, stay where they are', () => {
    const plane = new Plane();
    plane.apply(service('app', { selector: { app: 'web' } }), deployment('web', 250));
    const slices = slicesOf(plane, 'app');
    expect(slices.map(({ endpoints }) => endpoints.length).sort()).toEqual([100, 100, 50]);
    const homes = (list: readonly EndpointSlice[]) => {
      return new Map(list.flatMap(({ metadata, endpoints }) => endpoints.map((e) => [e.addresses[0]!, metadata.name])));
    };
    const before = homes(slices);
    plane.run();
    plane.apply(deployment('web', 120));
    plane.run();
    const after = homes(slicesOf(plane, 'app'));
    expect(after.size).toBe(120);
    expect([...after].filter(([address, slice]) => before.get(address) !== slice)).toEqual([]);
  });

  test('headless: labelled so, with host names of a StatefulSet’s pods, also without ports', () => {
    const plane = new Plane();
    plane.apply(
      service('web', { ...web, clusterIP: 'None', ports: [] }),
      webPod('a', { hostname: 'one', subdomain: 'web' }),
    );
    const [slice] = slicesOf(plane, 'web');
    expect(slice!.metadata.labels).toHaveProperty(['service.kubernetes.io/headless'], '');
    expect([slice!.endpoints[0]!.hostname, slice!.ports]).toEqual(['one', []]);
  });

  test('a change of labels or of the selector moves pods in and out', () => {
    const plane = new Plane();
    plane.apply(service('web', web), webPod('a'), pod('b', {}, { labels: { app: 'db', extra: 'x' } }));
    plane.apply(pod('a', {}, { labels: { app: 'none' } }));
    expect(conditions(plane, 'web')).toEqual([]);
    plane.apply(service('web', { selector: { app: 'db', extra: 'x' } }));
    expect(conditions(plane, 'web')).toEqual(['b']);
    plane.apply(service('web', { selector: { app: 'db', extra: 'y' } }));
    expect(conditions(plane, 'web')).toEqual([]);
  });

  test('a slice that somebody deletes or changes comes back as it was', () => {
    const plane = new Plane();
    plane.apply(service('web', web), webPod('a'));
    const [slice] = slicesOf(plane, 'web');
    plane.delete(kinds.EndpointSlice, slice!.metadata.name);
    expect(slicesOf(plane, 'web').map(({ metadata }) => metadata.name)).toEqual([slice!.metadata.name]);
    const [again] = slicesOf(plane, 'web');
    plane.store.update({ ...again!, endpoints: [] });
    plane.controllers.reconcile();
    expect(conditions(plane, 'web')).toEqual(['a']);
  });

  test('go with their Service; those of others stay', () => {
    const plane = new Plane();
    const own = { 'kubernetes.io/service-name': 'web' };
    const foreign = { ...object(kinds.EndpointSlice, 'mine', {}, { labels: own }), addressType: 'IPv4', endpoints: [] };
    plane.apply(service('web', web), webPod('a'), foreign as KubernetesObject);
    plane.delete(kinds.Service, 'web');
    expect(slicesOf(plane, 'web').map(({ metadata }) => metadata.name)).toEqual(['mine']);
  });
});

test('Endpoints of a Service without selector are mirrored', () => {
  const plane = new Plane();
  const subsets = [
    { addresses: [{ ip: '192.0.2.1' }], notReadyAddresses: [{ ip: '192.0.2.2' }], ports: [{ port: 5432 }] },
    { addresses: [{ ip: '2001:db8::1' }], ports: [{ port: 5432 }] },
  ];
  const endpoints = { ...object(kinds.Endpoints, 'db', {}), subsets } as KubernetesObject;
  plane.apply(endpoints);
  expect(slicesOf(plane, 'db')).toEqual([]);
  plane.apply(service('db'));
  const found = slicesOf(plane, 'db').map(({ addressType, endpoints: all, ports }) => {
    return `${addressType} ${ports![0]!.port} ${all.map((e) => `${e.addresses[0]}=${e.conditions!.ready}`).join()}`;
  });
  expect(found.sort()).toEqual(['IPv4 5432 192.0.2.1=true,192.0.2.2=false', 'IPv6 5432 2001:db8::1=true']);
  plane.delete(kinds.Endpoints, 'db');
  expect(slicesOf(plane, 'db')).toEqual([]);
});

test('namespaces come into being when something is put into them', () => {
  const plane = new Plane();
  plane.apply(pod('a', {}, { namespace: 'shop' }));
  expect(plane.store.get(kinds.Namespace, '', 'shop')).toMatchObject({ status: { phase: 'Active' } });
  plane.run();
  plane.delete(kinds.Namespace, 'shop');
  plane.run();
  expect(plane.store.list(kinds.Namespace)).toEqual([]);
});
