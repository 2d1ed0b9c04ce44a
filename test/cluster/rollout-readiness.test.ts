/** Pods that are Ready when their probes or their programs say so, as the roll-out has it. */
import { describe, expect, test } from 'vitest';
import type { ProgramState } from '../../src/cluster/pod-reports.ts';
import { RolloutWorld } from './rollout-world.ts';

interface Written {
  readonly annotations?: string;
  readonly container?: string;
  readonly spec?: string;
}

const OBEY = 'podwire.dev/probes: obey';
const HTTP = 'ports: [{name: http, containerPort: 80}], readinessProbe: {httpGet: {port: http}}';

function pod({ annotations = '', container = HTTP, spec = '' }: Written): string {
  const metadata = `{name: a, labels: {app: web}, annotations: {${annotations}}}`;
  const containers = `[{name: c, image: i, ${container}}]`;
  return `apiVersion: v1\nkind: Pod\nmetadata: ${metadata}\nspec: {nodeName: n1, containers: ${containers}${spec}}`;
}

const service =
  'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}';

function workloads(world: RolloutWorld) {
  return world.updates.flatMap(({ update }) => update.workloads ?? []);
}

async function probed(world: RolloutWorld, ready: boolean): Promise<void> {
  world.plane.podProbed('default/a', ready);
  await world.rollout.settle();
}

describe('a pod that obeys its probes', () => {
  test('is Ready while they succeed, and Services follow', async () => {
    const world = new RolloutWorld();
    await world.apply(pod({ annotations: OBEY }), service);
    expect(world.isReady('default/a')).toBe(false);
    expect(world.plane.pod('default/a')!.status!.phase).toBe('Running');
    expect(world.endpoints('n2', 'default/web')).toEqual(['10.244.0.2:80 unready']);
    await probed(world, true);
    expect(world.isReady('default/a')).toBe(true);
    expect(world.endpoints('n2', 'default/web')).toEqual(['10.244.0.2:80']);
    await probed(world, false);
    expect(world.isReady('default/a')).toBe(false);
    expect(world.endpoints('n2', 'default/web')).toEqual(['10.244.0.2:80 unready']);
  });

  test('is not Ready before every node knows it, whatever its probes have found', async () => {
    const world = new RolloutWorld();
    world.acknowledge = async () => {
      world.plane.podProbed('default/a', true);
      expect(world.plane.pod('default/a')!.status!.phase).not.toBe('Running');
      world.acknowledge = async () => {};
    };
    await world.apply(pod({ annotations: OBEY }));
    expect(world.isReady('default/a')).toBe(true);
  });

  test('is asked by its node, on numbered ports; names are those of its own containers', async () => {
    const world = new RolloutWorld();
    const tcp = 'ports: [{name: db, containerPort: 5432}], readinessProbe: {tcpSocket: {port: db}, periodSeconds: 3}';
    const more = `}, {name: d, image: i, ${tcp}}, {name: e, image: i, readinessProbe: {httpGet: {port: db}}`;
    await world.apply(pod({ annotations: OBEY, container: `${HTTP}${more}` }));
    expect(workloads(world)[0]!.probes).toMatchObject([
      { httpGet: { port: 80, path: '/' }, periodSeconds: 10, timeoutSeconds: 1, failureThreshold: 3 },
      { tcpSocket: { port: 5432 }, periodSeconds: 3 },
      { httpGet: { port: 'db' } },
    ]);
  });

  test('a sidecar’s probe counts, an init container’s does not', async () => {
    const world = new RolloutWorld();
    const probe = 'readinessProbe: {tcpSocket: {port: 9}}';
    const spec = `, initContainers: [{name: s, image: i, restartPolicy: Always, ${probe}}]`;
    await world.apply(pod({ annotations: OBEY, container: '', spec }));
    expect(workloads(world)[0]!.probes).toMatchObject([{ tcpSocket: { port: 9 } }]);
  });

  test('exec and grpc count as success, and its log says so', async () => {
    const world = new RolloutWorld();
    const container = 'readinessProbe: {exec: {command: [a]}}}, {name: d, image: i, readinessProbe: {grpc: {port: 1}}';
    await world.apply(pod({ annotations: OBEY, container }));
    expect(world.isReady('default/a')).toBe(true);
    expect(workloads(world)[0]).toMatchObject({
      probes: [],
      notes: [expect.stringMatching(/container c: exec .* success/), expect.stringMatching(/container d: grpc/)],
    });
  });

  test('its node is told when it begins to obey while it runs, and when it stops', async () => {
    const world = new RolloutWorld();
    await world.apply(pod({}));
    expect(world.isReady('default/a')).toBe(true);
    expect(workloads(world).map(({ probes }) => probes.length)).toEqual([0]);
    await world.apply(pod({ annotations: OBEY }));
    expect(workloads(world).map(({ probes }) => probes.length)).toEqual([0, 1]);
    await probed(world, false);
    expect(world.isReady('default/a')).toBe(false);
    await world.apply(pod({}));
    expect(workloads(world).map(({ probes }) => probes.length)).toEqual([0, 1, 0]);
    await probed(world, true);
    expect(world.isReady('default/a')).toBe(true);
  });

  test('another of its name begins anew', async () => {
    const world = new RolloutWorld();
    await world.apply(pod({ annotations: OBEY }));
    await probed(world, true);
    await world.delete(pod({ annotations: OBEY }));
    await world.apply(pod({ annotations: OBEY }));
    expect(world.isReady('default/a')).toBe(false);
  });
});

test('probes of a pod that does not say so are not obeyed', async () => {
  const world = new RolloutWorld();
  await world.apply(pod({}));
  expect(world.isReady('default/a')).toBe(true);
  expect(workloads(world)[0]).toMatchObject({ probes: [], notes: [] });
});

describe('a pod that runs a program', () => {
  const RUN = 'podwire.dev/run: serve';
  const running: ProgramState = {
    phase: 'Running',
    state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
    lastState: {},
    restartCount: 0,
  };
  const terminated = { exitCode: 1, reason: 'Error' };

  async function program(world: RolloutWorld, state: Partial<ProgramState>): Promise<void> {
    world.plane.podProgram('default/a', { ...running, ...state });
    await world.rollout.settle();
  }

  async function world(annotations = RUN): Promise<RolloutWorld> {
    const made = new RolloutWorld(2, { allowRun: true });
    await made.apply(pod({ annotations }), service);
    return made;
  }

  test('has nobody else on its ports, and begins when every node knows it', async () => {
    const made = await world();
    expect(workloads(made)[0]).toMatchObject({ ports: [], answers: 'http' });
    expect(made.log.slice(0, 4)).toEqual(['create default/a', 'tell n1', 'tell n2', 'start default/a']);
  });

  test('is Ready while it runs, and says how often it was started again', async () => {
    const made = await world();
    await program(made, {});
    expect(made.isReady('default/a')).toBe(true);
    const waiting = { reason: 'CrashLoopBackOff' };
    await program(made, { state: { waiting }, lastState: { terminated }, restartCount: 3 });
    expect(made.isReady('default/a')).toBe(false);
    expect(made.endpoints('n2', 'default/web')).toEqual(['10.244.0.2:80 unready']);
    expect(made.plane.pod('default/a')!.status).toMatchObject({
      phase: 'Running',
      containerStatuses: [{ name: 'c', ready: false, restartCount: 3, state: { waiting }, lastState: { terminated } }],
    });
    await program(made, { restartCount: 4 });
    expect(made.isReady('default/a')).toBe(true);
    expect(made.log).not.toContain('end default/a');
  });

  test('that obeys probes is Ready when it runs and they succeed', async () => {
    const made = await world(`${RUN}, ${OBEY}`);
    await program(made, {});
    expect(made.isReady('default/a')).toBe(false);
    await probed(made, true);
    expect(made.isReady('default/a')).toBe(true);
    await program(made, { state: { terminated } });
    expect(made.isReady('default/a')).toBe(false);
    await program(made, { restartCount: 1 });
    expect(made.isReady('default/a')).toBe(false);
    await probed(made, true);
    expect(made.isReady('default/a')).toBe(true);
  });

  test.each(['Succeeded', 'Failed'] as const)('that has %s ends, and stays as what it was', async (phase) => {
    const made = await world();
    await program(made, { phase, state: { terminated } });
    await made.rollout.ended();
    expect(made.log.slice(-1)).toEqual(['remove default/a']);
    expect(made.plane.pod('default/a')!.status).toMatchObject({
      phase,
      containerStatuses: [{ state: { terminated } }],
    });
    expect(made.endpoints('n2', 'default/web')).toEqual([]);
  });
});
