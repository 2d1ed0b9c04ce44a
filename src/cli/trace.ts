/** The story of one connection: hop by hop, there and back, with the rule that decided. */
import { ApiClient } from '../api/client.ts';
import { fetchPolicyWorld } from '../api/policy-worlds.ts';
import { fetchTables } from '../api/tables.ts';
import { commandOf } from '../controllers/pod-state.ts';
import { harmlessJson } from '../events/flow-text.ts';
import type { PolicyWorld } from '../network-policy/policy-world.ts';
import type { ProbeProtocol, ProbeReport, WorkloadPort } from '../nodes/protocol.ts';
import type { Pod } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { type Beginning, follow } from '../trace/follow.ts';
import { liveRun } from '../trace/live-run.ts';
import { Names } from '../trace/names.ts';
import { type Story, tellStory } from '../trace/story.ts';
import { makeTrace, type Trace, type TraceQuestion } from '../trace/trace.ts';
import { traceText } from '../trace/trace-text.ts';
import { Protocol } from '../wire/protocol.ts';
import { clusterName, clusterOption, readArguments, UsageError } from './arguments.ts';
import { readFilter } from './filter.ts';
import { type Asker, findAsker, findTarget, type Target } from './trace-places.ts';

export const usage = `Usage: podwire trace [-n NAMESPACE] SRC DST[:PORT] [--proto tcp|udp|sctp|icmp] [--dry-run] [-o text|json]

Make one real connection and tell its story: every node that it passes, what a Service makes of it, which policy and rule
let it through or stop it, and how the answer comes back. SRC is [NAMESPACE/]POD, KIND/NAME or node/NAME; DST also
svc/[NAMESPACE/]NAME or an IP address; a bare NAME with a port is a Service where one of that name has the port. PORT is
a number or a name; without it, the first that DST declares.

  -n, --namespace NS   of names without one (default: default)
      --proto PROTO    tcp (default), udp, sctp or icmp
      --dry-run        send nothing: play the cluster's tables in this process. A Service may choose another backend;
                       a pod's own program is taken to answer on every port that it declares
  -o, --output FORMAT  text (default) or json
      --name NAME      of the cluster (default: podwire, or the only one)

The exit code is 0 when it was delivered, else 1: refused (the far end said no), rejected (a node said no, with a
packet), dropped (silently), lost (a link lost it, or nobody answered).
`;

const options = {
  ...clusterOption,
  namespace: { type: 'string', short: 'n', default: 'default' },
  proto: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
  output: { type: 'string', short: 'o', default: 'text' },
} as const;

/** Long enough for a lost SYN to be sent again (RFC 6298: after a second), and for slow links. */
const TIMEOUT_MS = 2500;
/** More backends than this, and nodes tell of all packets. */
const FILTER_HOSTS_MAX = 64;

const protocolNumbers: Readonly<Record<ProbeProtocol, number>> = {
  TCP: Protocol.Tcp,
  UDP: Protocol.Udp,
  SCTP: Protocol.Sctp,
  ICMP: Protocol.Icmp,
};

/** Both ends, and what is known of the cluster that they are in. */
interface Asking {
  readonly client: ApiClient;
  readonly nodes: readonly string[];
  readonly asker: Asker;
  readonly target: Target;
  /** Of the asker. */
  readonly source: string;
}

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  const [from, to] = positionals;
  if (from === undefined || to === undefined || positionals.length > 2) {
    throw new UsageError(`expected SRC and DST, found ${positionals.length} words`, usage);
  }
  const protocol = readProtocol(values.proto);
  const { output, namespace } = values;
  if (output !== 'text' && output !== 'json') throw new UsageError(`-o takes text or json, found "${output}"`, usage);
  const client = new ApiClient(clusterName(values.name));
  const { items: nodes } = await client.list(kinds.Node);
  const asker = await findAsker(client, from, namespace, nodes, usage);
  const target = await findTarget(client, to, asker, { namespace, protocol, nodes, usage });
  const { items: pods } = await client.list(kinds.Pod);
  const names = new Names(nodes, pods, (await client.list(kinds.Service)).items);
  const asking = {
    client,
    nodes: nodes.map(({ metadata }) => metadata.name),
    asker,
    target,
    source: sourceOf(asker, target),
  };
  const dryRun = values['dry-run'];
  const { report, story, notes } = dryRun ? await playedRun(asking, pods) : await sentRun(asking);
  const world = await worldOf(client, story);
  const question = questionOf(asking, [...itselfNotes(asking), ...notes]);
  const trace = makeTrace({ question, report, story, names, world, dryRun });
  process.stdout.write(output === 'json' ? traceJson(trace) : traceText(trace));
  return trace.outcome === 'delivered' ? 0 : 1;
}

function traceJson({ question, ...trace }: Trace): string {
  const { outcome, reason, rule = null, policies, hops, explanation, dryRun } = trace;
  return `${harmlessJson({ outcome, reason, rule, policies, hops, explanation, ...question, dryRun }, 2)}\n`;
}

function readProtocol(text: string | undefined): ProbeProtocol | undefined {
  if (text === undefined) return undefined;
  const protocol = text.toUpperCase();
  if (Object.hasOwn(protocolNumbers, protocol)) return protocol as ProbeProtocol;
  throw new UsageError(`--proto takes tcp, udp, sctp or icmp, found "${text}"`, usage);
}

/** The asker's address of the target's family. */
function sourceOf({ addresses }: Asker, { address }: Target): string {
  const isIpv6 = address.includes(':');
  return addresses.find((own) => own.includes(':') === isIpv6) ?? addresses[0] ?? '';
}

/** What comes of a run, and what is to be known of it. */
interface Ran {
  readonly report: Pick<ProbeReport, 'outcome' | 'detail'>;
  readonly story: Story;
  readonly notes: readonly string[];
}

function questionOf({ asker, target }: Asking, notes: readonly string[]): TraceQuestion {
  const { words: from, notes: fromNotes } = asker;
  const { words: to, notes: toNotes, protocol } = target;
  return { from, to, protocol, notes: [...fromNotes, ...toNotes, ...notes] };
}

function itselfNotes({ asker, target }: Asking): string[] {
  if (!asker.addresses.includes(target.address)) return [];
  const within = asker.isHost ? 'node' : 'pod';
  return [`it asks itself: the packet stays within the ${within}, which always reaches itself, and no node sees it`];
}

/** A node has more addresses than one, and its kernel chooses. */
function beginningOf({ asker, target, source }: Asking): Beginning {
  const { address: destination, port, protocol } = target;
  const isIcmp = protocol === 'ICMP';
  return {
    ...(asker.isHost ? { node: asker.node, from: 'host' } : { node: asker.node, from: 'pod', source }),
    protocol: isIcmp && destination.includes(':') ? Protocol.Icmpv6 : protocolNumbers[protocol],
    destination,
    ...(isIcmp ? {} : { destinationPort: port }),
  };
}

async function sentRun(asking: Asking): Promise<Ran> {
  const { client, nodes, asker, target } = asking;
  const { address, port, protocol } = target;
  const { report, story, lost, silent } = await liveRun({
    ...{ client, nodes, say, filter: await filterFor(asking) },
    body: { from: asker.from, address, port, protocol, timeoutMs: TIMEOUT_MS },
    beginning: beginningOf(asking),
  });
  if (lost > 0) say(`${lost} packets were not recorded: the cluster is busy, and the story may have holes`);
  return { report, story, notes: silent.map((node) => `node ${node} says nothing: the story may have a hole`) };
}

async function playedRun(asking: Asking, pods: readonly Pod[]): Promise<Ran> {
  const { client, asker, target, source } = asking;
  const { address, port, protocol } = target;
  const { DryCluster } = await import('../trace/dry-run.ts');
  const cluster = new DryCluster(await fetchTables(client), programPorts(pods));
  const { report, seen } = cluster.probe({ node: asker.node, source, address, port, protocol });
  const choice = 'a dry run may choose another backend of the Service than a packet would';
  const notes = target.service === undefined ? [] : [choice];
  // A real kernel keeps to itself what is its own.
  const outside = asker.addresses.includes(address) ? [] : seen;
  return { report, story: tellStory(follow(outside, beginningOf(asking))), notes };
}

/** What a pod's own program answers on nobody knows: what it declares is taken at its word. */
function programPorts(pods: readonly Pod[]): Map<string, WorkloadPort[]> {
  const withPrograms = pods.filter((pod) => commandOf(pod) !== undefined);
  return new Map(
    withPrograms.map(({ metadata, spec }) => {
      const declared = spec.containers.flatMap(({ ports = [] }) => ports);
      const ports = declared.map(({ containerPort: port, protocol = 'TCP' }) => ({ port, protocol }) as WorkloadPort);
      return [`${metadata.namespace}/${metadata.name}`, ports];
    }),
  );
}

/** Packets of other hosts are none of this; null where that cannot be told beforehand. */
async function filterFor({ client, target, source }: Asking): Promise<number[] | null> {
  const { service, address } = target;
  const backends: string[] = [];
  if (service !== undefined) {
    const { namespace, name } = service.metadata;
    const labelSelector = `kubernetes.io/service-name=${name}`;
    const { items } = await client.list(kinds.EndpointSlice, { namespace, labelSelector });
    backends.push(...items.flatMap(({ endpoints }) => (endpoints ?? []).flatMap(({ addresses }) => addresses)));
  }
  if (backends.length > FILTER_HOSTS_MAX) return null;
  return await readFilter([source, address, ...backends].map((host) => `host ${host}`).join(' or '));
}

/** The one that a denial was judged by, as long as it is known; else the newest. Undefined where there never was any. */
async function worldOf(client: ApiClient, { hops }: Story): Promise<PolicyWorld | undefined> {
  const revision = hops.find(({ judgement }) => judgement !== undefined)?.judgement?.revision;
  for (const wanted of revision === undefined ? [undefined] : [revision, undefined]) {
    try {
      return await fetchPolicyWorld(client, wanted);
    } catch {
      // told without policies
    }
  }
  return undefined;
}

function say(message: string): void {
  process.stderr.write(`podwire trace: ${message}\n`);
}
