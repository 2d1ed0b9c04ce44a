/** What a name with a port may mean: the Service of that name, when it can be asked for that port. */
import type { Service } from './object.ts';

/** Its first cluster IP; undefined for a headless Service, and for one that has none yet. */
export function clusterIpOf({ spec }: Service): string | undefined {
  const { clusterIP } = spec;
  return clusterIP === undefined || clusterIP === '' || clusterIP === 'None' ? undefined : clusterIP;
}

/** @param port its number, also as text, or its name */
export function hasPort({ spec }: Service, port: number | string): boolean {
  return (spec.ports ?? []).some((one) => one.name === port || String(one.port) === String(port));
}
