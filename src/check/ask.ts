/** A check from question to report, on any backend. */
import { join } from 'node:path';
import type { ClusterView } from './cluster-view.ts';
import type { Expectations } from './expectation.ts';
import { type CheckAnswer, type CheckedPair, judge, type Report } from './report.ts';
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

/** @param captures a folder that is there, called for when it is needed; undefined for no captures */
export async function ask(
  backend: CheckBackend,
  expectations: Expectations,
  captures: (() => string) | undefined,
): Promise<Report> {
  const startedMs = performance.now();
  const question = resolvePairs(expectations, await backend.view());
  const answers = await backend.ask(question.pairs);
  const report = judge(question, answers, { backend: backend.name, elapsedMs: performance.now() - startedMs });
  if (captures === undefined) return report;
  for (const [i, checked] of report.failed.slice(0, CAPTURES_MAX).entries()) {
    const path = join(captures(), captureName(i + 1, checked));
    await backend.capture(checked.pair, path);
    checked.capture = path;
  }
  return report;
}

const NAME_LEN_MAX = 80;

/** `001-shop_web-1-to-shop_db-1-tcp-5432.pcapng`: nothing in it that a file system, or a shell, understands otherwise. */
export function captureName(number: number, { pair }: Pick<CheckedPair, 'pair'>): string {
  const { from, to, protocol, port } = pair;
  const safe = (text: string) => text.replace(/[^A-Za-z0-9.-]+/g, '_').slice(0, NAME_LEN_MAX);
  const where = protocol === 'ICMP' ? 'icmp' : `${protocol.toLowerCase()}-${port}`;
  return `${String(number).padStart(3, '0')}-${safe(from.name)}-to-${safe(to.name)}-${where}.pcapng`;
}
