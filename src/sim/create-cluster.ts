/** The library's simulated cluster: questions in the words that users write, and answers in theirs. */
import { isReady, podAddresses } from '../controllers/pod-state.ts';
import type { ProbeAnswer } from './probe-answer.ts';
import { findPod, isService } from './probe-places.ts';
import { askAll, askOne, type ProbeQuestion } from './probe-questions.ts';
import { SimCluster } from './sim-cluster.ts';

export interface SimulatedPod {
  readonly ip: string;
  readonly ips: readonly string[];
  readonly node: string;
  readonly ready: boolean;
  /** Does a TCP connection to `TARGET:PORT` come about, and bring an answer? */
  reaches(target: string): Promise<boolean>;
}

export interface SimulatedCluster {
  /** Kubernetes objects, as YAML text or as they are. In force when it resolves. */
  apply(input: string | object | readonly object[]): Promise<void>;
  delete(input: string | object | readonly object[]): Promise<void>;
  probe(question: ProbeQuestion): Promise<ProbeAnswer>;
  /** The same for many, which is much faster; answered in their order. What cannot be asked fails all of them. */
  probeAll(questions: readonly ProbeQuestion[]): Promise<ProbeAnswer[]>;
  /** @param name `[NAMESPACE/]POD` or `KIND/NAME` */
  pod(name: string): SimulatedPod;
  close(): Promise<void>;
}

export interface CreateClusterOptions {
  /** Pods are played in this process, on virtual time. */
  readonly backend: 'sim';
  readonly nodes?: number;
  /** Of hash tables, ports and links. */
  readonly seed?: number;
}

export function createSimulatedCluster({ nodes, seed }: CreateClusterOptions): SimulatedCluster {
  const cluster = new SimCluster({ nodes, seed });
  return {
    apply: (input) => cluster.apply(input),
    delete: (input) => cluster.delete(input),
    probe: async (question) => askOne(cluster, question),
    probeAll: async (questions) => askAll(cluster, questions),
    pod: (name) => simulatedPod(cluster, name),
    close: async () => cluster.close(),
  };
}

function simulatedPod(cluster: SimCluster, name: string): SimulatedPod {
  const pod = findPod(cluster, name, 'default');
  const { namespace } = pod.metadata;
  return {
    ip: podAddresses(pod)[0]!,
    ips: podAddresses(pod),
    node: pod.spec.nodeName!,
    ready: isReady(pod),
    reaches: async (target) => {
      const colon = target.lastIndexOf(':');
      const port = target.slice(colon + 1);
      const to = qualified(target.slice(0, colon), namespace!);
      return askOne(cluster, { from: `${namespace}/${pod.metadata.name}`, to, port }).connected;
    },
  };
}

/** `svc/b` as the pods of a namespace mean it. */
function qualified(target: string, namespace: string): string {
  const [first = '', second] = target.split('/');
  return isService(first) && !target.slice(first.length + 1).includes('/') ? `svc/${namespace}/${second}` : target;
}
