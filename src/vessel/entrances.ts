/** Processes outside a vessel that have a child in it: `unshare`, and the `nsenter` of every `podwire exec`. */
import { readdirSync, readlinkSync } from 'node:fs';

/**
 * Their numbers. The kernel ends a PID namespace only when they have collected their children, which one that is
 * stopped (Ctrl-Z) never does.
 */
export function entrancesOf(vesselPid: number): number[] {
  const inside = namespaceOf(String(vesselPid), 'pid');
  if (inside === undefined) return [];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((entry) => namespaceOf(entry, 'pid_for_children') === inside && namespaceOf(entry, 'pid') !== inside)
    .map(Number);
}

function namespaceOf(pid: string, kind: 'pid' | 'pid_for_children'): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined; // gone, or somebody else's
  }
}
