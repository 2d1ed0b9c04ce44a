import { describe, expect, test } from 'vitest';
import { VXLAN_HEADER_LEN, VXLAN_OVERHEAD_IPV4, vxlanValid, vxlanVni, vxlanWrite } from '../../src/wire/vxlan.ts';
import { bytesAt, viewOf, written } from '../support/touched.ts';

describe('TN-003 the header', () => {
  test.each([0, 1, 0x7fffff, 0x800000, 0xffffff])('VNI %i: I flag, all other bits sent as zero', (vni) => {
    const want = bytesAt(5, 8, 0, 0, 0, vni >> 16, (vni >> 8) & 255, vni & 255, 0);
    expect(written(5 + VXLAN_HEADER_LEN + 5, (view) => vxlanWrite(view, 5, vni))).toEqual(want);
    const view = viewOf([0xa5, ...Array<number>(8).fill(0xa5)]);
    vxlanWrite(view, 1, vni);
    expect(vxlanVni(view, 1)).toBe(vni);
  });

  test('only the I flag decides; the other flags and the reserved fields are ignored on receipt', () => {
    for (let flags = 0; flags < 256; flags++) {
      const view = viewOf([0, flags, 0xa5, 0xa5, 0xa5, 0x12, 0x34, 0x56, 0xa5]);
      expect(vxlanValid(view, 1)).toBe((flags & 8) !== 0);
      expect(vxlanVni(view, 1)).toBe(0x123456);
    }
  });
});

test('TN-012 an IPv4 underlay costs a pod 50 bytes of IP MTU', () => {
  expect(VXLAN_OVERHEAD_IPV4).toBe(20 + 8 + 8 + 14);
});
