import { describe, expect, test } from 'vitest';
import { CONTINUE, Drop } from '../../src/packet/outcome.ts';
import { Way, way } from '../../src/packet/way.ts';
import { egressPolicy, Isolation, ingressPolicy, Policies } from '../../src/policy/policies.ts';

const policies = new Policies(
  Uint8Array.of(0, Isolation.Egress, Isolation.Ingress, Isolation.Egress | Isolation.Ingress),
);

describe('isolation per pod and direction', () => {
  const cases = [
    { pod: 0, egress: CONTINUE, ingress: CONTINUE, name: 'NP-001 a pod that nothing selects is not isolated' },
    { pod: 1, egress: Drop.PolicyDenied, ingress: CONTINUE, name: 'egress only' },
    { pod: 2, egress: CONTINUE, ingress: Drop.PolicyDenied, name: 'ingress only' },
    { pod: 3, egress: Drop.PolicyDenied, ingress: Drop.PolicyDenied, name: 'both' },
    { pod: 4, egress: CONTINUE, ingress: CONTINUE, name: 'a port newer than the table' },
  ] as const;
  for (const { pod, egress, ingress, name } of cases) {
    test(name, () => {
      expect(egressPolicy(policies, way(Way.Pod, pod))).toBe(egress);
      expect(ingressPolicy(policies, way(Way.Pod, pod))).toBe(ingress);
    });
  }

  for (const kind of [Way.None, Way.Host, Way.Outside, Way.Tunnel, Way.Blackhole]) {
    test(`only pods have rules: way kind ${kind} with the number of an isolated pod`, () => {
      expect(egressPolicy(policies, way(kind, 3))).toBe(CONTINUE);
      expect(ingressPolicy(policies, way(kind, 3))).toBe(CONTINUE);
    });
  }
});
