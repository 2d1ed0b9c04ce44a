import { expect, test } from 'vitest';
import * as arp from '../../src/wire/arp.ts';
import { viewOf } from '../support/touched.ts';

// Who has 10.1.0.1? Tell 10.1.0.2 at 02:00:00:00:00:01.
const request = [
  0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 1, 0, 2, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 10, 1, 0, 1,
];

test('reads a request', () => {
  const view = viewOf([0, 0, ...request]);
  expect(arp.arpOperation(view, 2)).toBe(arp.ArpOperation.Request);
  expect(arp.arpSenderAddress(view, 2)).toBe(0x0a010002);
  expect(arp.arpTargetAddress(view, 2)).toBe(0x0a010001);
});

test('RFC 826: the answer swaps both ends, the asked address is at the given MAC', () => {
  const view = viewOf([0xa5, 0xa5, ...request, 0xa5]);
  arp.arpAnswer(view, 2, 0xfe00, 0x80000002 | 0);
  const reply = [0, 1, 8, 0, 6, 4, 0, 2, 0xfe, 0, 0x80, 0, 0, 2, 10, 1, 0, 1, 2, 0, 0, 0, 0, 1, 10, 1, 0, 2];
  expect([...new Uint8Array(view.buffer, 0, view.byteLength)]).toEqual([0xa5, 0xa5, ...reply, 0xa5]);
});
