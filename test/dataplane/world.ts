/**
 * A node in a test: the real dataplane between ports that only remember. Node n1 has pods `web` and `api`; n2 and n3
 * are behind tunnels. `send` tells what became of a frame in the words of `outcomeName`; `balance` asks the accounting
 * and then asks again from outside, by what the ports hold.
 *
 *     const world = new World();
 *     expect(world.send('web', { destination: '10.244.2.7' })).toBe('delivered');
 *     expect(world.underlay.last.inner).toMatchObject({ ttl: 63 });
 *     world.balance();
 */
import { Dataplane, type NodeConstants } from '../../src/dataplane/dataplane.ts';
import * as receive from '../../src/dataplane/receive.ts';
import type { TunnelEndpoint } from '../../src/encap/vxlan.ts';
import { Arena } from '../../src/packet/arena.ts';
import { type Outcome, outcomeName } from '../../src/packet/outcome.ts';
import type { Packet } from '../../src/packet/packet.ts';
import { Way, way } from '../../src/packet/way.ts';
import { Direction } from '../../src/policy/policies.ts';
import { PolicyCompiler } from '../../src/policy/policy-compiler.ts';
import { NO_PORTS, NOT_ISOLATED, type PolicySpec } from '../../src/policy/policy-spec.ts';
import { type MemoryFrame, MemoryPort, MemoryUnderlay } from '../../src/ports/memory.ts';
import { PrefixTable } from '../../src/tables/prefix-table.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { parseMac } from '../../src/wire/ethernet.ts';
import { buildFrame, type FrameSpec, newPacket, writeBytes, writeFrame } from '../support/frames.ts';
import { type Frame, parseFrame } from '../support/read-frame.ts';

export const NODE_MAC = '02:70:00:00:00:01';
/** Of `nodes`: its packets are those of a kernel of this machine. */
const KERNEL = 'n3';
const VNI = 1;

export const places = {
  web: { mac: '02:00:0a:f4:01:02', addresses: ['10.244.1.2', 'fd00:10:244:1::2'] },
  api: { mac: '02:00:0a:f4:01:03', addresses: ['10.244.1.3', 'fd00:10:244:1::3'] },
  host: { mac: '02:00:ac:12:00:02', addresses: ['172.18.0.2', '10.244.1.1', 'fd00:172:18::2'] },
} as const;
export type PlaceName = keyof typeof places;

export const nodes = {
  n2: { mac: '02:70:00:00:00:02', underlay: '172.18.0.3', pod: ['10.244.2.7', 'fd00:10:244:2::7'] },
  n3: { mac: '02:70:00:00:00:03', underlay: '172.18.0.4', pod: ['10.244.3.7', 'fd00:10:244:3::7'] },
} as const;
type NodeName = keyof typeof nodes;

/** Address words, or a failed test. */
export function words(text: string): Int32Array {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

/** A route as people write it: `10.244.2.0/24`. */
export function prefix(text: string, value: number) {
  const [address = '', bits = ''] = text.split('/');
  const offset = address.includes(':') ? 0 : 96;
  return { address: words(address), length: bits === '' ? 128 : offset + Number(bits), value };
}

/** What a port took. */
export interface Taken {
  readonly bytes: Uint8Array;
  readonly frame: Frame;
  readonly checksum: number;
  readonly gsoSize: number;
  readonly partialStart: number;
  readonly partialOffset: number;
}

/** @param innerAt where in `bytes` the frame begins that is parsed. */
function taken<Sent extends MemoryFrame>(sent: Sent, innerAt = 0): Sent & Taken {
  return { ...sent, frame: parseFrame(sent.bytes.slice(innerAt)) };
}

/** An answer to ARP or Neighbour Discovery: what else begins in a node is an ICMP error. */
function isLinkAnswer({ view, at }: Packet): boolean {
  const type = view.getUint16(at + 12);
  return type === 0x0806 || (type === 0x86dd && view.getUint8(at + 20) === 58 && view.getUint8(at + 54) === 136);
}

class WorldPort extends MemoryPort {
  /** ICMP errors that were to leave here: they begin in the node, so they have no way in. */
  errors = 0;

  override transmit(pkt: Packet): Outcome {
    if (pkt.ingress === 0 && !isLinkAnswer(pkt)) this.errors++;
    return super.transmit(pkt);
  }

  get last(): Taken {
    return taken(this.sent.at(-1)!);
  }
}

/** `bytes` of what it took begin with the VXLAN header, `frame` is the inner one. */
class WorldUnderlay extends MemoryUnderlay {
  errors = 0;

  override transmit(pkt: Packet, endpoint: number): Outcome {
    if (pkt.ingress === 0) this.errors++;
    return super.transmit(pkt, endpoint);
  }

  get last() {
    return taken(this.sent.at(-1)!, 8);
  }
}

/** The stories, as `receive.ts` has them: another set of functions may be put in their place. */
export type Stories = Pick<typeof receive, 'receiveFromHost' | 'receiveFromPod' | 'receiveFromUnderlay'>;

interface WorldOptions extends Partial<NodeConstants> {
  readonly stories?: Stories;
  readonly arenaBytes?: number;
}

export class World {
  readonly dp: Dataplane;
  readonly pkt: Packet;
  readonly ports: Readonly<Record<PlaceName, WorldPort>>;
  readonly underlay = new WorldUnderlay(Number.POSITIVE_INFINITY);
  /** What `dp.random` gives. */
  randomWord = 0x5eed;
  nowMs = 1000;
  readonly stories: Stories;
  readonly #policies = new PolicyCompiler();
  #revision = 0;

  constructor({ stories = receive, arenaBytes = 2 << 20, ...constants }: WorldOptions = {}) {
    const [macHigh, macLow] = parseMac(NODE_MAC);
    const arena = new Arena(arenaBytes);
    const node = {
      macHigh,
      macLow,
      vni: VNI,
      tunnelMtu: 1450,
      connectionsMax: 1024,
      affinityMax: 1024,
      seed: 7,
      reassemblySlots: 8,
      icmpSources: gatewayWords(),
      ...constants,
    };
    this.stories = stories;
    this.dp = new Dataplane(arena, node, () => this.randomWord);
    this.pkt = newPacket(arena);
    const port = (name: PlaceName, portWay: number) => {
      const [macHigh, macLow] = parseMac(places[name].mac);
      const addresses = Int32Array.from(places[name].addresses.flatMap((address) => [...words(address)]));
      return new WorldPort({ way: portWay, macHigh, macLow, addresses, mtu: 1450, capacity: Number.POSITIVE_INFINITY });
    };
    this.ports = {
      web: port('web', way(Way.Pod, 0)),
      api: port('api', way(Way.Pod, 1)),
      host: port('host', way(Way.Host, 0)),
    };
    this.dp.pods.push(this.ports.web, this.ports.api);
    this.dp.host = this.ports.host;
    this.dp.underlay = this.underlay;
    this.route();
  }

  /** Sets the node's routes, `extra` ones winning over the usual ones. */
  route(...extra: readonly ReturnType<typeof prefix>[]): void {
    const own = Object.entries(places).flatMap(([name, { addresses }]) =>
      addresses.map((address) => prefix(address, this.ports[name as PlaceName].way)),
    );
    const table = PrefixTable.build([
      prefix('10.244.1.0/24', way(Way.Blackhole, 0)),
      prefix('fd00:10:244:1::/64', way(Way.Blackhole, 0)),
      prefix('10.244.2.0/24', way(Way.Tunnel, 0)),
      prefix('fd00:10:244:2::/64', way(Way.Tunnel, 0)),
      prefix('10.244.3.0/24', way(Way.Tunnel, 1)),
      prefix('fd00:10:244:3::/64', way(Way.Tunnel, 1)),
      ...own,
      ...extra,
    ]);
    this.dp.setRoutes(table.data, endpoints());
  }

  /** Tells the node of policies. What is left out is as if there were none. */
  enforce(spec: Partial<PolicySpec>): void {
    const told = {
      revision: ++this.#revision,
      numbering: 1,
      identities: [],
      portSets: [],
      rulesets: [],
      pods: [],
      ...spec,
    };
    this.dp.setPolicies(this.#policies.compile(told));
  }

  /** Isolates pods, without any rule: bits of `Direction` for `web` and `api`. */
  isolate(web: number, api: number): void {
    const pods = [web, api].map((bits, index) => ({
      index,
      egress: (bits & Direction.Egress) === 0 ? NOT_ISOLATED : 0,
      ingress: (bits & Direction.Ingress) === 0 ? NOT_ISOLATED : 0,
    }));
    this.enforce({ portSets: [[], []], rulesets: [Int32Array.of(NO_PORTS)], pods });
  }

  /** What becomes of a frame from a place of this node. What the spec leaves out is as an honest sender has it. */
  send(from: PlaceName, spec: FrameSpec = {}): string {
    return this.story(from, writeFrame(this.pkt, honest(places[from].addresses, places[from].mac, spec)));
  }

  /** The same with bytes that no spec can say. */
  sendBytes(from: PlaceName, bytes: Uint8Array): string {
    return this.story(from, writeBytes(this.pkt, bytes));
  }

  /** What becomes of a VXLAN packet from another node. */
  tunnel(from: NodeName, spec: FrameSpec = {}, outerTos = 0): string {
    return this.tunnelBytes(nodes[from].underlay, encapsulated(from, spec), outerTos);
  }

  tunnelBytes(outerSource: string, bytes: Uint8Array, outerTos = 0): string {
    writeBytes(this.pkt, bytes);
    return this.tunnelStory(outerSource, outerTos);
  }

  /** The same for what `pkt` holds already. */
  tunnelStory(outerSource: string, outerTos: number): string {
    const { pkt } = this;
    pkt.outerSource.set(words(outerSource));
    pkt.outerTos = outerTos;
    const { at } = pkt;
    const outcome = this.stories.receiveFromUnderlay(this.dp, pkt, this.nowMs);
    pkt.at = at;
    return outcomeName(outcome);
  }

  story(from: PlaceName, pkt: Packet): string {
    const { at } = pkt;
    const { receiveFromHost, receiveFromPod } = this.stories;
    const outcome = (from === 'host' ? receiveFromHost : receiveFromPod)(this.dp, this.ports[from], pkt, this.nowMs);
    pkt.at = at;
    return outcomeName(outcome);
  }

  /** Frames that all ports and the underlay hold. */
  get taken(): number {
    return Object.values(this.ports).reduce((sum, port) => sum + port.count, this.underlay.count);
  }

  /** ICMP errors that the node has sent, or tried to. */
  get errors(): number {
    return Object.values(this.ports).reduce((sum, port) => sum + port.errors, this.underlay.errors);
  }

  /** Empty when nothing has vanished: not by the counters, and not by what the ports really took. */
  imbalances(): string[] {
    const { counters } = this.dp;
    const { delivered, originated, consumed } = counters.snapshot();
    const answers = (consumed['ArpAnswered'] ?? 0) + (consumed['NeighbourAnswered'] ?? 0);
    return [
      ...differing('both sides', counters.check(), 0),
      ...differing('delivered', delivered, this.taken),
      ...differing('originated', originated, answers + this.errors),
    ];
  }

  /** Throws when something has vanished. */
  balance(): void {
    const found = this.imbalances();
    if (found.length > 0) throw new Error(found.join('; '));
  }
}

/** The node's first pod-CIDR addresses, as `NodeConstants.icmpSources` has them. */
function gatewayWords(): Int32Array {
  return Int32Array.of(...words('10.244.1.1'), ...words('fd00:10:244:1::1'));
}

function differing(what: string, counted: number, real: number): string[] {
  return counted === real ? [] : [`${what}: ${counted} counted, ${real} in truth`];
}

function endpoints(): TunnelEndpoint[] {
  return Object.entries(nodes).map(([name, { mac, underlay }]) => {
    const [macHigh, macLow] = parseMac(mac);
    return { name, address: words(underlay), macHigh, macLow, kernelLocal: name === KERNEL };
  });
}

/** A VXLAN header and the inner frame, as `from` sends it to this node. */
export function encapsulated(from: NodeName, spec: FrameSpec = {}): Uint8Array {
  const { mac, pod } = nodes[from];
  return Uint8Array.of(
    8,
    0,
    0,
    0,
    0,
    0,
    VNI,
    0,
    ...buildFrame(honest(pod, mac, { destination: '10.244.1.2', ...spec })),
  );
}

/** The spec with the sender's own MAC and its address of the right family. */
function honest(addresses: readonly string[], mac: string, spec: FrameSpec): FrameSpec {
  const { destination = '10.244.1.3' } = spec;
  const ipv6 = destination.includes(':');
  const source = addresses.find((address) => address.includes(':') === ipv6)!;
  return { sourceMac: mac, destinationMac: NODE_MAC, source, destination, ...spec };
}
