/** Which drops are for good. */
import type { DropName } from '../packet/outcome.ts';

/** What lost a packet on a link. */
export const LINK_LOSS: DropName = 'LinkLoss';

/** Drops that a packet which is sent again may be spared: the others end a trace at once. */
const passing: readonly DropName[] = [
  LINK_LOSS,
  ...(['LinkQueueFull', 'PortBusy', 'PortDown', 'UnderlayBusy', 'ConntrackFull'] as const),
];

export function isLasting(drop: string | undefined): boolean {
  return !passing.some((name) => name === drop);
}
