import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { rivals } from '../../bench/rivals/contenders.ts';
import { policyRules, serviceRules } from '../../bench/rivals/kernel-vxlan-nft.ts';
import { edgeWords } from '../../bench/rivals/n2n.ts';
import { bridgeWords } from '../../bench/rivals/open-vswitch.ts';
import { podwire, upWords } from '../../bench/rivals/podwire.ts';
import { nodeBehind } from '../../bench/rivals/podwire-wire.ts';
import { missingWords, SERVICE_PORTS } from '../../bench/rivals/rival.ts';
import { tincConfiguration, tincHost } from '../../bench/rivals/tinc.ts';
import { featureWords, judgeWire, sentBy, switchableFeatures, trafficSince } from '../../bench/rivals/wire.ts';
import { wireguardKeys } from '../../bench/rivals/wireguard-go.ts';

const root = new URL('../../', import.meta.url);

describe('the wire', () => {
  const listing = `Features for wire0:
rx-checksumming: on
tx-checksumming: on
	tx-checksum-ip-generic: on
tcp-segmentation-offload: on
	tx-tcp-segmentation: on
generic-segmentation-offload: on
generic-receive-offload: off
tx-udp_tnl-segmentation: on
tx-udp_tnl-csum-segmentation: off [fixed]
tx-udp-segmentation: on
`;
  const features = switchableFeatures(listing);

  test('has the features that make superframes, where they can be switched', () => {
    expect([...features]).toEqual([
      ['tcp-segmentation-offload', true],
      ['generic-segmentation-offload', true],
      ['generic-receive-offload', false],
      ['tx-udp_tnl-segmentation', true],
      ['tx-udp-segmentation', true],
    ]);
  });

  test('as an MTU wire has none of them', () => {
    const words = featureWords('wire0', features, 'mtu');
    expect(words.slice(0, 2)).toEqual(['-K', 'wire0']);
    expect(words).toHaveLength(2 + 2 * features.size);
    expect(words).not.toContain('on');
  });

  test('as a superframe wire is what it was at first', () => {
    const words = featureWords('wire0', features, 'superframe').join(' ');
    expect(words).toContain('tcp-segmentation-offload on');
    expect(words).toContain('generic-receive-offload off');
  });

  const procNetDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
 wire0: 9000001      12    0    0    0     0          0         0 1514000    1000    0    3    0     0       0          0
`;

  test('is counted by what the device has sent', () => {
    expect(sentBy('wire0', procNetDev)).toEqual({ bytes: 1_514_000, packets: 1000 });
    expect(() => sentBy('wire', procNetDev)).toThrow('no device wire in');
  });

  test('counts between two readings', () => {
    expect(trafficSince({ packets: 1, bytes: 100 }, { packets: 5, bytes: 900 })).toEqual({ packets: 4, bytes: 800 });
  });

  test('is an MTU wire when no packet can have been larger', () => {
    const full = { packets: 1000, bytes: 1_514_000 };
    expect(judgeWire(full, 1_398_000, 1500)).toEqual({ averageBytes: 1514, wire: 'mtu' });
    expect(judgeWire({ packets: 1000, bytes: 1_515_000 }, 1_398_000, 1500).wire).toBe('superframe');
    expect(judgeWire({ packets: 20, bytes: 1_300_000 }, 1_290_000, 1500).wire).toBe('superframe');
  });

  test('refuses to be judged by traffic that went elsewhere', () => {
    expect(() => judgeWire({ packets: 10, bytes: 1000 }, 1_000_000, 1500)).toThrow('1000 bytes crossed the wire');
  });
});

describe('rivals', () => {
  test('name what they lack, and the command that installs it', () => {
    const needs = [
      ['sh', 'dash'],
      ['no-such-program', 'no-such-package'],
      ['no-such-either', 'no-such-package'],
    ] as const;
    expect(missingWords(needs)).toBe('no no-such-program, no-such-either here: apt-get install no-such-package');
    expect(missingWords(needs.slice(0, 1))).toBeUndefined();
  });

  test('can all be installed by scripts/install-rivals', () => {
    const script = readFileSync(new URL('scripts/install-rivals', root), 'utf8');
    for (const [program, debianPackage] of rivals.flatMap(({ needs }) => needs)) {
      expect(script, program).toContain(`${program}:${debianPackage}`);
    }
  });

  test('have names of their own', () => {
    const names = [...rivals, podwire({ underlay: 'tap' })].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  test('Service in nftables: every port of both protocols has its backend', () => {
    const rules = serviceRules('10.96.0.10', '10.244.2.2');
    for (const port of SERVICE_PORTS) {
      expect(rules).toContain(`10.96.0.10 . tcp . ${port} : goto service-tcp-${port}`);
      expect(rules).toContain(`chain endpoint-udp-${port} { meta l4proto udp dnat to 10.244.2.2:${port}; }`);
    }
  });

  test('policy in nftables: established, admitted, and nothing else', () => {
    const rules = policyRules('pod0', '10.244.1.2');
    const chain = /chain to-pod \{([^}]*)\}/.exec(rules)![1]!;
    expect(chain.split(';').map((rule) => rule.trim())).toEqual([
      'ct state established,related accept',
      'ip saddr . meta l4proto . th dport @admitted accept',
      'drop',
      '',
    ]);
    expect(rules).toContain('oifname "pod0" jump to-pod');
    expect(rules.match(/10\.244\.1\.2 \. (tcp|udp) \. \d+/g)).toHaveLength(2 * SERVICE_PORTS.length);
  });

  test('Open vSwitch: two bridges of its userspace datapath and a tunnel to the other node', () => {
    const words = bridgeWords('172.16.0.1', '172.16.0.2').join(' ');
    expect(words.match(/datapath_type=netdev/g)).toHaveLength(2);
    expect(words).toContain('type=vxlan options:remote_ip=172.16.0.2 options:local_ip=172.16.0.1');
  });

  test('tinc: nothing sealed, nothing signed, one node calls the other', () => {
    expect(tincHost('172.16.0.1', 'KEY\n').split('\n')).toEqual(
      expect.arrayContaining(['Cipher = none', 'Digest = none', 'Compression = 0', 'KEY']),
    );
    expect(tincConfiguration(1)).toContain('ConnectTo = n2');
    expect(tincConfiguration(2)).not.toContain('ConnectTo');
  });

  test('n2n: edges differ in address and MAC', () => {
    const [one, two] = [edgeWords(1, '172.16.0.1'), edgeWords(2, '172.16.0.1')];
    const different = one.filter((word, i) => word !== two[i]);
    expect(different).toEqual(['10.99.0.1', '02:6e:32:6e:00:01']);
  });

  test('wireguard: keys are 32 bytes in base64', () => {
    const { secret, open } = wireguardKeys();
    for (const key of [secret, open]) expect(key).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    expect(secret).not.toBe(open);
  });
});

describe('podwire as a contender', () => {
  test('is started with what was asked', () => {
    const words = upWords({ underlay: 'tap', without: ['merge', 'spin'], offload: 'off' }).join(' ');
    expect(words).toMatch(
      /examples\/two-pods -d --name bench --underlay tap --mtu 1500 --offload off --without merge,spin$/,
    );
    expect(upWords({ underlay: 'udp', throughService: true })[1]).toMatch(/bench\/rivals\/through-service\.yaml$/);
  });

  test('says in its name and note what it is', () => {
    expect(podwire({ underlay: 'udp', without: ['simd'] }).name).toBe('podwire, UDP sockets, without simd');
    expect(podwire({ underlay: 'udp' }).wires).toEqual(['superframe']);
  });

  test('has a Service and a policy for the ports that servers listen on', () => {
    const text = readFileSync(new URL('bench/rivals/through-service.yaml', root), 'utf8');
    const documents = parseAllDocuments(text).map((document) => parse(String(document)));
    const byKind = new Map(documents.map((document) => [document.kind, document]));
    const frontends = byKind
      .get('Service')
      .spec.ports.map((port: { protocol: string; port: number }) => [port.protocol, port.port]);
    expect(frontends).toEqual(['TCP', 'UDP'].flatMap((protocol) => SERVICE_PORTS.map((port) => [protocol, port])));
    const admitted = byKind.get('NetworkPolicy').spec.ingress[0].ports;
    const [from, to] = [Math.min(...SERVICE_PORTS), Math.max(...SERVICE_PORTS)];
    expect(admitted).toEqual(['TCP', 'UDP'].map((protocol) => ({ port: from, endPort: to, protocol })));
  });

  test('its wire is found by the one permanent neighbour behind each TAP', () => {
    const node = { dst: '172.18.0.3', lladdr: '02:70:ac:12:00:03', state: ['PERMANENT'] };
    const stale = { dst: '172.18.0.9', lladdr: '02:70:ac:12:00:09', state: ['STALE'] };
    expect(nodeBehind(JSON.stringify([stale, node]))).toEqual({ address: '172.18.0.3', mac: '02:70:ac:12:00:03' });
    expect(() => nodeBehind(JSON.stringify([stale]))).toThrow('expected one node');
    expect(() => nodeBehind(JSON.stringify([node, { ...node, dst: '172.18.0.4' }]))).toThrow('expected one node');
  });
});
