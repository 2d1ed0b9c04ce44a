/** What `podwire replay` does with packets: where they go, what is said of them, when, and with which bytes. */
import { describe, expect, test } from 'vitest';
import { readBytes } from '../capture/build.ts';
import {
  a,
  b,
  conversation,
  counts,
  FROM_A,
  lines,
  planOf,
  type Replayed,
  record,
  replayed,
  replayedFrames,
  START_NS,
  SYN,
} from '../capture/replay-world.ts';
import { buildFrame, type FrameSpec, joined } from '../support/frames.ts';
import { withRandom } from '../support/random.ts';
import { parseFrame } from '../support/read-frame.ts';
import { clusterManifest } from './worlds.ts';

describe('a packet of a pod', () => {
  test('is seen at every hop with what became of it', async () => {
    const result = await replayedFrames([{ ...FROM_A, flags: SYN }]);
    expect(lines(result)).toEqual([
      '1 pod/default/a: n1: from pod/default/a | forwarded to n2 | conntrack NEW, tcp SYN_SENT, original',
      '1 node/n1:underlay: n1: to n2, from pod/default/a | sent | conntrack NEW, tcp SYN_SENT, original',
      '1 node/n2:underlay: n2: from n1 | forwarded to pod/default/b | conntrack NEW, tcp SYN_SENT, original',
      '1 pod/default/b: n2: to pod/default/b, from n1 | sent | conntrack NEW, tcp SYN_SENT, original',
    ]);
    expect(counts(result)).toMatchObject({ read: 1, fed: 1, forwarded: 1, answered: 0 });
    expect(parseFrame(result.rows[3]!.bytes)).toMatchObject({ ...FROM_A, ttl: 62, checksum: 'right' });
  });

  test.each<[string, FrameSpec, string, string[]]>([
    ['a source of somebody else', { source: '10.9.9.9', destination: b.v4 }, 'antiSpoof: SpoofedSource', []],
    ['a TTL of 1', { ...FROM_A, flags: SYN, ttl: 1 }, 'hopLimit: TtlExceeded', ['icmp 11 0']],
    ['flags that nobody sends', { ...FROM_A, flags: SYN | 1 }, 'knownFlow: Invalid', []],
    ['more than the MTU', { ...FROM_A, protocol: 'udp', payload: 1450 }, 'fits: MtuExceeded', ['icmp 3 4']],
    [
      'nobody at its destination',
      { ...FROM_A, destination: '10.244.0.9', flags: SYN },
      'route: NoSuchPod',
      ['icmp 3 1'],
    ],
    ['a wrong checksum', { ...FROM_A, protocol: 'udp', payload: '~' }, 'validate: BadL4Checksum', []],
  ])('with %s is dropped, and its sender told', async (_, spec, drop, answers) => {
    const frame = buildFrame(spec);
    if (spec.payload === '~') frame[frame.length - 1]! ^= 1;
    const result = await replayed([record(frame)]);
    const [first, ...rest] = result.rows;
    expect(lines(result)[0]).toBe(`1 pod/default/a: n1: from pod/default/a | DROPPED at ${drop}`);
    expect(first!.comment).toContain(' | look: ');
    expect(rest.map(({ comment }) => comment)).toEqual(answers.map(() => 'n1: to pod/default/a, begins here | sent'));
    const said = rest.map(({ bytes }) => parseFrame(bytes));
    expect(said.map(({ icmpType, icmpCode }) => `icmp ${icmpType} ${icmpCode}`)).toEqual(answers);
    const name = /: (\w+)/.exec(drop)![1]!;
    expect(counts(result)).toMatchObject({ forwarded: 0, dropped: { [name]: 1 }, answered: answers.length });
  });

  test('has the MACs of its hop, or its own', async () => {
    const spec = {
      ...FROM_A,
      protocol: 'udp',
      sourceMac: '02:11:11:11:11:11',
      destinationMac: '02:22:22:22:22:22',
    } as const;
    const [hop] = (await replayedFrames([spec])).rows;
    expect(parseFrame(hop!.bytes)).toMatchObject({
      sourceMac: '0a:58:0a:f4:00:02',
      destinationMac: '02:70:ac:12:00:02',
    });
    const kept = await replayedFrames([spec], { keepMacs: true });
    expect(lines(kept)).toEqual(['1 pod/default/a: n1: from pod/default/a | DROPPED at sourceMac: SpoofedMac']);
    expect(parseFrame(kept.rows[0]!.bytes)).toMatchObject({
      sourceMac: spec.sourceMac,
      destinationMac: spec.destinationMac,
    });
  });

  test('to a group of Ethernet stays one: ARP is answered', async () => {
    const mac = [0x0a, 0x58, 10, 244, 0, 2];
    const asks = [0, 1, 8, 0, 6, 4, 0, 1, ...mac, 10, 244, 0, 2, 0, 0, 0, 0, 0, 0, 169, 254, 1, 1];
    const result = await replayed([record(joined(Array(6).fill(0xff), [2, 0, 0, 0, 0, 9], [8, 6], asks))]);
    expect(result.rows[0]!.bytes.subarray(0, 12)).toEqual(Uint8Array.of(...Array(6).fill(0xff), ...mac));
    expect(result.rows[0]!.comment).toContain('ArpAnswered');
    expect(result.rows[1]!.comment).toBe('n1: to pod/default/a, begins here | sent');
    expect(counts(result)).toMatchObject({ consumed: { ArpAnswered: 1 }, answered: 1 });
  });

  test('of a host goes the host’s way', async () => {
    const spec = { source: '172.18.0.2', destination: a.v4, flags: SYN } as const;
    const result = await replayedFrames([spec], { at: 'node/n1:host' });
    expect(result.rows.map(({ hop }) => hop)).toEqual(['node/n1:host', 'pod/default/a']);
    expect(parseFrame(result.rows[0]!.bytes).sourceMac).toBe('06:70:ac:12:00:02');
  });
});

describe('times', () => {
  const frame = buildFrame({ ...FROM_A, protocol: 'udp' });
  const ns = ({ rows }: Replayed) => rows.map(({ timeNs }) => Number(timeNs - START_NS));

  test('are the capture’s, with a nanosecond from hop to hop', async () => {
    const result = await replayed([record(frame), record(frame, { timeNs: START_NS + 123_456_789n })]);
    expect(ns(result)).toEqual([0, 1, 2, 3, 123_456_789, 123_456_790, 123_456_791, 123_456_792]);
  });

  test('of late packets, and of those without, are what they were', async () => {
    const times = [START_NS, START_NS - 1000n, undefined];
    const result = await replayed(times.map((timeNs) => record(frame, { timeNs })));
    expect(ns(result)).toEqual([0, 1, 2, 3, -996, -995, -994, -993, -992, -991, -990, -989]);
  });

  test('outside what a file can say are moved to its ends', async () => {
    const result = await replayed([record(frame, { timeNs: -5n }), record(frame, { timeNs: 1n << 65n })]);
    const stamps = result.rows.map(({ timeNs }) => timeNs);
    expect([stamps[0], stamps[4], stamps.length]).toEqual([0n, (1n << 64n) - 1n, 8]);
  });

  test('pass: connections end, and datagrams in pieces are given up and told of', async () => {
    const first = { ...FROM_A, protocol: 'udp', payload: 800, moreFragments: true, dontFragment: false } as const;
    const result = await replayed([record(buildFrame(first)), record(frame, { ms: 86_400_000 })]);
    const told = result.rows[1]!;
    expect(told).toMatchObject({ id: 0, hop: 'pod/default/a', comment: 'n1: to pod/default/a, begins here | sent' });
    expect(parseFrame(told.bytes)).toMatchObject({ icmpType: 11, icmpCode: 1 });
    expect(Number(told.timeNs - START_NS) / 1e9).toBeCloseTo(30, 0);
    expect(result.rows[2]).toMatchObject({ id: 2, timeNs: START_NS + 86_400_000_000_000n });
  });

  test('pass after the last packet', async () => {
    const first = { ...FROM_A, protocol: 'udp', payload: 800, moreFragments: true, dontFragment: false } as const;
    const result = await replayedFrames([first]);
    expect(lines(result)).toEqual([
      '1 pod/default/a: n1: from pod/default/a | held: waits for the rest of its datagram',
      '0 pod/default/a: n1: to pod/default/a, begins here | sent',
    ]);
  });

  test('a connection of TCP lives a day without packets, whatever the gap', async () => {
    const [client, server] = ['192.168.1.10', '192.168.1.20'];
    const specs = conversation(client, server);
    const days = [0, 0, 0, 0.9, 1.8, 2.9, 30_000, 90_000, 200_000];
    const packets = days.map((day, i) => {
      const timeNs = START_NS + BigInt(Math.round(day * 86_400)) * 10n ** 9n;
      return record(buildFrame(specs[Math.min(i, 2)]!), { timeNs });
    });
    const map = { [client]: 'pod/default/a', [server]: 'pod/default/b' };
    const { rows } = await replayed(packets, { at: 'auto', map });
    const first = days.map((_, i) => rows.find(({ id }) => id === i + 1)!.comment);
    const known = ['ESTABLISHED', 'ESTABLISHED', 'ESTABLISHED', 'ESTABLISHED'];
    expect(first.map((comment) => /conntrack (\w+)/.exec(comment)![1])).toEqual([
      ...['NEW', ...known, 'NEW', 'NEW', 'NEW', 'NEW'],
    ]);
  });

  test('of any length end what waits for an answer', async () => {
    const days = [0, 30_000, 90_000, 200_000];
    const both = [
      frame,
      buildFrame({ source: b.v4, destination: a.v4, protocol: 'udp', sourcePort: 8080, destinationPort: 40_000 }),
    ];
    const packets = days.map((day, i) => record(both[i % 2]!, { timeNs: BigInt(day) * 86_400n * 10n ** 9n }));
    const { rows } = await replayed(packets, { at: 'auto', map: { [a.v4]: 'pod/default/a', [b.v4]: 'pod/default/b' } });
    expect(rows.map(({ comment }) => /conntrack .*/.exec(comment)![0])).toEqual(
      rows.map(() => 'conntrack NEW, original'),
    );
  });

  test('that are too many end the clock, not the replay', async () => {
    const week = 7n * 86_400n * 10n ** 9n;
    const frames = Array.from({ length: 11_500 }, (_, i) => record(frame, { timeNs: BigInt(i) * week }));
    expect(counts(await replayed(frames))).toMatchObject({ read: 11_500, forwarded: 11_500 });
  });
});

test('a frame that is no frame stays as it is', async () => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);
  const result = await replayed([record(bytes)]);
  expect(lines(result)).toEqual(['1 pod/default/a: n1: from pod/default/a | DROPPED at validate: FrameTooShort']);
  expect(result.rows[0]!.bytes).toEqual(bytes);
});

test('the file names pods and nodes', async () => {
  const { records } = await readBytes((await replayed([])).bytes);
  const names = records.flatMap((one) => (one.kind === 'names' ? one.entries.flatMap((entry) => entry.names) : []));
  expect(names).toEqual(['n1', 'n2', ...['default/a', 'default/a', 'default/b', 'default/b']]);
});

describe('what cannot be replayed is written with the reason', () => {
  const frame = buildFrame({ ...FROM_A, protocol: 'udp', payload: 50 });
  test.each([
    ['cut short', record(frame.slice(0, 60), { originalLen: 92 }), 'cut short at 60 of 92 bytes', 60, 92],
    [
      'of link type 127',
      record(frame, { linkType: 127 }),
      'no Ethernet frame can be made of it (link type 127)',
      0,
      92,
    ],
    ['empty', record(new Uint8Array(0)), 'it is empty', 0, 0],
    ['too long', record(new Uint8Array(70_000)), '70000 bytes, too long', 0, 70_000],
  ])('%s', async (reason, packet, words, len, originalLen) => {
    const result = await replayed([packet]);
    expect(result.rows).toMatchObject([
      { id: 1, hop: 'input', comment: `replay: ${words}, not replayed`, originalLen },
    ]);
    expect(result.rows[0]!.bytes).toHaveLength(len);
    expect(counts(result)).toMatchObject({ read: 1, fed: 0, unfed: { [reason]: 1 } });
  });
});

describe('at an underlay', () => {
  test('what a node sent arrives at the other one', async () => {
    const sent = await replayedFrames([{ ...FROM_A, flags: SYN, payload: 0 }]);
    const { bytes } = sent.rows.find(({ hop }) => hop === 'node/n1:underlay')!;
    const result = await replayed([record(bytes)], { at: 'node/n2:underlay' });
    expect(lines(result)).toEqual(lines(sent).slice(2));
    expect(result.rows[0]!.bytes).toEqual(bytes);
  });

  test('strangers are refused, and what is not for the tunnel stays out', async () => {
    const sent = await replayedFrames([{ ...FROM_A, flags: SYN }]);
    const { bytes } = sent.rows.find(({ hop }) => hop === 'node/n1:underlay')!;
    const stranger = buildFrame({
      source: '172.18.0.99',
      destination: '172.18.0.3',
      protocol: 'udp',
      destinationPort: 4789,
      payload: 60,
    });
    const result = await replayed(
      [stranger, bytes.with(36, 1), buildFrame()].map((one) => record(one)),
      {
        at: 'node/n2:underlay',
      },
    );
    expect(lines(result)).toEqual([
      '1 node/n2:underlay: n2: from node/n2:underlay | DROPPED at knownEndpoint: UnknownEndpoint',
      '2 input: replay: not for the tunnel, not replayed',
      '3 input: replay: not for the tunnel, not replayed',
    ]);
  });
});

test('what leaves for an endpoint that is no node is forwarded', async () => {
  const plan = planOf(
    `{apiVersion: podwire.dev/v1alpha1, kind: Cluster, nodes: [{role: worker}],
      tunnelEndpoints: [{name: box, address: 172.18.0.100, mac: "02:00:00:00:00:64", routes: [10.250.0.0/24]}]}
---
${clusterManifest(1, [{ name: 'a' }]).split('---\n')[1]!}`,
  );
  const result = await replayedFrames([{ ...FROM_A, destination: '10.250.0.7', flags: SYN }], { plan });
  expect(counts(result)).toMatchObject({ forwarded: 1 });
  expect(lines(result)[1]).toContain('n1: to box, from pod/default/a | sent');
});

test('bytes of any kind, at every hop, with and without a map, have an end each and throw nothing', async () => {
  const frames: Uint8Array[] = [];
  withRandom((random) => {
    const specs: FrameSpec[] = [
      { ...FROM_A, flags: SYN },
      { ...FROM_A, protocol: 'udp', payload: 1000, moreFragments: true, dontFragment: false },
      { source: a.v6, destination: b.v6, payload: 3000, checksum: 'partial' },
      {
        source: a.v6,
        destination: b.v6,
        protocol: 'icmpv6',
        icmpType: 1,
        payload: buildFrame({ source: b.v6, destination: a.v6 }),
      },
      {
        ...FROM_A,
        protocol: 'icmp',
        icmpType: 3,
        payload: buildFrame({ source: b.v4, destination: a.v4 }).subarray(14),
      },
      { ...FROM_A, protocol: 'sctp' },
      { source: '172.18.0.2', destination: '172.18.0.3', protocol: 'udp', destinationPort: 4789, payload: 90 },
      {
        source: a.v6,
        destination: b.v6,
        extensions: [{ type: 60, body: Array<number>(1600).fill(0) }],
        checksum: 'partial',
        payload: 9,
      },
    ];
    for (let i = 0; i < 1200; i++) {
      const frame = buildFrame(random.pick(specs));
      for (let changes = random.below(4); changes > 0; changes--) frame[random.below(frame.length)] = random.below(256);
      frames.push(random.once(4) ? frame.slice(0, random.between(0, frame.length)) : frame);
    }
  });
  const map = { [a.v4]: 'pod/default/b', [b.v4]: 'pod/default/a', [a.v6]: 'node/n2:host', [b.v6]: 'pod/default/b' };
  const settings = [
    {},
    { at: 'node/n1:host' },
    { at: 'node/n2:underlay' },
    { at: 'auto', map },
    { map, keepMacs: true },
  ];
  for (const setting of settings) {
    const result = await replayed(
      frames.map((frame, i) => record(frame.slice(), { ms: 40 * i })),
      setting,
    );
    const { read, fed, forwarded, held, dropped, consumed, unfed } = counts(result);
    const sum = (some: Record<string, number> | undefined) => Object.values(some!).reduce((all, one) => all + one, 0);
    expect(read).toBe(1200);
    expect(fed).toBe(forwarded + held + sum(dropped) + sum(consumed));
    expect(read).toBe(fed + sum(unfed));
  }
});
