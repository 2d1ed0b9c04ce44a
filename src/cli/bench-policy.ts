/** What policies say of a measurement: beforehand, to choose who may talk; afterwards, to say why nothing came. */
import type { ApiClient } from '../api/client.ts';
import { fetchPolicyWorld } from '../api/policy-worlds.ts';
import { explainConnection } from '../network-policy/explain.ts';
import type { PolicyWorld } from '../network-policy/policy-world.ts';

export interface Connection {
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'TCP' | 'UDP';
  readonly port: number;
}

/** Of a policy that stops it; undefined when none does, or there are none. */
export type WhyNot = (connection: Connection) => string | undefined;

/** Ports like those that servers choose: iperf3's (`servers.ts`), and the kernel's. */
export const FREE_PORTS = [25_000, 45_000] as const;

export async function policyVoice(client: ApiClient): Promise<WhyNot> {
  let world: PolicyWorld;
  try {
    world = await fetchPolicyWorld(client);
  } catch {
    return () => undefined; // there never was any policy
  }
  return (connection) => {
    const { allowed, sentence } = explainConnection(world, connection);
    return allowed ? undefined : sentence;
  };
}

/** The command that tells the whole story. */
export function traceCommand(
  from: { namespace: string; name: string },
  { destination, protocol, port }: Connection,
): string {
  const host = destination.includes(':') ? `[${destination}]` : destination;
  return `podwire trace ${from.namespace}/${from.name} ${host}:${port}${protocol === 'UDP' ? ' --proto udp' : ''}`;
}
