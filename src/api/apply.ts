/**
 * `POST /apis/podwire.dev/v1/apply` and `/delete`: documents as they were written, so that what is wrong with them can
 * be told by file, line and column. The body is `{"namespace": "shop", "files": [{"file": "web.yaml", "text": "…"}]}`;
 * with `"wait": false` the answer comes before nodes obey.
 */
import type { ManifestText } from '../cluster/manifests.ts';
import { dnsLabel } from '../cluster/text-rule.ts';
import { ApiError } from './api-error.ts';
import type { ApplyAnswer, ClusterApi } from './cluster-api.ts';
import type { ApiRequest } from './request.ts';

export const APPLY_PATH = '/apis/podwire.dev/v1/apply';
export const DELETE_PATH = '/apis/podwire.dev/v1/delete';

/** Bytes. Everything that a test cluster holds, and then some: the bundles of large projects have a few MiB. */
export const APPLY_BODY_MAX = 64 << 20;

export interface ApplyBody {
  /** Of objects that name none. */
  readonly namespace?: string;
  readonly files: readonly ManifestText[];
  readonly wait?: boolean;
}

export async function apply(cluster: ClusterApi, request: ApiRequest): Promise<ApplyAnswer> {
  const { files, namespace, wait } = readBody(await request.json(APPLY_BODY_MAX));
  return await cluster.apply(files, namespace, wait);
}

export async function applyDelete(cluster: ClusterApi, request: ApiRequest): Promise<ApplyAnswer> {
  const { files, namespace, wait } = readBody(await request.json(APPLY_BODY_MAX));
  return { ...(await cluster.delete(files, namespace, wait)), notes: [] };
}

/** @throws ApiError for what is not as it should be */
function readBody(body: unknown): ApplyBody {
  if (!isRecord(body)) throw refused('the body', 'an object with files');
  const { namespace, files, wait } = body;
  const unknown = Object.keys(body).find((name) => !['namespace', 'files', 'wait'].includes(name));
  if (unknown !== undefined) throw refused(`the field ${JSON.stringify(unknown)}`, 'namespace, files or wait');
  if (namespace !== undefined && !(typeof namespace === 'string' && dnsLabel.holds(namespace))) {
    throw refused('namespace', dnsLabel.expected);
  }
  if (wait !== undefined && typeof wait !== 'boolean') throw refused('wait', 'true or false');
  if (!Array.isArray(files) || !files.every(isManifestText)) throw refused('files', 'a list of {"file", "text"}');
  return { files, ...(namespace === undefined ? {} : { namespace }), ...(wait === undefined ? {} : { wait }) };
}

function isManifestText(item: unknown): item is ManifestText {
  return isRecord(item) && typeof item['file'] === 'string' && typeof item['text'] === 'string';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(what: string, expected: string): ApiError {
  return new ApiError(400, 'BadRequest', `${what}: expected ${expected}`);
}
