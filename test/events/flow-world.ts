/** Flow records of what happens in `test/dataplane/world.ts`, told by the capture that nodes have. */

import type { CaptureScene } from '../../src/cluster/capture-scene.ts';
import { type CaptureSpec, Verdicts } from '../../src/dataplane/capture.ts';
import { Captures } from '../../src/dataplane/captures.ts';
import { FlowNames } from '../../src/events/flow-names.ts';
import { type FlowRecord, flowRecord } from '../../src/events/flow-record.ts';
import { Way, way } from '../../src/packet/way.ts';
import { createRing, RingReader } from '../../src/recording/ring.ts';
import { Sighting, SightingBytes, SightingKind } from '../../src/recording/sighting.ts';
import type { Node, Pod } from '../../src/store/object.ts';
import { nodes, places, World, words } from '../dataplane/world.ts';

/** 2026-11-20T10:00:00.000000001Z is 1 ns on the clock of the world. */
const EPOCH_NS = BigInt(Date.UTC(2026, 10, 20, 10)) * 1_000_000n;
const PODS = [way(Way.Pod, 0), way(Way.Pod, 1)] as const;
const HOST = way(Way.Host, 0);
const UNDERLAY = way(Way.None, 0);

const metadata = { creationTimestamp: '', resourceVersion: '1' };

export function nodeObject(name: string, address: string): Node {
  const status = { addresses: [{ type: 'InternalIP', address }], conditions: [] };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { ...metadata, name },
    spec: { podCIDR: '', podCIDRs: [] },
    status,
  };
}

export function podObject(
  name: string,
  namespace: string,
  ips: readonly string[],
  labels: Record<string, string> = {},
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name, namespace, labels },
    spec: { containers: [], nodeName: 'n1', hostname: name },
    status: { phase: 'Running', hostIP: '', podIP: ips[0] ?? '', podIPs: ips.map((ip) => ({ ip })), conditions: [] },
  };
}

const scene: CaptureScene = {
  node: 'n1',
  hops: [
    { way: PODS[0], name: 'pod/shop/web', addresses: places.web.addresses },
    { way: PODS[1], name: 'pod/shop/api', addresses: places.api.addresses },
    { way: HOST, name: 'node/n1:host', addresses: places.host.addresses },
    { way: UNDERLAY, name: 'node/n1:underlay', addresses: ['172.18.0.2'] },
  ],
  endpoints: ['n2', 'n3'],
};

/** Pod db is on node n2. */
function worldNames(): FlowNames {
  const names = new FlowNames(
    [nodeObject('n1', '172.18.0.2'), nodeObject('n2', '172.18.0.3'), nodeObject('n3', '172.18.0.4')],
    [
      podObject('web', 'shop', places.web.addresses, { app: 'web' }),
      podObject('api', 'shop', places.api.addresses),
      podObject('db', 'data', nodes.n2.pod),
    ],
  );
  names.learn(scene);
  return names;
}

export class FlowWorld extends World {
  readonly names = worldNames();
  /** Of the next packet. */
  timeNs = 1;
  readonly #ring = createRing(1 << 20);
  readonly #reader = new RingReader(this.#ring);

  constructor(spec: Partial<CaptureSpec> = {}) {
    super();
    const captures = new Captures(
      this.dp,
      { address: words('172.18.0.2')[3]!, routerMac: undefined },
      () => this.timeNs,
    );
    const hops = [...PODS, HOST, UNDERLAY];
    const all = { snapLen: 128, verdicts: Verdicts.Events, noise: false, hops, filter: undefined, ...spec };
    captures.start(captures.create(all, this.#ring));
  }

  /** What has been told since the last time. */
  records(): FlowRecord[] {
    const found: FlowRecord[] = [];
    const sighting = new Sighting();
    for (let piece = this.#reader.take(1 << 16); piece !== undefined; piece = this.#reader.take(1 << 16)) {
      const source = new SightingBytes(piece.buffer);
      for (let at = 0; at < piece.length; at += sighting.read(source, at)) {
        sighting.read(source, at);
        if (sighting.kind === SightingKind.Packet) found.push(flowRecord(sighting, scene, this.names, EPOCH_NS));
      }
    }
    return found;
  }

  /** The only one. */
  record(): FlowRecord {
    const found = this.records();
    if (found.length !== 1) throw new Error(`${found.length} records`);
    return found[0]!;
  }
}
