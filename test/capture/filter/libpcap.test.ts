/** Our compiler and machine against libpcap's, on random expressions and random frames. */
import { describe, expect, test } from 'vitest';
import { compileFilter } from '../../../src/capture/filter/compile-filter.ts';
import { PACKETS } from '../../support/packets.ts';
import { Random } from '../../support/random.ts';
import { missing } from '../../support/requires.ts';
import { plain, runOn, tunnelled } from './filtering.ts';
import { libpcapFilter } from './libpcap-oracle.ts';
import { randomExpression, randomFrame } from './random-expressions.ts';

const seed = Number(process.env['PODWIRE_SEED'] ?? 20_240_601);
/** `PODWIRE_PACKETS=1000000` makes it 600. */
const EXPRESSIONS = Math.round(PACKETS / 1667);
const FRAMES = 40;

interface Compared {
  readonly random: Random;
  readonly text: string;
  readonly program: Int32Array;
}

/** Random expressions, each compiled by us. */
async function* compiled(withArithmetic: boolean): AsyncGenerator<Compared> {
  const random = new Random(seed);
  for (let i = 0; i < EXPRESSIONS; i++) {
    const text = randomExpression(random, withArithmetic);
    yield { random, text, program: await compileFilter(text) };
  }
}

function differs(ours: boolean, text: string, frame: Uint8Array): Error {
  return new Error(`PODWIRE_SEED=${seed}: ${ours} for ${text}: ${Buffer.from(frame).toString('hex')}`);
}

/** Counts verdicts on whole frames. */
function compareOnFrames({ random, text, program }: Compared, counts: Record<'true' | 'false', number>): void {
  // The optimizer changes what some expressions mean (src/sys/libpcap.ts), so it is no judge of whole frames. What a cut
  // frame has lost it may not read, as we may not.
  const [libpcap, optimized] = [libpcapFilter(text, false), libpcapFilter(text, true)];
  for (let i = 0; i < FRAMES; i++) {
    const frame = randomFrame(random);
    const ours = runOn(program, plain(frame));
    if (ours !== libpcap(frame)) throw differs(ours, text, frame);
    counts[`${ours}`]++;
    const part = frame.subarray(0, random.below(Math.min(frame.length, 80)));
    const oursOfPart = runOn(program, plain(part));
    if (oursOfPart !== libpcap(part) && oursOfPart !== optimized(part)) throw differs(oursOfPart, text, part);
  }
}

describe.skipIf(missing('program:tcpdump'))('as libpcap (needs libpcap)', () => {
  for (const withArithmetic of [false, true]) {
    test(`on frames whole and cut${withArithmetic ? ', also what libpcap has compiled' : ''}`, async () => {
      const counts = { true: 0, false: 0 };
      for await (const one of compiled(withArithmetic)) compareOnFrames(one, counts);
      expect(Math.min(counts.true, counts.false)).toBeGreaterThan((5000 * EXPRESSIONS) / 600);
    });
  }

  test('on both headers of a tunnelled frame, and each alone', async () => {
    let different = 0;
    for await (const { random, text } of compiled(true)) {
      const [outer, inner] = [await compileFilter(`outer:(${text})`), await compileFilter(`inner:(${text})`)];
      const libpcap = libpcapFilter(text, false);
      for (let i = 0; i < 8; i++) {
        const frame = randomFrame(random);
        const both = tunnelled(frame);
        const verdicts = [runOn(outer, both), runOn(inner, both)];
        if (verdicts[0] !== libpcap(both.bytes)) throw differs(verdicts[0]!, `outer: ${text}`, frame);
        if (verdicts[1] !== libpcap(frame)) throw differs(verdicts[1]!, `inner: ${text}`, frame);
        if (verdicts[0] !== verdicts[1]) different++;
      }
    }
    expect(different).toBeGreaterThan((500 * EXPRESSIONS) / 600);
  });
});
