/** What rivals share: two nodes, the wire between them, and a pod behind each: bridged or routed to what a rival makes. */
import type { Laboratory, Namespace } from './laboratory.ts';
import { type Rival, WIRE_MTU } from './rival.ts';
import { VethWire } from './wire.ts';

/** Name of the wire's device in each node. */
export const WIRE = 'wire0';
/** Name of the pod's veth in each node. */
export const POD = 'pod0';

export interface Side {
  readonly index: 1 | 2;
  readonly node: Namespace;
  readonly pod: Namespace;
  /** Of this node on the wire, and the other node's. */
  readonly address: string;
  readonly otherAddress: string;
  /** The pods' addresses where they are routed; where they are bridged, see `bridgePod`. */
  readonly podAddress: string;
  /** The other node's pods. */
  readonly otherPods: string;
}

export interface TwoNodes {
  readonly sides: readonly [Side, Side];
  readonly wire: VethWire;
}

/** Two nodes that reach each other over a veth of MTU 1500, and two pods with a veth each, addresses still to be given. */
export async function twoNodes(laboratory: Laboratory): Promise<TwoNodes> {
  const side = async (index: 1 | 2): Promise<Side> => ({
    index,
    node: await laboratory.namespace(),
    pod: await laboratory.namespace(),
    address: `172.16.0.${index}`,
    otherAddress: `172.16.0.${3 - index}`,
    podAddress: `10.244.${index}.2`,
    otherPods: `10.244.${3 - index}.0/24`,
  });
  const sides = [await side(1), await side(2)] as const;
  const [one, two] = sides;
  one.node.ip(`link add ${WIRE} type veth peer name ${WIRE} netns ${two.node.pid}`);
  const ends = [
    { enter: one.node.enter, device: WIRE },
    { enter: two.node.enter, device: WIRE },
  ] as const;
  const wire = new VethWire(ends);
  for (const { node, pod, address } of sides) {
    node.ip(`addr add ${address}/24 dev ${WIRE}
      link set ${WIRE} mtu ${WIRE_MTU} up
      link add ${POD} type veth peer name eth0 netns ${pod.pid}
      link set ${POD} up`);
  }
  return { sides, wire };
}

/** One subnet for both pods; the device that the rival made is the way to the other node. @returns the pod's address. */
export function bridgePod(side: Side, tunnelDevice: string, mtu: number): string {
  const address = `10.244.9.${side.index}`;
  side.node.ip(`link add br0 type bridge
    link set ${tunnelDevice} master br0 up
    link set ${POD} master br0
    link set br0 up`);
  addressPod(side, address, mtu);
  return address;
}

/** Gives an address to a pod whose neighbour is the other pod. */
export function addressPod({ pod }: Side, address: string, mtu: number): void {
  pod.ip(`link set eth0 mtu ${mtu} up
    addr add ${address}/24 dev eth0`);
}

/** A subnet for each pod; @param via - the rest of the route to the other's, as in `dev tun0`. */
export function routePod(side: Side, via: string, mtu: number): void {
  const { node, pod, podAddress, otherPods, index } = side;
  node.run('sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward');
  node.ip(`addr add 10.244.${index}.1/24 dev ${POD}
    link set ${POD} mtu ${mtu}
    route add ${otherPods} ${via}`);
  pod.ip(`link set eth0 mtu ${mtu} up
    addr add ${podAddress}/24 dev eth0
    route add default via 10.244.${index}.1`);
}

/** What `Contender.start` returns when the rival is up. */
export function rivalOf(laboratory: Laboratory, { sides, wire }: TwoNodes, serverAddress: string): Rival {
  return {
    client: sides[0].pod.enter,
    server: sides[1].pod.enter,
    serverAddress,
    daemons: laboratory.daemons,
    setWire: (state) => wire.set(state),
    traffic: () => wire.traffic(),
    end: () => laboratory.end(),
  };
}
