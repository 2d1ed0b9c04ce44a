/** Verdicts on new connections as packets meet them: who is asked, and about what. */
import { describe, expect, test } from 'vitest';
import { Direction } from '../../src/policy/policies.ts';
import { places, World, words } from '../dataplane/world.ts';
import { servicesOf } from '../support/services.ts';

const SYN = 2;
const { Egress, Ingress } = Direction;

function isolated(web: number, api: number): World {
  const world = new World();
  world.isolate(web, api);
  return world;
}

describe('an isolated pod', () => {
  for (const family of [0, 1] as const) {
    const web = places.web.addresses[family];
    const api = places.api.addresses[family];
    const far = family === 0 ? '10.244.2.7' : 'fd00:10:244:2::7';

    test(`${web}: egress isolation stops what it sends, and nothing else`, () => {
      const world = isolated(Egress, 0);
      expect(world.send('web', { destination: api, flags: SYN })).toBe('dropped: PolicyDenied');
      expect(world.send('web', { destination: far, flags: SYN })).toBe('dropped: PolicyDenied');
      expect(world.send('api', { destination: web, flags: SYN })).toBe('delivered');
      expect(world.tunnel('n2', { destination: web, flags: SYN })).toBe('delivered');
      world.balance();
    });

    test(`${api}: ingress isolation stops what is sent to it, and nothing else`, () => {
      const world = isolated(0, Ingress);
      expect(world.send('web', { destination: api, flags: SYN })).toBe('dropped: PolicyDenied');
      expect(world.tunnel('n2', { destination: api, flags: SYN })).toBe('dropped: PolicyDenied');
      expect(world.send('api', { destination: web, flags: SYN })).toBe('delivered');
      expect(world.send('api', { destination: far, flags: SYN })).toBe('delivered');
      world.balance();
    });
  }

  test('NP-003 both sides must allow it', () => {
    expect(isolated(Egress, 0).send('web', { flags: SYN })).toBe('dropped: PolicyDenied');
    expect(isolated(0, Ingress).send('web', { flags: SYN })).toBe('dropped: PolicyDenied');
    expect(isolated(Ingress, Egress).send('web', { flags: SYN })).toBe('delivered');
  });

  test('NP-025 replies of an allowed connection need no rule of their own', () => {
    const world = isolated(Ingress, Egress);
    world.send('web', { flags: SYN });
    const reply = { destination: '10.244.1.2', sourcePort: 8080, destinationPort: 40_000, flags: 0x12 };
    expect(world.send('api', reply)).toBe('delivered');
    world.balance();
  });

  test('CT-004 what a policy denies leaves no entry', () => {
    const world = isolated(Egress, Ingress);
    world.send('web', { flags: SYN });
    world.tunnel('n2', { destination: '10.244.1.3', flags: SYN });
    expect(world.dp.connections.count).toBe(0);
  });

  test('NP-022, NP-031 the backend is judged, not the Service', () => {
    const world = isolated(0, Ingress);
    const backend = { address: words('10.244.1.3'), port: 8080 };
    const frontend = { address: words('10.96.0.1'), port: 80, protocolWord: (4 << 8) | 6, backends: [backend] };
    world.dp.services = servicesOf([frontend], 1);
    const spec = { destination: '10.96.0.1', destinationPort: 80, flags: SYN };
    expect(world.send('web', spec)).toBe('dropped: PolicyDenied');
    world.balance();
  });
});

describe('whose isolation it is', () => {
  test('NP-001 a pod that nothing selects is not isolated, and a port newer than the table is not either', () => {
    const world = new World();
    expect(world.send('web', { flags: SYN })).toBe('delivered');
    world.isolate(0, 0);
    expect(world.send('web', { flags: SYN, sourcePort: 2 })).toBe('delivered');
    expect(world.send('api', { destination: '10.244.1.2', flags: SYN })).toBe('delivered');
  });

  test("a tunnel or the host with an isolated pod's number is not that pod", () => {
    const world = isolated(Ingress, Ingress);
    expect(world.send('web', { destination: '10.244.2.7', flags: SYN })).toBe('delivered'); // tunnel 0, pod 0
    expect(world.send('web', { destination: '10.244.3.7', flags: SYN })).toBe('delivered'); // tunnel 1, pod 1
    expect(world.send('web', { destination: '172.18.0.2', flags: SYN })).toBe('delivered');
    world.isolate(Egress, Egress);
    expect(world.tunnel('n2', { flags: SYN })).toBe('delivered');
    expect(world.tunnel('n3', { flags: SYN })).toBe('delivered');
    expect(world.send('host', { flags: SYN })).toBe('delivered');
    world.balance();
  });
});

describe("a pod's own node", () => {
  test('NP-026 its host reaches an isolated pod (probes)', () => {
    const world = isolated(0, Ingress | Egress);
    for (const destination of places.api.addresses) {
      expect(world.send('host', { destination, flags: SYN })).toBe('delivered');
    }
    world.balance();
  });

  test('an isolated pod reaches its own node', () => {
    const world = isolated(Ingress | Egress, 0);
    for (const destination of places.host.addresses) {
      expect(world.send('web', { destination, flags: SYN })).toBe('delivered');
    }
    world.balance();
  });

  test('NP-027, CI-008 a pod cannot be isolated from itself', () => {
    const world = isolated(Ingress | Egress, 0);
    expect(world.send('web', { destination: '10.244.1.2', flags: SYN })).toBe('delivered');
    world.balance();
  });

  test('NP-029 the node of another pod is nobody special', () => {
    const world = isolated(0, Ingress);
    const spec = { source: '10.244.2.1', destination: '10.244.1.3', flags: SYN };
    expect(world.tunnel('n2', spec)).toBe('dropped: PolicyDenied');
    world.balance();
  });
});
