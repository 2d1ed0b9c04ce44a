import { DELETE_PATH } from '../api/apply.ts';
import { AnswerError, ApiClient } from '../api/client.ts';
import type { ApplyAnswer, ApplyResult } from '../api/cluster-api.ts';
import { objectPath } from '../api/resource-path.ts';
import { type Resource, resourceOf } from '../store/resources.ts';
import { described } from '../store/store-error.ts';
import { manifestBody, qualified, WORK_TIMEOUT_MS } from './apply.ts';
import { clusterName, clusterOption, readArguments, readSwitch, switchesSpelledOut, UsageError } from './arguments.ts';
import { readTargets, type Target, typeName } from './kinds.ts';
import { answered, say, tellAnswer } from './output.ts';

export const usage = `Usage: podwire delete [-n NAMESPACE] -f PATH...
       podwire delete [-n NAMESPACE] KIND NAME... | KIND/NAME... | KIND (-l SELECTOR | --all)

Delete objects, with what they own. Returns when they are gone.

  -f, --filename PATH         what files, folders or - name; may be given more than once
  -n, --namespace NAMESPACE   (default: default)
  -l, --selector SELECTOR     all of the KIND with these labels
      --all                   all of the KIND
      --ignore-not-found      what is not there is no failure
      --wait=false            return as soon as they are being deleted
      --name NAME             of the cluster (default: podwire, or the only one)
`;

const options = {
  ...clusterOption,
  filename: { type: 'string', short: 'f', multiple: true, default: [] as string[] },
  namespace: { type: 'string', short: 'n' },
  selector: { type: 'string', short: 'l' },
  all: { type: 'boolean', default: false },
  'ignore-not-found': { type: 'boolean', default: false },
  wait: { type: 'string', default: 'true' },
} as const;

/** Deletions on their way: each waits for its object to be gone. */
const AT_ONCE = 16;

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(switchesSpelledOut(argv, ['wait']), options, usage);
  const { filename, namespace, selector, all } = values;
  const wait = readSwitch(values.wait, '--wait', usage);
  const failure = values['ignore-not-found'] ? 0 : 1;
  const client = new ApiClient(clusterName(values.name));
  if (filename.length > 0) {
    if (positionals.length > 0) throw new UsageError('-f says what to delete; expected no KIND beside it', usage);
    const body = manifestBody(filename, namespace, wait);
    return await answered(async () => {
      const { results } = await client.post<ApplyAnswer>(DELETE_PATH, body, WORK_TIMEOUT_MS);
      return (await told(results)) ? 0 : failure;
    });
  }
  const targets = readTargets(positionals, usage);
  const isSelected = all || selector !== undefined;
  if (targets.some(({ names }) => names.length > 0 === isSelected)) {
    throw new UsageError(isSelected ? 'name objects or select them' : 'expected a NAME, -l SELECTOR or --all', usage);
  }
  return await answered(async () => {
    const doomed = await chosen(client, targets, namespace ?? 'default', selector);
    return (await deleteAll(client, doomed, wait)) ? 0 : failure;
  });
}

interface Doomed {
  readonly resource: Resource;
  readonly namespace: string;
  readonly name: string;
}

async function chosen(
  client: ApiClient,
  targets: readonly Target[],
  namespace: string,
  labelSelector: string | undefined,
): Promise<Doomed[]> {
  const doomed: Doomed[] = [];
  for (const { resource, names } of targets) {
    const listed =
      names.length > 0
        ? names
        : (await client.list(resource, { namespace, labelSelector })).items.map(({ metadata }) => metadata.name);
    doomed.push(...listed.map((name) => ({ resource, namespace, name })));
  }
  if (doomed.length === 0) process.stderr.write('No resources found\n');
  return doomed;
}

/** @returns whether all were there */
async function deleteAll(client: ApiClient, doomed: readonly Doomed[], wait: boolean): Promise<boolean> {
  let isComplete = true;
  for (let at = 0; at < doomed.length; at += AT_ONCE) {
    const batch = doomed.slice(at, at + AT_ONCE);
    const answers = await Promise.allSettled(
      batch.map(({ resource, namespace, name }) => {
        return client.delete(`${objectPath(resource, namespace, name)}?wait=${wait}`, WORK_TIMEOUT_MS);
      }),
    );
    for (const [i, answer] of answers.entries()) {
      const { resource, name } = batch[i]!;
      if (answer.status === 'fulfilled') await say(`${typeName(resource)} "${name}" deleted\n`);
      else if (answer.reason instanceof AnswerError && answer.reason.code === 404) {
        tellAnswer(answer.reason);
        isComplete = false;
      } else throw answer.reason;
    }
  }
  return isComplete;
}

/** @returns whether all were there */
async function told(results: readonly ApplyResult[]): Promise<boolean> {
  const missing = results.filter(({ result }) => result === 'not found');
  const gone = results.filter(({ result }) => result !== 'not found');
  await say(gone.map((result) => `${qualified(result)} "${result.name}" deleted\n`).join(''));
  for (const result of missing) {
    const resource = resourceOf(result);
    const what = resource === undefined ? `${result.kind} "${result.name}"` : described(resource, result.name);
    tellAnswer(new AnswerError(404, 'NotFound', `${what} not found`));
  }
  return missing.length === 0;
}
