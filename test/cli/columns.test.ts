/** Cells of tables, where kubectl's are not plain fields (kubernetes/pkg/printers/internalversion/printers.go). */
import { describe, expect, test } from 'vitest';
import { headerRow, objectRow } from '../../src/cli/columns.ts';
import { formatAge, formatDuration } from '../../src/cli/table.ts';
import { kinds, type Resource } from '../../src/store/resources.ts';

/** The cell of an object under a header. */
function cell(resource: Resource, header: string, object: object): string {
  const { metadata = {}, ...rest } = object as { metadata?: object };
  const whole = { apiVersion: resource.apiVersion, kind: resource.kind, metadata: { name: 'x', ...metadata }, ...rest };
  return objectRow(resource, whole, true)[headerRow(resource, true).indexOf(header)]!;
}

const container = { name: 'a', image: 'i' };
const running = { name: 'a', restartCount: 2, ready: true };

describe('pods', () => {
  const two = { containers: [container, container] };

  test.each([
    ['nothing is known', {}, '0/2'],
    ['it is Ready', { conditions: [{ type: 'Ready', status: 'True' }] }, '2/2'],
    ['it is not', { conditions: [{ type: 'Ready', status: 'False' }] }, '0/2'],
    ['containers tell', { containerStatuses: [running, { ...running, ready: false }] }, '1/2'],
  ])('READY when %s', (_, status, wanted) => {
    expect(cell(kinds.Pod, 'READY', { spec: two, status })).toBe(wanted);
  });

  const gone = { deletionTimestamp: '2026-11-20T10:00:00Z' };
  test.each([
    ['Pending', {}, {}],
    ['Running', { phase: 'Running' }, {}],
    ['Terminating', { phase: 'Running' }, gone],
    ['Completed', { phase: 'Succeeded' }, {}],
    ['Completed', { phase: 'Succeeded' }, gone],
    ['Error', { phase: 'Failed' }, {}],
    ['Evicted', { phase: 'Failed', reason: 'Evicted' }, {}],
    [
      'CrashLoopBackOff',
      { phase: 'Running', containerStatuses: [{ state: { waiting: { reason: 'CrashLoopBackOff' } } }] },
      {},
    ],
    ['OOMKilled', { phase: 'Failed', containerStatuses: [{ state: { terminated: { reason: 'OOMKilled' } } }] }, {}],
  ])('STATUS is %s', (wanted, status, metadata) => {
    expect(cell(kinds.Pod, 'STATUS', { metadata, spec: two, status })).toBe(wanted);
  });

  test('RESTARTS are of all containers', () => {
    expect(cell(kinds.Pod, 'RESTARTS', { spec: two, status: { containerStatuses: [running, running] } })).toBe('4');
  });
});

const cells: readonly (readonly [Resource, header: string, object: object, cell: string])[] = [
  [kinds.Node, 'STATUS', { spec: {}, status: { conditions: [{ type: 'Ready', status: 'True' }] } }, 'Ready'],
  [kinds.Node, 'STATUS', { spec: {}, status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }, 'NotReady'],
  [kinds.Node, 'STATUS', { spec: { unschedulable: true } }, 'Unknown,SchedulingDisabled'],
  [kinds.Node, 'ROLES', { metadata: { labels: { 'node-role.kubernetes.io/control-plane': '' } } }, 'control-plane'],
  [kinds.Node, 'ROLES', {}, '<none>'],
  [kinds.Node, 'POD-CIDR', { spec: { podCIDRs: ['10.244.0.0/24', 'fd00::/64'] } }, '10.244.0.0/24,fd00::/64'],
  [kinds.Service, 'CLUSTER-IP', { spec: { clusterIP: 'None', clusterIPs: ['None'] } }, 'None'],
  [kinds.Service, 'CLUSTER-IP', { spec: { type: 'ExternalName' } }, '<none>'],
  [kinds.Service, 'EXTERNAL-IP', { spec: { type: 'ExternalName', externalName: 'example.org' } }, 'example.org'],
  [kinds.Service, 'EXTERNAL-IP', { spec: { type: 'LoadBalancer' } }, '<pending>'],
  [kinds.Service, 'EXTERNAL-IP', { spec: { externalIPs: ['1.2.3.4', '5.6.7.8'] } }, '1.2.3.4,5.6.7.8'],
  [
    kinds.Service,
    'EXTERNAL-IP',
    { spec: { type: 'LoadBalancer' }, status: { loadBalancer: { ingress: [{ ip: '172.18.255.1' }] } } },
    '172.18.255.1',
  ],
  [
    kinds.Service,
    'PORT(S)',
    {
      spec: {
        ports: [
          { port: 53, protocol: 'UDP' },
          { port: 53, nodePort: 31000 },
        ],
      },
    },
    '53/UDP,53:31000/TCP',
  ],
  [kinds.Service, 'PORT(S)', { spec: {} }, '<none>'],
  [kinds.EndpointSlice, 'PORTS', { addressType: 'IPv4', ports: [], endpoints: [] }, '<unset>'],
  [kinds.EndpointSlice, 'PORTS', { addressType: 'IPv4', ports: [{ port: 80 }, { name: 'x' }], endpoints: [] }, '80,x'],
  [
    kinds.EndpointSlice,
    'ENDPOINTS',
    { addressType: 'IPv4', endpoints: [1, 2, 3, 4, 5].map((i) => ({ addresses: [`10.0.0.${i}`] })) },
    '10.0.0.1,10.0.0.2,10.0.0.3 + 2 more...',
  ],
  [
    kinds.Endpoints,
    'ENDPOINTS',
    { subsets: [{ addresses: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }], ports: [{ port: 80 }] }] },
    '10.0.0.1:80,[fd00::1]:80',
  ],
  [kinds.Endpoints, 'ENDPOINTS', {}, '<none>'],
  [kinds.NetworkPolicy, 'POD-SELECTOR', { spec: { podSelector: {} } }, '<none>'],
  [
    kinds.NetworkPolicy,
    'POD-SELECTOR',
    {
      spec: {
        podSelector: {
          matchLabels: { a: 'b' },
          matchExpressions: [
            { key: 'c', operator: 'In', values: ['d', 'e'] },
            { key: 'f', operator: 'NotIn', values: ['g'] },
            { key: 'h', operator: 'Exists' },
            { key: 'i', operator: 'DoesNotExist' },
          ],
        },
      },
    },
    'a=b,c in (d,e),f notin (g),h,!i',
  ],
  [kinds.Deployment, 'READY', { spec: {} }, '0/1'],
  [kinds.Job, 'STATUS', { status: { conditions: [{ type: 'Complete', status: 'True' }] } }, 'Complete'],
  [kinds.Job, 'STATUS', { status: { conditions: [{ type: 'Failed', status: 'True' }] } }, 'Failed'],
  [kinds.Job, 'COMPLETIONS', { spec: { completions: 3 }, status: { succeeded: 1 } }, '1/3'],
  [kinds.Job, 'COMPLETIONS', { spec: { parallelism: 4 } }, '0/1 of 4'],
  [
    kinds.Job,
    'DURATION',
    { status: { startTime: '2026-11-20T10:00:00Z', completionTime: '2026-11-20T10:01:05Z' } },
    '65s',
  ],
  [kinds.CronJob, 'LAST SCHEDULE', { spec: { schedule: '* * * * *', jobTemplate: {} } }, '<none>'],
  [kinds.DaemonSet, 'NODE SELECTOR', { spec: { template: { spec: { nodeSelector: { disk: 'ssd' } } } } }, 'disk=ssd'],
  [kinds.ConfigMap, 'DATA', { data: { a: '1' }, binaryData: { b: '2' } }, '2'],
  [kinds.Event, 'OBJECT', { involvedObject: { kind: 'Pod', name: 'web' } }, 'pod/web'],
  [kinds.Event, 'LAST SEEN', { involvedObject: {} }, '<unknown>'],
];

for (const [resource, header, object, wanted] of cells) {
  test(`${header} of ${resource.plural}: ${wanted}`, () => {
    expect(cell(resource, header, object)).toBe(wanted);
  });
}

test.each([
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [312, '5m12s'],
  [600, '10m'],
  [10_799, '179m'],
  [10_800, '3h'],
  [11_040, '3h4m'],
  [28_800, '8h'],
  [172_799, '47h'],
  [172_800, '2d'],
  [183_600, '2d3h'],
  [691_200, '8d'],
  [63_072_000, '2y'],
  [63_158_400, '2y1d'],
  [252_288_000, '8y'],
])('%i seconds are %s', (seconds, wanted) => {
  expect(formatDuration(seconds * 1000)).toBe(wanted);
});

test('an age that is not known, and one that is to come', () => {
  expect(formatAge(undefined)).toBe('<unknown>');
  expect(formatAge('soon')).toBe('<unknown>');
  expect(formatAge('2026-11-20T10:00:05Z', Date.parse('2026-11-20T10:00:00Z'))).toBe('0s');
});
