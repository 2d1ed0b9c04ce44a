import { describe, expect, test } from 'vitest';
import { hasUsableEndpoint, isServing, usableEndpoints } from '../../src/service/endpoints.ts';
import type { EndpointSpec } from '../../src/service/service-spec.ts';

type Conditions = Omit<EndpointSpec, 'address' | 'port'>;

const ready = {};
const unready = { ready: false };
/** Ends, and answers still. */
const draining = { ready: false, serving: true, terminating: true };
/** Ends, and answers no more. */
const ended = { ready: false, serving: false, terminating: true };

function endpoints(list: readonly Conditions[]): EndpointSpec[] {
  return list.map((conditions, i) => ({ address: `10.244.1.${i}`, port: 80, ...conditions }));
}

/** Places in the list of those that may be used. */
function usable(list: readonly Conditions[], local = false): number[] {
  return usableEndpoints(endpoints(list), local).map(({ address }) => Number(address.split('.')[3]));
}

function here(conditions: Conditions): Conditions {
  return { ...conditions, local: true };
}

describe('with the policy Cluster', () => {
  test('KP-001 a condition that is left out: ready, serving as ready, not terminating', () => {
    expect(usable([ready, unready])).toEqual([0]);
    expect(usable([{ terminating: true }])).toEqual([0]);
    expect(usable([{ ready: false, terminating: true }])).toEqual([]);
    const serving = endpoints([ready, unready, draining, ended, { serving: false }]).map(isServing);
    expect(serving).toEqual([true, false, true, false, false]);
  });

  test('KP-006 without ready ones, those that serve while they end', () => {
    expect(usable([unready, draining, ended, here(draining)])).toEqual([1, 3]);
  });

  test('KP-009 one ready endpoint is enough for those that end to get nothing', () => {
    expect(usable([draining, ready, here(draining)])).toEqual([1]);
  });

  test('KP-008 who ends and does not serve gets nothing, ever; nor who serves without being ready', () => {
    expect(usable([ended, { ready: false, serving: true }])).toEqual([]);
  });
});

describe('with the policy Local', () => {
  test('KP-007 ready ones of this node', () => {
    expect(usable([ready, here(ready), here(draining), { ready: true, local: false }], true)).toEqual([1]);
  });

  test('KP-007 without them those of this node that end, whatever is ready elsewhere', () => {
    expect(usable([ready, here(draining), here(ended), draining], true)).toEqual([1]);
    expect(usable([ready, here(unready)], true)).toEqual([]);
  });
});

test('KP-010 is there any, anywhere?', () => {
  const cases = [
    [[], false],
    [[unready, ended], false],
    [[ended, ready], true],
    [[draining], true],
  ] as const;
  for (const [list, want] of cases) expect(hasUsableEndpoint(endpoints(list))).toBe(want);
});
