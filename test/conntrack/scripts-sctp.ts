/** Two SCTP endpoints that mostly behave: associations begin, talk, beat, end and collide; some packets are spoilt. */

import type { SctpPacket } from '../oracle/slow-packet.ts';
import { chunkTypes as types } from '../oracle/slow-sctp.ts';
import type { Random } from '../support/random.ts';
import { octets } from './scripts-options.ts';
import type { Endpoint } from './scripts-tcp.ts';

type Phase = 'closed' | 'init' | 'initAck' | 'echo' | 'open' | 'shutdown' | 'shutdownAck';
type Side = 0 | 1;

const SACK = 3;
const allTypes = [...Object.values(types), SACK, 192];

export class SctpTalk {
  readonly #ends: readonly [Endpoint, Endpoint];
  /** What each end calls itself: packets to it carry this. */
  #tags: [number, number] = [0, 0];
  #phase: Phase = 'closed';
  #opener: Side = 0;

  constructor(client: Endpoint, server: Endpoint) {
    this.#ends = [client, server];
  }

  next(random: Random): SctpPacket {
    const packet = this.#proper(random);
    return random.once(6) ? this.#spoil(random, packet) : packet;
  }

  #proper(random: Random): SctpPacket {
    const opener = this.#opener;
    const peer = other(opener);
    if (random.once(12)) return this.#packet(opener, announce(types.init, this.#tags[opener]), 0);
    switch (this.#phase) {
      case 'closed':
        return this.#begin(random);
      case 'init':
        this.#phase = 'initAck';
        return random.once(6) ? this.#collide(random) : this.#packet(peer, announce(types.initAck, this.#tags[peer]));
      case 'initAck':
        this.#phase = 'echo';
        return this.#packet(opener, [...chunk(types.cookieEcho, 8), ...(random.once(2) ? chunk(types.data, 20) : [])]);
      case 'echo':
        this.#phase = random.once(10) ? 'closed' : 'open';
        return this.#packet(peer, chunk(this.#phase === 'open' ? types.cookieAck : types.error, 4));
      case 'open':
        return this.#talk(random);
      case 'shutdown':
        this.#phase = 'shutdownAck';
        return this.#packet(random.once(8) ? opener : peer, chunk(types.shutdownAck, 0));
      default:
        if (!random.once(3)) this.#phase = 'closed';
        return this.#packet(random.once(8) ? peer : opener, chunk(types.shutdownComplete, 0));
    }
  }

  #begin(random: Random): SctpPacket {
    this.#opener = random.once(8) ? 1 : 0;
    this.#tags = [tag(random), tag(random)];
    if (random.once(5)) {
      // A second path of an association, or one whose beginning we have missed.
      this.#phase = 'open';
      return this.#packet(this.#opener, chunk(random.pick([types.heartbeat, types.heartbeat, types.shutdownAck]), 8));
    }
    this.#phase = 'init';
    return this.#packet(this.#opener, announce(types.init, this.#tags[this.#opener]), 0);
  }

  /** The other side has begun as well. */
  #collide(random: Random): SctpPacket {
    const peer = other(this.#opener);
    if (random.once(2)) return this.#packet(this.#opener, announce(types.initAck, this.#tags[this.#opener]));
    return this.#packet(peer, announce(types.init, random.once(2) ? tag(random) : this.#tags[peer]), 0);
  }

  #talk(random: Random): SctpPacket {
    const from = random.pick([0, 1] as const);
    switch (random.below(16)) {
      case 0:
        this.#phase = 'shutdown';
        this.#opener = from;
        return this.#packet(from, chunk(types.shutdown, 4));
      case 1: {
        this.#phase = random.once(2) ? 'closed' : 'open';
        const reflected = random.once(3);
        const abort = chunk(types.abort, 0, reflected ? 1 : 0);
        return this.#packet(from, abort, this.#tags[reflected ? from : other(from)]);
      }
      case 2:
      case 3:
        return this.#packet(from, chunk(types.heartbeat, 8));
      case 4:
      case 5:
        return this.#packet(from, chunk(types.heartbeatAck, 8));
      case 6: // one end restarts under a new name: heartbeat and answer carry tags nobody knows
        if (random.once(3)) this.#tags[from] = tag(random);
        return this.#packet(other(from), chunk(types.heartbeat, 8));
      default:
        return this.#packet(from, [...chunk(SACK, 12), ...(random.once(2) ? chunk(types.data, 13) : [])]);
    }
  }

  #packet(from: Side, chunks: readonly number[], verificationTag = this.#tags[other(from)]): SctpPacket {
    const here = this.#ends[from];
    const there = this.#ends[other(from)];
    const addresses = { source: here.address, destination: there.address };
    const ports = { sourcePort: here.port, destinationPort: there.port };
    return { protocol: 'sctp', ...addresses, ...ports, verificationTag, chunks };
  }

  #spoil(random: Random, packet: SctpPacket): SctpPacket {
    const { chunks } = packet;
    switch (random.below(8)) {
      case 0:
      case 1:
        return { ...packet, verificationTag: random.pick([0, this.#tags[0], this.#tags[1], random.word()]) };
      case 2: // a length that lies
        return { ...packet, chunks: [...chunks.slice(0, 2), 0, random.below(40), ...chunks.slice(4)] };
      case 3:
        return { ...packet, chunks: chunks.slice(0, random.below(chunks.length + 1)) };
      case 4:
        return { ...packet, chunks: [...chunks, ...chunk(random.pick(allTypes), random.below(20))] };
      case 5:
        return { ...packet, chunks: [...chunk(random.pick(allTypes), random.below(20)), ...chunks] };
      case 6:
        return { ...packet, chunks: [chunks[0]!, random.below(2), ...chunks.slice(2)] };
      default:
        return this.#packet(
          random.pick([0, 1]),
          chunk(random.pick(allTypes), random.pick([0, 4, 16]), random.below(2)),
        );
    }
  }
}

function other(side: Side): Side {
  return side === 0 ? 1 : 0;
}

/** Few of them, so that some are right by chance; 0 is nobody's (RFC 9260 section 3.3.2). */
function tag(random: Random): number {
  return random.once(4) ? 1 + random.below(3) : random.word();
}

/** A chunk of RFC 9260 section 3.2 with `len` octets of value, padded to whole words. */
function chunk(type: number, len: number, flags = 0): number[] {
  const padding = (4 - (len % 4)) % 4;
  return [type, flags, 0, 4 + len, ...Array<number>(len + padding).fill(0)];
}

function announce(type: number, name: number): number[] {
  return [type, 0, 0, 20, ...octets(name), ...Array<number>(12).fill(0)];
}
