/**
 * Question: beside what else carries packets between pods of two nodes on this machine, how fast is podwire, and what does
 * it cost? Throughput, small packets, round trips, the way through a Service with policy; on a wire that superframes cross
 * whole, and on one that only packets of the MTU cross. Usage: --help.
 */
import { commandLine } from './command-line.ts';
import { catalogue, plainOf, type WorkloadName, workloadNames } from './peers/catalogue.ts';
import { enterPodWorkload } from './peers/enter-pod.ts';
import { goals } from './peers/goals.ts';
import { OPTIONS_USAGE, readOptions } from './peers/options.ts';
import { packetsWorkload } from './peers/packets.ts';
import type { Peer } from './peers/peer.ts';
import { roundTripWorkload } from './peers/round-trip.ts';
import { runBench } from './peers/run-bench.ts';
import type { Setting } from './peers/setting.ts';
import { serviceWorkload, streamWorkload } from './peers/stream.ts';
import type { Workload } from './peers/workload.ts';
import type { Wire } from './rivals/wire.ts';

const usage = `Usage: npm run bench:peers -- [OPTION...]

Throughput, small packets and round trips of podwire between pods of two nodes, beside all else on this machine that
can do it, round by round. Two hours with everything, with --quick 20 minutes; needs root and npm run build.
scripts/install-rivals installs the others; who is missing is left out, and named.

${OPTIONS_USAGE}
  workloads: ${workloadNames.join(', ')}
  contenders: ${catalogue.map(({ name }) => name).join(', ')}
`;

const options = commandLine(usage, (words) => {
  return readOptions(words, { workloads: workloadNames, contenders: catalogue.map(({ name }) => name) });
});

const makers: Readonly<Record<WorkloadName, (peers: readonly Peer[], setting: Setting) => Workload>> = {
  stream: streamWorkload,
  service: (peers, setting) => serviceWorkload(peers, plainOf, setting),
  packets: (peers, setting) => packetsWorkload(peers, false, setting),
  'packets-gso': (peers, setting) => packetsWorkload(peers, true, setting),
  rtt: roundTripWorkload,
  exec: ([peer], setting) => enterPodWorkload(peer!, setting),
};

const asked = workloadNames.filter((name) => options.workloads.includes(name));

function workloadsOn(wire: Wire, peers: readonly Peer[], setting: Setting): Workload[] {
  return asked.flatMap((workload) => {
    // No packet is involved: once is enough.
    if (workload === 'exec' && wire !== options.wires[0]) return [];
    const takePart = peers.filter(({ name }) => {
      return catalogue.find((entry) => entry.name === name)!.workloads.includes(workload);
    });
    return takePart.length === 0 ? [] : [makers[workload](takePart, setting)];
  });
}

await runBench(
  {
    name: 'peers',
    title: 'podwire beside its rivals',
    introduction:
      'Pod to pod on two nodes of one machine, pod MTU 1450 unless a note says otherwise. *Superframe wire*: a veth as the kernel makes it, which TCP and UDP superframes cross whole. *MTU wire*: the same with GSO, GRO and TSO off, so that packets of 1500 bytes cross, as with a network card without offload.',
    goals,
    entries: catalogue.filter(({ name, workloads }) => {
      return options.contenders.includes(name) && workloads.some((workload) => asked.includes(workload));
    }),
    workloadsOn,
  },
  options,
);
