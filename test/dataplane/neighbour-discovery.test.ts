/** IPv6 on the link between a pod and its node: fe80::1 answers, everything else is absorbed or dropped by name. */
import { describe, expect, test } from 'vitest';
import { addressBytes } from '../oracle/slow-address.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { linkLayerOption, NEXT_HOP, NEXT_HOP_GROUP, neighbourMessage, solicitation } from './link-frames.ts';
import { NODE_MAC, places, World } from './world.ts';

const { mac } = places.web;
const own = places.web.addresses[1];
const LINK_LOCAL = 'fe80::a:f4ff:fe01:102';
const GROUP_MAC = '33:33:ff:00:00:01';
const SOURCE_MAC = 1;
const TARGET_MAC = 2;
const ROUTER = 0x80;
const SOLICITED = 0x40;
const OVERRIDE = 0x20;

/** What the node must answer (RFC 4861 section 7.2.4), checksum included. */
function advertisement(destination: string, flags: number): Uint8Array {
  const message = neighbourMessage(136, NEXT_HOP, linkLayerOption(TARGET_MAC, NODE_MAC), flags);
  return buildFrame({ ...message, source: NEXT_HOP, destination, sourceMac: NODE_MAC, destinationMac: mac });
}

describe('a solicitation for fe80::1', () => {
  for (const source of [LINK_LOCAL, own]) {
    for (const [how, destination, destinationMac] of [
      ['multicast', NEXT_HOP_GROUP, GROUP_MAC],
      ['unicast', NEXT_HOP, NODE_MAC],
    ] as const) {
      for (const options of [[], linkLayerOption(SOURCE_MAC, mac)]) {
        test(`${how} from ${source} with ${options.length} option bytes: a solicited advertisement`, () => {
          const world = new World();
          const ask = { ...solicitation(source, NEXT_HOP, options), destination, destinationMac };
          expect(world.send('web', ask)).toBe('consumed: NeighbourAnswered');
          expect(world.ports.web.last.bytes).toEqual(advertisement(source, ROUTER | SOLICITED | OVERRIDE));
          expect(world.ports.web.last.frame.checksum).toBe('right');
          expect(world.taken).toBe(1);
          world.balance();
        });
      }
    }
  }

  test('a duplicate-address probe from :: is answered to all nodes, unsolicited: the address is taken', () => {
    const world = new World();
    expect(world.send('web', solicitation('::', NEXT_HOP))).toBe('consumed: NeighbourAnswered');
    expect(world.ports.web.last.bytes).toEqual(advertisement('ff02::1', ROUTER | OVERRIDE));
    world.balance();
  });

  test('behind an extension header: the answer has none', () => {
    const world = new World();
    const extensions = [{ type: 0, body: [5, 2, 0, 0] }];
    const ask = { ...solicitation(LINK_LOCAL, NEXT_HOP), extensions };
    expect(world.send('web', ask)).toBe('consumed: NeighbourAnswered');
    expect(world.ports.web.last.bytes).toEqual(advertisement(LINK_LOCAL, ROUTER | SOLICITED | OVERRIDE));
    world.balance();
  });

  test('from the host as well', () => {
    const world = new World();
    expect(world.send('host', solicitation('fe80::ac:12ff:fe00:2', NEXT_HOP))).toBe('consumed: NeighbourAnswered');
    expect(world.ports.host.last.frame).toMatchObject({ source: NEXT_HOP, checksum: 'right', ttl: 255 });
    world.balance();
  });

  test('an answer that the pod does not take is a drop of ours', () => {
    const world = new World();
    world.ports.web.says = -35;
    expect(world.send('web', solicitation(own, NEXT_HOP))).toBe('consumed: NeighbourAnswered');
    expect(world.dp.counters.snapshot().dropped).toEqual({ PortBusy: 1 });
    world.balance();
  });
});

const ABSORBED = 'consumed: NeighbourAbsorbed';
const report = { protocol: 'icmpv6', payload: 16, ttl: 1, extensions: [{ type: 0, body: [5, 2, 0, 0] }] } as const;

describe('what kernels say by themselves', () => {
  const cases: readonly { name: string; spec: FrameSpec; want: string }[] = [
    { name: 'duplicate-address probe for the own address', spec: solicitation('::', own), want: ABSORBED },
    { name: 'probe for the own link-local address', spec: solicitation('::', LINK_LOCAL), want: ABSORBED },
    { name: 'question for the own address', spec: solicitation(LINK_LOCAL, own), want: ABSORBED },
    {
      name: 'advertisement of the own address',
      spec: { ...neighbourMessage(136, own, [], OVERRIDE), source: own, destination: 'ff02::1' },
      want: ABSORBED,
    },
    {
      name: 'router solicitation',
      spec: {
        ...report,
        extensions: [],
        ttl: 255,
        icmpType: 133,
        payload: 0,
        source: LINK_LOCAL,
        destination: 'ff02::2',
      },
      want: 'consumed: RouterSolicitationAbsorbed',
    },
    ...[130, 131, 132, 143].map((icmpType) => ({
      name: `CT-047 MLD type ${icmpType}`,
      spec: { ...report, icmpType, source: LINK_LOCAL, destination: 'ff02::16' },
      want: 'consumed: MulticastListenerAbsorbed',
    })),
    {
      name: 'MLD from :: while the address is tentative',
      spec: { ...report, icmpType: 143, source: '::', destination: 'ff02::16' },
      want: 'consumed: MulticastListenerAbsorbed',
    },
  ];
  for (const { name, spec, want } of cases) {
    test(`${name}: ${want}`, () => {
      const world = new World();
      expect(world.send('web', spec)).toBe(want);
      expect(world.taken).toBe(0);
      expect(world.dp.connections.count).toBe(0);
      world.balance();
    });
  }
});

const BAD = 'dropped: BadNeighbourMessage';
const FORBIDDEN = 'dropped: ForbiddenNeighbourMessage';

describe('what is dropped', () => {
  const good = solicitation(LINK_LOCAL, NEXT_HOP);
  const advertised = { ...neighbourMessage(136, own, [], OVERRIDE), source: own, destination: 'ff02::1' };
  const routed = { ...neighbourMessage(134, '::', []), source: LINK_LOCAL, destination: 'ff02::1' };
  const cases: readonly { name: string; spec: FrameSpec; want: string }[] = [
    { name: 'hop limit 254: made elsewhere', spec: { ...good, ttl: 254 }, want: BAD },
    { name: 'hop limit 1', spec: { ...advertised, ttl: 1 }, want: BAD },
    { name: 'router solicitation with hop limit 64', spec: { ...routed, icmpType: 133, ttl: 64 }, want: BAD },
    { name: 'code 1', spec: { ...good, icmpCode: 1 }, want: BAD },
    { name: 'an option of length 0', spec: solicitation(LINK_LOCAL, NEXT_HOP, [1, 0, 0, 0, 0, 0, 0, 0]), want: BAD },
    { name: 'an option past the end', spec: solicitation(LINK_LOCAL, NEXT_HOP, [1, 2, 0, 0, 0, 0, 0, 0]), want: BAD },
    { name: 'half an option', spec: solicitation(LINK_LOCAL, NEXT_HOP, [1]), want: BAD },
    { name: 'a target cut short', spec: { ...good, payload: addressBytes(NEXT_HOP).slice(0, 15) }, want: BAD },
    { name: 'a multicast target', spec: solicitation(LINK_LOCAL, NEXT_HOP_GROUP), want: BAD },
    {
      name: 'a probe from :: to a unicast address',
      spec: { ...solicitation('::', NEXT_HOP), destination: NEXT_HOP },
      want: BAD,
    },
    {
      name: 'a probe from :: with a source MAC option',
      spec: solicitation('::', NEXT_HOP, linkLayerOption(SOURCE_MAC, mac)),
      want: BAD,
    },
    {
      name: 'advertisement of a multicast target',
      spec: { ...advertised, ...neighbourMessage(136, 'ff02::1', []) },
      want: BAD,
    },
    {
      name: 'solicited advertisement to a group',
      spec: { ...advertised, ...neighbourMessage(136, own, [], SOLICITED) },
      want: BAD,
    },
    { name: 'router advertisement', spec: routed, want: FORBIDDEN },
    { name: 'redirect', spec: { ...routed, icmpType: 137 }, want: FORBIDDEN },
    {
      name: "another pod's address",
      spec: solicitation(LINK_LOCAL, places.api.addresses[1]),
      want: 'dropped: NeighbourUnknownTarget',
    },
    {
      name: 'mDNS',
      spec: { destination: 'ff02::fb', source: LINK_LOCAL, protocol: 'udp' },
      want: 'dropped: Multicast',
    },
    {
      name: 'a unicast destination in a frame to a group of the link',
      spec: { destination: places.api.addresses[1], source: own, destinationMac: '33:33:00:00:00:01' },
      want: 'dropped: Multicast',
    },
    {
      name: 'no route, in a frame to a group of the link: nobody is told',
      spec: { destination: '2001:db8::1', source: own, destinationMac: '33:33:00:00:00:01' },
      want: 'dropped: Multicast',
    },
    {
      name: 'a link-local destination',
      spec: { destination: NEXT_HOP, source: own, protocol: 'icmpv6' },
      want: 'dropped: LinkLocal',
    },
    {
      name: 'a link-local source',
      spec: { destination: places.api.addresses[1], source: LINK_LOCAL },
      want: 'dropped: LinkLocal',
    },
  ];
  for (const { name, spec, want } of cases) {
    test(`${name}: ${want}`, () => {
      const world = new World();
      expect(world.send('web', spec)).toBe(want);
      expect(world.taken).toBe(0);
      world.balance();
    });
  }

  test('a wrong checksum, of every message', () => {
    for (const spec of [
      good,
      advertised,
      routed,
      { ...report, icmpType: 143, source: LINK_LOCAL, destination: 'ff02::16' },
    ]) {
      const world = new World();
      const bytes = buildFrame({ sourceMac: mac, ...spec });
      bytes[bytes.length - 1]! ^= 1;
      expect(world.sendBytes('web', bytes)).toBe('dropped: BadL4Checksum');
      world.balance();
    }
  });
});
