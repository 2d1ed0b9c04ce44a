/** How far a soak has come: what it says when it is interrupted. */

export interface Progress {
  readonly streamBytes: number;
  readonly datagramBytes: number;
  readonly phasesDone: number;
  readonly phases: number;
  /** What has been found so far. */
  readonly problems: readonly string[];
}

/** A line, and one more for each thing that is wrong. */
export function interruptedWords({ streamBytes, datagramBytes, phasesDone, phases, problems }: Progress): string {
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(2);
  const head =
    `interrupted after ${gigabytes(streamBytes + datagramBytes)} GB: ${problems.length} corrupt, lost or too often; ` +
    `streams ${gigabytes(streamBytes)} GB, datagrams ${gigabytes(datagramBytes)} GB, every byte compared; ` +
    `${phasesDone} of ${phases} phases done, what must balance at the end not looked at`;
  return [head, ...problems.map((one) => `- ${one}`)].join('\n');
}
