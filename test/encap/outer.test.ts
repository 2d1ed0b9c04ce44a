import { describe, expect, test } from 'vitest';
import {
  OUTER_LEN,
  OUTER_PAYLOAD_MAX,
  type OuterWire,
  outerSourcePort,
  readOuter,
  SOURCES,
  writeOuter,
} from '../../src/encap/outer.ts';
import type { Packet } from '../../src/packet/packet.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { newPacket } from '../support/frames.ts';
import { Random } from '../support/random.ts';

const wire: OuterWire = {
  address: 0xac120002 | 0,
  macHigh: 0x0270,
  macLow: 0xac120002 | 0,
  routerMacHigh: 0x0e70,
  routerMacLow: 0xac120002 | 0,
};
const DESTINATION = 0xac120003 | 0;
const IP = 14;
const UDP = IP + 20;
const pkt = newPacket();
const at = pkt.at;

/** An outer frame as we send it, with `payloadLen` bytes behind UDP. */
function outerFrame(payloadLen: number, tos = 0, hash = 0): Packet {
  writeOuter(pkt.view, at, wire, DESTINATION, payloadLen, tos, outerSourcePort(hash));
  pkt.at = at;
  pkt.len = OUTER_LEN + payloadLen;
  return pkt;
}

function bytes(from: number, len: number): string {
  return Buffer.from(pkt.view.buffer, at + from, len).toString('hex');
}

describe('what is written', () => {
  test('is Ethernet to the router, IPv4 with DF and TTL 64, UDP to 4789; TN-005 without checksum', () => {
    outerFrame(100, 2, 0x0012_3400);
    expect(bytes(0, 14)).toBe('0e70ac1200020270ac1200020800');
    expect(bytes(IP, 10)).toBe('45020080000040004011');
    expect(bytes(IP + 12, 8)).toBe('ac120002ac120003');
    expect(bytes(UDP, 8)).toBe('e00012b5006c0000'); // 0xc000 and the fifth of eight steps: 0x1234 modulo 8 is 4
  });

  test('has an IPv4 header checksum that adds up, for every length', () => {
    for (const len of [8, 100, 1458, 40_000, OUTER_PAYLOAD_MAX]) {
      for (const tos of [0, 1, 2, 3]) {
        outerFrame(len, tos);
        let sum = 0;
        for (let i = 0; i < 20; i += 2) sum += pkt.view.getUint16(at + IP + i);
        expect(((sum & 0xffff) + (sum >>> 16)) & 0xffff, `${len} ${tos}`).toBe(0xffff);
      }
    }
  });

  test('TN-002 has source ports of the dynamic range, one for a flow, eight for many', () => {
    const ports = new Set<number>();
    for (let hash = 0; hash < 1 << 24; hash += 7919) {
      outerFrame(8, 0, hash);
      ports.add(pkt.view.getUint16(at + UDP));
    }
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(49_152);
    expect(ports.size).toBe(SOURCES);
  });
});

describe('what is read', () => {
  test('is what was written: sender, TOS, and the VXLAN packet', () => {
    readOuter(outerFrame(100, 3));
    expect([pkt.at, pkt.len, pkt.outerTos, formatAddress(pkt.outerSource)]).toEqual([
      at + OUTER_LEN,
      100,
      3,
      '172.18.0.2',
    ]);
  });

  test('ends with UDP, whatever follows it', () => {
    outerFrame(100).len += 6;
    readOuter(pkt);
    expect(pkt.len).toBe(100);
  });

  test('may have IP options', () => {
    outerFrame(100);
    pkt.view.setUint8(at + IP, 0x46);
    pkt.view.setUint16(at + IP + 2, 24 + 108);
    pkt.view.setUint32(at + UDP, 0x0101_0101);
    writeUdp(at + UDP + 4, 108);
    pkt.len += 4;
    readOuter(pkt);
    expect([pkt.at, pkt.len]).toEqual([at + OUTER_LEN + 4, 100]);
  });

  const damage: Readonly<Record<string, () => void>> = {
    'another EtherType': () => pkt.view.setUint16(at + 12, 0x86dd),
    'another IP version': () => pkt.view.setUint8(at + IP, 0x65),
    'a header longer than the frame': () => {
      pkt.view.setUint8(at + IP, 0x4f);
      pkt.len = IP + 59;
    },
    'another protocol': () => pkt.view.setUint8(at + IP + 9, 6),
    'TN-006 a first fragment': () => pkt.view.setUint16(at + IP + 6, 0x2000),
    'TN-006 a last fragment': () => pkt.view.setUint16(at + IP + 6, 1),
    'another port': () => pkt.view.setUint16(at + UDP + 2, 4790),
    'UDP longer than IP': () => pkt.view.setUint16(at + UDP + 4, 109),
    'UDP shorter than its header': () => pkt.view.setUint16(at + UDP + 4, 7),
    'IP longer than the frame, and UDP with it': () => {
      pkt.view.setUint16(at + IP + 2, 1000);
      pkt.view.setUint16(at + UDP + 4, 980);
    },
    'IP that ends before UDP does': () => pkt.view.setUint16(at + IP + 2, 60),
    'a frame that ends in its Ethernet header': () => {
      pkt.len = 13;
    },
    'a frame without a byte': () => {
      pkt.len = 0;
    },
  };
  for (const [name, spoil] of Object.entries(damage)) {
    test(`is nothing after ${name}`, () => {
      outerFrame(100);
      spoil();
      readOuter(pkt);
      expect(pkt.len).toBe(0);
    });
  }

  test('never reaches beyond the frame, whatever is in it', () => {
    const random = new Random(7);
    for (let round = 0; round < 20_000; round++) {
      outerFrame(random.below(128));
      const end = at + random.below(pkt.len + 1);
      for (let i = random.below(4); i >= 0; i--) pkt.view.setUint8(at + random.below(50), random.below(256));
      pkt.len = end - at;
      readOuter(pkt);
      if (pkt.len > 0) expect(pkt.at + pkt.len).toBeLessThanOrEqual(end);
    }
  });
});

function writeUdp(udpAt: number, length: number): void {
  pkt.view.setUint16(udpAt, 50_000);
  pkt.view.setUint16(udpAt + 2, 4789);
  pkt.view.setUint16(udpAt + 4, length);
  pkt.view.setUint16(udpAt + 6, 0);
}
