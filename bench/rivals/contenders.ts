/** All that there is to compare with. */
import { kernelVxlan } from './kernel-vxlan.ts';
import { kernelVxlanNft } from './kernel-vxlan-nft.ts';
import { n2n } from './n2n.ts';
import { openVswitch } from './open-vswitch.ts';
import type { Contender } from './rival.ts';
import { slirp4netns } from './slirp4netns.ts';
import { tinc } from './tinc.ts';
import { wireguardGo } from './wireguard-go.ts';

/** Each of them another program than podwire; see podwire.ts for podwire. */
export const rivals: readonly Contender[] = [
  kernelVxlan,
  kernelVxlanNft,
  openVswitch,
  wireguardGo,
  tinc,
  n2n,
  slirp4netns(1500),
  slirp4netns(65_520),
];
