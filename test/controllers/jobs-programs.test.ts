/** Jobs whose pods run programs: those say themselves how they have ended. */
import { describe, expect, test } from 'vitest';
import type { PodReport } from '../../src/controllers/pod-readiness.ts';
import type { Job, Pod } from '../../src/store/object.ts';
import { kinds } from '../../src/store/resources.ts';
import { Plane, workload } from './plane.ts';

class JobWorld extends Plane {
  constructor(spec: object, restartPolicy = 'Never') {
    super();
    const job = workload(kinds.Job, 'job', spec, { restartPolicy }, { 'podwire.dev/run': 'work' });
    this.apply(job);
    this.run();
  }

  get job(): Job {
    return this.store.get(kinds.Job, 'default', 'job')!;
  }

  get active(): readonly Pod[] {
    return this.pods().filter(({ status }) => status?.phase === 'Running' || status?.phase === 'Pending');
  }

  report(pod: Pod, report: PodReport): void {
    this.controllers.podStatus(pod, report);
    this.controllers.reconcile();
  }

  fail(): void {
    this.report(this.active[0]!, { phase: 'Failed', ready: false });
  }

  conditions(): string[] {
    return (this.job.status?.conditions ?? []).map(({ type, reason }) => `${type} ${reason ?? ''}`.trim());
  }
}

function restarted(count: number): PodReport {
  const status = { name: 'main', image: '', imageID: '', ready: true, restartCount: count };
  return { phase: 'Running', ready: true, containerStatuses: [status] };
}

describe('a Job whose pods run programs', () => {
  test('is not done when they are Ready, but when they have succeeded', () => {
    const world = new JobWorld({ completions: 2 });
    expect([world.job.status?.succeeded, world.active.length]).toEqual([0, 1]);
    for (let done = 0; done < 2; done++) world.report(world.active[0]!, { phase: 'Succeeded', ready: false });
    expect([world.job.status?.succeeded, world.pods().length]).toEqual([2, 2]);
    expect(world.conditions()).toEqual(['Complete']);
  });

  test('tries anew until more pods have failed than backoffLimit says, 6 where it says nothing', () => {
    for (const [spec, limit] of [
      [{ backoffLimit: 2 }, 2],
      [{ backoffLimit: 0 }, 0],
      [{}, 6],
    ] as const) {
      const world = new JobWorld({ completions: 1, ...spec });
      for (let failed = 0; failed < limit; failed++) world.fail();
      expect([world.conditions(), world.active.length]).toEqual([[], 1]);
      world.fail();
      expect(world.conditions()).toEqual(['Failed BackoffLimitExceeded']);
      expect([world.active.length, world.pods().length, world.job.status?.failed]).toEqual([0, limit + 1, limit + 1]);
      expect(world.events()).toContain('BackoffLimitExceeded: Job has reached the specified backoff limit');
    }
  });

  test('that has failed ends its other pods and makes no more', () => {
    const world = new JobWorld({ completions: 4, parallelism: 3, backoffLimit: 0 });
    world.fail();
    world.run();
    expect(world.pods().map(({ status }) => status?.phase)).toEqual(['Failed']);
    world.delete(kinds.Pod, world.pods()[0]!.metadata.name);
    world.run();
    expect([world.pods().length, world.conditions().length]).toEqual([0, 1]);
  });

  test('OnFailure: restarts of the same pods count (pastBackoffLimitOnFailure)', () => {
    const world = new JobWorld({ completions: 1, backoffLimit: 3 }, 'OnFailure');
    world.report(world.active[0]!, restarted(2));
    expect(world.conditions()).toEqual([]);
    world.report(world.active[0]!, restarted(3));
    expect(world.conditions()).toEqual(['Failed BackoffLimitExceeded']);
    const first = new JobWorld({ completions: 1, backoffLimit: 0 }, 'OnFailure');
    expect(first.conditions()).toEqual([]);
    first.report(first.active[0]!, restarted(1));
    expect(first.conditions()).toEqual(['Failed BackoffLimitExceeded']);
  });
});
