import { describe, expect, test } from 'vitest';
import type { ProbeOutcome } from '../../src/stack/probe.ts';
import { probeVerdict } from '../../src/stack/probe-verdict.ts';

const silence = 'no-answer';

describe('what a probe comes to', () => {
  test.each<[string, ProbeOutcome, string | undefined, boolean, string, string]>([
    ['an answer', 'delivered', undefined, false, 'delivered', 'said'],
    ['an answer, though something was lost before', 'delivered', 'PolicyDenied', true, 'delivered', 'said'],
    ['the far end that said no', 'refused', undefined, false, 'refused', 'said'],
    ['a no of somebody on the way', 'rejected', undefined, false, 'rejected', 'said'],
    ['an error from somewhere', 'unreachable', undefined, false, 'rejected', 'said'],
    ['an error, and the drop behind it', 'unreachable', 'NoSuchPod', false, 'rejected', 'NoSuchPod'],
    ['a reset, and the drop behind it', 'refused', 'NoEndpoints', false, 'rejected', 'NoEndpoints'],
    ['a drop', silence, 'PolicyDenied', false, 'dropped', 'PolicyDenied'],
    ['a drop that was answered for, whoever got that', silence, 'NoSuchPod', true, 'rejected', 'NoSuchPod'],
    ['a lossy link', silence, 'LinkLoss', false, 'lost', 'link-loss'],
    ['a lossy link, and a no', 'refused', 'LinkLoss', false, 'refused', 'said'],
    ['nothing', silence, undefined, false, 'lost', 'no-answer'],
  ])('%s', (_, outcome, drop, isTold, wanted, reason) => {
    expect(probeVerdict({ outcome, detail: 'said' }, drop, isTold)).toEqual({ outcome: wanted, reason });
  });
});
