/**
 * cyclonus' cases with real sockets in real network namespaces: nine pods on three nodes, every pair by TCP, UDP and SCTP
 * on two ports; policies, labels of namespaces and of pods change while the cluster runs.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiClient } from '../../src/api/client.ts';
import { ask } from '../../src/check/ask.ts';
import type { CheckProtocol, End, Expectation } from '../../src/check/expectation.ts';
import { clusterBackend } from '../../src/check/linux-backend.ts';
import { pairWords } from '../../src/check/resolve-pairs.ts';
import { type CyclonusStep, policyObjects, readCyclonus, worldObjects } from '../sim/netpol-corpus.ts';
import { testCluster } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { describeUnless } from './skipping.ts';

const NODES = 3;
const TIMEOUT_MS = 180_000;

/** By feature: targets, peers, blocks, ports, ranges, names, SCTP, changes of objects, policies that contradict. */
const chosen = [
  ...[1, 7, 14, 20, 31, 32, 77, 92], // targets and peers
  ...[137, 139, 143, 148, 152, 161, 169, 172, 184], // ports
  ...[194, 197, 200, 206, 217, 230], // changes, and policies beside each other
];

const need = missing('testdata', 'vessel', 'tun', 'built');
const cases = need === undefined ? readCyclonus(process.env['PODWIRE_TESTDATA']!) : [];

describeUnless(need, 'NP-096 cyclonus with real sockets', () => {
  const cluster = testCluster();
  const home = process.env['PODWIRE_HOME'];
  let applied: readonly object[] = [];

  beforeAll(async () => {
    process.env['PODWIRE_HOME'] = cluster.home;
    const [step] = cases[0]!.steps;
    await cluster.up(list(worldObjects(step!, NODES)), ['--nodes', String(NODES)]);
  });

  afterAll(() => {
    if (home === undefined) delete process.env['PODWIRE_HOME'];
    else process.env['PODWIRE_HOME'] = home;
  });

  async function podwire(...words: string[]): Promise<void> {
    const { code, stderr } = await cluster.run([...words, '--name', cluster.name]);
    if (code !== 0) throw new Error(`${words.join(' ')}: ${code} ${stderr}`);
  }

  async function become(step: CyclonusStep): Promise<void> {
    const policies = policyObjects(step);
    const gone = applied.filter((before) => !policies.some((policy) => identity(policy) === identity(before)));
    if (gone.length > 0) await podwire('delete', '-f', cluster.write('gone.yaml', list(gone)));
    await podwire('apply', '-f', cluster.write('now.yaml', list([...worldObjects(step, NODES), ...policies])));
    applied = policies;
  }

  test('has at least 20 of its cases', () => {
    expect(chosen.length).toBeGreaterThanOrEqual(20);
    expect(cases.filter(({ id }) => chosen.includes(id))).toHaveLength(chosen.length);
  });

  for (const { id, description, steps } of cases.filter((one) => chosen.includes(one.id))) {
    test(
      `${id}: ${description}`,
      async () => {
        for (const step of steps) {
          await become(step);
          const backend = {
            ...clusterBackend(new ApiClient(cluster.name), { podSubnets: [], serviceSubnets: [] }),
            close: async () => {},
          };
          const report = await ask(backend, { default: 'ignore', list: expectationsOf(step) }, undefined);
          expect(report.failed.map(({ pair, actual, why }) => `${pairWords(pair)}: ${actual}, ${why}`)).toEqual([]);
          expect(report.pairs).toHaveLength(9 * 9 * 6);
        }
      },
      TIMEOUT_MS,
    );
  }
});

function list(items: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

function identity(policy: object): string {
  const { namespace, name } = (policy as { metadata: { namespace: string; name: string } }).metadata;
  return `${namespace}/${name}`;
}

/** Every cell of every table. A pod always reaches itself (NP-026). */
function expectationsOf({ order, expect: tables }: CyclonusStep): Expectation[] {
  return Object.entries(tables).flatMap(([table, rows]) => {
    const [protocol, port] = table.split('/') as [CheckProtocol, string];
    return order.flatMap((from, row) =>
      order.map((to, column): Expectation => {
        const isAllowed = row === column || rows[row]![column] === '.';
        return {
          ...{ verdict: isAllowed ? 'allow' : 'deny', name: undefined, from: endOf(from), to: endOf(to) },
          ...{ port: Number(port), protocol, refusedMeans: 'neither', path: table },
          place: { file: table, line: row + 1, column: column + 1 },
        };
      }),
    );
  });
}

function endOf(key: string): End {
  const [namespace = '', name = ''] = key.split('/');
  return { type: 'bare', namespace, name };
}
