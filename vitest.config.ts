import { defineConfig } from 'vitest/config';

/**
 * `fast`: pure code, seconds, anywhere. `long`: the same by the thousand, random or simulated: for who changes what they are
 * about, and for CI. `system`: real processes, real sockets, real programs; needs a build.
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
          // Two cores: clusters of one file at a time, or each would measure the others.
          fileParallelism: false,
        },
      },
    ],
  },
});
