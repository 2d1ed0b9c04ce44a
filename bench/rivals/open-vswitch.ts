/**
 * Open vSwitch with its userspace datapath: its own database and vswitchd at each node. Two bridges, as its manual has it
 * (Documentation/howto/userspace-tunneling.rst): one with the wire and the node's address, one with the pod and the tunnel.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Laboratory } from './laboratory.ts';
import { type Contender, POD_MTU, WIRE_MTU } from './rival.ts';
import { addressPod, POD, rivalOf, type Side, twoNodes, WIRE } from './two-nodes.ts';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** Commands of ovs-vsctl, one transaction. */
export function bridgeWords(address: string, otherAddress: string): string[] {
  const bridge = (name: string, ...ports: string[]) => [
    ...['--', 'add-br', name, '--', 'set', 'bridge', name, 'datapath_type=netdev', 'fail_mode=standalone'],
    ...ports.flatMap((port) => ['--', 'add-port', name, port]),
  ];
  const tunnel = ['type=vxlan', `options:remote_ip=${otherAddress}`, `options:local_ip=${address}`, 'options:key=42'];
  return [...bridge('br-phy', WIRE), ...bridge('br-int', POD, 'vx0'), '--', 'set', 'interface', 'vx0', ...tunnel];
}

async function startSwitch(laboratory: Laboratory, { node, index, address, otherAddress }: Side): Promise<void> {
  const directory = join(laboratory.directory, `ovs${index}`);
  mkdirSync(directory);
  const file = (name: string) => join(directory, name);
  node.run('ovsdb-tool', 'create', file('conf.db'), SCHEMA);
  const quiet = ['-vconsole:warn', '-vsyslog:off', '-vfile:off'];
  const database = `unix:${file('db.sock')}`;
  const remote = `--remote=p${database}`;
  laboratory.daemon(node, 'ovsdb-server', file('conf.db'), remote, `--unixctl=${file('db.ctl')}`, ...quiet);
  await laboratory.until('ovsdb-server', () => existsSync(file('db.sock')));
  laboratory.daemon(node, 'ovs-vswitchd', database, `--unixctl=${file('switch.ctl')}`, ...quiet);
  node.ip(`addr del ${address}/24 dev ${WIRE}`);
  node.run('ovs-vsctl', `--db=${database}`, '--timeout=10', ...bridgeWords(address, otherAddress));
  node.ip(`link set br-phy mtu ${WIRE_MTU} up
    addr add ${address}/24 dev br-phy`);
}

export const openVswitch: Contender = {
  name: 'Open vSwitch, userspace',
  mtu: POD_MTU,
  encrypts: false,
  note: 'netdev datapath; checksums and segments made before it, for its tunnels have no offload (version 3.1)',
  wires: ['superframe', 'mtu'],
  needs: [
    ['ethtool', 'ethtool'],
    ['ping', 'iputils-ping'],
    ['ovs-vswitchd', 'openvswitch-switch'],
  ],
  start: () =>
    Laboratory.build(async (laboratory) => {
      const network = await twoNodes(laboratory);
      for (const side of network.sides) {
        await startSwitch(laboratory, side);
        // It sends what it reads as it is: a checksum that the kernel has left to the device would stay unfilled.
        side.pod.run('ethtool', '-K', 'eth0', 'tx', 'off');
        addressPod(side, `10.244.9.${side.index}`, POD_MTU);
      }
      await laboratory.reachable(network.sides[0].pod, '10.244.9.2');
      return rivalOf(laboratory, network, '10.244.9.2');
    }),
};
