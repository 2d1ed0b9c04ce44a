/** Readiness probes that decide whether a pod is Ready, as its node carries them out. */
import type { Container, Probe } from 'kubernetes-types/core/v1.d.ts';
import type { Pod } from '../store/object.ts';

/** A pod with this annotation and the value `obey` is Ready when its probes say so. */
const PROBES = 'podwire.dev/probes';

export interface ReadinessProbes {
  /** One a container, ports as numbers; none where probes are not obeyed. */
  readonly probes: readonly Readonly<Probe>[];
  /** What is not asked, in words. */
  readonly notes: readonly string[];
}

export function readinessProbes(pod: Pod): ReadinessProbes {
  const probes: Probe[] = [];
  const notes: string[] = [];
  if (pod.metadata.annotations?.[PROBES] !== 'obey') return { probes, notes };
  for (const container of lastingContainers(pod)) {
    const { readinessProbe: probe } = container;
    if (probe === undefined) continue;
    if (probe.httpGet !== undefined) {
      probes.push({ ...probe, httpGet: { ...probe.httpGet, port: portOf(probe.httpGet.port, container) } });
    } else if (probe.tcpSocket !== undefined) {
      probes.push({ ...probe, tcpSocket: { ...probe.tcpSocket, port: portOf(probe.tcpSocket.port, container) } });
    } else {
      const handler = probe.exec === undefined ? 'grpc' : 'exec';
      notes.push(`readiness probe of container ${container.name}: ${handler} is not done and counts as success`);
    }
  }
  return { probes, notes };
}

/** Those that are there while the pod is. A sidecar is an init container that goes on; the other ones have ended. */
export function lastingContainers({ spec }: Pod): readonly Container[] {
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...spec.containers, ...sidecars];
}

/**
 * A name is one of the container's own ports (pkg/probe/util.go, ResolveContainerPort); a name that none has stays, for
 * the probe to fail with.
 */
function portOf(port: number | string, { ports = [] }: Container): number | string {
  return ports.find(({ name }) => name !== undefined && name === port)?.containerPort ?? port;
}
