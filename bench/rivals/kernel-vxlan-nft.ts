/**
 * The kernel's VXLAN, routed, with what a cluster's nodes have in nftables: kube-proxy's way to a Service at the client's node
 * (pkg/proxy/nftables of Kubernetes: a verdict map of frontends, one of endpoints), and at the server's node a policy.
 */
import { execFileSync } from 'node:child_process';
import { addVxlan } from './kernel-vxlan.ts';
import { Laboratory, type Namespace } from './laboratory.ts';
import { type Contender, POD_MTU, SERVICE_PORTS } from './rival.ts';
import { POD, rivalOf, routePod, twoNodes } from './two-nodes.ts';

const SERVICE_ADDRESS = '10.96.0.10';
const PROTOCOLS = ['tcp', 'udp'] as const;

/** Every protocol with every port of the Service. */
function frontends(): { protocol: (typeof PROTOCOLS)[number]; port: number }[] {
  return PROTOCOLS.flatMap((protocol) => SERVICE_PORTS.map((port) => ({ protocol, port })));
}

/** At every node, as kube-proxy writes it; its masquerading is for other clients than pods. */
export function serviceRules(serviceAddress: string, backend: string): string {
  const chains = frontends().map(
    ({ protocol, port }) => `
  chain endpoint-${protocol}-${port} { meta l4proto ${protocol} dnat to ${backend}:${port}; }
  chain service-${protocol}-${port} { numgen random mod 1 vmap { 0 : goto endpoint-${protocol}-${port} }; }`,
  );
  const elements = frontends().map(
    ({ protocol, port }) => `${serviceAddress} . ${protocol} . ${port} : goto service-${protocol}-${port}`,
  );
  return `table ip kube-proxy {${chains.join('')}
  map service-ips {
    type ipv4_addr . inet_proto . inet_service : verdict;
    elements = { ${elements.join(', ')} };
  }
  chain services { ip daddr . meta l4proto . th dport vmap @service-ips; }
  chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }
}
`;
}

/** At the server's node: what is established, and this client on these ports; nothing else reaches the pod. */
export function policyRules(podDevice: string, client: string): string {
  const admitted = frontends().map(({ protocol, port }) => `${client} . ${protocol} . ${port}`);
  return `table ip network-policy {
  set admitted {
    type ipv4_addr . inet_proto . inet_service;
    elements = { ${admitted.join(', ')} };
  }
  chain to-pod {
    ct state established,related accept;
    ip saddr . meta l4proto . th dport @admitted accept;
    drop;
  }
  chain forward { type filter hook forward priority filter; oifname "${podDevice}" jump to-pod; }
}
`;
}

function load(place: Namespace, rules: string): void {
  const [program, ...words] = [...place.enter, 'nft', '-f', '-'];
  execFileSync(program!, words, { input: rules });
}

export const kernelVxlanNft: Contender = {
  name: 'kernel VXLAN, nftables',
  mtu: POD_MTU,
  encrypts: false,
  note: 'Service and policy in nftables; routed',
  wires: ['superframe', 'mtu'],
  needs: [
    ['ethtool', 'ethtool'],
    ['nft', 'nftables'],
  ],
  start: () =>
    Laboratory.build(async (laboratory) => {
      const network = await twoNodes(laboratory);
      const [client, server] = network.sides;
      for (const side of network.sides) {
        addVxlan(side, 'nolearning');
        side.node.ip(`addr add 10.244.${side.index}.0/32 dev vx0`);
        routePod(side, `via 10.244.${3 - side.index}.0 dev vx0 onlink`, POD_MTU);
        load(side.node, serviceRules(SERVICE_ADDRESS, server.podAddress));
      }
      load(server.node, policyRules(POD, client.podAddress));
      const rival = rivalOf(laboratory, network, server.podAddress);
      return { ...rival, serviceAddress: SERVICE_ADDRESS };
    }),
};
