import { Duplex } from 'node:stream';

/** Two ends of a connection in memory: what is written to one is read from the other, FIN included. */
export function duplexPair(): { client: Duplex; server: Duplex } {
  const ends: Duplex[] = [];
  const taken: ((() => void) | undefined)[] = [undefined, undefined];
  for (const own of [0, 1]) {
    const other = 1 - own;
    ends[own] = new Duplex({
      allowHalfOpen: true,
      read() {
        const done = taken[own];
        taken[own] = undefined;
        done?.();
      },
      write(bytes, _encoding, done) {
        if (bytes.length === 0) {
          done();
          return;
        }
        // Whoever writes waits until the other has read, as with a full socket buffer.
        taken[other] = done;
        ends[other]!.push(bytes);
      },
      final(done) {
        ends[other]!.push(null);
        done();
      },
      destroy(error, done) {
        if (!ends[other]!.destroyed) process.nextTick(() => ends[other]!.destroy());
        done(error);
      },
    });
  }
  return { client: ends[0]!, server: ends[1]! };
}
