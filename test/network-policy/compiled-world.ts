/** A small world for facts about compiled policies, and what a compiled world says, in words. */
import type { NetworkPolicySpec } from 'kubernetes-types/networking/v1.d.ts';
import { cidrContains, parseAddress, parseCidr } from '../../src/cluster/ip-address.ts';
import { type CompiledWorld, WorldCompiler } from '../../src/network-policy/compile-policies.ts';
import type { PolicyWorld, WorldNamespace, WorldPod, WorldPolicy } from '../../src/network-policy/policy-world.ts';
import { ALL_PORTS, NO_PORTS, WORLD } from '../../src/policy/policy-spec.ts';

/** Addresses of the pods of `sceneOf`, and of others. */
export const at = {
  web: '10.244.0.2',
  web6: 'fd00:10:244::2',
  db: '10.244.1.2',
  guest: '10.244.0.3',
  agent: '172.18.0.2',
  outside: '203.0.113.9',
  outside6: '2001:db8::9',
};

const namespaces: readonly WorldNamespace[] = [
  { name: 'shop', labels: { 'kubernetes.io/metadata.name': 'shop', team: 'sales' } },
  { name: 'ops', labels: { 'kubernetes.io/metadata.name': 'ops', team: 'ops' } },
];

export function podOf(namespace: string, name: string, addresses: string[], more: Partial<WorldPod> = {}): WorldPod {
  return { namespace, name, addresses, labels: { app: name }, node: 'n1', hostNetwork: false, ports: [], ...more };
}

/** shop/web and shop/db, ops/web called a guest, and an agent on its node's network that has web's labels. */
export const pods: readonly WorldPod[] = [
  podOf('shop', 'web', [at.web, at.web6], { ports: [{ name: 'http', port: 80, protocol: 'TCP' }] }),
  podOf('shop', 'db', [at.db], {
    labels: { app: 'db', tier: 'back' },
    ports: [
      { name: 'http', port: 8080, protocol: 'TCP' },
      { name: 'stats', port: 8125, protocol: 'UDP' },
    ],
  }),
  podOf('ops', 'web', [at.guest]),
  podOf('shop', 'agent', [at.agent], { labels: { app: 'web' }, hostNetwork: true }),
];

type Spec = Partial<NetworkPolicySpec>;

/** Policies of shop that govern all its pods, unless they say otherwise; ingress unless they have only egress. */
export function policyOf(spec: Spec, name = 'p', namespace = 'shop'): WorldPolicy {
  const policyTypes = spec.egress !== undefined && spec.ingress === undefined ? ['Egress'] : ['Ingress'];
  return { namespace, name, spec: { podSelector: {}, policyTypes, ...spec }, placeOf: () => undefined };
}

export function sceneOf(...specs: Spec[]): PolicyWorld {
  return { revision: 1, namespaces, pods, policies: specs.map((spec, i) => policyOf(spec, `p${i}`)) };
}

/** What the pods of `sceneOf` let through under these policies. */
export function compiledScene(...specs: Spec[]): Reader {
  return new Reader(new WorldCompiler().compile(sceneOf(...specs)));
}

export class Reader {
  readonly compiled: CompiledWorld;

  constructor(compiled: CompiledWorld) {
    this.compiled = compiled;
  }

  /** Ports on which a pod takes connections from an address: `TCP 80-80`, `nothing`, `everything`; `free` when nothing isolates it. */
  from(address: string, pod = 'shop/db'): string {
    return this.#read(this.compiled.rulesOf(pod)?.ingress, address);
  }

  /** Ports on which a pod may reach an address. */
  to(address: string, pod = 'shop/web'): string {
    return this.#read(this.compiled.rulesOf(pod)?.egress, address);
  }

  identityOf(text: string): number {
    const address = parseAddress(text)!;
    const holding = this.compiled.identities
      .map(({ prefix, identity }) => ({ cidr: parseCidr(prefix)!, identity }))
      .filter(({ cidr }) => cidrContains(cidr, address))
      .sort((a, b) => b.cidr.prefixLength - a.cidr.prefixLength);
    return holding[0]?.identity ?? WORLD;
  }

  #read(row: Int32Array | undefined, address: string): string {
    if (row === undefined) return 'free';
    const set = row[this.identityOf(address)]!;
    if (set === ALL_PORTS) return 'everything';
    if (set === NO_PORTS) return 'nothing';
    return this.compiled.portSets[set]!.map(({ protocol, first, last }) => `${protocol} ${first}-${last}`).join(', ');
  }
}
