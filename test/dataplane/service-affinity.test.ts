/** `sessionAffinity: ClientIP`: a client keeps its backend, for how long, and what makes it change. */
import { describe, expect, test } from 'vitest';
import { Affinity } from '../../src/service/affinity.ts';
import { ServiceCompiler } from '../../src/service/service-compiler.ts';
import type { EndpointSpec, ServiceSpec } from '../../src/service/service-spec.ts';
import { type PlaceName, World, words } from './world.ts';

const SECOND = 1000;
const BACKENDS = 40;

/** Of other nodes: what is sent to them leaves by the tunnel, whoever sends it. */
const remote = Array.from({ length: BACKENDS }, (_, i): EndpointSpec => ({ address: `10.244.2.${i + 1}`, port: 8080 }));

/** A world whose Services change, as a node's do: with one compiler. */
class AffinityWorld {
  readonly world = new World({ connectionsMax: 4096 });
  readonly #compiler = new ServiceCompiler(3);
  #port = 1024;

  serve(...services: readonly ServiceSpec[]): void {
    this.world.dp.setServices(this.#compiler.compile({ replaceAll: true, set: services, remove: [] }));
  }

  /** The backend of one more connection. */
  connect(from: PlaceName = 'web', destination = '10.96.0.1', destinationPort = 80): string {
    const { world } = this;
    world.send(from, { destination, destinationPort, sourcePort: this.#port++, flags: 2 });
    return world.underlay.last.frame.destination!;
  }

  /** Different backends of so many connections. */
  several(count: number, ...to: Parameters<AffinityWorld['connect']>): Set<string> {
    return new Set(Array.from({ length: count }, () => this.connect(...to)));
  }
}

function sticky(endpoints: readonly EndpointSpec[] = remote, seconds: number | undefined = 60): ServiceSpec {
  const ports = [80, 443].map((port) => ({
    protocol: 'TCP' as const,
    frontends: [
      { address: '10.96.0.1', port },
      { address: '192.0.2.1', port, kind: 'external' as const },
    ],
    endpoints,
  }));
  return { key: 'default/web', ports, ...(seconds === undefined ? {} : { affinitySeconds: seconds }) };
}

function serving(...services: readonly ServiceSpec[]): AffinityWorld {
  const one = new AffinityWorld();
  one.serve(...services);
  return one;
}

describe('a client', () => {
  test('KP-061 without affinity has any backend; with it, one for all its connections', () => {
    const { affinitySeconds: _, ...free } = sticky();
    expect(serving(free).several(50).size).toBeGreaterThan(20);
    expect(serving(sticky()).several(50).size).toBe(1);
  });

  test('KP-062, KP-064 is its address: another client, another Service port: another backend', () => {
    const one = serving(sticky());
    const seen = [one.several(20), one.several(20, 'api'), one.several(20, 'web', '10.96.0.1', 443)];
    for (const { size } of seen) expect(size).toBe(1);
    expect(new Set(seen.map(([backend]) => backend)).size).toBe(3); // of 40, by this seed
  });

  test('KP-062 has the same backend by every address of the Service', () => {
    const one = serving(sticky());
    const backend = one.connect();
    expect(one.several(20, 'web', '192.0.2.1')).toEqual(new Set([backend]));
  });

  test('KP-067 is who it was before masquerading: the host and a pod are two', () => {
    const one = serving(sticky());
    const [pod, host] = [one.several(5, 'web', '192.0.2.1'), one.several(5, 'host', '192.0.2.1')];
    expect([pod.size, host.size]).toEqual([1, 1]);
    expect(pod).not.toEqual(host); // of 40, by this seed
  });
});

describe('time', () => {
  test('KP-063 begins anew with every connection', () => {
    const one = serving(sticky());
    const backend = one.connect();
    for (let i = 0; i < 5; i++) {
      one.world.nowMs += 59 * SECOND;
      expect(one.connect()).toBe(backend);
    }
  });

  test('KP-063 does not with every packet, and when it is over any backend is taken', () => {
    const one = serving(sticky());
    const { world } = one;
    const backend = one.connect();
    for (let i = 0; i < 3; i++) {
      world.nowMs += 20 * SECOND;
      world.send('web', { destination: '10.96.0.1', destinationPort: 80, sourcePort: 1024, flags: 2 });
    }
    expect(one.connect()).not.toBe(backend); // of 40, by this seed
  });
});

describe('a change', () => {
  test('KP-065 of others, or of the order, leaves clients where they are', () => {
    const one = serving(sticky());
    const backend = one.connect();
    const others = remote.filter(({ address }) => address !== backend);
    one.serve(sticky([...others.slice(5).reverse(), { address: backend, port: 8080 }]));
    expect(one.several(20)).toEqual(new Set([backend]));
  });

  test('KP-065 that takes the backend away gives the client another one, for good', () => {
    const one = serving(sticky());
    const backend = one.connect();
    one.serve(sticky(remote.filter(({ address }) => address !== backend)));
    const [next] = one.several(20);
    expect(next).not.toBe(backend);
    one.serve(sticky());
    expect(one.several(20)).toEqual(new Set([next]));
  });

  test('a Service that was deleted and made again knows no clients', () => {
    const seen = Array.from({ length: 6 }, (_, i) => {
      const one = serving(sticky());
      for (let n = 0; n < i; n++) one.connect('api'); // other ports, other hashes
      const before = one.connect();
      one.serve();
      one.serve(sticky());
      return before === one.connect();
    });
    expect(seen).toContain(false);
  });
});

test('KP-066 with externalTrafficPolicy and internalTrafficPolicy the lists are two, and so is what is remembered', () => {
  const local = remote.slice(0, 20).map((endpoint): EndpointSpec => ({ ...endpoint, local: true }));
  const one = serving({ ...sticky([...local, ...remote.slice(20)]), internalLocal: true });
  const [own] = one.several(20);
  expect(local.map(({ address }) => address)).toContain(own);
  const [any] = one.several(20, 'web', '192.0.2.1');
  expect(any).not.toBe(own); // by this seed
  expect(one.several(20)).toEqual(new Set([own]));
});

describe('the memory of clients', () => {
  const backends = Int32Array.of(...words('10.244.1.1'), 80, ...words('10.244.1.2'), 80);
  const client = (i: number) => Int32Array.of(0, 0, 0xffff, i);

  test('is full: a new client is not remembered, until an old one’s time is over', () => {
    const affinity = new Affinity(1, 4);
    for (let i = 0; i < 4; i++) {
      const slot = affinity.claim(client(i), 0, 7, 0);
      affinity.remember(slot, backends, 1, 1000 + i);
    }
    expect(affinity.claim(client(9), 0, 7, 500)).toBe(-1);
    const slot = affinity.claim(client(9), 0, 7, 1001);
    expect(slot).toBeGreaterThanOrEqual(0);
    expect(affinity.backend(slot, backends, 0, 2, 1001)).toBe(-1);
    affinity.remember(slot, backends, 0, 9000);
    expect(affinity.backend(affinity.claim(client(9), 0, 7, 1001), backends, 0, 2, 1001)).toBe(0);
    expect(affinity.backend(affinity.claim(client(3), 0, 7, 1001), backends, 0, 2, 1001)).toBe(1);
  });

  test('asks for one list of a Service port', () => {
    const affinity = new Affinity(1, 4);
    const slot = affinity.claim(client(1), 0, 7, 0);
    affinity.remember(slot, backends, 1, 1000);
    expect(affinity.claim(client(1), 0, 7, 0)).toBe(slot);
    expect(affinity.claim(client(1), 0, 8, 0)).not.toBe(slot);
    expect(affinity.backend(slot, backends, 0, 1, 0)).toBe(-1);
    expect(affinity.backend(slot, backends, 1, 1, 0)).toBe(1);
    expect(affinity.backend(slot, backends, 1, 1, 1000)).toBe(-1);
  });
});
