/**
 * What policies were judged by, as JSON: `GET /apis/podwire.dev/v1/policyworlds/REVISION`, or `/latest`. Whoever has a
 * denial that names a revision makes its words with it. Of places of the text, those that words may name are told.
 */
import type { PolicyWorld, RulePlace, WorldPolicy } from '../network-policy/policy-world.ts';
import { ApiError } from './api-error.ts';
import type { ApiClient } from './client.ts';
import type { ClusterApi } from './cluster-api.ts';

interface PolicyAnswer extends Omit<WorldPolicy, 'placeOf'> {
  /** By path: `spec.podSelector`, `spec.ingress[0]`. */
  readonly places: Readonly<Record<string, RulePlace>>;
}

interface WorldAnswer extends Omit<PolicyWorld, 'policies'> {
  readonly policies: readonly PolicyAnswer[];
}

const PATH = '/apis/podwire.dev/v1/policyworlds';

/** @param revision a number, or `latest`. @throws ApiError */
export function getPolicyWorld(cluster: Pick<ClusterApi, 'policyWorld'>, revision: string): WorldAnswer {
  if (revision !== 'latest' && !/^[0-9]{1,15}$/.test(revision)) {
    throw new ApiError(400, 'BadRequest', `found revision ${JSON.stringify(revision)}, expected a number or latest`);
  }
  const world = cluster.policyWorld(revision === 'latest' ? undefined : Number(revision));
  if (world === undefined) {
    const message = `policyworlds "${revision}" not found: the last few are kept`;
    throw new ApiError(404, 'NotFound', message);
  }
  return { ...world, policies: world.policies.map(policyAnswer) };
}

function policyAnswer({ placeOf, ...policy }: WorldPolicy): PolicyAnswer {
  const { ingress = [], egress = [] } = policy.spec;
  const paths = [
    'spec.podSelector',
    ...ingress.map((_, index) => `spec.ingress[${index}]`),
    ...egress.map((_, index) => `spec.egress[${index}]`),
  ];
  const places = paths.flatMap((path) => {
    const place = placeOf(path);
    return place === undefined ? [] : [[path, { file: place.file, line: place.line, column: place.column }] as const];
  });
  return { ...policy, places: Object.fromEntries(places) };
}

/**
 * A cluster's world as it was told. Places of other paths than the answer has are unknown.
 *
 * @param revision undefined: the newest
 * @throws AnswerError NotFound, where it is not known any more
 */
export async function fetchPolicyWorld(client: Pick<ApiClient, 'get'>, revision?: number): Promise<PolicyWorld> {
  const world = await client.get<WorldAnswer>(`${PATH}/${revision ?? 'latest'}`);
  return {
    ...world,
    policies: world.policies.map(({ places, ...policy }) => ({ ...policy, placeOf: placeIn(places) })),
  };
}

function placeIn(places: PolicyAnswer['places']): WorldPolicy['placeOf'] {
  return (path) => (Object.hasOwn(places, path) ? places[path] : undefined);
}
