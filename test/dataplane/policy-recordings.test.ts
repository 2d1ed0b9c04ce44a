/** What recordings keep of a denial: the key that was judged, the direction, the revision of the policies. */
import { describe, expect, test } from 'vitest';
import type { Capture } from '../../src/dataplane/capture.ts';
import { protocolWord } from '../../src/packet/flow-key.ts';
import { Direction } from '../../src/policy/policies.ts';
import { SightingBit } from '../../src/recording/sighting.ts';
import { rules } from '../policy/rules.ts';
import { buildFrame } from '../support/frames.ts';
import { tablesOf } from '../support/services.ts';
import { CapturedWorld, type Seen } from './captured-world.ts';
import { World, words } from './world.ts';

const SYN = 2;
const ids = { '10.244.1.2/32': 1, '10.244.1.3/32': 2, '10.244.2.7/32': 3, 'fd00:10:244:1::2/128': 1 };
const denyWeb = rules(ids, { index: 0, egress: {} });
const denyApi = rules(ids, { index: 1, ingress: {} });
const TCP = protocolWord(4, 6);

/** A judged key: words as `flow-key.ts` has them. */
function judged(source: string, sourcePort: number, destination: string, port: number, protocol = TCP): number[] {
  return [...words(source), ...words(destination), (sourcePort << 16) | port, protocol];
}

/** What a sighting tells of a judgement: `direction`, `revision`, then the key. */
function judgementOf({ sighting }: Seen): readonly (number | readonly number[])[] | undefined {
  if (!sighting.is(SightingBit.Judged)) return undefined;
  expect(sighting.is(SightingBit.Translated)).toBe(false);
  return [sighting.judgedDirection, sighting.judgedRevision, [...sighting.keys.slice(0, 10)]];
}

/** A captured world; `recall` tells again what its flight recorder knows. */
function captured(world = new World()) {
  const one = new CapturedWorld(world);
  const tap = one.tap();
  const recall = () => {
    const again = one.create();
    const { capture }: { capture: Capture } = again;
    one.captures.recall(capture, 60_000, world.nowMs);
    return again.seen();
  };
  return { world, tap, recall, live: () => tap.seen() };
}

describe('a new flow that is denied', () => {
  test('egress and ingress, each with its direction; live and recalled alike', () => {
    const { world, live, recall } = captured();
    world.enforce(denyWeb);
    world.send('web', { flags: SYN, destinationPort: 80 });
    world.enforce(denyApi);
    world.send('web', { flags: SYN, destinationPort: 81 });
    world.tunnel('n2', { destination: '10.244.1.3', flags: SYN, sourcePort: 7 });
    const expected = [
      [Direction.Egress, 1, judged('10.244.1.2', 40_000, '10.244.1.3', 80)],
      [Direction.Ingress, 2, judged('10.244.1.2', 40_000, '10.244.1.3', 81)],
      [Direction.Ingress, 2, judged('10.244.2.7', 7, '10.244.1.3', 8080)],
    ];
    expect(live().map(judgementOf)).toEqual(expected);
    expect(recall().map(judgementOf)).toEqual(expected);
  });

  test('IPv6', () => {
    const { world, live } = captured();
    world.enforce(denyApi);
    world.send('web', { destination: 'fd00:10:244:1::3', flags: SYN });
    const key = judged('fd00:10:244:1::2', 40_000, 'fd00:10:244:1::3', 8080, protocolWord(6, 6));
    expect(judgementOf(live()[0]!)).toEqual([Direction.Ingress, 1, key]);
  });

  test('through a Service: the backend is told, and the client that it was before masquerading', () => {
    const { world, live } = captured();
    const frontends = [{ address: '10.96.0.1', port: 80, kind: 'external' as const }];
    const endpoints = [{ address: '10.244.1.3', port: 8080 }];
    world.dp.setServices(tablesOf([{ key: 'shop/api', ports: [{ protocol: 'TCP', frontends, endpoints }] }]));
    world.enforce(denyApi);
    world.send('web', { destination: '10.96.0.1', destinationPort: 80, flags: SYN });
    expect(judgementOf(live()[0]!)).toEqual([Direction.Ingress, 1, judged('10.244.1.2', 40_000, '10.244.1.3', 8080)]);
  });

  test('what is dropped for another reason, or delivered, tells nothing of the denial before it', () => {
    const { world, live, recall } = captured();
    world.enforce(denyApi);
    world.send('web', { flags: SYN });
    world.send('web', { destination: '8.8.8.8', flags: SYN });
    world.send('web', { destination: '10.244.2.7', flags: SYN });
    const told = (all: readonly Seen[]) =>
      all.filter((seen) => judgementOf(seen) !== undefined).map(({ number }) => number);
    expect(told(live())).toEqual([1]);
    expect(recall().map((seen) => judgementOf(seen) !== undefined)).toEqual([true, false, false]);
  });
});

describe('a known flow that is denied', () => {
  const reply = { destination: '10.244.1.2', sourcePort: 8080, destinationPort: 40_000 };

  test('replies tell the key of the original direction', () => {
    const { world, live, recall } = captured();
    world.send('web', { flags: SYN });
    world.send('api', { ...reply, flags: 0x12 });
    live();
    world.enforce(denyApi);
    world.send('web', {});
    world.send('api', reply);
    const key = judged('10.244.1.2', 40_000, '10.244.1.3', 8080);
    expect(live().map(judgementOf)).toEqual([
      [Direction.Ingress, 1, key],
      [Direction.Ingress, 1, key],
    ]);
    expect(recall().slice(-2).map(judgementOf)).toEqual([
      [Direction.Ingress, 1, key],
      [Direction.Ingress, 1, key],
    ]);
  });

  test('an ICMP error about it too', () => {
    const { world, live } = captured();
    world.send('web', { flags: SYN });
    live();
    world.enforce(denyApi);
    const payload = buildFrame({ source: '10.244.1.2', destination: '10.244.1.3', flags: SYN }).slice(14);
    world.send('api', {
      protocol: 'icmp',
      icmpType: 3,
      destination: '10.244.1.2',
      identifier: 0,
      icmpSequence: 0,
      payload,
    });
    expect(live().map(judgementOf)).toEqual([[Direction.Ingress, 1, judged('10.244.1.2', 40_000, '10.244.1.3', 8080)]]);
  });

  test('of a translated and masqueraded one: its own client, its backend', () => {
    const { world, live } = captured();
    const frontends = [{ address: '10.96.0.1', port: 80, kind: 'external' as const }];
    const endpoints = [{ address: '10.244.1.3', port: 8080 }];
    world.dp.setServices(tablesOf([{ key: 'shop/api', ports: [{ protocol: 'TCP', frontends, endpoints }] }]));
    world.send('web', { destination: '10.96.0.1', destinationPort: 80, flags: SYN });
    live();
    world.enforce(denyApi);
    world.send('web', { destination: '10.96.0.1', destinationPort: 80, flags: SYN });
    world.send('api', { destination: '10.244.1.1', sourcePort: 8080, destinationPort: 40_000, flags: 0x12 });
    const key = judged('10.244.1.2', 40_000, '10.244.1.3', 8080);
    expect(live().map(judgementOf)).toEqual([
      [Direction.Ingress, 1, key],
      [Direction.Ingress, 1, key],
    ]);
  });

  test('of an ICMP query: identifier, type and code stand for ports', () => {
    const { world, live } = captured();
    const query = { protocol: 'icmp', icmpType: 8, identifier: 7 } as const;
    world.send('web', query);
    live();
    world.enforce(denyApi);
    world.send('web', query);
    const key = [...words('10.244.1.2'), ...words('10.244.1.3'), (7 << 16) | (8 << 8), protocolWord(4, 1)];
    expect(live().map(judgementOf)).toEqual([[Direction.Ingress, 1, key]]);
  });

  test('the revision is that of the policies that denied it', () => {
    const { world, live } = captured();
    world.send('web', { flags: SYN });
    live();
    world.enforce(denyApi);
    world.enforce({ ...denyApi, revision: 77 });
    world.send('web', { flags: SYN });
    expect(live().map((seen) => seen.sighting.judgedRevision)).toEqual([77]);
  });
});
