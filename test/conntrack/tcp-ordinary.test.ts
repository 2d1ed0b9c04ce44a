/** The short way of ordinary segments is the long way, made short. */
import { expect, test } from 'vitest';
import { loadKey } from '../../src/packet/load-key.ts';
import { CONTINUE } from '../../src/packet/outcome.ts';
import { validate } from '../../src/packet/validate.ts';
import { type FrameSpec, writeFrame } from '../support/frames.ts';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';
import { judgeBothWays } from './ordinary-pair.ts';
import { RandomRecords } from './ordinary-records.ts';
import { opened, SACK_PERMITTED, windowScale } from './tcp-ends.ts';
import { ACK, reply } from './tracker.ts';

function records(random: Random): void {
  const world = new RandomRecords(random);
  let ordinary = 0;
  for (let i = 0; i < PACKETS; i++) {
    world.next();
    if (judgeBothWays(world.connections, world.pkt, world.nowMs)) ordinary++;
  }
  expect(ordinary).toBeGreaterThan(PACKETS / 10);
  expect(PACKETS - ordinary).toBeGreaterThan(PACKETS / 10);
}

test(`CT-020 CT-033 to CT-037: ${PACKETS} random segments on random records, both ways`, () => withRandom(records));

test('all of a transfer that runs well is ordinary', () => {
  const options = {
    client: [...SACK_PERMITTED, ...windowScale(7), 0, 0, 0],
    server: [...SACK_PERMITTED, ...windowScale(7), 0, 0, 0],
  };
  const ends = opened({ ...options, window: 65_535 });
  const { connections, pkt } = ends;
  const stamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
  const isOrdinary = (spec: FrameSpec) => {
    writeFrame(pkt, { flags: ACK, window: 65_535, tcpOptions: stamps, ...spec });
    expect(validate(pkt)).toBe(CONTINUE);
    loadKey(pkt);
    const half = connections.find(pkt.key, 0, connections.hash(pkt.key, 0));
    pkt.connection = half >> 1;
    pkt.direction = half & 1;
    return judgeBothWays(connections, pkt, ends.nowMs);
  };
  const ordinary: boolean[] = [];
  for (let i = 0; i < 25; i++) {
    // Acknowledgments come when a hundred kilobytes are on their way.
    const data = { sequence: 1001 + i * 10_000, acknowledgment: 5001, payload: 10_000, tcpOptions: stamps };
    const acked = 1001 + Math.max(0, i - 10) * 10_000;
    const answer = reply({ sequence: 5001, acknowledgment: acked, window: 60_000 + i, tcpOptions: stamps });
    for (const spec of [data, answer]) {
      ordinary.push(isOrdinary(spec));
      ends.send({ flags: ACK, window: 65_535, ...spec });
    }
  }
  expect(ordinary).not.toContain(false);
});
