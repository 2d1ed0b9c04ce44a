/** What the loop needs of an underlay, whichever way its packets take between the nodes. */
import type { Underlay } from '../dataplane/dataplane.ts';
import type { Packet } from '../packet/packet.ts';
import type { WireCounters } from './wire-counters.ts';

export interface UnderlayPort extends Underlay {
  /** Readable when there is something to receive. */
  readonly receiveFd: number;
  readonly counters: WireCounters;
  /** errno of the last refused send, for the log; 0 for none. */
  lastErrno: number;
  /** Where each endpoint of the node's table is reached. */
  setEndpoints(addresses: readonly string[]): void;
  /** Are there packets of the last system call that nobody has taken yet? The descriptor does not tell of them. */
  readonly pending: boolean;
  /** The next packet, `pkt.at` its VXLAN header: 1; 0 when there is none; or the negative errno. */
  receive(pkt: Packet): number;
  close(): void;
}
