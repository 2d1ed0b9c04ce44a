import { describe, expect, test } from 'vitest';
import { type LossLook, lossesBetween, lossWords, transmitDrops } from '../../src/measure/losses.ts';

const NET_DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       1       2    3    4    5     6          7         8        9      10   11   12   13    14      15         16
  eth0:     620       5    0    1    0     0          0         0  1240512     100    0   77    0     0       0          0
 eth01:       0       0    0    0    0     0          0         0        0       0    0    9    0     0       0          0
`;

describe('transmitDrops', () => {
  test('the drops of sending, of that interface, or of all of them', () => {
    expect(transmitDrops(NET_DEV, /^eth0$/)).toBe(77);
    expect(transmitDrops(NET_DEV, /^eth01$/)).toBe(9);
    expect(transmitDrops(NET_DEV, /^eth\d+$/)).toBe(86);
  });

  test('of an interface that is not there, or half a line: unknown', () => {
    expect(transmitDrops(NET_DEV, /^eth1$/)).toBeUndefined();
    expect(transmitDrops('eth0: 1 2 3', /^eth0$/)).toBeUndefined();
    expect(transmitDrops('', /^eth0$/)).toBeUndefined();
  });
});

const look = (podQueue: number | undefined, dropped: Record<string, number>, sendFailures: number): LossLook => {
  const ports = { underlay: { sendFailures }, 'pod/0': { sendFailures: 1 } };
  return { podQueue, wireQueues: podQueue && 3 * podQueue, nodes: new Map([['n1', { dropped, ports }]]) };
};

describe('losses of a measurement', () => {
  test('are those since it began, by place and reason', () => {
    const losses = lossesBetween(
      look(5, { LinkLoss: 3, PolicyDenied: 2 }, 1),
      look(517, { LinkLoss: 9, PolicyDenied: 2 }, 5),
    );
    const nodes = [{ node: 'n1', dropped: { LinkLoss: 6 }, sendFailures: 4 }];
    expect(losses).toEqual({ podQueue: 512, wireQueues: 1536, nodes });
    expect(lossWords(losses)).toEqual([
      "lost at the pod's own queue, which it filled faster than its node reads: 512 packets, a superframe being one",
      'lost between nodes, which sent faster than the other read: 1,536 packets',
      'dropped by n1: 6 LinkLoss',
      'could not be sent on by n1: 4 packets',
    ]);
  });

  test('none have no words; what is not known is no zero', () => {
    const none = lossesBetween(look(5, {}, 1), look(5, {}, 1));
    expect(none).toEqual({ podQueue: 0, wireQueues: 0, nodes: [{ node: 'n1', dropped: {}, sendFailures: 0 }] });
    expect(lossWords(none)).toEqual([]);
    expect(lossesBetween(look(undefined, {}, 0), look(5, {}, 0))).toMatchObject({
      podQueue: null,
      wireQueues: null,
    });
    expect(lossesBetween({ podQueue: 0, wireQueues: 0, nodes: new Map() }, look(0, {}, 0)).nodes).toEqual([]);
  });
});
