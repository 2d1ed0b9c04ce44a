/** The short way of ordinary segments beside the long way: on random records, and along the histories of random scripts. */
import { expect, test } from 'vitest';
import { loadKey } from '../../src/packet/load-key.ts';
import { CONTINUE } from '../../src/packet/outcome.ts';
import { validate } from '../../src/packet/validate.ts';
import { Protocol } from '../../src/wire/protocol.ts';
import { writeFrame } from '../support/frames.ts';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';
import { judgeBothWays } from './ordinary-pair.ts';
import { RandomRecords } from './ordinary-records.ts';
import { randomScript } from './scripts.ts';
import { frameOf } from './scripts-run.ts';
import { Tracker } from './tracker.ts';

const RECORDS = PACKETS * 10;
const HISTORY = PACKETS * 2;
const timeout = 3_600_000;

test(`CT-020 CT-033 to CT-037: ${RECORDS} random segments on random records, both ways`, { timeout }, () =>
  withRandom((random) => {
    const world = new RandomRecords(random);
    for (let i = 0; i < RECORDS; i++) {
      world.next();
      judgeBothWays(world.connections, world.pkt, world.nowMs);
    }
  }),
);

/** Plays a script, and judges each segment of a known connection both ways before it goes on its own. */
function play(random: Random): { packets: number; ordinary: number } {
  const tracker = new Tracker();
  const { connections, pkt } = tracker;
  const script = randomScript(random);
  let ordinary = 0;
  for (const { waitMs, expire, packet } of script) {
    tracker.nowMs += waitMs;
    if (expire > 0) connections.expire(tracker.nowMs, expire);
    const spec = frameOf(packet);
    if (validate(writeFrame(pkt, spec)) === CONTINUE && pkt.protocol === Protocol.Tcp) {
      loadKey(pkt);
      const half = connections.find(pkt.key, 0, connections.hash(pkt.key, 0));
      pkt.connection = half >> 1;
      pkt.direction = half & 1;
      if (half >= 0 && judgeBothWays(connections, pkt, tracker.nowMs)) ordinary++;
    }
    tracker.send(spec);
  }
  return { packets: script.length, ordinary };
}

test(`CT-020 CT-033 to CT-037: ${HISTORY} packets of random scripts, both ways`, { timeout }, () =>
  withRandom((random) => {
    let packets = 0;
    let ordinary = 0;
    while (packets < HISTORY) {
      const played = play(random);
      packets += played.packets;
      ordinary += played.ordinary;
    }
    expect(ordinary).toBeGreaterThan(HISTORY / 50);
  }),
);
