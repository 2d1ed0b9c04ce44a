/** Which packets are of the conversation, and which of its attempts is told: over made-up sightings. */
import { describe, expect, test } from 'vitest';
import { Drop, Place as Outcome, outcomeReason } from '../../src/packet/outcome.ts';
import { type Beginning, follow } from '../../src/trace/follow.ts';
import { judgeStory } from '../../src/trace/judge.ts';
import { Names } from '../../src/trace/names.ts';
import type { Place, Seen } from '../../src/trace/seen.ts';
import { tellStory } from '../../src/trace/story.ts';
import {
  endText,
  hasPorts,
  inverse,
  keyTuple,
  protocolName,
  type Tuple,
  tupleKey,
  tupleText,
} from '../../src/trace/tuple.ts';
import { isDecided, verdictOf } from '../../src/trace/verdict.ts';

const syn: Tuple = {
  protocol: 6,
  source: '10.0.0.1',
  sourcePort: 40_000,
  destination: '10.96.0.1',
  destinationPort: 80,
};
const dnat: Tuple = { ...syn, destination: '10.0.1.2', destinationPort: 8080 };
const snat: Tuple = { ...dnat, source: '10.0.0.254', sourcePort: 50_000 };
const a: Place = { kind: 'pod', name: 'pod/x/a' };
const b: Place = { kind: 'pod', name: 'pod/x/b' };
const n1: Place = { kind: 'tunnel', name: 'n1' };
const n2: Place = { kind: 'tunnel', name: 'n2' };
const none: Place = { kind: 'none', name: '' };
const place = { node: 'n1', from: 'pod', source: '10.0.0.1' } as const;
const beginning: Beginning = { ...place, protocol: 6, destination: '10.96.0.1', destinationPort: 80 };

let clockNs = 0;
let number = 0;

function tick(): number {
  clockNs += 1000;
  return clockNs;
}

/** A packet that comes into n1 from a. */
function seen(tuple: Tuple, more: Partial<Seen> = {}): Seen {
  const { outcome = Outcome.Delivered } = more;
  return {
    ...{ node: 'n1', hop: 'pod/x/a', timeNs: tick(), number: ++number, outgoing: false, originated: false },
    ...{ ingress: a, egress: n2, tuple, quoted: undefined, words: 'SYN' },
    ...{ translated: undefined, judgement: undefined, outcome },
    reason: outcomeReason(outcome),
    stage: outcome < 0 ? 'output' : undefined,
    ...more,
  };
}

const atN2 = { node: 'n2', hop: 'node/n2:underlay', ingress: n1, egress: b };
const fromB = { node: 'n2', hop: 'pod/x/b', ingress: b, egress: n1, words: 'SYN, ACK' };
const backAtN1 = { hop: 'node/n1:underlay', ingress: n2, egress: a, words: 'SYN, ACK' };
const translated = { before: syn, after: snat };

describe('a tuple', () => {
  test('as text', () => {
    expect(tupleText(syn)).toBe('10.0.0.1:40000 → 10.96.0.1:80');
    expect(endText({ ...syn, source: 'fd00::1' }, 'source')).toBe('[fd00::1]:40000');
    expect(tupleText({ ...syn, protocol: 1 })).toBe('10.0.0.1 → 10.96.0.1');
    expect([6, 17, 132, 1, 58, 47].map((protocol) => protocolName({ protocol }))).toEqual([
      ...['TCP', 'UDP', 'SCTP', 'ICMP', 'ICMP'],
      'protocol 47',
    ]);
    expect([6, 17, 132, 1, 58, 47].map((protocol) => hasPorts({ protocol }))).toEqual([
      ...[true, true, true],
      ...[false, false, false],
    ]);
  });

  test('of a flow key: ports, or the identifier of an ICMP query at both ends', () => {
    const words = (ports: number, protocol: number) =>
      Int32Array.of(7, 0, 0, 0xffff, 0x0a000001, 0, 0, 0xffff, 0x0a000102, ports, (4 << 8) | protocol);
    expect(keyTuple(words((40_000 << 16) | 8080, 6), 1)).toEqual({ ...dnat, protocol: 6 });
    expect(keyTuple(words((40_000 << 16) | (8 << 8), 1), 1)).toEqual({
      ...dnat,
      ...{ protocol: 1, destinationPort: 40_000 },
    });
  });

  test('its inverse swaps both ends', () => {
    expect(inverse(syn)).toEqual({
      ...{ protocol: 6, source: '10.96.0.1', sourcePort: 80 },
      ...{ destination: '10.0.0.1', destinationPort: 40_000 },
    });
    expect(new Set([syn, inverse(syn), dnat, snat, { ...syn, protocol: 17 }].map(tupleKey)).size).toBe(5);
  });
});

describe('following', () => {
  test('through NAT both ways', () => {
    const packets = [
      seen(syn, { translated }),
      seen(snat, atN2),
      seen(inverse(snat), fromB),
      seen(inverse(snat), { ...backAtN1, translated: { before: inverse(snat), after: inverse(syn) } }),
      seen(inverse(syn), { outgoing: true, egress: a, ingress: n2 }),
    ];
    expect(follow(packets, beginning).map(({ direction }) => direction)).toEqual([
      ...['forward', 'forward'],
      ...['reply', 'reply', 'reply'],
    ]);
  });

  test('an ICMP error goes back to who sent what it quotes', () => {
    const error: Tuple = {
      protocol: 1,
      source: '10.0.1.1',
      sourcePort: 0,
      destination: '10.0.0.254',
      destinationPort: 0,
    };
    const packets = [
      seen(syn, { translated }),
      seen(error, { ...atN2, outgoing: true, originated: true, quoted: snat }),
      seen(error, { ...backAtN1, quoted: inverse(snat) }),
      seen(error, { ...backAtN1, quoted: { ...snat, sourcePort: 1 } }),
    ];
    expect(follow(packets, beginning).map(({ direction }) => direction)).toEqual(['forward', 'reply', 'forward']);
  });

  test('others are left out; it begins where a pod or a host sends', () => {
    const other = { ...syn, sourcePort: 40_001 };
    const packets = [
      seen(inverse(syn), backAtN1),
      seen(syn, { outgoing: true }),
      seen(syn, atN2),
      seen({ ...syn, destinationPort: 81 }),
      seen({ ...syn, protocol: 17 }),
      seen(syn, { quoted: syn }),
      seen(syn),
      seen(other),
    ];
    expect(follow(packets, beginning)).toEqual([{ ...packets[6], direction: 'forward' }]);
    expect(follow(packets, { ...beginning, sourcePort: 40_001 })).toEqual([{ ...packets[7], direction: 'forward' }]);
  });

  test('a node asks from any address that it has; a pod there does not', () => {
    const own = { ...syn, source: '172.18.0.2' };
    const host = { kind: 'host', name: 'node/n1:host' } as const;
    const { source: _, from: __, ...same } = { ...beginning, from: 'pod', source: '' };
    const ofHost: Beginning = { ...same, from: 'host', sourcePort: 40_000 };
    const packets = [
      seen(syn),
      seen(own, { ingress: { ...host, name: 'node/n2:host' }, node: 'n2' }),
      seen({ ...own, sourcePort: 40_001 }, { ingress: host }),
      seen(own, { ingress: host }),
    ];
    expect(follow(packets, ofHost)).toEqual([{ ...packets[3], direction: 'forward' }]);
    expect(follow([seen(syn, { ingress: host })], beginning)).toEqual([]);
  });

  test('strangers who ask the same at the same time, and are denied, have no part in the story', () => {
    const denied = { outcome: Drop.PolicyDenied, stage: 'egressPolicy' };
    const strangers = () => [
      seen({ ...syn, source: '10.0.0.9' }, { ...denied, ingress: b }), // another pod of the node, by the same port
      seen({ ...syn, sourcePort: 40_001 }, denied), // the same pod, by another port
      seen(syn, { ...denied, node: 'n3', ingress: { kind: 'host', name: 'node/n3:host' } }),
    ];
    const own = [seen(syn), seen(syn, atN2), seen(inverse(syn), fromB)];
    const packets = [...strangers(), own[0]!, ...strangers(), own[1]!, own[2]!, ...strangers()];
    const exact: Beginning = { ...beginning, sourcePort: 40_000 };
    expect(isDecided(tellStory(follow(strangers(), exact)))).toBe(false);
    expect(tellStory(follow(packets, exact))).toEqual(tellStory(follow(own, exact)));
    const ping = { ...syn, protocol: 1, sourcePort: 7, destinationPort: 7 };
    const { destinationPort: _, ...anyPort } = { ...exact, protocol: 1, sourcePort: 7 };
    const other = seen({ ...ping, sourcePort: 8, destinationPort: 8 }, denied);
    expect(follow([other, seen(ping)], anyPort).map(({ tuple }) => tuple.sourcePort)).toEqual([7]);
  });
});

describe('what is sent again', () => {
  const lost = { outcome: Drop.LinkLoss };
  const lines = (packets: readonly Seen[]) =>
    tellStory(follow(packets, beginning)).hops.map(({ direction, node, kind }) => `${direction} ${node} ${kind}`);

  test('the attempt that was answered is told', () => {
    const packets = [
      seen(syn, lost),
      seen(syn),
      seen(syn, atN2),
      seen(inverse(syn), fromB),
      seen(inverse(syn), backAtN1),
      seen(inverse(syn), { ...backAtN1, outgoing: true, number }),
      seen(syn, { words: 'ACK' }),
      seen(syn, lost),
    ];
    expect(lines(packets)).toEqual([
      ...['forward n1 received', 'forward n1 forwarded', 'forward n2 received', 'forward n2 delivered'],
      ...['reply n2 received', 'reply n2 forwarded', 'reply n1 received', 'reply n1 delivered'],
    ]);
  });

  test('so is the answer that came back', () => {
    const packets = [
      seen(syn),
      seen(syn, atN2),
      seen(inverse(syn), { ...fromB, ...lost }),
      seen(inverse(syn), fromB),
      seen(inverse(syn), backAtN1),
      seen(inverse(syn), { ...backAtN1, hop: 'pod/x/a', outgoing: true, number }),
      seen(inverse(syn), { ...fromB, ...lost }),
    ];
    expect(lines(packets).slice(4)).toEqual([
      ...['reply n2 received', 'reply n2 forwarded', 'reply n1 received', 'reply n1 delivered'],
    ]);
  });

  test('what left and never arrived, or found its pod busy, did not come back', () => {
    const there = [seen(syn), seen(syn, atN2)];
    const vanished = [
      seen(inverse(syn), fromB),
      seen(inverse(syn), { ...fromB, hop: 'node/n2:underlay', outgoing: true }),
    ];
    const busy = [
      seen(inverse(syn), fromB),
      seen(inverse(syn), { ...backAtN1, outcome: Drop.PortBusy }),
      seen(inverse(syn), { ...backAtN1, hop: 'pod/x/a', outgoing: true, number, outcome: Drop.PortBusy }),
    ];
    const back = [
      seen(inverse(syn), fromB),
      seen(inverse(syn), backAtN1),
      seen(inverse(syn), { ...backAtN1, hop: 'pod/x/a', outgoing: true, number }),
    ];
    const { hops } = tellStory(follow([...there, ...vanished, ...busy, ...back], beginning));
    expect(hops.some(({ kind }) => kind === 'dropped')).toBe(false);
    expect(hops.find(({ direction }) => direction === 'reply')!.timeNs).toBe(back[0]!.timeNs);
  });

  test('without an answer, the one that came furthest; of equals the first', () => {
    const nothing = [seen(syn, lost), seen(syn, lost)];
    expect(tellStory(follow(nothing, beginning)).hops[0]!.timeNs).toBe(nothing[0]!.timeNs);
    expect(lines([seen(syn), seen(syn, lost)])).toEqual(['forward n1 received', 'forward n1 dropped']);
    const halfway = [seen(syn, lost), seen(syn), seen(syn, { ...atN2, egress: n1, ...lost }), seen(syn, lost)];
    expect(lines(halfway)).toEqual([
      ...['forward n1 received', 'forward n1 forwarded', 'forward n2 received', 'forward n2 dropped'],
    ]);
    const noAnswer = [seen(syn), seen(syn, atN2), seen(inverse(syn), { ...fromB, ...lost }), seen(inverse(syn), fromB)];
    expect(lines(noAnswer).slice(4)).toEqual(['reply n2 received', 'reply n2 dropped']);
  });

  test('a drop for good, or an arrival, goes before what a link has lost', () => {
    const denied = { outcome: Drop.PolicyDenied, stage: 'egressPolicy' };
    for (const packets of [
      [seen(syn, lost), seen(syn, denied)],
      [seen(syn), seen(syn, { ...atN2, ...lost }), seen(syn, denied)],
    ]) {
      expect(lines(packets)).toEqual(['forward n1 received', 'forward n1 dropped']);
      const story = tellStory(follow(packets, beginning));
      expect(isDecided(story)).toBe(true);
      const silence = { outcome: 'no-answer', detail: '' } as const;
      expect(verdictOf(silence, story, 'TCP')).toEqual({ outcome: 'dropped', reason: 'PolicyDenied' });
    }
    const arrived = ['forward n1 received', 'forward n1 forwarded', 'forward n2 received', 'forward n2 delivered'];
    const sent = (packets: () => Seen[]) => [seen(syn, lost), ...packets(), seen(syn, lost)];
    expect(lines(sent(() => [seen(syn), seen(syn, atN2)]))).toEqual(arrived);
    const outside: Place = { kind: 'outside', name: '' };
    expect(lines(sent(() => [seen(syn, { egress: outside })]))).toEqual([
      'forward n1 received',
      'forward n1 forwarded',
    ]);
    const busy = { ...atN2, outgoing: true, outcome: Drop.PortBusy };
    expect(lines([seen(syn), seen(syn, atN2), seen(syn, busy), seen(syn), seen(syn, atN2)])).toEqual(arrived);
    const held = seen(syn, { outcome: Outcome.Held, egress: b });
    expect(lines([held, ...sent(() => [seen(syn), seen(syn, atN2)])])).toEqual(arrived);
    expect(lines([seen(syn, lost), seen(syn, { outcome: 16 })])).toEqual([
      'forward n1 received',
      'forward n1 consumed',
    ]);
  });

  test('each thing happens once; what a wire does not take is dropped once', () => {
    const first = seen(syn);
    const doubled = seen(syn, atN2);
    expect(lines([first, doubled, { ...doubled, timeNs: tick() }])).toHaveLength(4);
    const dropped = seen(syn, lost);
    const wire = { ...dropped, outgoing: true, timeNs: tick(), hop: 'node/n1:underlay' };
    expect(lines([dropped, wire])).toEqual(['forward n1 received', 'forward n1 dropped']);
    const held = seen(syn, { outcome: Outcome.Held });
    const late = { ...wire, number: held.number, timeNs: tick() };
    expect(lines([held, late])).toEqual(['forward n1 received', 'forward n1 held', 'forward n1 dropped']);
    const consumed = seen(syn, { outcome: 16 });
    expect(lines([consumed])).toEqual(['forward n1 received', 'forward n1 consumed']);
  });

  test('nothing seen, nothing told', () => {
    expect(tellStory([])).toEqual({ hops: [], first: undefined, last: undefined });
    const world = { revision: 1, namespaces: [], pods: [], policies: [] };
    expect(judgeStory(tellStory([]), world)).toEqual({ verdicts: [], rule: undefined, policies: [], sentence: '' });
  });
});

describe('what it comes to', () => {
  const story = (...packets: Seen[]) => tellStory(follow(packets, beginning));
  const none4 = { outcome: 'no-answer', detail: 'no answer' } as const;
  const refused = { outcome: 'refused', detail: 'connection refused' } as const;
  const dropped = (outcome: number) => story(seen(syn, { outcome, stage: 'route' }));

  test('what the asker saw, but for what nodes know better', () => {
    expect(verdictOf({ outcome: 'delivered', detail: 'yes' }, dropped(Drop.LinkLoss), 'TCP')).toEqual({
      outcome: 'delivered',
      reason: 'yes',
    });
    expect(verdictOf(refused, story(seen(syn)), 'TCP')).toEqual({ outcome: 'refused', reason: 'connection refused' });
    expect(verdictOf({ ...refused, outcome: 'rejected' }, story(seen(syn)), 'TCP').outcome).toBe('rejected');
    expect(verdictOf(none4, story(seen(syn)), 'TCP')).toEqual({ outcome: 'lost', reason: 'no-answer' });
    expect(verdictOf(none4, dropped(Drop.LinkLoss), 'TCP')).toEqual({ outcome: 'lost', reason: 'link-loss' });
    expect(verdictOf(refused, dropped(Drop.LinkLoss), 'TCP').outcome).toBe('refused');
    expect(verdictOf(none4, dropped(Drop.PolicyDenied), 'TCP')).toEqual({ outcome: 'dropped', reason: 'PolicyDenied' });
    expect(verdictOf(refused, dropped(Drop.NoEndpoints), 'TCP')).toEqual({
      outcome: 'rejected',
      reason: 'NoEndpoints',
    });
  });

  test('a node that has answered for itself has rejected', () => {
    const packet = seen(syn, { outcome: Drop.NoSuchPod });
    const error = { ...inverse(syn), protocol: 1 };
    const answer = seen(error, { outgoing: true, originated: true, quoted: syn, egress: a, ingress: none });
    expect(verdictOf(none4, story(packet, answer), 'TCP')).toEqual({ outcome: 'rejected', reason: 'NoSuchPod' });
  });

  test('a datagram that its pod took was delivered, whether it answers or not', () => {
    const arrived = [seen(syn), seen(syn, atN2)];
    expect(verdictOf(none4, story(...arrived), 'UDP').outcome).toBe('delivered');
    expect(verdictOf(none4, story(...arrived), 'TCP').outcome).toBe('lost');
    expect(verdictOf(none4, story(arrived[0]!), 'UDP').outcome).toBe('lost');
    const answered = seen(inverse(syn), fromB);
    expect(verdictOf(none4, story(...arrived, answered), 'UDP').outcome).toBe('lost');
  });

  test('some drops are for good, others may pass', () => {
    for (const name of ['PolicyDenied', 'NoSuchPod', 'NoEndpoints', 'SpoofedSource'] as const) {
      expect([name, isDecided(dropped(Drop[name]))]).toEqual([name, true]);
    }
    for (const name of [
      'LinkLoss',
      'LinkQueueFull',
      'PortBusy',
      'PortDown',
      'UnderlayBusy',
      'ConntrackFull',
    ] as const) {
      expect([name, isDecided(dropped(Drop[name]))]).toEqual([name, false]);
    }
    expect(isDecided(story(seen(syn)))).toBe(false);
  });
});

test('names: pods, nodes, Services; host-network pods have none of their own', () => {
  const pod = (name: string, ip: string, hostNetwork = false) => ({
    metadata: { name, namespace: 'x' },
    spec: { nodeName: 'n1', hostNetwork },
    status: { podIPs: [{ ip }] },
  });
  const node = { metadata: { name: 'n1' }, status: { addresses: [{ type: 'InternalIP', address: '172.18.0.2' }] } };
  const ports = [
    { name: 'web', port: 80 },
    { port: 53, protocol: 'UDP' },
  ];
  const service = { metadata: { name: 's', namespace: 'x' }, spec: { clusterIPs: ['10.96.0.1', 'FD00:0::1'], ports } };
  const old = { metadata: { name: 'o', namespace: 'x' }, spec: { clusterIP: '10.96.0.2', externalIPs: ['1.2.3.4'] } };
  const names = new Names(
    [node] as never,
    [pod('a', '10.0.0.1'), pod('h', '172.18.0.2', true)] as never,
    [service, old] as never,
  );
  expect(names.owner('10.0.0.1')).toEqual({ name: 'x/a', kind: 'pod', node: 'n1' });
  expect(names.owner('172.18.0.2')).toEqual({ name: 'n1', kind: 'node', node: 'n1' });
  expect(names.owner('10.0.0.9')).toBeUndefined();
  expect(['10.96.0.1', 'fd00::1', '10.96.0.2', '1.2.3.4', '10.0.0.1'].map((one) => names.service(one))).toEqual([
    ...['x/s', 'x/s', 'x/o', 'x/o'],
    undefined,
  ]);
  expect(['10.96.0.1', '10.96.0.2', '10.0.0.1'].map((one) => names.servicePorts(one))).toEqual([
    ['80/TCP (web)', '53/UDP'],
    [],
    [],
  ]);
});
