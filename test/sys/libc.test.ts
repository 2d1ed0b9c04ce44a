import { describe, expect, test } from 'vitest';
import { close, Errno, OpenFlag, open, read, write } from '../../src/sys/io.ts';
import { addressOf, check, SystemCallError } from '../../src/sys/libc.ts';
import { missing } from '../support/requires.ts';

const lacks = missing('linux');
describe.skipIf(lacks)(`libc${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  test('reads and writes by address', () => {
    const fd = open('/proc/self/comm', OpenFlag.readOnly | OpenFlag.closeOnExec);
    expect(fd).toBeGreaterThan(2);
    const buffer = Buffer.alloc(64, 0xa5);
    const length = read(fd, addressOf(buffer), buffer.length);
    expect(buffer[length - 1]).toBe(0x0a);
    expect(buffer[length]).toBe(0xa5);
    expect(write(fd, addressOf(buffer), 1)).toBe(-Errno.EBADF);
    expect(close(fd)).toBe(0);
    expect(read(fd, addressOf(buffer), 1)).toBe(-Errno.EBADF);
    expect(close(fd)).toBe(-Errno.EBADF);
  });

  test('an address counts the byte offset and stays, whatever the size of the buffer', () => {
    const memory = new ArrayBuffer(64);
    const base = addressOf(memory);
    expect(addressOf(new Uint8Array(memory, 8, 4))).toBe(base + 8);
    expect(addressOf(new DataView(memory, 12))).toBe(base + 12);
    expect(addressOf(Buffer.from(memory, 16))).toBe(base + 16);
    // V8 keeps small typed arrays on its moving heap until somebody asks for their memory.
    const small = new Uint8Array(8);
    const address = addressOf(small);
    for (let i = 0; i < 50; i++) new Array(100_000).fill(i);
    expect(addressOf(small)).toBe(address);
  });

  test('a failure names call, code and reason', () => {
    const failing = () => check(open('/nonexistent', 0) < 0 ? -1 : 0, 'open(/nonexistent)');
    expect(failing).toThrow(SystemCallError);
    expect(failing).toThrow('open(/nonexistent): ENOENT, no such file or directory');
    expect(check(7, 'any')).toBe(7);
  });

  test.each([
    [Errno.EPERM, 'EPERM', 'operation not permitted'],
    [Errno.EBADFD, 'ERRNO_77', 'no description'],
    [62, 'ETIME', 'no description'],
  ])('errno %i is %s', (errno, code, reason) => {
    const error = new SystemCallError('setns(net)', errno, 'said the kernel');
    expect(error).toMatchObject({ code, errno, call: 'setns(net)', name: 'SystemCallError' });
    expect(error.message).toBe(`setns(net): ${code}, ${reason} (said the kernel)`);
  });
});
