import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { renderApiFields } from '../../../scripts/build-api-fields.ts';
import { objectKinds } from '../../../src/cluster/kinds/all-kinds.ts';
import { type ApiType, builtInKinds, documentType } from '../../../src/cluster/kinds/api-type.ts';
import { resourceOf } from '../../../src/store/resources.ts';

test('api-fields.ts is what its script makes of kubernetes-types', () => {
  const text = readFileSync(new URL('../../../src/cluster/api-fields.ts', import.meta.url), 'utf8');
  expect(text, 'run: npx tsx scripts/build-api-fields.ts').toBe(renderApiFields());
});

/** The type of a field inside: 'spec.containers.ports'. */
function typeAt(apiVersion: string, kind: string, path: string): ApiType | undefined {
  let type: ApiType | undefined = documentType(apiVersion, kind);
  for (const name of path.split('.')) {
    while (type?.form === 'list' || type?.form === 'map') type = type.form === 'list' ? type.item : type.value;
    type = type?.form === 'object' ? type.fields.get(name)?.type : undefined;
  }
  return type;
}

describe('types', () => {
  const leaf = (form: string) => ({ form });
  const cases = [
    ['v1', 'Pod', 'spec.containers.ports.containerPort', leaf('integer')],
    ['v1', 'Pod', 'spec.containers.args', { form: 'list', item: leaf('string') }],
    ['v1', 'Pod', 'spec.containers.resources.limits', { form: 'map', value: leaf('Quantity') }],
    ['v1', 'Pod', 'spec.containers.resizePolicy.restartPolicy', leaf('string')],
    ['v1', 'Pod', 'spec.resources.claims.request', leaf('string')],
    ['v1', 'Pod', 'metadata.creationTimestamp', leaf('Time')],
    ['v1', 'Pod', 'metadata.managedFields.fieldsV1', leaf('any')],
    ['v1', 'Service', 'spec.ports.targetPort', leaf('IntOrString')],
    ['v1', 'Endpoints', 'subsets.ports.port', leaf('integer')],
    ['discovery.k8s.io/v1', 'EndpointSlice', 'ports.name', leaf('string')],
    [
      'apps/v1',
      'StatefulSet',
      'spec.volumeClaimTemplates.spec.resources.requests',
      { form: 'map', value: leaf('Quantity') },
    ],
    ['batch/v1', 'CronJob', 'spec.jobTemplate.spec.template.spec.hostNetwork', leaf('boolean')],
    ['networking.k8s.io/v1', 'NetworkPolicy', 'spec.ingress.ports.endPort', leaf('integer')],
    ['apps/v1', 'DaemonSet', 'spec.replicas', undefined],
  ] as const;
  for (const [apiVersion, kind, path, want] of cases) {
    test(`${kind} ${path}`, () => expect(typeAt(apiVersion, kind, path)).toEqual(want));
  }
});

test('every kind that is read has a type, is one that Kubernetes has built in, and one that the store holds', () => {
  for (const { apiVersion, kind, isNamespaced } of objectKinds.values()) {
    expect(resourceOf({ apiVersion, kind })?.namespaced, kind).toBe(isNamespaced);
    expect(documentType(apiVersion, kind)?.fields.has('metadata'), kind).toBe(true);
    expect(builtInKinds.get(apiVersion), kind).toContain(kind);
  }
  expect(objectKinds.size).toBe(16);
});

test('every type that a field names is there', () => {
  const seen = new Set<ApiType>();
  const unknown: string[] = [];
  const leaves = ['string', 'integer', 'boolean', 'IntOrString', 'Quantity', 'Time', 'any'];
  const visit = (type: ApiType): void => {
    if (seen.has(type)) return;
    seen.add(type);
    if (type.form === 'object') for (const field of type.fields.values()) visit(field.type);
    else if (type.form === 'list') visit(type.item);
    else if (type.form === 'map') visit(type.value);
    else if (!leaves.includes(type.form)) unknown.push(type.form);
  };
  for (const { apiVersion, kind } of objectKinds.values()) visit(documentType(apiVersion, kind));
  expect(unknown).toEqual([]);
  expect(seen.size).toBeGreaterThan(200);
});
