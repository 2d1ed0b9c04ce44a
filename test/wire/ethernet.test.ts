import { describe, expect, test } from 'vitest';
import * as ethernet from '../../src/wire/ethernet.ts';
import { buildFrame } from '../support/frames.ts';
import { bytesAt, viewOf, written } from '../support/touched.ts';

const frame = viewOf(buildFrame({ destinationMac: '02:70:ac:12:00:02', sourceMac: 'fe:00:80:00:00:01' }));

test('reads the type', () => {
  expect(ethernet.etherType(frame, 0)).toBe(ethernet.EtherType.Ipv4);
});

test('MACs are compared whole', () => {
  const [high, low] = ethernet.parseMac('02:70:ac:12:00:02');
  expect(ethernet.destinationMacIs(frame, 0, high, low)).toBe(true);
  expect(ethernet.destinationMacIs(frame, 0, high ^ 1, low)).toBe(false);
  expect(ethernet.destinationMacIs(frame, 0, high, low ^ (1 << 31))).toBe(false);
  expect(ethernet.destinationMacIs(frame, 0, high, low ^ 1)).toBe(false);
  const [sourceHigh, sourceLow] = ethernet.parseMac('FE:00:80:00:00:01');
  expect(ethernet.sourceMacIs(frame, 0, sourceHigh, sourceLow)).toBe(true);
  expect(ethernet.sourceMacIs(frame, 0, sourceHigh ^ 0x100, sourceLow)).toBe(false);
  expect(ethernet.sourceMacIs(frame, 0, high, low)).toBe(false);
});

test.each([
  ['00:00:00:00:00:00', false],
  ['01:00:5e:00:00:01', true],
  ['02:00:00:00:00:01', false],
  ['33:33:00:00:00:01', true],
  ['fe:ff:ff:ff:ff:ff', false],
  ['ff:ff:ff:ff:ff:ff', true],
])('%s is a group address: %s', (mac, group) => {
  const other = '02:00:00:00:00:01';
  const to = viewOf(buildFrame({ destinationMac: mac, sourceMac: other }));
  const from = viewOf(buildFrame({ destinationMac: other, sourceMac: mac }));
  expect([ethernet.destinationMacIsGroup(to, 0), ethernet.sourceMacIsGroup(to, 0)]).toEqual([group, false]);
  expect([ethernet.destinationMacIsGroup(from, 0), ethernet.sourceMacIsGroup(from, 0)]).toEqual([false, group]);
});

describe('writes every byte of its fields and nothing else', () => {
  test('MACs, destination first', () => {
    const write = (view: DataView) => ethernet.writeMacs(view, 2, 0x0270, 0xac120002 | 0, 0xfe00, 0x80000001 | 0);
    const macs = [0x02, 0x70, 0xac, 0x12, 0, 2, 0xfe, 0, 0x80, 0, 0, 1];
    expect(written(20, write)).toEqual(bytesAt(2, ...macs));
  });

  test('type', () => {
    expect(written(20, (view) => ethernet.writeEtherType(view, 2, 0x86dd))).toEqual(bytesAt(14, 0x86, 0xdd));
  });
});

test.each(['', '02:70:ac:12:00', '02:70:ac:12:00:02:03', '02-70-ac-12-00-02', '2:70:ac:12:00:02', '02:70:ac:12:00:0g'])(
  'parseMac refuses "%s"',
  (text) => expect(() => ethernet.parseMac(text)).toThrow('not a MAC address'),
);
