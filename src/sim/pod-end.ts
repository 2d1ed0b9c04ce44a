/**
 * The other end of a node's port in the simulator: bytes as a TAP has them on one side, an `Endpoint` of `stack/` on the
 * other, and the simulator's clock.
 */
import { Arena } from '../packet/arena.ts';
import { FRAME_HEADROOM, Packet } from '../packet/packet.ts';
import { Endpoint } from '../stack/endpoint.ts';
import { VNET_HEADER_LEN } from '../wire/virtio.ts';
import type { PlaceSpec } from './sim-node.ts';
import { receiveBytes } from './sim-port.ts';

/** A virtio header, an Ethernet header, an IP packet. */
const BYTES_MAX = 66_048;

/** One slot for all: an endpoint copies what it keeps. */
const slot = new Packet(new Arena(FRAME_HEADROOM + BYTES_MAX + 64));
const slotAt = slot.arena.reserve(FRAME_HEADROOM + BYTES_MAX);

export interface PodEndOptions extends PlaceSpec {
  readonly mtu: number;
  /** 32 random bits. */
  readonly random: () => number;
  /** `Simulation.send` to the place. */
  readonly send: (bytes: Uint8Array) => void;
  readonly nowMs: () => number;
  /** Has something happen at a time that is not past. */
  readonly plan: (timeMs: number, action: () => void) => void;
}

export class PodEnd {
  readonly #endpoint: Endpoint;
  readonly #options: PodEndOptions;
  #plannedMs = Infinity;
  #closed = false;

  constructor(options: PodEndOptions) {
    this.#options = options;
    this.#endpoint = new Endpoint(options);
  }

  /** What the node sends by its port: a virtio header and a frame. */
  receive(bytes: Uint8Array): void {
    if (this.#closed || bytes.length < VNET_HEADER_LEN || bytes.length > BYTES_MAX) return;
    receiveBytes(slot, slotAt, bytes);
    this.#endpoint.receive(slot, this.#options.nowMs());
    this.#plan();
  }

  /** Anything that is done with the endpoint from outside its own events: listening, connecting, probes. */
  use<T>(action: (endpoint: Endpoint) => T): T {
    const result = action(this.#endpoint);
    this.#plan();
    return result;
  }

  /** The pod is gone: nothing is received or sent any more, and what it had open is not told. */
  close(): void {
    this.#closed = true;
  }

  /** An earlier time than was planned replaces that. */
  #plan(): void {
    if (this.#closed) return;
    const dueMs = Math.max(this.#endpoint.nextDueMs, this.#options.nowMs());
    if (dueMs >= this.#plannedMs) return;
    this.#plannedMs = dueMs;
    this.#options.plan(dueMs, () => {
      if (this.#closed || this.#plannedMs !== dueMs) return;
      this.#plannedMs = Infinity;
      this.#endpoint.wake(this.#options.nowMs());
      this.#plan();
    });
  }
}
