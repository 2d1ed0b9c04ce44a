/** A Service on the packet's way: translated once, then by its connection, and back for the replies. */
import { describe, expect, test } from 'vitest';
import { servicesOf, type TestFrontend } from '../support/services.ts';
import { type Taken, World, words } from './world.ts';

const SYN = 2;
const SYN_ACK = 0x12;
const numbers = { tcp: 6, udp: 17, sctp: 132 } as const;

/** `vip`:80 of every protocol, translated to port 8080 of the backends. */
function frontends(vip: string, ...backends: string[]): TestFrontend[] {
  const version = vip.includes(':') ? 6 : 4;
  const list = backends.map((address) => ({ address: words(address), port: 8080 }));
  return Object.values(numbers).map((protocol) => ({
    ...{ address: words(vip), port: 80, protocolWord: (version << 8) | protocol, backends: list },
  }));
}

function serving(vip: string, ...backends: string[]): World {
  const world = new World();
  world.dp.services = servicesOf(frontends(vip, ...backends), 3);
  return world;
}

function addresses({ frame }: Taken): string {
  return `${frame.source}:${frame.sourcePort} > ${frame.destination}:${frame.destinationPort} ${frame.checksum}`;
}

const cases = [
  { vip: '10.96.0.1', backend: '10.244.1.3', client: '10.244.1.2' },
  { vip: 'fd00:10:96::1', backend: 'fd00:10:244:1::3', client: 'fd00:10:244:1::2' },
] as const;

describe('pod -> Service -> local pod', () => {
  for (const { vip, backend, client } of cases) {
    for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
      test(`CT-064 ${vip} ${protocol}: there as the backend, back as the Service`, () => {
        const world = serving(vip, backend);
        const there = { protocol, destination: vip, destinationPort: 80, payload: 25 } as const;
        const back = { protocol, destination: client, sourcePort: 8080, destinationPort: 40_000 } as const;
        expect(world.send('web', { ...there, flags: SYN })).toBe('delivered');
        expect(addresses(world.ports.api.last)).toBe(`${client}:40000 > ${backend}:8080 right`);
        expect(world.send('api', { ...back, flags: SYN_ACK })).toBe('delivered');
        expect(addresses(world.ports.web.last)).toBe(`${vip}:80 > ${client}:40000 right`);
        expect(world.send('web', there)).toBe('delivered');
        expect(addresses(world.ports.api.last)).toBe(`${client}:40000 > ${backend}:8080 right`);
        expect(world.dp.connections.count).toBe(1);
        world.balance();
      });
    }

    test(`${vip}: superframes both ways, translated once each`, () => {
      const world = serving(vip, backend);
      world.send('web', { destination: vip, destinationPort: 80, flags: SYN });
      world.send('api', { destination: client, sourcePort: 8080, destinationPort: 40_000, flags: SYN_ACK });
      const big = { payload: 5000, gsoSize: 1300 } as const;
      expect(world.send('web', { destination: vip, destinationPort: 80, ...big })).toBe('delivered');
      expect(addresses(world.ports.api.last)).toBe(`${client}:40000 > ${backend}:8080 partial`);
      world.send('api', { destination: client, sourcePort: 8080, destinationPort: 40_000, ...big });
      expect(addresses(world.ports.web.last)).toBe(`${vip}:80 > ${client}:40000 partial`);
      expect(world.ports.web.last.gsoSize).toBe(1300);
      world.balance();
    });
  }
});

describe('pod -> Service -> tunnel', () => {
  test('the tunnel carries the backend; the reply of the other node comes back as the Service', () => {
    const world = serving('10.96.0.1', '10.244.2.7');
    expect(world.send('web', { destination: '10.96.0.1', destinationPort: 80, flags: SYN })).toBe('delivered');
    expect(addresses(world.underlay.last)).toBe('10.244.1.2:40000 > 10.244.2.7:8080 right');
    const reply = { destination: '10.244.1.2', sourcePort: 8080, destinationPort: 40_000, flags: SYN_ACK };
    expect(world.tunnel('n2', reply)).toBe('delivered');
    expect(addresses(world.ports.web.last)).toBe('10.96.0.1:80 > 10.244.1.2:40000 right');
    world.balance();
  });

  test('what comes through a tunnel is not translated again: its own node has done that', () => {
    const world = serving('10.96.0.1', '10.244.1.3');
    expect(world.tunnel('n2', { destination: '10.96.0.1', destinationPort: 80, flags: SYN })).toBe('dropped: NoRoute');
    world.balance();
  });
});

describe('host -> Service', () => {
  test('KP-032, KP-042 translated as for a pod, in the name of the node', () => {
    const world = serving('10.96.0.1', '10.244.1.3');
    expect(world.send('host', { destination: '10.96.0.1', destinationPort: 80, flags: SYN })).toBe('delivered');
    expect(addresses(world.ports.api.last)).toBe('10.244.1.1:40000 > 10.244.1.3:8080 right');
    const reply = { destination: '10.244.1.1', sourcePort: 8080, destinationPort: 40_000, flags: SYN_ACK };
    expect(world.send('api', reply)).toBe('delivered');
    expect(addresses(world.ports.host.last)).toBe('10.96.0.1:80 > 172.18.0.2:40000 right');
    world.balance();
  });
});

describe('hairpin', () => {
  test('KP-040 a pod that is its own backend sees the node as its client, and the Service as its server', () => {
    const world = serving('10.96.0.1', '10.244.1.2');
    expect(world.send('web', { destination: '10.96.0.1', destinationPort: 80, flags: SYN })).toBe('delivered');
    expect(addresses(world.ports.web.last)).toBe('10.244.1.1:40000 > 10.244.1.2:8080 right');
    const reply = { destination: '10.244.1.1', sourcePort: 8080, destinationPort: 40_000, flags: SYN_ACK };
    expect(world.send('web', reply)).toBe('delivered');
    expect(addresses(world.ports.web.last)).toBe('10.96.0.1:80 > 10.244.1.2:40000 right');
    expect(world.dp.connections.count).toBe(1);
    world.balance();
  });

  test('through a tunnel and back to the same node is a loop, named', () => {
    const world = serving('10.96.0.1', '10.244.1.2');
    expect(world.tunnel('n2', { destination: '10.244.3.7', flags: SYN })).toBe('dropped: TunnelLoop');
    world.balance();
  });
});

describe('two Services of one backend, one client port', () => {
  for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
    test(`${protocol}: the second flow's port moves, and each reply comes back as its own Service`, () => {
      const world = serving('10.96.0.1', '10.244.1.3');
      const both = ['10.96.0.1', '10.96.0.2'].flatMap((vip) => frontends(vip, '10.244.1.3'));
      world.dp.services = servicesOf(both, 3);
      world.randomWord = 5000;
      const there = { protocol, destinationPort: 80, flags: SYN } as const;
      world.send('web', { ...there, destination: '10.96.0.1' });
      expect(world.send('web', { ...there, destination: '10.96.0.2' })).toBe('delivered');
      expect(addresses(world.ports.api.last)).toBe('10.244.1.2:6024 > 10.244.1.3:8080 right');
      const back = { protocol, destination: '10.244.1.2', sourcePort: 8080, flags: SYN_ACK } as const;
      world.send('api', { ...back, destinationPort: 6024 });
      expect(addresses(world.ports.web.last)).toBe('10.96.0.2:80 > 10.244.1.2:40000 right');
      world.send('api', { ...back, destinationPort: 40_000 });
      expect(addresses(world.ports.web.last)).toBe('10.96.0.1:80 > 10.244.1.2:40000 right');
      world.balance();
    });
  }

  test('an untranslated flow whose port had to move gets its own port back', () => {
    const world = serving('10.96.0.1', '10.244.1.3');
    world.send('web', { destination: '10.96.0.1', destinationPort: 80, flags: SYN });
    world.randomWord = 5000;
    expect(world.send('web', { flags: SYN, payload: 3000, gsoSize: 1000 })).toBe('delivered');
    expect(addresses(world.ports.api.last)).toBe('10.244.1.2:6024 > 10.244.1.3:8080 partial');
    const back = { destination: '10.244.1.2', sourcePort: 8080, destinationPort: 6024, flags: SYN_ACK };
    expect(world.send('api', back)).toBe('delivered');
    expect(addresses(world.ports.web.last)).toBe('10.244.1.3:8080 > 10.244.1.2:40000 right');
    world.balance();
  });
});

describe('the binding', () => {
  test('CT-063 stays when the Service changes: only new connections see the new backend', () => {
    const world = serving('10.96.0.1', '10.244.1.3');
    const there = { protocol: 'udp', destination: '10.96.0.1', destinationPort: 80 } as const;
    world.send('web', there);
    world.dp.services = serving('10.96.0.1', '10.244.2.7').dp.services;
    world.send('web', there);
    expect(world.ports.api.count).toBe(2);
    world.send('web', { ...there, sourcePort: 40_001 });
    expect(addresses(world.underlay.last)).toBe('10.244.1.2:40001 > 10.244.2.7:8080 right');
    world.balance();
  });

  test('stays when the Service goes away', () => {
    const world = serving('10.96.0.1', '10.244.1.3');
    const there = { protocol: 'udp', destination: '10.96.0.1', destinationPort: 80 } as const;
    world.send('web', there);
    world.dp.services = servicesOf([], 1);
    expect(world.send('web', there)).toBe('delivered');
    expect(world.send('web', { ...there, sourcePort: 40_001 })).toBe('dropped: NoRoute');
    world.balance();
  });
});
