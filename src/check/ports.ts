/** Which ports of a destination an expectation asks for. */
import type { CheckProtocol } from './expectation.ts';
import { Nobody, type Party } from './party.ts';

export interface CheckPort {
  readonly protocol: CheckProtocol;
  /** 0 for ICMP. */
  readonly port: number;
}

interface NamedCheckPort extends CheckPort {
  readonly name: string | undefined;
}

/** What a pod's containers, or a Service, say that they serve. */
export function declaredPorts({ pod, service }: Party): readonly NamedCheckPort[] {
  const named = new Map<string, NamedCheckPort>();
  const add = (port: number, name: string | undefined, protocol = 'TCP') => {
    const key = `${protocol} ${port}`;
    if (!named.has(key)) named.set(key, { port, protocol: protocol as CheckProtocol, name });
  };
  for (const { port, name, protocol } of service?.spec.ports ?? []) add(port, name, protocol);
  for (const { ports = [] } of pod?.spec.containers ?? []) {
    for (const { containerPort, name, protocol } of ports) add(containerPort, name, protocol);
  }
  return [...named.values()];
}

/** @throws Nobody when there is none */
export function portsAskedFor(
  to: Party,
  port: number | string | undefined,
  protocol: CheckProtocol | undefined,
): readonly CheckPort[] {
  if (protocol === 'ICMP') return icmpOf(to);
  const ofProtocol = (one: CheckPort) => protocol === undefined || one.protocol === protocol;
  const plain = (one: CheckPort): CheckPort => ({ protocol: one.protocol, port: one.port });
  const declared = declaredPorts(to);
  const kind = protocol === undefined ? 'port' : `${protocol} port`;
  if (port === undefined) {
    const all = declared.filter(ofProtocol);
    if (all.length > 0) return all.map(plain);
    throw new Nobody(`${to.name} declares no ${kind}; write which one is meant, as "port: 80"`);
  }
  if (typeof port === 'string') {
    const named = declared.filter((one) => one.name === port && ofProtocol(one));
    if (named.length > 0) return named.map(plain);
    throw new Nobody(`${to.name} has no ${kind} "${port}"${portList(declared)}${podHint(to)}`);
  }
  const asked = { protocol: protocol ?? 'TCP', port };
  if (to.service === undefined) return [asked];
  if (declared.some((one) => one.port === port && one.protocol === asked.protocol)) return [asked];
  throw new Nobody(`${to.name} has no ${asked.protocol} port ${port}${portList(declared)}${podHint(to)}`);
}

function icmpOf(to: Party): readonly CheckPort[] {
  if (to.service === undefined) return [{ protocol: 'ICMP', port: 0 }];
  throw new Nobody(`${to.name} is a Service, which answers no ICMP; name one of its pods`);
}

/** A bare name with a port of a Service means the Service. */
function podHint({ service }: Party): string {
  if (service === undefined) return '';
  const { namespace, name } = service.metadata;
  return `; a pod of that name is pod/${namespace}/${name}`;
}

function portList(ports: readonly NamedCheckPort[]): string {
  if (ports.length === 0) return '';
  const words = ports.map(({ protocol, port, name }) => `${protocol} ${port}${name === undefined ? '' : ` (${name})`}`);
  return `; it has ${words.join(', ')}`;
}
