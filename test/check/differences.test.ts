import { describe, expect, test } from 'vitest';
import { differencesOf } from '../../src/check/differences.ts';
import type { Party } from '../../src/check/party.ts';
import type { CheckedPair } from '../../src/check/report.ts';
import { portWords } from '../../src/check/resolve-pairs.ts';

/** `web-1`: a pod of the workload web; with an address behind it, asked for by that. */
function party(name: string): Party {
  const isPlain = !name.includes('.');
  const group = isPlain ? name.replace(/-\d+$/, '') : name.split('@')[0]!.replace(/-\d+$/, '');
  const endpoint = isPlain ? `pod/${name}` : name;
  return { name, endpoint, group, pod: undefined, service: undefined, outside: false };
}

/** `web-1 > db TCP/80 why`; FROM and TO in `why` are the names. */
function blocks(...lines: string[]): string[] {
  const pairs = lines.map((line): CheckedPair => {
    const [from = '', , to = '', where = '', ...words] = line.split(' ');
    const [protocol, port] = where.split('/') as ['TCP', string];
    const why = words.join(' ').replace('FROM', from).replace('TO', to);
    const ends = { from: party(from), to: party(to), protocol, port: Number(port) };
    return {
      pair: { ...ends, expected: 'deny', refusedMeans: 'neither', place: undefined },
      answer: { outcome: 'delivered', reason: '', rule: undefined, policies: [], explanation: undefined },
      ...{ actual: 'allowed', ok: false, why, capture: undefined, captureFailure: undefined },
    };
  });
  return differencesOf(pairs).map(({ from, to, pairs: [first, ...rest] }) => {
    return `${from} → ${to} ${portWords(first.pair.protocol, first.pair.port)} ${first.why} (${1 + rest.length})`;
  });
}

describe('differences', () => {
  test('of pods of one workload with the same cause are one', () => {
    expect(blocks('web-1 > db-1 TCP/80 FROM has app=web', 'web-2 > db-1 TCP/80 FROM has app=web')).toEqual([
      '2 pods of web → db-1 TCP 80 web-1 has app=web (2)',
    ]);
    expect(blocks('web-1 > db-1 TCP/80 TO', 'web-1 > db-2 TCP/80 TO', 'web-1 > db-3 TCP/80 TO')).toEqual([
      'web-1 → 3 pods of db TCP 80 db-1 (3)',
    ]);
    const all = ['web-1 > db-1 TCP/80 x', 'web-1 > db-2 TCP/80 x', 'web-2 > db-1 TCP/80 x', 'web-2 > db-2 TCP/80 x'];
    expect(blocks(...all)).toEqual(['2 pods of web → 2 pods of db TCP 80 x (4)']);
  });

  test('are only of whole workloads where all of their pods differ', () => {
    expect(blocks('web-1 > db-1 TCP/80 x', 'web-1 > db-2 TCP/80 x', 'web-2 > db-1 TCP/80 x')).toEqual([
      '2 pods of web → db-1 TCP 80 x (2)',
      'web-1 → db-2 TCP 80 x (1)',
    ]);
  });

  test.each([
    ['another cause', 'web-2 > db TCP/80 y'],
    ['another port', 'web-2 > db TCP/81 x'],
    ['another protocol', 'web-2 > db UDP/80 x'],
    ['another destination', 'web-2 > api TCP/80 x'],
    ['another workload', 'app-1 > db TCP/80 x'],
    ['another address', 'web-2@10.0.0.1 > db TCP/80 x'],
  ])('stand apart of %s', (_, line) => {
    expect(blocks('web-1 > db TCP/80 x', line)).toHaveLength(2);
  });
});
