/** An endpoint behind a port's bytes, on a clock that somebody else moves. */
import { expect, test } from 'vitest';
import { EventQueue } from '../../src/sim/event-queue.ts';
import { PodEnd } from '../../src/sim/pod-end.ts';
import type { ProbeResult } from '../../src/stack/probe.ts';
import { startProbe } from '../../src/stack/probe.ts';
import { VNET_HEADER_LEN } from '../../src/wire/virtio.ts';
import { NODE_MAC, neighbourAnswer } from '../stack/wire.ts';
import { buildFrame, joined } from '../support/frames.ts';
import { parseFrame } from '../support/read-frame.ts';

const PLACE = { mac: '0a:58:0a:f4:00:02', addresses: ['10.244.0.2'] };
const plain = new Uint8Array(VNET_HEADER_LEN);

function scene() {
  const events = new EventQueue();
  const sent: { timeMs: number; bytes: Uint8Array }[] = [];
  let nowMs = 0;
  const end = new PodEnd({
    ...PLACE,
    mtu: 1400,
    random: () => 7,
    send: (bytes) => sent.push({ timeMs: nowMs, bytes }),
    nowMs: () => nowMs,
    plan: (timeMs, action) => {
      expect(timeMs).toBeGreaterThanOrEqual(nowMs);
      events.plan(timeMs, action);
    },
  });
  const advance = (untilMs: number) => {
    while (events.nextMs <= untilMs) {
      nowMs = events.nextMs;
      events.take()();
    }
    nowMs = untilMs;
  };
  return { end, sent, advance, events };
}

const ping = buildFrame({
  sourceMac: NODE_MAC,
  destinationMac: PLACE.mac,
  source: '10.244.1.2',
  destination: '10.244.0.2',
  protocol: 'icmp',
});

test('is woken when something is due, and when it has been used', () => {
  const { end, sent, advance } = scene();
  const results: ProbeResult[] = [];
  const target = { protocol: 'tcp', address: '10.244.1.2', port: 80, timeoutMs: 2500 } as const;
  end.use((endpoint) => startProbe(endpoint, target, (result) => results.push(result)));
  expect(sent).toEqual([]);
  advance(2499);
  expect(sent.map(({ timeMs }) => timeMs)).toEqual([0, 1000, 2000]); // nobody answers for the next hop
  expect(results).toEqual([]);
  advance(2500);
  expect(results).toEqual([{ outcome: 'no-answer', detail: 'no answer' }]);
});

test('takes and gives what a TAP does; what cannot be a frame is ignored', () => {
  const { end, sent } = scene();
  end.receive(new Uint8Array(VNET_HEADER_LEN - 1));
  end.receive(new Uint8Array(70_000));
  end.receive(joined(plain, ping));
  const arp = sent[0]!.bytes;
  expect(arp.subarray(0, VNET_HEADER_LEN)).toEqual(plain);
  end.receive(joined(plain, neighbourAnswer(arp.subarray(VNET_HEADER_LEN), PLACE.mac)!));
  expect(parseFrame(sent[1]!.bytes.subarray(VNET_HEADER_LEN))).toMatchObject({ icmpType: 0, destinationMac: NODE_MAC });
});

test('once it is closed it neither receives nor sends', () => {
  const { end, sent, advance, events } = scene();
  end.use((endpoint) => endpoint.connect('10.244.1.2', 80, {}));
  end.close();
  end.receive(joined(plain, ping));
  end.use((endpoint) => endpoint.connect('10.244.1.2', 80, {}));
  advance(60_000);
  expect([sent.length, events.nextMs]).toEqual([0, Infinity]);
});
