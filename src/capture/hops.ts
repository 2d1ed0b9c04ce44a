/**
 * Hops as users name them: `pod/NS/NAME`, `node/N:host`, `node/N:underlay`, `link/A-B`, `drops`, `all`. What there is,
 * and what a choice of them means on each node.
 */

import type { CaptureScene } from '../cluster/capture-scene.ts';
import { nearestWord } from '../cluster/nearest-word.ts';
import { Way, way, wayKind } from '../packet/way.ts';
import { type Sighting, SightingBit } from '../recording/sighting.ts';
import type { Node, Pod } from '../store/object.ts';
import { Refusal } from '../vessel/refusal.ts';
import { hopName } from './verdict-words.ts';

export interface Hop {
  readonly name: string;
  /** For people: `pod shop/web on n1, 10.244.0.2`. */
  readonly description: string;
}

/** Links are other names for parts of underlays, so `all` leaves them out. */
export class HopChoice {
  /** Those chosen, in the order of the cluster's. */
  readonly hops: readonly Hop[];
  /** Only what was dropped. */
  readonly drops: boolean;
  readonly #names: ReadonlySet<string>;

  /** @param words as the user gave them. Throws `Refusal` for what is not there. */
  constructor(all: readonly Hop[], words: readonly string[]) {
    this.drops = words.includes('drops');
    const places = words.filter((word) => word !== 'drops');
    const whole = places.length === 0 || places.includes('all');
    for (const word of words) {
      if (word === 'all' || word === 'drops' || all.some(({ name }) => name === word)) continue;
      const nearest = nearestWord(word, [...all.map(({ name }) => name), 'drops', 'all']);
      const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
      throw new Refusal(`no hop "${word}"${hint} (podwire capture -D lists them)`);
    }
    const chosen = (name: string) => words.includes(name) || (whole && !name.startsWith('link/'));
    this.hops = all.filter(({ name }) => chosen(name));
    this.#names = new Set(this.hops.map(({ name }) => name));
  }

  /** What one node is to tell of; empty for nothing. */
  waysOf(scene: CaptureScene): number[] {
    const ways = scene.hops.filter(({ name }) => this.#names.has(name)).map((hop) => hop.way);
    for (const [endpoint, name] of scene.endpoints.entries()) {
      if (this.#names.has(linkName(scene.node, name))) ways.push(way(Way.Tunnel, endpoint));
    }
    return ways;
  }

  /** Names of the chosen hops that a sighting belongs to: a link shows what its two ends send. */
  namesOf(sighting: Sighting, scene: CaptureScene): string[] {
    const names = [hopName(scene, sighting.hop)];
    if (wayKind(sighting.hop) === Way.Tunnel && sighting.is(SightingBit.Outgoing)) {
      names.push(linkName(scene.node, scene.endpoints[sighting.hop & 0xff_ffff] ?? ''));
    }
    return names.filter((name) => this.#names.has(name));
  }
}

/** Every hop of a cluster: pods, hosts, underlays, links. */
export function clusterHops(nodes: readonly Node[], pods: readonly Pod[]): Hop[] {
  const hops: Hop[] = [];
  for (const { metadata, spec, status } of pods) {
    if (spec.hostNetwork === true) continue; // what it sends is seen at its node's host
    const addresses = (status?.podIPs ?? []).map(({ ip }) => ip).join(', ');
    const pod = `${metadata.namespace}/${metadata.name}`;
    hops.push({ name: `pod/${pod}`, description: `pod ${pod} on ${spec.nodeName}, ${addresses}` });
  }
  for (const { metadata, status } of nodes) {
    const address = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '';
    const { name } = metadata;
    hops.push({ name: `node/${name}:host`, description: `network namespace of node ${name}, ${address}` });
    hops.push({ name: `node/${name}:underlay`, description: `underlay of node ${name}, ${address}, VXLAN` });
  }
  for (const [i, a] of nodes.entries()) {
    for (const b of nodes.slice(i + 1)) {
      const name = linkName(a.metadata.name, b.metadata.name);
      hops.push({ name, description: `what ${a.metadata.name} and ${b.metadata.name} send to each other` });
    }
  }
  return hops;
}

/** One name for both ends. */
function linkName(a: string, b: string): string {
  return a < b ? `link/${a}-${b}` : `link/${b}-${a}`;
}
