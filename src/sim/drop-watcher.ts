/**
 * Which packets a node of the simulator drops: their keys, and what a policy had before it when it denied one. Sits around
 * the node's recorder for as long as somebody asks.
 */
import type { Dataplane, Recorder } from '../dataplane/dataplane.ts';
import { KEY_PROTOCOL, KEY_WORDS } from '../packet/flow-key.ts';
import type { Outcome } from '../packet/outcome.ts';
import { type Packet, RELATED } from '../packet/packet.ts';

/**
 * @param original the packet's key; of an ICMP error, its connection's.
 * @param judged where a policy denied it: `packet/judgement.ts`. Both are used again.
 */
type TellDrop = (outcome: Outcome, original: Int32Array, judged: Int32Array) => void;

const original = new Int32Array(KEY_WORDS);

export class DropWatcher implements Recorder {
  readonly #dp: Dataplane;
  readonly #inner: Recorder;
  readonly #tell: TellDrop;

  /** Takes its place. */
  constructor(dp: Dataplane, tell: TellDrop) {
    this.#dp = dp;
    this.#inner = dp.recorder;
    this.#tell = tell;
    dp.recorder = this;
  }

  begin(pkt: Packet, nowMs: number): void {
    pkt.key[KEY_PROTOCOL] = 0; // it may be dropped before its key is read
    this.#inner.begin(pkt, nowMs);
  }

  end(pkt: Packet, outcome: Outcome): void {
    this.#inner.end(pkt, outcome);
    if (outcome >= 0 || pkt.key[KEY_PROTOCOL] === 0) return;
    const { connections, policies } = this.#dp;
    const { connection, key } = pkt;
    if (connection === RELATED) connections.key(pkt.relatedHalf & ~1, original);
    else original.set(key);
    this.#tell(outcome, original, policies.judgement);
  }

  /** Gives the place back. */
  close(): void {
    this.#dp.recorder = this.#inner;
  }
}
