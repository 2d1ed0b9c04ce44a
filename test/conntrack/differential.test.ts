/**
 * A few hosts talk at random, partly to Services; after every packet the fast table and the slow one must agree. TCP and
 * SCTP are not among it: what their states do is compared by scripts.long.test.ts.
 */
import { expect, test } from 'vitest';
import { ConnectionFlag } from '../../src/conntrack/connections.ts';
import { buildFrame } from '../support/frames.ts';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';
import { answerTo, isError, keyOf, SlowConntrack, type SlowPacket, type SlowVerdict } from './slow-conntrack.ts';
import { Tracker } from './tracker.ts';

/** `PODWIRE_PACKETS=1000000` makes it 100,000. */
const COUNT = PACKETS / 10;
const hosts = { 4: ['10.1.0.2', '10.1.0.3', '10.1.1.5'], 6: ['fd00::2', 'fd00::3', 'fd00::5'] } as const;
/** Services of one backend, so that reply tuples meet. */
const services = ['10.96.0.1', '10.96.0.2'] as const;
const BACKEND = '10.1.1.5';
const translations = Object.fromEntries(services.map((address) => [`${address}/80`, `${BACKEND}/8080`]));
/** Ports that moved flows get (1024 and a few more) are in use by others as well. */
const clientPorts = [1024, 1025, 1027, 40_000] as const;

function randomPacket(random: Random): SlowPacket {
  const version = random.once(4) ? 6 : 4;
  const source = random.pick(hosts[version]);
  // Not itself: a tuple that is its own inverse has no direction.
  const destination = random.pick(hosts[version].filter((host) => host !== source));
  const icmp = version === 6 ? 'icmpv6' : 'icmp';
  const base = {
    ...{ source, destination, identifier: random.below(2), icmpType: 0 },
    ...{ sourcePort: random.pick(clientPorts), destinationPort: 8080 },
  };
  const kind = random.below(20);
  if (kind === 0) return { ...base, protocol: 50, payload: 8 };
  if (kind <= 3) {
    const types = icmp === 'icmp' ? [8, 0, 8, 0, 13, 14, 17, 18, 9] : [128, 129, 128, 129, 128, 1];
    const icmpType = random.pick(types.filter((type) => !isError(icmp, type)));
    return { ...base, protocol: icmp, icmpType };
  }
  const toService = version === 4 && random.once(3);
  const there: SlowPacket = {
    ...base,
    ...(toService ? { destination: random.pick(services), destinationPort: 80 } : {}),
    protocol: 'udp',
  };
  return toService || random.once(2) ? there : answerTo(there);
}

/** Now and then an error about a packet that may have been. */
function randomError(random: Random): SlowPacket {
  const quotes = randomPacket(random);
  const protocol = quotes.source.includes(':') ? 'icmpv6' : 'icmp';
  const elsewhere = random.once(5);
  return {
    ...{ source: quotes.destination, destination: elsewhere ? hosts[protocol === 'icmp' ? 4 : 6][0] : quotes.source },
    ...{ protocol, icmpType: protocol === 'icmp' ? 3 : 1, identifier: 0, icmpSequence: 0 },
    ...{ sourcePort: 0, destinationPort: 0, quotes },
  };
}

const frames = new Map<string, Uint8Array>();

/** The packet's bytes, built once for each different packet. */
function bytesOf(packet: SlowPacket): Uint8Array {
  const { quotes } = packet;
  const name = `${keyOf(packet)} ${quotes === undefined ? '' : keyOf(quotes)}`;
  const known = frames.get(name);
  if (known !== undefined) return known;
  const payload = quotes === undefined ? packet.payload : buildFrame(quotes).slice(14);
  const bytes = buildFrame(payload === undefined ? packet : { ...packet, payload });
  frames.set(name, bytes);
  return bytes;
}

/** The packet as the Services make it, with the source port that it left with. */
function translated(packet: SlowPacket, tracker: Tracker): SlowPacket {
  const toService = services.includes(packet.destination as '10.96.0.1');
  const there = toService ? { ...packet, destination: BACKEND, destinationPort: 8080 } : packet;
  const { view, l4At } = tracker.pkt;
  if (packet.protocol === 'udp') return { ...there, sourcePort: view.getUint16(l4At) };
  return typeof packet.protocol === 'number' ? there : { ...there, identifier: view.getUint16(l4At + 4) };
}

/** The entry that must come of a packet that begins a flow; its reply tuple is nobody else's. */
function begin(slow: SlowConntrack, tracker: Tracker, packet: SlowPacket): SlowVerdict {
  const after = translated(packet, tracker);
  const kept = { ...after, sourcePort: packet.sourcePort, identifier: packet.identifier };
  const taken = slow.find(keyOf(answerTo(kept)), tracker.nowMs) !== undefined;
  const moved = after.sourcePort !== packet.sourcePort || after.identifier !== packet.identifier;
  const unique = slow.find(keyOf(answerTo(after)), tracker.nowMs) === undefined;
  if (moved !== taken || !unique) expect({ moved, unique }, keyOf(packet)).toEqual({ moved: taken, unique: true });
  return { verdict: 'new', entry: slow.commit(packet, after, tracker.nowMs), direction: 0 };
}

/** Do the two tables say the same about the packet's connection? */
function compare(tracker: Tracker, { entry, direction }: SlowVerdict): void {
  if (entry === undefined) return;
  const { connections, connection, pkt } = tracker;
  const flags =
    (entry.seenReply ? ConnectionFlag.SeenReply : 0) |
    (entry.assured ? ConnectionFlag.Assured : 0) |
    (entry.translated ? ConnectionFlag.Translated : 0);
  const same =
    pkt.direction === direction &&
    connections.deadlineMs[connection] === entry.deadlineMs &&
    connections.flags[connection] === flags;
  if (same) return;
  const { deadlineMs, flags: allFlags } = connections;
  const got = { direction: pkt.direction, deadlineMs: deadlineMs[connection], flags: allFlags[connection] };
  expect(got, entry.original).toEqual({ direction, deadlineMs: entry.deadlineMs, flags });
}

function alive({ connections, nowMs }: Tracker): number {
  let count = 0;
  for (let i = 0; i < connections.highWater; i++) {
    if (connections.state[i] !== 0 && connections.deadlineMs[i]! > nowMs) count++;
  }
  return count;
}

function talk(random: Random): void {
  const tracker = new Tracker({ capacity: 4096, translations });
  const slow = new SlowConntrack();
  const seen = new Map<string, number>();
  for (let i = 0; i < COUNT; i++) {
    const packet = random.once(25) ? randomError(random) : randomPacket(random);
    tracker.random = random.below(3);
    const got = tracker.sendBytes(bytesOf(packet));
    let want = slow.track(packet, tracker.nowMs);
    if (want.verdict === 'new' && got === 'new') want = begin(slow, tracker, packet);
    const exhausted = got === 'dropped: NatExhausted' && want.verdict === 'new' && packet.protocol === 50;
    if (got !== want.verdict && !exhausted) expect(got, `packet ${i}, ${keyOf(packet)}`).toBe(want.verdict);
    compare(tracker, want);
    seen.set(got, (seen.get(got) ?? 0) + 1);
    tracker.nowMs += random.pick([0, 0, 1, 100, 900, 2500]);
    if (random.once(60)) tracker.nowMs += random.pick([9, 30, 31, 60, 120, 300, 600, 3600, 86_400]) * 1000;
    if (random.once(10)) tracker.connections.expire(tracker.nowMs, random.below(20));
    if (i % 1000 === 0) expect(alive(tracker)).toBe(slow.count(tracker.nowMs));
  }
  for (const verdict of ['new', 'known', 'related', 'dropped: Invalid']) {
    expect(seen.get(verdict) ?? 0, verdict).toBeGreaterThan(COUNT / 250);
  }
}

test(`${COUNT} random packets: verdicts, flags and deadlines equal the slow table's`, () => withRandom(talk));
