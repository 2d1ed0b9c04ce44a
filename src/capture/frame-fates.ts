/** What became of each frame that was fed into a cluster, counted: one end for each, whatever it met on how many nodes. */
import { outcomeReason } from '../packet/outcome.ts';
import { type Sighting, SightingBit } from '../recording/sighting.ts';

export class FrameFates {
  /** Frames that left by a pod's or host's wire, or for an endpoint that is no node. */
  forwarded = 0;
  /** Fragments that wait for others: the last one of a datagram goes on for all. */
  held = 0;
  /** Frames that made a node say something of its own: ICMP errors, ARP replies. */
  answered = 0;
  /** By reason. A frame that fell into pieces has the reason of the first piece that was dropped. */
  readonly dropped = new Map<string, number>();
  /** By reason: frames that were for the node itself. */
  readonly consumed = new Map<string, number>();
  #dropReason: string | undefined;
  #consumeReason: string | undefined;
  #left = false;
  #answered = false;

  /** A sighting of the frame, or of what it has become. */
  see(sighting: Sighting): void {
    const { outcome } = sighting;
    if (sighting.is(SightingBit.Originated)) this.#answered = true;
    else if (outcome < 0) this.#dropReason ??= outcomeReason(outcome)!.name;
    else if (sighting.is(SightingBit.Outgoing)) this.#left = true;
    else this.#consumeReason ??= outcomeReason(outcome)?.name;
  }

  /** No more of this frame. */
  end(): void {
    if (this.#answered) this.answered++;
    if (this.#dropReason !== undefined) count(this.dropped, this.#dropReason);
    else if (this.#left) this.forwarded++;
    else if (this.#consumeReason !== undefined) count(this.consumed, this.#consumeReason);
    else this.held++;
    this.#dropReason = this.#consumeReason = undefined;
    this.#left = this.#answered = false;
  }
}

export function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
