/**
 * A world that is captured, and what its captures tell, as copies. `step` sends one thing and compares what was told
 * with what went in and what the ports took.
 */
import { type Capture, type CaptureSpec, Verdicts } from '../../src/dataplane/capture.ts';
import { Captures } from '../../src/dataplane/captures.ts';
import { outcomeName } from '../../src/packet/outcome.ts';
import { Way, way } from '../../src/packet/way.ts';
import { createRing, RingReader } from '../../src/recording/ring.ts';
import { Sighting, SightingBit, SightingBytes, SightingKind } from '../../src/recording/sighting.ts';
import { parseMac } from '../../src/wire/ethernet.ts';
import { joined } from '../support/frames.ts';
import { type PlaceName, World, words } from './world.ts';

export const UNDERLAY = way(Way.None, 0);
export const HOST = way(Way.Host, 0);
export const WEB = way(Way.Pod, 0);
export const API = way(Way.Pod, 1);
export const N2 = way(Way.Tunnel, 0);
export const N3 = way(Way.Tunnel, 1);
export const everyHop = [UNDERLAY, HOST, WEB, API];
export const ROUTER_MAC = '0e:70:ac:12:00:02';
export const OUTER_LEN = 42;
const WHOLE = 1 << 18;
const START_NS = 1e15;

export interface Seen {
  readonly timeNs: number;
  readonly hop: number;
  readonly outgoing: boolean;
  readonly originated: boolean;
  readonly partial: boolean;
  readonly outcome: string;
  readonly lost: number;
  readonly ingress: number;
  readonly egress: number;
  readonly wireLen: number;
  readonly gsoSize: number;
  readonly kept: number;
  readonly number: number;
  readonly innerOffset: number;
  readonly connection: number;
  /** Before and after translation; undefined when it was not translated. */
  readonly keys: readonly number[] | undefined;
  readonly bytes: Uint8Array;
  readonly sighting: Sighting;
}

/** A capture, and the reader of its ring. */
class Tap {
  readonly capture: Capture;
  readonly reader: RingReader;
  readonly ring: SharedArrayBuffer;

  constructor(captures: Captures, spec: CaptureSpec, ringBytes: number) {
    this.ring = createRing(ringBytes);
    this.capture = captures.create(spec, this.ring);
    this.reader = new RingReader(this.ring);
  }

  /** What was told since; throws for what is no sighting of a packet. */
  seen(): Seen[] {
    const all: Seen[] = [];
    for (let bytes = this.reader.take(WHOLE); bytes !== undefined; bytes = this.reader.take(WHOLE)) {
      const source = new SightingBytes(bytes.buffer as ArrayBuffer);
      for (let at = 0; at < bytes.length; ) {
        const sighting = new Sighting();
        at += sighting.read(source, at);
        if (sighting.kind === SightingKind.None) continue;
        if (sighting.kind !== SightingKind.Packet) throw new Error(`kind ${sighting.kind}`);
        all.push(seenOf(sighting));
      }
    }
    return all;
  }
}

function seenOf(sighting: Sighting): Seen {
  const { timeNs, hop, lost, ingress, egress, wireLen, gsoSize, kept, number, innerOffset, connection } = sighting;
  return {
    ...{ timeNs, hop, lost, ingress, egress, wireLen, gsoSize, kept, number, innerOffset, connection, sighting },
    outgoing: sighting.is(SightingBit.Outgoing),
    originated: sighting.is(SightingBit.Originated),
    partial: sighting.is(SightingBit.Partial),
    outcome: sighting.outcome === 0 ? 'sent' : outcomeName(sighting.outcome),
    keys: sighting.is(SightingBit.Translated) ? [...sighting.keys] : undefined,
    bytes: sighting.bytes.slice(sighting.at, sighting.at + sighting.captured),
  };
}

interface TapOptions extends Partial<CaptureSpec> {
  readonly ringBytes?: number;
}

export class CapturedWorld {
  readonly world: World;
  readonly captures: Captures;
  timeNs = START_NS;

  /** @param routerMac empty where nodes are neighbours. */
  constructor(world = new World(), routerMac = ROUTER_MAC) {
    this.world = world;
    const scene = {
      address: words('172.18.0.2')[3]!,
      routerMac: routerMac === '' ? undefined : parseMac(routerMac),
    };
    this.captures = new Captures(world.dp, scene, () => ++this.timeNs);
  }

  /** One that has not begun. */
  create({ ringBytes = 1 << 20, ...spec }: TapOptions = {}): Tap {
    const usual = { snapLen: WHOLE, verdicts: Verdicts.All, noise: true, hops: everyHop, filter: undefined };
    return new Tap(this.captures, { ...usual, ...spec }, ringBytes);
  }

  tap(options: TapOptions = {}): Tap {
    const tap = this.create(options);
    if (!this.captures.start(tap.capture)) throw new Error('no more captures');
    return tap;
  }
}

/** What ports and underlay took since the last call, by hop: frames, those of the underlay from the VXLAN header. */
function takenByHop(world: World): Map<number, { bytes: Uint8Array; gsoSize: number }[]> {
  const hops: Record<PlaceName, number> = { web: WEB, api: API, host: HOST };
  const taken = new Map<number, { bytes: Uint8Array; gsoSize: number }[]>();
  for (const [name, port] of Object.entries(world.ports)) taken.set(hops[name as PlaceName], port.sent.splice(0));
  for (const hop of [N2, N3]) taken.set(hop, []);
  for (const one of world.underlay.sent.splice(0)) taken.get(way(Way.Tunnel, one.endpoint))!.push(one);
  return taken;
}

/**
 * Throws unless `seen` is one frame that came in by `hop` and was `outcome`, and behind it exactly what the ports took,
 * each at its hop with the bytes that it took. Returns the sighting that came in.
 *
 * @param came as the port brought it; of a tunnel from the VXLAN header on.
 */
export function judge(world: World, seen: readonly Seen[], hop: number, came: Uint8Array, outcome: string): Seen {
  const [first, ...left] = seen;
  if (first === undefined) throw new Error('nothing was told');
  const skip = first.innerOffset > 0 || hop === UNDERLAY || hop >= N2 ? OUTER_LEN : 0;
  const told = [first.hop, first.outgoing, first.originated, first.outcome].join();
  if (told !== [hop, false, false, outcome].join()) throw new Error(`told ${told}, not ${hop} ${outcome}`);
  sameBytes(first.bytes.subarray(skip), came, 'came in');
  if (first.wireLen !== skip + came.length) throw new Error(`length ${first.wireLen}`);
  const taken = takenByHop(world);
  for (const one of left) {
    if (one.outcome !== 'sent') continue;
    const next = taken.get(one.hop)?.shift();
    if (!one.outgoing || next === undefined) throw new Error(`told what no port took: ${JSON.stringify(one)}`);
    sameBytes(one.bytes.subarray(one.hop >= N2 ? OUTER_LEN : 0), next.bytes, 'left');
    if (one.gsoSize !== next.gsoSize) throw new Error(`segments of ${one.gsoSize}, not ${next.gsoSize}`);
    if (one.timeNs <= first.timeNs) throw new Error('left before it came');
  }
  for (const [at, rest] of taken) if (rest.length > 0) throw new Error(`${rest.length} frames at ${at} were not told`);
  return first;
}

function sameBytes(found: Uint8Array, wanted: Uint8Array, what: string): void {
  if (Buffer.compare(found, wanted) === 0) return;
  throw new Error(`${what}: ${Buffer.from(found).toString('hex')}, not ${Buffer.from(wanted).toString('hex')}`);
}

/** A tunnel packet as it comes through a node's underlay TAP: with all its headers, in the arena. */
export function putOuter(world: World, outer: Uint8Array, vxlan: Uint8Array): void {
  const { pkt } = world;
  const bytes = joined(outer, vxlan);
  const at = pkt.at - outer.length;
  pkt.arena.bytes.set(bytes, at);
  pkt.outerAt = at;
  pkt.outerLen = bytes.length;
}
