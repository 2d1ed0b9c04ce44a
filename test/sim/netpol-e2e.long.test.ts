/** Kubernetes' own end-to-end cases, NP-045 to NP-092 in their order: each on one cluster, whose policies and labels change. */
import { expect, test } from 'vitest';
import { createCluster, type ProbeQuestion, type SimulatedCluster } from '../../src/podwire.ts';
import { missing } from '../support/requires.ts';
import { describeUnless } from '../system/skipping.ts';
import {
  type E2eCase,
  type E2eStep,
  judge,
  type LabelChange,
  namespaceObject,
  podObject,
  readE2e,
} from './netpol-corpus.ts';

const FIRST_RULE = 45;
const NODES = 3;
const namespaces = ['x', 'y', 'z'];
const names = ['a', 'b', 'c'];

const need = missing('testdata');
const cases = need === undefined ? readE2e(process.env['PODWIRE_TESTDATA']!) : [];

type Labels = Readonly<Record<string, string>>;

/** A cluster with all nine pods, of which a case asks some. */
class World {
  readonly #cluster: SimulatedCluster;
  readonly #ports: E2eCase['ports'];
  readonly #protocols: E2eCase['protocols'];
  /** By namespace, and by `namespace/name`. */
  readonly #labels = new Map<string, Labels>();

  constructor(cluster: SimulatedCluster, { ports, protocols }: E2eCase) {
    this.#cluster = cluster;
    this.#ports = ports;
    this.#protocols = protocols;
  }

  async begin(): Promise<void> {
    for (const ns of namespaces) {
      await this.#label(ns, { 'kubernetes.io/metadata.name': ns });
      for (const name of names) await this.#label(`${ns}/${name}`, { pod: name });
    }
  }

  /** @returns what is wrong. */
  async step(step: E2eStep): Promise<string[]> {
    if ('check' in step) return await this.#check(step.check);
    if ('apply' in step) await this.#cluster.apply(step.apply);
    else if ('delete' in step) await this.#cluster.delete(policy(step.delete));
    else if ('labelPod' in step) await this.#change(step.labelPod.pod, step.labelPod);
    else await this.#change(step.labelNamespace.name, step.labelNamespace);
    return [];
  }

  async #check({ port, protocol, expect: table }: Extract<E2eStep, { check: unknown }>['check']): Promise<string[]> {
    const cells = Object.entries(table).flatMap(([from, row]) =>
      Object.entries(row).map(([to, connects]) => ({ from, to, connects })),
    );
    const asked = { port, protocol: protocol as NonNullable<ProbeQuestion['protocol']> };
    const questions = cells.map(({ from, to }) => ({ from, to, ...asked }));
    return await judge(this.#cluster, questions, (i) => cells[i]!.connects);
  }

  async #change(key: string, { add, set }: LabelChange): Promise<void> {
    await this.#label(key, set ?? { ...this.#labels.get(key), ...add });
  }

  async #label(key: string, labels: Labels): Promise<void> {
    this.#labels.set(key, labels);
    const [ns = '', name] = key.split('/');
    if (name === undefined) {
      await this.#cluster.apply(namespaceObject(ns, labels));
      return;
    }
    const [i, j] = [namespaces.indexOf(ns), names.indexOf(name)];
    const pod = { ns, name, labels, ip: `10.244.${i + 1}.${j + 10}` };
    await this.#cluster.apply(podObject(pod, `n${((i + j) % NODES) + 1}`, this.#ports, this.#protocols));
  }
}

function policy({ namespace, name }: { readonly namespace: string; readonly name: string }): object {
  const metadata = { namespace, name };
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec: { podSelector: {} } };
}

describeUnless(need, 'Kubernetes end-to-end', () => {
  test('has all of its cases', () => {
    expect(cases.length).toBe(48);
  });

  for (const [i, one] of cases.entries()) {
    test(`NP-${String(FIRST_RULE + i).padStart(3, '0')} ${one.protocols.join(', ')}: ${one.name}`, async () => {
      const cluster = await createCluster({ backend: 'sim', nodes: NODES });
      const world = new World(cluster, one);
      await world.begin();
      for (const [number, step] of one.steps.entries()) expect(await world.step(step), `step ${number}`).toEqual([]);
      await cluster.close();
    });
  }
});
