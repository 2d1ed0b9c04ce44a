/** cyclonus' cases: policies × truth tables of every pod, protocol and port, by packets. A new cluster for every step. */
import { expect, test } from 'vitest';
import { createCluster } from '../../src/podwire.ts';
import { missing } from '../support/requires.ts';
import { describeUnless } from '../system/skipping.ts';
import { differences, policyObjects, readCyclonus, worldObjects } from './netpol-corpus.ts';

const NODES = 3;
const TIMEOUT_MS = 120_000;

const need = missing('testdata');
const cases = need === undefined ? readCyclonus(process.env['PODWIRE_TESTDATA']!) : [];

describeUnless(need, 'NP-096 cyclonus', () => {
  test('has all of its cases', () => {
    expect([cases.length, cases.flatMap(({ steps }) => steps).length]).toEqual([154, 174]);
  });

  for (const { id, description, steps } of cases) {
    test(
      `${id}: ${description}`,
      async () => {
        for (const step of steps) {
          const cluster = await createCluster({ backend: 'sim', nodes: NODES });
          await cluster.apply([...worldObjects(step, NODES), ...policyObjects(step)]);
          expect(await differences(cluster, step)).toEqual([]);
          await cluster.close();
        }
      },
      TIMEOUT_MS,
    );
  }
});
