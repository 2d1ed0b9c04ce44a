import { describe, expect, test } from 'vitest';
import { formatMatrix, matricesOf, matrixLegend } from '../../src/check/matrix.ts';
import type { Party } from '../../src/check/party.ts';
import type { Actual, CheckedPair } from '../../src/check/report.ts';
import type { Pod } from '../../src/store/object.ts';

/** `web-1`: a pod of the workload web; `svc/x`; `10.0.0.7`. */
function party(name: string): Party {
  const isPod = !name.includes('/') && !name.includes('.');
  const pod = isPod ? podNamed(name) : undefined;
  const group = isPod ? name.replace(/-\d+$/, '') : name;
  return { name, endpoint: name, group, pod, service: undefined, outside: name.includes('.') };
}

const pods = new Map<string, Pod>();

function podNamed(name: string): Pod {
  const pod =
    pods.get(name) ?? ({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [] } } as Pod);
  pods.set(name, pod);
  return pod;
}

/** `web-1 > db TCP/80 .`, with `!` behind what is not as expected. */
function pairs(...lines: string[]): CheckedPair[] {
  return lines.map((line) => {
    const [from, , to, where, mark] = line.split(' ') as [string, string, string, string, string];
    const [protocol, port] = where.split('/') as ['TCP', string];
    const actual: Actual = mark.startsWith('.') ? 'allowed' : mark.startsWith('X') ? 'blocked' : 'refused';
    return {
      pair: {
        ...{ from: party(from), to: party(to), protocol, port: Number(port ?? 0) },
        ...{ expected: 'allow', refusedMeans: 'neither', place: undefined },
      },
      answer: { outcome: 'delivered', reason: '', rule: undefined, policies: [], explanation: undefined },
      ...{ actual, ok: !mark.endsWith('!'), why: '', capture: undefined, captureFailure: undefined },
    };
  });
}

function text(...lines: string[]): string {
  return matricesOf(pairs(...lines))
    .map(formatMatrix)
    .join('');
}

describe('a matrix', () => {
  test('has sources down, destinations across, and marks what differs', () => {
    expect(text('a > b TCP/80 .', 'b > a TCP/80 X!', 'c > a TCP/80 ?')).toBe(
      ['TCP 80, from row to column:', '   a   b', 'a  -   .', 'b  X!  -', 'c  ?', ''].join('\n'),
    );
  });

  test('orders pods, Services, addresses; protocols and ports', () => {
    expect(text('z > 10.0.0.7 UDP/9 .', 'z > svc/a UDP/9 .', 'z > b UDP/9 .', 'z > b TCP/100 .', 'z > b TCP/9 X')).toBe(
      [
        ...['TCP 9, from row to column:', '   b', 'z  X'],
        ...['TCP 100, from row to column:', '   b', 'z  .'],
        ...['UDP 9, from row to column:', '   b   svc/a  10.0.0.7', 'z  .   .      .', ''],
      ].join('\n'),
    );
  });

  test('is shown once for ports that have the same', () => {
    expect(text('a > b TCP/80 .', 'a > b TCP/81 .', 'a > b UDP/53 X', 'a > b SCTP/7 .', 'a > b ICMP .')).toBe(
      [
        ...['TCP 80, TCP 81, SCTP 7, ICMP, from row to column:', '   b', 'a  .'],
        ...['UDP 53, from row to column:', '   b', 'a  X', ''],
      ].join('\n'),
    );
  });

  test('shows pods of one workload as one row and column where they are alike', () => {
    const alike = ['web-1 > db TCP/80 .', 'web-2 > db TCP/80 .', 'db > web-1 TCP/80 X', 'db > web-2 TCP/80 X'];
    const among = ['web-1 > web-2 TCP/80 X', 'web-2 > web-1 TCP/80 X'];
    expect(text(...alike, ...among)).toBe(
      [
        'TCP 80, from row to column:',
        '              db  web (2 pods)',
        'db            -   X',
        'web (2 pods)  .   X',
        '',
      ].join('\n'),
    );
  });

  test.each([
    ['towards others', ['web-1 > db TCP/80 .', 'web-2 > db TCP/80 X']],
    ['in what is asked', ['web-1 > db TCP/80 .', 'web-2 > api TCP/80 .']],
    ['in what differs', ['web-1 > db TCP/80 .', 'web-2 > db TCP/80 .!']],
    ['among each other', ['web-1 > web-2 TCP/80 .', 'web-2 > web-1 TCP/80 X']],
  ])('keeps them apart that differ %s', (_, lines) => {
    const [matrix] = matricesOf(pairs(...lines));
    expect(matrix!.rows).toEqual(['web-1', 'web-2']);
  });

  test('of many columns numbers them, in blocks that fit a terminal', () => {
    const names = Array.from({ length: 60 }, (_, i) => `destination${String(i + 1).padStart(2, '0')}`);
    const found = text(...names.map((name, i) => `a > ${name} TCP/80 ${i === 59 ? 'X' : '.'}`));
    const lines = found.split('\n');
    expect(lines[1]).toMatch(/^ {3}1 {3}2 {3}3 .*24$/);
    expect(lines.find((line) => line.includes('60'))).toMatch(/49 .* 60$/);
    expect(lines).toContain('  60 destination60');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect([...found.matchAll(/^a .*$/gm)].map(([line]) => line.replaceAll(/[ a]/g, '')).join('')).toBe(
      `${'.'.repeat(59)}X`,
    );
  });

  test('has a legend of the marks that are there', () => {
    const legend = (...lines: string[]) => matrixLegend(matricesOf(pairs(...lines)));
    expect(legend('a > b TCP/80 .')).toBe('. allowed');
    expect(legend('a > b TCP/80 X!', 'b > a TCP/80 ?')).toBe(
      'X blocked   ? came through, nothing listens   - the pod itself   ! not as expected',
    );
  });
});
