/**
 * A capture is a connection that is handed over: the cluster process answers the upgrade and gives the connection to the
 * node, which tells there of its packets (`nodes/capture-stream.ts`). So no packet passes through the cluster process.
 *
 * What is asked for comes as a header of the upgrade, and the reader says nothing after it: while a connection is on its
 * way two processes would read from it.
 */
import type { Socket } from 'node:net';
import type { Cluster, RunningNode } from '../cluster/cluster.ts';
import { hostAddresses } from '../cluster/compile.ts';
import { Way, way } from '../packet/way.ts';
import { ApiError } from './api-error.ts';

/** Protocol name of the upgrade. */
export const CAPTURE_PROTOCOL = 'podwire-capture';
/** Holds a `CaptureRequest` as JSON. */
export const CAPTURE_REQUEST_HEADER = 'podwire-capture-request';

/** What the numbers in a node's sightings mean. */
export interface CaptureScene {
  readonly node: string;
  readonly hops: readonly SceneHop[];
  /** Names of the other nodes and tunnel ends, by endpoint number. */
  readonly endpoints: readonly string[];
}

export interface SceneHop {
  /** As in sightings; `Way.None` is the underlay. */
  readonly way: number;
  /** As users name it: `pod/shop/web`, `node/n1:host`. */
  readonly name: string;
  readonly addresses: readonly string[];
}

export function captureScene(cluster: Cluster, running: RunningNode): CaptureScene {
  const { topology } = cluster;
  const { node, indexes } = running;
  const others = topology.nodes.filter((other) => other !== node);
  const pods = [...indexes].map(([pod, index]) => {
    return { way: way(Way.Pod, index), name: `pod/${pod.namespace}/${pod.name}`, addresses: pod.addresses };
  });
  return {
    node: node.name,
    hops: [
      ...pods,
      { way: way(Way.Host, 0), name: `node/${node.name}:host`, addresses: hostAddresses(node) },
      { way: way(Way.None, 0), name: `node/${node.name}:underlay`, addresses: [node.underlayAddress] },
    ],
    endpoints: [...others, ...topology.tunnelEndpoints].map(({ name }) => name),
  };
}

/** Answers the upgrade and hands the connection over. @param request a `CaptureRequest` as JSON. */
export function handOver(running: RunningNode, request: string | undefined, socket: Socket): void {
  const { supervisor, node } = running;
  if (supervisor.pid === undefined) throw new ApiError(503, 'ServiceUnavailable', `node ${node.name} is starting`);
  if (request === undefined) throw new ApiError(400, 'BadRequest', `no header ${CAPTURE_REQUEST_HEADER}`);
  const head = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${CAPTURE_PROTOCOL}\r\n\r\n`;
  socket.on('error', () => socket.destroy());
  socket.write(head, () => supervisor.capture(socket, request));
}
