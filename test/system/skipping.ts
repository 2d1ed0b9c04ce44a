import { describe, test } from 'vitest';

/** `describe`, skipped where something is missing: then the name says what. */
export function describeUnless(lacks: string | undefined, name: string, body: () => void): void {
  describe.skipIf(lacks)(withReason(name, lacks), body);
}

/** `test`, likewise. @param timeoutMs for what takes longer than tests may. */
export function testUnless(
  lacks: string | undefined,
  name: string,
  body: () => Promise<void>,
  timeoutMs?: number,
): void {
  test.skipIf(lacks)(withReason(name, lacks), body, timeoutMs);
}

function withReason(name: string, lacks: string | undefined): string {
  return lacks === undefined ? name : `${name} (skipped: ${lacks})`;
}
