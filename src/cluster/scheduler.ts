/** Which node a pod runs on. */

/**
 * A node for each pod, in the order of the pods: the one it names, else the one with the fewest pods, ties by order of
 * the nodes. Pods that name a node are counted before any other is placed, so the order of documents does not unbalance
 * the cluster.
 *
 * @param wanted each pod's spec.nodeName, undefined where it names none
 * @returns an index into `nodeNames` per pod; undefined where the named node does not exist
 */
export function assignNodes(
  wanted: readonly (string | undefined)[],
  nodeNames: readonly string[],
): readonly (number | undefined)[] {
  const indexOf = new Map(nodeNames.map((name, index) => [name, index]));
  const podCounts = nodeNames.map(() => 0);
  const named = wanted.map((name) => (name === undefined ? undefined : indexOf.get(name)));
  for (const index of named) if (index !== undefined) podCounts[index]!++;
  return wanted.map((name, pod) => {
    if (name !== undefined) return named[pod];
    const index = indexOfLeast(podCounts);
    podCounts[index]!++;
    return index;
  });
}

function indexOfLeast(counts: readonly number[]): number {
  let least = 0;
  for (const [index, count] of counts.entries()) if (count < counts[least]!) least = index;
  return least;
}
