import type { Arena } from '../../src/packet/arena.ts';
import type { GatherList } from '../../src/packet/gather-list.ts';
import { joined } from './frames.ts';

/** The messages in a gather list of `count` messages: copies, the pieces of each put together. */
export function gathered(gather: GatherList, arena: Arena, count: number): Uint8Array[] {
  const each = gather.count / count;
  const piece = (index: number) => {
    const at = gather.pieceAt(index);
    return arena.bytes.slice(at, at + gather.pieceLen(index));
  };
  return Array.from({ length: count }, (_, i) =>
    joined(...Array.from({ length: each }, (__, j) => piece(i * each + j))),
  );
}
