const Index = { ReceivedFrames: 0, ReceivedBytes: 1, SentPackets: 2, SentBytes: 3, SendFailures: 4 } as const;

export interface PortCounters {
  /** Frames as they came in: a superframe is one, and so is a row of datagrams. */
  readonly receivedFrames: number;
  readonly receivedBytes: number;
  /** Wire packets: a superframe counts each packet that it becomes. */
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly sendFailures: number;
}

/** Packets and bytes of one port. A typed array: object fields beyond 2^31 would allocate. */
export class WireCounters {
  readonly #values = new Float64Array(5);

  countReceived(bytes: number): void {
    this.#values[Index.ReceivedFrames]!++;
    this.#values[Index.ReceivedBytes]! += bytes;
  }

  countSent(packets: number, bytes: number): void {
    this.#values[Index.SentPackets]! += packets;
    this.#values[Index.SentBytes]! += bytes;
  }

  countSendFailure(): void {
    this.#values[Index.SendFailures]!++;
  }

  snapshot(): PortCounters {
    const v = this.#values;
    return {
      receivedFrames: v[Index.ReceivedFrames]!,
      receivedBytes: v[Index.ReceivedBytes]!,
      sentPackets: v[Index.SentPackets]!,
      sentBytes: v[Index.SentBytes]!,
      sendFailures: v[Index.SendFailures]!,
    };
  }
}
