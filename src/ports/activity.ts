/**
 * What a node's dataplane thread is doing at this moment: one word of memory that other threads may look at. A sampler
 * learns from it where the thread's time goes; the thread itself pays one store on each side of a system call.
 */
export const Activity = {
  Waiting: 0,
  /** JavaScript: the stories of packets, and what is around them. */
  Stories: 1,
  ReadPod: 2,
  WritePod: 3,
  ReadUnderlay: 4,
  WriteUnderlay: 5,
  Messages: 6,
} as const;

/** A view of the shared word. */
export type ActivityWord = Int32Array;
