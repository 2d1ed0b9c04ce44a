/**
 * Question: what is each technique worth? podwire with all of them is the rival of podwire with one left out, interleaved,
 * on the workloads where it matters; and of podwire on wire-sized frames, and over UDP sockets. Usage: --help.
 */
import { type Technique, techniques } from '../src/nodes/techniques.ts';
import { commandLine } from './command-line.ts';
import { OPTIONS_USAGE, readOptions } from './peers/options.ts';
import { packetsWorkload } from './peers/packets.ts';
import type { Peer } from './peers/peer.ts';
import { roundTripWorkload } from './peers/round-trip.ts';
import { runBench } from './peers/run-bench.ts';
import type { Entry } from './peers/session.ts';
import type { Setting } from './peers/setting.ts';
import { streamWorkload } from './peers/stream.ts';
import type { Workload } from './peers/workload.ts';
import { podwire } from './rivals/podwire.ts';
import type { Wire } from './rivals/wire.ts';

const makers = {
  stream: streamWorkload,
  packets: (peers: readonly Peer[], setting: Setting) => packetsWorkload(peers, false, setting),
  'packets-gso': (peers: readonly Peer[], setting: Setting) => packetsWorkload(peers, true, setting),
  rtt: roundTripWorkload,
} as const;
type WorkloadName = keyof typeof makers;
const workloadNames = Object.keys(makers) as WorkloadName[];

interface Variant extends Entry {
  /** Who is the same with the technique. */
  readonly plain?: string;
  readonly workloads: readonly WorkloadName[];
}

/** Where leaving one out is expected to show; of one that is not here, anywhere. */
const mattersIn: Readonly<Partial<Record<Technique, readonly WorkloadName[]>>> = {
  merge: ['packets'],
  rows: ['packets', 'packets-gso'],
  spin: ['rtt', 'packets'],
  simd: ['stream'],
};

function variant(name: string, options: Parameters<typeof podwire>[0], of: Omit<Variant, keyof Entry>): Variant {
  const contender = podwire(options);
  return { name, title: contender.name, contender, ...of };
}

const variants: readonly Variant[] = [
  variant('all', { underlay: 'tap' }, { workloads: workloadNames }),
  ...techniques.map((technique) => {
    const of = { plain: 'all', workloads: mattersIn[technique] ?? workloadNames };
    return variant(`without-${technique}`, { underlay: 'tap', without: [technique] }, of);
  }),
  variant('offload-off', { underlay: 'tap', offload: 'off' }, { plain: 'all', workloads: ['stream', 'packets-gso'] }),
  variant('udp', { underlay: 'udp' }, { plain: 'all', workloads: ['stream', 'packets', 'packets-gso'] }),
  // Over sockets every segment has a checksum of its own, which is summed here.
  variant('udp-without-simd', { underlay: 'udp', without: ['simd'] }, { plain: 'udp', workloads: ['stream'] }),
];

const usage = `Usage: npm run bench:ablation -- [OPTION...]

What each technique of podwire is worth: clusters with all of them, and with one left out, round by round. An hour with
everything, with --quick 15 minutes; needs root and npm run build.

${OPTIONS_USAGE}
  workloads: ${workloadNames.join(', ')}
  contenders: ${variants.map(({ name }) => name).join(', ')}
`;

const options = commandLine(usage, (words) => {
  return readOptions(words, { workloads: workloadNames, contenders: variants.map(({ name }) => name) });
});
const asked = workloadNames.filter((name) => options.workloads.includes(name));

function workloadsOn(_wire: Wire, peers: readonly Peer[], setting: Setting): Workload[] {
  return asked.flatMap((name) => {
    const takePart = variants.filter(({ workloads }) => workloads.includes(name));
    const present = peers.filter((peer) => takePart.some((one) => one.name === peer.name));
    if (present.length < 2) return [];
    const workload = makers[name](present, setting);
    const participants = workload.participants.map((one) => {
      const plain = takePart.find((other) => other.name === one.name)?.plain;
      return plain === undefined ? one : { ...one, plain };
    });
    return [{ ...workload, participants, subjects: [], plainTitle: 'with it' }];
  });
}

await runBench(
  {
    name: 'ablation',
    title: 'podwire without one technique at a time',
    introduction:
      'Pod to pod on two nodes of one machine, pod MTU 1450, clusters that differ in one thing (`up --without`, `--offload`, `--underlay`) in turn.',
    goals: [],
    entries: variants.filter(({ name, workloads }) => {
      return options.contenders.includes(name) && workloads.some((workload) => asked.includes(workload));
    }),
    workloadsOn,
  },
  options,
);
