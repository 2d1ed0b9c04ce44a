import { describe, expect, test } from 'vitest';
import { readOptions } from '../../bench/peers/options.ts';

const known = { workloads: ['stream', 'rtt'], contenders: ['podwire', 'ovs', 'tinc'] };
const read = (...words: string[]) => readOptions(words, known);

describe('options', () => {
  test('left out, all of everything, ten rounds of five seconds', () => {
    expect(read()).toEqual({
      ...known,
      wires: ['superframe', 'mtu'],
      seconds: 5,
      rounds: 10,
      congestion: undefined,
      out: undefined,
    });
  });

  test('quick is three rounds of two seconds, unless told otherwise', () => {
    expect(read('--quick')).toMatchObject({ seconds: 2, rounds: 3 });
    expect(read('--quick', '--seconds', '0.5', '--rounds', '1')).toMatchObject({ seconds: 0.5, rounds: 1 });
  });

  test('lists are taken in the known order', () => {
    expect(read('--contenders', 'tinc,podwire', '--only', 'rtt', '--wires', 'mtu')).toMatchObject({
      contenders: ['podwire', 'tinc'],
      workloads: ['rtt'],
      wires: ['mtu'],
    });
  });

  test.each([
    [['--only', 'streams'], '--only takes stream, rtt; found "streams"'],
    [['--contenders', ''], '--contenders takes podwire, ovs, tinc; found ""'],
    [['--wires', 'mtu,wet'], 'found "wet"'],
    [['--rounds', '0'], '--rounds takes a number'],
    [['--seconds', 'many'], 'found "many"'],
    [['--fast'], '--fast'],
  ])('%j is refused', (words, reason) => {
    expect(() => read(...words)).toThrow(reason);
  });
});
