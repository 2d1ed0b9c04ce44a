/** Entry of a node's dataplane thread: builds the node's state around the loop, and applies what the control thread sends. */
import { release as kernelRelease } from 'node:os';
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import type { Capture } from '../dataplane/capture.ts';
import { CAPTURES_MAX, Captures } from '../dataplane/captures.ts';
import { Counters } from '../dataplane/counters.ts';
import { Dataplane } from '../dataplane/dataplane.ts';
import { LinkedUnderlay } from '../dataplane/linked-underlay.ts';
import { REASSEMBLY_SLOTS } from '../dataplane/reassembly.ts';
import type { LinkSettings } from '../links/link.ts';
import { Arena } from '../packet/arena.ts';
import type { Outcome } from '../packet/outcome.ts';
import { Packet } from '../packet/packet.ts';
import { Way, way } from '../packet/way.ts';
import { MergingReader } from '../ports/merging-reader.ts';
import { TapPort } from '../ports/tap.ts';
import { TapUnderlay } from '../ports/tap-underlay.ts';
import { UdpUnderlay } from '../ports/udp-underlay.ts';
import type { UnderlayPort } from '../ports/underlay.ts';
import { type PortCounters, WireCounters } from '../ports/wire-counters.ts';
import { close } from '../sys/io.ts';
import { manglesUdpSuperframes } from '../sys/kernel-faults.ts';
import { addressOf } from '../sys/libc.ts';
import { inNamespace, openNamespace } from '../sys/namespace.ts';
import { acceptedOffloads, openTap, POD_OFFLOADS, TUNNEL_OFFLOADS, TunOffload } from '../sys/tap.ts';
import { threadNumber } from '../sys/thread.ts';
import { connectSeqpacket } from '../sys/unix.ts';
import { ADDRESS_WORDS } from '../wire/address.ts';
import { parseMac } from '../wire/ethernet.ts';
import { VNET_TUNNEL_HEADER_LEN } from '../wire/virtio.ts';
import { addressWords, icmpSources } from './compile-update.ts';
import { snapshotConnections } from './connection-snapshot.ts';
import { Loop } from './loop.ts';
import { monotonicNs } from './monotonic.ts';
import type {
  CaptureOrder,
  CompiledUpdate,
  DataplaneThreadData,
  FromDataplane,
  FromNode,
  NodeCounters,
  TapSpec,
  ToDataplane,
} from './protocol.ts';
import { randomWords } from './random-words.ts';

/**
 * Receive slots, flight recorder, cut segments, tunnel addresses, datagrams in pieces, and 8 MB that wait on links.
 * Untouched pages cost nothing.
 */
const ARENA_BYTES = 16 << 20;

const data = workerData as DataplaneThreadData;
const { settings } = data;
const port = parentPort!;

const random = randomWords(data.seed);
const without = new Set(settings.without);
const arena = new Arena(ARENA_BYTES, !without.has('simd'));
arena.base = addressOf(arena.buffer);
const [macHigh, macLow] = parseMac(settings.mac);
const dataplane = new Dataplane(
  arena,
  {
    macHigh,
    macLow,
    vni: settings.vni,
    tunnelMtu: settings.podMtu,
    connectionsMax: settings.connectionsMax,
    strictChecksums: settings.strictChecksums,
    icmpSources: icmpSources(settings.gatewayAddresses),
    reassemblySlots: REASSEMBLY_SLOTS,
    seed: data.seed,
  },
  random,
  new Counters(data.counters),
);
/** What merging may make: it fits a tunnel's outer packet, and at the usual MTU one send of 44 datagrams. */
const SUPERFRAME_MAX = 61_600;
const merging = settings.offload && !without.has('merge');
const rows = settings.offload && !without.has('rows');
const lost = (datagrams: number, reason: Outcome) => dataplane.counters.countLost(datagrams, -1 - reason);
const activity = new Int32Array(data.activity);
activity[1] = threadNumber();
const podReader = new MergingReader(arena, 0, SUPERFRAME_MAX, merging);
/** What this kernel takes; and it is not for whoever captures, who wants to see what pods have sent. */
let mergesUdp = !manglesUdpSuperframes(kernelRelease());
const underlay = openUnderlay();
dataplane.underlay = underlay;

let host: TapPort | undefined;
const pods = new Map<number, TapPort>();

const { underlayWire } = settings;
const captures = new Captures(
  dataplane,
  {
    address: addressWords(settings.underlayAddress)[ADDRESS_WORDS - 1]!,
    routerMac: underlayWire === undefined ? undefined : parseMac(underlayWire.routerMac),
  },
  monotonicNs,
);
const captureById = new Map<number, Capture>();

let clockAheadMs = 0;
const clock = () => performance.now() + clockAheadMs;
let links: LinkedUnderlay | undefined;

const loop = new Loop({
  dataplane,
  underlay,
  packet: new Packet(arena),
  eventfd: data.eventfd,
  stop: new Int32Array(data.stop),
  port,
  clock,
  spins: !without.has('spin'),
  activity,
  onMessage: (message) => handle(message as ToDataplane),
  log: (message) => tell({ type: 'log', message }),
  onGone: (index) => tell({ type: 'hop-gone', hop: way(Way.Pod, index) }),
});
loop.run();
underlay.close();

function handle(message: ToDataplane): void {
  switch (message.type) {
    case 'ask':
      reply({ type: 'answer', id: message.id, body: message.question === 'counters' ? counters() : connections() });
      return;
    case 'capture':
      capture(message);
      return;
    case 'release':
      release(message.id);
      return;
    case 'update':
      update(message);
  }
}

function update(message: { readonly update: CompiledUpdate }): void {
  const { version } = message.update;
  try {
    apply(message.update);
    reply({ type: 'applied', version });
  } catch (error) {
    reply({ type: 'failed', version, message: error instanceof Error ? error.message : String(error) });
  }
}

function reply(message: FromNode): void {
  port.postMessage(message);
}

function tell(message: FromDataplane): void {
  port.postMessage(message);
}

function capture({ id, spec, ring, lastMs, live }: CaptureOrder): void {
  const created = captures.create(spec, ring);
  if (lastMs > 0) captures.recall(created, lastMs, clock());
  const refused = live && !captures.start(created);
  if (!refused) captureById.set(id, created);
  setMerging();
  const problem = refused ? `${CAPTURES_MAX} captures are running on this node` : undefined;
  tell({ type: 'capturing', id, problem });
  if (!live) release(id);
}

/** Packets of one UDP flow are merged as long as nobody wants to see each. */
function setMerging(): void {
  podReader.mergesUdp = mergesUdp && !captures.watching;
  underlay.mergesUdp = mergesUdp && !captures.watching;
}

function release(id: number): void {
  const capture = captureById.get(id);
  captureById.delete(id);
  if (capture !== undefined) captures.stop(capture);
  setMerging();
  tell({ type: 'released', id, losses: capture?.losses() ?? [] });
}

/**
 * Pods first, so that no route leads to a port that is not there; and they go last. What is attached already stays as
 * it is: an update that tells everything may come at any time.
 */
function apply(update: CompiledUpdate): void {
  const problems: string[] = [];
  if (update.host !== undefined && host === undefined) {
    host = attach(update.host, way(Way.Host, 0));
    dataplane.host = host;
    loop.setHost(host);
  }
  for (const pod of update.addPods) {
    if (pods.has(pod.index)) continue;
    let attached: TapPort;
    try {
      attached = attach(pod, way(Way.Pod, pod.index));
    } catch (error) {
      problems.push(`${pod.addresses.join(', ')}: ${error instanceof Error ? error.message : String(error)}`);
      continue; // one pod that has broken its interface is no reason to leave the others alone
    }
    dataplane.pods[pod.index] = attached;
    pods.set(pod.index, attached);
    loop.addPod(pod.index, attached);
  }
  if (update.routing !== undefined) {
    underlay.setEndpoints(update.routing.underlayAddresses);
    dataplane.setRoutes(update.routing.table, update.routing.endpoints);
  }
  if (update.services !== undefined) dataplane.setServices(update.services);
  if (update.policies !== undefined) dataplane.setPolicies(update.policies);
  if (update.links !== undefined) setLinks(update.links);
  clockAheadMs += update.advanceMs;
  for (const index of update.removePods) {
    dataplane.pods[index] = undefined;
    pods.delete(index);
    const removed = loop.removePod(index);
    if (removed !== undefined) close(removed.fd);
  }
  captures.refresh();
  setMerging();
  if (problems.length > 0) throw new Error(problems.join('; '));
}

/** The first link puts itself between; clusters without links do not pay for them. */
function setLinks(settings: readonly (LinkSettings | undefined)[]): void {
  if (links === undefined) {
    if (settings.length === 0) return;
    links = new LinkedUnderlay(arena, dataplane.counters, underlay, dataplane.node.tunnelMtu);
    dataplane.underlay = links;
    loop.setLinks(links);
  }
  links.setLinks(settings);
}

function openUnderlay(): UnderlayPort {
  const { underlayAddress: address, underlayWire, offload } = settings;
  if (underlayWire === undefined)
    return new UdpUnderlay({ arena, address, offload, random, merging, rows, lost, activity });
  const [routerMacHigh, routerMacLow] = parseMac(underlayWire.routerMac);
  return new TapUnderlay({
    arena,
    fd: openTap(underlayWire.interfaceName, {
      offload: offload ? TUNNEL_OFFLOADS : 0,
      vnetHeaderLen: VNET_TUNNEL_HEADER_LEN,
    }),
    merging,
    rows,
    lost,
    activity,
    wire: { address: addressWords(address)[ADDRESS_WORDS - 1]!, macHigh, macLow, routerMacHigh, routerMacLow },
  });
}

/** Attaches to a TAP that already exists in its namespace, or to the socket that stands in for it. */
function attach(spec: TapSpec, portWay: number): TapPort {
  const [high, low] = parseMac(spec.mac);
  return new TapPort({
    arena,
    reader: podReader,
    activity,
    fd: spec.socketPath === undefined ? openPodTap(spec) : connectSeqpacket(spec.socketPath),
    way: portWay,
    macHigh: high,
    macLow: low,
    addresses: Int32Array.from(spec.addresses.flatMap((address) => [...addressWords(address)])),
    mtu: settings.podMtu,
    counters: new WireCounters(),
  });
}

function openPodTap(spec: TapSpec): number {
  const namespace = openNamespace(spec.namespacePath);
  try {
    const fd = inNamespace(namespace, 'net', () => openTap(spec.interfaceName, { offload: 0 }));
    if (settings.offload) negotiateOffloads(fd);
    return fd;
  } finally {
    close(namespace);
  }
}

let offloadsReported = false;

/** Pods work with fewer, only slower: one line says so. */
function negotiateOffloads(fd: number): void {
  let accepted: number;
  try {
    accepted = acceptedOffloads(fd, POD_OFFLOADS);
  } catch (error) {
    close(fd);
    throw error;
  }
  if ((accepted & TunOffload.uso4) === 0) mergesUdp = false;
  if (accepted === POD_OFFLOADS || offloadsReported) return;
  offloadsReported = true;
  const missing = Object.entries(TunOffload).flatMap(([name, bit]) => (POD_OFFLOADS & ~accepted & bit ? [name] : []));
  tell({ type: 'log', message: `this kernel's TAPs do not offload ${missing.join(', ')}` });
}

function counters(): NodeCounters {
  const ports: Record<string, PortCounters> = { underlay: underlay.counters.snapshot() };
  if (host !== undefined) ports['host'] = host.counters.snapshot();
  for (const [index, pod] of pods) ports[`pod/${index}`] = pod.counters.snapshot();
  return { ...dataplane.counters.snapshot(), connections: dataplane.connections.count, ports };
}

function connections(): unknown {
  return snapshotConnections(dataplane.connections, clock());
}
