import { expect, test } from 'vitest';
import { kinds } from '../../src/store/resources.ts';
import { deployment, Plane, pod, service } from './plane.ts';

/** Processor time in milliseconds: other work on the machine does not count. */
function cost(run: () => void): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** Room for slow machines; what is measured is far below, and a quadratic step is far above. */
const SLOW = 3;

test('1,000 pods on 100 nodes in a second; then one more change in 10 ms', () => {
  const plane = new Plane({ nodes: 100, families: 'dual' });
  expect(cost(() => plane.apply(deployment('web', 1000), service('web', { selector: { app: 'web' } })))).toBeLessThan(
    SLOW * 1000,
  );
  plane.run();
  expect(plane.store.list(kinds.EndpointSlice)).toHaveLength(10);
  expect(cost(() => plane.apply(pod('one')))).toBeLessThan(SLOW * 10);
});

test('10,000 Services in 1.5 s; then one more in 10 ms', () => {
  const plane = new Plane();
  const services = Array.from({ length: 10_000 }, (_, n) => service(`s${n}`, { selector: { app: `s${n}` } }));
  expect(cost(() => plane.apply(...services))).toBeLessThan(SLOW * 1500);
  expect(cost(() => plane.apply(service('one', { selector: { app: 's7' } })))).toBeLessThan(SLOW * 10);
  expect(cost(() => plane.apply(pod('one', {}, { labels: { app: 's7' } })))).toBeLessThan(SLOW * 10);
  expect(plane.store.list(kinds.EndpointSlice)).toHaveLength(2);
});

test('2,000 pods that no node will have cost nothing when something else changes', () => {
  const plane = new Plane();
  plane.apply(deployment('none', 2000, { nodeSelector: { no: 'where' } }));
  expect(cost(() => plane.apply(pod('one'), service('s')))).toBeLessThan(SLOW * 10);
});
