/** A contender that is up, under the name that options, tables' rows and raw results share. */
import type { Rival } from '../rivals/rival.ts';

export interface Peer {
  /** `kernel-vxlan`: one word. */
  readonly name: string;
  readonly title: string;
  readonly rival: Rival;
}
