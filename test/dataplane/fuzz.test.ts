/**
 * Two hundred thousand mutated frames into every story. Nothing throws, nothing vanishes, no byte outside the packet is
 * written, and none that is read there changes anything.
 */
import { expect, test } from 'vitest';
import { ChecksumState } from '../../src/packet/packet.ts';
import { Direction } from '../../src/policy/policies.ts';
import { buildFrame, FILL, type FrameSpec, HEADROOM, writeBytes } from '../support/frames.ts';
import { PACKETS } from '../support/packets.ts';
import { Random, withRandom } from '../support/random.ts';
import { servicesOf } from '../support/services.ts';
import { arp, NEXT_HOP, neighbourMessage, solicitation } from './link-frames.ts';
import { encapsulated, nodes, type PlaceName, places, World, words } from './world.ts';

/** `PODWIRE_PACKETS=1000000` makes it 200,000, and those that are compared 40,000. */
const FRAMES = PACKETS / 5;
/** Frames that are told again with other bytes around them. */
const FRAMES_COMPARED = FRAMES / 5;
/** Longest seed frame, and what an answer may add to it. */
const ROOM = 512;
/** What a story may write in front of a frame: a tunnel header. */
const TUNNEL_ROOM = 8;

const [own4, own6] = places.web.addresses;
const hopByHop = { type: 0, body: [5, 2, 0, 0] };
const routing = { type: 43, body: [0, 0, 0, 0, 0, 0] };
const quoted = buildFrame({ source: own4, destination: '10.244.1.3' }).slice(14);
const quoted6 = buildFrame({ source: own6, destination: places.api.addresses[1] }).slice(14);

/** Good frames of every kind; mutation makes the bad ones. */
const specs: readonly FrameSpec[] = [
  { destination: '10.244.1.3', flags: 2, tcpOptions: [2, 4, 5, 180] },
  { destination: '10.244.1.3', flags: 16, payload: 300 },
  { destination: '10.244.1.3', protocol: 'udp', payload: 30, padding: 6 },
  { destination: '10.96.0.1', destinationPort: 80, flags: 2 },
  { destination: '10.96.0.1', destinationPort: 80, protocol: 'udp', checksum: 'none' },
  { destination: '10.244.2.7', protocol: 'sctp', payload: 20 },
  { destination: '10.244.2.7', protocol: 'icmp', ipOptions: [148, 4, 0, 0] },
  { destination: '10.244.2.7', ipOptions: [131, 7, 4, 10, 0, 0, 1] },
  { destination: '172.18.0.2', protocol: 47, payload: 40 },
  { destination: '224.0.0.22', protocol: 2, payload: 8 },
  { destination: own4, protocol: 'icmp', icmpType: 3, payload: quoted },
  { destination: places.api.addresses[1], flags: 2 },
  { destination: places.api.addresses[1], protocol: 59 },
  { destination: nodes.n2.pod[1], protocol: 'udp', extensions: [hopByHop, routing] },
  { destination: own6, protocol: 'icmpv6', icmpType: 2, payload: quoted6 },
  { destination: 'ff02::16', protocol: 'icmpv6', icmpType: 143, extensions: [hopByHop], payload: 20, ttl: 1 },
  { ...solicitation(own6, NEXT_HOP, [1, 1, 2, 0, 10, 244, 1, 2]) },
  { ...solicitation('::', NEXT_HOP) },
  { ...solicitation(own6, NEXT_HOP), extensions: [hopByHop] },
  { ...neighbourMessage(136, own6, [2, 1, 2, 0, 10, 244, 1, 2]), source: own6, destination: 'ff02::1' },
];

type Side = PlaceName | 'tunnel';

function seeds(): Readonly<Record<Side, Uint8Array[]>> {
  const from = (name: PlaceName) => {
    const { mac, addresses } = places[name];
    const source = (spec: FrameSpec) => addresses.find((one) => one.includes(':') === spec.destination?.includes(':'))!;
    return [
      ...specs.map((spec) => buildFrame({ sourceMac: mac, source: source(spec), ...spec })),
      arp({ sourceMac: mac, sender: addresses[0], target: '169.254.1.1' }),
    ];
  };
  const behind = (spec: FrameSpec) => nodes.n2.pod[spec.destination?.includes(':') ? 1 : 0];
  return {
    web: from('web'),
    api: from('api'),
    host: from('host'),
    tunnel: specs.map((spec) => encapsulated('n2', { source: behind(spec), ...spec })),
  };
}

/** A copy with a few bytes changed, perhaps cut short, perhaps with the IPv4 header checksum made right again. */
function mutated(random: Random, seed: Uint8Array, ipAt: number): Uint8Array {
  const bytes = seed.slice(0, random.once(4) ? random.below(seed.length + 1) : seed.length);
  const changes = random.below(4);
  for (let i = 0; i < changes && bytes.length > 0; i++) {
    bytes[random.below(bytes.length)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
  }
  if (bytes.length >= ipAt + 20 && bytes[ipAt]! >> 4 === 4 && !random.once(4)) mendHeader(bytes, ipAt);
  return bytes;
}

function mendHeader(bytes: Uint8Array, at: number): void {
  const end = Math.min(at + (bytes[at]! & 15) * 4, bytes.length);
  bytes[at + 10] = 0;
  bytes[at + 11] = 0;
  let sum = 0;
  for (let i = at; i < end; i++) sum += (i - at) % 2 === 0 ? bytes[i]! << 8 : bytes[i]!;
  const checksum = 0xffff - (sum % 0xffff || 0xffff);
  bytes[at + 10] = checksum >> 8;
  bytes[at + 11] = checksum & 255;
}

/** What a kernel says beside the frame, true or not. */
function metadata(random: Random, world: World): void {
  const { pkt } = world;
  const state = random.below(4);
  if (state > 0) pkt.checksum = ChecksumState.Complete; // half of the frames would else end at their checksum
  if (state > 2) {
    pkt.checksum = ChecksumState.Partial;
    pkt.partialStart = random.pick([34, 54, 0, random.below(400), 65_535]);
    pkt.partialOffset = random.pick([16, 6, 2, random.below(400), 65_535]);
    pkt.gsoSize = random.pick([0, 0, 1, 8, 100, 1400, 65_535]);
  }
}

function fuzzedWorld(): World {
  const world = new World({ connectionsMax: 256 });
  for (const port of Object.values(world.ports)) port.keeps = false;
  world.underlay.keeps = false;
  const backends = [{ address: words('10.244.1.3'), port: 8080 }];
  const frontends = [6, 17].map((protocol) => ({
    ...{ address: words('10.96.0.1'), port: 80, protocolWord: (4 << 8) | protocol, backends },
  }));
  world.dp.services = servicesOf(frontends, 1);
  world.isolate(0, Direction.Egress);
  return world;
}

/** Are the bytes around the packet what nobody wrote? */
function untouched(world: World, at: number, len: number, fill: number): boolean {
  const { bytes } = world.dp.arena;
  for (let i = at - HEADROOM; i < at - TUNNEL_ROOM; i++) if (bytes[i] !== fill) return false;
  // An advertisement may be 40 bytes longer than the solicitation that asked for it.
  for (let i = at + len + 40; i < at + ROOM; i++) if (bytes[i] !== fill) return false;
  return true;
}

/** @param fill what is in memory around each frame. Returns how each frame ended. */
function fuzz(random: Random, count: number, fill: number): string[] {
  const world = fuzzedWorld();
  const { pkt } = world;
  const { at } = pkt;
  const all = seeds();
  const sides: readonly Side[] = ['web', 'api', 'host', 'tunnel'];
  const outcomes: string[] = [];
  for (let i = 0; i < count; i++) {
    const side = random.pick(sides);
    const bytes = mutated(random, random.pick(all[side]), side === 'tunnel' ? 22 : 14);
    world.dp.arena.bytes.fill(fill, at - HEADROOM, at + ROOM);
    writeBytes(pkt, bytes);
    metadata(random, world);
    world.nowMs += random.below(200);
    world.randomWord = random.word() | 0;
    const outerSource = random.once(20) ? '8.8.8.8' : nodes.n2.underlay;
    const outerTos = random.below(256);
    outcomes.push(side === 'tunnel' ? world.tunnelStory(outerSource, outerTos) : world.story(side, pkt));
    if (!untouched(world, at, bytes.length, fill)) throw new Error(`frame ${i}: bytes outside it: ${bytes.join()}`);
    if (i % 100 === 0) world.dp.connections.expire(world.nowMs, 100);
    if (i % 1000 === 0) world.balance();
  }
  world.balance();
  return outcomes;
}

test(`${FRAMES} mutated frames: no throw, no loss, no byte outside is written`, () =>
  withRandom((random) => {
    const seen = new Set(fuzz(random, FRAMES, FILL));
    expect(seen.size, [...seen].join()).toBeGreaterThan(30);
  }));

test(`${FRAMES_COMPARED} mutated frames: no byte outside decides what becomes of them`, () =>
  withRandom(({ seed }) => {
    const [first, ...others] = [FILL, 0, 8, 128].map((fill) => fuzz(new Random(seed + 1), FRAMES_COMPARED, fill));
    for (const other of others) {
      const different = first!.findIndex((outcome, i) => outcome !== other[i]);
      expect(different < 0 ? 'same' : `frame ${different}: ${first![different]}, ${other[different]}`).toBe('same');
    }
  }));
