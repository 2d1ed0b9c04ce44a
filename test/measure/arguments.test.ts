import { describe, expect, test } from 'vitest';
import { readMeterArguments } from '../../src/measure/arguments.ts';

describe('arguments of the meter', () => {
  test('a server and a client', () => {
    const none = { to: '', gro: false, segment: false, timeoutMs: 200 };
    expect(readMeterArguments(['sink', '--port', '0', '--gro'])).toEqual({ ...none, role: 'sink', port: 0, gro: true });
    expect(readMeterArguments(['--to', 'fd00::1', 'blast', '--port=65535', '--segment'])).toEqual({
      ...none,
      role: 'blast',
      to: 'fd00::1',
      port: 65_535,
      segment: true,
    });
  });

  for (const [words, message] of [
    ['', /one role of: echo/],
    ['fly --port 1', /one role of/],
    ['constructor --port 1', /one role of/],
    ['echo ping --port 1', /one role of/],
    ['echo', /--port wants a number from 0/],
    ['echo --port 65536', /--port/],
    ['echo --port 1x', /--port/],
    ['echo --port -1', /--port/],
    ['echo --port 1 --to ::1', /echo has no --to/],
    ['ping --port 1', /--to wants an IP address/],
    ['ping --port 0 --to ::1', /--port wants a number from 1/],
    ['ping --port 1 --to localhost', /--to wants/],
    ['sink --port 1 --segment', /sink has no --segment/],
    ['stream --port 1 --to ::1 --gro', /stream has no --gro/],
    ['sink --port 1 --fast', /--fast/],
    ['blast --port 1 --to ::1 --timeout 5', /blast has no --timeout/],
    ['ping --port 1 --to ::1 --timeout 0', /--timeout wants milliseconds/],
  ] as const) {
    test(`refused: ${words}`, () => {
      expect(() => readMeterArguments(words.split(' ').filter((word) => word !== ''))).toThrow(message);
    });
  }
});
