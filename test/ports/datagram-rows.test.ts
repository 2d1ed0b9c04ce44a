import { describe, expect, test } from 'vitest';
import { SOURCES } from '../../src/encap/outer.ts';
import { Arena } from '../../src/packet/arena.ts';
import { CONTINUE, Drop, type Outcome } from '../../src/packet/outcome.ts';
import { DatagramRows } from '../../src/ports/datagram-rows.ts';
import { withRandom } from '../support/random.ts';

/** A row as it was sent: its datagrams, and what they share. */
interface Sent {
  readonly datagrams: readonly string[];
  readonly endpoint: number;
  readonly source: number;
  readonly tos: number;
}

function world() {
  const arena = new Arena(1 << 20);
  const at = arena.reserve(1 << 17);
  const sent: Sent[] = [];
  const lost: [number, Outcome][] = [];
  const answer = { outcome: CONTINUE as Outcome };
  const rows = new DatagramRows(
    arena,
    66,
    (row) => {
      const { endpoint, source, tos, stride, len, count } = row;
      const datagrams = Array.from({ length: count }, (_, i) =>
        text(row.at + i * stride, Math.min(stride, len - i * stride)),
      );
      sent.push({ datagrams, endpoint, source, tos });
      return answer.outcome;
    },
    (count, reason) => lost.push([count, reason]),
  );
  const text = (from: number, len: number) => Buffer.from(arena.bytes.slice(from, from + len)).toString('latin1');
  const take = (datagram: string, endpoint = 0, source = 0, tos = 0) => {
    arena.bytes.set(Buffer.from(datagram, 'latin1'), at);
    return rows.take(at, datagram.length, endpoint, source, tos);
  };
  // More than one came in the turn before.
  take('warm');
  take('up');
  rows.flush();
  sent.splice(0);
  return { rows, sent, lost, answer, take };
}

describe('a row', () => {
  test('is sent when it is asked for, once', () => {
    const { rows, sent, take } = world();
    for (const datagram of ['aa', 'bb', 'cc']) expect(take(datagram, 3, 5, 2)).toBe(true);
    expect(sent).toEqual([]);
    rows.flush();
    rows.flush();
    expect(sent).toEqual([{ datagrams: ['aa', 'bb', 'cc'], endpoint: 3, source: 5, tos: 2 }]);
  });

  test('ends with one that is shorter, and before one that is longer, for another node, or of another TOS', () => {
    const { rows, sent, take } = world();
    for (const datagram of ['aaa', 'bb', 'cc', 'ddd']) take(datagram);
    take('eee', 1);
    take('fff', 1, 0, 1);
    rows.flush();
    expect(sent.map(({ datagrams }) => datagrams)).toEqual([['aaa', 'bb'], ['cc'], ['ddd'], ['eee'], ['fff']]);
  });

  test('has 64 datagrams at most, and 32 KiB', () => {
    const { rows, sent, take } = world();
    for (let i = 0; i < 65; i++) take('x'.repeat(100));
    rows.flush();
    for (let i = 0; i < 23; i++) take('y'.repeat(1500));
    rows.flush();
    expect(sent.map(({ datagrams }) => datagrams.length)).toEqual([64, 1, 21, 2]);
  });

  test('takes none that is longer than a row', () => {
    const { take, rows, sent } = world();
    expect(take('z'.repeat(32_769))).toBe(false);
    expect(take('z'.repeat(32_768))).toBe(true);
    rows.flush();
    expect(sent.length).toBe(1);
  });

  test('begins with the second datagram of a turn, when one alone came in the turn before', () => {
    const { rows, sent, take } = world();
    take('aa');
    rows.flush();
    expect(['bb', 'cc', 'dd'].map((datagram) => take(datagram))).toEqual([false, true, true]);
    rows.flush();
    expect(take('ee')).toBe(true);
    rows.flush();
    expect(sent.map(({ datagrams }) => datagrams)).toEqual([['aa'], ['cc', 'dd'], ['ee']]);
  });

  test('of one source is sent without the others', () => {
    const { rows, sent, take } = world();
    take('aa', 0, 1);
    take('bb', 0, 2);
    rows.flushSource(2);
    rows.flushSource(3);
    expect(sent.map(({ source }) => source)).toEqual([2]);
  });

  test('that cannot be sent is told of, and forgotten', () => {
    const { rows, lost, answer, take, sent } = world();
    answer.outcome = Drop.UnderlayBusy;
    take('aa');
    take('bb');
    rows.flush();
    rows.flush();
    expect([lost, sent.length]).toEqual([[[2, Drop.UnderlayBusy]], 1]);
  });
});

test('whatever comes: every datagram leaves once, whole, where it should, in the order of its source', () => {
  withRandom((random) => {
    const { rows, sent, take } = world();
    const given: Sent[] = [];
    for (let i = 0; i < 3000; i++) {
      const [endpoint, source, tos] = [random.below(2), random.below(SOURCES), random.once(9) ? 1 : 0];
      const datagram = `${i}`.padEnd(random.once(5) ? random.between(5, 9) : 9, '.');
      const alone = { datagrams: [datagram], endpoint, source, tos };
      if (!take(datagram, endpoint, source, tos)) {
        rows.flushSource(source);
        sent.push(alone);
      }
      given.push(alone);
      if (random.once(40)) rows.flush();
    }
    rows.flush();
    for (let source = 0; source < SOURCES; source++) {
      const of = (list: readonly Sent[]) =>
        list
          .filter((row) => row.source === source)
          .flatMap(({ datagrams, endpoint, tos }) => datagrams.map((datagram) => [datagram, endpoint, tos]));
      expect(of(sent)).toEqual(of(given));
    }
    expect(sent.length).toBeLessThan(2500);
  });
});
