/**
 * Question: what does an answer of the name server cost in memory, bytes to bytes, without any system call, with 10,000
 * Services in the zone; and what a change of one of them? Usage: --help.
 */
import { Bench } from 'tinybench';
import { nameOf } from '../src/dns/name.ts';
import { Responder } from '../src/dns/responder.ts';
import { Zone } from '../src/dns/zone.ts';
import { kubeadmSettings, type ZoneService } from '../src/dns/zone-data.ts';
import { randomWords } from '../src/nodes/random-words.ts';
import { commandLine, noOptions } from './command-line.ts';

const usage = `Usage: npx tsx bench/dns.ts

What an answer of the name server costs, with 10,000 Services in the zone, and a change of one. In memory, some 10 s, no
root.
`;
commandLine(usage, noOptions);

const SERVICES = 10_000;
const HEADLESS_ENDPOINTS = 100;
const [A, SRV] = [1, 33];

const port = { name: 'http', port: 80, protocol: 'TCP' } as const;

function clusterIpService(i: number): ZoneService {
  const endpoints = [1, 2, 3].map((n) => ({ address: `10.${n}.${i >> 8}.${i & 255}`, ready: true, ports: [port] }));
  const clusterIPs = [`10.96.${i >> 8}.${i & 255}`];
  return { namespace: 'default', name: `s-${i}`, clusterIPs, headless: false, ports: [port], endpoints };
}

const headless: ZoneService = {
  ...clusterIpService(0),
  name: 'db',
  clusterIPs: [],
  headless: true,
  endpoints: Array.from({ length: HEADLESS_ENDPOINTS }, (_, i) => ({
    address: `10.9.0.${i}`,
    hostname: `db-${i}`,
    ready: true,
    ports: [port],
  })),
};

const zone = new Zone(kubeadmSettings);
const setServices = Array.from({ length: SERVICES }, (_, i) => clusterIpService(i));
const start = performance.now();
zone.apply({ serial: 1, namespaces: ['default'], setServices: [...setServices, headless] });
console.log(`${SERVICES} services, 3 endpoints each, in ${(performance.now() - start).toFixed(0)} ms`);

const responder = new Responder(randomWords(1));
responder.zone = zone;

function query(text: string, type: number): Uint8Array {
  const head = [0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  return Uint8Array.from([...head, ...Buffer.from(nameOf(text)!, 'latin1'), 0, 0, type, 0, 1]);
}

const QUERIES = 1000;
const names = Array.from({ length: QUERIES }, (_, i) => `s-${i * 7}.default.svc.cluster.local`);
const cases: Readonly<Record<string, readonly Uint8Array[]>> = {
  'A of a ClusterIP': names.map((name) => query(name, A)),
  'A of no such name': names.map((name) => query(`x-${name}`, A)),
  [`A of ${HEADLESS_ENDPOINTS} endpoints`]: [query('db.default.svc.cluster.local', A)],
  [`SRV of ${HEADLESS_ENDPOINTS} endpoints`]: [query('db.default.svc.cluster.local', SRV)],
};

const bench = new Bench({ time: 1000, warmupTime: 500 });
for (const [name, queries] of Object.entries(cases)) {
  let next = 0;
  bench.add(name, () => {
    for (let i = 0; i < QUERIES; i++) responder.respond(queries[next++ % queries.length]!, 'tcp');
  });
}
let changed = 0;
bench.add('one service is replaced', () => {
  for (let i = 0; i < QUERIES; i++) zone.apply({ serial: i, setServices: [setServices[changed++ % SERVICES]!] });
});
await bench.run();
for (const { name, result } of bench.tasks) {
  if (result.state !== 'completed') throw new Error(`${name}: ${result.state}`);
  const us = (result.latency.p50 * 1000) / QUERIES;
  console.log(`${name.padEnd(28)} ${us.toFixed(2).padStart(8)} µs ${Math.round(1e6 / us).toLocaleString('en')}/s`);
}
