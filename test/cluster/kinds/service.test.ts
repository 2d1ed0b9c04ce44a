import { describe, expect, test } from 'vitest';
import type { Service } from '../../../src/store/object.ts';
import { objectsOf } from '../refusal.ts';
import { documentText, objectOf, testRefusals } from './refused.ts';

const service = (...fields: readonly string[]) => documentText('v1', 'Service', ...fields);
const spec = (fields: string) => service(`spec: {${fields}}`);
const specOf = (fields: string) => objectOf<Service>(spec(fields)).spec;

describe('defaults', () => {
  test('of a ClusterIP Service', () => {
    expect(
      specOf(
        'ports: [{port: 80}, {name: b, port: 53, protocol: UDP, targetPort: dns}], selector: {a: b}'.replace(
          '{port: 80}',
          '{name: a, port: 80}',
        ),
      ),
    ).toEqual({
      type: 'ClusterIP',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      selector: { a: 'b' },
      ports: [
        { name: 'a', port: 80, protocol: 'TCP', targetPort: 80 },
        { name: 'b', port: 53, protocol: 'UDP', targetPort: 'dns' },
      ],
    });
  });

  test('of traffic policies hang on the type', () => {
    expect(specOf('type: NodePort, ports: [{port: 80}]')).toMatchObject({ externalTrafficPolicy: 'Cluster' });
    expect(specOf('externalIPs: [192.0.2.1], ports: [{port: 80}]')).toMatchObject({ externalTrafficPolicy: 'Cluster' });
    expect(specOf('type: LoadBalancer, ports: [{port: 80}]').allocateLoadBalancerNodePorts).toBe(true);
    const external = specOf('type: ExternalName, externalName: db.example.com.');
    expect([external.internalTrafficPolicy, external.externalTrafficPolicy]).toEqual([undefined, undefined]);
    expect(specOf('ports: [{port: 80}]').externalTrafficPolicy).toBeUndefined();
  });

  test('of session affinity: three hours', () => {
    expect(specOf('sessionAffinity: ClientIP, ports: [{port: 80}]').sessionAffinityConfig).toEqual({
      clientIP: { timeoutSeconds: 10800 },
    });
    const given = 'sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}, ports: [{port: 80}]';
    expect(specOf(`sessionAffinity: ClientIP, ${given}`).sessionAffinityConfig?.clientIP?.timeoutSeconds).toBe(5);
    expect(specOf(given).sessionAffinityConfig).toBeUndefined();
  });

  test('a targetPort of 0 is the port', () => {
    expect(specOf('ports: [{port: 80, targetPort: 0}]').ports).toEqual([{ port: 80, targetPort: 80, protocol: 'TCP' }]);
  });
});

test('what the API server takes', () => {
  const texts = [
    'clusterIP: None',
    'clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10, "fd00::1"], ipFamilies: [IPv4, IPv6], ports: [{port: 80}]',
    'type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 32000, ports: [{port: 80}]',
    'type: LoadBalancer, loadBalancerSourceRanges: [" 10.0.0.0/8"], ports: [{port: 80}]',
    'ports: [{name: a, port: 53}, {name: b, port: 53, protocol: UDP}]',
    'trafficDistribution: PreferClose, internalTrafficPolicy: Local, ports: [{port: 80, appProtocol: kubernetes.io/h2c}]',
    'externalIPs: [8.8.8.8], ports: [{port: 80}]',
  ];
  for (const text of texts) expect(() => objectsOf(spec(text)), text).not.toThrow();
});

describe('refused', () => {
  const port = (fields: string) => spec(`ports: [{${fields}}]`);
  testRefusals([
    [
      'a name that begins with a digit',
      'apiVersion: v1\nkind: Service\nmetadata: {name: 1a}\nspec: {clusterIP: None}',
      'metadata.name: found "1a", expected a DNS label that begins with a letter',
    ],
    ['no ports', spec('selector: {a: b}'), 'a.yaml:4:1: spec: found no ports, expected one; add "ports: [{port: 80}]"'],
    ['no port number', port('name: a'), 'spec.ports[0]: found no port, expected one'],
    [
      'port 70000',
      port('port: 70000'),
      'a.yaml:4:23: spec.ports[0].port: found 70000, expected a whole number from 1 to 65535',
    ],
    [
      'a targetPort of 65536',
      port('port: 80, targetPort: 65536'),
      'spec.ports[0].targetPort: found 65536, expected a whole number from 1',
    ],
    [
      'a targetPort that is no port name',
      port('port: 80, targetPort: "8080"'),
      'targetPort: found "8080", expected a port name',
    ],
    [
      'a protocol of another layer',
      port('port: 80, protocol: ICMP'),
      'protocol: found "ICMP", expected TCP or UDP or SCTP',
    ],
    [
      'a second port without names',
      spec('ports: [{port: 80}, {port: 81}]'),
      'spec.ports[0]: found no name',
      'spec.ports[1]: found no name',
    ],
    [
      'a name twice',
      spec('ports: [{name: a, port: 80}, {name: a, port: 81}]'),
      'spec.ports[1].name: found a second port "a"',
    ],
    [
      'a port and protocol twice',
      spec('ports: [{name: a, port: 80}, {name: b, port: 80}]'),
      'spec.ports[1]: found a second port 80/TCP',
    ],
    [
      'a nodePort twice',
      spec('type: NodePort, ports: [{name: a, port: 80, nodePort: 30000}, {name: b, port: 81, nodePort: 30000}]'),
      'spec.ports[1].nodePort: found a second nodePort 30000/TCP',
    ],
    [
      'a nodePort without need',
      port('port: 80, nodePort: 30000'),
      'spec.ports[0].nodePort: found a nodePort, expected none in a Service of type ClusterIP',
    ],
    [
      'a nodePort past all ports',
      spec('type: NodePort, ports: [{port: 80, nodePort: 65536}]'),
      'spec.ports[0].nodePort: found 65536, expected a whole number from 0 to 65535',
    ],
    [
      'a type in lower case',
      spec('type: nodePort, ports: [{port: 80}]'),
      'spec.type: found "nodePort", expected ClusterIP or NodePort or LoadBalancer or ExternalName; did you mean "NodePort"?',
    ],
    [
      'a selector with a list',
      spec('selector: {a: [b]}, ports: [{port: 80}]'),
      'spec.selector.a: found a list, expected a string',
    ],
    [
      'a selector with a value out of rule',
      spec('selector: {a: "b c"}, ports: [{port: 80}]'),
      'spec.selector.a: found "b c", expected a label value',
    ],
    [
      'a selector in the manner of workloads',
      spec('selector: {matchLabels: {a: b}}, ports: [{port: 80}]'),
      'spec.selector.matchLabels: found a map, expected a string',
    ],
    [
      'a clusterIP that is none',
      spec('clusterIP: none, ports: [{port: 80}]'),
      'spec.clusterIP: found "none", expected an IPv4 or IPv6 address',
    ],
    [
      'a clusterIP other than the first',
      spec('clusterIP: 10.0.0.1, clusterIPs: [10.0.0.2], ports: [{port: 80}]'),
      'spec.clusterIP: found "10.0.0.1", expected the first of clusterIPs, "10.0.0.2"',
    ],
    [
      'two addresses of a family',
      spec('clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, 10.0.0.2], ports: [{port: 80}]'),
      'spec.clusterIPs: found two addresses of a family',
    ],
    [
      'a headless NodePort',
      spec('clusterIP: None, type: NodePort, ports: [{port: 80}]'),
      'spec.clusterIP: found "None", expected an address or nothing in a Service of type NodePort',
    ],
    [
      'a family twice',
      spec('ipFamilies: [IPv4, IPv4], ports: [{port: 80}]'),
      'spec.ipFamilies[1]: found a second "IPv4"',
    ],
    [
      'a family in lower case',
      spec('ipFamilies: [ipv4], ports: [{port: 80}]'),
      'spec.ipFamilies[0]: found "ipv4", expected IPv4 or IPv6',
    ],
    [
      'a policy of families that is none',
      spec('ipFamilyPolicy: DualStack, ports: [{port: 80}]'),
      'spec.ipFamilyPolicy: found "DualStack", expected SingleStack or',
    ],
    [
      'two families, single stack',
      spec('ipFamilyPolicy: SingleStack, ipFamilies: [IPv4, IPv6], ports: [{port: 80}]'),
      'spec.ipFamilies: found two families, expected one',
    ],
    ['no external name', spec('type: ExternalName'), 'spec: found no externalName, expected one'],
    [
      'an external name that is an address with a port',
      spec('type: ExternalName, externalName: "db:80"'),
      'spec.externalName: found "db:80", expected a DNS subdomain',
    ],
    [
      'an external name with an address',
      spec('type: ExternalName, externalName: db, clusterIP: None'),
      'spec.clusterIP: found clusterIP, expected none in a Service of type ExternalName',
    ],
    [
      'an affinity that is none',
      spec('sessionAffinity: Cookie, ports: [{port: 80}]'),
      'spec.sessionAffinity: found "Cookie", expected None or ClientIP',
    ],
    [
      'an affinity of two days',
      spec(
        'sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 172800}}, ports: [{port: 80}]',
      ),
      'timeoutSeconds: found 172800, expected a whole number from 1 to 86400',
    ],
    [
      'an internal policy that is none',
      spec('internalTrafficPolicy: local, ports: [{port: 80}]'),
      'spec.internalTrafficPolicy: found "local", expected Cluster or Local; did you mean "Local"?',
    ],
    [
      'an external policy inside',
      spec('externalTrafficPolicy: Local, ports: [{port: 80}]'),
      'spec.externalTrafficPolicy: found one, expected none in a Service that only the cluster reaches',
    ],
    [
      'a distribution that is none',
      spec('trafficDistribution: Near, ports: [{port: 80}]'),
      'spec.trafficDistribution: found "Near"',
    ],
    [
      'external addresses that mean each node itself',
      spec('externalIPs: [127.0.0.1, 169.254.169.254, "::", ff02::1], ports: [{port: 80}]'),
      'externalIPs[0]: found "127.0.0.1", which is in 127.0.0.0/8',
      'externalIPs[1]: found "169.254.169.254"',
      'externalIPs[2]: found "::"',
      'externalIPs[3]: found "ff02::1"',
    ],
    [
      'a health check port without need',
      spec('type: LoadBalancer, healthCheckNodePort: 32000, ports: [{port: 80}]'),
      'spec.healthCheckNodePort: found one, expected none',
    ],
    [
      'source ranges without a load balancer',
      spec('loadBalancerSourceRanges: [10.0.0.0/8], ports: [{port: 80}]'),
      'spec.loadBalancerSourceRanges: found one, expected none as type is ClusterIP',
    ],
    [
      'a source range that is an address',
      spec('type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.1], ports: [{port: 80}]'),
      'loadBalancerSourceRanges[0]: found "10.0.0.1", expected a CIDR block',
    ],
    [
      'a field of pods',
      port('containerPort: 80, port: 80'),
      'spec.ports[0].containerPort: unknown field "containerPort"',
    ],
    [
      'all that is wrong at once',
      spec('type: X, ports: [{port: 0, protocol: x}], sessionAffinity: z'),
      'spec.type',
      'spec.ports[0].port',
      'spec.ports[0].protocol',
      'spec.sessionAffinity',
    ],
  ]);
});
