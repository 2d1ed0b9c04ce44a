import { describe, expect, test } from 'vitest';
import type { RefusedMeans, Verdict } from '../../src/check/expectation.ts';
import type { Party } from '../../src/check/party.ts';
import { type CheckAnswer, doubts, judge, summaryOf } from '../../src/check/report.ts';
import type { Pair } from '../../src/check/resolve-pairs.ts';

function party(name: string, outside = false, more: Partial<Party> = {}): Party {
  return { name, endpoint: name, group: name, pod: undefined, service: undefined, outside, ...more };
}

function report(
  expected: Verdict,
  [outcome, reason]: [CheckAnswer['outcome'], string],
  more: { refusedMeans?: RefusedMeans; outside?: boolean; explanation?: string; from?: Party; to?: Party } = {},
) {
  const { refusedMeans = 'neither', outside = false, explanation, from = party('a'), to = party('b', outside) } = more;
  const pair: Pair = {
    ...{ from, to, protocol: 'TCP', port: 80, expected, refusedMeans },
    place: { file: 'e.yaml', line: 2, column: 3 },
  };
  const entry = { name: 'x', verdict: expected, place: pair.place, pairs: [pair] };
  const answer: CheckAnswer = { outcome, reason, rule: undefined, policies: [], explanation };
  return judge({ pairs: [pair], entries: [entry], notes: [] }, [answer], 'sim');
}

const denied: [CheckAnswer['outcome'], string] = ['dropped', 'PolicyDenied'];

describe('an answer', () => {
  test.each([
    ['allow', ['delivered', 'ok'], 'allowed', true],
    ['deny', ['delivered', 'ok'], 'allowed', false],
    ['allow', denied, 'blocked', false],
    ['deny', denied, 'blocked', true],
    ['allow', ['rejected', 'NoEndpoints'], 'blocked', false],
    ['deny', ['rejected', 'NoEndpoints'], 'blocked', true],
    ['allow', ['lost', 'no-answer'], 'blocked', false],
    ['allow', ['refused', 'RST'], 'refused', false],
    ['deny', ['refused', 'RST'], 'refused', false],
  ] as const)('to %s that is %s is %s', (expected, answer, actual, ok) => {
    const { pairs, entries, failed } = report(expected, [...answer]);
    expect(pairs[0]).toMatchObject({ actual, ok });
    expect(entries[0]!.ok).toBe(ok);
    expect(failed).toHaveLength(ok ? 0 : 1);
    expect(pairs[0]!.why === '').toBe(ok);
  });

  test('that is refused means what the format says', () => {
    expect(report('deny', ['refused', 'RST'], { refusedMeans: 'deny' }).failed).toEqual([]);
    expect(report('allow', ['refused', 'RST'], { refusedMeans: 'allow' }).failed).toEqual([]);
    expect(report('allow', ['refused', 'RST'], { refusedMeans: 'deny' }).failed).toHaveLength(1);
  });

  test('from where nobody is counts as reached, unless a policy has stopped the packet', () => {
    expect(report('allow', ['dropped', 'NoRoute'], { outside: true }).pairs[0]).toMatchObject({
      actual: 'allowed',
      ok: true,
    });
    expect(report('allow', ['lost', 'no-answer'], { outside: true }).pairs[0]!.ok).toBe(true);
    expect(report('deny', denied, { outside: true }).pairs[0]).toMatchObject({ actual: 'blocked', ok: true });
  });

  test('that differs says why: by policies, by who refused, or that none has a say', () => {
    const why = (...args: Parameters<typeof report>) => report(...args).pairs[0]!.why;
    expect(why('allow', denied, { explanation: 'dropped: because' })).toBe('dropped: because');
    expect(why('deny', ['delivered', ''])).toBe('no policy restricts it');
    expect(why('allow', ['lost', 'no-answer'])).toBe('nobody answered (no-answer)');
    expect(why('allow', ['rejected', 'NoEndpoints'])).toBe('rejected: NoEndpoints');
    expect(why('allow', ['refused', 'RST'])).toBe(
      'nothing listens on TCP 80 of b; the packet came through: declare it as a containerPort of the pod, then it answers',
    );
    expect(why('deny', ['refused', 'RST'])).toBe(
      'nothing listens on TCP 80 of b; the packet came through: no policy denies it',
    );
  });

  test('that no policy restricts names both ends, whose policies would do', () => {
    const pod = {} as Party['pod'];
    const [web, db] = [party('shop/web-1', false, { pod }), party('shop/db-1', false, { pod })];
    const service = party('svc/shop/db', false, { service: {} as NonNullable<Party['service']> });
    const why = (from: Party, to: Party) => report('deny', ['delivered', ''], { from, to }).pairs[0]!.why;
    expect(why(web, db)).toBe('no policy restricts egress from shop/web-1 or ingress to shop/db-1');
    expect(why(web, service)).toBe('no policy restricts egress from shop/web-1 or ingress to the pods of svc/shop/db');
    expect(why(web, party('192.0.2.1', true))).toBe('no policy restricts egress from shop/web-1');
    expect(why(party('node/n1'), db)).toBe('no policy restricts ingress to shop/db-1');
  });

  test('of one is counted as one', () => {
    expect(summaryOf(report('allow', ['delivered', '']))).toBe('1 connection is as expected');
    expect(summaryOf(report('deny', ['delivered', '']))).toBe('1 connection is not as expected');
    const { pairs } = report('allow', ['delivered', '']);
    expect(summaryOf({ pairs: [...pairs, ...pairs], failed: [] })).toBe('all 2 connections are as expected');
    expect(summaryOf({ pairs: [...pairs, ...pairs], failed: pairs })).toBe('1 of 2 connections is not as expected');
  });

  test('that is as expected, but by no policy, leaves a doubt', () => {
    expect(doubts(report('deny', ['rejected', 'NoEndpoints']))).toEqual([
      'a → b TCP 80 is blocked as expected, but by no policy: rejected, NoEndpoints',
    ]);
    expect(doubts(report('deny', denied))).toEqual([]);
    expect(doubts(report('allow', ['delivered', '']))).toEqual([]);
    expect(doubts(report('deny', ['refused', 'RST'], { refusedMeans: 'deny' }))).toEqual([]);
  });
});
