/** What a check is given: manifests and expectations, with all that is wrong with either told at once. */
import { resolve } from 'node:path';
import type { Expectation, Expectations } from '../check/expectation.ts';
import { ExpectationError, readExpectations } from '../check/read-expectations.ts';
import { refuseReferences } from '../check/resolve-pairs.ts';
import { type Manifests, type ManifestText, readManifests } from '../cluster/manifests.ts';
import { ManifestError, type Problem } from '../cluster/source.ts';
import { UsageError } from './arguments.ts';
import { readManifestPath } from './manifest-paths.ts';

export interface CheckPaths {
  /** Of manifests. */
  readonly paths: readonly string[];
  readonly expect: readonly string[];
  /** Of endpoints that name none. */
  readonly namespace: string;
  readonly nodes: number | undefined;
}

interface CheckInputs {
  readonly manifests: readonly ManifestText[];
  readonly expectations: Expectations;
}

/** @throws UsageError; Refusal for paths; ManifestError with every problem */
export async function readInputs({ paths, expect, namespace, nodes }: CheckPaths, usage: string): Promise<CheckInputs> {
  if (paths.length === 0) throw new UsageError('expected a PATH with manifests', usage);
  if (expect.length === 0) throw new UsageError('--expect FILE is needed: what should policies let through?', usage);
  if ([...paths, ...expect].filter((path) => path === '-').length > 1) {
    throw new UsageError('standard input is read once: - may stand for one PATH or FILE', usage);
  }
  const expected = expect.flatMap(readManifestPath);
  const files = new Set(expected.map(({ file }) => resolve(file)));
  // Expectations may lie in the folder of their manifests.
  const texts = paths.flatMap(readManifestPath).filter(({ file }) => !files.has(resolve(file)));
  const problems: Problem[] = [];
  const manifests = await attempt(async () => readManifests(texts), problems);
  const expectations = await attempt(
    async () => readExpectations(expected, namespace),
    problems,
    (error) => {
      if (manifests === undefined || !(error instanceof ExpectationError)) return undefined;
      return tryReferences(error.others, manifests, nodes);
    },
  );
  if (manifests === undefined || expectations === undefined) throw new ManifestError(problems);
  return { manifests: texts, expectations };
}

/** @param then what else can be found out when it has failed @returns undefined when there were problems */
async function attempt<T>(
  read: () => Promise<T>,
  problems: Problem[],
  then: (error: ManifestError) => Promise<void> | undefined = () => undefined,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    problems.push(...error.problems);
    await attempt(async () => then(error), problems);
    return undefined;
  }
}

/** A simulated cluster has the names of a real one. @throws ManifestError with expectations that mean nobody in it */
async function tryReferences(list: readonly Expectation[], manifests: Manifests, nodes: number | undefined) {
  const { startSimBackend } = await import('../check/sim-backend.ts');
  const backend = await startSimBackend({ manifests, nodes, seed: undefined, note: () => {} });
  refuseReferences(list, await backend.view());
}
