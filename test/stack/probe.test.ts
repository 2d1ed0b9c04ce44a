/** One probe and its far end: what each kind of network makes of it. */
import { describe, expect, test } from 'vitest';
import { type ProbeProtocol, type ProbeResult, serveEcho, startProbe } from '../../src/stack/probe.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import type { Frame } from '../support/read-frame.ts';
import { Wire } from './wire.ts';

const A = ['10.244.0.2', 'fd00::2'];
const B = ['10.244.1.2', 'fd00::1:2'];
const TIMEOUT_MS = 5000;
const number = { tcp: 6, udp: 17, sctp: 132 } as const;

interface Outcome extends ProbeResult {
  readonly afterMs: number;
}

interface Network {
  readonly serves?: boolean;
  readonly filter?: (frame: Frame, from: string) => boolean;
  /** Sends an ICMP error for the first packet, in place of carrying it. */
  readonly error?: { readonly type: number; readonly code: number };
}

function probe(protocol: ProbeProtocol, address: string, network: Network): Outcome {
  const errors: Uint8Array[] = [];
  const ipv6 = address.includes(':');
  const wire = new Wire({
    filter: (frame, from) => {
      if (network.error === undefined || from !== 'a' || frame.etherType === 0x0806 || frame.icmpType === 135) {
        return network.filter?.(frame, from) ?? true;
      }
      errors.push(icmpError(wire, frame, network.error));
      return false;
    },
  });
  const [a, b] = [wire.endpoint('a', A), wire.endpoint('b', B)];
  if (network.serves === true && protocol !== 'icmp') serveEcho(b, protocol, 4000);
  const results: Outcome[] = [];
  const target = { protocol, address, port: 4000, timeoutMs: TIMEOUT_MS };
  startProbe(a, target, (result) => results.push({ ...result, afterMs: wire.nowMs }));
  wire.advance(1);
  if (errors.length > 0) wire.deliver('a', errors[0]!);
  wire.advance(60_000);
  expect(results).toHaveLength(1);
  expect([a.nextDueMs, a.connectionCount, b.connectionCount, ipv6]).toEqual([Infinity, 0, 0, ipv6]);
  return results[0]!;
}

function icmpError(wire: Wire, about: Frame, { type, code }: { type: number; code: number }): Uint8Array {
  const { source, destination, version, protocol, sourcePort, destinationPort, sequence, identifier } = about;
  const quoted: FrameSpec = {
    source: source!,
    destination: destination!,
    protocol: 253,
    payload: bytesOf(
      [sourcePort ?? (version === 4 ? 0x0800 : 0x8000), destinationPort ?? 0],
      sequence ?? identifier! << 16,
    ),
  };
  const quote = buildFrame(quoted).subarray(14);
  quote[version === 4 ? 9 : 6] = protocol!;
  const error = { icmpType: type, icmpCode: code, identifier: 0, icmpSequence: 0, payload: quote };
  const ends = { source: destination!, destination: source!, destinationMac: wire.macOf('a') };
  return buildFrame({ ...ends, ...error, protocol: version === 4 ? 'icmp' : 'icmpv6' });
}

function bytesOf(words: readonly number[], last: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  for (const [i, word] of words.entries()) view.setUint16(i * 2, word);
  view.setInt32(4, last);
  return new Uint8Array(view.buffer);
}

describe.each(B)('a probe of %s', (address) => {
  test.each(['tcp', 'udp', 'sctp', 'icmp'] as const)('%s: delivered', (protocol) => {
    expect(probe(protocol, address, { serves: true })).toMatchObject({ outcome: 'delivered' });
  });

  test.each(['tcp', 'udp', 'sctp'] as const)('%s: refused by a closed port', (protocol) => {
    const { outcome, afterMs } = probe(protocol, address, {});
    expect([outcome, afterMs < 100]).toEqual(['refused', true]);
  });

  test.each(['tcp', 'udp', 'sctp', 'icmp'] as const)(
    '%s: no answer where all is lost, once the time is over',
    (protocol) => {
      const lost = (frame: Frame) => frame.protocol === undefined || frame.icmpType === 135;
      const expected = { outcome: 'no-answer', detail: 'no answer', afterMs: TIMEOUT_MS };
      expect(probe(protocol, address, { serves: true, filter: lost })).toEqual(expected);
    },
  );

  test.each(['tcp', 'udp', 'sctp', 'icmp'] as const)('%s: rejected, and unreachable, by an ICMP error', (protocol) => {
    const prohibited = address.includes(':') ? { type: 1, code: 1 } : { type: 3, code: 13 };
    const rejected = probe(protocol, address, { serves: true, error: prohibited });
    expect(rejected.outcome).toBe('rejected');
    expect(rejected.detail).toContain(`communication administratively prohibited (from ${address})`);
    const unreachable = address.includes(':') ? { type: 1, code: 3 } : { type: 3, code: 1 };
    const nobody = probe(protocol, address, { serves: true, error: unreachable });
    expect([nobody.outcome, nobody.afterMs < 100]).toEqual(['unreachable', true]);
    expect(nobody.detail).toMatch(/^(host|address) unreachable/);
  });

  test('tcp: a way that carries the handshake and no data is no delivery', () => {
    const filter = ({ payload, protocol }: Frame) => protocol !== number.tcp || payload.length === 0;
    const result = probe('tcp', address, { serves: true, filter });
    expect(result).toMatchObject({ outcome: 'no-answer', detail: 'connected, then no answer' });
  });
});

test('a datagram that is lost is sent again', () => {
  let seen = 0;
  const filter = ({ protocol }: Frame) => protocol !== number.udp || ++seen > 2;
  expect(probe('udp', B[0]!, { serves: true, filter })).toMatchObject({ outcome: 'delivered', afterMs: 2002 });
});

test('an answer from somewhere else is none', () => {
  const wire = new Wire();
  const a = wire.endpoint('a', A);
  const b = wire.script('b', B);
  const results: ProbeResult[] = [];
  startProbe(a, { protocol: 'udp', address: B[0]!, port: 53, timeoutMs: 900 }, (result) => results.push(result));
  wire.advance(10);
  const { sourcePort } = b.received[0]!;
  const answer = { destination: A[0]!, protocol: 'udp', destinationPort: sourcePort! } as const;
  b.send({ ...answer, sourcePort: 54 });
  wire.advance(10);
  expect(results).toEqual([]);
  b.send({ ...answer, sourcePort: 53 });
  wire.advance(10);
  expect(results).toMatchObject([{ outcome: 'delivered' }]);
});

test('no address of that family: told, not thrown; what is no address is thrown', () => {
  const wire = new Wire();
  const a = wire.endpoint('a', [A[0]!]);
  const results: ProbeResult[] = [];
  for (const protocol of ['tcp', 'udp', 'sctp', 'icmp'] as const) {
    startProbe(a, { protocol, address: B[1]!, port: 53, timeoutMs: 900 }, (result) => results.push(result));
  }
  wire.advance(1);
  const detail = 'no source address or port for it';
  expect(results).toEqual(Array(4).fill({ outcome: 'no-answer', detail }));
  expect(() => startProbe(a, { protocol: 'tcp', address: 'b', port: 1, timeoutMs: 1 }, () => {})).toThrow(RangeError);
});
