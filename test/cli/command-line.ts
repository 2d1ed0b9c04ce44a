/** Commands as a user types them, in this process, against a served store. */
import { CLUSTER, type ServedCluster } from '../api/served-cluster.ts';
import { runHere, type Said } from './run-here.ts';

export async function podwire(served: ServedCluster, ...words: string[]): Promise<Said> {
  // Flags of podwire stand before the command that a pod is to run.
  const at = words.includes('--') ? words.indexOf('--') : words.length;
  return runHere(served.home, [...words.slice(0, at), '--name', CLUSTER, ...words.slice(at)]);
}
