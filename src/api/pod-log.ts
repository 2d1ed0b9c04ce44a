/** `GET …/pods/NAME/log`: what a pod has said, and with `follow=true` what it says from now on. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesObject } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { ApiError } from './api-error.ts';
import type { ClusterApi } from './cluster-api.ts';
import type { Reply } from './reply.ts';

/** Nodes keep no watchers of logs: who follows, asks again. */
const LOOK_EVERY_MS = 250;

/** @throws ApiError */
export function readTail(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new ApiError(400, 'BadRequest', `tailLines: found ${JSON.stringify(text)}`);
  return Number(text);
}

/** The end of a log, and while `follow` what comes behind it, until the pod or the reader is gone. */
export async function writeLog(
  cluster: ClusterApi,
  pod: KubernetesObject,
  reply: Reply,
  options: { readonly tail: number | undefined; readonly follow: boolean },
): Promise<void> {
  const { namespace = '', name, uid } = pod.metadata;
  const isThere = () => cluster.store.get(kinds.Pod, namespace, name)?.metadata.uid === uid;
  let reading = true;
  void reply.closed().then(() => {
    reading = false;
  });
  let known = linesOf(await cluster.log(namespace, name));
  const tail = options.tail ?? known.length;
  await writeLines(reply, known.slice(known.length - Math.min(tail, known.length)));
  while (options.follow && reading) {
    await sleep(LOOK_EVERY_MS);
    if (!isThere()) break;
    const log = await cluster.log(namespace, name).catch(() => undefined);
    if (log === undefined) continue; // its node has just died, and will be back
    const now = linesOf(log);
    await writeLines(reply, newLines(known, now));
    known = now;
  }
  await reply.end();
}

function linesOf(log: string): string[] {
  return log.split('\n').slice(0, -1);
}

async function writeLines(reply: Reply, lines: readonly string[]): Promise<void> {
  for (const line of lines) await reply.write(`${line}\n`);
  await reply.flush();
}

/**
 * What a log says that it did not say before. It has lost its oldest lines meanwhile, so the end of what was known is
 * looked for at its start; the longest that fits is the right one wherever lines differ from each other.
 */
export function newLines(known: readonly string[], now: readonly string[]): readonly string[] {
  for (let lost = 0; lost < known.length; lost++) {
    const kept = known.length - lost;
    let same = 0;
    while (same < kept && known[lost + same] === now[same]) same++;
    if (same === kept) return now.slice(kept);
  }
  return now;
}
