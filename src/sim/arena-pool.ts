/**
 * Arenas of simulated nodes that have ended, for those that begin. A new one is 3 MB outside V8's heap, for which it
 * collects garbage early, and a WebAssembly instance, whose calls are slow until V8 has compiled the way in.
 *
 * They are as they were left: nothing may be read from an arena that was not written there by its own dataplane.
 */
import { Arena, arenaBytes } from '../packet/arena.ts';

/** Chosen: 50 MB. */
const SPARE_MAX = 16;

const spare: Arena[] = [];

export function takeArena(capacityBytes: number): Arena {
  const at = spare.findIndex(({ bytes }) => bytes.length === arenaBytes(capacityBytes));
  return at < 0 ? new Arena(capacityBytes) : spare.splice(at, 1)[0]!;
}

/** Pre: nobody uses it any more. */
export function giveArena(arena: Arena): void {
  if (spare.length >= SPARE_MAX) return;
  arena.releaseAll();
  spare.push(arena);
}
