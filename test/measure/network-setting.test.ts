import { expect, test } from 'vitest';
import { linksRoundTripMs, type NetworkSetting, networkWords } from '../../src/measure/network-setting.ts';

const plain: NetworkSetting = {
  ...{ nodes: ['n1', 'n2'], underlay: 'TAP', offload: true, podMtu: 1450, underlayMtu: 1500, links: [], capturing: [] },
};
const slow = { nodes: ['n1', 'n2'] as const, delayMs: 150, jitterMs: 5, loss: 0.01, duplicate: 0, reorder: 0 };

test('the underlay and MTU, links with faults, captures', () => {
  expect(networkWords(plain)).toEqual(['underlay by TAP, superframes, pod MTU 1450']);
  expect(networkWords({ ...plain, underlay: 'none', offload: false, links: [slow], capturing: ['n2'] })).toEqual([
    'both ends on one node, no superframes (--offload off), pod MTU 1450',
    'link n1 - n2: 150 ms each way, 5 ms jitter, 1 % lost',
    'a capture runs on n2: no UDP merging there',
  ]);
});

test('what links make of a round trip: both ways, the slowest', () => {
  expect(linksRoundTripMs(plain)).toBe(0);
  expect(linksRoundTripMs({ links: [{ ...slow, delayMs: 1, jitterMs: 0 }, slow] })).toBe(310);
});
