/** What the matrix does not reach: refusals, completing, and checksums that senders write in their other form. */
import { describe, expect, test } from 'vitest';
import { loadKey } from '../../src/packet/load-key.ts';
import { CONTINUE } from '../../src/packet/outcome.ts';
import type { Packet } from '../../src/packet/packet.ts';
import * as rewrite from '../../src/packet/rewrite.ts';
import { validate } from '../../src/packet/validate.ts';
import {
  buildFrame,
  FILL,
  FRAME_ROOM,
  type FrameSpec,
  frameBytes,
  HEADROOM,
  newPacket,
  writeBytes,
  writeFrame,
} from '../support/frames.ts';
import { withRandom } from '../support/random.ts';
import * as randomFrames from '../support/random-frames.ts';
import { parseFrame, readFrame } from '../support/read-frame.ts';

const v6 = { source: 'fd00:10:1::2', destination: 'fd00:10:2::3' };
const pkt = newPacket();

function received(spec: FrameSpec): Packet {
  // What a longer frame left behind.
  pkt.arena.bytes.fill(FILL, pkt.at, pkt.at + FRAME_ROOM);
  writeFrame(pkt, spec);
  expect(validate(pkt)).toBe(CONTINUE);
  loadKey(pkt);
  return pkt;
}

describe('decrementTtl', () => {
  test.each([0, 1])('%i is not decremented: false, and nothing changed', (ttl) => {
    for (const family of [{}, v6]) {
      received({ ...family, ttl });
      expect(rewrite.decrementTtl(pkt)).toBe(false);
      expect(frameBytes(pkt)).toEqual(buildFrame({ ...family, ttl }));
    }
  });

  test('from 255 down to 1, the IPv4 checksum right at every step', () => {
    for (const family of [{ protocol: 'udp' }, { ...v6, protocol: 'udp' }] as const) {
      received({ ...family, ttl: 255 });
      for (let ttl = 254; ttl > 0; ttl--) {
        expect(rewrite.decrementTtl(pkt)).toBe(true);
        if (Buffer.compare(frameBytes(pkt), buildFrame({ ...family, ttl })) !== 0) expect(readFrame(pkt).ttl).toBe(ttl);
      }
      expect(rewrite.decrementTtl(pkt)).toBe(false);
    }
  });
});

describe('setEcn', () => {
  test.each([
    ['IPv4', {}],
    ['IPv6', v6],
  ])('%s: from every mark to every mark, DSCP as it was', (_, family) => {
    for (const tos of [0xb8, 0xb9, 0xba, 0xbb, 0, 3, 0xff]) {
      for (let ecn = 0; ecn < 4; ecn++) {
        received({ ...family, tos });
        rewrite.setEcn(pkt, ecn);
        expect(frameBytes(pkt)).toEqual(buildFrame({ ...family, tos: (tos & 0xfc) | ecn }));
      }
    }
  });
});

describe('a checksum that computes to zero', () => {
  const specs = (['tcp', 'udp', 'icmp'] as const).map((protocol) => ({ protocol, payload: 4 }));
  const all = [...specs, ...(['tcp', 'udp', 'icmpv6'] as const).map((protocol) => ({ ...v6, protocol, payload: 4 }))];
  const field = (bytes: Uint8Array, spec: FrameSpec) => {
    const l4 = spec.source ? 54 : 34;
    const at = l4 + { tcp: 16, udp: 6, icmp: 2, icmpv6: 2 }[spec.protocol as 'tcp'];
    return { at, value: (bytes[at]! << 8) | bytes[at + 1]! };
  };

  for (const spec of all) {
    const corner = randomFrames.withZeroChecksum(spec);
    const name = `${spec.protocol} over IPv${'source' in spec ? 6 : 4}`;
    const canonical = spec.protocol === 'udp' ? 0xffff : 0;

    test(`${name}: is sent as ${canonical === 0 ? '0x0000' : '0xffff, as zero would mean none (RFC 768)'}`, () => {
      expect(field(buildFrame(corner), corner).value).toBe(canonical);
      received(corner);
      expect(rewrite.verifyChecksum(pkt)).toBe(true);
      if (spec.protocol !== 'tcp' && spec.protocol !== 'udp') return;
      received({ ...corner, checksum: 'partial' });
      rewrite.completeChecksum(pkt);
      expect(field(frameBytes(pkt), corner).value).toBe(canonical);
    });

    test(`${name}: is accepted and rewritten in its other form too`, () => {
      const bytes = buildFrame(corner);
      const { at } = field(bytes, corner);
      bytes.fill(canonical === 0 ? 0xff : 0, at, at + 2);
      // UDP's zero is no other form: it means that there is none.
      const want = spec.protocol === 'udp' ? 'zero' : 'right';
      expect(validate(writeBytes(pkt, bytes))).toBe(CONTINUE);
      loadKey(pkt);
      const keys = pkt.key.slice();
      keys[3]! ^= 0x00ff00ff;
      keys[8]! ^= 0x00ff0000;
      rewrite.rewriteFlow(pkt, keys, 0);
      expect(readFrame(pkt).checksum).toBe(want);
      expect(readFrame(pkt).ipChecksum).not.toBe('wrong');
    });
  }

  test('the IPv4 header checksum in its other form is accepted, and stays right', () => {
    const bytes = buildFrame(randomFrames.withZeroIpChecksum({}));
    expect([bytes[24], bytes[25]]).toEqual([0, 0]);
    bytes.set([0xff, 0xff], 24);
    expect(validate(writeBytes(pkt, bytes))).toBe(CONTINUE);
    rewrite.decrementTtl(pkt);
    expect(readFrame(pkt).ipChecksum).toBe('right');
  });
});

describe('completeChecksum', () => {
  test('leaves complete packets and superframes alone', () => {
    for (const spec of [{ payload: 9 }, { payload: 900, gsoSize: 100 }]) {
      received(spec);
      const before = pkt.checksum;
      rewrite.completeChecksum(pkt);
      expect([pkt.checksum, frameBytes(pkt)]).toEqual([before, buildFrame(spec)]);
    }
  });
});

test('a corrupted SCTP packet does not get a right checksum with its new ports', () => {
  const bytes = buildFrame({ protocol: 'sctp', payload: 'association' });
  bytes[50]! ^= 1;
  if (validate(writeBytes(pkt, bytes)) !== CONTINUE) return;
  loadKey(pkt);
  const keys = pkt.key.slice();
  keys[8]! ^= 0x00010001;
  rewrite.rewriteFlow(pkt, keys, 0);
  expect(readFrame(pkt).checksum).toBe('wrong');
});

test('protocols without a checksum that we know: only addresses change', () => {
  for (const [family, protocol] of [
    [{}, 47],
    [{}, 'icmpv6'],
    [v6, 47],
    [v6, 1],
  ] as const) {
    const spec = { ...family, protocol, payload: 30 };
    received(spec);
    const keys = pkt.key.slice();
    keys[3]! = 0x0a636363;
    keys[7]! = 0x0a646464;
    rewrite.rewriteFlow(pkt, keys, 0);
    const got = parseFrame(frameBytes(pkt));
    expect([got.source?.endsWith('99'), got.ipChecksum ?? 'right']).toEqual([!('source' in family), 'right']);
    const upper = frameBytes(pkt).subarray('source' in family ? 54 : 34);
    expect(upper).toEqual(buildFrame(spec).subarray('source' in family ? 54 : 34));
  }
});

test('nothing outside the frame is written by any rewrite', () => {
  withRandom((random) => {
    for (let round = 0; round < 300; round++) {
      const version = random.pick([4, 6] as const);
      const protocol = random.pick(['tcp', 'udp', 'sctp', version === 4 ? 'icmp' : 'icmpv6'] as const);
      received(randomFrames.randomSpec(random, protocol, version));
      const keys = pkt.key.slice();
      keys[3] = random.word();
      keys[7] = random.word();
      keys[8]! ^= random.word() & (protocol.startsWith('icmp') ? 0xffff0000 : -1);
      rewrite.rewriteFlow(pkt, keys, 0);
      rewrite.decrementTtl(pkt);
      rewrite.setEcn(pkt, random.below(4));
      const before = pkt.arena.bytes.subarray(pkt.at - HEADROOM, pkt.at);
      const after = pkt.arena.bytes.subarray(pkt.at + pkt.len, pkt.at + pkt.len + 200);
      if (![...before, ...after].every((byte) => byte === FILL)) expect(protocol).toBe('written inside its frame');
    }
  });
});
