import { defineConfig } from 'vitest/config';

/**
 * `fast`: pure code, seconds, anywhere. `long`: the same by the thousand, random or simulated: for who changes what they are
 * about, and for CI. `system`: real processes, real sockets, real programs; needs a build. Each of its files has a cluster
 * of its own, and much of its time is waiting: so two go side by side.
 */
export default defineConfig({
  test: {
    maxWorkers: '100%',
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: ['test/system/**', 'test/**/*.long.test.ts'],
          testTimeout: 30_000,
          // No file leaves state behind in a module, and a process per file would double the time.
          isolate: false,
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/**/*.long.test.ts'],
          testTimeout: 30_000,
          isolate: false,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
