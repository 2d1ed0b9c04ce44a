/** What became of a packet, in words: exact for the usual cases, sensible for all. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { hopName, stageOf, verdictOf, verdictWords, wayName } from '../../src/capture/verdict-words.ts';
import { Consumed, consumeReasons, Drop, dropReasons, Place } from '../../src/packet/outcome.ts';
import { Way, way } from '../../src/packet/way.ts';
import { Direction } from '../../src/policy/policies.ts';
import { connectionWord, RELATED_CONNECTION, SightingBit } from '../../src/recording/sighting.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { API, HOST, judged, N2, N3, scene, sightingOf, UNDERLAY, WEB } from './sightings.ts';

const { Outgoing, Originated, Translated } = SightingBit;
const [TCP, UDP, SCTP] = [6, 17, 132];
const [SEEN_REPLY, ASSURED] = [1, 2];
const words = (fields: Parameters<typeof sightingOf>[0]) => verdictWords(scene, sightingOf(fields));

describe('exact words of', () => {
  const established = connectionWord(3, SEEN_REPLY | ASSURED, 0, TCP, false);
  const { means, look } = dropReasons[-1 - Drop.NoSuchPod]!;
  const cases: [string, Parameters<typeof sightingOf>[0], string][] = [
    [
      'a known flow into a tunnel',
      { outcome: Place.Delivered, egress: N2, connection: established },
      'n1: from pod/shop/web | forwarded to n2 | conntrack ESTABLISHED, tcp ESTABLISHED, original',
    ],
    [
      'a SYN',
      { outcome: Place.Delivered, egress: API, connection: connectionWord(1, 0, 0, TCP, true) },
      'n1: from pod/shop/web | forwarded to pod/shop/api | conntrack NEW, tcp SYN_SENT, original',
    ],
    [
      'a reply',
      { hop: API, ingress: API, outcome: Place.Delivered, egress: WEB, connection: connectionWord(2, 1, 1, TCP, true) },
      'n1: from pod/shop/api | forwarded to pod/shop/web | conntrack ESTABLISHED, tcp SYN_RECV, reply',
    ],
    [
      'a packet that leaves',
      { hop: API, bits: Outgoing, egress: API, outcome: 0, connection: connectionWord(1, SEEN_REPLY, 0, UDP, false) },
      'n1: to pod/shop/api, from pod/shop/web | sent | conntrack ESTABLISHED, original',
    ],
    [
      'a packet that leaves by a tunnel',
      {
        hop: N3,
        bits: Outgoing,
        ingress: HOST,
        egress: N3,
        outcome: 0,
        connection: connectionWord(2, 0, 0, SCTP, true),
      },
      'n1: to n3, from node/n1:host | sent | conntrack NEW, sctp COOKIE_WAIT, original',
    ],
    [
      'a drop behind a tunnel',
      { hop: N2, ingress: N2, outcome: Drop.NoSuchPod },
      `n1: from n2 | DROPPED at route: NoSuchPod | ${means} | look: ${look}`,
    ],
    [
      'an invalid packet',
      { outcome: Drop.Invalid, connection: 0 },
      'n1: from pod/shop/web | DROPPED at knownFlow: Invalid | Connection tracking calls the packet INVALID: no flow, ' +
        'and it may not begin one. | look: TCP flags that never occur together, a reply without a request. | conntrack INVALID',
    ],
    [
      'an answered ARP request',
      { outcome: Consumed.ArpAnswered },
      'n1: from pod/shop/web | ArpAnswered: ARP request for the next hop; the reply left on the same port.',
    ],
    [
      'the answer',
      { bits: Outgoing | Originated, ingress: 0, egress: WEB, outcome: 0 },
      'n1: to pod/shop/web, begins here | sent',
    ],
    ['a fragment', { outcome: Place.Held }, 'n1: from pod/shop/web | held: waits for the rest of its datagram'],
    [
      'a packet on a link, where it came in',
      { outcome: Place.Held, egress: N3, connection: established },
      'n1: from pod/shop/web | held: waits on the link to n3 | conntrack ESTABLISHED, tcp ESTABLISHED, original',
    ],
    [
      'the same where it leaves',
      { hop: N3, bits: Outgoing, outcome: Place.Held, egress: N3 },
      'n1: to n3, from pod/shop/web | held: waits on the link to n3',
    ],
    [
      'an error about a flow',
      { outcome: Place.Delivered, egress: API, connection: RELATED_CONNECTION },
      'n1: from pod/shop/web | forwarded to pod/shop/api | conntrack RELATED',
    ],
    [
      'a stranger’s datagram',
      { hop: UNDERLAY, ingress: UNDERLAY, outcome: Drop.UnknownEndpoint },
      'n1: from node/n1:underlay | DROPPED at knownEndpoint: UnknownEndpoint | An encapsulated packet from an address ' +
        'that is no node of this cluster. | look: Who sends to UDP port 4789 of this node.',
    ],
  ];
  for (const [name, fields, text] of cases) test(name, () => expect(words(fields)).toBe(text));

  test('translation, for both families and for ICMP', () => {
    const key = (from: string, to: string, ports: number, protocol: number) => [
      ...parseAddress(from)!,
      ...parseAddress(to)!,
      ports | 0,
      ((from.includes(':') ? 6 : 4) << 8) | protocol,
    ];
    const nat = (...keys: number[][]) =>
      words({ bits: Translated, outcome: Place.Delivered, egress: N2, keys: Int32Array.from(keys.flat()) })
        .split(' | ')
        .at(-1);
    expect(
      nat(
        key('10.244.0.2', '10.96.0.1', (40_000 << 16) | 80, TCP),
        key('10.244.0.2', '10.244.1.3', (40_000 << 16) | 8080, TCP),
      ),
    ).toBe('NAT 10.244.0.2:40000 → 10.96.0.1:80 becomes 10.244.0.2:40000 → 10.244.1.3:8080');
    expect(nat(key('fd00::1', 'fd00::2', (65_535 << 16) | 1, UDP), key('fd00::1', 'fd00::3', 2, UDP))).toBe(
      'NAT [fd00::1]:65535 → [fd00::2]:1 becomes [fd00::1]:0 → [fd00::3]:2',
    );
    expect(nat(key('10.0.0.1', '10.0.0.2', (50_000 << 16) | 0x800, 1), key('10.0.0.1', '10.0.0.3', 7 << 16, 1))).toBe(
      'NAT 10.0.0.1 → 10.0.0.2 id 50000 becomes 10.0.0.1 → 10.0.0.3 id 7',
    );
    expect(words({ outcome: Place.Delivered, egress: N2, keys: new Int32Array(20) })).not.toContain('NAT');
  });
});

test('a reply is never NEW, and what waits on a link says so where it leaves', () => {
  const reply = connectionWord(1, 0, 1, UDP, true);
  expect(words({ outcome: Place.Delivered, egress: API, connection: reply })).toContain('conntrack ESTABLISHED, reply');
  expect(words({ outcome: Place.Held, bits: Outgoing, hop: N2 })).toContain('held: waits on the link');
});

test('places without a name are told by number', () => {
  expect(wayName(scene, way(Way.Pod, 9))).toBe('n1 port 9');
  expect(wayName(scene, way(Way.Tunnel, 7))).toBe('endpoint 7');
  expect([WEB, HOST, UNDERLAY, N2, N3].map((hop) => hopName(scene, hop))).toEqual([
    ...['pod/shop/web', 'node/n1:host', 'node/n1:underlay', 'node/n1:underlay', 'node/n1:underlay'],
  ]);
});

/** Stages of a section of PACKET-LIFE.md, from its table. */
function stages(title: string): string[] {
  const text = readFileSync(new URL('../../docs/PACKET-LIFE.md', import.meta.url), 'utf8');
  const section = text.split('\n## ').find((part) => part.startsWith(title))!;
  return [...section.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name!);
}

describe('every reason', () => {
  const end = stages('The end of every story');
  const stories = [
    ['pod', WEB, [...stages('From a pod'), ...end]],
    ['host', HOST, [...stages('From the host'), ...end]],
    ['tunnel', N2, [...stages('From the underlay'), ...end]],
  ] as const;
  /** What cannot happen to what comes in there. */
  const impossible: Readonly<Record<string, readonly string[]>> = {
    pod: ['knownEndpoint', 'vxlanDecapsulate', 'innerMacIsOurs', 'ecnDecapsulate', 'onlyIp'],
    host: ['knownEndpoint', 'vxlanDecapsulate', 'innerMacIsOurs', 'ecnDecapsulate', 'onlyIp'],
    tunnel: ['sourceMac', 'knownEndpoint', 'serviceDnat'],
  };

  test('the documents have stages', () => {
    for (const [, , list] of stories) expect(list.length).toBeGreaterThan(14);
  });

  for (const [i, { name, stage, means, look }] of dropReasons.entries()) {
    test(`${name} is dropped at a stage of its story, and says what to look at`, () => {
      for (const [from, ingress, list] of stories) {
        const sighting = sightingOf({ hop: ingress, ingress, egress: WEB, outcome: -1 - i });
        const text = verdictWords(scene, sighting);
        expect(text).toContain(` | DROPPED at ${stageOf(sighting)}: ${name} | ${means} | look: ${look}`);
        expect(text).not.toMatch(/undefined|\n|NaN/);
        if (!impossible[from]!.includes(stage)) expect(list, from).toContain(stageOf(sighting));
        const left = sightingOf({ hop: API, bits: Outgoing, ingress, egress: API, outcome: -1 - i });
        expect(verdictWords(scene, left)).toContain(name);
      }
      expect(verdictOf(-1 - i)).toBe('DROPPED');
    });
  }

  for (const [i, { name, means }] of consumeReasons.entries()) {
    test(`${name} is told`, () => {
      const outcome = Consumed.ArpAnswered + i;
      expect(words({ outcome })).toBe(`n1: from pod/shop/web | ${name}: ${means}`);
      expect(verdictOf(outcome)).toBe('FORWARDED');
    });
  }

  test('the stories’ own names', () => {
    const at = (ingress: number, outcome: number, egress = WEB) =>
      stageOf(sightingOf({ hop: ingress, ingress, outcome, egress }));
    expect([WEB, HOST, N2].map((from) => at(from, Drop.SpoofedSource))).toEqual([
      'antiSpoof',
      'sourceOfHost',
      'sourceBehindTunnel',
    ]);
    expect([WEB, HOST, N2].map((from) => at(from, Drop.BadIpHeader))).toEqual([
      'validate',
      'validate',
      'validateInner',
    ]);
    expect([WEB, HOST, N2].map((from) => at(from, Drop.Multicast))).toEqual(['neighbour', 'neighbour', 'linkScope']);
    expect([WEB, HOST, N2].map((from) => at(from, Drop.NoRoute))).toEqual(['route', 'route', 'route']);
    expect([Direction.Egress, Direction.Ingress].map((direction) => stageOf(judged({ direction })))).toEqual([
      'egressPolicy',
      'ingressPolicy',
    ]);
  });
});
