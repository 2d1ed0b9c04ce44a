/** Services, their endpoints, policies and events, as `kubectl get` shows them (pkg/printers/internalversion/printers.go). */
import type { Endpoints, Event, Service, ServicePort } from 'kubernetes-types/core/v1.d.ts';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.d.ts';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import { ageColumn, type Column, labelsText, NONE, nameColumn, selectorText } from './column.ts';
import { formatAge } from './table.ts';

/** How many endpoints a cell names. */
const ENDPOINTS_MAX = 3;

export const serviceColumns: readonly Column<Service>[] = [
  nameColumn,
  { header: 'TYPE', cell: ({ spec }) => spec?.type ?? 'ClusterIP' },
  { header: 'CLUSTER-IP', cell: ({ spec }) => spec?.clusterIPs?.[0] ?? (spec?.clusterIP || NONE) },
  { header: 'EXTERNAL-IP', cell: externalAddresses },
  { header: 'PORT(S)', cell: ({ spec }) => (spec?.ports ?? []).map(portText).join(',') || NONE },
  ageColumn,
  { header: 'SELECTOR', wide: true, cell: ({ spec }) => labelsText(spec?.selector) },
];

export function externalAddresses({ spec, status }: Pick<Service, 'spec' | 'status'>): string {
  if (spec?.type === 'ExternalName') return spec.externalName ?? NONE;
  const own = spec?.externalIPs ?? [];
  if (spec?.type !== 'LoadBalancer') return own.join(',') || NONE;
  const given = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '');
  return [...given, ...own].join(',') || '<pending>';
}

export function portText({ port, nodePort, protocol }: ServicePort): string {
  return `${port}${nodePort === undefined ? '' : `:${nodePort}`}/${protocol ?? 'TCP'}`;
}

export const endpointsColumns: readonly Column<Endpoints>[] = [
  nameColumn,
  {
    header: 'ENDPOINTS',
    cell: ({ subsets = [] }) => {
      const all = subsets.flatMap(({ addresses = [], ports = [] }) =>
        ports.flatMap(({ port }) =>
          addresses.map(({ ip }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)),
        ),
      );
      return firstOf(all, NONE);
    },
  },
  ageColumn,
];

export const endpointSliceColumns: readonly Column<EndpointSlice>[] = [
  nameColumn,
  { header: 'ADDRESSTYPE', cell: ({ addressType }) => addressType },
  {
    header: 'PORTS',
    cell: ({ ports }) => {
      return firstOf(
        (ports ?? []).map(({ port, name }) => String(port ?? name ?? '*')),
        '<unset>',
      );
    },
  },
  {
    header: 'ENDPOINTS',
    cell: ({ endpoints }) => {
      return firstOf(
        (endpoints ?? []).flatMap(({ addresses }) => addresses),
        '<unset>',
      );
    },
  },
  ageColumn,
];

function firstOf(texts: readonly string[], nothing: string): string {
  const more = texts.length > ENDPOINTS_MAX ? ` + ${texts.length - ENDPOINTS_MAX} more...` : '';
  return `${texts.slice(0, ENDPOINTS_MAX).join(',')}${more}` || nothing;
}

export const networkPolicyColumns: readonly Column<NetworkPolicy>[] = [
  nameColumn,
  { header: 'POD-SELECTOR', cell: ({ spec }) => selectorText(spec?.podSelector ?? {}) || NONE },
  ageColumn,
];

export const eventColumns: readonly Column<Event>[] = [
  { header: 'LAST SEEN', cell: (event) => formatAge(lastSeen(event)) },
  { header: 'TYPE', cell: ({ type }) => type ?? '' },
  { header: 'REASON', cell: ({ reason }) => reason ?? '' },
  {
    header: 'OBJECT',
    cell: ({ involvedObject: { kind = '', name = '' } }) => `${kind.toLowerCase()}/${name}`,
  },
  { header: 'SUBOBJECT', wide: true, cell: ({ involvedObject }) => involvedObject.fieldPath ?? '' },
  { header: 'SOURCE', wide: true, cell: ({ source }) => [source?.component, source?.host].filter(Boolean).join(', ') },
  { header: 'MESSAGE', cell: ({ message }) => (message ?? '').trim() },
  { header: 'FIRST SEEN', wide: true, cell: ({ firstTimestamp }) => formatAge(firstTimestamp) },
  { header: 'COUNT', wide: true, cell: ({ count }) => String(count ?? 1) },
  { ...nameColumn, wide: true },
];

export function lastSeen({ lastTimestamp, eventTime, firstTimestamp }: Event): string | undefined {
  return lastTimestamp ?? eventTime ?? firstTimestamp;
}
