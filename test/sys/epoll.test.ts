import { spawn } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { Epoll, EpollEvent } from '../../src/sys/epoll.ts';
import { createEventfd, drainEventfd, signalEventfd } from '../../src/sys/eventfd.ts';
import { close, Errno } from '../../src/sys/io.ts';
import { missing } from '../support/requires.ts';

const lacks = missing('linux');
const suffix = lacks ? ` (skipped: ${lacks})` : '';

describe.skipIf(lacks)(`eventfd${suffix}`, () => {
  test('many signals are drained as one', () => {
    const fd = createEventfd();
    expect(drainEventfd(fd)).toBe(false);
    signalEventfd(fd);
    signalEventfd(fd);
    expect(drainEventfd(fd)).toBe(true);
    expect(drainEventfd(fd)).toBe(false);
    close(fd);
  });
});

describe.skipIf(lacks)(`epoll${suffix}`, () => {
  test('returns tokens of 32 bits, as many as fit at a time', () => {
    const tokens = [0xffff_fffe, 7, 0];
    const fds = tokens.map(createEventfd);
    const epoll = new Epoll(2);
    for (const [i, fd] of fds.entries()) {
      epoll.add(fd, tokens[i]!);
      signalEventfd(fd);
    }
    // What one wait leaves over comes first in the next.
    const seen = new Set<number>();
    for (let round = 0; round < 2; round++) {
      expect(epoll.wait(0)).toBe(2);
      for (let i = 0; i < 2; i++) {
        expect(epoll.events(i)).toBe(EpollEvent.readable);
        seen.add(epoll.token(i));
      }
    }
    expect(seen).toEqual(new Set(tokens));
    epoll.close();
    fds.map(close);
  });

  test('modify replaces token and events, remove ends them', () => {
    const fd = createEventfd();
    const epoll = new Epoll(8);
    epoll.add(fd, 1);
    expect(epoll.wait(0)).toBe(0);
    epoll.modify(fd, 2, EpollEvent.writable | EpollEvent.edgeTriggered);
    expect(epoll.wait(0)).toBe(1);
    expect([epoll.token(0), epoll.events(0)]).toEqual([2, EpollEvent.writable]);
    expect(epoll.wait(0), 'edge-triggered').toBe(0);
    expect(() => epoll.add(fd, 3)).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    epoll.remove(fd);
    expect(() => epoll.remove(fd)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    signalEventfd(fd);
    expect(epoll.wait(0)).toBe(0);
    close(fd);
    epoll.close();
    expect(epoll.wait(0)).toBe(-Errno.EBADF);
  });

  test('waits as long as told', () => {
    const epoll = new Epoll(1);
    const start = performance.now();
    expect(epoll.wait(50)).toBe(0);
    expect(performance.now() - start).toBeGreaterThanOrEqual(49);
    epoll.close();
  });

  test('a signal ends the wait without an error', async () => {
    const epoll = new Epoll(1);
    let received = false;
    const onSignal = () => {
      received = true;
    };
    process.on('SIGUSR2', onSignal);
    spawn('sh', ['-c', `sleep 0.1; kill -USR2 ${process.pid}`]);
    const start = performance.now();
    expect(epoll.wait(10_000)).toBe(0);
    expect(performance.now() - start).toBeLessThan(9000);
    await expect.poll(() => received).toBe(true);
    process.off('SIGUSR2', onSignal);
    epoll.close();
  });
});
