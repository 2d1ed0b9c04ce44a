import { describe, test } from 'vitest';

/** `describe`, skipped where something is missing: then the name says what. */
export function describeUnless(lacks: string | undefined, name: string, body: () => void): void {
  describe.skipIf(lacks)(withReason(name, lacks), body);
}

/** `test`, likewise. */
export function testUnless(lacks: string | undefined, name: string, body: () => Promise<void>): void {
  test.skipIf(lacks)(withReason(name, lacks), body);
}

function withReason(name: string, lacks: string | undefined): string {
  return lacks === undefined ? name : `${name} (skipped: ${lacks})`;
}
