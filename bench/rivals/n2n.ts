/**
 * n2n as Debian has it (version 1): an edge with a TAP at each node, a supernode that introduces them. It seals with Twofish
 * and compresses with LZO; neither can be switched off. A frame goes to the edge whose TAP has its MAC, so pods are routed.
 */
import { Laboratory } from './laboratory.ts';
import { type Contender, WIRE_MTU } from './rival.ts';
import { rivalOf, routePod, twoNodes } from './two-nodes.ts';

/** The largest whose packets cross a wire of 1500 in one piece; its own default, 1400, makes two of each. */
const MTU = 1360;
const SUPERNODE_PORT = 7654;

/** Words of the edge at one of the nodes; a MAC of our choice, for it makes one of the time of day. */
export function edgeWords(index: 1 | 2, supernode: string): string[] {
  const own = ['-d', 'n2n0', '-a', `10.99.0.${index}`, '-m', `02:6e:32:6e:00:0${index}`, '-M', String(MTU), '-r'];
  return ['edge', ...own, '-c', 'bench', '-k', 'bench', '-l', `${supernode}:${SUPERNODE_PORT}`];
}

export const n2n: Contender = {
  name: 'n2n',
  mtu: MTU,
  encrypts: true,
  note: `version 1 cannot but encrypt (Twofish) and compress; pod MTU ${MTU}: its headers need the rest of ${WIRE_MTU}`,
  wires: ['superframe', 'mtu'],
  needs: [
    ['ethtool', 'ethtool'],
    ['ping', 'iputils-ping'],
    ['edge', 'n2n'],
  ],
  start: () =>
    Laboratory.build(async (laboratory) => {
      const network = await twoNodes(laboratory);
      const [client, server] = network.sides;
      laboratory.daemon(client.node, 'supernode', '-l', String(SUPERNODE_PORT));
      for (const side of network.sides) {
        laboratory.daemon(side.node, ...edgeWords(side.index, client.address));
        await laboratory.until('edge', () => side.node.run('ip', 'addr', 'show', 'n2n0').includes(' 10.99.0.'));
        routePod(side, `via 10.99.0.${3 - side.index}`, MTU);
      }
      await laboratory.reachable(client.pod, server.podAddress);
      return rivalOf(laboratory, network, server.podAddress);
    }),
};
