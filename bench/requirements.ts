/** What a benchmark needs of the machine before it begins. */
import { existsSync } from 'node:fs';

/** What the user has asked for cannot be had: ends with a line, exit status 1. */
export function refuse(reason: string): never {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

export function requireRoot(): void {
  if (process.getuid?.() !== 0) refuse('this needs root: network namespaces and the wires between them');
}

export function requireBuild(): void {
  if (!existsSync(new URL('../dist/cli/main.js', import.meta.url))) refuse('there is no dist/: npm run build');
}
