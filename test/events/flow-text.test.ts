/** Records as people and programs read them. */
import { describe, expect, test } from 'vitest';
import { type FlowFormat, FlowWriter } from '../../src/cli/observe-output.ts';
import type { FlowRecord } from '../../src/events/flow-record.ts';
import { compactLine, harmless, harmlessJson, type TextOptions } from '../../src/events/flow-text.ts';
import { LossTeller } from '../../src/events/loss-teller.ts';
import { RecentRecords } from '../../src/events/recent-records.ts';
import { Drop, dropReasons } from '../../src/packet/outcome.ts';
import { nodes } from '../dataplane/world.ts';
import { buildFrame } from '../support/frames.ts';
import { FlowWorld } from './flow-world.ts';

const plain: TextOptions = { nodeName: false, numeric: false, colour: false };
const stamp = 'Nov 20 10:00:00.007';
const spoofed = dropReasons[-1 - Drop.SpoofedSource]!;

function recordsOf(play: (world: FlowWorld) => void): FlowRecord[] {
  const world = new FlowWorld();
  world.timeNs = 7_000_000;
  play(world);
  return world.records();
}

const handshake = recordsOf((world) => {
  world.send('web', { destination: nodes.n2.pod[0], destinationPort: 5432, flags: 2 });
  world.tunnel('n2', { sourcePort: 5432, destinationPort: 40_000, flags: 0x12 });
});
const [drop] = recordsOf((world) => world.send('web', { source: '10.9.9.9', protocol: 'icmp' }));

describe('compact', () => {
  test('a packet, and its answer with the arrow turned', () => {
    expect(handshake.map((record) => compactLine(record, plain))).toEqual([
      `${stamp}: shop/web:40000 -> data/db:5432 to-overlay FORWARDED (TCP Flags: SYN)`,
      `${stamp}: shop/web:40000 <- data/db:5432 to-endpoint FORWARDED (TCP Flags: SYN, ACK)`,
    ]);
  });

  test('a drop, with who sent it, what it claimed and what that means', () => {
    expect(compactLine(drop!, plain)).toBe(
      `${stamp}: shop/web(10.9.9.9) <> shop/api SpoofedSource DROPPED (ICMPv4 EchoRequest): ${spoofed.means}`,
    );
  });

  test('addresses instead of names, and which node tells', () => {
    const numeric = { ...plain, numeric: true, nodeName: true };
    expect(compactLine(handshake[0]!, numeric)).toBe(
      `${stamp} [n1]: 10.244.1.2:40000 -> 10.244.2.7:5432 to-overlay FORWARDED (TCP Flags: SYN)`,
    );
    const [v6] = recordsOf((world) => world.send('web', { destination: 'fd00:10:244:2::7', protocol: 'udp' }));
    expect(compactLine(v6!, { ...plain, numeric: true })).toBe(
      `${stamp}: [fd00:10:244:1::2]:40000 -> [fd00:10:244:2::7]:8080 to-overlay FORWARDED (UDP)`,
    );
  });

  test('nodes by name, strangers by address, frames without IP by MAC', () => {
    const [toNode, toWorld, noIp, tooShort] = recordsOf((world) => {
      world.send('web', { destination: '10.244.1.1', protocol: 'icmp' });
      world.send('web', { destination: '192.0.2.1', protocol: 'icmp' });
      world.sendBytes('web', buildFrame({ etherType: 0x88cc }));
      world.sendBytes('web', Uint8Array.of(1));
    }).map((record) => compactLine(record, plain));
    expect(toNode).toBe(`${stamp}: shop/web -> n1 to-host FORWARDED (ICMPv4 EchoRequest)`);
    expect(toWorld).toContain('shop/web <> 192.0.2.1 NoRoute DROPPED (ICMPv4 EchoRequest): No route');
    expect(noIp).toContain(': 02:00:00:00:00:01 <> 02:00:00:00:00:02 UnsupportedEtherType DROPPED (Ethernet)');
    expect(tooShort).toContain(': ? <> ? FrameTooShort DROPPED ()');
  });

  test('days have two places', () => {
    const time = '2026-01-02T03:04:05.678901234Z';
    expect(compactLine({ ...handshake[0]!, time }, plain)).toMatch(/^Jan {2}2 03:04:05\.678: /);
  });

  test('colours', () => {
    const line = compactLine(drop!, { ...plain, colour: true });
    expect(line).toContain('\u001b[31mDROPPED\u001b[0m');
    expect(compactLine(handshake[0]!, { ...plain, colour: true })).toContain('\u001b[32mFORWARDED\u001b[0m');
  });
});

function written(format: FlowFormat, records: readonly FlowRecord[], options = plain): string {
  let text = '';
  const writer = new FlowWriter(format, options, (more) => {
    text += more;
  });
  for (const record of records) writer.write(record);
  writer.flush();
  writer.end();
  return text;
}

describe('formats', () => {
  test('compact: a line each', () => {
    expect(written('compact', handshake)).toBe(handshake.map((one) => `${compactLine(one, plain)}\n`).join(''));
  });

  test('table', () => {
    const lines = written('table', [...handshake, drop!], { ...plain, nodeName: true }).split('\n');
    expect(lines[0]).toMatch(/^TIMESTAMP {13}NODE {3}SOURCE +DESTINATION +TYPE +VERDICT +SUMMARY$/);
    expect(lines[2]).toMatch(/ n1 +data\/db:5432 +shop\/web:40000 +to-endpoint +FORWARDED +TCP Flags: SYN, ACK$/);
    expect(lines[3]).toMatch(/ shop\/web\(10\.9\.9\.9\) +shop\/api +SpoofedSource +DROPPED +ICMPv4 EchoRequest$/);
    expect(lines.length).toBe(5);
    expect(written('table', [])).toBe('');
  });

  test('dict: a block each, and for drops where to look', () => {
    const text = written('dict', [handshake[0]!, drop!]);
    expect(text.split('------------\n').length).toBe(2);
    expect(text).toContain('     SOURCE: shop/web:40000\nDESTINATION: data/db:5432\n       TYPE: to-overlay\n');
    expect(text).toContain(`     REASON: ${spoofed.means}\n      STAGE: antiSpoof\n       LOOK: ${spoofed.look}\n`);
  });

  test('jsonl: a line each, as answers of hubble’s API', () => {
    const lines = written('jsonl', handshake).trimEnd().split('\n');
    const { time, node_name } = handshake[0]!;
    expect(lines.length).toBe(2);
    expect(JSON.parse(lines[0]!)).toEqual({ flow: handshake[0], node_name, time });
  });

  test('json: one document, also of nothing', () => {
    const document = JSON.parse(written('json', handshake)) as { items: { flow: FlowRecord }[] };
    expect(document.items.map(({ flow }) => flow)).toEqual(handshake);
    expect(JSON.parse(written('json', []))).toEqual({ items: [] });
  });
});

describe('nothing steers a terminal', () => {
  const evil = 'a\u001b[2J\u0007\u009b1m\u202eb\nc';
  const bad: FlowRecord = {
    ...handshake[0]!,
    node_name: evil,
    source: { namespace: 'shop', pod_name: evil, labels: [] },
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const steering = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

  test('written out', () => {
    expect(harmless(evil)).toBe(String.raw`a\u001b[2J\u0007\u009b1m\u202eb\u000ac`);
    expect(harmless('münchen-1')).toBe('münchen-1');
  });

  for (const format of ['compact', 'dict', 'table', 'json', 'jsonl'] as const) {
    test(`in ${format}`, () => {
      const text = written(format, [bad], { ...plain, nodeName: true });
      expect(text).not.toMatch(steering);
      expect(text).toContain(String.raw`a\u001b[2J`);
    });
  }

  test('and JSON stays what it was', () => {
    expect(JSON.parse(harmlessJson({ evil }, 2))).toEqual({ evil });
    expect(JSON.parse(harmlessJson(evil))).toBe(evil);
  });
});

describe('the first or the last of many', () => {
  const numbered = Array.from({ length: 5000 }, (_, i) => ({ ...handshake[0]!, Summary: `${i}` }));
  for (const [count, end, first, length] of [
    [3, 'last', '4997', 3],
    [3, 'first', '0', 3],
    [Infinity, 'last', '0', 5000],
    [0, 'last', undefined, 0],
  ] as const) {
    test(`${end} ${count}`, () => {
      const recent = new RecentRecords(count, end);
      for (const record of numbered) recent.add(record);
      const found = recent.take();
      expect([found[0]?.Summary, found.length]).toEqual([first, length]);
      expect(recent.take()).toEqual([]);
    });
  }

  test('whenever somebody asks', () => {
    for (let length = 1000; length < 1020; length++) {
      const recent = new RecentRecords(3, 'last');
      for (const record of numbered.slice(0, length)) recent.add(record);
      expect(recent.take()).toEqual(numbered.slice(length - 3, length));
    }
  });
});

test('lost events are told once each, not too often, and never forgotten', () => {
  const lines: string[] = [];
  const teller = new LossTeller((line) => lines.push(line));
  const losses = new Map<string, number>();
  teller.tell(losses, 0, false);
  expect(lines).toEqual([]);
  losses.set('pod/shop/web', 12);
  teller.tell(losses, 10, false);
  losses.set('pod/shop/web', 15).set('node/n1:host\u0007', 1);
  teller.tell(losses, 1009, false);
  expect(lines).toEqual(['EVENTS LOST: 12 at pod/shop/web\n']);
  teller.tell(losses, 1010, false);
  expect(lines.slice(1)).toEqual([
    'EVENTS LOST: 3 at pod/shop/web\n',
    `EVENTS LOST: 1 at node/n1:host${String.raw`\u0007`}\n`,
  ]);
  losses.set('pod/shop/web', 16);
  teller.tell(losses, 1011, true);
  expect(lines.slice(3)).toEqual(['EVENTS LOST: 1 at pod/shop/web\n']);
  teller.tell(losses, 9999, true);
  expect(lines.length).toBe(4);
});
