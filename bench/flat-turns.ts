/** Turns of a world: packets that begin connections, laid out, sent through the story, and their connections taken away. */
import { receiveFromPod } from '../src/dataplane/receive.ts';
import { Drop, Place } from '../src/packet/outcome.ts';
import { ChecksumState, FRAME_HEADROOM, Packet } from '../src/packet/packet.ts';
import { Protocol } from '../src/wire/protocol.ts';
import { arena, CLIENTS, nodeMac, podMac, SERVICE_PORT, type Size, World } from './flat-world.ts';

/** Packets of a turn. */
export const TURN = 1024;
/** Ethernet, IPv4, TCP with a maximum segment size: a SYN. */
const FRAME_LEN = 14 + 20 + 24;
/** A packet's room: headroom, and a multiple of a cache line. */
const ROOM = 192;
/** Rules that a turn in order looks at, at most: it takes fewer packets then. */
const RULES_PER_TURN = 4_000_000;
const FIRST_PORT = 1024;
const CLIENT_PORTS = 64_000;

let roomsAt = 0;
const pkt = new Packet(arena);
const services = new Int32Array(TURN);
const clients = new Int32Array(TURN);
const clientPorts = new Int32Array(TURN);
const outcomes = new Int32Array(TURN);
const made = new Int32Array(TURN);
let begun = 0;
let state = 1;

/** Forgets all worlds: theirs is the arena's memory. */
export function beginWorlds(): void {
  arena.releaseAll();
  roomsAt = arena.reserve(TURN * ROOM);
}

function below(count: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  return Math.floor(((state >>> 0) / 2 ** 32) * count);
}

/** Packets of random clients to random Services, each a flow that was not there before. @param closed also to closed ones. */
function layOut(world: World, closed: boolean): void {
  for (let i = 0; i < TURN; i++) {
    let service = below(world.size.services);
    while (!closed && !world.isOpen(service)) service = below(world.size.services);
    begun++;
    services[i] = service;
    clients[i] = begun % CLIENTS;
    clientPorts[i] = FIRST_PORT + (Math.floor(begun / CLIENTS) % CLIENT_PORTS);
    writeFrame(i, Protocol.Tcp, world.clientAddress(clients[i]!), world.serviceAddress(service), clientPorts[i]!);
  }
}

/** Checksum partial, as a TAP hands it over. */
function writeFrame(index: number, protocol: number, source: number, destination: number, port: number): void {
  const { view, bytes } = arena;
  const at = roomsAt + index * ROOM + FRAME_HEADROOM;
  bytes.fill(0, at, at + FRAME_LEN);
  view.setUint16(at, nodeMac[0]);
  view.setInt32(at + 2, nodeMac[1]);
  view.setUint16(at + 6, podMac[0]);
  view.setInt32(at + 8, podMac[1]);
  view.setUint16(at + 12, 0x0800);
  const ip = at + 14;
  view.setUint16(ip, 0x4500);
  view.setUint16(ip + 2, FRAME_LEN - 14);
  view.setUint16(ip + 6, 0x4000);
  view.setUint16(ip + 8, 0x4000 | protocol);
  view.setInt32(ip + 12, source);
  view.setInt32(ip + 16, destination);
  view.setUint16(ip + 10, arena.checksum(ip, 20, 0));
  view.setUint32(ip + 20, ((port << 16) | SERVICE_PORT) >>> 0);
  if (protocol === Protocol.Udp) {
    view.setUint16(ip + 24, FRAME_LEN - 34);
    return;
  }
  view.setUint16(ip + 32, 0x6002);
  view.setUint16(ip + 34, 64_240);
  view.setUint32(ip + 40, 0x0204_0582);
}

function receive(index: number, checksumOffset: number): void {
  pkt.at = roomsAt + index * ROOM + FRAME_HEADROOM;
  pkt.len = FRAME_LEN;
  pkt.checksum = ChecksumState.Partial;
  pkt.partialStart = 34;
  pkt.partialOffset = checksumOffset;
  pkt.gsoSize = 0;
}

function run(world: World): void {
  const { dp, ports } = world;
  for (let i = 0; i < TURN; i++) {
    receive(i, 16);
    outcomes[i] = receiveFromPod(dp, ports[clients[i]!]!, pkt, 0);
    made[i] = pkt.connection;
  }
}

function takeAway(world: World): void {
  for (let i = 0; i < TURN; i++) if (outcomes[i]! >= 0) world.dp.connections.remove(made[i]!);
}

/** Nanoseconds for the first packet of a connection: from `validate` to encapsulated, the connection in the table. */
export function turn(world: World): number {
  layOut(world, false);
  const before = world.dp.connections.count;
  const start = process.hrtime.bigint();
  run(world);
  const ns = Number(process.hrtime.bigint() - start) / TURN;
  if (world.dp.connections.count !== before + TURN) throw new Error('not every packet has begun a connection');
  takeAway(world);
  return ns;
}

/** Nanoseconds for looking such a packet up in order, in the list if there is one and in rules, no more. Pre: a `turn` has laid packets out. */
export function turnInOrder(world: World): number {
  const { inOrder, list, size } = world;
  const rules = size.services + size.endpoints + size.policies + (list === undefined ? 0 : 2 * size.flows);
  const count = Math.min(TURN, Math.max(8, Math.floor(RULES_PER_TURN / rules)));
  const start = process.hrtime.bigint();
  let lost = 0;
  for (let i = 0; i < count; i++) {
    const ports = (clientPorts[i]! << 16) | SERVICE_PORT;
    const address = world.serviceAddress(services[i]!);
    if (list?.has(world.clientAddress(clients[i]!), address, ports, Protocol.Tcp)) lost++;
    if (inOrder.decide(address, ports, Protocol.Tcp) < 0) lost++;
  }
  const ns = Number(process.hrtime.bigint() - start) / count;
  if (lost > 0) throw new Error(`${lost} packets found no way through the rules in order`);
  return ns;
}

/** Do both give the same answer, closed Services among them? Which endpoint, chance decides; that it is one, does not. */
export function check(world: World): { allowed: number; denied: number } {
  const { inOrder } = world;
  layOut(world, true);
  run(world);
  let allowed = 0;
  for (let i = 0; i < TURN; i++) {
    const address = world.serviceAddress(services[i]!);
    const service = inOrder.findService(address, (Protocol.Tcp << 16) | SERVICE_PORT);
    if (service < 0) throw new Error('a Service is not in the list');
    if (outcomes[i] === Place.Delivered) {
      const { address: backend, port } = world.chosen(made[i]!);
      if (!inOrder.hasEndpoint(service, backend, port)) throw new Error('the chosen endpoint is none of the Service');
      if (!inOrder.allows(backend, port)) throw new Error('the rules in order deny what was let through');
      allowed++;
    } else if (outcomes[i] !== Drop.PolicyDenied) {
      throw new Error(`outcome ${outcomes[i]}`);
    }
    const ports = (clientPorts[i]! << 16) | SERVICE_PORT;
    const passes = inOrder.decide(address, ports, Protocol.Tcp) >= 0;
    if (passes !== outcomes[i]! >= 0) throw new Error('the rules in order say otherwise');
  }
  takeAway(world);
  return { allowed, denied: TURN - allowed };
}

/** A world as it is before anything is measured. */
export function makeWorld(size: Size): World {
  const world = new World(size);
  addFlows(world, size.flows);
  world.enforce(); // only now: policies here are about TCP
  return world;
}

/** Fills the connection table with UDP flows of the node's pods to other pods. */
function addFlows(world: World, count: number): void {
  const { dp, ports, list } = world;
  for (let flow = 0; flow < count; flow++) {
    const client = flow % CLIENTS;
    const port = FIRST_PORT + (Math.floor(flow / CLIENTS) % CLIENT_PORTS);
    const source = world.clientAddress(client);
    const destination = world.backendAddress(below(1 << 17));
    writeFrame(0, Protocol.Udp, source, destination, port);
    receive(0, 6);
    const outcome = receiveFromPod(dp, ports[client]!, pkt, 0);
    if (outcome !== Place.Delivered) throw new Error(`a flow of the table: outcome ${outcome}`);
    list?.add(source, destination, (port << 16) | SERVICE_PORT, Protocol.Udp);
  }
  if (dp.connections.count !== count) throw new Error(`${dp.connections.count} flows in the table`);
}
