import { describe, expect, test } from 'vitest';
import { ecnDecapsulate } from '../../src/encap/ecn.ts';
import * as vxlan from '../../src/encap/vxlan.ts';
import { CONTINUE, Drop } from '../../src/packet/outcome.ts';
import { validate } from '../../src/packet/validate.ts';
import { Way, wayIndex, wayKind } from '../../src/packet/way.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { parseMac } from '../../src/wire/ethernet.ts';
import {
  buildFrame,
  FILL,
  type FrameSpec,
  frameBytes,
  joined,
  newPacket,
  writeBytes,
  writeFrame,
} from '../support/frames.ts';
import { parseFrame } from '../support/read-frame.ts';

const here = '02:70:ac:12:00:02';
const there = 'fe:70:ac:12:00:03';
const [hereHigh, hereLow] = parseMac(here);
const [thereHigh, thereLow] = parseMac(there);

function endpoint(name: string, address: string): vxlan.TunnelEndpoint {
  return { name, address: parseAddress(address)!, macHigh: thereHigh, macLow: thereLow, kernelLocal: false };
}

const peer = endpoint('node-b', '172.18.0.3');
const v6 = { source: 'fd00::1', destination: 'fd00::2' };
const pkt = newPacket();

const kinds: readonly { name: string; spec: FrameSpec }[] = [
  { name: 'IPv4', spec: { payload: 'data' } },
  { name: 'IPv6', spec: { ...v6, payload: 'data' } },
  { name: 'a superframe', spec: { payload: 3000, gsoSize: 1000 } },
];

for (const { name, spec } of kinds) {
  describe(`encapsulating ${name}`, () => {
    test.each([0, 1, 0x800001, 0xffffff])(
      'TN-003 TN-008 VNI %i: eight bytes, then the frame between the two nodes',
      (vni) => {
        writeFrame(pkt, spec);
        expect(validate(pkt)).toBe(CONTINUE);
        const at = pkt.at;
        pkt.arena.bytes.fill(FILL, at - 64, at);
        vxlan.vxlanEncapsulate(pkt, peer, hereHigh, hereLow, vni);
        const header = [8, 0, 0, 0, vni >> 16, (vni >> 8) & 255, vni & 255, 0];
        const inner = buildFrame({ ...spec, destinationMac: there, sourceMac: here });
        expect([pkt.at, pkt.len]).toEqual([at - 8, inner.length + 8]);
        expect(Buffer.compare(frameBytes(pkt), joined(header, inner))).toBe(0);
        expect(pkt.arena.bytes.subarray(at - 64, at - 8).every((byte) => byte === FILL)).toBe(true);
        pkt.at = at;
      },
    );

    test('TN-017 the outer header carries the inner ECN mark and no DSCP (RFC 6040 section 4.1)', () => {
      for (const tos of [0, 1, 2, 3, 0xb8, 0xb9, 0xfe, 0xff]) {
        writeFrame(pkt, { ...spec, tos });
        validate(pkt);
        pkt.outerTos = 0xa5;
        vxlan.vxlanEncapsulate(pkt, peer, hereHigh, hereLow, 1);
        expect(pkt.outerTos).toBe(tos & 3);
        expect(parseFrame(frameBytes(pkt).subarray(8)).tos).toBe(tos);
        pkt.at += 8;
      }
    });
  });
}

describe('decapsulating', () => {
  const frame = buildFrame({ destinationMac: here, sourceMac: there, payload: 'data' });
  const receive = (header: readonly number[], inner: Uint8Array = frame) => writeBytes(pkt, joined(header, inner));
  const at = pkt.at;
  const decapsulate = (header: readonly number[], inner?: Uint8Array) => {
    pkt.at = at;
    return vxlan.vxlanDecapsulate(receive(header, inner), 0x123456);
  };

  test('TN-008 the frame without FCS is all that follows the header', () => {
    expect(decapsulate([8, 0, 0, 0, 0x12, 0x34, 0x56, 0])).toBe(CONTINUE);
    expect([pkt.at, pkt.len]).toEqual([at + 8, frame.length]);
    expect(frameBytes(pkt)).toEqual(frame);
  });

  test('TN-003 TN-014 every flags octet: only the I flag decides, and reserved fields are ignored', () => {
    for (let flags = 0; flags < 256; flags++) {
      const outcome = decapsulate([flags, 0xa5, 0xa5, 0xa5, 0x12, 0x34, 0x56, 0xa5]);
      expect([flags, outcome]).toEqual([flags, flags & 8 ? CONTINUE : Drop.BadVxlan]);
    }
  });

  test.each([0, 0x123457, 0x123446, 0x023456, 0x563412])('TN-004 TN-014 VNI %i is not ours', (vni) => {
    expect(decapsulate([8, 0, 0, 0, vni >> 16, (vni >> 8) & 255, vni & 255, 0])).toBe(Drop.UnknownVni);
  });

  test('truncated at every length: never more than there is', () => {
    for (let len = 0; len < 8 + 14; len++) {
      pkt.at = pkt.arena.bytes.length - len;
      writeBytes(pkt, joined([8, 0, 0, 0, 0x12, 0x34, 0x56, 0], frame).subarray(0, len));
      expect([len, vxlan.vxlanDecapsulate(pkt, 0x123456)]).toEqual([len, len < 8 ? Drop.BadVxlan : CONTINUE]);
      if (len >= 8) expect(validate(pkt)).toBe(Drop.FrameTooShort);
    }
    pkt.at = at;
  });

  test('TN-011 an inner VLAN tag is discarded', () => {
    const tagged = buildFrame({ destinationMac: here, etherType: 0x8100 });
    expect(decapsulate([8, 0, 0, 0, 0x12, 0x34, 0x56, 0], tagged)).toBe(CONTINUE);
    expect(validate(pkt)).toBe(Drop.VlanTagged);
  });

  test('is the reverse of encapsulating', () => {
    for (const { spec } of kinds) {
      pkt.at = at;
      writeFrame(pkt, { ...spec, tos: 2 });
      validate(pkt);
      vxlan.vxlanEncapsulate(pkt, peer, hereHigh, hereLow, 77);
      expect(vxlan.vxlanDecapsulate(pkt, 77)).toBe(CONTINUE);
      expect(validate(pkt)).toBe(CONTINUE);
      expect(ecnDecapsulate(pkt)).toBe(CONTINUE);
      expect(vxlan.innerMacIsOurs(pkt, thereHigh, thereLow)).toBe(CONTINUE);
      const same = buildFrame({ ...spec, tos: 2, destinationMac: there, sourceMac: here });
      expect(Buffer.compare(frameBytes(pkt), same)).toBe(0);
    }
  });

  test('the inner frame must be for this node', () => {
    writeFrame(pkt, { destinationMac: here, sourceMac: there });
    expect(vxlan.innerMacIsOurs(pkt, hereHigh, hereLow)).toBe(CONTINUE);
    expect(vxlan.innerMacIsOurs(pkt, hereHigh ^ 1, hereLow)).toBe(Drop.WrongTunnelMac);
    expect(vxlan.innerMacIsOurs(pkt, hereHigh, hereLow ^ 1)).toBe(Drop.WrongTunnelMac);
    expect(vxlan.innerMacIsOurs(pkt, thereHigh, thereLow)).toBe(Drop.WrongTunnelMac);
  });

  test('TN-014 the inner frame must not have come from this node', () => {
    writeFrame(pkt, { destinationMac: here, sourceMac: here });
    expect(vxlan.innerMacIsOurs(pkt, hereHigh, hereLow)).toBe(Drop.WrongTunnelMac);
  });
});

describe('RFC 7348 section 7: tunnel packets come from nodes of this cluster', () => {
  const endpoints = new vxlan.TunnelEndpoints([endpoint('node-b', '172.18.0.3'), endpoint('node-c', 'fd12::4')]);

  test.each([
    ['172.18.0.3', 0],
    ['fd12::4', 1],
    ['172.18.0.2', -1],
    ['172.18.0.4', -1],
    ['fd12::5', -1],
    ['::172.18.0.3', -1],
  ])('%s is endpoint %i', (address, index) => {
    expect(endpoints.find(parseAddress(address)!)).toBe(index);
    pkt.outerSource.set(parseAddress(address)!);
    pkt.ingress = -7;
    expect(vxlan.knownEndpoint(endpoints, pkt)).toBe(index < 0 ? Drop.UnknownEndpoint : CONTINUE);
    if (index >= 0) expect([wayKind(pkt.ingress), wayIndex(pkt.ingress)]).toEqual([Way.Tunnel, index]);
    else expect(pkt.ingress).toBe(-7);
  });

  test('no endpoints: nobody', () => {
    pkt.outerSource.set(parseAddress('172.18.0.3')!);
    expect(vxlan.knownEndpoint(new vxlan.TunnelEndpoints([]), pkt)).toBe(Drop.UnknownEndpoint);
  });
});

describe('one packet in all the bytes that came, or the first of several', () => {
  for (const family of ['IPv4', 'IPv6'] as const) {
    test(family, () => {
      const ends = family === 'IPv6' ? { source: 'fd00::1', destination: 'fd00::2' } : {};
      const one = Uint8Array.of(8, 0, 0, 0, 0, 0, 1, 0, ...buildFrame({ ...ends, payload: 900 }));
      const two = new DataView(Uint8Array.of(...one, ...one).buffer);
      expect(vxlan.vxlanHoldsOne(two, 0, one.length)).toBe(true);
      expect(vxlan.vxlanHoldsOne(two, 0, 2 * one.length)).toBe(false);
      expect(vxlan.vxlanHoldsOne(two, 0, one.length - 1)).toBe(false);
      expect(vxlan.vxlanHoldsOne(two, 0, 20)).toBe(false);
    });
  }
});
