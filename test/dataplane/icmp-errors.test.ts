/** Errors of routers and hosts on their way to whom they concern (CT-045, CT-046). */
import { describe, expect, test } from 'vitest';
import { rules } from '../policy/rules.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { nodes, places, World } from './world.ts';

const SYN = 2;

/** `from` tells the sender of `about` that it went wrong. */
function error(from: string, about: FrameSpec & { source: string }, icmpType?: number): FrameSpec {
  const ipv6 = from.includes(':');
  return {
    ...{ source: from, destination: about.source, protocol: ipv6 ? 'icmpv6' : 'icmp' },
    ...{ icmpType: icmpType ?? (ipv6 ? 1 : 3), identifier: 0, icmpSequence: 0 },
    payload: buildFrame(about).slice(14),
  };
}

describe('an error about a known flow', () => {
  for (const family of [0, 1] as const) {
    const about = { source: places.web.addresses[family], destination: places.api.addresses[family], flags: SYN };

    test(`CT-045 from the other pod (${about.destination}): delivered, TTL and checksum as for any packet`, () => {
      const world = new World();
      world.send('web', about);
      expect(world.send('api', error(about.destination, about))).toBe('delivered');
      expect(world.ports.web.last.frame).toMatchObject({ ttl: 63, checksum: 'right', source: about.destination });
      world.balance();
    });

    test(`CT-045 from another node's pod, through the tunnel (${nodes.n2.pod[family]})`, () => {
      const world = new World();
      const far = { ...about, destination: nodes.n2.pod[family] };
      world.send('web', far);
      expect(world.tunnel('n2', error(far.destination, far))).toBe('delivered');
      expect(world.ports.web.count).toBe(1);
      world.balance();
    });

    test(`CT-045 about a flow that nobody knows (${about.destination})`, () => {
      const world = new World();
      expect(world.send('api', error(about.destination, about))).toBe('dropped: Invalid');
      world.balance();
    });

    test(`CT-045 of a third pod's to somebody whose flow it is not (${about.destination})`, () => {
      const world = new World();
      world.send('web', about);
      const stray = { ...error(about.destination, about), destination: nodes.n2.pod[family] };
      expect(world.send('api', stray)).toBe('dropped: Invalid');
      world.balance();
    });
  }

  test('CT-046 leaves no entry and does not count for the flow', () => {
    const world = new World();
    const about = { source: '10.244.1.2', destination: '10.244.1.3', flags: SYN };
    world.send('web', about);
    world.send('api', error('10.244.1.3', about));
    expect(world.dp.connections.count).toBe(1);
    expect([0, 1].map((half) => world.dp.connections.packetsOf(half))).toEqual([1, 0]);
    expect(world.dp.connections.flags[0]).toBe(0);
  });

  test('CI-007 needs no policy of its own, but its flow', () => {
    const world = new World();
    const about = { source: '10.244.1.2', destination: '10.244.1.3', flags: SYN };
    const web = { index: 0, egress: { 2: 'TCP 8080' }, ingress: {} };
    const api = { index: 1, egress: {}, ingress: { 1: 'TCP 8080' } };
    world.enforce(rules({ '10.244.1.2/32': 1, '10.244.1.3/32': 2 }, web, api));
    world.send('web', about);
    expect(world.send('api', error('10.244.1.3', about))).toBe('delivered');
    expect(world.send('api', error('10.244.1.3', { ...about, sourcePort: 1 }))).toBe('dropped: Invalid');
    world.balance();
  });

  test('CI-004 a spoofed source stays spoofed', () => {
    const world = new World();
    const about = { source: '10.244.1.2', destination: '10.244.2.7', flags: SYN };
    world.send('web', about);
    expect(world.send('api', error('10.244.2.7', about))).toBe('dropped: SpoofedSource');
    world.balance();
  });

  test('the way of an error is looked up anew: a destination that went away is a named drop', () => {
    const world = new World();
    const about = { source: '10.244.1.2', destination: '10.244.1.3', flags: SYN };
    world.send('web', about);
    world.dp.pods[0] = undefined;
    expect(world.send('api', error('10.244.1.3', about))).toBe('dropped: PortDown');
    world.balance();
  });
});
