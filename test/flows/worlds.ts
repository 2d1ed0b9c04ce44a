/** The clusters that scenarios name, and where their places are. */
import { hostMac } from '../../src/cluster/compile.ts';
import { readManifests } from '../../src/cluster/manifests.ts';
import { type ClusterPlan, planCluster, podsOf } from '../../src/cluster/plan.ts';
import type { Topology } from '../../src/cluster/topology.ts';
import { HOST, type SimPlace } from '../../src/sim/simulation.ts';
import { clusterManifest, twoNodes } from '../system/worlds.ts';
import type { Ends } from './frame-words.ts';

/** `pod-NAME`, or `host-NODE` for a node's own network. */
export interface Place extends SimPlace {
  readonly name: string;
  /** Who sends into the wire, and to whom. */
  readonly ends: Ends;
}

export interface NamedCluster {
  readonly plan: ClusterPlan;
  readonly topology: Topology;
  readonly places: ReadonlyMap<string, Place>;
}

const manifests: Readonly<Record<string, () => string>> = {
  /** a 10.244.0.2 and c 10.244.0.3 on n1 (172.18.0.2), b 10.244.1.2 on n2 (172.18.0.3). */
  'two-nodes': twoNodes,
  /** a on n1, b on n2, d on n3. */
  'three-nodes': () =>
    clusterManifest(3, [
      { name: 'a', node: 'n1' },
      { name: 'b', node: 'n2' },
      { name: 'd', node: 'n3' },
    ]),
  /**
   * The pods of `two-nodes`, and Services of port 80 to port 8080, TCP and UDP: `b` 10.96.0.11 and fd00:10:96::11, `a`
   * 10.96.0.12, `none` 10.96.0.13 without endpoints, and `local` 10.96.0.14, which is b on its own node only.
   */
  services: () =>
    [
      clusterManifest(2, []),
      ...[
        { name: 'a', node: 'n1' },
        { name: 'b', node: 'n2' },
        { name: 'c', node: 'n1' },
      ].map(labelled),
      service(
        'b',
        'ipFamilyPolicy: RequireDualStack, clusterIP: 10.96.0.11, clusterIPs: [10.96.0.11, "fd00:10:96::11"], selector: {pod: b}',
      ),
      service('a', 'clusterIP: 10.96.0.12, selector: {pod: a}'),
      service('none', 'clusterIP: 10.96.0.13, selector: {pod: z}'),
      service('local', 'clusterIP: 10.96.0.14, internalTrafficPolicy: Local, selector: {pod: b}'),
    ].join('---\n'),
};

function labelled({ name, node }: { readonly name: string; readonly node: string }): string {
  const spec = `{nodeName: ${node}, containers: [{name: main, image: none}]}`;
  return `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, labels: {pod: ${name}}}\nspec: ${spec}\n`;
}

function service(name: string, spec: string): string {
  const ports = ['TCP', 'UDP'].map((protocol) => {
    return `{name: ${protocol.toLowerCase()}, protocol: ${protocol}, port: 80, targetPort: 8080}`;
  });
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [${ports}], ${spec}}\n`;
}

export function namedCluster(name: string): NamedCluster | undefined {
  const manifest = manifests[name];
  if (manifest === undefined) return undefined;
  const plan = planCluster(readManifests([{ file: name, text: manifest() }]), { underlay: 'udp' });
  const { topology } = plan;
  const places = new Map<string, Place>();
  for (const node of topology.nodes) {
    const add = (placeName: string, port: number, mac: string) => {
      const ends = { sourceMac: mac, destinationMac: node.mac };
      places.set(placeName, { name: placeName, node: node.name, port, ends });
    };
    add(`host-${node.name}`, HOST, hostMac(node));
    for (const [port, pod] of podsOf(plan, node).entries()) add(`pod-${pod.name}`, port, pod.mac);
  }
  return { plan, topology, places };
}
