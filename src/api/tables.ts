/** `GET /apis/podwire.dev/v1/tables`: what nodes are to know, as JSON. For whoever wants to play them: a dry run. */
import type { PolicySpec } from '../policy/policy-spec.ts';
import type { ApiClient } from './client.ts';
import type { ClusterApi, ClusterTables } from './cluster-api.ts';

const PATH = '/apis/podwire.dev/v1/tables';

/** JSON has no typed arrays. */
type Rows = readonly number[];

/** As it is sent: rulesets as lists of numbers. */
export function getTables(cluster: Pick<ClusterApi, 'tables'>): object {
  return withRulesets(cluster.tables(), (ruleset): Rows => [...ruleset]);
}

export async function fetchTables(client: Pick<ApiClient, 'get'>): Promise<ClusterTables> {
  const answer = await client.get<ClusterTables>(PATH);
  return withRulesets(answer, (ruleset) => Int32Array.from(ruleset)) as ClusterTables;
}

function withRulesets(tables: ClusterTables, make: (ruleset: Int32Array | Rows) => Int32Array | Rows): object {
  const made = (spec: PolicySpec) => ({ ...spec, rulesets: spec.rulesets.map(make) });
  const nodes = tables.nodes.map(({ update, ...node }) => {
    const { policies } = update;
    return policies === undefined ? { ...node, update } : { ...node, update: { ...update, policies: made(policies) } };
  });
  return { ...tables, nodes };
}
