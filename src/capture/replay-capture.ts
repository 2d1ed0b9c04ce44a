/**
 * A capture file through a simulated cluster: every packet of it is fed at a hop at its own time, and what every hop then
 * sees is written, as a capture of the running cluster would have it. The same input gives the same bytes.
 */
import type { CaptureScene } from '../cluster/capture-scene.ts';
import type { ClusterPlan } from '../cluster/plan.ts';
import { addressWords } from '../nodes/compile-update.ts';
import { Replay, type ReplayFrame } from '../ports/replay.ts';
import type { Sighting } from '../recording/sighting.ts';
import { SimCaptures } from '../sim/sim-captures.ts';
import { Simulation } from '../sim/simulation.ts';
import { parseMac } from '../wire/ethernet.ts';
import { AddressMap } from './address-map.ts';
import { Denials } from './denials.ts';
import { count, FrameFates } from './frame-fates.ts';
import { KernelFrame } from './kernel-frame.ts';
import type { PcapngWriter, WrittenPacket } from './pcapng-writer.ts';
import { PACKET_BYTES_MAX, type PacketRecord } from './records.ts';
import { type ReplayPlace, type ReplayUnderlay, replayHops } from './replay-hops.ts';
import { SightingWriter } from './sighting-writer.ts';
import { hopName } from './verdict-words.ts';

/** Longer than anything lives in a node without packets: a TCP connection, one day (CT-010). */
const LONGEST_GAP_MS = 2 * 86_400_000;
/** 60 years. Then the clock of the nodes stands: they count seconds in 31 bits. */
const LAST_MS = 60 * 365 * 86_400_000;
/** Until the last datagram in pieces has been given up (RFC 8200 section 4.5: 60 s), and how often nodes look. */
const AFTERMATH_MS = 62_000;
const LOOK_MS = 1000;
const NS_PER_MS = 1_000_000;
const TIME_MAX = (1n << 64n) - 1n;

const encoder = new TextEncoder();

export interface ReplayPair {
  /** An address of the capture. */
  readonly address: string;
  /** What it stands for, and that place's address of the same family. */
  readonly place: ReplayPlace;
  readonly becomes: string;
}

export interface ReplaySettings {
  readonly plan: ClusterPlan;
  /** Where every frame is fed; undefined for the place that its source stands for. */
  readonly at: ReplayPlace | ReplayUnderlay | undefined;
  readonly map: readonly ReplayPair[];
  readonly keepMacs: boolean;
  readonly seed: number;
}

export class ReplayCapture {
  /** Packets of the input, those among them that were fed, and packets written. */
  read = 0;
  fed = 0;
  written = 0;
  /** Why packets were not fed, and how many. */
  readonly unfed = new Map<string, number>();
  readonly fates = new FrameFates();
  readonly #settings: ReplaySettings;
  readonly #output: PcapngWriter;
  readonly #sim: Simulation;
  readonly #captures: SimCaptures;
  readonly #writer: SightingWriter;
  readonly #replay: Replay;
  readonly #frame: KernelFrame;
  readonly #interfaces: ReadonlyMap<string, number>;
  readonly #unfedInterface: number;
  /** The calendar's time of the frame that was fed last, and the cluster's. */
  #frameNs = 0n;
  #fedNs = 0;
  #latestDueMs = 0;
  /** The packet of the input that everything happens for; 0 when it is time that makes it happen. */
  #cause = 0;

  /** @param output is asked for nothing but blocks: take what it has whenever that is convenient. */
  constructor(settings: ReplaySettings, output: PcapngWriter) {
    const { plan, map, seed } = settings;
    this.#settings = settings;
    this.#output = output;
    const { places, underlays } = replayHops(plan);
    this.#interfaces = new Map([...places, ...underlays].map((hop) => [hop.name, output.addInterface(hop)]));
    const description = 'packets of the input that could not be replayed';
    this.#unfedInterface = output.addInterface({ name: 'input', description });
    output.addNames(namesOf(plan));
    this.#writer = new SightingWriter({
      sink: { packet: (packet) => this.#write(packet) },
      snapLen: PACKET_BYTES_MAX,
      epochNs: 0n,
      interfaces: (sighting, scene) => [this.#interfaces.get(hopName(scene, sighting.hop))!],
      wanted: () => true,
      denials: new Denials(plan.policyWorld),
    });
    this.#sim = new Simulation(plan, { seed, onPort: () => {}, onWire: () => {} });
    this.#captures = new SimCaptures(this.#sim, plan, (sighting, scene) => this.#see(sighting, scene));
    this.#frame = new KernelFrame(
      new AddressMap(map.map(({ address, becomes }) => [addressWords(address), addressWords(becomes)])),
    );
    this.#replay = new Replay({ macs: macsOf(settings.at ?? map[0]?.place), speed: 1 });
  }

  /** Sightings that were lost: anything but 0 is a bug. */
  get lost(): number {
    return this.#captures.lost;
  }

  /** The next packet of the input. */
  packet(record: PacketRecord): void {
    this.read++;
    const frame = this.#replay.next(record);
    if (frame !== undefined) this.#pass(frame.dueMs);
    this.#frameNs = record.timeNs ?? this.#frameNs;
    this.#fedNs = Math.round(this.#sim.nowMs * NS_PER_MS);
    this.#cause = this.read;
    const why = frame === undefined ? unconvertible(record) : this.#feed(record, frame);
    if (why !== undefined) this.#writeUnfed(record, frame, why);
    this.#cause = 0;
  }

  /** No more packets: what waits in the cluster finds its end. */
  end(): void {
    this.#advance(AFTERMATH_MS);
  }

  /** Lets the time until the next frame go by. */
  #pass(dueMs: number): void {
    const { nowMs } = this.#sim;
    const gapMs = Math.min(dueMs - this.#latestDueMs, LONGEST_GAP_MS, Math.max(0, LAST_MS - nowMs));
    this.#latestDueMs = dueMs;
    this.#advance(gapMs);
  }

  /** In steps while something may time out that somebody is told of: nodes look at the end of each. */
  #advance(ms: number): void {
    const steps = Math.min(Math.ceil(ms / LOOK_MS), AFTERMATH_MS / LOOK_MS);
    for (let step = 1; step < steps; step++) this.#sim.advance(LOOK_MS);
    if (steps > 0) this.#sim.advance(ms - (steps - 1) * LOOK_MS);
  }

  /** Feeds the frame, or says why not. */
  #feed(record: PacketRecord, { bytes, snapped }: ReplayFrame): Unfed | undefined {
    const { at, map, keepMacs } = this.#settings;
    if (snapped) {
      const comment = `cut short at ${record.bytes.length} of ${record.originalLen} bytes`;
      return { reason: 'cut short', comment };
    }
    if (bytes.length === 0) return { reason: 'empty', comment: 'it is empty' };
    this.#frame.load(bytes);
    if (at !== undefined && !('port' in at)) {
      if (!this.#frame.isForTunnel()) return { reason: 'not for the tunnel', comment: 'not for the tunnel' };
      this.#sim.sendOuter(at.node, bytes);
    } else {
      const place = at ?? map[this.#frame.mappedSource()]?.place;
      if (place === undefined) return { reason: 'of a source that is not mapped', comment: 'its source is not mapped' };
      this.#sim.send(place, this.#frame.take(place, keepMacs));
    }
    this.#sim.advance(0);
    this.fed++;
    this.fates.end();
    return undefined;
  }

  #see(sighting: Sighting, scene: CaptureScene): void {
    this.#writer.write(sighting, scene);
    if (this.#cause > 0) this.fates.see(sighting);
  }

  /** Time and number of a sighting become those of the frame that has caused it, and what the cluster took since. */
  #write(packet: WrittenPacket): void {
    const virtualNs = (packet.timeHigh >>> 0) * 2 ** 32 + (packet.timeLow >>> 0);
    setTime(packet, this.#frameNs + BigInt(virtualNs - this.#fedNs));
    packet.packetId = this.#cause;
    this.#output.packet(packet);
    this.written++;
  }

  /** What is no Ethernet is written without its bytes: all interfaces of a file have one link type. */
  #writeUnfed(record: PacketRecord, frame: ReplayFrame | undefined, { reason, comment }: Unfed): void {
    count(this.unfed, reason);
    const bytes = frame?.bytes ?? new Uint8Array(0);
    const missing = frame === undefined ? record.originalLen : Math.max(0, record.originalLen - record.bytes.length);
    const packet: WrittenPacket = {
      interface: this.#unfedInterface,
      timeHigh: 0,
      timeLow: 0,
      bytes,
      at: 0,
      len: bytes.length,
      originalLen: bytes.length + missing,
      outgoing: false,
      packetId: this.#cause,
      dropped: 0,
      comment: encoder.encode(`replay: ${comment}, not replayed`),
    };
    setTime(packet, this.#frameNs);
    this.#output.packet(packet);
    this.written++;
  }
}

interface Unfed {
  /** For counting. */
  readonly reason: string;
  readonly comment: string;
}

function unconvertible({ interface: from, bytes }: PacketRecord): Unfed {
  const { linkType } = from;
  if (bytes.length > LONGEST_FRAME) return { reason: 'too long', comment: `${bytes.length} bytes, too long` };
  return { reason: `of link type ${linkType}`, comment: `no Ethernet frame can be made of it (link type ${linkType})` };
}

/** Whatever is longer is too long in every link type that can be fed. */
const LONGEST_FRAME = 65_553;

function setTime(packet: WrittenPacket, timeNs: bigint): void {
  const clamped = timeNs < 0n ? 0n : timeNs > TIME_MAX ? TIME_MAX : timeNs;
  packet.timeHigh = Number(clamped >> 32n);
  packet.timeLow = Number(clamped & 0xffff_ffffn);
}

/** For packets that were captured without Ethernet. */
function macsOf(hop: ReplayPlace | ReplayUnderlay | undefined) {
  const [destinationHigh, destinationLow] = parseMac(hop?.nodeMac ?? '00:00:00:00:00:00');
  const [sourceHigh, sourceLow] = hop !== undefined && 'port' in hop ? parseMac(hop.mac) : [0, 0];
  return { sourceHigh, sourceLow, destinationHigh, destinationLow };
}

/** Pods as `shop/web`, nodes by name, for those who read the file. */
function namesOf(plan: ClusterPlan) {
  const pods = plan.pods.filter(({ hostNetwork }) => !hostNetwork);
  return [
    ...plan.topology.nodes.map(({ name, underlayAddress }) => ({
      address: addressWords(underlayAddress),
      names: [name],
    })),
    ...pods.flatMap(({ namespace, name, addresses }) => {
      return addresses.map((address) => ({ address: addressWords(address), names: [`${namespace}/${name}`] }));
    }),
  ];
}
