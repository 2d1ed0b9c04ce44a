/** Who can take part, and in what. */
import { kernelVxlan } from '../rivals/kernel-vxlan.ts';
import { kernelVxlanNft } from '../rivals/kernel-vxlan-nft.ts';
import { n2n } from '../rivals/n2n.ts';
import { openVswitch } from '../rivals/open-vswitch.ts';
import { podwire } from '../rivals/podwire.ts';
import type { Contender } from '../rivals/rival.ts';
import { slirp4netns } from '../rivals/slirp4netns.ts';
import { tinc } from '../rivals/tinc.ts';
import { wireguardGo } from '../rivals/wireguard-go.ts';

export const workloadNames = ['stream', 'service', 'packets', 'packets-gso', 'rtt', 'exec'] as const;
export type WorkloadName = (typeof workloadNames)[number];

export interface Entry {
  readonly name: string;
  readonly title: string;
  readonly contender: Contender;
  readonly workloads: readonly WorkloadName[];
}

const plainTraffic = ['stream', 'packets', 'packets-gso', 'rtt'] as const;

/** Who has a Service → who carries the same without. */
export const plainOf: Readonly<Record<string, string>> = {
  'podwire-service': 'podwire',
  'kernel-vxlan-nft': 'kernel-vxlan',
};

export const catalogue: readonly Entry[] = [
  entry('podwire', podwire({ underlay: 'tap' }), [...plainTraffic, 'service', 'exec']),
  entry('podwire-asleep', podwire({ underlay: 'tap', without: ['spin'] }), ['rtt']),
  entry('podwire-udp', podwire({ underlay: 'udp' }), ['stream', 'packets', 'packets-gso']),
  entry('podwire-service', podwire({ underlay: 'tap', throughService: true }), ['service']),
  entry('kernel-vxlan', kernelVxlan, [...plainTraffic, 'service']),
  entry('kernel-vxlan-nft', kernelVxlanNft, ['service']),
  entry('ovs', openVswitch, plainTraffic),
  entry('wireguard-go', wireguardGo, plainTraffic),
  entry('tinc', tinc, plainTraffic),
  entry('n2n', n2n, plainTraffic),
  entry('slirp4netns-1500', slirp4netns(1500), ['stream']),
  entry('slirp4netns-65520', slirp4netns(65_520), ['stream']),
];

function entry(name: string, contender: Contender, workloads: readonly WorkloadName[]): Entry {
  return { name, title: contender.encrypts ? `${contender.name} (encrypts)` : contender.name, contender, workloads };
}
