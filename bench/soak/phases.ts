/** What the soak does to a cluster while bytes run through it, one thing after the other. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CONNECTIONS_MAX } from '../../src/cluster/compile.ts';
import { NODES, type SoakCluster } from './cluster.ts';

/** A table that is fuller than this is near full. */
const NEAR_FULL = 0.95;

export interface Phase {
  readonly name: string;
  /** Of `podwire up`: phases with the same flags share a cluster. */
  readonly flags: readonly string[];
  /** Of all bytes. */
  readonly share: number;
  /** How often a datagram may arrive. */
  readonly copies: number;
  readonly through: 'pod' | 'service';
  /** Goes on until it is over, and then puts things back. @returns a line for the report. */
  readonly disturb: (scene: Scene) => Promise<string>;
}

export interface Scene {
  readonly cluster: SoakCluster;
  readonly pods: Ends;
  /** To be called when transfers may begin. */
  readonly ready: () => void;
  readonly over: AbortSignal;
}

/** Addresses of the pods a (on n1) and b (on n2). */
export interface Ends {
  readonly a: { readonly v4: string; readonly v6: string };
  readonly b: { readonly v4: string; readonly v6: string };
}

/** Resolves early when it is over. */
async function pause(ms: number, over: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: over }).catch(() => {});
}

const PERFECT = { delayMs: 0, jitterMs: 0, loss: 0, duplicate: 0, reorder: 0 };
const faults = [
  { ...PERFECT, loss: 0.001, delayMs: 0.5, reorder: 0.02 },
  { ...PERFECT, loss: 0.001, delayMs: 2, jitterMs: 1, reorder: 0.01, duplicate: 0.001 },
  { ...PERFECT, loss: 0.001 },
  { ...PERFECT, loss: 0.001, delayMs: 1, jitterMs: 1, reorder: 0.1 },
  { ...PERFECT, loss: 0.003, delayMs: 5, jitterMs: 2, reorder: 0.01, duplicate: 0.005 },
];
const FAULT_MS = 3000;

async function faultyLink({ cluster, ready, over }: Scene): Promise<string> {
  let changes = 0;
  for (; !over.aborted; changes++) {
    await cluster.setLink('n1', 'n2', faults[changes % faults.length]!);
    ready();
    await pause(FAULT_MS, over);
  }
  await cluster.setLink('n1', 'n2', PERFECT);
  return `${changes} changes of the link: loss 0.1 to 0.3 %, reordering, jitter, copies`;
}

/** Of both tables; what is left is for the transfers and for flows that come and go. */
const LASTING = 0.955;
const PORT_FIRST = 1100;
/** Longer than it takes for a UDP flow to become a stream (CT-012). */
const STREAM_MS = 2500;
/** Datagrams a second: to fill; so that streams stay (CT-011: 120 s); to press, as these flows stay for 30 s. */
const FILL_RATE = 15_000;
const STAY_RATE = 1200;
const PASSING_RATE = 500;
/** What queues have dropped while tables were filled comes with the next round. */
const FILL_MS_MAX = 90_000;
const FOR_EVER = 1_000_000;

/**
 * 95.5 % of both tables are UDP streams, which nobody may evict; for what is left come more flows of one datagram than
 * fit, so that each new connection has to find, or to make, its place.
 */
async function fullTables({ cluster, pods, ready, over }: Scene): Promise<string> {
  const echo = cluster.startProgram('b', 'udp', 'echo', '--port', '5003');
  await new Promise((resolve) => echo.stdout!.once('data', resolve));
  const lasting = Math.floor(LASTING * CONNECTIONS_MAX);
  const fill = (to: string, flows: number, rate: number, rounds: number) => {
    const words = ['--to', to, '--flows', flows, '--rate', rate, '--from', PORT_FIRST, '--rounds', rounds];
    const child = cluster.startProgram('a', 'fill', ...words.map(String));
    return { child, ended: new Promise((resolve) => child.once('exit', resolve)) };
  };
  await fill(pods.b.v4, lasting, FILL_RATE, 1).ended;
  await pause(STREAM_MS, over);
  await fill(pods.b.v4, lasting, FILL_RATE, 1).ended;
  const filling = [
    fill(pods.b.v4, lasting, STAY_RATE, FOR_EVER),
    fill(pods.b.v6, CONNECTIONS_MAX - PORT_FIRST, PASSING_RATE, FOR_EVER),
  ];
  const looks: number[] = [];
  const patienceMs = performance.now() + FILL_MS_MAX;
  for (; !over.aborted; await pause(LOOK_MS, over)) {
    const counters = await cluster.counters();
    const share = Math.min(...NODES.map((node) => counters[node]!.connections)) / CONNECTIONS_MAX;
    if (looks.length === 0 && share < NEAR_FULL && performance.now() < patienceMs) continue;
    looks.push(share);
    ready();
  }
  for (const { child } of filling) child.kill('SIGTERM');
  echo.kill('SIGTERM');
  await Promise.all(filling.map(({ ended }) => ended));
  const nearFull = looks.filter((share) => share >= NEAR_FULL).length;
  const words = `both tables ${percent(Math.min(...looks))} to ${percent(Math.max(...looks))} full`;
  if (nearFull < looks.length / 2) throw new Error(`${words}: less than 95 % most of the time`);
  return `${words}, ${looks.length} looks`;
}

const LOOK_MS = 250;

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

const CAPTURE_MS = 2500;
const captures = [
  ['-w', '-', '-s', '128'],
  ['-w', '-'],
  ['-w', '-', '-s', '200', 'udp'],
  ['-w', '-', '-i', 'drops'],
  ['-w', '-', '-i', 'pod/default/a', 'tcp port 5001'],
];

async function capturing({ cluster, ready, over }: Scene): Promise<string> {
  let bytes = 0;
  let count = 0;
  for (; !over.aborted; count++) {
    const capture = cluster.start('capture', ...captures[count % captures.length]!);
    const ended = new Promise((resolve) => capture.once('exit', resolve));
    capture.stdout!.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    capture.stderr!.resume();
    ready();
    await pause(CAPTURE_MS, over);
    capture.kill('SIGINT');
    await ended;
  }
  return `${count} captures, ${(bytes / 1e6).toFixed(0)} MB of pcapng`;
}

const policy = (name: string, spec: string) =>
  `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
const both = 'podSelector: {matchExpressions: [{key: app, operator: In, values: [a, b]}]}';
const datagrams = '{port: 5002, protocol: UDP}, {port: 5004, protocol: UDP}';
/** Each lets the transfers through. */
const policies = [
  policy('by-port', `{${both}, ingress: [{ports: [{port: 5001, protocol: TCP}, ${datagrams}]}]}`),
  policy('by-pod', `{${both}, ingress: [{from: [{${both}}]}]}`),
  policy('by-range', `{${both}, ingress: [{ports: [{port: 5000, endPort: 5010, protocol: TCP}, ${datagrams}]}]}`),
  policy(
    'egress',
    `{${both}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}, {ipBlock: {cidr: 'fd00::/8'}}]}]}`,
  ),
];
/** Lets nothing through, but not for long. */
const nothing = policy('nothing', '{podSelector: {}, policyTypes: [Ingress, Egress]}');
const POLICY_MS = 700;

async function changingPolicies({ cluster, ready, over }: Scene): Promise<string> {
  const files = policies.map((text, i) => cluster.write(`policy-${i}.yaml`, text));
  const nothingFile = cluster.write('nothing.yaml', nothing);
  let changes = 0;
  const change = async (verb: 'apply' | 'delete', file: string) => {
    await cluster.cli(verb, '-f', file);
    changes++;
    await pause(POLICY_MS, over);
  };
  ready();
  while (!over.aborted) {
    await change('apply', files[0]!);
    await change('apply', nothingFile);
    await change('delete', nothingFile);
    for (const file of files.slice(1)) await change('apply', file);
    for (const file of files) await change('delete', file);
  }
  return `${changes} changes of policies; all traffic denied for ${POLICY_MS} ms in each round`;
}

async function nothingElse({ ready }: Scene): Promise<string> {
  ready();
  return '';
}

const plain = { flags: [], copies: 1, through: 'pod', disturb: nothingElse } as const;

export const phases: readonly Phase[] = [
  { ...plain, name: 'clean', share: 0.3 },
  { ...plain, name: 'lossy', share: 0.1, copies: 2, disturb: faultyLink },
  { ...plain, name: 'full', share: 0.2, disturb: fullTables },
  { ...plain, name: 'capture', share: 0.1, disturb: capturing },
  { ...plain, name: 'service', share: 0.1, through: 'service' },
  { ...plain, name: 'policy', share: 0.1, disturb: changingPolicies },
  { ...plain, name: 'sockets', share: 0.05, copies: 2, flags: ['--underlay', 'udp'], disturb: faultyLink },
  { ...plain, name: 'no-offload', share: 0.05, flags: ['--offload', 'off'] },
];
