/** Services: frontends, and the endpoints behind them, with what makes each take traffic or not. */
import type { ServicePort } from 'kubernetes-types/core/v1.d.ts';
import type { Endpoint } from 'kubernetes-types/discovery/v1.d.ts';
import type { ApiClient } from '../api/client.ts';
import type { EndpointSlice, Service } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { NONE, selectorText } from './column.ts';
import { type Description, type Field, pairs, tableLines } from './description.ts';
import { externalAddresses, portText } from './service-columns.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';

export async function describeService(client: ApiClient, service: Service): Promise<Description> {
  const { metadata, spec } = service;
  const labelSelector = selectorText({ matchLabels: { [SERVICE_NAME]: metadata.name } });
  const { items: slices } = await client.list(kinds.EndpointSlice, { namespace: metadata.namespace, labelSelector });
  const rows = slices.flatMap((slice) => slice.endpoints.map((endpoint) => endpointRow(slice, endpoint)));
  const headers = ['Address', 'Ports', 'Ready', 'Serving', 'Terminating', 'Node', 'Target'];
  return {
    fields: [
      ['Selector', pairs(spec.selector, '=')],
      ['Type', spec.type ?? 'ClusterIP'],
      ['IP Family Policy', spec.ipFamilyPolicy ?? NONE],
      ['IP Families', spec.ipFamilies?.join(',') ?? NONE],
      ['IP', spec.clusterIP ?? NONE],
      ['IPs', spec.clusterIPs?.join(',') ?? NONE],
      ['External', externalAddresses(service)],
      ...(spec.ports ?? []).flatMap((port) => portFields(port, slices)),
      ['Session Affinity', spec.sessionAffinity ?? 'None'],
      ['External Traffic Policy', spec.externalTrafficPolicy ?? 'Cluster'],
      ['Internal Traffic Policy', spec.internalTrafficPolicy ?? 'Cluster'],
    ],
    blocks: [{ title: 'Endpoints', lines: tableLines(headers, rows) }],
  };
}

function portFields(port: ServicePort, slices: readonly EndpointSlice[]): Field[] {
  const { name, targetPort, nodePort, protocol = 'TCP' } = port;
  const { nodePort: _, ...own } = port;
  return [
    ['Port', `${name ?? '<unset>'} ${portText(own)}`],
    ['TargetPort', `${targetPort ?? port.port}/${protocol}`],
    ...(nodePort === undefined ? [] : [['NodePort', `${nodePort}/${protocol}`] as const]),
    ['Endpoints', readyEndpoints(slices, name ?? '').join(',') || NONE],
  ];
}

function readyEndpoints(slices: readonly EndpointSlice[], portName: string): string[] {
  return slices.flatMap(({ endpoints, ports = [], addressType }) => {
    const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false);
    return ports
      .filter(({ name }) => (name ?? '') === portName)
      .flatMap(({ port }) =>
        ready.flatMap(({ addresses }) =>
          addresses.map((address) => (addressType === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`)),
        ),
      );
  });
}

function endpointRow({ ports = [] }: EndpointSlice, endpoint: Endpoint): string[] {
  const { addresses, conditions = {}, nodeName, targetRef } = endpoint;
  // What is not said counts as ready and serving (discovery/v1 EndpointConditions).
  const { ready = true, serving = ready, terminating = false } = conditions;
  return [
    addresses.join(','),
    ports.map(({ port, protocol }) => `${port}/${protocol ?? 'TCP'}`).join(','),
    ...[ready, serving, terminating].map(String),
    nodeName ?? NONE,
    targetRef === undefined ? NONE : `${targetRef.kind}/${targetRef.name}`,
  ];
}
