/**
 * The wire of podwire's nodes. All of them have their underlay TAPs in one namespace, where the kernel routes between them. To
 * put the same wire between as rivals have, the second node's TAP moves to a namespace of its own, and a veth joins the two:
 *
 *     n1 ─ underlay0 │ vessel's namespace │ wire0 ═══ wire0 │ new namespace │ underlay1 ─ n2
 *
 * What a node writes is not changed: it is routed one hop further. A TAP stays attached to its node when it moves.
 */
import type { Laboratory, Namespace } from './laboratory.ts';
import { WIRE_MTU } from './rival.ts';
import { VethWire } from './wire.ts';

const WIRE = 'wire0';
const [ONE, TWO] = ['underlay0', 'underlay1'];

/** What a namespace knows of the node behind one of its TAPs (src/cluster/underlay.ts: a route, a permanent neighbour). */
interface NodeBehind {
  readonly address: string;
  readonly mac: string;
}

/** @param neighbours - what `ip -json neigh show dev DEVICE` says. @throws Error when it is not one permanent neighbour. */
export function nodeBehind(neighbours: string): NodeBehind {
  const permanent = (JSON.parse(neighbours) as { dst: string; lladdr?: string; state: string[] }[]).filter(
    ({ state }) => state.includes('PERMANENT'),
  );
  const [only] = permanent;
  if (permanent.length !== 1 || only?.lladdr === undefined) throw new Error(`expected one node, found ${neighbours}`);
  return { address: only.dst, mac: only.lladdr };
}

/** @param vessel - where both TAPs are. */
export async function layPodwireWire(laboratory: Laboratory, vessel: Namespace): Promise<VethWire> {
  const place = await laboratory.namespace();
  const [one, two] = [ONE!, TWO!].map((device) =>
    nodeBehind(vessel.run('ip', '-json', 'neigh', 'show', 'dev', device)),
  );
  vessel.ip(`link add ${WIRE} type veth peer name ${WIRE} netns ${place.pid}`);
  const wire = new VethWire([
    { enter: vessel.enter, device: WIRE },
    { enter: place.enter, device: WIRE },
  ]);
  vessel.ip(`link set ${TWO} netns ${place.pid}`);
  for (const side of [vessel, place]) {
    side.ip(`link set ${WIRE} mtu ${WIRE_MTU} up`);
    side.run('sh', '-c', 'cd /proc/sys/net/ipv4; echo 1 >ip_forward; for f in conf/*/rp_filter; do echo 0 >$f; done');
  }
  place.ip(`link set ${TWO} up
    route add ${two!.address}/32 dev ${TWO} scope link
    neigh replace ${two!.address} lladdr ${two!.mac} nud permanent dev ${TWO}`);
  const macOf = (side: Namespace) => JSON.parse(side.run('ip', '-json', 'link', 'show', 'dev', WIRE))[0].address;
  farSide(vessel, two!.address, macOf(place));
  farSide(place, one!.address, macOf(vessel));
  return wire;
}

/** The way to the node at the other end. */
function farSide(side: Namespace, address: string, mac: string): void {
  side.ip(`route replace ${address}/32 dev ${WIRE} scope link
    neigh replace ${address} lladdr ${mac} nud permanent dev ${WIRE}`);
}
