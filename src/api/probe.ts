/**
 * `POST /apis/podwire.dev/v1/probe`: a real connection from a pod's network, or a node's. The body is
 * `{"from": {"namespace": "shop", "pod": "web"}, "address": "10.96.0.7", "port": 80, "protocol": "TCP",
 * "timeoutMs": 1000}`, with `{"node": "n1"}` for a node; the answer is a `ProbeReport`. Many at once are fine. Who must
 * know its packets before they are sent says `"sourcePort"`, and another one when the report says that it is taken.
 */
import type { RunningNode, RunningPod } from '../cluster/cluster.ts';
import type { ProbeProtocol, ProbeReport } from '../nodes/protocol.ts';
import { parseAddress } from '../wire/address.ts';
import { ApiError } from './api-error.ts';
import type { ClusterApi } from './cluster-api.ts';
import type { ApiRequest } from './request.ts';

export const PROBE_PATH = '/apis/podwire.dev/v1/probe';

export interface ProbeBody {
  readonly from: { readonly namespace: string; readonly pod: string } | { readonly node: string };
  readonly address: string;
  /** Means nothing to ICMP. */
  readonly port: number;
  readonly protocol: ProbeProtocol;
  readonly timeoutMs: number;
  /** To ask from; an identifier for ICMP. Undefined: any. */
  readonly sourcePort?: number;
}

const protocols: readonly string[] = ['TCP', 'UDP', 'SCTP', 'ICMP'] satisfies ProbeProtocol[];
const TIMEOUT_MS_MAX = 60_000;

type ProbedCluster = Pick<ClusterApi, 'nodes' | 'pods' | 'probe'>;

/** Whoever goes away before the answer ends it: nothing more is sent. */
export async function answerProbe(
  cluster: ProbedCluster,
  request: Pick<ApiRequest, 'json' | 'whileAwaited'>,
): Promise<ProbeReport> {
  const { from, ...question } = readBody(await request.json());
  const place = placeOf(cluster, from);
  return await request.whileAwaited((signal) => cluster.probe(place, question, signal));
}

/** @throws ApiError */
function placeOf(cluster: ProbedCluster, from: ProbeBody['from']): RunningNode | RunningPod {
  if ('node' in from) {
    const node = cluster.nodes.get(from.node);
    if (node === undefined) throw new ApiError(404, 'NotFound', `nodes "${from.node}" not found`);
    return node;
  }
  const { namespace, pod: name } = from;
  const pod = cluster.pods.get(`${namespace}/${name}`);
  if (pod === undefined) throw new ApiError(404, 'NotFound', `pods "${name}" not found in namespace "${namespace}"`);
  if (pod.ending) throw new ApiError(409, 'Conflict', `pods "${name}" is being deleted`);
  return pod;
}

/** @throws ApiError for what is not as it should be */
function readBody(body: unknown): ProbeBody {
  if (!isRecord(body)) throw refused('the body', 'an object');
  const { from, address, port = 0, protocol = 'TCP', timeoutMs = 1000, sourcePort } = body;
  if (!isPlace(from)) throw refused('from', '{"namespace", "pod"} or {"node"}');
  if (typeof address !== 'string' || parseAddress(address) === undefined) throw refused('address', 'an IP address');
  if (typeof protocol !== 'string' || !protocols.includes(protocol)) throw refused('protocol', protocols.join(', '));
  const needsPort = protocol !== 'ICMP';
  if (!isWhole(port, needsPort ? 1 : 0, 65_535)) throw refused('port', 'a number from 1 to 65535');
  if (!isWhole(timeoutMs, 1, TIMEOUT_MS_MAX)) throw refused('timeoutMs', `a number from 1 to ${TIMEOUT_MS_MAX}`);
  const question = { from, address, port, protocol: protocol as ProbeProtocol, timeoutMs };
  if (sourcePort === undefined) return question;
  if (!isWhole(sourcePort, 1, 65_535)) throw refused('sourcePort', 'a number from 1 to 65535');
  return { ...question, sourcePort };
}

function isPlace(from: unknown): from is ProbeBody['from'] {
  if (!isRecord(from)) return false;
  if (typeof from['node'] === 'string') return true;
  return typeof from['namespace'] === 'string' && typeof from['pod'] === 'string';
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(what: string, expected: string): ApiError {
  return new ApiError(400, 'BadRequest', `${what}: expected ${expected}`);
}
