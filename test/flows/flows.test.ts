/** Every scenario, in a simulated cluster. `test/system/flows.test.ts` plays them on real node processes. */
import { describe, test } from 'vitest';
import { flowFiles, loadScenario } from './files.ts';
import { playScenario } from './runner.ts';
import { SimWorld } from './sim-world.ts';

describe('scenarios on the simulated cluster', () => {
  for (const file of flowFiles) {
    test(file, async () => {
      const scenario = loadScenario(file);
      await playScenario(scenario, new SimWorld(scenario.cluster.plan));
    });
  }
});
