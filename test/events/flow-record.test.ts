/** Flow records of packets that a real dataplane has forwarded and dropped, told by a real capture. */
import { describe, expect, test } from 'vitest';
import { Verdicts } from '../../src/dataplane/capture.ts';
import { FlowNames } from '../../src/events/flow-names.ts';
import { Drop, dropReasons } from '../../src/packet/outcome.ts';
import { nodes } from '../dataplane/world.ts';
import { rules } from '../policy/rules.ts';
import { buildFrame } from '../support/frames.ts';
import { tablesOf } from '../support/services.ts';
import { FlowWorld, nodeObject, podObject } from './flow-world.ts';

const web = { namespace: 'shop', pod_name: 'web', labels: ['k8s:app=web', 'k8s:io.kubernetes.pod.namespace=shop'] };
const api = { namespace: 'shop', pod_name: 'api', labels: ['k8s:io.kubernetes.pod.namespace=shop'] };
const db = { namespace: 'data', pod_name: 'db', labels: ['k8s:io.kubernetes.pod.namespace=data'] };
const toDb = { destination: nodes.n2.pod[0], destinationPort: 5432 } as const;

describe('forwarded', () => {
  test('a SYN to another node has all fields of a flow', () => {
    const world = new FlowWorld();
    world.timeNs = 123_456_789;
    world.send('web', { ...toDb, flags: 2 });
    expect(world.record()).toEqual({
      time: '2026-11-20T10:00:00.123456789Z',
      verdict: 'FORWARDED',
      ethernet: { source: '02:00:0a:f4:01:02', destination: '02:70:00:00:00:01' },
      IP: { source: '10.244.1.2', destination: '10.244.2.7', ipVersion: 'IPv4' },
      l4: { TCP: { source_port: 40_000, destination_port: 5432, flags: { SYN: true } } },
      source: web,
      destination: db,
      Type: 'L3_L4',
      node_name: 'n1',
      event_type: { type: 4 },
      traffic_direction: 'EGRESS',
      trace_observation_point: 'TO_OVERLAY',
      is_reply: false,
      interface: { name: 'pod/shop/web' },
      Summary: 'TCP Flags: SYN',
    });
  });

  test('times have nine digits', () => {
    const world = new FlowWorld();
    world.timeNs = 2_000_001;
    world.send('web');
    expect(world.record().time).toBe('2026-11-20T10:00:00.002000001Z');
  });

  test('its answer comes through the tunnel: a reply of an egress flow', () => {
    const world = new FlowWorld();
    world.send('web', { ...toDb, flags: 2 });
    world.tunnel('n2', { sourcePort: 5432, destinationPort: 40_000, flags: 0x12 });
    expect(world.records()[1]).toMatchObject({
      IP: { source: '10.244.2.7', destination: '10.244.1.2' },
      source: db,
      destination: web,
      l4: { TCP: { flags: { SYN: true, ACK: true } } },
      traffic_direction: 'EGRESS',
      trace_observation_point: 'TO_ENDPOINT',
      is_reply: true,
      interface: { name: 'node/n1:underlay' },
      Summary: 'TCP Flags: SYN, ACK',
    });
  });

  test('what other nodes begin is ingress, and so is the answer to it', () => {
    const world = new FlowWorld();
    world.tunnel('n2', { flags: 2, destinationPort: 80 });
    world.send('web', { destination: nodes.n2.pod[0], sourcePort: 80, destinationPort: 40_000, flags: 0x14 });
    const [syn, reset] = world.records();
    expect(syn).toMatchObject({ traffic_direction: 'INGRESS', is_reply: false, source: db, destination: web });
    expect(reset).toMatchObject({ traffic_direction: 'INGRESS', is_reply: true, Summary: 'TCP Flags: ACK, RST' });
  });

  test('data in the middle of a connection is no event', () => {
    const world = new FlowWorld();
    world.send('web', { flags: 2 });
    world.send('api', { destination: '10.244.1.2', sourcePort: 8080, destinationPort: 40_000, flags: 0x12 });
    world.send('web', { flags: 0x10 });
    world.send('web', { flags: 0x18, payload: 10 });
    world.send('web', { flags: 0x11, payload: 10, sequence: 1011 });
    expect(world.records().map(({ Summary }) => Summary)).toEqual([
      'TCP Flags: SYN',
      'TCP Flags: SYN, ACK',
      'TCP Flags: ACK, FIN',
    ]);
  });

  test('IPv6, UDP and ping', () => {
    const world = new FlowWorld();
    world.send('web', { destination: 'fd00:10:244:1::3', protocol: 'udp', destinationPort: 53 });
    world.send('web', { destination: 'fd00:10:244:1::3', protocol: 'icmpv6' });
    world.send('web', { protocol: 'icmp' });
    world.send('web', { protocol: 'sctp' });
    world.send('web', { protocol: 99 });
    const [udp, ping6, ping4, sctp, other] = world.records();
    expect(udp).toMatchObject({
      IP: { source: 'fd00:10:244:1::2', destination: 'fd00:10:244:1::3', ipVersion: 'IPv6' },
      l4: { UDP: { source_port: 40_000, destination_port: 53 } },
      source: web,
      destination: api,
      Summary: 'UDP',
      trace_observation_point: 'TO_ENDPOINT',
    });
    expect(ping6).toMatchObject({ l4: { ICMPv6: { type: 128, code: 0 } }, Summary: 'ICMPv6 EchoRequest' });
    expect(ping4).toMatchObject({ l4: { ICMPv4: { type: 8, code: 0 } }, Summary: 'ICMPv4 EchoRequest' });
    expect(sctp).toMatchObject({ l4: { SCTP: { destination_port: 8080 } }, Summary: 'SCTP' });
    expect(other).toMatchObject({ Summary: 'IPv4' });
    expect(other).not.toHaveProperty('l4');
  });

  test('an ICMP error about a flow is told, and is no reply', () => {
    const world = new FlowWorld();
    world.send('web', { ...toDb, protocol: 'udp' });
    const asSent = { source: '10.244.1.2', ...toDb, protocol: 'udp' } as const;
    const payload = buildFrame(asSent).slice(14);
    world.tunnel('n2', { protocol: 'icmp', icmpType: 3, icmpCode: 3, identifier: 0, icmpSequence: 0, payload });
    expect(world.records()[1]).toMatchObject({
      Summary: 'ICMPv4 DestinationUnreachable(Port)',
      is_reply: false,
      source: db,
      destination: web,
    });
  });

  test('nodes have names and no pod, and the world has neither', () => {
    const world = new FlowWorld();
    world.send('host', { destination: '10.244.1.2', source: '172.18.0.2' });
    world.send('web', { destination: '10.244.1.1', protocol: 'udp' });
    const [fromHost, toHost] = world.records();
    expect(fromHost).toMatchObject({ source: { labels: ['reserved:host'] }, source_names: ['n1'], destination: web });
    expect(fromHost).toMatchObject({ traffic_direction: 'EGRESS', trace_observation_point: 'TO_ENDPOINT' });
    expect(toHost).toMatchObject({ destination: { labels: ['reserved:host'] }, destination_names: ['n1'] });
    expect(toHost).toMatchObject({ trace_observation_point: 'TO_HOST' });
    const shared = { ...podObject('agent', 'kube-system', ['172.18.0.3']) };
    const names = new FlowNames(
      [nodeObject('n2', '172.18.0.3')],
      [{ ...shared, spec: { ...shared.spec, hostNetwork: true } }],
    );
    expect(names.nodeName('172.18.0.3')).toBe('n2');
    expect(world.names.endpoint('172.18.0.3', 'n1')).toEqual({ labels: ['reserved:remote-node'] });
    expect(world.names.endpoint('8.8.8.8', 'n1')).toEqual({ labels: ['reserved:world'] });
  });
});

describe('dropped', () => {
  const spoofed = dropReasons[-1 - Drop.SpoofedSource]!;

  test('a spoofed source: who sent it, what it claimed, and why', () => {
    const world = new FlowWorld();
    world.send('web', { source: '10.244.1.3', destination: '10.244.2.7', flags: 2 });
    const record = world.record();
    expect(record).toMatchObject({
      verdict: 'DROPPED',
      drop_reason_desc: 'SpoofedSource',
      reason: 'SpoofedSource',
      stage: 'antiSpoof',
      means: spoofed.means,
      look: spoofed.look,
      event_type: { type: 1 },
      IP: { source: '10.244.1.3' },
      source: web,
      spoofed_source: '10.244.1.3',
      destination: db,
      traffic_direction: 'EGRESS',
      interface: { name: 'pod/shop/web' },
    });
    expect(record).not.toHaveProperty('is_reply');
    expect(record).not.toHaveProperty('trace_observation_point');
  });

  test('a spoofed source through a tunnel is the other node’s', () => {
    const world = new FlowWorld();
    world.tunnel('n2', { source: '10.244.1.3' });
    expect(world.record()).toMatchObject({
      reason: 'SpoofedSource',
      stage: 'sourceBehindTunnel',
      source: { labels: ['reserved:remote-node'] },
      source_names: ['n2'],
      spoofed_source: '10.244.1.3',
      destination: web,
      traffic_direction: 'INGRESS',
    });
  });

  test('bytes that are no packet', () => {
    const world = new FlowWorld();
    world.sendBytes('web', Uint8Array.of(1, 2, 3));
    world.sendBytes('web', buildFrame({ etherType: 0x88cc }));
    const [short, foreign] = world.records();
    expect(short).toMatchObject({ reason: 'FrameTooShort', Summary: '', source: web, destination: { labels: [] } });
    expect(short).not.toHaveProperty('ethernet');
    expect(foreign).toMatchObject({ reason: 'UnsupportedEtherType', Summary: 'Ethernet' });
    expect(foreign).not.toHaveProperty('IP');
  });

  test('asked for drops, nodes tell of nothing else', () => {
    const world = new FlowWorld({ verdicts: Verdicts.Dropped });
    world.send('web', { flags: 2 });
    world.send('web', { destination: '10.244.1.77' });
    expect(world.record()).toMatchObject({ reason: 'NoSuchPod', destination: { labels: ['reserved:world'] } });
  });
});

test.each([
  ['by its own node', { index: 0, egress: {} }],
  ['by the node of the backend', { index: 1, ingress: {} }],
])('NP-031 what is denied on its way to a Service was for the backend: %s', (_, pod) => {
  const world = new FlowWorld();
  const frontends = [{ address: '10.96.0.1', port: 80 }];
  const endpoints = [{ address: '10.244.1.3', port: 8080 }];
  world.dp.setServices(tablesOf([{ key: 'shop/api', ports: [{ protocol: 'TCP', frontends, endpoints }] }]));
  world.enforce(rules({ '10.244.1.2/32': 1, '10.244.1.3/32': 2 }, pod));
  world.send('web', { destination: '10.96.0.1', destinationPort: 80, flags: 2 });
  world.send('web', { destination: '10.244.1.3', destinationPort: 8080, flags: 2 });
  const [asked, direct] = world.records();
  const denied = {
    reason: 'PolicyDenied',
    IP: { source: '10.244.1.2', destination: '10.244.1.3' },
    l4: { TCP: { source_port: 40_000, destination_port: 8080 } },
    destination: api,
  };
  expect(asked).toMatchObject({ ...denied, original_destination: '10.96.0.1:80' });
  expect(direct).toMatchObject(denied);
  expect(direct).not.toHaveProperty('original_destination');
});

test('what is consumed says so, and where it came from', () => {
  const world = new FlowWorld({ verdicts: Verdicts.All, noise: true });
  world.send('web', { destination: 'ff02::16', source: 'fe80::1234', protocol: 'icmpv6', icmpType: 143, ttl: 1 });
  const [record] = world.records();
  expect(record).toMatchObject({ verdict: 'FORWARDED', reason: 'MulticastListenerAbsorbed' });
  expect(record).toMatchObject({ trace_observation_point: 'FROM_ENDPOINT' });
  expect(record).not.toHaveProperty('look');
});

test('a packet that leaves is seen at the hop that it leaves for', () => {
  const world = new FlowWorld({ verdicts: Verdicts.All });
  world.send('web', { ...toDb, flags: 2 });
  expect(world.records().map((record) => [record.interface.name, record.traffic_direction])).toEqual([
    ['pod/shop/web', 'EGRESS'],
    ['node/n1:underlay', 'EGRESS'],
  ]);
  world.send('web', { flags: 2 });
  expect(world.records()[1]).toMatchObject({ interface: { name: 'pod/shop/api' }, traffic_direction: 'INGRESS' });
});
