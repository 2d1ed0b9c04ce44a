/** What makes pods: how many there should be, how many there are, and which. */
import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { ApiClient } from '../api/client.ts';
import type { KubernetesObject } from '../store/object.ts';
import { kinds, type Resource } from '../store/resources.ts';
import { podsOf } from './choose-pod.ts';
import { NONE, selectorText } from './column.ts';
import { containerLines, podsBlock } from './describe-pod.ts';
import { conditionBlock, type Description, type Field, pairs } from './description.ts';

/** What the kinds have in common, and what some of them have. */
interface Workload extends KubernetesObject {
  readonly spec: {
    readonly replicas?: number;
    readonly selector?: LabelSelector | Readonly<Record<string, string>>;
    readonly template?: PodTemplateSpec;
    readonly strategy?: { readonly type?: string };
    readonly updateStrategy?: { readonly type?: string };
    readonly completions?: number;
    readonly parallelism?: number;
  };
  readonly status?: Readonly<Record<string, unknown>> & {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export async function describeWorkload(
  client: ApiClient,
  workload: Workload,
  resource: Resource,
): Promise<Description> {
  const { spec, status } = workload;
  const { template } = spec;
  const strategy = (spec.strategy ?? spec.updateStrategy)?.type;
  return {
    fields: [
      ['Selector', selectorOf(workload)],
      ...(spec.replicas === undefined ? [] : [['Replicas', `${spec.replicas} desired`] as const]),
      ...(spec.completions === undefined ? [] : [['Completions', String(spec.completions)] as const]),
      ...(spec.parallelism === undefined ? [] : [['Parallelism', String(spec.parallelism)] as const]),
      ...statusFields(status),
      ...(strategy === undefined ? [] : [['Strategy', strategy] as const]),
      ['Template Labels', pairs(template?.metadata?.labels, '=')],
    ],
    blocks: [
      { title: 'Template Containers', lines: (template?.spec?.containers ?? []).flatMap(containerLines) },
      conditionBlock(status?.conditions),
      podsBlock(await podsOf(client, resource, workload)),
    ],
  };
}

function selectorOf({ kind, spec: { selector = {} } }: Workload): string {
  const isMap = kind === kinds.ReplicationController.kind;
  return selectorText(isMap ? { matchLabels: selector as Readonly<Record<string, string>> } : selector) || NONE;
}

/** The numbers of a status, in words: `updatedReplicas` is `Updated Replicas`. `replicas` are all there are. */
function statusFields(status: Workload['status'] = {}): Field[] {
  return Object.entries(status).flatMap(([name, value]) => {
    if (typeof value !== 'number' || name === 'observedGeneration') return [];
    const words = (name === 'replicas' ? 'existingReplicas' : name).replace(/([A-Z])/g, ' $1');
    return [[`${words[0]!.toUpperCase()}${words.slice(1)}`, String(value)] as const];
  });
}
