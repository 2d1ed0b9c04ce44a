import { expect, test } from 'vitest';
import * as neighbour from '../../src/wire/neighbour.ts';
import { bytesAt, viewOf, written } from '../support/touched.ts';

const allTypes = Array.from({ length: 256 }, (_, type) => type);

test('RFC 4861: types 133 to 137', () => {
  expect(allTypes.filter((type) => neighbour.isNeighbourDiscovery(viewOf([type]), 0))).toEqual([
    133, 134, 135, 136, 137,
  ]);
});

test('RFC 2710, RFC 3810: types 130 to 132 and 143', () => {
  expect(allTypes.filter((type) => neighbour.isMulticastListener(viewOf([type]), 0))).toEqual([130, 131, 132, 143]);
});

const advertisements = [
  { name: 'to one: router, solicited, override', toAll: false, flags: 0xe0 },
  { name: 'to all nodes: router, override (RFC 4861 section 7.2.4)', toAll: true, flags: 0xa0 },
];
for (const { name, toAll, flags } of advertisements)
  test(`an advertisement ${name}: every byte but the target`, () => {
    const write = (view: DataView) => neighbour.writeAdvertisement(view, 3, 0x0270, 0xac120002 | 0, toAll);
    expect(written(3 + neighbour.NEIGHBOUR_ADVERTISEMENT_LEN + 3, write)).toEqual({
      ...bytesAt(3, 136, 0, 0, 0, flags, 0, 0, 0),
      ...bytesAt(3 + 24, 2, 1, 0x02, 0x70, 0xac, 0x12, 0, 2),
    });
  });
