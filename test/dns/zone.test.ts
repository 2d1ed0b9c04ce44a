/** Names and records of the zone, rule by rule. */
import { describe, expect, test } from 'vitest';
import { Zone } from '../../src/dns/zone.ts';
import { reverseName, type TypeName } from './messages.ts';
import { Client, endpoint, port, SERIAL, service, shop, shopZone } from './shop.ts';

const client = new Client();
const zoneSoa = `cluster.local. 5 SOA ns.dns.cluster.local. hostmaster.cluster.local. ${SERIAL} 7200 1800 86400 5`;

type Case = readonly [rule: string, name: string, type: TypeName, ...records: string[]];

/** Names are relative to `svc.cluster.local`. */
const found: readonly Case[] = [
  ['DN-003 ClusterIP, IPv4', 'web.default', 'A', 'web.default.svc… 5 A 10.96.0.20'],
  ['DN-003 ClusterIP, IPv6', 'web.default', 'AAAA', 'web.default.svc… 5 AAAA fd00:10:96:0:0:0:0:20'],
  ['DN-003 a service without ports', 'portless.default', 'A', 'portless.default.svc… 5 A 10.96.0.31'],
  ['DN-029 a service without endpoints', 'kubernetes.default', 'A', 'kubernetes.default.svc… 5 A 10.96.0.1'],
  [
    'DN-004 a named port',
    '_http._tcp.web.default',
    'SRV',
    '_http._tcp.web.default.svc… 5 SRV 0 50 80 web.default.svc…',
  ],
  [
    'DN-004 its target in the letters of the object',
    '_HTTPS._tcp.Kubernetes.default',
    'SRV',
    '_HTTPS._tcp.Kubernetes.default.svc… 5 SRV 0 100 443 kubernetes.default.svc…',
  ],
  ['DN-026 no underscores', 'http.tcp.web.default', 'SRV', 'http.tcp.web.default.svc… 5 SRV 0 50 80 web.default.svc…'],
  [
    'DN-007 headless: ready endpoints',
    'db.default',
    'A',
    'db.default.svc… 5 A 10.244.1.10',
    'db.default.svc… 5 A 10.244.1.11',
    'db.default.svc… 5 A 10.244.2.10',
  ],
  ['DN-007 headless, no ports', 'bare.default', 'A', 'bare.default.svc… 5 A 10.244.1.14'],
  ['DN-009 hostname of an endpoint', 'db-1.db.default', 'A', 'db-1.db.default.svc… 5 A 10.244.2.10'],
  ['DN-015 hostname and subdomain', 'db-0.db.default', 'A', 'db-0.db.default.svc… 5 A 10.244.1.10'],
  [
    'DN-010 headless: endpoints times ports',
    'db.default',
    'SRV',
    'db.default.svc… 5 SRV 0 16 16379 10-244-1-11.db.default.svc…',
    'db.default.svc… 5 SRV 0 16 16379 db-0.db.default.svc…',
    'db.default.svc… 5 SRV 0 16 16379 db-1.db.default.svc…',
    'db.default.svc… 5 SRV 0 16 6379 10-244-1-11.db.default.svc…',
    'db.default.svc… 5 SRV 0 16 6379 db-0.db.default.svc…',
    'db.default.svc… 5 SRV 0 16 6379 db-1.db.default.svc…',
  ],
  [
    'DN-010 headless: of one port',
    '_gossip._udp.db.default',
    'SRV',
    '_gossip._udp.db.default.svc… 5 SRV 0 33 16379 10-244-1-11.db.default.svc…',
    '_gossip._udp.db.default.svc… 5 SRV 0 33 16379 db-0.db.default.svc…',
    '_gossip._udp.db.default.svc… 5 SRV 0 33 16379 db-1.db.default.svc…',
  ],
  ['DN-012 publishNotReadyAddresses', 'early.default', 'A', 'early.default.svc… 5 A 10.244.1.13'],
  [
    'DN-012 publishNotReadyAddresses, by hostname',
    'early-0.early.default',
    'A',
    'early-0.early.default.svc… 5 A 10.244.1.13',
  ],
  ['DN-013 ExternalName', 'outside.default', 'CNAME', 'outside.default.svc… 5 CNAME www.example.com.'],
  ['DN-013 ExternalName, asked for addresses', 'outside.default', 'A', 'outside.default.svc… 5 CNAME www.example.com.'],
  ['DN-030 an address as name, IPv4', '10-244-1-7.web.default', 'A', '10-244-1-7.web.default.svc… 5 A 10.244.1.7'],
  [
    'DN-030 an address as name, IPv6',
    'fd00-10-244--0.web.default',
    'AAAA',
    'fd00-10-244--0.web.default.svc… 5 AAAA fd00:10:244:0:0:0:0:0',
  ],
  ['DN-031 endpoints of a ClusterIP service', 'named.web.default', 'A', 'named.web.default.svc… 5 A 10.244.2.7'],
  [
    'DN-034 an alias within the zone',
    'alias.default',
    'A',
    'alias.default.svc… 5 CNAME web.default.svc…',
    'web.default.svc… 5 A 10.96.0.20',
  ],
];

/** Names that exist, and have nothing of that type. */
const empty: readonly (readonly [rule: string, name: string, type: TypeName | number])[] = [
  ['DN-019 the other family', 'kubernetes.default.svc.cluster.local', 'AAAA'],
  ['DN-019 the other family, of an endpoint', 'db-0.db.default.svc.cluster.local', 'AAAA'],
  ['DN-022 another type', 'web.default.svc.cluster.local', 'MX'],
  ['DN-022 a type that nobody knows', 'web.default.svc.cluster.local', 64_999],
  ['DN-022 text', 'web.default.svc.cluster.local', 'TXT'],
  ['DN-022 SOA below the apex', 'web.default.svc.cluster.local', 'SOA'],
  ['DN-023 the apex', 'cluster.local', 'A'],
  ['DN-023 the apex, text', 'cluster.local', 'TXT'],
  ['DN-023 svc', 'svc.cluster.local', 'A'],
  ['DN-023 pod', 'pod.cluster.local', 'A'],
  ['DN-024 a namespace', 'default.svc.cluster.local', 'A'],
  ['DN-024 a namespace without services', 'empty.svc.cluster.local', 'A'],
  ['DN-005 a port without name', 'plain.default.svc.cluster.local', 'SRV'],
  ['DN-036 SRV of an external service', 'outside.default.svc.cluster.local', 'SRV'],
  ['DN-034 an alias that leads nowhere', 'dangling.default.svc.cluster.local', 'A'],
  ['DN-036 SRV of an alias', 'alias.default.svc.cluster.local', 'SRV'],
  ['DN-034 two aliases of each other', 'ring-a.default.svc.cluster.local', 'A'],
  ['DN-034 an alias of itself', 'self.default.svc.cluster.local', 'A'],
  ['DN-002 dns-version has no address', 'dns-version.cluster.local', 'A'],
];

const unknown: readonly (readonly [rule: string, name: string, type: TypeName])[] = [
  ['DN-020 no such service', 'nobody.default.svc.cluster.local', 'A'],
  ['DN-020 no such service, another type', 'nobody.default.svc.cluster.local', 'MX'],
  ['DN-020 no such service, text', 'nobody.default.svc.cluster.local', 'TXT'],
  ['DN-020 no such endpoint', 'db-9.db.default.svc.cluster.local', 'A'],
  ['DN-020 no such port', '_nope._tcp.web.default.svc.cluster.local', 'SRV'],
  ['DN-020 a port of another protocol', '_http._udp.web.default.svc.cluster.local', 'SRV'],
  ['DN-005 a port without name', '_._tcp.plain.default.svc.cluster.local', 'SRV'],
  ['DN-024 no such namespace', 'nowhere.svc.cluster.local', 'A'],
  ['DN-042 a service of a namespace that is not served', 'web.nowhere.svc.cluster.local', 'A'],
  ['DN-025 neither svc nor pod', 'web.default.service.cluster.local', 'A'],
  ['DN-025 too long', 'a._http._tcp.web.default.svc.cluster.local', 'A'],
  ['DN-027 zonal names', 'a.pin._zone.db.default.svc.cluster.local', 'A'],
  ['DN-028 wildcards', '*.default.svc.cluster.local', 'A'],
  ['DN-028 wildcards for endpoints', 'any.db.default.svc.cluster.local', 'A'],
  ['DN-008 headless, nobody ready', 'starting.default.svc.cluster.local', 'A'],
  ['DN-012 by hostname, not ready', 'db-2.db.default.svc.cluster.local', 'A'],
  ['DN-016 a name that no endpoint has', 'web-abc.web.default.svc.cluster.local', 'A'],
  ['DN-032 pods are disabled', '10-244-2-7.default.pod.cluster.local', 'A'],
  ['DN-036 an endpoint of an external service', 'a.outside.default.svc.cluster.local', 'A'],
  ['DN-036 a port of an external service', '_a._tcp.outside.default.svc.cluster.local', 'SRV'],
  ['DN-036 an external name that is an address', 'number.default.svc.cluster.local', 'A'],
];

describe('names that have records', () => {
  for (const [rule, name, type, ...records] of found) {
    test(`${rule}: ${name} ${type}`, () => expect(client.records(`${name}.svc.cluster.local`, type)).toEqual(records));
  }
});

describe('names that exist', () => {
  test.each(empty)('%s: %s %s is NODATA', (_rule, name, type) => {
    const { status, flags, answers, authority } = client.ask(name, type);
    expect({ status, flags, answers, authority }).toEqual({
      status: 'NOERROR',
      flags: 'qr aa rd',
      answers: [],
      authority: [zoneSoa],
    });
  });
});

describe('names that do not exist', () => {
  test.each(unknown)('%s: %s %s is NXDOMAIN', (_rule, name, type) => {
    const { status, flags, answers, authority } = client.ask(name, type);
    expect({ status, flags, answers, authority }).toEqual({
      status: 'NXDOMAIN',
      flags: 'qr aa rd',
      answers: [],
      authority: [zoneSoa],
    });
  });
});

test('DN-001 names are the same in any letter case, and are answered in the one asked', () => {
  const { question, answers } = client.ask('wEb.DEFAULT.sVc.Cluster.LOCAL', 'A');
  expect(question).toBe('wEb.DEFAULT.sVc.Cluster.LOCAL. A 1');
  expect(answers).toEqual(['wEb.DEFAULT.sVc.Cluster.LOCAL. 5 A 10.96.0.20']);
  const upper = new Client(shopZone({}, [service('WEB', { namespace: 'Default', clusterIPs: ['10.96.0.99'] })]));
  expect(upper.ask('web.default.svc.cluster.local', 'A').answers).toHaveLength(1);
});

test('DN-001 only ASCII letters, and only whole labels, are compared', () => {
  expect(client.ask('\u00e0.cluster.local', 'A').status).toBe('NXDOMAIN');
  expect(client.ask('web\u0007default\u0003svc.cluster.local', 'A').status).toBe('NXDOMAIN');
  expect(client.ask('a\u0007cluster\u0005local', 'A').status).toBe('REFUSED');
});

test('DN-002, DN-017 dns-version', () => {
  expect(client.ask('dns-version.cluster.local', 'TXT').answers).toEqual([
    'dns-version.cluster.local. 28800 TXT "1.1.0"',
  ]);
});

test('DN-017 the TTL is a setting', () => {
  const kubeadm = new Client(shopZone({ ttlSeconds: 30 }));
  expect(kubeadm.records('web.default.svc.cluster.local', 'A')).toEqual(['web.default.svc… 30 A 10.96.0.20']);
});

test('DN-018 answers are authoritative', () => {
  expect(client.ask('web.default.svc.cluster.local', 'A').flags).toBe('qr aa rd');
});

test('DN-021 SOA of the zone', () => {
  expect(client.ask('cluster.local', 'SOA').answers).toEqual([zoneSoa]);
  const [soa] = new Client(shopZone({ ttlSeconds: 3600 })).ask('cluster.local', 'SOA').answers;
  expect(soa).toBe(
    `cluster.local. 300 SOA ns.dns.cluster.local. hostmaster.cluster.local. ${SERIAL} 7200 1800 86400 3600`,
  );
});

test('DN-021 the primary of the SOA has addresses, and the zone an NS', () => {
  expect(client.ask('ns.dns.cluster.local', 'A').answers).toEqual(['ns.dns.cluster.local. 5 A 10.96.0.10']);
  const { answers, additional } = client.ask('cluster.local', 'NS');
  expect(answers).toEqual(['cluster.local. 5 NS kube-dns.kube-system.svc.cluster.local.']);
  expect(additional).toEqual(['kube-dns.kube-system.svc.cluster.local. 5 A 10.96.0.10']);
  expect(new Client(shopZone({}, [])).ask('cluster.local', 'NS').answers).toEqual([
    'cluster.local. 5 NS ns.dns.cluster.local.',
  ]);
});

describe('PTR', () => {
  const cases = [
    ['DN-006 a ClusterIP', '10.96.0.20', 'web.default.svc.cluster.local.'],
    ['DN-006 a ClusterIP, IPv6', 'fd00:10:96::20', 'web.default.svc.cluster.local.'],
    ['DN-011 an endpoint with hostname', '10.244.1.10', 'db-0.db.default.svc.cluster.local.'],
    ['DN-039 an endpoint of a ClusterIP service', '10.244.1.7', '10-244-1-7.web.default.svc.cluster.local.'],
    ['DN-039 an endpoint, IPv6', 'fd00:10:244::', 'fd00-10-244--0.web.default.svc.cluster.local.'],
  ] as const;
  test.each(cases)('%s: %s', (_rule, address, name) => {
    const { answers, flags } = client.ask(reverseName(address), 'PTR');
    expect({ answers, flags }).toEqual({ answers: [`${reverseName(address)}. 5 PTR ${name}`], flags: 'qr aa rd' });
  });

  test('DN-012 an endpoint that is not ready', () => {
    expect(client.ask(reverseName('10.244.3.10'), 'PTR').status).toBe('NXDOMAIN');
  });

  test('DN-039 an endpoint of two services has two names, and the ClusterIP goes first', () => {
    const both = shopZone();
    both.apply({ serial: 1, setServices: [service('also', { headless: true, endpoints: [endpoint('10.244.1.10')] })] });
    const names = () =>
      new Client(both).records(reverseName('10.244.1.10'), 'PTR').map((text) => text.split(' ').at(-1));
    expect(names()).toEqual(['10-244-1-10.also.default.svc…', 'db-0.db.default.svc…']);
    both.apply({ serial: 2, setServices: [service('vip', { clusterIPs: ['10.244.1.10'] })] });
    expect(names()).toEqual(['vip.default.svc…']);
  });

  test.each([
    ['nobody has it', reverseName('10.96.9.9')],
    ['no address', '20.0.96.in-addr.arpa'],
    ['leading zeros', '020.0.96.10.in-addr.arpa'],
    ['an address in IPv6 clothes', '20.0.96.::ffff:10.in-addr.arpa'],
    ['an IPv6 address in the wrong zone', 'fd00:10:96::20.in-addr.arpa'],
    ['too many digits', `0.${reverseName('fd00:10:96::20')}`],
    ['too few digits', '1.0.0.ip6.arpa'],
  ])('DN-039 %s: NXDOMAIN with the SOA of its zone', (_name, name) => {
    const { status, authority } = client.ask(name, 'PTR');
    const apex = name.split('.').slice(-2).join('.');
    expect(status).toBe('NXDOMAIN');
    expect(authority).toEqual([`${apex}. 5 SOA ns.dns.${apex}. hostmaster.${apex}. ${SERIAL} 7200 1800 86400 5`]);
  });

  test('DN-023 the apex of reverse names', () => {
    expect(client.ask('in-addr.arpa', 'PTR')).toMatchObject({ status: 'NOERROR', answers: [] });
    expect(client.ask('ip6.arpa', 'SOA').answers).toHaveLength(1);
  });

  test('DN-042 addresses in a namespace that is not served', () => {
    const zone = shopZone();
    zone.apply({ serial: 1, namespaces: ['kube-system'] });
    for (const address of ['10.96.0.20', '10.244.1.10']) {
      expect(new Client(zone).ask(reverseName(address), 'PTR').status).toBe('NXDOMAIN');
    }
  });
});

describe('SRV', () => {
  test('DN-014 the additional section has addresses of both families', () => {
    expect(client.ask('_http._tcp.web.default.svc.cluster.local', 'SRV').additional).toEqual([
      'web.default.svc.cluster.local. 5 A 10.96.0.20',
      'web.default.svc.cluster.local. 5 AAAA fd00:10:96:0:0:0:0:20',
    ]);
  });

  test('DN-014 an address is there once, however many ports it has', () => {
    const { additional } = client.ask('db.default.svc.cluster.local', 'SRV');
    expect(additional.map((record) => record.split(' ').at(-1))).toEqual(['10.244.1.10', '10.244.2.10', '10.244.1.11']);
  });

  test('DN-037 weights share 100, and are never 0', () => {
    const endpoints = Array.from({ length: 150 }, (_, i) => endpoint(`10.244.9.${i}`));
    const many = new Client(shopZone({}, [service('many', { headless: true, endpoints })]));
    const { answers } = many.ask('many.default.svc.cluster.local', 'SRV', {}, 'tcp');
    expect(answers).toHaveLength(150);
    expect(answers[0]).toContain(' SRV 0 1 8080 ');
  });
});

describe('addresses', () => {
  const same = ['10.244.1.1', '10.244.1.1', '10.244.1.2'].map((address) =>
    endpoint(address, { ports: [port('a', 1), port('b', 2)] }),
  );

  test('DN-038 each is there once', () => {
    const zone = shopZone({}, [service('twice', { headless: true, endpoints: same })]);
    expect(new Client(zone).records('twice.default.svc.cluster.local', 'A')).toHaveLength(2);
  });

  test('DN-044 they come in any order, behind the aliases', () => {
    const endpoints = ['10.244.1.1', '10.244.1.2', '10.244.1.3'].map((address) => endpoint(address));
    const zone = shopZone({}, [
      service('three', { headless: true, endpoints }),
      service('alias', { externalName: 'three.default.svc.cluster.local' }),
    ]);
    const asker = new Client(zone);
    const orders = new Map<string, number>();
    for (let i = 0; i < 600; i++) {
      const [first, ...rest] = asker.ask('alias.default.svc.cluster.local', 'A').answers;
      expect(first).toContain(' CNAME ');
      const order = rest.map((record) => record.at(-1)).join('');
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect([...orders.keys()].sort()).toEqual(['123', '132', '213', '231', '312', '321']);
    // 600 draws of six: fewer than 60 of one order happens once in some 10,000 sequences, and this one is fixed.
    expect(Math.min(...orders.values())).toBeGreaterThan(60);
  });
});

describe('aliases', () => {
  test('DN-034 of aliases', () => {
    expect(client.ask('alias-of-alias.default.svc.cluster.local', 'A').answers).toEqual([
      'alias-of-alias.default.svc.cluster.local. 5 CNAME alias.default.svc.cluster.local.',
      'alias.default.svc.cluster.local. 5 CNAME web.default.svc.cluster.local.',
      'web.default.svc.cluster.local. 5 A 10.96.0.20',
    ]);
  });

  test.each([
    [11, 12],
    [12, 0],
  ])('DN-034 a chain of %i links has %i records', (links, records) => {
    const chain = Array.from({ length: links }, (_, i) =>
      service(`link-${i}`, { externalName: `link-${i + 1}.default.svc.cluster.local` }),
    );
    const end = service(`link-${links}`, { clusterIPs: ['10.96.1.1'] });
    const { answers } = new Client(shopZone({}, [...chain, end])).ask(
      'link-0.default.svc.cluster.local',
      'A',
      {},
      'tcp',
    );
    expect(answers).toHaveLength(records);
  });
});

describe('pods', () => {
  const ask = (pods: 'insecure' | 'verified', name: string, type: TypeName = 'A') =>
    new Client(shopZone({ pods })).ask(`${name}.pod.cluster.local`, type);

  test.each([
    ['DN-032 insecure: whatever it says', 'insecure', '1-2-3-4.default', 'A', 'A 1.2.3.4'],
    ['DN-033 insecure: IPv6', 'insecure', 'fd00--4.default', 'AAAA', 'AAAA fd00:0:0:0:0:0:0:4'],
    ['DN-033 insecure: four groups with a gap are IPv6', 'insecure', '1--2-3.default', 'AAAA', 'AAAA 1:0:0:0:0:0:2:3'],
    ['DN-032 verified: a pod', 'verified', '10-244-2-7.default', 'A', 'A 10.244.2.7'],
    ['DN-032 verified: a pod, IPv6', 'verified', 'fd00-10-244--7.default', 'AAAA', 'AAAA fd00:10:244:0:0:0:0:7'],
  ] as const)('%s', (_rule, mode, name, type, data) => {
    expect(ask(mode, name, type).answers).toEqual([`${name}.pod.cluster.local. 5 ${data}`]);
  });

  test.each([
    ['DN-032 insecure: no such namespace', 'insecure', '1-2-3-4.nowhere'],
    ['DN-033 insecure: no address', 'insecure', '1-2-3-400.default'],
    ['DN-033 insecure: a name', 'insecure', 'web-abc.default'],
    ['DN-032 verified: no such pod', 'verified', '10-244-2-8.default'],
    ['DN-032 verified: in another namespace', 'verified', '10-244-2-7.kube-system'],
  ] as const)('%s is NXDOMAIN', (_rule, mode, name) => {
    expect(ask(mode, name).status).toBe('NXDOMAIN');
  });

  test('DN-030 names of pods as names of endpoints', () => {
    const named = new Client(shopZone({ endpointPodNames: true }));
    const endpoints = [
      endpoint('10.244.1.1', { podName: 'p-1' }),
      endpoint('10.244.1.2', { podName: 'p.2' }),
      endpoint('10.244.1.3', { podName: 'p-3', hostname: 'h' }),
    ];
    named.responder.zone!.apply({ serial: 1, setServices: [service('named', { headless: true, endpoints })] });
    const targets = named.ask('named.default.svc.cluster.local', 'SRV').answers.map((text) => text.split(' ').at(-1));
    expect(targets.map((name) => name!.split('.')[0])).toEqual(['p-1', '10-244-1-2', 'h']);
  });
});

describe('what is not answered', () => {
  test.each(['www.example.com', '', 'local', 'xcluster.local', 'arpa'])('another zone is refused: "%s"', (name) => {
    expect(client.ask(name, 'A')).toMatchObject({ status: 'REFUSED', flags: 'qr rd', answers: [], authority: [] });
  });

  test.each(['AXFR', 'IXFR'] as const)('DN-041 %s is refused', (type) => {
    expect(client.ask('cluster.local', type, {}, 'tcp')).toMatchObject({ status: 'REFUSED', answers: [] });
  });

  test('another class is refused', () => {
    expect(client.ask('web.default.svc.cluster.local', 'A', { class: 3 }).status).toBe('REFUSED');
  });

  test('ANY is answered with as little as RFC 8482 section 4.2 allows', () => {
    expect(client.ask('web.default.svc.cluster.local', 'ANY').answers).toEqual([
      'web.default.svc.cluster.local. 5 HINFO "RFC8482" ""',
    ]);
    expect(client.ask('nobody.default.svc.cluster.local', 'ANY').status).toBe('NXDOMAIN');
    expect(client.ask(reverseName('10.96.0.20'), 'ANY').answers).toHaveLength(1);
  });

  test('DN-040 before there is a zone: SERVFAIL', () => {
    const early = new Client();
    early.responder.zone = undefined;
    expect(early.ask('web.default.svc.cluster.local', 'A')).toMatchObject({ status: 'SERVFAIL', flags: 'qr rd' });
  });
});

describe('changes', () => {
  test('a service is replaced with all its names', () => {
    const zone = shopZone();
    const asker = new Client(zone);
    zone.apply({ serial: 5000, setServices: [service('db', { clusterIPs: ['10.96.0.77'] })] });
    expect(asker.records('db.default.svc.cluster.local', 'A')).toEqual(['db.default.svc… 5 A 10.96.0.77']);
    expect(asker.ask('db-0.db.default.svc.cluster.local', 'A').status).toBe('NXDOMAIN');
    expect(asker.ask(reverseName('10.244.1.10'), 'PTR').status).toBe('NXDOMAIN');
    expect(asker.ask('cluster.local', 'SOA').answers[0]).toContain(' 5000 ');
  });

  test('a service is removed with all its names, and others stay', () => {
    const zone = shopZone();
    zone.apply({ serial: 1, removeServices: ['default/web', 'default/nobody'] });
    const asker = new Client(zone);
    for (const name of ['web.default.svc.cluster.local', reverseName('10.96.0.20'), reverseName('10.244.1.7')]) {
      expect(asker.ask(name, 'PTR').status).toBe('NXDOMAIN');
    }
    expect(asker.records('kubernetes.default.svc.cluster.local', 'A')).toHaveLength(1);
  });

  test('a whole new zone leaves nothing of the old', () => {
    const zone = shopZone({ pods: 'verified' });
    zone.apply({
      serial: 1,
      replace: true,
      namespaces: ['new'],
      setServices: [service('a', { namespace: 'new', clusterIPs: ['10.96.0.2'] })],
    });
    const asker = new Client(zone);
    expect(asker.records('a.new.svc.cluster.local', 'A')).toHaveLength(1);
    zone.apply({ serial: 2, namespaces: ['new', 'default'] });
    for (const name of [
      'web.default.svc.cluster.local',
      '10-244-2-7.default.pod.cluster.local',
      reverseName('10.244.1.10'),
    ]) {
      expect(asker.ask(name, 'A').status).toBe('NXDOMAIN');
    }
  });

  test('a pod is moved, and removed', () => {
    const zone = shopZone({ pods: 'verified' });
    const asker = new Client(zone);
    const status = (address: string) => asker.ask(`${address}.default.pod.cluster.local`, 'A').status;
    zone.apply({ serial: 1, setPods: [{ namespace: 'default', name: 'web-abc', addresses: ['10.244.2.9'] }] });
    expect([status('10-244-2-7'), status('10-244-2-9')]).toEqual(['NXDOMAIN', 'NOERROR']);
    zone.apply({ serial: 2, removePods: ['default/web-abc'] });
    expect(status('10-244-2-9')).toBe('NXDOMAIN');
  });

  test('data survive a structured clone', () => {
    const zone = new Zone();
    zone.apply(structuredClone({ serial: 1, namespaces: ['default', 'kube-system'], setServices: shop }));
    expect(new Client(zone).records('db.default.svc.cluster.local', 'A')).toHaveLength(3);
  });

  test('what no API server would let in has no name and harms nobody', () => {
    const odd = [
      service('a'.repeat(64), { clusterIPs: ['10.96.0.2'] }),
      service('odd', {
        clusterIPs: ['None', ''],
        endpoints: [endpoint('nonsense'), endpoint('10.0.0.1', { hostname: 'x'.repeat(64) })],
      }),
      service('far', { externalName: 'a..b' }),
    ];
    const asker = new Client(shopZone({}, odd));
    expect(asker.ask('odd.default.svc.cluster.local', 'A')).toMatchObject({ status: 'NOERROR', answers: [] });
    expect(asker.ask('far.default.svc.cluster.local', 'A').status).toBe('NXDOMAIN');
  });

  test.each(['', 'a..b', 'x'.repeat(64), `${'abcdefgh.'.repeat(28)}c`])('no domain for a zone: "%s"', (domain) => {
    expect(() => new Zone({ domain })).toThrow(RangeError);
  });
});
