/**
 * Flows and where kube-proxy's nftables mode sends them (its own unit tests' facts): every flow but those that need
 * load balancers' source ranges.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadKey } from '../../src/packet/load-key.ts';
import { CONTINUE, Drop, type Outcome } from '../../src/packet/outcome.ts';
import { validate } from '../../src/packet/validate.ts';
import { Way, way } from '../../src/packet/way.ts';
import { Affinity } from '../../src/service/affinity.ts';
import type { FrontendSpec, ServiceProtocol, ServiceSpec } from '../../src/service/service-spec.ts';
import { Services, serviceDnat } from '../../src/service/services.ts';
import { newPacket, type ProtocolName, writeFrame } from '../support/frames.ts';
import { readFrame } from '../support/read-frame.ts';
import { missing } from '../support/requires.ts';
import { tablesOf } from '../support/services.ts';

interface Corpus {
  readonly constants: { readonly thisNode: string; readonly nodeIP: string };
  readonly groups: readonly Group[];
}

interface Group {
  readonly name: string;
  readonly services: readonly KubernetesService[];
  readonly endpoints: Readonly<Record<string, readonly Endpoint[]>>;
  readonly options: { readonly serviceCIDR?: string; readonly nodePortAddresses?: readonly string[] | null };
  readonly flows: readonly Flow[];
}

interface KubernetesService {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: {
    readonly type: string;
    readonly clusterIP: string;
    readonly externalIPs?: readonly string[];
    readonly ports: readonly {
      readonly port: number;
      readonly targetPort: number;
      readonly nodePort?: number;
      readonly protocol: ServiceProtocol;
    }[];
    readonly internalTrafficPolicy?: string;
    readonly externalTrafficPolicy?: string;
    readonly loadBalancerSourceRanges?: readonly string[];
  };
  readonly status?: { readonly loadBalancer: { readonly ingress: readonly { readonly ip: string }[] } };
}

interface Endpoint {
  readonly ip: string;
  readonly node: string | null;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

interface Flow {
  readonly name: string;
  readonly source: string;
  readonly protocol: ServiceProtocol;
  readonly dest: string;
  readonly port: number;
  readonly to: string | readonly string[];
  readonly masquerade: boolean | null;
}

function specOf(
  service: KubernetesService,
  { endpoints, options }: Group,
  constants: Corpus['constants'],
): ServiceSpec {
  const { metadata, spec, status } = service;
  const key = `${metadata.namespace}/${metadata.name}`;
  const balancers = status?.loadBalancer.ingress.map(({ ip }) => ip) ?? [];
  // The node's addresses that the options speak of; without options the first one only.
  const nodeAddresses = options.nodePortAddresses == null ? [constants.nodeIP] : ['192.168.0.2', '192.168.1.2'];
  return {
    key,
    internalLocal: spec.internalTrafficPolicy === 'Local',
    externalLocal: spec.externalTrafficPolicy === 'Local',
    ports: spec.ports.map(({ port, targetPort, nodePort, protocol }) => ({
      protocol,
      frontends: [
        { address: spec.clusterIP, port },
        ...(spec.externalIPs ?? []).map((address): FrontendSpec => ({ address, port, kind: 'external' })),
        ...balancers.map((address): FrontendSpec => ({ address, port, kind: 'loadBalancer' })),
        ...(nodePort === undefined
          ? []
          : nodeAddresses.map((address): FrontendSpec => ({ address, port: nodePort, kind: 'nodePort' }))),
      ],
      endpoints: endpoints[key]!.map(({ ip, node, ready, serving, terminating }) => ({
        ...{ address: ip, port: targetPort, local: node === constants.thisNode, ready, serving, terminating },
      })),
    })),
  };
}

/** Source ranges are another stage. */
function needsSourceRanges({ services }: Group, { dest }: Flow): boolean {
  return services.some(
    ({ spec, status }) =>
      spec.loadBalancerSourceRanges !== undefined && status?.loadBalancer.ingress.some(({ ip }) => ip === dest),
  );
}

function ingressOf(source: string, { nodeIP }: Corpus['constants']): number {
  if (source === nodeIP) return way(Way.Host, 0);
  return source.startsWith('10.') ? way(Way.Pod, 0) : way(Way.Outside, 0);
}

const verdicts = new Map<Outcome, string>([
  [Drop.NoEndpoints, 'REJECT'],
  [Drop.NoServicePort, 'REJECT'],
  [Drop.NoLocalEndpoints, 'DROP'],
  [Drop.NoService, 'DROP'],
]);

/** All that 200 connections met: endpoints or verdicts, and whether the source was to be the node's. */
function met(services: Services, flow: Flow, constants: Corpus['constants']) {
  const pkt = newPacket();
  const seen = new Set<string>();
  const masqueraded = new Set<boolean>();
  const protocol = flow.protocol.toLowerCase() as ProtocolName;
  for (let hash = 0; hash < 200; hash++) {
    writeFrame(pkt, { source: flow.source, destination: flow.dest, destinationPort: flow.port, protocol, flags: 2 });
    expect(validate(pkt)).toBe(CONTINUE);
    loadKey(pkt);
    pkt.hash = Math.imul(hash, 0x9e3779b1);
    pkt.ingress = ingressOf(flow.source, constants);
    const outcome = serviceDnat(services, pkt, 0);
    const { destination, destinationPort } = readFrame(pkt);
    const same = destination === flow.dest && destinationPort === flow.port;
    seen.add(verdicts.get(outcome) ?? (same ? 'NOT-A-SERVICE' : `${destination}:${destinationPort}`));
    if (outcome === CONTINUE && !same) masqueraded.add(pkt.masquerade);
  }
  return { seen: [...seen].sort(), masqueraded: [...masqueraded] };
}

describe.skipIf(missing('testdata'))("kube-proxy's flows (needs PODWIRE_TESTDATA)", () => {
  const path = `${process.env['PODWIRE_TESTDATA']}/corpora/services/kube-proxy-flows.json`;
  const { constants, groups } = corpus(path);
  const all = groups.flatMap((group) => group.flows.map((flow) => ({ group, flow })));
  const cases = all.filter(({ group, flow }) => !needsSourceRanges(group, flow));

  test(`${cases.length} flows run, ${all.length - cases.length} that need source ranges do not`, () => {
    expect(cases.length).toBeGreaterThanOrEqual(88);
    expect(all).toHaveLength(98);
  });

  for (const { group, flow } of cases) {
    test(`KP-011, KP-019, KP-042 ${group.name}: ${flow.name}`, () => {
      const { serviceCIDR } = group.options;
      const specs = group.services.map((service) => specOf(service, group, constants));
      const tables = tablesOf(specs, serviceCIDR === undefined ? [] : [serviceCIDR]);
      const { seen, masqueraded } = met(new Services(tables, new Affinity(1)), flow, constants);
      expect(seen).toEqual(typeof flow.to === 'string' ? [flow.to] : [...flow.to].sort());
      expect(masqueraded).toEqual(flow.masquerade === null ? [] : [flow.masquerade]);
    });
  }
});

/** Nothing where the data is absent: the tests above are skipped then. */
function corpus(path: string): Corpus {
  if (missing('testdata')) return { constants: { thisNode: '', nodeIP: '' }, groups: [] };
  return JSON.parse(readFileSync(path, 'utf8')) as Corpus;
}
