/** What the loop needs of an underlay, whichever way its packets take between the nodes. */
import type { Underlay } from '../dataplane/dataplane.ts';
import type { Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import type { WireCounters } from './wire-counters.ts';

/** @param datagrams that were taken, and could not be sent for this reason. */
export type Lost = (datagrams: number, reason: Outcome) => void;

export interface UnderlayPort extends Underlay {
  /** Readable when there is something to receive. */
  readonly receiveFd: number;
  readonly counters: WireCounters;
  /** errno of the last refused send, for the log; 0 for none. */
  lastErrno: number;
  /** False leaves UDP packets as they came, for whoever captures them. */
  mergesUdp: boolean;
  /** Where each endpoint of the node's table is reached. */
  setEndpoints(addresses: readonly string[]): void;
  /** Are there packets of the last system call that nobody has taken yet? The descriptor does not tell of them. */
  readonly pending: boolean;
  /**
   * The next packet, `pkt.at` its VXLAN header: 1; 0 when there is none; or the negative errno.
   *
   * @param mayLook false reads nothing ahead: what is pending then is the rest of what one call brought.
   */
  receive(pkt: Packet, mayLook: boolean): number;
  /** Sends what waits for more of its kind: to be called before the loop sleeps. */
  flush(): void;
  close(): void;
}
