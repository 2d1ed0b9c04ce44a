/**
 * Random scripts through the fast table and through the slow, obvious one: class, direction, state, flags and deadline
 * of every entry, and the statistics, must be the same after every packet. `PODWIRE_PACKETS=1000000` makes it ten times
 * as long.
 */
import { expect, test } from 'vitest';
import { SlowConntrack, type SlowVerdict } from '../oracle/slow-conntrack.ts';
import type { SlowPacket } from '../oracle/slow-packet.ts';
import { PACKETS } from '../support/packets.ts';
import { Random, withRandom } from '../support/random.ts';
import { randomScript, type Step } from './scripts.ts';
import { play, readable, shortest } from './scripts-run.ts';

const COUNT = PACKETS / 5;
const timeout = 3_600_000;

/** Fails with the shortest script found when the two tables differ. @returns packets played */
function judge(random: Random, capacity: number, slow = () => new SlowConntrack()): number {
  const seed = random.word();
  const script = randomScript(new Random(seed), capacity < 64);
  const differs = (steps: readonly Step[]) => play(steps, slow(), capacity);
  if (differs(script) === undefined) return script.length;
  const short = shortest(script, differs);
  expect.fail(`script ${seed}: ${differs(short)?.what}, after\n${readable(short)}\n`);
}

/** Counts what the scripts come to. */
class Witness extends SlowConntrack {
  readonly #seen: Map<string, number>;

  constructor(seen: Map<string, number>) {
    super();
    this.#seen = seen;
  }

  override track(packet: SlowPacket, nowMs: number, passes?: boolean): SlowVerdict {
    const result = super.track(packet, nowMs, passes);
    const state = `${packet.protocol} ${result.verdict === 'invalid' ? 'INVALID' : (result.entry?.state ?? '-')}`;
    for (const what of [result.verdict, state]) this.#seen.set(what, (this.#seen.get(what) ?? 0) + 1);
    return result;
  }
}

const mustBeSeen = [
  ...['new', 'known', 'related', 'invalid', 'udp -', 'icmp -', 'icmpv6 -', '47 -', '50 -'],
  ...['SYN_SENT', 'SYN_RECV', 'ESTABLISHED', 'FIN_WAIT', 'CLOSE_WAIT', 'LAST_ACK', 'TIME_WAIT', 'CLOSE', 'SYN_SENT2']
    .concat('INVALID')
    .map((state) => `tcp ${state}`),
  ...['CLOSED', 'COOKIE_WAIT', 'COOKIE_ECHOED', 'ESTABLISHED', 'SHUTDOWN_SENT', 'SHUTDOWN_RECD', 'SHUTDOWN_ACK_SENT']
    .concat('HEARTBEAT_SENT', 'INVALID')
    .map((state) => `sctp ${state}`),
];

test(`CT-001 to CT-048: ${COUNT} packets of random scripts, judged twice`, { timeout }, () =>
  withRandom((random) => {
    const seen = new Map<string, number>();
    for (let packets = 0; packets < COUNT; ) packets += judge(random, 64, () => new Witness(seen));
    for (const what of mustBeSeen) expect(seen.get(what) ?? 0, what).toBeGreaterThan(0);
  }),
);

for (const capacity of [4, 32]) {
  test(`CT-050 to CT-055: ${COUNT / 5} packets and room for ${capacity}: who goes, who is refused`, { timeout }, () =>
    withRandom((random) => {
      for (let packets = 0; packets < COUNT / 5; ) packets += judge(random, capacity);
    }),
  );
}

test('a planted difference is found, and shown in few lines', () => {
  /** One millisecond too much in FIN_WAIT. */
  class Planted extends SlowConntrack {
    override track(packet: SlowPacket, nowMs: number, passes?: boolean): SlowVerdict {
      const result = super.track(packet, nowMs, passes);
      if (result.entry?.state === 'FIN_WAIT') result.entry.deadlineMs++;
      return result;
    }
  }
  const random = new Random(1);
  const run = () => {
    for (let i = 0; i < 100; i++) judge(random, 64, () => new Planted());
  };
  // From the start, or from the middle: SYN, SYN/ACK, FIN, or ACK, FIN.
  expect(run).toThrow(/must be FIN_WAIT.* 120001 ms left, is FIN_WAIT.* 120000 ms left, after(\n[^\n]+){2,3}\n$/);
});
