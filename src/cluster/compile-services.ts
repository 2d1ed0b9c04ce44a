/** From Services and their EndpointSlices to what nodes and name servers are told of them. Pure. */
import type { ZoneEndpoint, ZonePort, ZoneService } from '../dns/zone-data.ts';
import type { EndpointSpec, ServicePortSpec, ServiceProtocol, ServiceSpec } from '../service/service-spec.ts';
import type { EndpointSlice, Service } from '../store/object.ts';

const AFFINITY_SECONDS = 10_800; // Kubernetes' default of sessionAffinityConfig.clientIP.timeoutSeconds

export interface CompiledService {
  /** What a node is told; undefined when there is nothing to translate. Nodes that do the same are told one object. */
  readonly forNode: (node: string) => ServiceSpec | undefined;
  readonly names: ZoneService;
}

export function compileService(service: Service, slices: readonly EndpointSlice[]): CompiledService {
  const names = compileNames(service, slices);
  if (names.clusterIPs.length === 0) return { forNode: () => undefined, names };
  const { internalTrafficPolicy, externalTrafficPolicy } = service.spec;
  if (internalTrafficPolicy === 'Local' || externalTrafficPolicy === 'Local') {
    return { forNode: (node) => compileFrontends(service, slices, node), names };
  }
  const common = compileFrontends(service, slices, undefined);
  return { forNode: () => common, names };
}

/** Addresses that nodes translate. Headless ones and external names are the name service's alone. */
function clusterIpsOf({ spec }: Service): readonly string[] {
  if (spec.type === 'ExternalName') return [];
  const addresses = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return addresses.filter((address) => address !== 'None' && address !== '');
}

/** @param node its name, where it matters which endpoints are its own. */
function compileFrontends(service: Service, slices: readonly EndpointSlice[], node: string | undefined): ServiceSpec {
  const { metadata, spec } = service;
  const addresses = clusterIpsOf(service);
  const affinity = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS;
  return {
    key: `${metadata.namespace}/${metadata.name}`,
    ports: (spec.ports ?? []).map((port): ServicePortSpec => {
      return {
        protocol: (port.protocol ?? 'TCP') as ServiceProtocol,
        frontends: [
          ...addresses.map((address) => ({ address, port: port.port })),
          ...(spec.externalIPs ?? []).map((address) => ({ address, port: port.port, kind: 'external' as const })),
        ],
        endpoints: slices.flatMap((slice) => endpointsOf(slice, port.name ?? '', node)),
      };
    }),
    ...(spec.internalTrafficPolicy === 'Local' ? { internalLocal: true } : {}),
    ...(spec.externalTrafficPolicy === 'Local' ? { externalLocal: true } : {}),
    ...(spec.sessionAffinity === 'ClientIP' ? { affinitySeconds: affinity } : {}),
  };
}

/** Endpoints of the slice's port of that name; a slice without ports, or with none of the name, has none. */
function endpointsOf(slice: EndpointSlice, portName: string, node: string | undefined): EndpointSpec[] {
  const port = slice.ports?.find(({ name }) => (name ?? '') === portName)?.port;
  if (port === undefined || slice.addressType === 'FQDN') return [];
  return slice.endpoints.flatMap(({ addresses, conditions, nodeName }) => {
    const { ready, serving, terminating } = conditions ?? {};
    return addresses.slice(0, 1).map((address): EndpointSpec => {
      return {
        address,
        port,
        ...(node !== undefined && nodeName === node ? { local: true } : {}),
        ...(ready === false ? { ready } : {}),
        ...(serving === undefined || serving === (ready ?? true) ? {} : { serving }),
        ...(terminating === true ? { terminating } : {}),
      };
    });
  });
}

function compileNames(service: Service, slices: readonly EndpointSlice[]): ZoneService {
  const { metadata, spec } = service;
  const isExternal = spec.type === 'ExternalName' && spec.externalName !== undefined;
  return {
    namespace: metadata.namespace ?? 'default',
    name: metadata.name,
    clusterIPs: clusterIpsOf(service),
    headless: spec.clusterIP === 'None',
    ...(isExternal ? { externalName: spec.externalName! } : {}),
    ...(spec.publishNotReadyAddresses === true ? { publishNotReadyAddresses: true } : {}),
    ports: (spec.ports ?? []).map(({ name = '', port, protocol }): ZonePort => {
      return { name, port, protocol: (protocol ?? 'TCP') as ServiceProtocol };
    }),
    // A Service with an address is known by that alone.
    endpoints: spec.clusterIP === 'None' ? slices.flatMap(zoneEndpoints) : [],
  };
}

function zoneEndpoints({ addressType, endpoints, ports = [] }: EndpointSlice): ZoneEndpoint[] {
  if (addressType === 'FQDN') return [];
  const zonePorts = ports.flatMap(({ name = '', port, protocol }): ZonePort[] => {
    return port === undefined ? [] : [{ name, port, protocol: (protocol ?? 'TCP') as ServiceProtocol }];
  });
  return endpoints.flatMap(({ addresses, conditions, hostname, targetRef }) =>
    addresses.map((address): ZoneEndpoint => {
      return {
        address,
        ready: conditions?.ready !== false,
        ports: zonePorts,
        ...(hostname === undefined ? {} : { hostname }),
        ...(targetRef?.name === undefined ? {} : { podName: targetRef.name }),
      };
    }),
  );
}
