/**
 * How long the 174 steps of the cyclonus corpus take: for each a new cluster of three nodes, its pods and policies, and
 * a packet conversation for each of its 486 pairs, protocols and ports. Usage: --help.
 *
 * Built first, as users have it: tsx names every closure anew each time that it is made, which takes a third of the time.
 */
import { createCluster } from '../src/podwire.ts';
import { differences, policyObjects, readCyclonus, worldObjects } from '../test/sim/netpol-corpus.ts';
import { commandLine, readRounds } from './command-line.ts';
import { refuse } from './requirements.ts';

const usage = `Usage: npm run bench:policy-suite [-- ROUNDS]

How long the 174 steps of the cyclonus corpus take in the simulator. ROUNDS, 5, of some seconds each; no root.
PODWIRE_TESTDATA names the directory of the corpus.
`;

const NODES = 3;
const rounds = commandLine(usage, (words) => readRounds(words, 5));
const testData = process.env['PODWIRE_TESTDATA'];
if (testData === undefined) refuse('PODWIRE_TESTDATA is not set: the corpus is not part of podwire');
const steps = readCyclonus(testData).flatMap((one) => one.steps);

const seconds: number[] = [];
for (let round = 0; round < rounds; round++) {
  const startedMs = performance.now();
  const { user, system } = process.cpuUsage();
  let wrong = 0;
  for (const step of steps) {
    const cluster = await createCluster({ backend: 'sim', nodes: NODES });
    await cluster.apply([...worldObjects(step, NODES), ...policyObjects(step)]);
    wrong += (await differences(cluster, step)).length;
    await cluster.close();
  }
  const after = process.cpuUsage({ user, system });
  seconds.push((performance.now() - startedMs) / 1000);
  const cpu = (after.user + after.system) / 1e6;
  console.log(`round ${round + 1}: ${seconds.at(-1)!.toFixed(2)} s, ${cpu.toFixed(2)} s of processors, ${wrong} wrong`);
}
seconds.sort((a, b) => a - b);
console.log(`${steps.length} steps, median of ${rounds}: ${seconds[seconds.length >> 1]!.toFixed(2)} s`);
