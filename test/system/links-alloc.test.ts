/** Hot-path rule: no allocation per packet, on links either. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { LinkStorm } from '../links/link-storm.ts';

/** Measured: 0; one small object a packet makes 8 and more, one double 3. */
const COLLECTIONS_MAX = 1;

test('a million packets over a link leave the garbage collector nothing to do', async () => {
  const program = new URL('../links/link-storm.ts', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program]);
  const storm = JSON.parse(stdout) as LinkStorm;
  expect(storm.sent).toBeGreaterThan(storm.packets * 0.9);
  expect(storm.collections).toBeLessThanOrEqual(COLLECTIONS_MAX);
});
