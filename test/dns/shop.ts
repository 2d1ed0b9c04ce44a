/** A small cluster's names, and somebody who asks for them. */
import { Responder, type Transport } from '../../src/dns/responder.ts';
import { Zone } from '../../src/dns/zone.ts';
import type { ZoneEndpoint, ZonePort, ZoneService, ZoneSettings } from '../../src/dns/zone-data.ts';
import { Random } from '../support/random.ts';
import { type Answer, type QueryOptions, query, readAnswer, type TypeName } from './messages.ts';

export function port(name: string, number: number, protocol: ZonePort['protocol'] = 'TCP'): ZonePort {
  return { name, port: number, protocol };
}

export function endpoint(address: string, more: Partial<ZoneEndpoint> = {}): ZoneEndpoint {
  return { address, ready: true, ports: [port('http', 8080)], ...more };
}

/** In namespace `default` unless it says another. */
export function service(name: string, more: Partial<ZoneService> = {}): ZoneService {
  return { namespace: 'default', name, clusterIPs: [], headless: false, ports: [], endpoints: [], ...more };
}

const two = [port('http', 80), port('metrics', 9090)];
const clientPorts = [port('redis', 6379), port('gossip', 16379, 'UDP')];

export const shop: readonly ZoneService[] = [
  service('kubernetes', { clusterIPs: ['10.96.0.1'], ports: [port('https', 443)] }),
  service('kube-dns', {
    namespace: 'kube-system',
    clusterIPs: ['10.96.0.10'],
    ports: [port('dns', 53, 'UDP'), port('dns-tcp', 53)],
  }),
  service('web', {
    clusterIPs: ['10.96.0.20', 'fd00:10:96::20'],
    ports: two,
    endpoints: [
      endpoint('10.244.1.7'),
      endpoint('10.244.2.7', { podName: 'web-abc', hostname: 'named' }),
      endpoint('fd00:10:244::', { podName: 'web.dotted' }),
      endpoint('10.244.3.7', { ready: false }),
    ],
  }),
  service('plain', { clusterIPs: ['10.96.0.30'], ports: [port('', 5000)] }),
  service('portless', { clusterIPs: ['10.96.0.31'] }),
  service('db', {
    headless: true,
    ports: [port('redis', 6379)],
    endpoints: [
      endpoint('10.244.1.10', { hostname: 'db-0', ports: clientPorts }),
      endpoint('10.244.2.10', { hostname: 'db-1', ports: clientPorts }),
      endpoint('10.244.3.10', { hostname: 'db-2', ready: false, ports: clientPorts }),
      endpoint('10.244.1.11', { ports: clientPorts }),
    ],
  }),
  service('starting', { headless: true, endpoints: [endpoint('10.244.1.12', { ready: false })] }),
  service('early', {
    headless: true,
    publishNotReadyAddresses: true,
    endpoints: [endpoint('10.244.1.13', { ready: false, hostname: 'early-0' })],
  }),
  service('bare', { headless: true, endpoints: [endpoint('10.244.1.14', { ports: [] })] }),
  service('outside', { externalName: 'www.example.com' }),
  service('number', { externalName: '192.0.2.1' }),
  service('alias', { externalName: 'web.default.svc.cluster.local.' }),
  service('alias-of-alias', { externalName: 'alias.default.svc.cluster.local' }),
  service('dangling', { externalName: 'nobody.default.svc.cluster.local' }),
  service('ring-a', { externalName: 'ring-b.default.svc.cluster.local' }),
  service('ring-b', { externalName: 'ring-a.default.svc.cluster.local' }),
  service('self', { externalName: 'x.self.default.svc.cluster.local' }),
];

export const SERIAL = 4711;

export function shopZone(settings: Partial<ZoneSettings> = {}, services = shop): Zone {
  const zone = new Zone(settings);
  zone.apply({
    serial: SERIAL,
    namespaces: ['default', 'kube-system', 'empty'],
    setServices: services,
    setPods: [{ namespace: 'default', name: 'web-abc', addresses: ['10.244.2.7', 'fd00:10:244::7'] }],
  });
  return zone;
}

export class Client {
  readonly responder: Responder;

  constructor(zone: Zone | undefined = shopZone()) {
    const random = new Random(1);
    this.responder = new Responder(() => random.word());
    this.responder.zone = zone;
  }

  ask(name: string, type: TypeName | number, options: QueryOptions = {}, transport: Transport = 'udp'): Answer {
    const answer = this.responder.respond(query(name, type, options), transport);
    if (answer === undefined) throw new Error('silence');
    return readAnswer(answer);
  }

  /** Records of the answer in any order, without what is the same in all. */
  records(name: string, type: TypeName): string[] {
    const { status, answers } = this.ask(name, type);
    if (status !== 'NOERROR') return [status];
    return answers.map((record) => record.replaceAll('svc.cluster.local.', 'svc…')).sort();
  }
}
