/** Random scripts: what a few hosts, with few ports, send one after the other, and how long they wait in between. */
import { SlowConntrack, tupleOf } from '../oracle/slow-conntrack.ts';
import type { IcmpMessage, SlowPacket, TcpSegment } from '../oracle/slow-packet.ts';
import type { SlowTcpEntry } from '../oracle/slow-tcp.ts';
import type { Random } from '../support/random.ts';
import { aim } from './scripts-aim.ts';
import { SctpTalk } from './scripts-sctp.ts';
import { type Endpoint, TcpTalk } from './scripts-tcp.ts';

export interface Step {
  /** Time that passes before the packet. */
  readonly waitMs: number;
  /** How many timers the table may look at then. */
  readonly expire: number;
  readonly packet: SlowPacket;
}

interface Talk {
  next(random: Random): SlowPacket;
}

const hosts = { 4: ['10.1.0.2', '10.1.0.3', '10.1.1.5'], 6: ['fd00::2', 'fd00::3', 'fd00::5'] } as const;
const ports = [40_000, 8080] as const;
const manyPorts = [...ports, 1, 1023, 40_001, 40_002, 65_535] as const;
/** The time-outs of the rules, in seconds, and what passes them by a little. */
const timeouts = [2, 3, 10, 30, 60, 120, 180, 210, 300, 600, 3600, 86_400] as const;
const GRE = 47;
const ESP = 50;

/**
 * @param crowded many flows at once, for tables that are too small
 * @param waits false where time cannot be made to pass
 */
export function randomScript(random: Random, crowded = false, waits = true): Step[] {
  const count = crowded ? 15 : random.between(1, 5);
  const talks = Array.from({ length: count }, () => randomTalk(random, crowded ? manyPorts : ports));
  const steps: Step[] = [];
  const slow = new SlowConntrack();
  let nowMs = 1;
  const length = random.pick([10, 40, 150, 400]);
  while (steps.length < length) {
    const waitMs = waits ? randomWait(random) : 0;
    nowMs += waitMs;
    const earlier = steps.length > 0 && random.once(20) ? random.pick(steps).packet : undefined;
    const packet = earlier === undefined ? random.pick(talks).next(random) : errorAbout(random, earlier);
    const aimed = packet.protocol === 'tcp' && random.once(9) ? aimedAt(random, packet, slow, nowMs) : packet;
    slow.track(aimed, nowMs);
    steps.push({ waitMs, expire: random.once(4) ? random.below(8) : 0, packet: aimed });
  }
  return steps;
}

function aimedAt(random: Random, packet: TcpSegment, slow: SlowConntrack, nowMs: number): TcpSegment {
  const tuple = tupleOf(packet);
  const entry = slow.find(tuple, nowMs);
  if (entry === undefined) return packet;
  return aim(random, packet, entry as SlowTcpEntry, entry.original === tuple ? 0 : 1);
}

function randomWait(random: Random): number {
  if (!random.once(12)) return random.pick([0, 0, 1, 20, 300, 900]);
  const seconds = random.once(4) ? random.pick(timeouts) : random.pick(timeouts.slice(0, 9));
  return Math.max(0, seconds * 1000 + random.pick([-1000, -1, 0, 0, 1, 300]));
}

function randomTalk(random: Random, few: readonly number[]): Talk {
  const version = random.once(3) ? 6 : 4;
  const [a, b] = twoHosts(random, version);
  const client = { address: a, port: random.pick(few) };
  const server = { address: b, port: random.pick(few) };
  const kind = random.below(20);
  if (kind < 12) return new TcpTalk(client, server);
  if (kind < 15) return new SctpTalk(client, server);
  if (kind < 17) return new UdpTalk(client, server);
  if (kind < 19) return new IcmpTalk(a, b);
  return new OtherTalk(a, b, random.pick([GRE, ESP]));
}

/** Two different ones: a tuple that is its own inverse has no direction. */
function twoHosts(random: Random, version: 4 | 6): [string, string] {
  const a = random.pick(hosts[version]);
  return [a, random.pick(hosts[version].filter((host) => host !== a))];
}

class UdpTalk implements Talk {
  readonly #ends: readonly Endpoint[];

  constructor(client: Endpoint, server: Endpoint) {
    this.#ends = [client, server];
  }

  next(random: Random): SlowPacket {
    const from = random.pick([0, 0, 1]);
    const [here, there] = [this.#ends[from]!, this.#ends[1 - from]!];
    const addresses = { source: here.address, destination: there.address };
    return { protocol: 'udp', ...addresses, sourcePort: here.port, destinationPort: there.port };
  }
}

class IcmpTalk implements Talk {
  readonly #source: string;
  readonly #destination: string;

  constructor(source: string, destination: string) {
    this.#source = source;
    this.#destination = destination;
  }

  next(random: Random): SlowPacket {
    const ipv6 = this.#source.includes(':');
    const common = ipv6 ? [128, 129] : [8, 0];
    const rare = ipv6 ? [127, 139, 140, 141, 150] : [13, 14, 15, 16, 17, 18, 9, 10, 19, 255];
    const type = random.pick(random.once(5) ? rare : common);
    // Answers mostly travel the other way.
    const back = (type % 2 === (ipv6 ? 1 : 0) && type !== 8) !== random.once(8);
    const [source, destination] = back ? [this.#destination, this.#source] : [this.#source, this.#destination];
    const code = random.once(10) ? 1 : 0;
    return { protocol: ipv6 ? 'icmpv6' : 'icmp', source, destination, type, code, identifier: random.below(2) };
  }
}

class OtherTalk implements Talk {
  readonly #source: string;
  readonly #destination: string;
  readonly #protocol: number;

  constructor(source: string, destination: string, protocol: number) {
    this.#source = source;
    this.#destination = destination;
    this.#protocol = protocol;
  }

  next(random: Random): SlowPacket {
    const [source, destination] = random.once(3)
      ? [this.#destination, this.#source]
      : [this.#source, this.#destination];
    return { protocol: this.#protocol, source, destination };
  }
}

/** An ICMP error about a packet that was sent before, mostly to its sender. */
function errorAbout(random: Random, quotes: SlowPacket): IcmpMessage {
  const ipv6 = quotes.source.includes(':');
  const destination = random.once(5) ? random.pick(hosts[ipv6 ? 6 : 4]) : quotes.source;
  const source = random.pick(hosts[ipv6 ? 6 : 4].filter((host) => host !== destination));
  const type = random.pick(ipv6 ? [1, 2, 3, 4] : [3, 4, 5, 11, 12]);
  const header = { type, code: random.below(2), identifier: 0 };
  return { protocol: ipv6 ? 'icmpv6' : 'icmp', source, destination, ...header, quotes };
}
