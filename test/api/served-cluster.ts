/**
 * The API over an object store, without a cluster: no node processes, and what is applied is in force at once. The
 * command line finds it as it finds any cluster, by its socket in a PODWIRE_HOME of its own.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterApi } from '../../src/api/cluster-api.ts';
import { type ApiOptions, startApi } from '../../src/api/server.ts';
import type { RunningNode, RunningPod } from '../../src/cluster/cluster.ts';
import { type ManifestText, readManifests } from '../../src/cluster/manifests.ts';
import { formatProblem } from '../../src/cluster/source.ts';
import type { PolicyWorld } from '../../src/network-policy/policy-world.ts';
import type { ProbeReport } from '../../src/nodes/protocol.ts';
import type { KubernetesObject } from '../../src/store/object.ts';
import { ObjectStore } from '../../src/store/object-store.ts';
import { type Resource, resourceOf } from '../../src/store/resources.ts';

export const CLUSTER = 'test';
export const NOW = '2026-11-20T10:00:00Z';

export interface Answer {
  readonly code: number;
  readonly text: string;
  readonly type: string | undefined;
}

function result(object: KubernetesObject, what: 'created' | 'configured' | 'unchanged' | 'deleted' | 'not found') {
  const { apiVersion, kind, metadata } = object;
  return { apiVersion, kind, namespace: metadata.namespace, name: metadata.name, result: what };
}

/** As much of a cluster as the API asks for. */
class StoredCluster implements ClusterApi {
  readonly store: ObjectStore;
  readonly nodes = new Map<string, RunningNode>();
  readonly pods = new Map<string, RunningPod>();
  readonly logs = new Map<string, string>();
  /** Whether each request wanted to wait. */
  readonly waits: (boolean | undefined)[] = [];
  readonly links = { list: () => [] } as never;
  readonly worlds: PolicyWorld[] = [];

  constructor(historyMax: number | undefined) {
    let uid = 0;
    const history = historyMax === undefined ? {} : { historyMax };
    this.store = new ObjectStore({ now: () => NOW, uid: () => `uid-${++uid}`, ...history });
  }

  async apply(files: readonly ManifestText[], namespace?: string, wait?: boolean) {
    this.waits.push(wait);
    const { objects, notes } = readManifests(files, namespace);
    const results = objects.map(({ object, source }) => {
      const applied = this.store.apply(object, source);
      return result(applied.object, applied.result);
    });
    return { results, notes: notes.map(formatProblem), problems: [] };
  }

  async delete(files: readonly ManifestText[], namespace?: string, wait?: boolean) {
    this.waits.push(wait);
    const results = readManifests(files, namespace).objects.map(({ object }) => {
      const { namespace: its = '', name } = object.metadata;
      const isThere = this.store.get(resourceOf(object)!, its, name) !== undefined;
      if (isThere) this.store.delete(resourceOf(object)!, its, name);
      return result(object, isThere ? 'deleted' : 'not found');
    });
    return { results, problems: [] };
  }

  async deleteObject(resource: Resource, namespace: string, name: string, wait?: boolean) {
    this.waits.push(wait);
    this.store.delete(resource, namespace, name);
  }

  async log(namespace: string, pod: string) {
    return this.logs.get(`${namespace}/${pod}`) ?? '';
  }

  setLink(): never {
    throw new Error('no links here');
  }

  enterPod(): never {
    throw new Error('no programs here');
  }

  enterNode(): never {
    throw new Error('no programs here');
  }

  ask(): never {
    throw new Error('no nodes here');
  }

  tables(): never {
    throw new Error('no nodes here');
  }

  /** Answers with what it was asked. */
  async probe(from: RunningNode | RunningPod, question: object): Promise<ProbeReport> {
    const place = 'supervisor' in from ? `node ${from.node.name}` : `pod ${from.pod.key}`;
    return { outcome: 'delivered', detail: `${place} ${JSON.stringify(question)}`, source: undefined };
  }

  policyWorld(revision?: number) {
    return revision === undefined ? this.worlds.at(-1) : this.worlds.find((world) => world.revision === revision);
  }

  scene(): never {
    throw new Error('no nodes here');
  }
}

export class ServedCluster {
  readonly cluster: StoredCluster;
  readonly home: string;
  readonly socketPath: string;
  readonly #close: () => void;

  static async start(options: ApiOptions & { readonly historyMax?: number } = {}): Promise<ServedCluster> {
    const home = mkdtempSync(join(tmpdir(), 'podwire-test-'));
    mkdirSync(join(home, CLUSTER));
    const socketPath = join(home, CLUSTER, 'api.sock');
    const cluster = new StoredCluster(options.historyMax);
    const server = await startApi(cluster, socketPath, options);
    const close = () => {
      server.closeAllConnections();
      server.close();
      rmSync(home, { recursive: true, force: true });
    };
    return new ServedCluster(cluster, home, socketPath, close);
  }

  private constructor(cluster: StoredCluster, home: string, socketPath: string, close: () => void) {
    this.cluster = cluster;
    this.home = home;
    this.socketPath = socketPath;
    this.#close = close;
  }

  get store(): ObjectStore {
    return this.cluster.store;
  }

  close(): void {
    this.#close();
  }

  /** The answer as it begins. */
  open(path: string, options: RequestOptions = {}, body?: string | Buffer): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath: this.socketPath, path, agent: false, ...options }, resolve);
      outgoing.on('error', reject).end(body);
    });
  }

  async ask(path: string, options: RequestOptions = {}, body?: string | Buffer): Promise<Answer> {
    const response = await this.open(path, options, body);
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    return { code: response.statusCode!, text, type: response.headers['content-type'] };
  }

  async json<T = Readonly<Record<string, unknown>>>(path: string): Promise<T> {
    return JSON.parse((await this.ask(path)).text) as T;
  }
}

export function configMap(name: string, labels: Readonly<Record<string, string>> = {}, namespace = 'default') {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data: { a: '1' } };
}

export function pod(name: string, more: { labels?: Record<string, string>; node?: string; ready?: boolean } = {}) {
  const { labels = {}, node = 'n1', ready = true } = more;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels },
    spec: {
      nodeName: node,
      containers: [{ name: 'web', image: 'nginx', ports: [{ containerPort: 80, name: 'http' }] }],
    },
    status: {
      phase: 'Running',
      podIP: '10.244.0.2',
      podIPs: [{ ip: '10.244.0.2' }, { ip: 'fd00:10:244::2' }],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}
