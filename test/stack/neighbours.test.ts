/** An endpoint on its link: whom it asks, whom it answers. */
import { describe, expect, test } from 'vitest';
import { buildFrame, joined } from '../support/frames.ts';
import { parseFrame } from '../support/read-frame.ts';
import { NODE_MAC, Wire } from './wire.ts';

const HERE = ['10.244.0.2', 'fd00::2'];

function arpFrame(operation: number, sender: number[], target: number[], mac = [2, 0x70, 0xac, 18, 0, 2]): Uint8Array {
  const body = [0, 1, 8, 0, 6, 4, 0, operation, ...mac, ...sender, 0, 0, 0, 0, 0, 0, ...target];
  return joined([255, 255, 255, 255, 255, 255], mac, [8, 6], body);
}

describe('ARP, RFC 826', () => {
  test('asks for 169.254.1.1 once, keeps eight packets, and sends them in order', () => {
    const wire = new Wire({ delayMs: 0 });
    const a = wire.endpoint('a', HERE);
    const b = wire.script('b', ['10.244.1.2']);
    const socket = a.openUdp(9, {});
    for (let i = 0; i < 10; i++) socket.send('10.244.1.2', i + 1, Uint8Array.of(i));
    wire.advance(0);
    expect(b.received.map(({ destinationPort }) => destinationPort)).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
    expect(wire.frames('a').filter(({ etherType }) => etherType === 0x0806)).toHaveLength(1);
    const [request] = wire.frames('a');
    expect(request).toMatchObject({ destinationMac: 'ff:ff:ff:ff:ff:ff', sourceMac: wire.macOf('a') });
    const asked = [10, 244, 0, 2, 0, 0, 0, 0, 0, 0, 169, 254, 1, 1];
    expect([...request!.payload.subarray(14)]).toEqual(asked);
    expect(wire.frames('a')[1]).toMatchObject({ destinationMac: NODE_MAC, ttl: 64, checksum: 'right' });
  });

  test('answers who asks for an own address, and learns from nobody who was not asked', () => {
    const wire = new Wire({ delayMs: 0 });
    const a = wire.endpoint('a', HERE);
    wire.deliver('a', arpFrame(1, [169, 254, 1, 1], [10, 244, 0, 2]));
    expect(wire.sent).toHaveLength(1);
    const [reply] = wire.frames('a');
    expect(reply).toMatchObject({ destinationMac: NODE_MAC, sourceMac: wire.macOf('a') });
    expect([...reply!.payload.subarray(6, 18)]).toEqual([0, 2, 10, 0x58, 10, 0xf4, 0, 2, 10, 244, 0, 2]);
    wire.deliver('a', arpFrame(1, [169, 254, 1, 1], [10, 244, 0, 3]));
    wire.deliver('a', arpFrame(2, [169, 254, 1, 1], [10, 244, 0, 2], [2, 6, 6, 6, 6, 6]));
    expect(wire.sent).toHaveLength(1);
    a.openUdp(9, {}).send('10.244.1.2', 1, new Uint8Array());
    wire.advance(0);
    expect(wire.frames('a').at(-1)).toMatchObject({ destinationMac: NODE_MAC });
  });
});

describe('Neighbour Discovery, RFC 4861', () => {
  function solicitation(spec: { source?: string; ttl?: number; target?: number; code?: number } = {}): Uint8Array {
    const target = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, spec.target ?? 2];
    return buildFrame({
      sourceMac: NODE_MAC,
      destinationMac: '33:33:ff:00:00:02',
      source: spec.source ?? 'fe80::1',
      destination: 'ff02::1:ff00:2',
      protocol: 'icmpv6',
      icmpType: 135,
      icmpCode: spec.code ?? 0,
      identifier: 0,
      icmpSequence: 0,
      ttl: spec.ttl ?? 255,
      payload: Uint8Array.from(target),
    });
  }

  test('section 7.2.2: asks the solicited-node group of fe80::1 with its own MAC', () => {
    const wire = new Wire({ delayMs: 0 });
    const a = wire.endpoint('a', HERE);
    const b = wire.script('b', ['fd00::1:2']);
    a.openUdp(9, {}).send('fd00::1:2', 1, new Uint8Array(3));
    wire.advance(0);
    const [request, datagram] = wire.frames('a');
    const words = { source: 'fd00::2', destination: 'ff02::1:ff00:1', ttl: 255, icmpType: 135, checksum: 'right' };
    expect(request).toMatchObject({ destinationMac: '33:33:ff:00:00:01', ...words });
    expect([...request!.payload.subarray(16)]).toEqual([1, 1, 10, 0x58, 10, 0xf4, 0, 2]);
    expect(datagram).toMatchObject({ destinationMac: NODE_MAC, ttl: 64, checksum: 'right' });
    expect(b.received).toHaveLength(1);
  });

  test('section 7.2.4: answers for own addresses, to all nodes when the asker has no address', () => {
    const wire = new Wire({ delayMs: 0 });
    wire.endpoint('a', HERE);
    wire.deliver('a', solicitation());
    wire.deliver('a', solicitation({ source: '::' }));
    const words = { source: 'fd00::2', ttl: 255, icmpType: 136, checksum: 'right' };
    expect(wire.frames('a')).toMatchObject([
      { ...words, destination: 'fe80::1', destinationMac: NODE_MAC, identifier: 0x6000 },
      { ...words, destination: 'ff02::1', destinationMac: '33:33:00:00:00:01', identifier: 0x2000 },
    ]);
    expect([...wire.frames('a')[0]!.payload.subarray(16)]).toEqual([2, 1, 10, 0x58, 10, 0xf4, 0, 2]);
  });

  test.each([{ ttl: 254 }, { code: 1 }, { target: 3 }])('section 7.1.1: discards %j', (spec) => {
    const wire = new Wire({ delayMs: 0 });
    wire.endpoint('a', HERE);
    wire.deliver('a', solicitation(spec));
    expect(wire.sent).toEqual([]);
  });
});

test('RFC 1122 section 3.3.6: no answer to what came to a group, to another MAC or to another address', () => {
  const wire = new Wire({ delayMs: 0 });
  wire.endpoint('a', HERE);
  const ping = { source: '10.244.1.2', destination: '10.244.0.2', protocol: 'icmp' } as const;
  wire.deliver('a', buildFrame({ ...ping, destinationMac: 'ff:ff:ff:ff:ff:ff' }));
  wire.deliver('a', buildFrame({ ...ping, destinationMac: '0a:58:0a:f4:00:09' }));
  wire.deliver('a', buildFrame({ ...ping, destinationMac: wire.macOf('a'), destination: '10.244.0.3' }));
  expect(wire.sent).toEqual([]);
  wire.deliver('a', buildFrame({ ...ping, destinationMac: wire.macOf('a') }));
  expect(parseFrame(wire.sent[0]!.bytes).etherType).toBe(0x0806);
});
