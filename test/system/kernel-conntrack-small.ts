/**
 * Scripts of a small world: one flow, few numbers, any flags and any chunks. What ends that behave would never send
 * meets here by chance in every combination; the scripts of test/conntrack seldom get there.
 */
import type { Step } from '../conntrack/scripts.ts';
import { greeting, octets, strangeOptions } from '../conntrack/scripts-options.ts';
import type { SctpPacket, SlowPacket, TcpSegment } from '../oracle/slow-packet.ts';
import type { Random } from '../support/random.ts';

const flows = [
  ['10.1.0.2', '10.1.1.5'],
  ['fd00::2', 'fd00::5'],
] as const;
const PORTS = [40_000, 8080] as const;
const LENGTH = 14;

/** Mostly those that are allowed (CT-028). */
const flagSets = [...'S S SA SA A A A A AP FA FA R RA R RA SU FAU'.split(' '), '', 'F', 'SF', 'SR', 'P'];
/** Numbers that are next to each other, around the wrap, and a window or more apart. */
const numbers = [0, 1, 2, 3, 4, 10, 11, 0xffff_fffe, 0xffff_ffff, 70_000, 0x7fff_ffff, 0x8000_0000, 0x8000_0002];
const windows = [0, 1, 3, 8, 500, 65_535] as const;
/** Verification tags: 0 and two others. */
const TAGS = 3;
const INIT = 1;
const INIT_ACK = 2;
const chunkTypes = [
  0,
  INIT,
  INIT,
  INIT,
  INIT_ACK,
  INIT_ACK,
  INIT_ACK,
  3,
  4,
  4,
  5,
  5,
  6,
  7,
  8,
  9,
  10,
  10,
  11,
  11,
  14,
  192,
] as const;

export function smallScript(random: Random): Step[] {
  const flow = random.pick(flows);
  const next = random.once(2) ? segment : association;
  return Array.from({ length: LENGTH }, () => ({ waitMs: 0, expire: 0, packet: next(random, flow) }));
}

function ends(random: Random, [client, server]: readonly [string, string]) {
  const [clientPort, serverPort] = PORTS;
  return random.once(2)
    ? { source: client, destination: server, sourcePort: clientPort, destinationPort: serverPort }
    : { source: server, destination: client, sourcePort: serverPort, destinationPort: clientPort };
}

function segment(random: Random, flow: readonly [string, string]): SlowPacket {
  const flags = random.pick(flagSets);
  const options = random.once(3) ? greeting(random, random.pick([-1, 0, 1, 14])) : [];
  const packet: TcpSegment = {
    ...ends(random, flow),
    protocol: 'tcp',
    flags,
    sequence: random.pick(numbers),
    acknowledgment: random.pick(numbers),
    window: random.pick(windows),
    options: random.once(20) ? random.pick(strangeOptions) : options,
    payloadLen: random.pick([0, 0, 0, 1, 3, 500]),
    gsoSize: 0,
  };
  return packet;
}

function association(random: Random, flow: readonly [string, string]): SlowPacket {
  const count = random.once(4) ? random.between(2, 3) : 1;
  const chunks = Array.from({ length: count }, () => chunk(random)).flat();
  const packet: SctpPacket = {
    ...ends(random, flow),
    protocol: 'sctp',
    verificationTag: chunks[0] === INIT && !random.once(8) ? 0 : random.below(TAGS),
    chunks,
  };
  return packet;
}

function chunk(random: Random): number[] {
  const type = random.pick(chunkTypes);
  const flags = random.once(4) ? 1 : 0;
  if (type === INIT || type === INIT_ACK) {
    return [type, flags, 0, 20, ...octets(random.below(TAGS)), ...Array<number>(12).fill(0)];
  }
  return [type, flags, 0, 8, 0, 0, 0, 0];
}
