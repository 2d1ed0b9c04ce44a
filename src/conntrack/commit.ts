/**
 * A new connection enters the table with the last stage before its first packet leaves (CT-004). Its reply tuple
 * must be nobody else's on this node, translated or not: otherwise an entry could capture another flow's replies
 * ("port shadow"). Where it is taken, the source port, or the ICMP identifier, moves.
 */
import { invertKey, KEY_PORTS, KEY_WORDS, keyIsIcmp, keyProtocol, keysEqual } from '../packet/flow-key.ts';
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { rewriteFlow } from '../packet/rewrite.ts';
import { Protocol } from '../wire/protocol.ts';
import { ConnectionFlag, type Connections } from './connections.ts';
import { beginConnection } from './track.ts';

/** Ports tried from one random offset, then half as many from another, and so on: Linux's nf_nat_core.c (CT-070). */
const ATTEMPTS_FIRST = 128;
const ATTEMPTS_LAST = 16;

const reply = new Int32Array(KEY_WORDS);
const candidate = new Int32Array(KEY_WORDS);

/**
 * @param original the packet's key as it came in; `pkt.key` is what it is after translation.
 * @param random 32 random bits: where the search for a free port begins.
 */
export function commitConnection(
  connections: Connections,
  pkt: Packet,
  original: Int32Array,
  nowMs: number,
  random: number,
): Outcome {
  invertKey(pkt.key, 0, reply, 0);
  // A packet from a place to the same place is its own reply.
  const taken = keysEqual(original, 0, reply, 0) || replyIsTaken(connections, nowMs);
  if (taken && !moveSourcePort(connections, pkt, nowMs, random)) {
    connections.statistics.insertFailed++;
    connections.statistics.drop++;
    return Drop.NatExhausted;
  }
  let connection = connections.allocate();
  if (connection < 0 && connections.makeRoom(original, nowMs)) connection = connections.allocate();
  if (connection < 0) {
    connections.statistics.drop++;
    return Drop.ConntrackFull; // CT-051
  }
  connections.insert(connection, original, reply, nowMs);
  connections.setIngress(connection, pkt.ingress);
  if (!keysEqual(original, 0, pkt.key, 0)) connections.flags[connection] = ConnectionFlag.Translated;
  beginConnection(connections, connection, pkt, nowMs);
  pkt.connection = connection;
  pkt.direction = 0;
  return CONTINUE;
}

/** Is `reply` the key of a living connection? One whose time is over is removed: it is in nobody's way. */
function replyIsTaken(connections: Connections, nowMs: number): boolean {
  const half = connections.find(reply, 0, connections.hash(reply, 0));
  if (half < 0) return false;
  if (!connections.isOver(half >> 1, nowMs)) {
    connections.statistics.found++;
    return true;
  }
  connections.remove(half >> 1);
  return false;
}

/** Finds a source port that makes `reply` unique, rewrites the packet to it and leaves `reply` set; false when none. */
function moveSourcePort(connections: Connections, pkt: Packet, nowMs: number, random: number): boolean {
  if (!hasPorts(pkt)) return false;
  candidate.set(pkt.key);
  const ports = pkt.key[KEY_PORTS]!;
  const first = portClassFirst(pkt);
  const size = portClassSize(pkt);
  for (let attempts = ATTEMPTS_FIRST; attempts >= ATTEMPTS_LAST; attempts >>= 1) {
    const offset = (attempts === ATTEMPTS_FIRST ? random : Math.imul(random | 1, attempts + 1)) >>> 0;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const port = first + ((offset + attempt) % size);
      candidate[KEY_PORTS] = (port << 16) | (ports & 0xffff);
      invertKey(candidate, 0, reply, 0);
      if (replyIsTaken(connections, nowMs)) continue;
      rewriteFlow(pkt, candidate, 0);
      return true;
    }
  }
  return false;
}

function hasPorts(pkt: Packet): boolean {
  const protocol = keyProtocol(pkt.key, 0);
  if (protocol === Protocol.Tcp || protocol === Protocol.Udp || protocol === Protocol.Sctp) return true;
  return keyIsIcmp(pkt.key, 0);
}

/** The new port stays in the class of the old one (CT-069); an ICMP identifier may be anything (CT-074). */
function portClassFirst(pkt: Packet): number {
  if (keyIsIcmp(pkt.key, 0)) return 0;
  const port = pkt.key[KEY_PORTS]! >>> 16;
  if (port < 512) return 1;
  return port < 1024 ? 600 : 1024;
}

function portClassSize(pkt: Packet): number {
  if (keyIsIcmp(pkt.key, 0)) return 65_536;
  const port = pkt.key[KEY_PORTS]! >>> 16;
  if (port < 512) return 511;
  return port < 1024 ? 424 : 64_512;
}
