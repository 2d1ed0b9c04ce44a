/**
 * A node whose addresses fit the corpus of hostile inputs, and every kind of port that a frame may reach it by. Whoever
 * feeds a frame also learns what left the node, and that nothing around the frame was touched.
 */
import { Merger } from '../../src/encap/merge.ts';
import { readOuter } from '../../src/encap/outer.ts';
import { outcomeName } from '../../src/packet/outcome.ts';
import { ChecksumState } from '../../src/packet/packet.ts';
import { Way, way } from '../../src/packet/way.ts';
import { PrefixTable } from '../../src/tables/prefix-table.ts';
import { loadIpv4, loadIpv6 } from '../../src/wire/address.ts';
import { parseMac } from '../../src/wire/ethernet.ts';
import { FILL, HEADROOM, joined, writeBytes } from '../support/frames.ts';
import { prefix, World, words } from './world.ts';

const ATTACKER_MAC = '02:00:00:00:00:01';
const TUNNEL_ATTACKER_MAC = '02:aa:00:00:00:01';
const attacker = { ipv4: '10.9.0.1', ipv6: 'fd09::1' };
const TUNNEL_MAC = [2, 0xaa, 0, 0, 0, 2];
const VXLAN_HEADER = [8, 0, 0, 0, 0, 0, 42, 0];
/** Outer Ethernet, IPv4, UDP and VXLAN without options: where virtio's words about an inner frame begin. */
const INNER_AT = 50;

/** Where frames come from: a pod; the node's host; the wire between nodes. */
export type Origin = 'a pod' | 'the host' | 'the underlay';

/** What a kernel says beside a frame. */
interface Virtio {
  readonly checksum: number;
  readonly partialStart: number;
  readonly partialOffset: number;
  readonly gsoSize: number;
}

const wire: Virtio = { checksum: ChecksumState.Unverified, partialStart: 0, partialOffset: 0, gsoSize: 0 };
const { Partial } = ChecksumState;

/** What is said of a frame. */
export type State = (frame: Uint8Array) => Virtio;

/** Truths and lies of virtio. */
export const virtioStates: Readonly<Record<string, State>> = {
  unverified: () => wire,
  complete: () => ({ ...wire, checksum: ChecksumState.Complete }),
  partial: (frame) => ({ ...wire, ...ownPartial(frame) }),
  'partial from the first byte': () => ({ ...wire, checksum: Partial }),
  'partial at the last bytes': ({ length }) => ({ ...wire, checksum: Partial, partialStart: length - 2 }),
  'partial behind the end': () => ({ ...wire, checksum: Partial, partialStart: 65_535, partialOffset: 65_535 }),
  'a superframe of 1': (frame) => ({ ...ownPartial(frame), gsoSize: 1 }),
  'a superframe of 536': (frame) => ({ ...ownPartial(frame), gsoSize: 536 }),
  'a superframe of 65535': (frame) => ({ ...ownPartial(frame), gsoSize: 65_535 }),
  'a superframe that is not partial': () => ({ ...wire, gsoSize: 536 }),
};

/** A partial checksum where the frame's own TCP or UDP checksum is, when it has one. */
function ownPartial(frame: Uint8Array): Virtio {
  const ipv6 = frame[12] === 0x86;
  const protocol = frame[ipv6 ? 20 : 23];
  const partialStart = ipv6 ? 54 : 14 + ((frame[14] ?? 5) & 15) * 4;
  return { checksum: Partial, partialStart, partialOffset: protocol === 17 ? 6 : 16, gsoSize: 0 };
}

/** Routes for frames of any origin, so that they go far. */
const tunnel = way(Way.Tunnel, 0);
const everywhere = [
  ...['10.0.0.0/8', '2001::/16'].map((text) => prefix(text, tunnel)),
  ...['128.0.0.0/1', '2000::/4'].map((text) => prefix(text, way(Way.Pod, 1))),
];

/** A node with the attacker at one of its ports, and what it attacks, 10.9.0.2, fd09::2 and 10.42.0.2, in pod `api`. */
function hostileWorld(origin: Origin, routes: readonly ReturnType<typeof prefix>[]): World {
  const [macHigh, macLow] = parseMac(origin === 'the underlay' ? '02:aa:00:00:00:02' : '02:00:00:00:00:02');
  const world = new World({ macHigh, macLow, vni: 42, connectionsMax: 512 });
  const { web, api, host } = world.ports;
  const port = origin === 'the host' ? host : web;
  [port.macHigh, port.macLow] = parseMac(ATTACKER_MAC);
  port.addresses = Int32Array.from([...words(attacker.ipv4), ...words(attacker.ipv6)]);
  const attackerWay = origin === 'the underlay' ? tunnel : port.way;
  const table = PrefixTable.build([
    ...routes,
    ...['10.9.0.0/24', '10.42.0.0/24', 'fd09::/64'].map((text) => prefix(text, way(Way.Blackhole, 0))),
    ...['10.9.0.2', '10.42.0.2', 'fd09::2'].map((text) => prefix(text, api.way)),
    ...[attacker.ipv4, attacker.ipv6].map((text) => prefix(text, attackerWay)),
    prefix('10.42.0.1', tunnel),
  ]);
  const [endpointHigh, endpointLow] = parseMac(TUNNEL_ATTACKER_MAC);
  const endpoint = {
    name: 'n2',
    address: words(attacker.ipv4),
    macHigh: endpointHigh,
    macLow: endpointLow,
    kernelLocal: false,
  };
  world.dp.setRoutes(table.data, [endpoint]);
  return world;
}

type Feed = (rig: Rig, frame: Uint8Array, state: State) => string;

/** Every kind of port, with a frame as it is or with what it holds. */
export const feeds: Readonly<Record<string, { readonly origin: Origin; readonly feed: Feed }>> = {
  'a pod': { origin: 'a pod', feed: (rig, ...frame) => rig.port('web', ...frame) },
  'its owner': { origin: 'a pod', feed: (rig, ...frame) => rig.owner(...frame) },
  'the host': { origin: 'the host', feed: (rig, ...frame) => rig.port('host', ...frame) },
  'the underlay': { origin: 'the underlay', feed: (rig, ...frame) => rig.underlay(...frame) },
  'a row of the underlay': { origin: 'the underlay', feed: (rig, ...frame) => rig.row(...frame) },
  'a tunnel': { origin: 'the underlay', feed: (rig, ...frame) => rig.tunnel(...frame) },
  'an owner of what its tunnel holds': {
    origin: 'a pod',
    feed: (rig, frame, state) => (holdsVxlan(frame) ? rig.owner(frame.subarray(INNER_AT), state) : 'no VXLAN'),
  },
};

export function holdsVxlan(frame: Uint8Array): boolean {
  return frame.length > INNER_AT && frame[12] === 8 && frame[23] === 17 && ((frame[36]! << 8) | frame[37]!) === 4789;
}

/** What a frame may be followed by in memory: an advertisement is up to 40 bytes longer than its solicitation. */
const ANSWER_ROOM = 40;
/** What a story may write in front of a frame: a tunnel header. */
const TUNNEL_ROOM = 8;
const GUARD = 256;

/** A world, and the memory around each frame. */
export class Rig {
  readonly world: World;
  readonly #fill: number;
  readonly #at: number;
  readonly #merger: Merger;

  /** @param fill what is in memory around each frame. @param far also routes what the corpus does not know. */
  constructor(origin: Origin, fill = FILL, far = false) {
    this.world = hostileWorld(origin, far ? everywhere : []);
    this.#fill = fill;
    this.#at = this.world.pkt.at;
    this.#merger = new Merger(this.world.dp.arena);
  }

  port(name: 'web' | 'host', frame: Uint8Array, state: State): string {
    return this.#guarded(frame, state(frame), () => this.world.story(name, this.world.pkt));
  }

  /** From a pod that really has the MAC and the addresses which the frame claims. */
  owner(frame: Uint8Array, state: State): string {
    const port = this.world.ports.web;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    if (frame.length >= 14) [port.macHigh, port.macLow] = [view.getUint16(6), view.getInt32(8)];
    if (frame.length >= 34 && view.getUint16(12) === 0x0800) loadIpv4(view, 26, port.addresses, 0);
    if (frame.length >= 54 && view.getUint16(12) === 0x86dd) loadIpv6(view, 22, port.addresses, 4);
    return this.port('web', frame, state);
  }

  /** The whole frame, as the node's end of its underlay wire reads it (`tap-underlay.ts`). */
  underlay(frame: Uint8Array, state: State): string {
    return this.#guarded(frame, state(frame.subarray(INNER_AT)), () => {
      readOuter(this.world.pkt);
      return this.#decapsulated();
    });
  }

  /** The same, said to be datagrams of `gsoSize` in a row. */
  row(frame: Uint8Array, state: State): string {
    const stride = Math.max(1, state(frame).gsoSize);
    return this.#guarded(frame, wire, () => {
      const { pkt } = this.world;
      readOuter(pkt);
      const { outerTos, len } = pkt;
      const source = pkt.outerSource.slice();
      this.#merger.begin(pkt.at, len, stride);
      const outcomes: string[] = [];
      while (this.#merger.next(pkt)) {
        pkt.outerSource.set(source);
        pkt.outerTos = outerTos;
        outcomes.push(this.#decapsulated());
      }
      return outcomes.join();
    });
  }

  /** The frame as what another node put into a tunnel, for this node. */
  tunnel(frame: Uint8Array, state: State): string {
    const inner = frame.length < 6 ? frame : joined(TUNNEL_MAC, frame.subarray(6));
    return this.#guarded(joined(VXLAN_HEADER, inner), state(inner), () => {
      const { pkt } = this.world;
      pkt.outerSource.set(words(attacker.ipv4));
      pkt.outerTos = 0;
      return this.#decapsulated();
    });
  }

  /** What left the node since it was last asked, as text. */
  takeSent(): string {
    const { ports, underlay } = this.world;
    const all = [...Object.values(ports).flatMap(({ sent }) => sent.splice(0)), ...underlay.sent.splice(0)];
    return all.map((sent) => `${sent.checksum} ${sent.gsoSize} ${Buffer.from(sent.bytes).toString('hex')}`).join('\n');
  }

  #decapsulated(): string {
    const { dp, pkt, nowMs, stories } = this.world;
    return outcomeName(stories.receiveFromUnderlay(dp, pkt, nowMs));
  }

  /** Runs a story and throws when it wrote outside the frame, but for the room that it may take. */
  #guarded(frame: Uint8Array, virtio: Virtio, story: () => string): string {
    const { pkt } = this.world;
    const { bytes } = this.world.dp.arena;
    const at = this.#at;
    const end = at + frame.length;
    bytes.fill(this.#fill, at - HEADROOM, end + GUARD);
    pkt.at = at;
    writeBytes(pkt, frame);
    pkt.checksum = virtio.checksum;
    pkt.partialStart = virtio.partialStart;
    pkt.partialOffset = virtio.partialOffset;
    pkt.gsoSize = virtio.gsoSize;
    const outcome = story();
    pkt.at = at;
    const behind = outcome === 'consumed: NeighbourAnswered' ? ANSWER_ROOM : 0;
    const isFill = (byte: number) => byte === this.#fill;
    const front = bytes.subarray(at - HEADROOM, at - TUNNEL_ROOM);
    if (!front.every(isFill) || !bytes.subarray(end + behind, end + GUARD).every(isFill)) {
      throw new Error(`${outcome}: wrote around a frame of ${frame.length} bytes`);
    }
    return outcome;
  }
}
