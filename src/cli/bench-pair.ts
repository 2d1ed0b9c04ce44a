/** Which two pods `podwire bench` takes when nobody says: two that may talk, on different nodes where there are. */

export interface PairedPod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
}

/** Where `podwire` itself keeps what every cluster has. */
const SYSTEM_NAMESPACE = 'kube-system';
/** Pairs that policies are asked about: each costs some microseconds to milliseconds. */
const QUESTIONS_MAX = 500;

/**
 * The first pair that may talk: of those on different nodes before those on one, and of the user's own pods before
 * others, in the order given.
 *
 * @param from who may ask, and @param to who may be asked.
 * @returns the pair, or the one that was asked about first; undefined where there are no two pods.
 */
export function choosePair<P extends PairedPod>(
  from: readonly P[],
  to: readonly P[],
  mayTalk: (from: P, to: P) => boolean,
): { readonly from: P; readonly to: P; readonly allowed: boolean } | undefined {
  let refused: { from: P; to: P } | undefined;
  let questions = 0;
  for (const rank of [0, 1, 2, 3]) {
    for (const asker of from) {
      for (const asked of to) {
        if (isSame(asker, asked) || rankOf(asker, asked) !== rank) continue;
        if (mayTalk(asker, asked)) return { from: asker, to: asked, allowed: true };
        refused ??= { from: asker, to: asked };
        if (++questions >= QUESTIONS_MAX) return { ...refused, allowed: false };
      }
    }
  }
  return refused === undefined ? undefined : { ...refused, allowed: false };
}

function isSame(a: PairedPod, b: PairedPod): boolean {
  return a.namespace === b.namespace && a.name === b.name;
}

function rankOf(a: PairedPod, b: PairedPod): number {
  const isOwn = a.namespace !== SYSTEM_NAMESPACE && b.namespace !== SYSTEM_NAMESPACE;
  return (a.node === b.node ? 2 : 0) + (isOwn ? 0 : 1);
}
