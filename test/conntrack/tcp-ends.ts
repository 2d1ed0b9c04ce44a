/**
 * Two TCP ends that say only what the test tells them to. Numbers count from each side's first sequence number, so that
 * a handshake leaves both at 1. The answer is what the table made of the segment: `counted` (it moved the connection's
 * lifetime), `passes` (it did not), `new`, `invalid`.
 */
import { expect } from 'vitest';
import { TcpState } from '../../src/conntrack/tcp-states.ts';
import type { FrameSpec } from '../support/frames.ts';
import { ACK, reply, SYN, SYN_ACK, Tracker } from './tracker.ts';

interface Opening {
  /** TCP options of the SYN, and of the answer. */
  readonly client?: readonly number[];
  readonly server?: readonly number[];
  readonly window?: number;
}

export class TcpEnds extends Tracker {
  readonly clientFirst: number;
  readonly serverFirst: number;

  constructor(clientFirst = 1000, serverFirst = 5000) {
    super();
    this.clientFirst = clientFirst;
    this.serverFirst = serverFirst;
  }

  /** There is only one; a packet that is INVALID has none. */
  override get connection(): number {
    return 0;
  }

  client(seq: number, ack: number, spec: FrameSpec = {}): string {
    return this.#say({ ...spec, ...numbers(this.clientFirst + seq, this.serverFirst + ack) });
  }

  server(seq: number, ack: number, spec: FrameSpec = {}): string {
    return this.#say(reply({ ...spec, ...numbers(this.serverFirst + seq, this.clientFirst + ack) }));
  }

  #say(spec: FrameSpec): string {
    const { deadlineMs } = this.connections;
    const before = deadlineMs[0];
    this.nowMs++;
    const got = this.send({ flags: ACK, window: 1000, ...spec });
    if (got === 'known') return deadlineMs[0] === before ? 'passes' : 'counted';
    return got === 'dropped: Invalid' ? 'invalid' : got;
  }
}

function numbers(sequence: number, acknowledgment: number): FrameSpec {
  return { sequence: sequence >>> 0, acknowledgment: acknowledgment >>> 0 };
}

/** After a handshake. */
export function opened({ client = [], server = [], window = 1000 }: Opening = {}, ends = new TcpEnds()): TcpEnds {
  ends.client(0, 0, { flags: SYN, window, tcpOptions: client });
  ends.server(0, 1, { flags: SYN_ACK, window, tcpOptions: server });
  ends.client(1, 1, { window });
  expect(ends.state).toBe(TcpState.Established);
  return ends;
}

/** TCP options. */
export const SACK_PERMITTED = [4, 2];
export function windowScale(shift: number): number[] {
  return [3, 3, shift];
}

/** Pairs of edges, as they are on the wire. */
export function sackBlocks(...edges: readonly number[]): number[] {
  const bytes = edges.flatMap((edge) => [24, 16, 8, 0].map((shift) => (edge >>> shift) & 255));
  return [1, 1, 5, 2 + bytes.length, ...bytes];
}
