/** 32 random bits a call (Marsaglia's xorshift32): enough to spread ports; secrets come from elsewhere. */
export function randomWords(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
}
