/** Turns an update's text into tables. Runs on the control thread, so that the loop only swaps references. */
import type { TunnelEndpoint } from '../encap/vxlan.ts';
import type { LinkSettings } from '../links/link.ts';
import type { PolicyCompiler } from '../policy/policy-compiler.ts';
import type { ServiceCompiler } from '../service/service-compiler.ts';
import { type PrefixEntry, PrefixTable } from '../tables/prefix-table.ts';
import { ADDRESS_WORDS, isIpv4Words, parseAddress } from '../wire/address.ts';
import { parseMac } from '../wire/ethernet.ts';
import { parsePrefix } from '../wire/prefix.ts';
import type { CompiledUpdate, EndpointSpec, LinkSpec, NodeUpdate, RouteSpec } from './protocol.ts';

/** A node's, which know what earlier updates have told. */
export interface Compilers {
  readonly services: ServiceCompiler;
  readonly policies: PolicyCompiler;
}

export function compileUpdate(update: NodeUpdate, { services, policies }: Compilers): CompiledUpdate {
  const { routes, endpoints } = update;
  if ((routes === undefined) !== (endpoints === undefined)) throw new Error('routes and endpoints change together');
  return {
    version: update.version,
    host: update.host,
    addPods: update.addPods ?? [],
    removePods: update.removePods ?? [],
    routing:
      routes === undefined || endpoints === undefined
        ? undefined
        : {
            table: PrefixTable.build(routes.map(compileRoute)).data,
            endpoints: endpoints.map(compileEndpoint),
            underlayAddresses: endpoints.map((endpoint) => endpoint.underlayAddress),
          },
    links: update.links === undefined ? undefined : compileLinks(update.links),
    services: update.services === undefined ? undefined : services.compile(update.services),
    policies: update.policies === undefined ? undefined : policies.compile(update.policies),
    advanceMs: update.advanceMs ?? 0,
  };
}

/** The memory of the largest tables, which the other thread may have without a copy. */
export function buffersOf({ services, policies }: CompiledUpdate): ArrayBuffer[] {
  const arrays: Int32Array[] = [];
  if (services !== undefined) {
    arrays.push(services.heads, services.words, services.backends);
  }
  if (policies !== undefined) arrays.push(policies.identities.entries); // rulesets are compared with the next ones
  return arrays.map(({ buffer }) => buffer as ArrayBuffer);
}

/** Four words of an address that our own compiler wrote. */
export function addressWords(text: string): Int32Array {
  const words = parseAddress(text);
  if (words === undefined) throw new Error(`not an address: ${text}`);
  return words;
}

/** The first address of each family, as `NodeConstants.icmpSources` has them. */
export function icmpSources(addresses: readonly string[]): Int32Array {
  const sources = new Int32Array(2 * ADDRESS_WORDS);
  for (const text of [...addresses].reverse()) {
    const words = addressWords(text);
    sources.set(words, isIpv4Words(words, 0) ? 0 : ADDRESS_WORDS);
  }
  return sources;
}

function compileRoute({ prefix, way }: RouteSpec): PrefixEntry {
  const parsed = parsePrefix(prefix);
  if (parsed === undefined) throw new Error(`not a prefix: ${prefix}`);
  return { ...parsed, value: way };
}

function compileLinks(links: readonly LinkSpec[]): readonly (LinkSettings | undefined)[] {
  const count = Math.max(0, ...links.map(({ endpoint }) => endpoint + 1));
  return Array.from({ length: count }, (_, number) => links.find(({ endpoint }) => endpoint === number));
}

function compileEndpoint(endpoint: EndpointSpec): TunnelEndpoint {
  const [macHigh, macLow] = parseMac(endpoint.mac);
  const { name, underlayAddress, kernelLocal = false } = endpoint;
  return { name, address: addressWords(underlayAddress), macHigh, macLow, kernelLocal };
}
