/**
 * Two TCP endpoints that mostly behave: handshakes of all kinds, data, SACK, window scale, retransmission, close, reset,
 * reopening, mid-stream starts. Now and then a segment is spoilt, as nobody should send it.
 */
import type { TcpSegment } from '../oracle/slow-packet.ts';
import type { Random } from '../support/random.ts';
import { greeting, selective, strangeOptions } from './scripts-options.ts';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

interface Side {
  readonly here: Endpoint;
  /** Next sequence number, the lowest that is not acknowledged, and the next that is expected from the other side. */
  next: number;
  unacknowledged: number;
  expected: number;
  window: number;
  scale: number;
  finished: boolean;
}

type Phase = 'closed' | 'synSent' | 'synReceived' | 'crossing' | 'open';

const SEGMENT_LEN = 1448;
/** Where sequence numbers are about to wrap, or to change their sign. */
const initials = [0, 1, 0xffff_ff00, 0x7fff_ff00, 0x8000_0000] as const;
const windows = [65_535, 29_200, 502, 502, 502, 200, 1, 0] as const;
const strangeFlags = ['', ...'S SA SU A AU AP FA FAU F R RA RAP SF SR FSRPAU P'.split(' ')];

export class TcpTalk {
  readonly #sides: readonly [Side, Side];
  #phase: Phase = 'closed';
  #opener: 0 | 1 = 0;
  /** What follows, before anything else. */
  readonly #queue: TcpSegment[] = [];

  constructor(client: Endpoint, server: Endpoint) {
    this.#sides = [newSide(client), newSide(server)];
  }

  next(random: Random): TcpSegment {
    const segment = this.#queue.shift() ?? this.#proper(random);
    return random.once(7) ? this.#spoil(random, segment) : segment;
  }

  #proper(random: Random): TcpSegment {
    switch (this.#phase) {
      case 'closed':
        return this.#begin(random);
      case 'synSent':
        return this.#answer(random);
      case 'crossing':
        return this.#cross(random);
      case 'synReceived':
        return this.#complete(random);
      default:
        return this.#talk(random);
    }
  }

  #begin(random: Random): TcpSegment {
    this.#opener = random.once(10) ? 1 : 0;
    for (const side of this.#sides) {
      side.next = random.once(4) ? random.pick(initials) : random.word();
      side.unacknowledged = side.next;
      side.window = random.pick(windows);
      side.scale = random.once(3) ? -1 : random.below(16);
      side.finished = false;
    }
    if (random.once(6)) {
      this.#phase = 'open';
      this.#sides[0].expected = this.#sides[1].next;
      this.#sides[1].expected = this.#sides[0].next;
      return this.#talk(random);
    }
    this.#phase = random.once(8) ? 'crossing' : 'synSent';
    return this.#syn(random, this.#opener);
  }

  #syn(random: Random, from: 0 | 1): TcpSegment {
    const side = this.#sides[from];
    return this.#segment(from, 'S', { sequence: side.next, acknowledgment: 0, options: greeting(random, side.scale) });
  }

  #synAck(random: Random, from: 0 | 1): TcpSegment {
    const side = this.#sides[from];
    const acknowledgment = add(this.#sides[other(from)].next, 1);
    return this.#segment(from, 'SA', { sequence: side.next, acknowledgment, options: greeting(random, side.scale) });
  }

  #answer(random: Random): TcpSegment {
    const from = other(this.#opener);
    const opener = this.#sides[this.#opener];
    switch (random.below(14)) {
      case 0:
        return this.#syn(random, this.#opener);
      case 1:
        opener.next = add(opener.next, random.pick([1, 1000, 100_000, -5]));
        return this.#syn(random, this.#opener);
      case 2:
        this.#phase = 'closed';
        return this.#segment(from, 'RA', { sequence: 0, acknowledgment: add(opener.next, 1), window: 0 });
      case 3: // the other end has an old connection: challenge ACK, then the opener's RST
      case 4:
        return this.#challenge(random, from);
      default:
        this.#phase = 'synReceived';
        return this.#synAck(random, from);
    }
  }

  /** An ACK that fits nothing, and the RST for it (RFC 5961 section 4.2). */
  #challenge(random: Random, from: 0 | 1): TcpSegment {
    const acknowledgment = random.word();
    const sequence = random.once(4) ? add(acknowledgment, random.pick([1, -1])) : acknowledgment;
    if (random.once(5)) this.#queue.push(this.#syn(random, this.#opener));
    this.#queue.push(this.#segment(other(from), 'R', { sequence, acknowledgment: 0, window: 0 }));
    return this.#segment(from, 'A', { sequence: random.word(), acknowledgment });
  }

  /** A SYN in the middle of a connection, and one of the answers that there may be. */
  #stray(random: Random): TcpSegment {
    const from = random.once(6) ? 1 : 0;
    const to = other(from);
    const sequence = random.once(2) ? random.word() : add(this.#sides[from].next, random.below(1000));
    const options = greeting(random, random.below(16));
    const acknowledgment = add(sequence, random.once(8) ? 2 : 1);
    const answers = [
      this.#segment(to, 'A', {}),
      this.#segment(to, 'RA', { acknowledgment, window: 0, sequence: random.pick([0, this.#sides[to].next]) }),
      this.#segment(to, 'SA', { acknowledgment, options, sequence: random.word() }),
    ];
    if (random.once(6)) this.#queue.push(this.#segment(random.pick([0, 1]), random.pick(['A', 'FA']), {}));
    this.#queue.push(random.pick(answers));
    return this.#segment(from, 'S', { sequence, options, acknowledgment: 0, window: random.pick(windows) });
  }

  /** A FIN or RST that is far off, and one of the other side that is as far off. */
  #astray(random: Random, from: 0 | 1): TcpSegment {
    const end = (side: 0 | 1) => {
      const sequence = add(this.#sides[side].next, random.pick([2 ** 30, 2 ** 31, 1_500_000_000, 100]));
      return this.#segment(side, random.pick(['R', 'RA', 'FA']), { sequence });
    };
    const second = random.once(5) ? from : other(from);
    if (random.once(4)) this.#queue.push(this.#segment(second, 'A', {}));
    this.#queue.push(end(second));
    return end(from);
  }

  /** Both have begun at once. */
  #cross(random: Random): TcpSegment {
    const from = other(this.#opener);
    switch (random.below(5)) {
      case 0:
        return this.#syn(random, this.#opener);
      case 1:
      case 2:
        return this.#syn(random, from);
      case 3:
        return this.#synAck(random, random.pick([0, 1]));
      default:
        this.#established();
        return random.once(2) ? this.#talk(random) : this.#segment(from, 'A', {});
    }
  }

  #complete(random: Random): TcpSegment {
    switch (random.below(10)) {
      case 0:
        return this.#synAck(random, other(this.#opener));
      case 1:
        return this.#syn(random, this.#opener);
      case 2:
        this.#phase = 'closed';
        return this.#reset(random, random.pick([0, 1]));
      default:
        this.#established();
        return random.once(4) ? this.#talk(random) : this.#segment(this.#opener, 'A', {});
    }
  }

  #established(): void {
    this.#phase = 'open';
    const [client, server] = this.#sides;
    for (const side of this.#sides) {
      side.next = add(side.next, 1);
      side.unacknowledged = side.next;
    }
    client.expected = server.next;
    server.expected = client.next;
  }

  #talk(random: Random): TcpSegment {
    const from = random.pick([0, 1] as const);
    const side = this.#sides[from];
    const peer = this.#sides[other(from)];
    switch (random.below(28)) {
      case 0:
      case 1:
        return this.#finish(from);
      case 26:
        return this.#astray(random, from);
      case 27:
        return this.#stray(random);
      case 2: // again, from the first that is not acknowledged
        return this.#data(from, side.unacknowledged, Math.min(distance(side.unacknowledged, side.next), SEGMENT_LEN));
      case 3: // keepalive, and its answer
        return this.#segment(from, 'A', { sequence: add(side.next, -1) });
      case 4:
        return this.#segment(from, 'A', { options: selective(random, side.expected, peer.next) });
      case 5:
        side.window = random.pick(windows);
        return this.#segment(from, 'A', {});
      case 6:
        return random.once(3) ? this.#reset(random, from) : this.#segment(from, 'A', {});
      case 7: // an end that has forgotten the connection begins anew
        return random.once(2) ? this.#anew(random) : this.#segment(from, 'A', {});
      case 8:
        return this.#repeat(random, from);
      case 9: // an acknowledgment that repeats the last one
        return this.#segment(from, 'A', {});
      case 10:
      case 11:
      case 12:
      case 13:
        return this.#acknowledge(from);
      default:
        return this.#send(random, from);
    }
  }

  #send(random: Random, from: 0 | 1): TcpSegment {
    const side = this.#sides[from];
    const peer = this.#sides[other(from)];
    const offered = peer.window * 2 ** Math.max(0, Math.min(peer.scale, 14));
    const room = Math.max(1, offered - distance(side.unacknowledged, side.next));
    const want = random.pick([1, 100, SEGMENT_LEN, SEGMENT_LEN, 5 * SEGMENT_LEN, 5 * SEGMENT_LEN, 40 * SEGMENT_LEN]);
    const len = Math.min(room, want);
    const segment = this.#data(from, side.next, len);
    side.next = add(side.next, len);
    if (!random.once(12)) peer.expected = side.next; // else it was lost
    return segment;
  }

  /** The same segment again and again, which one may not be quite. */
  #repeat(random: Random, from: 0 | 1): TcpSegment {
    const segment = random.once(2)
      ? this.#segment(from, 'A', {})
      : this.#data(from, this.#sides[from].unacknowledged, 1);
    const { sequence, acknowledgment, window, payloadLen } = segment;
    const odd = random.pick([
      { sequence: add(sequence, -1), payloadLen: payloadLen + 1 },
      { acknowledgment: add(acknowledgment, -1) },
      { payloadLen: payloadLen + 1 },
      { window: window ^ 1 },
      this.#turned(segment),
    ]);
    for (let i = random.between(2, 5); i > 0; i--) this.#queue.push(random.once(5) ? { ...segment, ...odd } : segment);
    return segment;
  }

  #acknowledge(from: 0 | 1): TcpSegment {
    const side = this.#sides[from];
    const peer = this.#sides[other(from)];
    if (distance(peer.unacknowledged, side.expected) < 2 ** 31) peer.unacknowledged = side.expected;
    return this.#segment(from, 'A', {});
  }

  #finish(from: 0 | 1): TcpSegment {
    const side = this.#sides[from];
    if (side.finished) return this.#segment(from, 'FA', { sequence: add(side.next, -1) });
    const segment = this.#segment(from, 'FA', { sequence: side.next });
    side.finished = true;
    side.next = add(side.next, 1);
    this.#sides[other(from)].expected = side.next;
    return segment;
  }

  #reset(random: Random, from: 0 | 1): TcpSegment {
    if (random.once(2)) this.#phase = 'closed';
    const { next } = this.#sides[from];
    const sequence = random.pick([next, next, next, add(next, 1), add(next, 100), add(next, -1), 0]);
    return this.#segment(from, random.pick(['R', 'RA']), { sequence, window: 0 });
  }

  #anew(random: Random): TcpSegment {
    this.#phase = 'closed';
    return this.#begin(random);
  }

  #data(from: 0 | 1, sequence: number, payloadLen: number): TcpSegment {
    const gsoSize = payloadLen > SEGMENT_LEN ? SEGMENT_LEN : 0;
    return this.#segment(from, 'AP', { sequence, payloadLen, gsoSize });
  }

  #segment(from: 0 | 1, flags: string, rest: Partial<TcpSegment>): TcpSegment {
    const side = this.#sides[from];
    const peer = this.#sides[other(from)];
    return {
      protocol: 'tcp',
      source: side.here.address,
      destination: peer.here.address,
      sourcePort: side.here.port,
      destinationPort: peer.here.port,
      flags,
      sequence: side.next,
      acknowledgment: side.expected,
      window: side.window,
      options: [],
      payloadLen: 0,
      gsoSize: 0,
      ...rest,
    };
  }

  #spoil(random: Random, segment: TcpSegment): TcpSegment {
    const { sequence, acknowledgment } = segment;
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2:
        return { ...segment, sequence: add(sequence, this.#leap(random)) };
      case 3:
      case 4:
        return { ...segment, acknowledgment: add(acknowledgment, this.#leap(random)) };
      case 5:
        return { ...segment, flags: random.pick(strangeFlags), payloadLen: 0, gsoSize: 0 };
      case 6:
        return { ...segment, options: random.pick(strangeOptions) };
      case 7:
        return { ...segment, window: random.pick(windows) };
      case 8:
        return this.#segment(random.pick([0, 1]), random.pick(['R', 'RA', 'FA', 'S', 'SA']), {
          sequence: add(sequence, this.#leap(random)),
          acknowledgment: random.pick([0, acknowledgment, random.word()]),
        });
      default:
        return { ...segment, ...this.#turned(segment) };
    }
  }

  /** The same segment from the other side. */
  #turned({ source, destination, sourcePort, destinationPort }: TcpSegment): Partial<TcpSegment> {
    return { source: destination, destination: source, sourcePort: destinationPort, destinationPort: sourcePort };
  }

  /** How far a number is off: a little, to the edge of a window, or anywhere. */
  #leap(random: Random): number {
    const { window, scale } = random.pick(this.#sides);
    const edge = window * 2 ** Math.max(0, Math.min(scale, 14));
    const far = random.pick([0, 1, 2, SEGMENT_LEN, window, edge, 65_535, 66_000, 2 ** 31, random.word()]);
    return random.pick([1, -1]) * far + random.pick([-1, 0, 1]);
  }
}

function newSide(here: Endpoint): Side {
  return { here, next: 0, unacknowledged: 0, expected: 0, window: 0, scale: -1, finished: false };
}

function other(side: 0 | 1): 0 | 1 {
  return side === 0 ? 1 : 0;
}

function add(sequence: number, count: number): number {
  return (sequence + count) >>> 0;
}

/** Bytes from one sequence number up to another. */
function distance(from: number, to: number): number {
  return (to - from) >>> 0;
}
