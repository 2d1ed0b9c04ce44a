import { APPLY_BODY_MAX, APPLY_PATH, type ApplyBody } from '../api/apply.ts';
import { ApiClient } from '../api/client.ts';
import type { ApplyAnswer, ApplyResult } from '../api/cluster-api.ts';
import { resourceOf } from '../store/resources.ts';
import { Refusal } from '../vessel/refusal.ts';
import { clusterName, clusterOption, readArguments, readSwitch, switchesSpelledOut, UsageError } from './arguments.ts';
import { typeName } from './kinds.ts';
import { readManifestPath } from './manifest-paths.ts';
import { answered, say } from './output.ts';

export const usage = `Usage: podwire apply [-n NAMESPACE] -f PATH... [--wait=false]

Make the cluster be as YAML says: files, folders, or - for standard input. Returns when every node obeys.

  -f, --filename PATH         may be given more than once; PATHs may also stand alone
  -n, --namespace NAMESPACE   of objects that name none (default: default)
      --wait=false            return as soon as the cluster has taken the objects
      --name NAME             of the cluster (default: podwire, or the only one)

Exit status: 0 applied and in force, 1 applied, but not all of it could be done (the reasons are events too), 2 refused,
with every problem; then nothing was changed.
`;

const options = {
  ...clusterOption,
  filename: { type: 'string', short: 'f', multiple: true, default: [] as string[] },
  namespace: { type: 'string', short: 'n' },
  wait: { type: 'string', default: 'true' },
} as const;

/** Nodes make thousands of pods in this time. */
export const WORK_TIMEOUT_MS = 600_000;

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(switchesSpelledOut(argv, ['wait']), options, usage);
  const paths = [...positionals, ...values.filename];
  if (paths.length === 0) throw new UsageError('expected -f PATH', usage);
  const body = manifestBody(paths, values.namespace, readSwitch(values.wait, '--wait', usage));
  const client = new ApiClient(clusterName(values.name));
  return await answered(async () => {
    const { results, notes, problems } = await client.post<ApplyAnswer>(APPLY_PATH, body, WORK_TIMEOUT_MS);
    await say(results.map((result) => `${qualified(result)}/${result.name} ${result.result}\n`).join(''));
    for (const line of [...notes, ...problems]) process.stderr.write(`${line}\n`);
    return problems.length === 0 ? 0 : 1;
  });
}

/** @throws Refusal for paths that cannot be read, and for more than the cluster takes */
export function manifestBody(paths: readonly string[], namespace: string | undefined, wait: boolean): ApplyBody {
  const files = paths.flatMap(readManifestPath);
  const bytes = files.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  if (bytes > APPLY_BODY_MAX) {
    throw new Refusal(`${bytes} bytes of manifests: at most ${APPLY_BODY_MAX >> 20} MiB are taken at once; split them`);
  }
  return { files, wait, ...(namespace === undefined ? {} : { namespace }) };
}

/** `deployment.apps` */
export function qualified({ apiVersion, kind }: ApplyResult): string {
  const resource = resourceOf({ apiVersion, kind });
  return resource === undefined ? kind.toLowerCase() : typeName(resource);
}
