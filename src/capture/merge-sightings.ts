/**
 * Sightings of several nodes in order of time. A sighting is handed on once no node can tell of an older one; a node
 * that says nothing for a while (it was stopped, or the machine was) is not waited for.
 */
import type { Sighting } from '../recording/sighting.ts';
import type { SightingStream } from './sighting-stream.ts';

export class SightingMerge {
  readonly #streams: SightingStream[] = [];
  /** Streams that are not waited for until they speak again. */
  readonly #silent = new Set<SightingStream>();
  #lastNs = 0;
  /** Sightings that came after a later one had been handed on. */
  late = 0;

  add(stream: SightingStream): void {
    this.#streams.push(stream);
  }

  /** A stream that was cut off, or is over and empty. */
  remove(stream: SightingStream): void {
    const index = this.#streams.indexOf(stream);
    if (index >= 0) this.#streams.splice(index, 1);
    this.#silent.delete(stream);
  }

  /** Whether the stream is to be waited for. */
  setSilent(stream: SightingStream, silent: boolean): void {
    if (silent) this.#silent.add(stream);
    else this.#silent.delete(stream);
  }

  /**
   * Hands on what can be handed on; all there is with `rest`.
   *
   * @param ready false: this one has to wait, and what comes behind it too. @returns whether one has
   */
  drain(
    take: (sighting: Sighting, stream: SightingStream) => void,
    rest = false,
    ready: (sighting: Sighting) => boolean = () => true,
  ): boolean {
    for (;;) {
      const first = this.#earliest();
      if (first === undefined || (!rest && first.next.timeNs > this.#knownUntilNs())) return false;
      if (!ready(first.next)) return true;
      if (first.next.timeNs < this.#lastNs) this.late++;
      else this.#lastNs = first.next.timeNs;
      take(first.next, first);
      first.advance();
    }
  }

  #earliest(): SightingStream | undefined {
    let first: SightingStream | undefined;
    for (const stream of this.#streams) {
      if (stream.ready && (first === undefined || stream.next.timeNs < first.next.timeNs)) first = stream;
    }
    return first;
  }

  /** What every stream has told by now. */
  #knownUntilNs(): number {
    let until = Infinity;
    for (const stream of this.#streams) {
      if (stream.ready || stream.over || this.#silent.has(stream)) continue; // what is ready is looked at itself
      until = Math.min(until, stream.knownUntilNs);
    }
    return until;
  }
}
