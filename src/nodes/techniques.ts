/**
 * What makes a node fast, by name, so that each can be switched off and what it is worth be measured (`--without`).
 * Nothing that packets mean depends on any of them.
 */
export const techniques = [
  /** Runs of one UDP flow's packets become superframes where they come in. */
  'merge',
  /** Equal-sized frames to one node share one send. */
  'rows',
  /** The loop looks again before it sleeps, for as long as that has been worth it. */
  'spin',
  /** Checksums are summed 16 bytes at a time, in WebAssembly. */
  'simd',
] as const;

export type Technique = (typeof techniques)[number];
