/**
 * NetAssert's tests (github.com/controlplaneio/netassert, version 2): a list of `{name, type, protocol, targetPort,
 * timeoutSeconds, attempts, exitCode, src, dst}`. Exit code 0 means that the connection should come about. It counts a
 * refused TCP connection as none, and a datagram as arrived when it is seen in the pod, whoever listens there.
 */
import { type Field, shown } from '../cluster/field.ts';
import { kinds } from '../store/resources.ts';
import { formatAddress, parseAddress } from '../wire/address.ts';
import type { End, Expectation } from './expectation.ts';

const fieldNames = [
  ...['name', 'type', 'protocol', 'targetPort', 'timeoutSeconds', 'attempts', 'exitCode'],
  ...['src', 'dst', 'pass', 'failureReason'], // the last two are results, which it writes into the same document
];

const resourceOf = {
  deployment: kinds.Deployment,
  statefulset: kinds.StatefulSet,
  daemonset: kinds.DaemonSet,
  pod: kinds.Pod,
} as const;

const PORT_MAX = 65_535;
const EXIT_CODE_MAX = 255;

/** What is wrong is told to the document's log. */
export function readNetAssert(document: Field): Expectation[] {
  const items = document.items();
  if (items.length === 0) document.refuse('found no tests, expected at least one');
  const names = new Set<string>();
  return items.flatMap((item) => {
    const test = readTest(item);
    if (test?.name === undefined) return [];
    if (names.has(test.name)) item.refuse(`found a second test with the name ${shown(test.name)}; rename one`);
    names.add(test.name);
    return [test];
  });
}

function readTest(item: Field): Expectation | undefined {
  const fields = item.object(fieldNames);
  const name = fields.required('name', 'name: web-to-api')?.text();
  fields.required('type', 'type: k8s')?.choice(['k8s']);
  const isUdp = fields.get('protocol')?.choice(['tcp', 'udp']) === 'udp';
  const port = fields.required('targetPort', 'targetPort: 80')?.integer(1, PORT_MAX);
  const code = fields.get('exitCode')?.integer(0, EXIT_CODE_MAX) ?? 0;
  for (const limit of ['timeoutSeconds', 'attempts']) fields.get(limit)?.integer(1, Number.MAX_SAFE_INTEGER);
  const from = readEnd(fields.required('src', 'src: {k8sResource: …}'), ['k8sResource']);
  const to = readEnd(fields.required('dst', 'dst: {k8sResource: …}'), ['k8sResource', 'host']);
  if (name === undefined || port === undefined || from === undefined || to === undefined) return undefined;
  const verdict = code === 0 ? 'allow' : 'deny';
  const refusedMeans = isUdp ? 'allow' : 'deny';
  const { place, path } = item;
  return { verdict, name, from, to, port, protocol: isUdp ? 'UDP' : 'TCP', refusedMeans, place, path };
}

function readEnd(field: Field | undefined, known: readonly string[]): End | undefined {
  const fields = field?.object(known);
  const resource = fields?.get('k8sResource');
  const host = fields?.get('host');
  if (resource !== undefined && host !== undefined) host.refuse('found host beside k8sResource, expected one of them');
  if (resource !== undefined) return readResource(resource);
  if (host !== undefined) return readHost(host);
  if (field?.node.type !== 'map') return undefined;
  if ([...field.node.fields.keys()].every((name) => known.includes(name)))
    field.refuse(`found nobody, expected ${known.join(' or ')}`);
  return undefined;
}

function readResource(field: Field): End | undefined {
  const fields = field.object(['kind', 'name', 'namespace', 'clone']);
  const kind = fields.required('kind', 'kind: pod')?.choice(['deployment', 'statefulset', 'daemonset', 'pod']);
  const name = fields.required('name', 'name: web')?.text();
  const namespace = fields.required('namespace', 'namespace: default')?.text();
  if (kind === undefined || name === undefined || namespace === undefined) return undefined;
  return { type: 'object', resource: resourceOf[kind], namespace, name };
}

/** An address; there is no world outside in which a name could be looked up. */
function readHost(field: Field): End | undefined {
  const name = field.object(['name']).required('name', 'name: 10.0.0.7');
  const text = name?.text();
  if (text === undefined) return undefined;
  const words = parseAddress(text);
  if (words !== undefined) return { type: 'ip', address: formatAddress(words) };
  name!.refuse(`found the host ${shown(text)}, expected an address: podwire looks up no names of the internet`);
  return undefined;
}
