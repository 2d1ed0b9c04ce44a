/** Sightings made by hand, and what the numbers in them mean. */
import type { CaptureScene } from '../../src/cluster/capture-scene.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, protocolWord } from '../../src/packet/flow-key.ts';
import { JUDGED_DIRECTION, JUDGED_REVISION } from '../../src/packet/judgement.ts';
import { Drop } from '../../src/packet/outcome.ts';
import { Way, way } from '../../src/packet/way.ts';
import { Direction } from '../../src/policy/policies.ts';
import { Sighting, SightingBit } from '../../src/recording/sighting.ts';
import { parseAddress } from '../../src/wire/address.ts';

export const WEB = way(Way.Pod, 0);
export const API = way(Way.Pod, 3);
export const HOST = way(Way.Host, 0);
export const UNDERLAY = way(Way.None, 0);
export const N2 = way(Way.Tunnel, 0);
export const N3 = way(Way.Tunnel, 1);

export const scene: CaptureScene = {
  node: 'n1',
  hops: [
    { way: WEB, name: 'pod/shop/web', addresses: ['10.244.1.2'] },
    { way: API, name: 'pod/shop/api', addresses: ['10.244.1.3'] },
    { way: HOST, name: 'node/n1:host', addresses: ['172.18.0.2'] },
    { way: UNDERLAY, name: 'node/n1:underlay', addresses: ['172.18.0.2'] },
  ],
  endpoints: ['n2', 'n3'],
};

/** An incoming packet's, unless it is said otherwise. */
export function sightingOf(fields: Partial<Sighting>): Sighting {
  return Object.assign(new Sighting(), { kind: 1, kept: -1, hop: WEB, ingress: WEB }, fields);
}

export interface Judged {
  readonly direction?: number;
  readonly revision?: number;
  readonly source?: string;
  readonly destination?: string;
  readonly protocol?: number;
  /** Source port, and destination port; or what stands in their place. */
  readonly ports?: number;
}

/** A packet that a policy denied. */
export function judged(spec: Judged): Sighting {
  const { source = '10.244.0.2', destination = '10.244.1.2', direction = Direction.Ingress, revision = 1 } = spec;
  const { protocol = 6, ports = (40_000 << 16) | 5432 } = spec;
  const sighting = sightingOf({ outcome: Drop.PolicyDenied, bits: SightingBit.Keys | SightingBit.Judged });
  const { keys } = sighting;
  keys.fill(0xa5a5a5a5);
  keys.set(parseAddress(source)!, KEY_SOURCE);
  keys.set(parseAddress(destination)!, KEY_DESTINATION);
  keys[KEY_PORTS] = ports;
  keys[KEY_PROTOCOL] = protocolWord(source.includes(':') ? 6 : 4, protocol);
  keys[JUDGED_DIRECTION] = direction;
  keys[JUDGED_REVISION] = revision;
  return sighting;
}
