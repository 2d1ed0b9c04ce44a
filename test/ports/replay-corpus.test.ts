/**
 * Every frame of every capture file into a node: from a pod and from the host as it is; from a pod that really has the
 * addresses which the frame claims; from another node. Nothing throws, nothing vanishes.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { LinkType, type PacketRecord } from '../../src/capture/records.ts';
import { readOuter } from '../../src/encap/outer.ts';
import { Way, way } from '../../src/packet/way.ts';
import { wireFrame } from '../../src/ports/memory.ts';
import { Replay } from '../../src/ports/replay.ts';
import { loadIpv4, loadIpv6 } from '../../src/wire/address.ts';
import { parseMac } from '../../src/wire/ethernet.ts';
import { readBytes } from '../capture/build.ts';
import { type CorpusFile, corpusFiles, type ExpectedFrame } from '../capture/corpus.ts';
import { NODE_MAC, nodes, places, prefix, World } from '../dataplane/world.ts';
import { addressBytes } from '../oracle/slow-address.ts';
import { joined } from '../support/frames.ts';
import { missing } from '../support/requires.ts';

const [sourceHigh, sourceLow] = parseMac(places.web.mac);
const [destinationHigh, destinationLow] = parseMac(NODE_MAC);
const macs = { sourceHigh, sourceLow, destinationHigh, destinationLow };
const vxlanHeader = [8, 0, 0, 0, 0, 0, 1, 0];
const nodeMac = NODE_MAC.split(':').map((octet) => Number.parseInt(octet, 16));

type Side = (world: World, frame: Uint8Array) => string;

/** From a pod that has the frame's own source as its MAC and address. */
function fromOwner(world: World, frame: Uint8Array): string {
  const port = world.ports.web;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (frame.length >= 14) [port.macHigh, port.macLow] = [view.getUint16(6), view.getInt32(8)];
  if (frame.length >= 34 && view.getUint16(12) === 0x0800) loadIpv4(view, 26, port.addresses, 0);
  if (frame.length >= 54 && view.getUint16(12) === 0x86dd) loadIpv6(view, 22, port.addresses, 4);
  return fed(world, 'web', frame);
}

function fed(world: World, from: 'web' | 'host', frame: Uint8Array): string {
  const { pkt } = world;
  const port = world.ports[from];
  port.push(wireFrame(frame));
  if (port.receive(pkt, pkt.at) !== 1) throw new Error('nothing to receive');
  return world.story(from, pkt);
}

/** What holds VXLAN is taken for what a wire of the underlay brought; the rest for what another node put into a tunnel. */
function fromUnderlay(world: World, frame: Uint8Array): string {
  const { pkt } = world;
  const { at } = pkt;
  world.ports.host.push(wireFrame(frame));
  world.ports.host.receive(pkt, at);
  readOuter(pkt);
  if (pkt.len > 0) {
    const inner = pkt.arena.bytes.slice(pkt.at, pkt.at + pkt.len);
    pkt.at = at;
    return world.tunnelBytes(nodes.n2.underlay, inner, pkt.outerTos);
  }
  pkt.at = at;
  const inner = joined(nodeMac, frame.subarray(6));
  return world.tunnelBytes(nodes.n2.underlay, joined(vxlanHeader, inner.subarray(0, frame.length)));
}

const sides: Readonly<Record<string, Side>> = {
  'a pod': (world, frame) => fed(world, 'web', frame),
  'the host': (world, frame) => fed(world, 'host', frame),
  'its owner': fromOwner,
  'the underlay': fromUnderlay,
};

/** A node that knows a way to everywhere, so that frames go far. */
function quietWorld(): World {
  const world = new World({ connectionsMax: 512 });
  for (const port of Object.values(world.ports)) port.keeps = false;
  world.underlay.keeps = false;
  world.route(
    ...['10.0.0.0/8', '2001::/16'].map((text) => prefix(text, way(Way.Tunnel, 0))),
    ...['128.0.0.0/1', '2000::/4'].map((text) => prefix(text, way(Way.Pod, 1))),
  );
  return world;
}

interface Read {
  readonly file: CorpusFile;
  readonly packets: readonly PacketRecord[];
}

describe.skipIf(missing('testdata'))('replay of the corpus (needs PODWIRE_TESTDATA)', () => {
  let all: Read[] = [];
  beforeAll(async () => {
    all = [];
    for (const file of corpusFiles()) all.push({ file, packets: (await readBytes(file.bytes)).packets });
  });

  test.each(Object.entries(sides))(
    'from %s',
    (name, side) => {
      const outcomes = new Map<string, number>();
      const world = quietWorld();
      const lost: string[] = [];
      let frames = 0;
      for (const { file, packets } of all) {
        const replay = new Replay({ macs, speed: Number.POSITIVE_INFINITY });
        for (const packet of packets) {
          const frame = replay.next(packet);
          if (frame === undefined) continue;
          world.nowMs += 10;
          const outcome = side(world, frame.bytes);
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        }
        frames += replay.frames;
        if (world.dp.counters.check() !== 0) lost.push(file.file);
        world.dp.connections.expire(world.nowMs, 1000);
      }
      expect(lost).toEqual([]);
      expect(world.dp.counters.snapshot()).toMatchObject({ received: frames, violations: 0 });
      const sorted = [...outcomes].sort(([, a], [, b]) => b - a);
      process.stdout.write(`${frames} frames from ${name}: ${sorted.map(([what, n]) => `${n} ${what}`).join(', ')}\n`);
      expect(frames).toBeGreaterThan(35_000);
      expect(outcomes.size).toBeGreaterThan(10);
    },
    120_000,
  );

  test('what is no Ethernet has the addresses that tshark sees', () => {
    const compared = new Map<number, number>();
    for (const { file, packets } of all) {
      const replay = new Replay({ macs, speed: 1 });
      for (const [i, packet] of packets.entries()) {
        const { linkType } = packet.interface;
        const frame = replay.next(packet);
        const expected = expectedSource(file.frames[i]);
        if (frame === undefined || linkType === LinkType.Ethernet || expected === undefined) continue;
        const ipv6 = expected.length === 16;
        const sourceAt = 14 + (ipv6 ? 8 : 12);
        const found = frame.bytes.slice(sourceAt, sourceAt + expected.length);
        expect([frame.bytes[12], frame.bytes[13], ...found], `${file.file} ${i}`).toEqual([
          ...(ipv6 ? [0x86, 0xdd] : [8, 0]),
          ...expected,
        ]);
        compared.set(linkType, (compared.get(linkType) ?? 0) + 1);
      }
    }
    const { Null, RawIp, LinuxSll, Ipv4, Ipv6, LinuxSll2 } = LinkType;
    expect([...compared.keys()].sort((a, b) => a - b)).toEqual([Null, RawIp, LinuxSll, Ipv4, Ipv6, LinuxSll2]);
  });
});

/** The outermost source address, where IP is the first layer behind the link's. */
function expectedSource(frame: ExpectedFrame | undefined): Uint8Array | undefined {
  const found = /^(?:(?:sll|null|raw):)?(?:ethertype:)?(ip|ipv6)(?::|$)/.exec(frame?.['frame.protocols'] ?? '');
  const source = found === null ? '' : frame![`${found[1]}.src`]!.split('|')[0]!;
  return source === '' ? undefined : Uint8Array.from(addressBytes(source));
}
