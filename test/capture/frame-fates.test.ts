import { expect, test } from 'vitest';
import { FrameFates } from '../../src/capture/frame-fates.ts';
import { CONTINUE, Consumed, Drop, Place } from '../../src/packet/outcome.ts';
import { Sighting, SightingBit } from '../../src/recording/sighting.ts';

const { Outgoing, Originated } = SightingBit;

function see(fates: FrameFates, ...seen: readonly (readonly [outcome: number, bits: number])[]): void {
  for (const [outcome, bits] of seen) {
    const sighting = new Sighting();
    sighting.outcome = outcome;
    sighting.bits = bits;
    fates.see(sighting);
  }
  fates.end();
}

test('a frame has one end: the first drop of a piece, or it left, or it was for the node, or it waits', () => {
  const fates = new FrameFates();
  see(fates, [CONTINUE, 0], [CONTINUE, Outgoing], [Drop.NoSuchPod, 0], [Drop.MtuExceeded, 0]);
  see(fates, [CONTINUE, 0], [CONTINUE, Outgoing], [CONTINUE, 0], [CONTINUE, Outgoing]);
  see(fates, [Consumed.ArpAnswered, 0], [CONTINUE, Outgoing | Originated]);
  see(fates, [Place.Held, 0]);
  see(fates, [Drop.TtlExceeded, 0], [CONTINUE, Outgoing | Originated], [CONTINUE, 0], [CONTINUE, Outgoing]);
  see(fates, [CONTINUE, 0], [CONTINUE, Outgoing]);
  expect(fates).toMatchObject({ forwarded: 2, held: 1, answered: 2 });
  expect([...fates.dropped]).toEqual([
    ['NoSuchPod', 1],
    ['TtlExceeded', 1],
  ]);
  expect([...fates.consumed]).toEqual([['ArpAnswered', 1]]);
});
