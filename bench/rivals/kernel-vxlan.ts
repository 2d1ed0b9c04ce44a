/** The kernel's own VXLAN device on each node, bridged with the pod. */
import { Laboratory } from './laboratory.ts';
import { type Contender, POD_MTU } from './rival.ts';
import { bridgePod, rivalOf, type Side, twoNodes, WIRE } from './two-nodes.ts';

/** As `flannel` and its kind make it. @param options - those of only this use. */
export function addVxlan({ node, address, otherAddress }: Side, options = ''): void {
  node.ip(
    `link add vx0 type vxlan id 42 dstport 4789 local ${address} remote ${otherAddress} dev ${WIRE} ${options}
    link set vx0 up`,
  );
}

export const kernelVxlan: Contender = {
  name: 'kernel VXLAN',
  mtu: POD_MTU,
  encrypts: false,
  note: '',
  wires: ['superframe', 'mtu'],
  needs: [['ethtool', 'ethtool']],
  start: () =>
    Laboratory.build(async (laboratory) => {
      const network = await twoNodes(laboratory);
      for (const side of network.sides) addVxlan(side);
      const [, serverAddress] = network.sides.map((side) => bridgePod(side, 'vx0', POD_MTU));
      return rivalOf(laboratory, network, serverAddress!);
    }),
};
