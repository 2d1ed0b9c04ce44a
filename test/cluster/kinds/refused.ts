import { expect, test } from 'vitest';
import type { KubernetesObject } from '../../../src/store/object.ts';
import { objectsOf, refusalOf } from '../refusal.ts';

/** A document of a kind; `fields` are its lines after the name, in flow style. */
export function documentText(apiVersion: string, kind: string, ...fields: readonly string[]): string {
  return [`apiVersion: ${apiVersion}`, `kind: ${kind}`, 'metadata: {name: a}', ...fields].join('\n');
}

/** The first object of a text. */
export function objectOf<T extends KubernetesObject>(text: string): T {
  return objectsOf(text)[0]!.object as T;
}

/** A document that must end with this one line, or lines. */
export type Refusal = readonly [name: string, text: string, ...wants: readonly string[]];

export function testRefusals(cases: readonly Refusal[]): void {
  for (const [name, text, ...wants] of cases) {
    test(name, () => {
      expect(refusalOf(() => objectsOf(text))).toEqual(wants.map((want) => expect.stringContaining(want)));
    });
  }
}
