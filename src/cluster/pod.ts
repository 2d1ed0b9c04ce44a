/**
 * Kind Pod (v1). Read is what shapes the network: where the pod runs, its addresses, names and ports. Images are not
 * run, so a pod without containers is a pod. Fields that podwire does not read must still be fields of the API.
 */
import {
  containerFields,
  containerPortFields,
  ephemeralContainerFields,
  podSpecFields,
  podStatusFields,
} from './core-v1-fields.ts';
import { type Field, type Fields, shown } from './field.ts';
import { addressFault, formatAddress, parseAddress } from './ip-address.ts';
import { type ManifestKind, type ObjectIdentity, readMeta } from './manifest-object.ts';
import { dnsLabel, dnsSubdomain, portName } from './text-rule.ts';

export interface PodObject extends ObjectIdentity {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly nodeName: string | undefined;
  readonly hostname: string | undefined;
  readonly hostNetwork: boolean;
  readonly containers: readonly PodContainer[];
  /** status.podIP and podIPs: addresses the pod must get. Canonical; at most one a family is not yet checked. */
  readonly givenAddresses: readonly GivenAddress[];
}

interface PodContainer {
  readonly name: string;
  readonly image: string;
  readonly ports: readonly ContainerPort[];
}

interface ContainerPort {
  /** '' when it has none. */
  readonly name: string;
  readonly containerPort: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
}

export interface GivenAddress {
  readonly address: string;
  /** The field that gave it: 'status.podIPs[1].ip'. */
  readonly path: string;
}

export const podKind: ManifestKind<PodObject> = { apiVersion: 'v1', kind: 'Pod', isSingle: false, read: readPod };

/** Fields that would move pods or traffic and that nothing obeys yet: said aloud rather than ignored. */
const NOT_OBEYED = ['nodeSelector', 'affinity', 'topologySpreadConstraints', 'schedulingGates', 'hostAliases'];

function readPod(document: Field): PodObject {
  const fields = document.object(['apiVersion', 'kind', 'metadata', 'spec', 'status']);
  const meta = readMeta(fields, dnsSubdomain, 'namespaced');
  const spec = fields.get('spec')?.object(podSpecFields);
  for (const name of NOT_OBEYED) spec?.get(name)?.note(`spec.${name} of pods is not obeyed yet`);
  for (const container of spec?.get('ephemeralContainers')?.items() ?? []) container.object(ephemeralContainerFields);
  for (const container of spec?.get('initContainers')?.items() ?? []) container.object(containerFields);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    ...meta,
    source: document.node,
    nodeName: spec?.get('nodeName')?.textOrEmpty(),
    hostname: spec?.get('hostname')?.textOrEmpty(dnsLabel),
    hostNetwork: spec?.get('hostNetwork')?.boolean() ?? false,
    containers: readContainers(spec?.get('containers')),
    givenAddresses: readGivenAddresses(fields.get('status')?.object(podStatusFields)),
  };
}

function readContainers(field: Field | undefined): PodContainer[] {
  const names = new Set<string>();
  return (field?.items() ?? []).map((item) => {
    const container = item.object(containerFields);
    const name = container.required('name', 'name: main')?.text(dnsLabel) ?? '';
    if (names.has(name) && name !== '') {
      container.get('name')?.refuse(`found a second container ${shown(name)}, expected each name once; rename it`);
    }
    names.add(name);
    return { name, image: container.get('image')?.textOrEmpty() ?? '', ports: readPorts(container.get('ports')) };
  });
}

function readPorts(field: Field | undefined): ContainerPort[] {
  const names = new Set<string>();
  return (field?.items() ?? []).map((item) => {
    const port = item.object(containerPortFields);
    const name = port.get('name')?.textOrEmpty(portName) ?? '';
    if (names.has(name) && name !== '') {
      port.get('name')?.refuse(`found a second port ${shown(name)}, expected each name once; rename it`);
    }
    names.add(name);
    if (port.get('hostPort')?.integer(0, 65535)) port.get('hostPort')?.note('hostPort of containers is not obeyed yet');
    return {
      name,
      containerPort: port.required('containerPort', 'containerPort: 80')?.integer(1, 65535) ?? 0,
      protocol: port.get('protocol')?.choice(['TCP', 'UDP', 'SCTP']) ?? 'TCP',
    };
  });
}

/** podIPs holds all addresses and podIP the first of them; either may stand alone. */
function readGivenAddresses(status: Fields | undefined): GivenAddress[] {
  const all = (status?.get('podIPs')?.items() ?? []).flatMap((item) => {
    return readAddress(item.object(['ip']).required('ip', 'ip: 10.244.0.7'));
  });
  const podIp = status?.get('podIP');
  const [first] = readAddress(podIp);
  if (first === undefined) return all;
  if (all.length === 0) return [first];
  if (all[0]!.address !== first.address) {
    podIp?.refuse(`found ${first.address}, expected the first of podIPs, ${all[0]!.address}; make them equal`);
  }
  return all;
}

function readAddress(field: Field | undefined): GivenAddress[] {
  const text = field?.textOrEmpty();
  if (field === undefined || text === undefined) return [];
  const address = parseAddress(text);
  if (address !== undefined) return [{ address: formatAddress(address), path: field.path }];
  field.refuse(`found ${shown(text)}, expected ${addressFault(text)}`);
  return [];
}
