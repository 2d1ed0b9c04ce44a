import { describe, expect, test } from 'vitest';
import type { DaemonSet, Deployment, ReplicationController, StatefulSet } from '../../../src/store/object.ts';
import { objectsOf } from '../refusal.ts';
import { documentText, objectOf, type Refusal, testRefusals } from './refused.ts';

const template =
  'template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, ports: [{containerPort: 80}]}]}}';
const selector = 'selector: {matchLabels: {app: web}}';
const apps = (kind: string, fields = '') => documentText('apps/v1', kind, `spec: {${selector}, ${template}${fields}}`);
const kinds = ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet'];

describe('defaults', () => {
  test('of a Deployment', () => {
    expect(objectOf<Deployment>(apps('Deployment')).spec).toMatchObject({
      replicas: 1,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      template: { spec: { restartPolicy: 'Always', containers: [{ ports: [{ protocol: 'TCP' }] }] } },
    });
    const recreate = objectOf<Deployment>(apps('Deployment', ', replicas: 0, strategy: {type: Recreate}')).spec;
    expect(recreate).toMatchObject({ replicas: 0, strategy: { type: 'Recreate' } });
    expect(recreate.strategy).not.toHaveProperty('rollingUpdate');
  });

  test('of a StatefulSet', () => {
    expect(objectOf<StatefulSet>(apps('StatefulSet')).spec).toMatchObject({
      ...{ replicas: 1, podManagementPolicy: 'OrderedReady', revisionHistoryLimit: 10 },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
    });
  });

  test('of a DaemonSet: no replicas', () => {
    const { spec } = objectOf<DaemonSet>(apps('DaemonSet'));
    expect(spec.updateStrategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } });
    expect(spec).not.toHaveProperty('replicas');
  });

  test('of a ReplicationController: labels and selector are those of its pods', () => {
    const { metadata, spec } = objectOf<ReplicationController>(
      documentText('v1', 'ReplicationController', `spec: {${template}}`),
    );
    expect(metadata.labels).toEqual({ app: 'web' });
    expect(spec).toMatchObject({ replicas: 1, selector: { app: 'web' } });
  });
});

test('expressions of a selector are held against the labels', () => {
  const withExpressions = (expressions: string) => {
    const fields = `spec: {selector: {matchExpressions: [${expressions}]}, ${template}}`;
    return () => objectsOf(documentText('apps/v1', 'ReplicaSet', fields));
  };
  expect(withExpressions('{key: app, operator: In, values: [x, web]}, {key: b, operator: DoesNotExist}')).not.toThrow();
  expect(withExpressions('{key: app, operator: NotIn, values: [x]}, {key: app, operator: Exists}')).not.toThrow();
  const wrong = [
    '{key: app, operator: In, values: [x]}',
    '{key: app, operator: NotIn, values: [web]}',
    '{key: b, operator: Exists}',
    '{key: app, operator: DoesNotExist}',
    '{key: b, operator: In, values: [x]}',
  ];
  for (const expression of wrong) {
    const want =
      'spec.selector.matchExpressions[0]: found an expression that spec.template.metadata.labels do not meet';
    expect(withExpressions(expression), expression).toThrow(want);
  }
});

describe('refused in every kind', () => {
  for (const kind of kinds) {
    const bare = (fields: string) => documentText('apps/v1', kind, `spec: {${fields}}`);
    const inTemplate = (spec: string) =>
      bare(`${selector}, template: {metadata: {labels: {app: web}}, spec: {${spec}}}`);
    const cases: Refusal[] = [
      [
        'no selector',
        bare(template),
        'a.yaml:4:1: spec: found no selector, expected one; add "selector: {matchLabels: {app: web}}"',
      ],
      ['an empty selector', bare(`selector: {}, ${template}`), 'spec.selector: found an empty selector'],
      [
        'a selector as Services have it',
        bare(`selector: {app: web}, ${template}`),
        'spec.selector.app: unknown field "app"',
      ],
      [
        'a selector of other pods',
        bare(`selector: {matchLabels: {app: db}}, ${template}`),
        'spec.selector.matchLabels.app: found "db" here and "web" in spec.template.metadata.labels; make them equal',
      ],
      [
        'pods without labels',
        bare(`${selector}, template: {spec: {}}`),
        'spec.selector.matchLabels.app: found "web" here and no such label in',
      ],
      [
        'no template',
        bare(selector),
        'spec.selector.matchLabels.app: found "web" here',
        'spec: found no template, expected one',
      ],
      [
        'a template without spec',
        bare(`${selector}, template: {metadata: {labels: {app: web}}}`),
        'spec.template: found no spec, expected one',
      ],
      [
        'containerPort 70000',
        inTemplate('containers: [{name: c, ports: [{containerPort: 70000}]}]'),
        'spec.template.spec.containers[0].ports[0].containerPort: found 70000, expected a whole number from 1 to 65535',
      ],
      [
        'pods that end',
        inTemplate('restartPolicy: Never'),
        'spec.template.spec.restartPolicy: found "Never", expected Always in this kind of workload; remove it',
      ],
      [
        'a misspelt field deep inside',
        inTemplate('containers: [{name: c, readinessProbe: {httpget: {port: 80}}}]'),
        'readinessProbe.httpget: unknown field "httpget"; did you mean "httpGet"?',
      ],
      [
        'half a pod',
        inTemplate('').replace('labels: {app: web}', 'labels: {app: web}, annotations: {"a b": c}'),
        'spec.template.metadata.annotations[a b]: found the key "a b"',
      ],
    ];
    describe(kind, () => testRefusals(cases));
  }
});

describe('refused', () => {
  const controller = (fields: string) => documentText('v1', 'ReplicationController', `spec: {${fields}}`);
  testRefusals([
    [
      'replicas below 0',
      apps('Deployment', ', replicas: -1'),
      'spec.replicas: found -1, expected a whole number of 0 or more',
    ],
    [
      'replicas past 32 bits',
      apps('Deployment', ', replicas: 3000000000'),
      'spec.replicas: found 3000000000, expected a whole number from 0 to 2147483647',
    ],
    [
      'replicas that no machine holds',
      apps('StatefulSet', ', replicas: 5001'),
      'spec.replicas: found 5001, expected at most 5000: all pods run on this machine',
    ],
    [
      'replicas in quotes',
      apps('ReplicaSet', ', replicas: "2"'),
      'spec.replicas: found the string "2", expected a whole number; remove the quotes',
    ],
    ['replicas of a DaemonSet', apps('DaemonSet', ', replicas: 2'), 'spec.replicas: unknown field "replicas"'],
    [
      'a strategy that is none',
      apps('Deployment', ', strategy: {type: Rolling}'),
      'spec.strategy.type: found "Rolling", expected RollingUpdate or Recreate',
    ],
    [
      'parameters of another strategy',
      apps('Deployment', ', strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}'),
      'spec.strategy.rollingUpdate: found one, expected none as type is Recreate',
    ],
    [
      'an update that cannot move',
      apps('Deployment', ', strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: "0%"}}'),
      'found maxUnavailable and maxSurge 0',
    ],
    [
      'a share of 200 %',
      apps('DaemonSet', ', updateStrategy: {rollingUpdate: {maxUnavailable: "200%"}}'),
      'maxUnavailable: found "200%", expected a whole number, or a percentage',
    ],
    [
      'a deadline before readiness',
      apps('Deployment', ', minReadySeconds: 600'),
      'spec.progressDeadlineSeconds: found one that ends before minReadySeconds',
    ],
    [
      'a policy of pods that is none',
      apps('StatefulSet', ', podManagementPolicy: parallel'),
      'spec.podManagementPolicy: found "parallel", expected OrderedReady or Parallel; did you mean "Parallel"?',
    ],
    [
      'a service name with dots',
      apps('StatefulSet', ', serviceName: a.b'),
      'spec.serviceName: found "a.b", expected a DNS label',
    ],
    [
      'a strategy of a Deployment',
      apps('StatefulSet', ', strategy: {type: Recreate}'),
      'spec.strategy: unknown field "strategy"',
    ],
    [
      'a controller of unknown pods',
      controller('template: {spec: {}}'),
      'spec.template.metadata: found no labels, expected some',
    ],
    [
      'a controller of other pods',
      controller(`selector: {app: db}, ${template}`),
      'spec.selector.app: found "db" here and "web" in',
    ],
  ]);
});
