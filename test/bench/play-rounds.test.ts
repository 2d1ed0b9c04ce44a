import { describe, expect, test } from 'vitest';
import { playRounds } from '../../bench/peers/play-rounds.ts';
import type { RoundResult } from '../../bench/peers/round-result.ts';
import { inOneTurn, type Participant, type Turn, type Workload } from '../../bench/peers/workload.ts';

const usage = { seconds: 1, busySeconds: 1, daemonSeconds: 0, stealShare: 0.01, foreignCores: 0.1 };
const turn = (rate: number): Turn => ({ figures: { rate }, usage });

function workload(...participants: Participant[]): Workload {
  const figures = [{ key: 'rate', title: 'rate', digits: 0 }] as const;
  return { name: 'w', title: 'w', method: '', figures, better: 'more', participants, subjects: [] };
}

function participant(name: string, measure: Participant['measure']): Participant {
  return { name, title: name, measure };
}

async function play(rounds: number, ...participants: Participant[]): Promise<RoundResult[]> {
  const results: RoundResult[] = [];
  const { signal } = new AbortController();
  await playRounds(workload(...participants), { wire: 'mtu', rounds, signal, record: (one) => results.push(one) });
  return results;
}

describe('rounds', () => {
  test('are interleaved, and the one that warms up comes on top', async () => {
    const quick = (name: string) => participant(name, () => inOneTurn(async () => turn(1)));
    const results = await play(2, quick('a'), quick('b'));
    expect(results.map(({ round, contender }) => `${contender}${round}`)).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2']);
    expect(results[3]).toEqual({
      wire: 'mtu',
      workload: 'w',
      contender: 'b',
      round: 1,
      figures: { rate: 1 },
      noise: { stealShare: 0.01, foreignCores: 0.1 },
    });
  });

  test('those with several trials take turns at each', async () => {
    const seen: string[] = [];
    const trials = (name: string, count: number) =>
      participant(name, async function* () {
        for (let i = 0; i < count; i++) {
          if (i > 0) yield;
          seen.push(`${name}${i}`);
        }
        return turn(count);
      });
    const results = await play(0, trials('a', 3), trials('b', 1), trials('c', 2));
    expect(seen).toEqual(['a0', 'b0', 'c0', 'a1', 'c1', 'a2']);
    expect(results.map(({ contender }) => contender)).toEqual(['b', 'c', 'a']);
  });

  test('a failure is written down and the others go on; who fails twice in a row is left out', async () => {
    let good = 0;
    const results = await play(
      3,
      participant('bad', () => inOneTurn(() => Promise.reject(new Error('no answer within 5 s')))),
      participant('shaky', () =>
        inOneTurn(async () => {
          if (good++ % 2 === 0) throw new Error('once in a while');
          return turn(1);
        }),
      ),
    );
    const of = (name: string) => results.filter(({ contender }) => contender === name);
    expect(of('bad').map(({ round, failure }) => [round, failure])).toEqual([
      [0, 'no answer within 5 s'],
      [1, 'no answer within 5 s'],
    ]);
    expect(of('bad')[0]!.figures).toEqual({});
    expect(of('shaky').map(({ failure }) => failure === undefined)).toEqual([false, true, false, true]);
  });

  test('an interruption ends the rounds at once, and lets everybody who has begun put away what is theirs', async () => {
    const interruption = new AbortController();
    const ended: string[] = [];
    const results: RoundResult[] = [];
    const begun = participant('begun', async function* () {
      try {
        yield;
        return turn(1);
      } finally {
        ended.push('begun');
      }
    });
    const interrupted = participant('interrupted', () =>
      inOneTurn(async () => {
        interruption.abort(new Error('Ctrl-C'));
        throw new Error('killed');
      }),
    );
    const never = participant('never', () =>
      inOneTurn(async () => {
        ended.push('never');
        return turn(1);
      }),
    );
    const rounds = playRounds(workload(begun, interrupted, never), {
      wire: 'mtu',
      rounds: 5,
      signal: interruption.signal,
      record: (one) => results.push(one),
    });
    await expect(rounds).rejects.toThrow('Ctrl-C');
    expect(ended).toEqual(['begun']);
    expect(results).toEqual([]);
  });
});
