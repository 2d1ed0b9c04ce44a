/** Connection tracking alone: real packets in, what they did to the table out. */
import { commitConnection } from '../../src/conntrack/commit.ts';
import { Connections } from '../../src/conntrack/connections.ts';
import { trackPacket } from '../../src/conntrack/track.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_WORDS } from '../../src/packet/flow-key.ts';
import { loadKey } from '../../src/packet/load-key.ts';
import { CONTINUE, outcomeName } from '../../src/packet/outcome.ts';
import { type Packet, RELATED } from '../../src/packet/packet.ts';
import { rewriteFlow } from '../../src/packet/rewrite.ts';
import { validate } from '../../src/packet/validate.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { type FrameSpec, newPacket, writeBytes, writeFrame } from '../support/frames.ts';

export const SECOND = 1000;
export const CLIENT = '10.1.0.2';
export const SERVER = '10.1.1.5';

/** TCP flags. */
export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const ACK = 16;
export const SYN_ACK = SYN | ACK;
export const FIN_ACK = FIN | ACK;
export const RST_ACK = RST | ACK;

/** Where a destination is translated to, `address/port`, by `address/port`. */
export type Translations = Readonly<Record<string, string>>;

export class Tracker {
  readonly connections: Connections;
  readonly pkt: Packet;
  nowMs = 1000 * SECOND;
  /** The 32 random bits that a new connection gets. */
  random = 0;
  readonly #translations: Map<string, Int32Array>;
  readonly #original = new Int32Array(KEY_WORDS);

  constructor({ capacity = 64, translations = {} }: { capacity?: number; translations?: Translations } = {}) {
    this.connections = new Connections(capacity, 1234);
    this.pkt = newPacket();
    this.#translations = new Map(
      Object.entries(translations).map(([from, to]) => [endpoint(from).join(), endpoint(to)]),
    );
  }

  /** `new`, `known`, `related`, or the drop: a new one is translated and entered, as the stories do it. */
  send(spec: FrameSpec): string {
    return this.#track(writeFrame(this.pkt, spec));
  }

  /** The same for bytes that were built before. */
  sendBytes(bytes: Uint8Array): string {
    return this.#track(writeBytes(this.pkt, bytes));
  }

  /** The only, or the latest, connection seen. */
  get connection(): number {
    return this.pkt.connection;
  }

  get state(): number {
    return this.connections.state[this.connection]!;
  }

  /** Milliseconds that the latest connection has to live. */
  get leftMs(): number {
    return this.connections.deadlineMs[this.connection]! - this.nowMs;
  }

  has(flag: number): boolean {
    return (this.connections.flags[this.connection]! & flag) !== 0;
  }

  #track(pkt: Packet): string {
    const invalid = validate(pkt);
    if (invalid !== CONTINUE) return outcomeName(invalid);
    loadKey(pkt);
    const outcome = trackPacket(this.connections, pkt, this.nowMs);
    if (outcome < 0) return outcomeName(outcome);
    if (outcome !== CONTINUE) return pkt.connection === RELATED ? 'related' : 'known';
    this.#original.set(pkt.key);
    this.#translate(pkt);
    const committed = commitConnection(this.connections, pkt, this.#original, this.nowMs, this.random);
    return committed === CONTINUE ? 'new' : outcomeName(committed);
  }

  #translate(pkt: Packet): void {
    const { key } = pkt;
    const destination = [...key.subarray(KEY_DESTINATION, KEY_DESTINATION + 4), key[KEY_PORTS]! & 0xffff];
    const to = this.#translations.get(destination.join());
    if (to === undefined) return;
    const translated = key.slice();
    translated.set(to.subarray(0, 4), KEY_DESTINATION);
    translated[KEY_PORTS] = (key[KEY_PORTS]! & ~0xffff) | to[4]!;
    rewriteFlow(pkt, translated, 0);
  }
}

/** Four address words and the port. */
function endpoint(text: string): Int32Array {
  const [address = '', port] = text.split('/');
  const words = parseAddress(address);
  if (words === undefined) throw new Error(`not an address: ${text}`);
  return Int32Array.of(...words, Number(port));
}

/** The same packet going back. */
export function reply(spec: FrameSpec): FrameSpec {
  const { source = CLIENT, destination = SERVER, sourcePort = 40_000, destinationPort = 8080 } = spec;
  return {
    ...spec,
    source: destination,
    destination: source,
    sourcePort: destinationPort,
    destinationPort: sourcePort,
  };
}
