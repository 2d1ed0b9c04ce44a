/** UDP flows whose backend is gone: they begin anew, the others stay. */
import { describe, expect, test } from 'vitest';
import * as receive from '../../src/dataplane/receive.ts';
import type { EndpointSpec, FrontendKind } from '../../src/service/service-spec.ts';
import { tablesOf } from '../support/services.ts';
import { World } from './world.ts';

const here = { address: '10.244.1.3', port: 8080 };
const there = { address: '10.244.2.7', port: 8080 };
const draining = { ready: false, serving: true, terminating: true };

interface Options {
  readonly kind?: FrontendKind;
  readonly internalLocal?: boolean;
}

function serve(world: World, endpoints: readonly EndpointSpec[], { kind, internalLocal }: Options = {}): void {
  const frontends = [{ address: '10.96.0.1', port: 80, ...(kind === undefined ? {} : { kind }) }];
  const ports = (['TCP', 'UDP', 'SCTP'] as const).map((protocol) => ({ protocol, frontends, endpoints }));
  const policy = internalLocal === true ? { internalLocal } : {};
  world.dp.setServices(tablesOf([{ key: 'default/dns', ports, ...policy }]));
}

function send(world: World, protocol: 'tcp' | 'udp' | 'sctp' = 'udp', sourcePort = 40_000): string {
  return world.send('web', { protocol, sourcePort, destination: '10.96.0.1', destinationPort: 80, flags: 2 });
}

/** A flow to `first`, then another list of endpoints, and what is left after the search. */
function flowsAfter(
  then: readonly EndpointSpec[],
  protocol: 'tcp' | 'udp' | 'sctp' = 'udp',
  options: Options = {},
): number {
  const world = new World();
  serve(world, [here], options);
  expect(send(world, protocol)).toBe('delivered');
  serve(world, then, options);
  receive.expire(world.dp, world.nowMs, 1000);
  return world.dp.connections.count;
}

describe('an endpoint that goes away', () => {
  for (const kind of ['cluster', 'external', 'loadBalancer', 'nodePort'] as const) {
    test(`KP-090, KP-094 takes its UDP flows along (${kind}), and the next packet from the same port has another`, () => {
      const world = new World();
      serve(world, [here], { kind });
      send(world);
      serve(world, [there], { kind });
      receive.expire(world.dp, world.nowMs, 1000);
      expect(world.dp.connections.count).toBe(0);
      send(world);
      expect(world.underlay.last.frame).toMatchObject({ destination: '10.244.2.7', destinationPort: 8080 });
      world.balance();
    });
  }

  test('KP-092 leaves flows of other protocols alone', () => {
    expect(flowsAfter([there], 'tcp')).toBe(1);
    expect(flowsAfter([there], 'sctp')).toBe(1);
  });

  test('KP-093 was the last: its flows stay', () => {
    expect(flowsAfter([])).toBe(1);
    expect(flowsAfter([{ ...there, ready: false }])).toBe(1);
  });

  test('KP-090 still serves while it ends: its flows stay, whatever else is ready', () => {
    expect(flowsAfter([{ ...here, ...draining }, there])).toBe(1);
    expect(flowsAfter([{ ...here, ...draining, serving: false }, there])).toBe(0);
    expect(flowsAfter([{ ...here, ready: false, serving: true }, there])).toBe(1);
  });

  test('KP-090 is not local any more, or has another port: its flows stay, for its address serves', () => {
    expect(
      flowsAfter([
        { ...here, local: false },
        { ...there, local: true },
      ]),
    ).toBe(1);
    expect(flowsAfter([{ ...here, port: 9090 }])).toBe(1);
  });

  test('KP-090 takes nothing along when the whole Service goes', () => {
    const world = new World();
    serve(world, [here]);
    send(world);
    world.dp.setServices(tablesOf([]));
    receive.expire(world.dp, world.nowMs, 1000);
    expect(world.dp.connections.count).toBe(1);
  });
});

test('flows that have nothing to do with the Service stay', () => {
  const world = new World();
  serve(world, [here]);
  world.send('web', { protocol: 'udp', destination: '10.244.1.3', destinationPort: 80 });
  world.send('web', { protocol: 'udp', destination: '10.244.2.7', destinationPort: 8080 });
  serve(world, [there]);
  receive.expire(world.dp, world.nowMs, 1000);
  expect(world.dp.connections.count).toBe(2);
});

test('the search looks at so many at a time, goes on, and begins anew with a newer change', () => {
  const world = new World();
  serve(world, [here]);
  for (let port = 1; port <= 100; port++) send(world, 'udp', port);
  serve(world, [there]);
  receive.expire(world.dp, world.nowMs, 30);
  expect(world.dp.connections.count).toBe(70);
  expect(world.dp.staleFlows.pending).toBe(true);
  for (let port = 1; port <= 30; port++) send(world, 'udp', port); // to `there`
  serve(world, [here]);
  while (world.dp.staleFlows.pending) receive.expire(world.dp, world.nowMs, 30);
  expect(world.dp.connections.count).toBe(70);
  receive.expire(world.dp, world.nowMs, 30);
  expect(world.dp.connections.count).toBe(70);
});
