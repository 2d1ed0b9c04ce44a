/** Who has which address, as hubble shows endpoints: pods by namespace and name, nodes by name, the rest as the world. */

import type { CaptureScene } from '../cluster/capture-scene.ts';
import { Way, wayKind } from '../packet/way.ts';
import type { Node, Pod } from '../store/object.ts';
import { formatAddress, parseAddress } from '../wire/address.ts';

/** hubble's Endpoint (cilium api/v1/flow/flow.proto): what of it there is here. */
export interface FlowEndpoint {
  readonly namespace?: string;
  readonly pod_name?: string;
  /** `k8s:KEY=VALUE`; `reserved:host`, `reserved:remote-node`, `reserved:world` for those that are no pod. */
  readonly labels: readonly string[];
}

interface NodeName {
  readonly node: string;
}

const NAMESPACE_LABEL = 'io.kubernetes.pod.namespace';
const world: FlowEndpoint = { labels: ['reserved:world'] };

export class FlowNames {
  /** By address, as `formatAddress` writes it. */
  readonly #byAddress = new Map<string, FlowEndpoint | NodeName>();
  readonly #podsByHop = new Map<string, FlowEndpoint>();

  constructor(nodes: readonly Node[], pods: readonly Pod[]) {
    for (const { metadata, status } of nodes) {
      const addresses = (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP');
      for (const { address } of addresses) this.#byAddress.set(normal(address), { node: metadata.name });
    }
    for (const { metadata, spec, status } of pods) {
      const { name, namespace = 'default', labels = {} } = metadata;
      const own = Object.entries({ ...labels, [NAMESPACE_LABEL]: namespace }).map(
        ([key, value]) => `k8s:${key}=${value}`,
      );
      const endpoint = { namespace, pod_name: name, labels: own.sort() };
      this.#podsByHop.set(`pod/${namespace}/${name}`, endpoint);
      if (spec.hostNetwork === true) continue; // it has its node's addresses
      for (const { ip = '' } of status?.podIPs ?? []) this.#byAddress.set(normal(ip), endpoint);
    }
  }

  /** A node's other addresses: its end of the pod network, which its ICMP errors come from. */
  learn(scene: CaptureScene): void {
    for (const { way, addresses } of scene.hops) {
      if (wayKind(way) !== Way.Host && wayKind(way) !== Way.None) continue;
      for (const address of addresses) this.#byAddress.set(normal(address), { node: scene.node });
    }
  }

  /** @param seenBy the node that tells: to it, another node is remote. */
  endpoint(address: string, seenBy: string): FlowEndpoint {
    const found = this.#byAddress.get(address);
    if (found === undefined) return world;
    return 'node' in found ? this.node(found.node, seenBy) : found;
  }

  node(name: string, seenBy: string): FlowEndpoint {
    return { labels: [name === seenBy ? 'reserved:host' : 'reserved:remote-node'] };
  }

  /** The name of the node that has the address. */
  nodeName(address: string): string | undefined {
    const found = this.#byAddress.get(address);
    return found !== undefined && 'node' in found ? found.node : undefined;
  }

  /** The pod behind a hop, such as `pod/shop/web`. */
  pod(hop: string): FlowEndpoint | undefined {
    return this.#podsByHop.get(hop);
  }
}

function normal(address: string): string {
  const words = parseAddress(address);
  return words === undefined ? address : formatAddress(words);
}
