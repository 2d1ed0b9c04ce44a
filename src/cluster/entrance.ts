/** Where a program enters a pod or node. */
import type { Place } from './pod-place.ts';

/** Where to enter: paths as the vessel's processes see them. */
export interface Entrance {
  readonly network: string;
  readonly mounts: string;
  readonly names: string;
  /** What could not be set up for the program, in words. */
  readonly missing: readonly string[];
}

/** How the other processes of the vessel reach a descriptor of this one. */
export function namespacePath(fd: number): string {
  return `/proc/${process.pid}/fd/${fd}`;
}

export function entrance(network: number, place: Place): Entrance {
  return {
    network: namespacePath(network),
    mounts: namespacePath(place.mounts),
    names: namespacePath(place.names),
    missing: place.missing,
  };
}
