/** Sightings made by hand, and what the numbers in them mean. */
import type { CaptureScene } from '../../src/cluster/capture-scene.ts';
import { Way, way } from '../../src/packet/way.ts';
import { Sighting } from '../../src/recording/sighting.ts';

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
