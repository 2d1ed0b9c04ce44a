import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * As `mkdir -p`. Node's own `recursive` goes on for ever where the system answers ENOENT for a parent that is there, as
 * /proc does.
 *
 * @param mode of what is made. @throws the system's error.
 */
export function makeDirectory(path: string, mode = 0o777): void {
  const whole = resolve(path);
  if (statSync(whole, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (dirname(whole) !== whole) makeDirectory(dirname(whole), mode);
  mkdirSync(whole, { mode });
}
