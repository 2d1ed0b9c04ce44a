/** A check from question to judgement, on any backend. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { captureName } from './captures.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Expectations } from './expectation.ts';
import { type CheckAnswer, type CheckedPair, type Judgement, judge } from './report.ts';
import { type Pair, resolvePairs } from './resolve-pairs.ts';

/** A cluster of the check's own. */
export interface CheckBackend {
  readonly name: string;
  view(): Promise<ClusterView>;
  /** @returns in the order of the pairs */
  ask(pairs: readonly Pair[]): Promise<CheckAnswer[]>;
  /** Asks again, and writes all packets meanwhile. @param path of a pcapng file */
  capture(pair: Pair, path: string): Promise<void>;
  close(): Promise<void>;
}

/** More files than anybody looks into. */
export const CAPTURES_MAX = 100;

/** @param captures a folder that is there; undefined for no captures. @throws ManifestError as `resolvePairs` does */
export async function ask(
  backend: CheckBackend,
  expectations: Expectations,
  captures: string | undefined,
): Promise<Judgement> {
  const question = resolvePairs(expectations, await backend.view());
  const judgement = judge(question, await backend.ask(question.pairs), backend.name);
  if (captures === undefined) return judgement;
  for (const [i, checked] of judgement.failed.slice(0, CAPTURES_MAX).entries()) {
    await capture(backend, checked, join(captures, captureName(i + 1, checked)));
  }
  return judgement;
}

/** What was found out stays true, whatever becomes of its packets. */
async function capture(backend: CheckBackend, checked: CheckedPair, path: string): Promise<void> {
  try {
    await backend.capture(checked.pair, path);
    checked.capture = path;
  } catch (error) {
    checked.captureFailure = (error as Error).message;
    try {
      rmSync(path, { force: true });
    } catch {
      // What stands in the way is not ours.
    }
  }
}
