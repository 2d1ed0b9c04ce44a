/**
 * A pod comes and goes on one node process, again and again, in namespaces that `unshare` has made. Argument: how often.
 * Says what the node holds after a few cycles and at the end, as JSON: `{"early": …, "late": …}`.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { compileSettings } from '../../../src/cluster/compile.ts';
import { createPodNetwork, POD_INTERFACE } from '../../../src/cluster/pod-network.ts';
import { planTopology } from '../../../src/cluster/topology.ts';
import type { NodeSupervisor } from '../../../src/nodes/supervisor.ts';
import { close } from '../../../src/sys/io.ts';
import { Netlink } from '../../../src/sys/netlink.ts';

/** Fewer than there are cycles: a namespace that stays is missed soon. */
const NETWORKS_MAX = 16;
const EARLY = 20;
const cycles = Number(process.argv[2]);
process.execArgv.splice(0); // the node's own code is the build's
const built = new URL('../../../dist/nodes/supervisor.js', import.meta.url);
const { NodeSupervisor: Supervisor } = (await import(built.href)) as { NodeSupervisor: typeof NodeSupervisor };

interface Held {
  readonly descriptors: number;
  readonly residentKiB: number;
}

const topology = planTopology({ cluster: undefined, objects: [] }, { nodes: 1 });
const [node] = topology.nodes;
const netlink = new Netlink();
const { index } = netlink.link('lo');
netlink.setLink(index, { up: true });
netlink.addAddress(index, { address: node!.underlayAddress, prefixLen: 32 });
netlink.close();
writeFileSync('/proc/sys/user/max_net_namespaces', String(NETWORKS_MAX));

let version = 0;
const supervisor = new Supervisor({
  name: node!.name,
  settings: () => compileSettings(topology, node!, undefined),
  fullUpdate: () => ({ version: ++version }),
  onProbed: () => {},
  onUnhealthy: () => {},
  onReady: () => {},
  log: (message) => process.stderr.write(`${message}\n`),
});
supervisor.start();

const mac = '0a:58:0a:f4:00:02';
const addresses = ['10.244.0.2', 'fd00:10:244::2'];
let early: Held | undefined;
for (let cycle = 1; cycle <= cycles; cycle++) {
  const network = createPodNetwork({ mac, addresses, mtu: topology.podMtu, gsoMaxSize: 65_536 });
  const pod = { index: 0, namespacePath: `/proc/${process.pid}/fd/${network}`, interfaceName: POD_INTERFACE };
  await supervisor.update({ version: ++version, addPods: [{ ...pod, mac, addresses }] });
  await supervisor.update({ version: ++version, removePods: [0] });
  close(network);
  if (cycle === EARLY) early = held();
}
process.stdout.write(`${JSON.stringify({ early, late: held() })}\n`);
process.exit(0);

/** What the node process, the only child, has open and in memory; and this process beside it. */
function held(): Held {
  const [child] = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ');
  const status = readFileSync(`/proc/${child}/status`, 'utf8');
  const descriptors = [child!, String(process.pid)].map((pid) => readdirSync(`/proc/${pid}/fd`).length);
  return {
    descriptors: descriptors[0]! + descriptors[1]!,
    residentKiB: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]),
  };
}
