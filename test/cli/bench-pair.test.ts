import { describe, expect, test } from 'vitest';
import { choosePair } from '../../src/cli/bench-pair.ts';
import { traceCommand } from '../../src/cli/bench-policy.ts';

const pod = (name: string, node: string, namespace = 'shop') => ({ name, node, namespace });
const [a, b, c] = [pod('a', 'n1'), pod('b', 'n1'), pod('c', 'n2')];
const [dns1, dns2] = [pod('dns-1', 'n1', 'kube-system'), pod('dns-2', 'n2', 'kube-system')];
const all = [dns1, a, b, c, dns2];
const anybody = () => true;

describe('choosePair', () => {
  test("the user's own pods on different nodes first", () => {
    expect(choosePair(all, all, anybody)).toEqual({ from: a, to: c, allowed: true });
  });

  test('who may not talk is left out: different nodes go before own pods, those before one node', () => {
    expect(choosePair(all, all, (from, to) => !(from.namespace === 'shop' && to.namespace === 'shop'))).toEqual({
      ...{ from: dns1, to: c, allowed: true },
    });
    expect(choosePair(all, all, (from, to) => from.node === to.node)).toEqual({ from: a, to: b, allowed: true });
    expect(choosePair(all, all, (from, to) => from === dns2 && to === dns1)).toMatchObject({ from: dns2, to: dns1 });
  });

  test('another node goes before an own pod', () => {
    expect(choosePair([a], [b, dns2], anybody)).toMatchObject({ to: dns2 });
  });

  test('one end may be given', () => {
    expect(choosePair([c], all, anybody)).toMatchObject({ from: c, to: a });
    expect(choosePair(all, [c], anybody)).toMatchObject({ from: a, to: c });
    expect(choosePair([a], [a, b], anybody)).toMatchObject({ to: b });
  });

  test('nobody may: the pair that would have been; and no two pods', () => {
    expect(choosePair(all, all, () => false)).toEqual({ from: a, to: c, allowed: false });
    expect(choosePair([a], [a], anybody)).toBeUndefined();
  });

  test('policies are not asked for ever', () => {
    const many = Array.from({ length: 1000 }, (_, i) => pod(`p${i}`, `n${i}`));
    let asked = 0;
    expect(choosePair(many, many, () => ++asked < 0)).toMatchObject({ allowed: false });
    expect(asked).toBeLessThan(1000);
  });
});

test('the command that tells why', () => {
  const connection = { source: '', destination: '10.0.0.1', protocol: 'TCP', port: 80 } as const;
  expect(traceCommand(a, connection)).toBe('podwire trace shop/a 10.0.0.1:80');
  expect(traceCommand(a, { ...connection, destination: 'fd00::1', protocol: 'UDP' })).toBe(
    'podwire trace shop/a [fd00::1]:80 --proto udp',
  );
});
